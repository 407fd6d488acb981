"""How named checks of a source commit ended: runs of all apps or of one, and statuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.ports import OutsideError
from tests.adapters.githubparts import BAD_GATEWAY, HEAD, OLD_HEAD, REPO, Parts, always, parts_for
from tests.adapters.githubserver import FakeGitHub, fake_github

ACTIONS, OTHER = 15368, 99


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


def report(github: FakeGitHub, name: str, conclusion: str | None, *, app: int = ACTIONS, commit: str = HEAD) -> None:
    github.check_runs.append(
        {
            "id": 1 + len(github.check_runs),
            "name": name,
            "head_sha": commit,
            "status": "completed" if conclusion else "in_progress",
            "conclusion": conclusion,
            "app": {"id": app},
        }
    )


@pytest.mark.parametrize(
    ("conclusion", "outcome"),
    [
        ("success", "passed"),
        ("neutral", "passed"),
        ("skipped", "passed"),
        ("failure", "failed"),
        ("cancelled", "failed"),
        ("timed_out", "failed"),
        ("action_required", "failed"),
        ("stale", "failed"),
        ("a new word", "failed"),
        (None, "running"),
    ],
)
def test_a_run_has_passed_only_where_github_says_so(
    parts: Parts, github: FakeGitHub, conclusion: str | None, outcome: str
) -> None:
    report(github, "test", conclusion)
    assert parts.signals.checks_of(REPO, HEAD, ["test", "lint"], app=None) == {"test": outcome}


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("success", "passed"), ("failure", "failed"), ("error", "failed"), ("pending", "running"), ("odd", "running")],
)
def test_a_status_counts_by_its_newest_report(parts: Parts, github: FakeGitHub, state: str, outcome: str) -> None:
    for told in ("failure" if outcome == "passed" else "success", state):
        github.statuses.append({"context": "ci/build", "state": told})
    assert parts.signals.checks_of(REPO, HEAD, ["ci/build"], app=None) == {"ci/build": outcome}


def test_of_several_reports_of_one_name_the_worst_counts(parts: Parts, github: FakeGitHub) -> None:
    report(github, "test", "success")
    report(github, "test", None, app=OTHER)
    assert parts.signals.checks_of(REPO, HEAD, ["test"], app=None) == {"test": "running"}
    github.statuses.append({"context": "test", "state": "failure"})
    assert parts.signals.checks_of(REPO, HEAD, ["test"], app=None) == {"test": "failed"}


@pytest.mark.invariant("I11")
def test_where_an_app_is_named_nobody_elses_report_counts(parts: Parts, github: FakeGitHub) -> None:
    report(github, "test", "success", app=OTHER)
    github.check_runs[-1]["app"] = None
    report(github, "test", "success", app=OTHER)
    github.statuses.append({"context": "test", "state": "success"})
    assert parts.signals.checks_of(REPO, HEAD, ["test"], app=ACTIONS) == {}
    report(github, "test", "failure")
    assert parts.signals.checks_of(REPO, HEAD, ["test"], app=ACTIONS) == {"test": "failed"}


def test_reports_on_another_commit_do_not_count(parts: Parts, github: FakeGitHub) -> None:
    report(github, "test", "success", commit=OLD_HEAD)
    assert parts.signals.checks_of(REPO, HEAD, ["test"], app=None) == {}


@pytest.mark.invariant("I5")
def test_a_github_that_does_not_answer_is_no_missing_check(parts: Parts, github: FakeGitHub) -> None:
    github.before = always(BAD_GATEWAY)
    with pytest.raises(OutsideError):
        parts.signals.checks_of(REPO, HEAD, ["test"], app=None)
