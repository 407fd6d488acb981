"""The lab's bare repositories answer from their files as git does, and ask git where files do not say it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from bot.lab.github.git import GITHUB, Bare, Signature
from tests.stage import START

FILE = "apps/a b.yaml"
TEXT = "tag: 1.8.2\n\n"


def commit(bare: Bare, text: str, *parents: str, at: datetime = START) -> str:
    tree = bare.write_tree(None, {FILE: text, "apps/other": "x"})
    return bare.write_commit(tree, parents, "Set it", Signature(author=GITHUB, committer=GITHUB, at=at))


@pytest.fixture(name="bare")
def fixture_bare(tmp_path: Path) -> Bare:
    bare = Bare.create(tmp_path / "a.git", "main")
    first = commit(bare, TEXT)
    second = commit(bare, "tag: 1.9.0\n", first)
    for ref, sha in (
        ("refs/heads/main", second),
        ("refs/heads/liftlock/checkout/production", first),
        ("refs/tags/v1", first),
        ("refs/pull/1/head", second),
    ):
        bare.set_ref(ref, sha)
    bare.run(
        "tag", "-a", "annotated", first, "-m", "x", env={f"GIT_COMMITTER_{one}": "x@y" for one in ("NAME", "EMAIL")}
    )
    return bare


def as_git_lists(bare: Bare, *prefixes: str) -> dict[str, str]:
    lines = bare.run("for-each-ref", "--format=%(refname) %(objectname)", *prefixes).decode().splitlines()
    return dict(line.split(" ") for line in lines)


@pytest.mark.parametrize("is_packed", [False, True])
def test_refs_are_those_that_git_lists_in_its_order(bare: Bare, is_packed: bool) -> None:
    if is_packed:
        bare.run("pack-refs", "--all")
        bare.set_ref("refs/heads/later", str(bare.branch("main")))
    (bare.directory / "refs" / "heads" / "main.lock").touch()
    for prefixes in (
        (),
        ("refs/heads",),
        ("refs/heads/main",),
        ("refs/heads/liftlock",),
        ("refs/none",),
        ("refs/tags",),
    ):
        assert list(bare.refs(*prefixes).items()) == list(as_git_lists(bare, *prefixes).items()), prefixes
    assert bare.refs("refs/heads/../../config") == {}


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_name_means_what_it_means_to_git(bare: Bare, is_packed: bool) -> None:
    if is_packed:
        bare.run("pack-refs", "--all")
    second, first = str(bare.branch("main")), str(bare.resolve("v1"))
    for name, meant in {
        "main": second,
        "heads/main": second,
        "refs/heads/main": second,
        "pull/1/head": second,
        "liftlock/checkout/production": first,
        "annotated": first,
        first: first,
        first[:10]: first,
        "HEAD": second,
    }.items():
        assert bare.resolve(name) == meant, name
    for name in ("", "none", "0" * 40, "main\nv1", "../main", f"{first[:10]}x", bare.commit(first).tree):
        assert bare.resolve(name) is None, name


def test_a_name_that_moved_means_what_it_means_now(bare: Bare) -> None:
    first = str(bare.resolve("v1"))
    assert bare.resolve("main") != first
    bare.set_ref("refs/heads/main", first)
    assert bare.resolve("main") == first
    bare.delete_ref("refs/heads/main")
    assert bare.resolve("main") is None


def test_a_file_is_read_to_the_byte_and_a_folder_is_none(bare: Bare) -> None:
    first = str(bare.resolve("v1"))
    assert bare.blob(first, FILE) == TEXT.encode()
    assert bare.blob("main", FILE) == b"tag: 1.9.0\n"
    assert [bare.blob(first, path) for path in ("apps", "none", "", f"{FILE}\nHEAD:{FILE}")] == [None] * 4
