"""What a look at GitHub sees, what it costs, and that nothing absent ever passes for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.model import Sha
from bot.domain.pulls import Bystander, Checks, MergeMethod, MergeRules, Pull, PullState, RequiredCheck, Reviews
from bot.ports import Permanent, Transient
from tests.adapters.githubparts import BRANCH, HEAD, OLD_HEAD, REPO, Parts, parts_for
from tests.adapters.githubserver import Answer, FakeGitHub, fake_github
from tests.adapters.githubworld import event, pushed, review, run, status

MERGED_AS = "c" * 40


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        parts.clients.identity()
        github.requests.clear()
        yield parts


def newest(parts: Parts, branch: str = BRANCH) -> Pull:
    return parts.forge.look_at(REPO, "main", [branch]).newest[branch]


# --- which ones ------------------------------------------------------------------------------------------------------


def test_a_repository_without_pull_requests_has_no_proposals(parts: Parts, github: FakeGitHub) -> None:
    seen = parts.forge.look_at(REPO, "main", [BRANCH])
    assert (seen.newest, seen.open, seen.opened_at, seen.own_app_id) == ({}, (), (), None)


def test_an_open_one_is_seen_whole(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, labels=["liftlock", "team-a"])
    seen = parts.forge.look_at(REPO, "main", [BRANCH])
    assert seen.open == (seen.newest[BRANCH],)
    assert seen.open[0] == Pull(
        number=1,
        url="https://github.test/acme/deploy/pull/1",
        branch=BRANCH,
        base="main",
        head=HEAD,
        state=PullState.OPEN,
        mergeable=True,
        opened_at=datetime(2026, 3, 1, 11, tzinfo=UTC),
        labels=("liftlock", "team-a"),
    )


def test_the_newest_of_a_branch_counts_in_any_state(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, state="closed")
    github.add_pull(BRANCH, state="closed", merged_as=MERGED_AS, merged_by="dana")
    found = newest(parts)
    assert (found.number, found.state, found.merge_commit, found.merged_by) == (2, PullState.MERGED, MERGED_AS, "dana")


def test_open_ones_of_other_branches_are_seen_and_those_of_people_are_not(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull("liftlock/pay/production/1")
    github.add_pull("feature/x", author="dana")
    github.add_pull("liftlock/pay/production/2", state="closed")
    seen = parts.forge.look_at(REPO, "main", [])
    assert [pull.number for pull in seen.open] == [1]
    assert seen.newest == {}


def test_those_of_people_to_the_base_are_told_with_their_heads_and_nothing_more(
    parts: Parts, github: FakeGitHub
) -> None:
    github.add_pull(BRANCH)
    github.add_pull("feature/x", author="dana", head=OLD_HEAD)
    github.add_pull("feature/y", author="dana", base="release")
    github.add_pull("liftlock/pay/production/2", fork=True, author="mallory")
    github.add_pull("feature/z", author="dana", state="closed")
    others = parts.forge.look_at(REPO, "main", []).others
    assert others == (Bystander(number=4, head=HEAD), Bystander(number=2, head=OLD_HEAD))


def test_one_from_a_fork_neither_counts_nor_hides_the_bots_own(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, state="closed")
    for _ in range(120):
        github.add_pull(BRANCH, fork=True, author="mallory")
    seen = parts.forge.look_at(REPO, "main", [BRANCH])
    assert (seen.newest[BRANCH].number, seen.open) == (1, ())


def test_forks_alone_are_no_proposal(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, fork=True, author="mallory")
    github.add_pull(BRANCH, fork=True, author="mallory")
    assert parts.forge.look_at(REPO, "main", [BRANCH]).newest == {}


def test_open_ones_behind_a_hundred_others_are_found(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull("liftlock/pay/production/1")
    for n in range(230):
        github.add_pull(f"feature/{n}", author="dana")
    assert [pull.number for pull in parts.forge.look_at(REPO, "main", []).open] == [1]
    assert len(github.requests) == 4


def test_the_bots_of_the_last_hour_are_counted_oldest_first(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull("liftlock/a/p/1", created="2026-03-01T10:59:59Z")
    github.add_pull("liftlock/a/p/2", created="2026-03-01T11:50:00Z", state="closed")
    github.add_pull("liftlock/a/p/3", created="2026-03-01T11:30:00Z")
    github.add_pull("feature", created="2026-03-01T11:40:00Z", author="dana")
    found = parts.forge.look_at(REPO, "main", []).opened_at
    assert [at.minute for at in found] == [30, 50]


def test_a_persons_one_on_a_branch_of_the_bots_is_told_apart(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, author="dana")
    assert newest(parts).is_own is False


def test_a_persons_one_from_a_branch_of_the_bots_to_another_base_stands_in_no_way(
    parts: Parts, github: FakeGitHub
) -> None:
    github.add_pull(BRANCH)
    github.add_pull(BRANCH, author="dana", base="release-1")
    seen = parts.forge.look_at(REPO, "main", [BRANCH])
    assert [pull.number for pull in seen.open] == [1]
    assert seen.newest[BRANCH].number == 1


def test_the_bots_own_that_was_pointed_at_another_base_is_still_the_one_of_its_branch(
    parts: Parts, github: FakeGitHub
) -> None:
    github.add_pull(BRANCH, base="release-1")
    assert newest(parts).base == "release-1"


def test_the_bots_of_the_last_hour_are_counted_behind_a_hundred_others(parts: Parts, github: FakeGitHub) -> None:
    recent = "2026-03-01T11:50:00Z"
    github.add_pull("liftlock/pay/production/1", created=recent)
    for number in range(150):
        github.add_pull(f"feature/{number}", author="dana", created=recent, state="closed")
    assert len(parts.forge.look_at(REPO, "main", []).opened_at) == 1


def test_a_branch_with_more_rules_than_can_be_read_is_an_error(parts: Parts, github: FakeGitHub) -> None:
    ruleset = {"enforcement": "ACTIVE"}
    github.rules = [{"type": "DELETION", "repositoryRuleset": ruleset, "parameters": None} for _ in range(101)]
    with pytest.raises(Permanent, match="more than 100 rules"):
        parts.forge.look_at(REPO, "main", [])


def test_many_pushes_hide_neither_who_made_it_a_draft_nor_who_reopened_it(parts: Parts, github: FakeGitHub) -> None:
    deeds = [event("ReopenedEvent", "dana"), event("ConvertToDraftEvent", "eve")]
    github.add_pull(BRANCH, draft=True, events=[*deeds, *(pushed(f"{i:040x}") for i in range(120))])
    found = newest(parts)
    assert (found.reopened_by, found.draft_by) == ("dana", "eve")


def test_a_branch_of_any_name_is_a_variable_and_never_part_of_the_document(parts: Parts, github: FakeGitHub) -> None:
    odd = 'liftlock/x") { nodes { number } } viewer { login } #'
    github.add_pull(odd)
    assert newest(parts, odd).branch == odd


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_an_idle_repository_costs_one_request_and_one_point(parts: Parts, github: FakeGitHub) -> None:
    parts.forge.look_at(REPO, "main", [])
    assert (len(github.requests), github.points) == (1, 1)


def test_twenty_open_ones_cost_one_request_and_one_point_from_the_second_look_on(
    parts: Parts, github: FakeGitHub
) -> None:
    branches = [f"liftlock/s{n}/production/1" for n in range(20)]
    for branch in branches:
        github.add_pull(branch, contexts=[run("ci")])
    parts.forge.look_at(REPO, "main", branches)
    assert (len(github.requests), github.points) == (2, 2)
    github.requests.clear()
    github.points = 0
    seen = parts.forge.look_at(REPO, "main", branches)
    assert (len(github.requests), github.points, len(seen.open)) == (1, 1, 20)
    assert parts.clients.report()["token"]["graphql_points"] == 3


def test_a_closed_one_is_read_again_only_when_it_has_changed(parts: Parts, github: FakeGitHub) -> None:
    pull = github.add_pull(BRANCH, state="closed", events=[event("ClosedEvent", "dana")])
    assert newest(parts).closed_by == "dana"
    github.requests.clear()
    assert newest(parts).closed_by == "dana"
    assert len(github.requests) == 1
    pull.events.append(event("ClosedEvent", "rita"))
    pull.updated = "2026-03-01T11:30:00Z"
    assert newest(parts).closed_by == "rita"


def test_a_change_in_the_very_second_of_the_last_look_is_seen(parts: Parts, github: FakeGitHub) -> None:
    # `updatedAt` is of whole seconds: the comment and what was read before it have the same one.
    just_now = f"{parts.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    github.add_pull(BRANCH, state="closed", merged_as=MERGED_AS, updated=just_now)
    assert newest(parts).remarks == ()
    github.add_comment(1, "dana", "/liftlock rollback it loses carts")
    assert [one.author for one in newest(parts).remarks] == ["dana"]


def test_one_that_is_reopened_is_read_anew(parts: Parts, github: FakeGitHub) -> None:
    pull = github.add_pull(BRANCH, state="closed", events=[event("ClosedEvent", "dana")])
    newest(parts)
    pull.state, pull.updated = "open", "2026-03-01T11:30:00Z"
    pull.events.append(event("ReopenedEvent", "rita"))
    found = newest(parts)
    assert (found.state, found.reopened_by, found.closed_by) == (PullState.OPEN, "rita", None)


def test_many_branches_are_asked_for_in_chunks_of_fifty(parts: Parts, github: FakeGitHub) -> None:
    branches = [f"liftlock/s{n}/production/1" for n in range(120)]
    github.add_pull(branches[119])
    assert list(parts.forge.look_at(REPO, "main", branches).newest) == [branches[119]]
    assert len(github.requests) == 4


# --- what people did -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([event("ConvertToDraftEvent", "dana")], "dana"),
        ([event("ConvertToDraftEvent", "lift-bot")], None),
        ([event("ConvertToDraftEvent", "dana"), event("ReadyForReviewEvent", "dana")], None),
        ([event("ReadyForReviewEvent", "lift-bot"), event("ConvertToDraftEvent", "rita")], "rita"),
        ([event("ConvertToDraftEvent", None)], "ghost"),
    ],
)
def test_a_draft_tells_who_made_it_one(
    parts: Parts, github: FakeGitHub, events: list[Any], expected: str | None
) -> None:
    github.add_pull(BRANCH, draft=True, events=events)
    found = newest(parts)
    assert (found.draft, found.draft_by) == (True, expected)


@pytest.mark.parametrize(
    ("closer", "by", "by_bot"), [("dana", "dana", False), ("lift-bot", "lift-bot", True), (None, "ghost", False)]
)
def test_a_closed_one_tells_when_and_who_closed_it(
    parts: Parts, github: FakeGitHub, closer: str | None, by: str, by_bot: bool
) -> None:
    events = [event("ClosedEvent", "rita"), event("ClosedEvent", closer)]
    github.add_pull(BRANCH, state="closed", events=events, closed="2026-03-01T11:30:00Z")
    found = newest(parts)
    assert (found.closed_by, found.closed_by_bot) == (by, by_bot)
    assert found.closed_at == datetime(2026, 3, 1, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(("armer", "by_bot"), [("lift-bot", True), ("dana", False)])
def test_an_armed_one_tells_by_whom(parts: Parts, github: FakeGitHub, armer: str, by_bot: bool) -> None:
    github.add_pull(BRANCH, armed_by=armer)
    found = newest(parts)
    assert (found.armed_by, found.armed_by_bot, found.is_queued) == (armer, by_bot, False)


@pytest.mark.parametrize(("by", "by_bot"), [("lift-bot", True), ("dana", False)])
def test_a_queued_one_tells_whether_the_bot_put_it_there(
    parts: Parts, github: FakeGitHub, by: str, by_bot: bool
) -> None:
    github.add_pull(BRANCH, queued_by=by)
    found = newest(parts)
    assert (found.is_queued, found.queued_by_bot) == (True, by_bot)


@pytest.mark.parametrize(
    ("mergeable", "state", "expected"),
    [
        ("MERGEABLE", "CLEAN", (True, False)),
        ("CONFLICTING", "DIRTY", (False, False)),
        ("UNKNOWN", "BEHIND", (None, True)),
    ],
)
def test_whether_it_can_be_merged_is_as_github_says(
    parts: Parts, github: FakeGitHub, mergeable: str, state: str, expected: tuple[bool | None, bool]
) -> None:
    github.add_pull(BRANCH, mergeable=mergeable, merge_state=state)
    found = newest(parts)
    assert (found.mergeable, found.is_behind) == expected


# The instant of a plain push is in no answer: what its commit claims counts, but never before an event ahead of it.
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([pushed(HEAD, "2026-03-01T11:05:00Z")], 5),
        ([pushed(OLD_HEAD)], None),
        ([event("HeadRefForcePushedEvent", at="2026-03-01T11:07:00Z", afterCommit={"oid": HEAD})], 7),
        ([event("ReopenedEvent", "dana", "2026-03-01T11:20:00Z"), pushed(HEAD, "2026-03-01T11:05:00Z")], 20),
        ([pushed(HEAD, "2026-03-01T11:05:00Z"), event("ReopenedEvent", "dana", "2026-03-01T11:20:00Z")], 5),
    ],
)
def test_when_the_head_came(parts: Parts, github: FakeGitHub, events: list[Any], expected: int | None) -> None:
    github.add_pull(BRANCH, events=events)
    found = newest(parts).head_at
    assert (None if found is None else found.minute) == expected


def test_remarks_are_the_comments_of_others_oldest_first(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    github.add_comment(1, "lift-bot", "<!-- m -->\nEvidence")
    github.add_comment(1, "dana", "/liftlock hold it", edited_at="2026-03-01T11:30:00Z")
    github.add_comment(1, "ci[bot]", "Deployed")
    github.add_comment(1, None, "gone")
    found = newest(parts).remarks
    assert [(r.author, r.author_id, r.is_app, r.was_edited, r.body) for r in found] == [
        ("dana", 11, False, True, "/liftlock hold it"),
        ("ci[bot]", 601, True, False, "Deployed"),
        ("ghost", 0, False, False, "gone"),
    ]
    assert found[0].id == 1001


# An approval counts at the present head only; a request for changes until its author takes it back.
@pytest.mark.parametrize(
    ("reviews", "decision", "expected"),
    [
        ([], None, Reviews()),
        ([review("rita", "APPROVED", HEAD)], "APPROVED", Reviews(approved_by=("rita",))),
        ([review("rita", "APPROVED", OLD_HEAD)], "REVIEW_REQUIRED", Reviews(is_short=True)),
        ([review("dana", "CHANGES_REQUESTED", OLD_HEAD)], "CHANGES_REQUESTED", Reviews(changes_requested_by=("dana",))),
        ([review("rita", "DISMISSED", HEAD)], None, Reviews()),
    ],
)
def test_reviews_of_the_present_head_count(
    parts: Parts, github: FakeGitHub, reviews: list[Any], decision: str | None, expected: Reviews
) -> None:
    github.add_pull(BRANCH, reviews=reviews, decision=decision)
    assert replace(newest(parts).reviews, given=()) == expected


def test_a_review_is_told_with_its_account_its_commit_and_its_time(parts: Parts, github: FakeGitHub) -> None:
    reviews = [
        review("rita", "APPROVED", HEAD),
        review("dana", "CHANGES_REQUESTED", OLD_HEAD, at="2026-03-01T11:30:00Z"),
        review("ci[bot]", "APPROVED", HEAD),
        review("eve", "DISMISSED", HEAD),
        {**review("ghost", "APPROVED", None), "author": None},
        review("lift-bot", "APPROVED", HEAD),
    ]
    github.add_pull(BRANCH, reviews=reviews)
    found = newest(parts).reviews.given
    assert [(one.by, one.by_id > 0, one.is_app, one.approves, one.head) for one in found] == [
        ("rita", True, False, True, HEAD),
        ("dana", True, False, False, OLD_HEAD),
        ("ci[bot]", True, True, True, HEAD),
        ("ghost", False, False, True, None),
    ]
    assert [one.at.minute for one in found] == [0, 30, 0, 0]


# --- checks ----------------------------------------------------------------------------------------------------------


def required(*checks: tuple[str, int | None]) -> dict[str, Any]:
    return {
        "type": "REQUIRED_STATUS_CHECKS",
        "repositoryRuleset": {"enforcement": "ACTIVE"},
        "parameters": {
            "__typename": "RequiredStatusChecksParameters",
            "strictRequiredStatusChecksPolicy": False,
            "requiredStatusChecks": [{"context": name, "integrationId": app} for name, app in checks],
        },
    }


# A run passes on success, neutral and skipped only; a required check must have been reported, by the app that must.
@pytest.mark.parametrize(
    ("contexts", "demanded", "expected"),
    [
        (None, [], Checks()),
        ([run("a"), run("b", "NEUTRAL"), run("c", "SKIPPED"), status("d")], [], Checks()),
        ([run("a", None), status("b", "PENDING")], [], Checks(pending=("a", "b"))),
        ([run("a", "TIMED_OUT"), run("b", "STALE"), status("c", "ERROR")], [], Checks(failed=("a", "b", "c"))),
        ([run("a", "ACTION_REQUIRED")], [], Checks(failed=("a",))),
        (None, [("ci", None)], Checks(missing=("ci",))),
        ([status("ci", "EXPECTED")], [], Checks(missing=("ci",))),
        ([run("ci")], [("ci", None)], Checks()),
        ([run("ci", app=9)], [("ci", 9)], Checks()),
        ([run("ci", app=666)], [("ci", 9)], Checks(missing=("ci",))),
        ([run("ci", app=666), run("ci", app=9)], [("ci", 9)], Checks()),
        ([run("ci", None, app=9)], [("ci", 9)], Checks(pending=("ci",))),
        ([status("ci")], [("ci", 9)], Checks(missing=("ci",))),
        ([status("ci", required=True)], [("ci", 9)], Checks()),
    ],
)
def test_checks_are_green_only_if_nothing_failed_is_pending_or_is_missing(
    parts: Parts, github: FakeGitHub, contexts: list[Any] | None, demanded: list[Any], expected: Checks
) -> None:
    github.rules = [required(*demanded)]
    github.add_pull(BRANCH, contexts=contexts)
    assert newest(parts).checks == expected
    assert parts.merging.look_again(REPO, 1).checks == expected


def test_the_bots_own_status_counts_for_nothing_and_a_foreign_one_of_its_name_does(
    parts: Parts, github: FakeGitHub
) -> None:
    github.rules = [required(("liftlock/production", None))]
    own = status("liftlock/production", "PENDING", by="lift-bot")
    github.add_pull(BRANCH, contexts=[own, status("liftlock/staging", "FAILURE", by="ci[bot]")])
    assert newest(parts).checks == Checks(failed=("liftlock/staging",))


def test_reports_behind_the_first_hundred_are_read(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, contexts=[run(f"ok-{n}") for n in range(230)] + [run("bad", "FAILURE")])
    assert newest(parts).checks == Checks(failed=("bad",))
    assert parts.merging.look_again(REPO, 1).checks == Checks(failed=("bad",))


# --- rules -----------------------------------------------------------------------------------------------------------


def rules_of(parts: Parts) -> MergeRules:
    return parts.forge.look_at(REPO, "main", []).rules


def test_a_branch_without_rules_demands_nothing(parts: Parts) -> None:
    assert rules_of(parts) == MergeRules()


def test_rulesets_and_protection_become_one(parts: Parts, github: FakeGitHub) -> None:
    github.repository |= {"autoMergeAllowed": True, "deleteBranchOnMerge": True, "rebaseMergeAllowed": False}
    github.has_queue = True
    strict = required(("ci", 9), ("lint", None))
    strict["parameters"]["strictRequiredStatusChecksPolicy"] = True
    reviews = {
        "__typename": "PullRequestParameters",
        "requiredApprovingReviewCount": 2,
        "allowedMergeMethods": ["SQUASH", "REBASE"],
    }
    active = {"enforcement": "ACTIVE"}
    github.rules = [strict, {"type": "PULL_REQUEST", "repositoryRuleset": active, "parameters": reviews}]
    github.update_rule = {
        "requiredApprovingReviewCount": 1,
        "requiredStatusCheckContexts": ["ci", "docs"],
        "requiresLinearHistory": False,
        "viewerCanPush": True,
    }
    github.protection = {
        "requiresApprovingReviews": True,
        "requiredApprovingReviewCount": 1,
        "requiresStatusChecks": True,
        "requiresStrictStatusChecks": False,
        "requiredStatusChecks": [{"context": "docs", "app": {"databaseId": 5}}, {"context": "lint", "app": None}],
    }
    assert rules_of(parts) == MergeRules(
        methods=(MergeMethod.SQUASH,),
        has_queue=True,
        may_arm=True,
        required_checks=(
            RequiredCheck(name="ci", app_id=9),
            RequiredCheck(name="lint"),
            RequiredCheck(name="docs", app_id=5),
        ),
        approvals=2,
        is_strict=True,
        takes_pushes=False,
        deletes_branches=True,
    )


def test_protection_that_the_token_may_not_see_is_no_failure(parts: Parts, github: FakeGitHub) -> None:
    github.is_admin = False
    github.update_rule = {
        "requiredApprovingReviewCount": None,
        "requiredStatusCheckContexts": ["ci"],
        "requiresLinearHistory": True,
        "viewerCanPush": True,
    }
    found = rules_of(parts)
    assert found.required_checks == (RequiredCheck(name="ci"),)
    assert found.methods == (MergeMethod.SQUASH, MergeMethod.REBASE)
    assert found.takes_pushes is False


def test_a_ruleset_that_is_only_evaluated_demands_nothing(parts: Parts, github: FakeGitHub) -> None:
    rule = required(("ci", None))
    rule["repositoryRuleset"]["enforcement"] = "EVALUATE"
    github.rules = [rule]
    assert rules_of(parts) == MergeRules()


def test_a_base_that_is_not_there_is_an_error(parts: Parts) -> None:
    with pytest.raises(Permanent, match="no branch “trunk”"):
        parts.forge.look_at(REPO, "trunk", [])


# --- absence is never health -----------------------------------------------------------------------------------------


def graph(answer: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return 200, answer, headers or {}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (graph({"data": None, "errors": [{"message": "Something went wrong while executing your query."}]}),
         Transient, "GitHub failed"),
        (graph({"errors": [{"message": "Timeout on validation of query"}]}), Transient, "GitHub failed"),
        (graph({"errors": [{"type": "INTERNAL", "message": "x"}], "data": None}), Transient, "GitHub failed"),
        (graph({"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": "x"}]}), Permanent, "refused to look"),
        (graph({"data": {"repository": None}, "errors": [{"type": "NOT_FOUND", "message": "x"}]}),
         Permanent, "knows no such thing"),
        (graph({"data": {"repository": {"open": None}}, "errors": [{"type": "FORBIDDEN", "path": ["repository", "open"],
          "message": "Resource not accessible by integration"}]}), Permanent, "may not do that"),
        (graph({"data": {"repository": {"open": None, "latest": {"nodes": []}}}}), Transient, "lacks a fact"),
        (graph({"data": {"repository": None}}), Transient, "lacks a fact"),
        (graph({"data": {}}), Transient, "lacks a fact"),
        (graph({"message": "hello"}), Transient, "lacks a fact"),
        ((200, b"<html>log in</html>", {}), Transient, "not understood"),
        ((502, b"<html>unicorn</html>", {}), Transient, "HTTP 502"),
    ],
)  # fmt: skip
def test_a_null_where_a_fact_belongs_is_an_error(
    parts: Parts, github: FakeGitHub, answer: Answer, kind: type[Exception], words: str
) -> None:
    github.before = lambda method, path: answer
    with pytest.raises(kind, match=words):
        parts.forge.look_at(REPO, "main", [BRANCH])


def test_an_error_beside_the_data_of_one_pull_request_is_never_no_pull_request(
    parts: Parts, github: FakeGitHub
) -> None:
    error = {"type": "SERVICE_UNAVAILABLE", "path": ["repository", "b0"], "message": "timeout"}
    data = {"repository": {"b0": None, "open": {"nodes": [], "pageInfo": {"hasNextPage": False}}}}
    github.before = lambda method, path: graph({"data": data, "errors": [error]})
    with pytest.raises(Transient, match="timeout"):
        parts.forge.look_at(REPO, "main", [BRANCH])
    assert len(github.requests) == 3


def test_a_used_up_graphql_limit_comes_with_http_200_and_is_transient(parts: Parts, github: FakeGitHub) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1772368200", "X-RateLimit-Resource": "graphql"}
    error = {"type": "RATE_LIMITED", "message": "API rate limit exceeded for installation ID 1."}
    github.before = lambda method, path: graph({"errors": [error]}, headers)
    with pytest.raises(Transient) as caught:
        parts.forge.look_at(REPO, "main", [])
    assert caught.value.retry_after == timedelta(minutes=30)
    assert len(github.requests) == 1


def test_a_number_that_is_gone_spoils_one_look_only(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    newest(parts)
    github.pulls.clear()
    with pytest.raises(Permanent):
        parts.forge.look_at(REPO, "main", [BRANCH])
    assert parts.forge.look_at(REPO, "main", [BRANCH]).newest == {}


# --- one alone -------------------------------------------------------------------------------------------------------


def test_looking_again_costs_one_request_and_sees_what_is_now(parts: Parts, github: FakeGitHub) -> None:
    pull = github.add_pull(BRANCH)
    newest(parts)
    github.requests.clear()
    pull.head = OLD_HEAD
    assert parts.merging.look_again(REPO, 1).head == Sha(OLD_HEAD)
    assert len(github.requests) == 1


def test_looking_again_at_none_is_permanent(parts: Parts) -> None:
    with pytest.raises(Permanent, match="pull request #9 of acme/deploy"):
        parts.merging.look_again(REPO, 9)
