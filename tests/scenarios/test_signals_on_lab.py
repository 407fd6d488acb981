"""Where else a promotion shows on the lab's GitHub: the check on its head, and the source repository of its release."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.lab.clock import ManualClock
from bot.lab.github.nouns import CheckRun
from bot.lab.world import BRANCH, GITOPS, Lab
from tests.scenarios.promoting import (
    APP_ID,
    CHECK,
    FAILING,
    a_stage,
    live,
    merged,
    pass_window,
    promote_by,
    promoted,
    settings_of_app,
    the_pull,
)
from tests.stage import Stage

SOURCE = "acme/checkout"


@pytest.fixture
def stage(lab: Lab, clock: ManualClock) -> Iterator[Stage]:
    """The bot as a GitHub App: only apps may have checks."""
    with a_stage(lab, clock, settings_of_app(lab)) as stage:
        yield stage


def the_check(stage: Stage) -> CheckRun:
    """The one check of the bot on the head; two are a failure."""
    head = the_pull(stage).head_sha
    runs = stage.lab.github.world.repository(GITOPS).check_runs
    (run,) = [one for one in runs if (one.sha, one.name) == (head, CHECK)]
    assert run.app is not None
    assert run.app.id == APP_ID
    return run


def statuses(stage: Stage, context: str) -> list[str]:
    """What a status of the release's source commit said, oldest first, each state once."""
    commit = stage.lab.sources.commit_of("checkout", "1.9.0")
    found = [one for one in stage.lab.github.world.repository(SOURCE).statuses if one.sha == commit]
    return list(dict.fromkeys(one.state for one in found if one.context == context))


def deployments(stage: Stage) -> dict[str, list[str]]:
    """The states of the release's deployments by environment, oldest first."""
    commit = stage.lab.sources.commit_of("checkout", "1.9.0")
    found = [one for one in stage.lab.github.world.repository(SOURCE).deployments if one.sha == commit]
    assert len({one.environment for one in found}) == len(found)
    return {one.environment: [status.state for status in one.statuses] for one in found}


def source_comments(stage: Stage) -> list[str]:
    """What the bot wrote on the pull request that the release was built from."""
    pull = stage.lab.github.pulls(SOURCE)[-1]
    assert "1.9.0" in pull.title
    return [comment.body for comment in pull.comments if comment.author.login == f"app-{APP_ID}[bot]"]


@pytest.mark.invariant("I2")
def test_the_check_waits_passes_with_the_window_and_lets_a_branch_that_requires_it_merge(stage: Stage) -> None:
    bound = {CHECK: APP_ID}
    stage.lab.github.protect(GITOPS, BRANCH, required_contexts=[CHECK], integrations=bound, ruleset=True)
    live(stage)
    stage.look_after(1)
    assert (the_check(stage).status, the_check(stage).conclusion) == ("in_progress", None)
    pass_window(stage)
    merged(stage)
    assert (the_check(stage).status, the_check(stage).conclusion) == ("completed", "success")


def test_the_check_of_an_unhealthy_release_fails_and_keeps_a_person_from_merging_by_mistake(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, required_contexts=[CHECK])
    live(stage, staging=FAILING)
    pass_window(stage)
    stage.look_after(1)
    assert the_check(stage).conclusion == "failure"
    assert "http-errors" in f"{the_check(stage).title} {the_check(stage).summary}"
    stage.lab.github.ready_as("alice", GITOPS, 1)
    with pytest.raises(Exception, match=CHECK):
        stage.lab.github.merge_pull(GITOPS, 1, "alice")
    assert not promoted(stage.lab)


def test_a_push_to_the_branch_gets_a_check_of_its_own_that_does_not_pass(stage: Stage) -> None:
    pull = live(stage)
    stage.lab.github.commit_as("dana", GITOPS, pull.head, {"README.md": "Mine.\n"}, "One more")
    pass_window(stage)
    for _ in range(2):
        stage.look_after(2)
    assert the_check(stage).sha == the_pull(stage).head_sha
    assert the_check(stage).conclusion != "success"


def test_the_source_commit_shows_each_stage_and_its_pull_request_the_arrival(stage: Stage) -> None:
    promote_by(stage.lab, "merge: auto, tell_source: true")
    live(stage)
    assert statuses(stage, "liftlock/checkout/staging") == ["pending"]
    assert source_comments(stage) == []
    pass_window(stage)
    merged(stage)
    for _ in range(4):
        stage.look_after(6)
    assert statuses(stage, "liftlock/checkout/staging") == ["pending", "success"]
    assert statuses(stage, "liftlock/checkout/production")[-1] == "success"
    told = deployments(stage)
    assert {name: states[-1] for name, states in told.items()} == {
        "checkout/staging": "success",
        "checkout/production": "success",
    }
    (comment,) = source_comments(stage)
    assert "production" in comment
    assert "1.9.0" in comment


def test_the_source_pull_request_is_told_when_its_release_was_taken_back(stage: Stage) -> None:
    promote_by(stage.lab, "merge: auto, tell_source: true")
    live(stage, production=FAILING)
    pass_window(stage)
    merged(stage)
    for _ in range(8):
        stage.look_after(4)
    assert stage.lab.has_tag("checkout", "production", "1.8.2")
    (comment,) = source_comments(stage)
    assert "`1.9.0`, which has this change, was taken out of `production`" in comment
    assert statuses(stage, "liftlock/checkout/production")[-1] in {"failure", "error"}


def test_without_tell_source_nobody_writes_on_the_source_pull_request(stage: Stage) -> None:
    live(stage)
    pass_window(stage)
    merged(stage)
    for _ in range(3):
        stage.look_after(7)
    assert source_comments(stage) == []
