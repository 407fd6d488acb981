"""The lab's GitHub in trouble: answers lost after the write, limits, two bots, a lost ledger: nothing is doubled."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from bot.adapters.github import GitHubConversation
from bot.domain.decision import State
from bot.lab.clock import ManualClock
from bot.lab.exchanges import ExchangeRecorder
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS, Lab
from tests.scenarios.promoting import (
    FAILING,
    a_stage,
    live,
    merged,
    merges,
    once_before,
    pass_window,
    promoted,
    ready,
    says,
    settings_of,
    settings_of_app,
    state,
    tell_no_source,
    the_pull,
    words_of,
)
from tests.stage import STEP, Stage
from tests.web.served import SECRET, Web, served

GRAPHQL = "/api/graphql"
WRITES = [
    ("POST", "/repos/*/pulls"),
    ("POST", "/repos/*/issues/*/comments"),
    ("PATCH", "/repos/*/issues/comments/*"),
    ("PATCH", "/repos/*/pulls/*"),
    ("POST", "/repos/*/statuses/*"),
    ("PUT", "/repos/*/pulls/*/merge"),
    ("DELETE", "/repos/*/git/refs/*"),
]


@pytest.fixture(autouse=True)
def _no_source(lab: Lab) -> None:
    tell_no_source(lab)


@pytest.fixture
def settings(lab: Lab) -> Path:
    return settings_of(lab, "bot")


@pytest.fixture
def stage(lab: Lab, clock: ManualClock, settings: Path) -> Iterator[Stage]:
    """A bot whose pauses take no time."""
    with a_stage(lab, clock, settings) as stage:
        yield stage


def writes_of(lab: Lab, method: str, part: str) -> int:
    """How many requests of a kind reached GitHub."""
    return sum(one.method == method and part in one.path for one in lab.github.exchanges)


# --- answers that were lost ------------------------------------------------------------------------------------------


@pytest.mark.invariant("I15")
@pytest.mark.parametrize(
    ("status", "body"), [(500, {"message": "Server Error"}), (502, None)], ids=["500", "502 of a proxy, in HTML"]
)
def test_when_every_first_write_is_done_but_its_answer_lost_nothing_is_done_twice(
    stage: Stage, status: int, body: object
) -> None:
    github = stage.lab.github
    for method, path in WRITES:
        github.fail_next(method, path, status, after_write=True, body=body)
    lose = partial(github.fail_next, "POST", GRAPHQL, status, after_write=True, body=body)
    once_before(stage.sweeper.world.forge, "mark_ready", lose)
    live(stage)
    pass_window(stage)
    pull = merged(stage)
    stage.look_after(3)
    assert not left(stage)
    assert merges(stage.lab) == 1
    assert len([comment for comment in pull.comments if "liftlock:evidence" in comment.body]) == 1
    assert pull.head not in github.branches(GITOPS)
    assert writes_of(stage.lab, "POST", "/pulls") == 1
    assert writes_of(stage.lab, "PUT", "/merge") == 1


def left(stage: Stage) -> list[str]:
    """What was to go wrong and has not: a test in which nothing did shows nothing."""
    return [f"{rule.method} {rule.path}" for rule in stage.lab.github._mishaps._rules if rule.times]


@pytest.mark.invariant("I15")
def test_a_timeout_after_the_write_is_looked_up_and_not_written_again(
    lab: Lab, clock: ManualClock, settings: Path
) -> None:
    settings.write_text(settings.read_text().replace('write_pause = "0s"', 'write_pause = "0s"\ntimeout = "1s"'))
    for method, path in (("POST", "/repos/*/pulls"), ("PUT", "/repos/*/pulls/*/merge")):
        lab.github.hang_next(method, path, 1.2, after_write=True)
    with a_stage(lab, clock, settings) as stage:
        live(stage)
        pass_window(stage)
        merged(stage)
        assert not left(stage)
    # What hangs is noted by the lab when it ends, and nobody waits for that but this test.
    while not (writes_of(lab, "POST", "/pulls") and writes_of(lab, "PUT", "/merge")):
        time.sleep(0.01)
    assert (writes_of(lab, "POST", "/pulls"), writes_of(lab, "PUT", "/merge"), merges(lab)) == (1, 1, 1)


@pytest.mark.invariant("I15")
def test_a_closing_and_a_reaction_whose_answers_were_lost_are_done_once(stage: Stage) -> None:
    ready(stage)
    stage.leap(1)
    comment = stage.lab.github.comment_as("dana", GITOPS, 1, "/liftlock reject it breaks invoices")
    for method, path in (
        ("POST", "/repos/*/issues/comments/*/reactions"),
        ("POST", "/repos/*/issues/*/comments"),
        ("PATCH", "/repos/*/pulls/1"),
    ):
        stage.lab.github.fail_next(method, path, 502, after_write=True)
    for _ in range(3):
        stage.look_after(1)
    pull = the_pull(stage)
    assert not left(stage)
    assert not pull.is_open
    assert words_of(stage.lab, comment) == ["+1"]
    assert Counter(kind(one.body) for one in pull.comments)["liftlock:closing"] == 1
    assert [event.kind for event in pull.events].count("ClosedEvent") == 1


def kind(body: str) -> str:
    """The marker of a comment."""
    return body.partition("\n")[0].removeprefix("<!-- ").removesuffix(" -->")


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["REST", "GraphQL", "both"])
def test_a_limit_that_is_used_up_in_the_middle_only_delays_the_promotion(stage: Stage, limit: str) -> None:
    live(stage)
    until = stage.clock.now() + 40 * STEP
    if limit != "GraphQL":
        stage.lab.github.limit_rate(0, until)
    if limit != "REST":
        stage.lab.github.limit_graphql(0, until)
    for _ in range(3):
        stage.look_after(10)
        assert not promoted(stage.lab)
    stage.leap(11)
    pull = merged(stage)
    stage.look_after(3)
    assert merges(stage.lab) == 1
    assert len([comment for comment in pull.comments if "liftlock:evidence" in comment.body]) == 1


@pytest.mark.invariant("I6")
def test_a_rollback_needs_nothing_of_githubs_limits(stage: Stage) -> None:
    live(stage, production=FAILING)
    pass_window(stage)
    merged(stage)
    until = stage.clock.now() + 3600 * STEP
    stage.lab.github.limit_rate(0, until)
    stage.lab.github.limit_graphql(0, until)
    for _ in range(5):
        stage.look_after(4)
    assert stage.lab.has_tag("checkout", "production", "1.8.2")


def test_after_a_secondary_limit_github_is_left_alone_as_long_as_it_asked(stage: Stage) -> None:
    live(stage)
    stage.lab.github.limit_secondary(30)
    stage.look_after(1)
    before = api_calls(stage.lab)
    for _ in range(3):
        stage.look_after(5)
    assert api_calls(stage.lab) == before
    stage.leap(20)
    merged(stage)
    assert merges(stage.lab) == 1


def api_calls(lab: Lab) -> int:
    """How many requests reached GitHub's APIs."""
    return sum(one.path.startswith("/api/") for one in lab.github.exchanges)


def test_mergeability_that_github_computes_slowly_is_waited_for(stage: Stage) -> None:
    stage.lab.github.compute_mergeability_slowly(2)
    live(stage)
    pass_window(stage)
    merged(stage, within=8)


# --- two bots, and a bot that has forgotten ---------------------------------------------------------------------------


@pytest.mark.invariant("I10")
@pytest.mark.parametrize(
    ("identity", "at_once"),
    [("the same", False), ("the same", True), ("another", True)],
    ids=["the same account in turn", "the same account at once", "another account at once"],
)
def test_two_bots_make_one_pull_request_and_one_merge_and_do_not_fight(
    lab: Lab, clock: ManualClock, settings: Path, identity: str, at_once: bool
) -> None:
    others = settings_of(lab, "other") if identity == "the same" else settings_of_app(lab)
    rest = 3  # sweeps after the merge
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    with a_stage(lab, clock, settings) as one, a_stage(lab, clock, others) as other, ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            one.leap(3)
            sweeps = [pool.submit(each.sweeper.sweep) for each in (one, other)] if at_once else []
            for each in (one, other):
                if not at_once:
                    each.sweeper.sweep()
            for sweep in sweeps:
                sweep.result()
            rest -= promoted(lab)
            if not rest:
                break
    pull = the_pull(one)
    assert merges(lab) == 1
    told = Counter((comment.author.login, kind(comment.body)) for comment in pull.comments)
    assert set(told.values()) == {1}, told
    assert [event.kind for event in pull.events].count("ReadyForReviewEvent") == 1
    # One bot alone edits the body four times, once for each state: two do not write over each other.
    assert writes_of(lab, "PATCH", f"/repos/{GITOPS}/pulls/1") <= 8
    assert writes_of(lab, "PUT", "/merge") <= 2


@pytest.mark.invariant("I10")
def test_of_two_comments_that_were_written_at_the_same_moment_the_first_stays(stage: Stage) -> None:
    conversation = stage.sweeper.world.conversation
    assert isinstance(conversation, GitHubConversation)
    first = "<!-- liftlock:evidence -->\nThe other bot was faster."
    github = stage.lab.github

    def between_look_and_write() -> None:
        act = partial(github.comment_as, github.bot_login, GITOPS, 1, first)
        once_before(conversation._clients, "create_once", act)

    once_before(conversation, "write_comment", between_look_and_write)
    live(stage)
    pass_window(stage)
    merged(stage)
    stage.look_after(3)
    (comment,) = the_pull(stage).comments
    assert comment.body != first
    assert comment.body.startswith("<!-- liftlock:evidence -->\n")


@pytest.mark.invariant("I9")
def test_a_bot_that_lost_its_ledger_again_and_again_doubles_nothing(
    lab: Lab, clock: ManualClock, settings: Path
) -> None:
    def forgotten() -> None:
        shutil.rmtree(lab.directory / "bot")

    with a_stage(lab, clock, settings) as stage:
        live(stage)
        stage.look_after(3)
    forgotten()
    with a_stage(lab, clock, settings) as stage:
        pass_window(stage)
        for _ in range(4):
            if not the_pull(stage).draft:
                break
            stage.look_after(10)
        assert not the_pull(stage).draft
    forgotten()
    with a_stage(lab, clock, settings) as stage:
        for _ in range(3):
            stage.look_after(10)
        merged(stage)
        stage.look_after(2)
    forgotten()
    with a_stage(lab, clock, settings) as stage:
        stage.look_after(3)
        stage.look_after(3)
        assert says(stage)
    assert merges(lab) == 1
    assert len(lab.pulls("checkout")) == 1


@pytest.mark.invariant("I7")
def test_a_bot_that_lost_its_ledger_hears_the_commands_again_and_sees_who_closed_it(
    lab: Lab, clock: ManualClock, settings: Path
) -> None:
    with a_stage(lab, clock, settings) as stage:
        live(stage)
        stage.leap(1)
        lab.github.comment_as("dana", GITOPS, 1, "/liftlock hold the sale runs")
        assert state(stage) is State.HELD_BY_HUMAN
    shutil.rmtree(lab.directory / "bot")
    with a_stage(lab, clock, settings) as stage:
        assert state(stage) is State.HELD_BY_HUMAN
        lab.github.close_pull(GITOPS, 1, "alice")
    shutil.rmtree(lab.directory / "bot")
    with a_stage(lab, clock, settings) as stage:
        assert state(stage) is State.REJECTED_BY_HUMAN
        assert len(lab.pulls("checkout")) == 1


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_what_github_delivers_wakes_once_and_a_replay_or_a_forgery_does_not(stage: Stage) -> None:
    live(stage)
    web = Web()
    wire = ExchangeRecorder(web.app)
    web.app = wire  # type: ignore[assignment]  # an application all the same
    with served(web):
        stage.lab.github.add_webhook(GITOPS, f"{web.url}/webhooks/github", SECRET, events=["issue_comment"])
        stage.lab.github.comment_as("dana", GITOPS, 1, "/liftlock hold not today")
        assert [one.status for one in stage.lab.github.deliveries] == [202]
        assert web.woken() == {GITOPS}
        (delivered,) = wire.exchanges
        headers = {name: value for name, value in delivered.request_headers if name != "content-length"}
        assert web.post(delivered.request_body, headers).status_code == 202
        stage.lab.github.add_webhook(GITOPS, f"{web.url}/webhooks/github", "a guess", events=["pull_request"])
        stage.lab.github.close_pull(GITOPS, 1, "mallory")
        assert [one.status for one in stage.lab.github.deliveries] == [202, 401]
        assert web.woken() == frozenset()
    assert web.counted() == {"accepted": 1, "replayed": 1, "unsigned": 1}
