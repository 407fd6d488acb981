"""What moves: commits with their authors, the way back, and only what is known of the artifact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.model import Release, Sha
from bot.forge import Span
from bot.render.links import commit_link, compare_link, pull_link
from bot.render.moves import what_moves
from tests.builders import IMAGE, NEW
from tests.render.views import COMMITS, FORGE, POLICY, a_move

A, B = "a" * 40, "b" * 40


def test_each_commit_has_its_title_its_author_and_a_link() -> None:
    shown = what_moves(a_move(), 20)
    assert "<details><summary>2 commits between the two releases</summary>" in shown
    assert (
        f"- [`633200000000`]({FORGE}/acme/checkout/commit/{COMMITS[1].sha}) Round totals half to even (`bob`)" in shown
    )
    assert f"[Compare the two releases]({FORGE}/acme/checkout/compare/{A}...{B})" in shown
    assert "It goes back" not in shown


def test_a_release_that_lacks_commits_of_the_present_one_is_said_to_go_back() -> None:
    assert "**It goes back, or sideways**" in what_moves(a_move(span=Span(commits=(), total=0, is_forward=False)), 20)


def test_commits_that_nobody_knows_are_left_out_and_the_rest_stays() -> None:
    shown = what_moves(a_move(span=None), 20)
    assert "commits between" not in shown
    assert "Compare the two releases" in shown
    bare = replace(a_move(span=None), release=Release(image=IMAGE, tag=NEW), policy=replace(POLICY, source=None))
    assert "Compare" not in what_moves(bare, 20)


def test_a_long_changelog_is_cut_and_stays_a_block() -> None:
    shown = what_moves(a_move(changelog="line\n" * 100), 0)
    assert shown.count("\nline") == 40
    assert "\n…\n```\n\n</details>" in shown


@pytest.mark.parametrize("commit", ["main", "a" * 6, "A" * 40, f"{A}) [x](http://evil", "../.."])
def test_what_is_no_commit_is_no_link(commit: str) -> None:
    assert "](" not in commit_link(FORGE, "acme/checkout", commit).replace(commit[:12], "")
    assert not compare_link(FORGE, "acme/checkout", commit, Sha(A))


@pytest.mark.parametrize("repository", ["acme", "acme/a b", "acme/x)(", "-a/b", "a/b/c"])
def test_what_is_no_repository_is_no_link(repository: str) -> None:
    assert commit_link(FORGE, repository, A) == "`aaaaaaaaaaaa`"
    assert not compare_link(FORGE, repository, A, B)
    assert "](" not in pull_link(FORGE, repository, 1).replace(repository, "")
