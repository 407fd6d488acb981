"""The GitHub forge through PyGithub over real sockets: what it reads, writes once, refuses and says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.github import AppCredentials, Clients, GitHubForge, GitHubSettings, TokenCredentials
from bot.domain.model import Sha
from bot.domain.pulls import Checks, PullState, Reviews
from bot.ports import Conflict, MergeText, OutsideError, Permanent, PullText, Transient
from tests.adapters.githubserver import Answer, FakeGitHub, Json, fake_github
from tests.adapters.gitserver import NOW, StoppedClock

REPO = "acme/deploy"
BRANCH = "liftlock/checkout/production/1a2b"
HEAD = Sha("a" * 40)
TOKEN = "ghp_botbotbotbotbotbot"
TEXT = PullText(branch=BRANCH, base="main", title="Promote", body="Why", labels=("liftlock",))
MERGE = MergeText(title="Promote", message="Liftlock-Service: checkout\n")
NO_PAUSE = timedelta(0)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        fake.branches[BRANCH] = HEAD
        yield fake


@pytest.fixture
def forge(github: FakeGitHub) -> Iterator[GitHubForge]:
    yield from _forge(github, TokenCredentials(lambda: TOKEN))


def _settings(github: FakeGitHub, *, timeout: timedelta = timedelta(seconds=10)) -> GitHubSettings:
    return GitHubSettings(api_url=github.url, pause=timedelta(milliseconds=2), write_pause=NO_PAUSE, timeout=timeout)


def _forge(github: FakeGitHub, credentials: TokenCredentials | AppCredentials) -> Iterator[GitHubForge]:
    with Clients(_settings(github), credentials=credentials, clock=StoppedClock()) as clients:
        yield GitHubForge(clients, credentials)


def once(answer: Answer, method: str, ending: str) -> Callable[[str, str], Answer | None]:
    """Give `answer` to the first matching request only."""
    left = [answer]

    def fault(asked: str, path: str) -> Answer | None:
        return left.pop() if left and asked == method and path.endswith(ending) else None

    return fault


BAD_GATEWAY: Answer = (502, {"message": "Server Error"}, {})
LOST: Answer = (0, None, {})


# --- finding ---------------------------------------------------------------------------------------------------------


def test_no_pull_request_is_none(forge: GitHubForge) -> None:
    assert forge.find_promotion(REPO, BRANCH) is None


def test_an_open_pull_request_is_found_with_five_requests(forge: GitHubForge, github: FakeGitHub) -> None:
    forge.login()
    github.add_pull(BRANCH, mergeable=True)
    github.requests.clear()
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert (found.number, found.state, found.head, found.branch, found.base) == (
        1,
        PullState.OPEN,
        HEAD,
        BRANCH,
        "main",
    )
    assert found.mergeable is True
    assert found.merge_commit is None
    assert len(github.requests) == 5


def test_the_newest_of_a_branch_counts(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, state="closed")
    github.add_pull("other")
    github.add_pull(BRANCH, draft=True)
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert (found.number, found.draft, found.mergeable) == (3, True, None)


def test_a_fork_with_a_branch_of_the_same_name_is_not_the_bots(forge: GitHubForge, github: FakeGitHub) -> None:
    fork = {"ref": BRANCH, "sha": HEAD, "repo": {"full_name": "acme/deploy-fork"}}
    github.add_pull(BRANCH)["head"] = fork
    gone = {"ref": BRANCH, "sha": HEAD, "repo": None}
    github.add_pull(BRANCH)["head"] = gone
    assert forge.find_promotion(REPO, BRANCH) is None
    assert forge.find_open_promotions(REPO, "liftlock/") == []


def test_a_merged_one_tells_its_merge_commit(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, state="closed", merged_at="2026-03-01T12:00:00Z", merge_commit_sha="c" * 40)
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert (found.state, found.merge_commit, found.closed_by) == (PullState.MERGED, "c" * 40, None)


@pytest.mark.parametrize(("closer", "by_bot"), [("dana", False), ("lift-bot", True), ("Lift-Bot", True), (None, False)])
def test_a_closed_one_tells_who_closed_it(
    forge: GitHubForge, github: FakeGitHub, closer: str | None, by_bot: bool
) -> None:
    github.closers[github.add_pull(BRANCH, state="closed")["number"]] = closer
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert (found.state, found.closed_by, found.closed_by_bot) == (PullState.CLOSED, closer, by_bot)


def test_open_promotions_are_listed_by_prefix_with_one_request(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull("liftlock/checkout/production/1")
    github.add_pull("liftlock/checkout/production/2", state="closed")
    github.add_pull("liftlock/other/production/3")
    github.add_pull("liftlock/checkout/production/4")
    found = forge.find_open_promotions(REPO, "liftlock/checkout/production/")
    assert sorted(pull.number for pull in found) == [1, 4]
    assert len(github.requests) == 1


# A status counts as failed on failure and error, a run on every conclusion that is not success, neutral or skipped;
# what is not finished is pending; a commit without any is green, although the combined state says `pending`.
@pytest.mark.parametrize(
    ("statuses", "runs", "expected"),
    [
        ([], [], Checks()),
        ([("ci", "success")], [("lint", "completed", "success"), ("a", "completed", "neutral")], Checks()),
        ([], [("docs", "completed", "skipped")], Checks()),
        ([("ci", "pending")], [], Checks(pending=("ci",))),
        ([("ci", "failure"), ("cd", "error")], [], Checks(failed=("ci", "cd"))),
        ([], [("x", "queued", None), ("y", "in_progress", None)], Checks(pending=("x", "y"))),
        ([], [("z", "waiting", None)], Checks(pending=("z",))),
        (
            [],
            [(c, "completed", c) for c in ("failure", "cancelled", "timed_out", "action_required", "stale", "new")],
            Checks(failed=("failure", "cancelled", "timed_out", "action_required", "stale", "new")),
        ),
        ([("same", "failure")], [("same", "completed", "failure")], Checks(failed=("same",))),
    ],
)  # fmt: skip
def test_checks_are_green_only_if_nothing_failed_and_nothing_is_pending(
    forge: GitHubForge, github: FakeGitHub, statuses: list[Any], runs: list[Any], expected: Checks
) -> None:
    github.add_pull(BRANCH)
    github.statuses = [{"context": name, "state": state} for name, state in statuses]
    github.runs = [
        {"id": n, "name": name, "status": status, "conclusion": conclusion}
        for n, (name, status, conclusion) in enumerate(runs)
    ]
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert found.checks == expected


def test_a_failure_behind_many_statuses_is_seen(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    github.statuses = [{"context": f"ok-{n}", "state": "success"} for n in range(150)] + [
        {"context": "bad", "state": "error"}
    ]
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert found.checks == Checks(failed=("bad",))


def test_a_commit_with_more_statuses_than_are_read_is_not_green(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    github.statuses = [{"context": f"ok-{n}", "state": "success"} for n in range(1001)]
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert found.checks == Checks(pending=("more than 1000 statuses",))


@pytest.mark.parametrize(
    ("reviews", "expected"),
    [
        ([], Reviews()),
        ([("ann", "APPROVED", HEAD)], Reviews(approved_by=("ann",))),
        ([("ann", "CHANGES_REQUESTED", HEAD), ("ann", "APPROVED", HEAD)], Reviews(approved_by=("ann",))),
        ([("ann", "APPROVED", HEAD), ("ann", "COMMENTED", HEAD)], Reviews(approved_by=("ann",))),
        ([("ann", "APPROVED", HEAD), ("ann", "CHANGES_REQUESTED", "b" * 40)], Reviews(changes_requested_by=("ann",))),
        ([("ann", "APPROVED", HEAD), ("ann", "DISMISSED", HEAD)], Reviews()),
        ([("ann", "APPROVED", "b" * 40), ("bob", "APPROVED", HEAD)], Reviews(approved_by=("bob",))),
        ([("ann", "CHANGES_REQUESTED", HEAD), ("ann", "APPROVED", "b" * 40)], Reviews()),
        ([(None, "CHANGES_REQUESTED", HEAD)], Reviews(changes_requested_by=("ghost",))),
        ([("ann", "PENDING", HEAD)], Reviews()),
    ],
)
def test_the_newest_decisive_review_of_each_person_counts_and_approvals_only_of_the_present_head(
    forge: GitHubForge, github: FakeGitHub, reviews: list[tuple[str | None, str, str]], expected: Reviews
) -> None:
    github.add_pull(BRANCH)
    github.reviews = [
        {"id": n, "user": None if who is None else {"login": who}, "state": state, "commit_id": commit}
        for n, (who, state, commit) in enumerate(reviews)
    ]
    found = forge.find_promotion(REPO, BRANCH)
    assert found is not None
    assert found.reviews == expected


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_pull_request_is_opened_with_its_texts_and_labels(forge: GitHubForge, github: FakeGitHub) -> None:
    opened = forge.open_promotion(REPO, TEXT)
    assert (opened.number, opened.head, opened.state) == (1, HEAD, PullState.OPEN)
    assert (github.pulls[0]["title"], github.pulls[0]["body"]) == ("Promote", "Why")
    assert github.pulls[0]["labels"] == [{"name": "liftlock"}]


def test_opening_again_returns_the_open_one(forge: GitHubForge, github: FakeGitHub) -> None:
    first = forge.open_promotion(REPO, TEXT)
    assert forge.open_promotion(REPO, TEXT) == first
    assert len(github.pulls) == 1
    assert github.count("POST", "labels") == 1


@pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])
def test_a_lost_answer_after_the_pull_request_was_made_makes_no_second_one(
    forge: GitHubForge, github: FakeGitHub, fault: Answer
) -> None:
    github.after = once(fault, "POST", "/pulls")
    assert forge.open_promotion(REPO, TEXT).number == 1
    assert len(github.pulls) == 1
    assert github.count("POST", "/pulls$") == 1
    assert github.pulls[0]["labels"] == [{"name": "liftlock"}]


@pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])
def test_a_request_that_was_lost_before_it_was_done_is_sent_once_more(
    forge: GitHubForge, github: FakeGitHub, fault: Answer
) -> None:
    github.before = once(fault, "POST", "/pulls")
    assert forge.open_promotion(REPO, TEXT).number == 1
    assert (len(github.pulls), github.count("POST", "/pulls$")) == (1, 2)


def test_a_server_that_only_fails_gets_two_posts_and_no_more(forge: GitHubForge, github: FakeGitHub) -> None:
    github.before = lambda method, path: BAD_GATEWAY if method == "POST" else None
    with pytest.raises(Transient, match="HTTP 502"):
        forge.open_promotion(REPO, TEXT)
    assert github.count("POST") == 2


def test_a_pull_request_github_refuses_is_permanent_with_its_words(forge: GitHubForge, github: FakeGitHub) -> None:
    del github.branches[BRANCH]
    with pytest.raises(Permanent, match="Validation Failed; head invalid"):
        forge.open_promotion(REPO, TEXT)


def test_long_texts_are_cut_to_githubs_limits(forge: GitHubForge, github: FakeGitHub) -> None:
    forge.open_promotion(REPO, PullText(branch=BRANCH, base="main", title="t " * 500, body="b" * 70_000))
    assert len(github.pulls[0]["title"]) <= 256
    assert len(github.pulls[0]["body"]) == 65_536
    assert github.pulls[0]["body"].endswith("_(cut here: GitHub allows no more text)_")


# --- merging ---------------------------------------------------------------------------------------------------------


def test_a_merge_names_the_checked_head_and_uses_a_merge_commit(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    assert forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE) == "c" * 40
    assert github.bodies[-1] == {
        "sha": HEAD, "merge_method": "merge", "commit_title": MERGE.title, "commit_message": MERGE.message
    }  # fmt: skip


def test_a_repository_without_merge_commits_is_squashed(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    github.allowed_methods = {"squash"}
    assert forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE) == "d" * 40


def test_a_moved_head_is_a_conflict_and_nothing_is_merged(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, "b" * 40)
    with pytest.raises(Conflict, match="not at the checked"):
        forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE)
    assert github.pulls[0]["state"] == "open"


def test_a_merged_one_is_not_merged_again(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    first = forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE)
    assert forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE) == first


def test_a_closed_one_is_a_conflict(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, state="closed")
    with pytest.raises(Conflict, match="closed without being merged"):
        forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (405, "At least 1 approving review is required by reviewers with write access.", Permanent),
        (405, "Required status check “ci” is expected.", Permanent),
        (405, "Base branch was modified. Review and try the merge again.", Conflict),
        (409, "Head branch was modified. Review and try the merge again.", Conflict),
        (422, "Validation Failed", Permanent),
    ],
)
def test_each_refusal_of_a_merge_has_its_meaning_and_githubs_words(
    forge: GitHubForge, github: FakeGitHub, status: int, message: str, kind: type[OutsideError]
) -> None:
    github.add_pull(BRANCH)
    github.merge_refusal = (status, message)
    with pytest.raises(kind) as caught:
        forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE)
    assert message in caught.value.sentence
    assert isinstance(caught.value, Conflict) == (kind is Conflict)
    assert github.count("PUT") == 1


@pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])
def test_a_merge_whose_answer_is_lost_is_looked_up_and_not_sent_again(
    forge: GitHubForge, github: FakeGitHub, fault: Answer
) -> None:
    github.add_pull(BRANCH)
    github.after = once(fault, "PUT", "/merge")
    assert forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE) == "c" * 40
    assert github.count("PUT") == 1


def test_a_merge_that_was_not_done_is_sent_once_more(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    github.before = once(BAD_GATEWAY, "PUT", "/merge")
    assert forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE) == "c" * 40
    assert github.count("PUT") == 2


def test_a_head_that_moves_while_an_answer_is_lost_is_a_conflict_and_not_merged(
    forge: GitHubForge, github: FakeGitHub
) -> None:
    pull = github.add_pull(BRANCH)

    def move(method: str, path: str) -> Answer | None:
        if method != "PUT":
            return None
        pull["head"]["sha"] = "b" * 40
        return BAD_GATEWAY

    github.before = move
    with pytest.raises(Conflict):
        forge.merge_promotion(REPO, 1, head=HEAD, text=MERGE)
    assert github.count("PUT") == 1


# --- closing ---------------------------------------------------------------------------------------------------------


def test_closing_closes_and_closing_again_writes_nothing(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    forge.close_promotion(REPO, 1)
    forge.close_promotion(REPO, 1)
    assert github.pulls[0]["state"] == "closed"
    assert github.count("PATCH") == 1


def test_closing_whose_answer_is_lost_is_looked_up(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    github.after = once(BAD_GATEWAY, "PATCH", "/1")
    forge.close_promotion(REPO, 1)
    assert (github.pulls[0]["state"], github.count("PATCH")) == ("closed", 1)


def test_a_branch_is_deleted_and_an_absent_one_is_no_error(forge: GitHubForge, github: FakeGitHub) -> None:
    forge.delete_branch(REPO, BRANCH)
    forge.delete_branch(REPO, BRANCH)
    assert BRANCH not in github.branches


def test_a_deletion_whose_answer_is_lost_succeeds(forge: GitHubForge, github: FakeGitHub) -> None:
    github.after = once(LOST, "DELETE", BRANCH)
    forge.delete_branch(REPO, BRANCH)
    assert BRANCH not in github.branches


@pytest.mark.parametrize("branch", ["main", "liftlock", "refs/heads/liftlock/x", "", "../main"])
def test_only_the_bots_own_branches_are_deleted(forge: GitHubForge, github: FakeGitHub, branch: str) -> None:
    with pytest.raises(Permanent, match="its own"):
        forge.delete_branch(REPO, branch)
    assert github.requests == []


# --- the comment -----------------------------------------------------------------------------------------------------


def test_the_comment_is_created_then_edited_in_place_and_an_equal_text_is_not_written(
    forge: GitHubForge, github: FakeGitHub
) -> None:
    github.add_pull(BRANCH)
    for body in ("one", "one", "two"):
        forge.write_comment(REPO, 1, marker="liftlock checkout", body=body)
    assert [comment["body"] for comment in github.comments] == ["<!-- liftlock checkout -->\ntwo"]
    assert (github.count("POST"), github.count("PATCH")) == (1, 1)


def test_a_text_that_github_stored_with_other_line_ends_counts_as_equal(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_comment(1, "lift-bot", "<!-- m -->\r\none\r\ntwo")
    forge.write_comment(REPO, 1, marker="<!-- m -->", body="<!-- m -->\none\ntwo\n\n")
    assert (github.count("POST"), github.count("PATCH")) == (0, 0)


@pytest.mark.parametrize(
    "login", ["mallory", "liftlock[bot]", None], ids=["a person", "another app", "a deleted account"]
)
def test_a_look_alike_comment_is_neither_taken_nor_edited(
    forge: GitHubForge, github: FakeGitHub, login: str | None
) -> None:
    github.add_comment(1, login, "<!-- m -->\nlooks right")
    forge.write_comment(REPO, 1, marker="m", body="mine")
    assert [comment["body"] for comment in github.comments] == ["<!-- m -->\nlooks right", "<!-- m -->\nmine"]


def test_a_marker_below_the_first_line_does_not_count(forge: GitHubForge, github: FakeGitHub) -> None:
    github.add_comment(1, "lift-bot", "quoted:\n<!-- m -->\n")
    forge.write_comment(REPO, 1, marker="m", body="mine")
    assert len(github.comments) == 2


def test_the_comment_is_found_behind_many_others(forge: GitHubForge, github: FakeGitHub) -> None:
    for number in range(250):
        github.add_comment(1, "dana", f"chat {number}")
    github.add_comment(1, "lift-bot", "<!-- m -->\nold")
    forge.write_comment(REPO, 1, marker="m", body="new")
    assert github.comments[-1]["body"] == "<!-- m -->\nnew"
    assert github.count("POST") == 0


@pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])
@pytest.mark.parametrize("exists", [False, True], ids=["created", "edited"])
def test_a_comment_whose_answer_is_lost_is_written_once(
    forge: GitHubForge, github: FakeGitHub, fault: Answer, exists: bool
) -> None:
    if exists:
        github.add_comment(1, "lift-bot", "<!-- m -->\nold")
    github.after = once(fault, "PATCH" if exists else "POST", "")
    forge.write_comment(REPO, 1, marker="m", body="new")
    assert [comment["body"] for comment in github.comments] == ["<!-- m -->\nnew"]
    assert github.count("POST") + github.count("PATCH") == 1


def test_a_long_comment_is_cut_with_a_note_and_keeps_its_marker(forge: GitHubForge, github: FakeGitHub) -> None:
    forge.write_comment(REPO, 1, marker="m", body="x" * 100_000)
    body = github.comments[0]["body"]
    assert len(body) == 65_536
    assert body.startswith("<!-- m -->\nx")
    assert body.endswith("_(cut here: GitHub allows no more text)_")


@pytest.mark.parametrize("marker", ["", "a --> b", "two\nlines", "<!-- -->"])
def test_a_marker_that_would_show_is_refused(forge: GitHubForge, github: FakeGitHub, marker: str) -> None:
    with pytest.raises(Permanent, match="marker"):
        forge.write_comment(REPO, 1, marker=marker, body="x")


# --- failures --------------------------------------------------------------------------------------------------------


def always(answer: Answer) -> Callable[[str, str], Answer | None]:
    return lambda method, path: answer


RESET = str(int((NOW + timedelta(minutes=20)).timestamp()))
DATE = "Sun, 01 Mar 2026 12:10:00 GMT"


@pytest.mark.parametrize(
    ("answer", "kind", "words", "wait"),
    [
        ((401, {"message": "Bad credentials"}, {}), Permanent, "token is not valid", None),
        ((403, {"message": "Resource not accessible by integration"}, {}), Permanent, "may not do that", None),
        ((404, {"message": "Not Found"}, {}), Permanent, "knows no such thing", None),
        ((500, {"message": "oops"}, {}), Transient, "HTTP 500", None),
        ((503, b"<html>unicorn</html>", {}), Transient, "HTTP 503", None),
        ((200, b"<html>please log in</html>", {}), Transient, "not understood", None),
        ((200, b'[{"number": ', {}), Transient, "not understood", None),
        ((200, {"message": "an object"}, {}), Transient, "not understood", None),
        (LOST, Transient, "could not be reached", None),
        ((429, {"message": "slow"}, {"Retry-After": "7"}), Transient, "rate limit", timedelta(seconds=7)),
        ((429, {"message": "slow"}, {}), Transient, "rate limit", timedelta(minutes=1)),
        (
            (403, {"message": "You have exceeded a secondary rate limit."}, {"Retry-After": "30"}),
            Transient, "rate limit", timedelta(seconds=30),
        ),
        (
            (403, {"message": "You have exceeded a secondary rate limit. Please wait a few minutes"}, {}),
            Transient, "rate limit", timedelta(minutes=1),
        ),
        (
            (403, {"message": "API rate limit exceeded for user"},
             {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": RESET}),
            Transient, "rate limit", timedelta(minutes=20),
        ),
        (
            (403, {"message": "API rate limit exceeded for user"},
             {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": RESET, "Date": DATE}),
            Transient, "rate limit", timedelta(minutes=10),
        ),
        (
            (403, {"message": "API rate limit exceeded for user"},
             {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"}),
            Transient, "rate limit", timedelta(hours=1),
        ),
    ],
)  # fmt: skip
def test_each_failure_has_one_sentence_and_a_used_up_limit_says_when_to_come_back(
    forge: GitHubForge,
    github: FakeGitHub,
    answer: Answer,
    kind: type[OutsideError],
    words: str,
    wait: timedelta | None,
) -> None:
    forge.login()
    github.before = always(answer)
    with pytest.raises(kind, match=words) as caught:
        forge.find_promotion(REPO, BRANCH)
    assert REPO in caught.value.sentence
    assert TOKEN not in repr(caught.value)
    if isinstance(caught.value, Transient):
        assert caught.value.retry_after == wait


def test_a_used_up_limit_is_not_asked_again_and_does_not_sleep_in_the_call(
    forge: GitHubForge, github: FakeGitHub
) -> None:
    forge.login()
    github.requests.clear()
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": RESET}
    github.before = always((403, {"message": "API rate limit exceeded"}, headers))
    with pytest.raises(Transient):
        forge.find_open_promotions(REPO, "liftlock/")
    assert len(github.requests) == 1


def test_a_read_is_tried_again_a_few_times_and_a_write_refused_by_a_limit_is_not(
    forge: GitHubForge, github: FakeGitHub
) -> None:
    answers = iter([BAD_GATEWAY, LOST])
    github.before = lambda method, path: next(answers, None)
    assert forge.find_open_promotions(REPO, "liftlock/") == []
    assert len(github.requests) == 3
    github.before = lambda method, path: (429, {"message": "slow"}, {"Retry-After": "1"}) if method == "POST" else None
    with pytest.raises(Transient) as caught:
        forge.open_promotion(REPO, TEXT)
    assert caught.value.retry_after == timedelta(seconds=1)
    assert github.count("POST") == 1


def test_what_github_says_reaches_people_without_secrets_and_control_characters(
    forge: GitHubForge, github: FakeGitHub
) -> None:
    forge.login()
    message = f"no \x1b[31m\u202ered {TOKEN} " + "long " * 200
    github.before = always((403, {"message": message}, {}))
    with pytest.raises(Permanent) as caught:
        forge.find_promotion(REPO, BRANCH)
    assert "no [31m red ***" in caught.value.sentence
    assert len(caught.value.sentence) < 500


def test_a_server_that_does_not_answer_in_time_is_transient(github: FakeGitHub) -> None:
    credentials = TokenCredentials(lambda: TOKEN)
    release = threading.Event()

    def hang(method: str, path: str) -> Answer | None:
        release.wait(timeout=30)
        return None

    github.before = hang
    settings = _settings(github, timeout=timedelta(seconds=1))
    with Clients(settings, credentials=credentials, clock=StoppedClock()) as clients:
        forge = GitHubForge(clients, credentials)
        with pytest.raises(Transient, match="did not answer in time"):
            forge.close_promotion(REPO, 1)
    release.set()


def test_no_server_at_all_is_transient() -> None:
    credentials = TokenCredentials(lambda: TOKEN)
    settings = GitHubSettings(api_url="http://127.0.0.1:1", pause=timedelta(milliseconds=1))
    clients = Clients(settings, credentials=credentials, clock=StoppedClock())
    with clients, pytest.raises(Transient, match="could not be reached"):
        GitHubForge(clients, credentials).find_promotion(REPO, BRANCH)


@pytest.mark.parametrize(
    "repository", ["acme", "acme/../user", "acme/deploy/pulls", "acme/deploy?x", "a b/c", "-a/b", "acme/.."]
)
def test_a_repository_name_that_is_none_never_reaches_a_url(
    forge: GitHubForge, github: FakeGitHub, repository: str
) -> None:
    for call in (
        lambda: forge.find_promotion(repository, BRANCH),
        lambda: forge.find_open_promotions(repository, "liftlock/"),
        lambda: forge.open_promotion(repository, TEXT),
        lambda: forge.merge_promotion(repository, 1, head=HEAD, text=MERGE),
        lambda: forge.close_promotion(repository, 1),
        lambda: forge.delete_branch(repository, BRANCH),
        lambda: forge.write_comment(repository, 1, marker="m", body="x"),
    ):
        with pytest.raises(Permanent, match="cannot be used as a repository"):
            call()
    assert github.requests == []


def test_a_branch_with_odd_characters_stays_one_part_of_the_url(forge: GitHubForge, github: FakeGitHub) -> None:
    odd = "liftlock/a?b#c%2e&head=x"
    github.branches[odd] = HEAD
    forge.delete_branch(REPO, odd)
    assert odd not in github.branches
    github.add_pull(odd)
    found = forge.find_promotion(REPO, odd)
    assert found is not None
    assert found.branch == odd


# --- identity --------------------------------------------------------------------------------------------------------


def test_the_token_is_read_anew_for_each_request_and_the_login_asked_once(github: FakeGitHub) -> None:
    present = ["old"]
    for forge in _forge(github, TokenCredentials(lambda: present[0])):
        with pytest.raises(Permanent, match="token is not valid"):
            forge.find_promotion(REPO, BRANCH)
        present[0] = f"{TOKEN}\n"
        forge.find_promotion(REPO, BRANCH)
        forge.find_promotion(REPO, BRANCH)
        assert github.count("GET", "^/user$") == 2


def _vanished() -> str:
    raise FileNotFoundError(2, "No such file or directory", "/run/secrets/token")


@pytest.mark.parametrize("read", [lambda: "", lambda: "a b", lambda: "ä", lambda: "x\r\ny", _vanished])
def test_a_token_that_is_none_is_permanent_and_not_shown(github: FakeGitHub, read: Callable[[], str]) -> None:
    for forge in _forge(github, TokenCredentials(read)):
        with pytest.raises(Permanent, match="token"):
            forge.find_promotion(REPO, BRANCH)
    assert github.requests == []


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _app(github: FakeGitHub, key: Callable[[], str], clock: StoppedClock) -> AppCredentials:
    return AppCredentials(github.url, app_id=7, private_key=key, clock=clock)


def test_an_app_works_with_one_installation_token_until_shortly_before_it_expires(
    github: FakeGitHub, private_key: str
) -> None:
    clock = StoppedClock()
    credentials = _app(github, lambda: private_key, clock)
    for forge in _forge(github, credentials):
        assert forge.login() == "liftlock[bot]"
        forge.find_promotion(REPO, BRANCH)
        clock.move(timedelta(minutes=49))
        forge.find_promotion(REPO, BRANCH)
        assert len(github.minted) == 1
        clock.move(timedelta(minutes=1))
        github.token_expires = "2026-03-01T14:00:00Z"
        forge.find_promotion(REPO, BRANCH)
        assert len(github.minted) == 2
        assert github.count("GET", "/installation$") == 1
    assert credentials.token_for(REPO) == github.minted[-1]


def test_an_app_edits_its_own_comment(github: FakeGitHub, private_key: str) -> None:
    for forge in _forge(github, _app(github, lambda: private_key, StoppedClock())):
        forge.write_comment(REPO, 1, marker="m", body="one")
        forge.write_comment(REPO, 1, marker="m", body="two")
    assert [(c["user"]["login"], c["body"]) for c in github.comments] == [("liftlock[bot]", "<!-- m -->\ntwo")]


def test_an_app_that_is_not_installed_says_so(github: FakeGitHub, private_key: str) -> None:
    github.installed = False
    with pytest.raises(Permanent, match="is the app installed there"):
        _app(github, lambda: private_key, StoppedClock()).token_for(REPO)


def test_threads_share_one_installation_token(github: FakeGitHub, private_key: str) -> None:
    credentials = _app(github, lambda: private_key, StoppedClock())
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(credentials.token_for(REPO))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens == [github.minted[0]] * 8


@pytest.mark.parametrize(
    "key", ["", "no key", "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n"]
)
def test_a_private_key_that_is_none_is_permanent_and_not_shown(github: FakeGitHub, key: str) -> None:
    with pytest.raises(Permanent, match="no RSA key in PEM form") as caught:
        _app(github, lambda: key, StoppedClock()).token_for(REPO)
    assert "c2VjcmV0" not in repr(caught.value)


def test_a_private_key_file_that_is_gone_is_permanent(github: FakeGitHub) -> None:
    with pytest.raises(Permanent, match="private key could not be read: No such file"):
        _app(github, _vanished, StoppedClock()).token_for(REPO)


# --- threads ---------------------------------------------------------------------------------------------------------


def test_threads_share_one_forge(forge: GitHubForge, github: FakeGitHub) -> None:
    branches = [f"liftlock/checkout/production/{n}" for n in range(12)]
    github.branches |= dict.fromkeys(branches, HEAD)
    errors: list[Exception] = []

    def work(branch: str) -> None:
        try:
            text = PullText(branch=branch, base="main", title=branch, body="b", labels=("liftlock",))
            number = forge.open_promotion(REPO, text).number
            forge.write_comment(REPO, number, marker=branch, body="x")
            found = forge.find_promotion(REPO, branch)
            assert found is not None
            assert found.number == number
        except Exception as error:  # noqa: BLE001  (a thread's failure must reach the test)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(branch,)) for branch in branches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(pull["head"]["ref"] for pull in github.pulls) == sorted(branches)
    assert len(github.comments) == 12


def test_writes_keep_their_pause_across_threads(github: FakeGitHub) -> None:
    credentials = TokenCredentials(lambda: TOKEN)
    pause = timedelta(milliseconds=100)
    settings = GitHubSettings(api_url=github.url, write_pause=pause)
    at: list[Json] = []
    github.before = lambda method, path: at.append({"at": time.monotonic()}) if method == "DELETE" else None
    with Clients(settings, credentials=credentials, clock=StoppedClock()) as clients:
        forge = GitHubForge(clients, credentials)
        threads = [threading.Thread(target=forge.delete_branch, args=(REPO, f"liftlock/{n}")) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert at[-1]["at"] - at[0]["at"] >= 0.2
