"""`liftlock edit` as a user runs it: what it writes, what it says, how it ends."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.app import app

IMAGE = "ghcr.io/acme/checkout"
DIGEST = "sha256:" + "a" * 64
KUSTOMIZATION = f"images:\n- name: {IMAGE}\n  newTag: v1 # ours\n"


def edit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["edit", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kustomization.yaml"
    path.write_text(KUSTOMIZATION)
    return path


def test_a_tag_is_set_and_told(file: Path) -> None:
    ended = edit(file, "--image", IMAGE, "--to", "v2")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == f"{file}:3: images[name={IMAGE}].newTag went from v1 to v2\n"
    assert file.read_text() == KUSTOMIZATION.replace("v1", "v2")


def test_nothing_to_change_ends_with_3(file: Path) -> None:
    ended = edit(file, "--image", IMAGE, "--to", "v1")
    assert (ended.exit_code, ended.stdout) == (3, f"{file}: says so already\n")
    assert file.read_text() == KUSTOMIZATION


def test_a_refusal_ends_with_2_names_the_place_and_leaves_the_file(file: Path) -> None:
    file.write_text(KUSTOMIZATION + f"- newName: {IMAGE}\n  newTag: v0\n")
    before = file.read_bytes()
    ended = edit(file, "--image", IMAGE, "--to", "v2")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"liftlock: {file}, line 4, images[name={IMAGE}]: two entries of the list")
    assert file.read_bytes() == before


def test_of_several_files_all_are_changed_or_none(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "deployment.yaml"
    other.write_text(f"kind: Pod\nspec: {{containers: [{{name: a, image: '{IMAGE}:v1'}}]}}\n")
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: Pod\nspec: [\n")
    ended = edit(file, other, broken, "--image", IMAGE, "--to", "v2")
    assert ended.exit_code == 2
    assert "v1" in file.read_text()
    assert "v1" in other.read_text()
    ended = edit(file, other, "--image", IMAGE, "--to", "v2")
    assert ended.exit_code == 0
    assert file.read_text() == KUSTOMIZATION.replace("v1", "v2")
    assert f"'{IMAGE}:v2'" in other.read_text()


def test_check_writes_nothing_and_diff_shows_the_lines(file: Path) -> None:
    ended = edit(file, "--image", IMAGE, "--to", "v2", "--check", "--diff")
    assert ended.exit_code == 0
    assert "newTag would go from v1 to v2" in ended.stdout
    assert ended.stdout.endswith("-  newTag: v1 # ours\n+  newTag: v2 # ours\n")
    assert file.read_text() == KUSTOMIZATION


def test_changes_are_told_as_json(file: Path) -> None:
    ended = edit(file, "--image", IMAGE, "--to", "v2", "--json")
    change = {"path": f"images[name={IMAGE}].newTag", "line": 3, "old": "v1", "new": "v2"}
    assert json.loads(ended.stdout) == {"written": True, "files": [{"file": str(file), "changes": [change]}]}


def test_a_digest_is_pinned_with_the_tag(file: Path) -> None:
    assert edit(file, "--image", IMAGE, "--to", f"v2@{DIGEST}").exit_code == 0
    assert file.read_text() == f"images:\n- name: {IMAGE}\n  newTag: v2 # ours\n  digest: {DIGEST}\n"


def test_an_entry_is_created_only_when_asked(file: Path) -> None:
    other = "ghcr.io/acme/other"
    assert "no entry of images" in edit(file, "--image", other, "--to", "v2").stderr
    assert edit(file, "--image", other, "--to", "v2", "--create").exit_code == 0
    assert file.read_text() == KUSTOMIZATION + f"- name: {other}\n  newTag: v2\n"


def test_new_name_and_name_are_taken(file: Path) -> None:
    file.write_text("images:\n- name: app\n  newName: a/b\n  newTag: v1\n")
    assert edit(file, "--image", "x", "--name", "app", "--new-name", "c/d", "--to", "v2").exit_code == 0
    assert file.read_text() == "images:\n- name: app\n  newName: c/d\n  newTag: v2\n"


APPLICATION = (
    "kind: Application\nmetadata: {name: web}\nspec:\n  source:\n    targetRevision: v1\n"
    f"    helm: {{parameters: [{{name: image.tag, value: v1}}]}}\n    kustomize: {{images: ['{IMAGE}:v1']}}\n"
)


@pytest.mark.parametrize(
    ("text", "options", "old", "new"),
    [
        ("image: {tag: v1}\n", ["--path", "image.tag"], "v1", "v2"),
        ("image: {tag: v1}\n", ["--kind", "helm", "--path", "image.tag"], "v1", "v2"),
        ("TAG=v1\n", ["--pattern", "^TAG=(.*)$"], "v1", "v2"),
        ("TAG=v1\n", ["--kind", "regex", "--pattern", "TAG=(.*)"], "v1", "v2"),
        (APPLICATION, ["--image", IMAGE], f"{IMAGE}:v1", f"{IMAGE}:v2"),
        (APPLICATION, ["--image", IMAGE, "--path", "image.tag", "--name", "web"], "value: v1", "value: v2"),
        (
            APPLICATION,
            ["--kind", "argocd-application", "--path", "targetRevision"],
            "targetRevision: v1",
            "targetRevision: v2",
        ),
        (
            "kind: A\nt: v1\n---\nkind: B\nmetadata: {name: b, namespace: n}\nt: v1\n",
            ["--path", "t", "--document", "kind=B,name=b,namespace=n,index=1"],
            "n}\nt: v1",
            "n}\nt: v2",
        ),
        (
            f"kind: Pod\nspec: {{containers: [{{name: a, image: '{IMAGE}:v1'}}, {{name: b, image: '{IMAGE}:v1'}}]}}\n",
            ["--image", IMAGE, "--container", "b"],
            f"b, image: '{IMAGE}:v1'",
            f"b, image: '{IMAGE}:v2'",
        ),
    ],
)
def test_every_kind_of_file_is_edited(tmp_path: Path, text: str, options: list[str], old: str, new: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    ended = edit(path, *options, "--to", "v2")
    assert ended.exit_code == 0, ended.stderr
    assert path.read_text() == text.replace(old, new)


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("a: b\n", ["--image", IMAGE], "the file does not tell what kind it is; say --kind, --path or --pattern"),
        ("kind: Pod\n", [], "a manifest file needs --image NAME"),
        ("a: b\n", ["--kind", "helm"], "a helm file needs --path PATH"),
        ("a: b\n", ["--kind", "path"], "a path file needs --path PATH"),
        ("a: b\n", ["--kind", "regex"], "a regex edit needs --pattern RE2"),
        ("a: b\n", ["--path", "a", "--document", "kind"], "--document 'kind': expected kind=, name="),
        ("a: b\n", ["--path", "a", "--document", "index=x"], "--document 'index=x': expected kind="),
        ("a: b\n", ["--path", "a", "--max-bytes", "2"], "the file has 5 bytes, more than the 2 that are read"),
        ("kind: Application\n---\nkind: Pod\n", ["--image", IMAGE], "does not tell what kind it is"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, text: str, options: list[str], says: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    ended = edit(path, *options, "--to", "v2")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert says in ended.stderr
    assert path.read_text() == text


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_said(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"a: \xff\n")
    assert "the file is not UTF-8 text (byte 3)" in edit(path, "--path", "a", "--to", "v2").stderr
    assert "No such file or directory" in edit(tmp_path / "none", "--path", "a", "--to", "v2").stderr
    assert "this is a folder" in edit(tmp_path, "--path", "a", "--to", "v2").stderr


def test_mode_mark_line_ends_and_a_link_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "file.yaml", tmp_path / "link.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 'v1'\r\nb: \xc3\xa9\r\n")
    path.chmod(0o640)
    link.symlink_to(path.name)
    assert edit(link, "--path", "a", "--to", "v2").exit_code == 0
    assert path.read_bytes() == b"\xef\xbb\xbfa: 'v2'\r\nb: \xc3\xa9\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file.yaml", "link.yaml"]


def test_a_file_cannot_command_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: v1 # \u202eevil\n", encoding="utf-8")
    shown = edit(path, "--path", "a", "--to", "v2", "--diff").stdout
    assert "\u202e" not in shown
    assert "\\u202eevil" in shown


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_file_leaves_all_files(tmp_path: Path, file: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    other = locked / "kustomization.yaml"
    other.write_text(KUSTOMIZATION)
    locked.chmod(0o500)
    ended = edit(file, other, "--image", IMAGE, "--to", "v2")
    locked.chmod(0o700)
    assert (ended.exit_code, "not written" in ended.stderr) == (2, True)
    assert file.read_text() == KUSTOMIZATION
