"""Opening, editing, readying and withdrawing pull requests at GitHub: once, within limits, around what people wrote."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.github.texts import BEGIN, END, LONGEST_BODY, cut_markdown, replace_section, with_section
from bot.domain.model import Sha
from bot.domain.pulls import MergeMethod
from bot.forge import MergeOrder, MergeText, PullText
from bot.ports import Permanent, Transient
from tests.adapters.githubparts import BAD_GATEWAY, BRANCH, HEAD, LOST, REPO, Parts, once, parts_for
from tests.adapters.githubserver import Answer, FakeGitHub, fake_github

TEXT = PullText(
    branch=BRANCH,
    base="main",
    title="Promote",
    body="Why",
    labels=("liftlock",),
    reviewers=("rita", "acme/payments"),
    assignees=("dana",),
    is_draft=True,
)
PLAIN = replace(TEXT, labels=(), reviewers=(), assignees=())
UNCLEAR = pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        github.branches[BRANCH] = HEAD
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_pull_request_is_opened_with_its_texts_labels_and_reviewers(parts: Parts, github: FakeGitHub) -> None:
    found = parts.forge.open_promotion(REPO, TEXT)
    assert (found.number, found.head, found.draft, found.is_own, found.base) == (1, HEAD, True, True, "main")
    pull = github.pulls[0]
    assert (pull.title, pull.body) == ("Promote", f"{BEGIN}\nWhy\n{END}")
    assert (pull.labels, pull.reviewers) == (["liftlock"], ["rita", "@payments"])
    assert pull.assignees == ["dana"]


def test_opening_again_returns_the_open_one_and_asks_nobody_twice(parts: Parts, github: FakeGitHub) -> None:
    parts.forge.open_promotion(REPO, TEXT)
    assert parts.forge.open_promotion(REPO, TEXT).number == 1
    assert (len(github.pulls), github.count("POST", "labels"), github.count("POST", "reviewers")) == (1, 1, 1)
    assert github.count("POST", "assignees") == 1


def test_one_from_a_fork_is_not_taken_for_the_open_one(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, fork=True)
    with pytest.raises(Permanent, match=r"refused to open a pull request .* already exists"):
        parts.forge.open_promotion(REPO, PLAIN)


@UNCLEAR
def test_a_lost_answer_after_it_was_made_makes_no_second_one(parts: Parts, github: FakeGitHub, fault: Answer) -> None:
    github.after = once(fault, "POST", "/pulls")
    assert parts.forge.open_promotion(REPO, PLAIN).number == 1
    assert (len(github.pulls), github.count("POST", "/pulls$")) == (1, 1)


@UNCLEAR
def test_a_request_that_was_lost_before_it_was_done_is_sent_once_more(
    parts: Parts, github: FakeGitHub, fault: Answer
) -> None:
    github.before = once(fault, "POST", "/pulls")
    assert parts.forge.open_promotion(REPO, PLAIN).number == 1
    assert github.count("POST", "/pulls$") == 2


def test_a_server_that_only_fails_gets_two_posts_and_no_more(parts: Parts, github: FakeGitHub) -> None:
    github.before = lambda method, path: BAD_GATEWAY if method == "POST" else None
    with pytest.raises(Transient):
        parts.forge.open_promotion(REPO, PLAIN)
    assert github.count("POST") == 2


def test_long_texts_are_cut_to_githubs_limits_within_the_markers(parts: Parts, github: FakeGitHub) -> None:
    parts.forge.open_promotion(REPO, replace(PLAIN, title="t" * 999, body="b" * 99_999))
    pull = github.pulls[0]
    assert (len(pull.title), len(pull.body)) == (256, LONGEST_BODY)
    assert pull.body.endswith(f"allows no more text)_\n{END}")


# --- the section -----------------------------------------------------------------------------------------------------


def test_the_section_is_edited_and_what_people_wrote_stays(parts: Parts, github: FakeGitHub) -> None:
    pull = github.add_pull(BRANCH, body=f"Mine above\r\n\r\n{with_section('old')}\r\nMine below")
    assert parts.forge.edit_promotion(REPO, 1, "new") is True
    assert pull.body == f"Mine above\n\n{BEGIN}\nnew\n{END}\nMine below"


def test_an_equal_text_is_not_written(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, body=f"above\r\n{with_section('same')}")
    assert parts.forge.edit_promotion(REPO, 1, "same") is True
    assert github.count("PATCH") == 0


@pytest.mark.parametrize(
    "body", ["", "mine", BEGIN, END, f"{END} {BEGIN}", f"{BEGIN}{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"]
)
def test_a_section_that_is_not_there_exactly_once_is_gone(parts: Parts, github: FakeGitHub, body: str) -> None:
    pull = github.add_pull(BRANCH, body=body)
    assert parts.forge.edit_promotion(REPO, 1, "new") is False
    assert (pull.body, github.count("PATCH")) == (body, 0)


def test_a_text_that_holds_the_markers_cannot_break_the_section() -> None:
    body = with_section(f"a {END} b {BEGIN} c")
    assert (body.count(BEGIN), body.count(END)) == (1, 1)
    assert replace_section(body, "x") == with_section("x")


PARTS = st.recursive(
    st.sampled_from(["words, words", "```\nquery\n\nquery\n```", "~~~\n```\n\n~~~"]),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: "\n\n".join(["<details>", *parts, "</details>"])),
)


@given(st.lists(PARTS, max_size=30), st.integers(0, 900))
def test_a_cut_text_leaves_nothing_open(parts: list[str], longest: int) -> None:
    text = "\n\n".join([*parts, "the end"])
    cut = cut_markdown(text, longest)
    assert len(cut) <= longest or cut == text
    fence = ""
    for line in cut.splitlines():
        if line in ("```", "~~~"):
            fence = line if not fence else "" if fence == line else fence
    assert not fence
    if longest >= 400:
        assert cut.count("<details>") == cut.count("</details>")
        assert cut == text or cut.endswith("allows no more text)_")


def test_a_long_text_of_a_person_is_kept_and_the_bots_is_cut() -> None:
    mine = "m" * (LONGEST_BODY - 100)
    found = replace_section(f"{mine}{with_section('')}", "b" * 5000)
    assert found is not None
    assert found.startswith(mine + BEGIN)
    assert found.endswith(END)
    assert len(found) == LONGEST_BODY


@UNCLEAR
def test_an_edit_whose_answer_is_lost_is_looked_up(parts: Parts, github: FakeGitHub, fault: Answer) -> None:
    pull = github.add_pull(BRANCH, body=with_section("old"))
    github.after = once(fault, "PATCH", "/pulls/1")
    assert parts.forge.edit_promotion(REPO, 1, "new") is True
    assert (pull.body, github.count("PATCH")) == (with_section("new"), 1)


# --- ready and withdrawn ---------------------------------------------------------------------------------------------


def test_a_draft_is_made_ready_once(parts: Parts, github: FakeGitHub) -> None:
    pull = github.add_pull(BRANCH, draft=True)
    github.after = once(LOST, "POST", "/graphql")
    parts.forge.mark_ready(REPO, 1)
    parts.forge.mark_ready(REPO, 1)
    assert (pull.draft, github.count("POST", "graphql")) == (False, 1)


def test_withdrawing_closes_and_deletes_and_withdrawing_again_is_no_error(parts: Parts, github: FakeGitHub) -> None:
    pull = github.add_pull(BRANCH)
    github.after = once(BAD_GATEWAY, "PATCH", "/pulls/1")
    parts.forge.withdraw(REPO, 1, BRANCH)
    parts.forge.withdraw(REPO, 1, BRANCH)
    assert (pull.state, BRANCH in github.branches, github.count("PATCH")) == ("closed", False, 1)


def test_a_deletion_whose_answer_is_lost_succeeds(parts: Parts, github: FakeGitHub) -> None:
    github.after = once(LOST, "DELETE", BRANCH)
    parts.forge.delete_branch(REPO, BRANCH)
    assert BRANCH not in github.branches


@pytest.mark.parametrize("branch", ["main", "liftlock", "refs/heads/liftlock/x", "", "liftlock/../main"])
def test_only_the_bots_own_branches_are_deleted(parts: Parts, github: FakeGitHub, branch: str) -> None:
    with pytest.raises(Permanent, match="only branches under liftlock/"):
        parts.forge.delete_branch(REPO, branch)
    assert github.requests == []


def test_a_branch_with_odd_characters_stays_one_part_of_the_address(parts: Parts, github: FakeGitHub) -> None:
    odd = "liftlock/a?b#c%2e&head=x"
    github.branches[odd] = HEAD
    parts.forge.delete_branch(REPO, odd)
    assert odd not in github.branches


@pytest.mark.parametrize("repository", ["acme", "acme/../user", "acme/deploy/pulls", "acme/deploy?x", "a b/c", "-a/b"])
def test_a_repository_name_that_is_none_never_reaches_an_address(
    parts: Parts, github: FakeGitHub, repository: str
) -> None:
    order = MergeOrder(number=1, head=HEAD, method=MergeMethod.MERGE, text=MergeText(title="t", message="m"))
    for call in (
        lambda: parts.forge.look_at(repository, "main", []),
        lambda: parts.forge.open_promotion(repository, TEXT),
        lambda: parts.forge.edit_promotion(repository, 1, "x"),
        lambda: parts.forge.mark_ready(repository, 1),
        lambda: parts.forge.withdraw(repository, 1, BRANCH),
        lambda: parts.forge.delete_branch(repository, BRANCH),
        lambda: parts.merging.look_again(repository, 1),
        lambda: parts.merging.merge_promotion(repository, order),
        lambda: parts.merging.disarm(repository, 1),
        lambda: parts.conversation.write_comment(repository, 1, marker="m", body="x", known=None),
        lambda: parts.conversation.permission_of(repository, 1, "dana"),
        lambda: parts.signals.pulls_of(repository, HEAD),
        lambda: parts.signals.span(repository, HEAD, HEAD, limit=1),
        lambda: parts.signals.writers_of(repository, HEAD, HEAD),
    ):
        with pytest.raises(Permanent, match="cannot be used as a repository"):
            call()
    assert github.requests == []


# --- threads ---------------------------------------------------------------------------------------------------------


def test_threads_share_one_forge(parts: Parts, github: FakeGitHub) -> None:
    branches = [f"liftlock/checkout/production/{n}" for n in range(12)]
    github.branches |= dict.fromkeys(branches, Sha(HEAD))
    errors: list[Exception] = []

    def work(branch: str) -> None:
        try:
            number = parts.forge.open_promotion(REPO, replace(PLAIN, branch=branch)).number
            parts.conversation.write_comment(REPO, number, marker=branch, body="x", known=None)
            assert parts.forge.look_at(REPO, "main", [branch]).newest[branch].number == number
        except Exception as error:  # noqa: BLE001  (a thread's failure must reach the test)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(branch,)) for branch in branches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(pull.branch for pull in github.pulls) == sorted(branches)
    assert len(github.comments) == 12
