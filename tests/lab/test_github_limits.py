"""The secondary limits, on demand, and the counters of what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.lab.github.call import Refusal
from bot.lab.github.limits import SecondaryLimits
from bot.lab.github.nouns import Account
from tests.lab.github_world import REPO, GitHubWorld, running_github
from tests.lab.graph import ask

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WHO = Account(id=1, login="liftlock", kind="User", created_at=T0)
COMMENT, LABEL = "/repos/{owner}/{repo}/issues/{number}/comments", "/repos/{owner}/{repo}/issues/{number}/labels"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def fill(limits: SecondaryLimits, count: int, call: tuple[str, str], start: datetime, step: timedelta) -> datetime:
    for index in range(count):
        limits.count_rest(WHO, start + index * step, *call)
    return start + count * step


def refused(limits: SecondaryLimits, at: datetime, call: tuple[str, str]) -> str | None:
    try:
        limits.count_rest(WHO, at, *call)
    except Refusal as refusal:
        return refusal.headers["Retry-After"] if refusal.status == 403 else None
    return None


def test_eighty_comments_a_minute_are_the_most() -> None:
    limits = SecondaryLimits()
    end = fill(limits, 80, ("POST", COMMENT), T0, timedelta(milliseconds=500))
    assert refused(limits, end, ("POST", COMMENT)) == "20"
    assert refused(limits, end, ("POST", LABEL)) is None
    assert refused(limits, T0 + timedelta(minutes=1), ("POST", COMMENT)) is None


def test_five_hundred_pieces_of_content_an_hour_are_the_most() -> None:
    limits = SecondaryLimits()
    end = fill(limits, 500, ("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge"), T0, timedelta(seconds=5))
    assert refused(limits, end, ("POST", "/repos/{owner}/{repo}/pulls")) == str(3600 - 2500)
    assert refused(limits, T0 + timedelta(hours=1), ("POST", "/repos/{owner}/{repo}/pulls")) is None


@pytest.mark.parametrize(("method", "most"), [("GET", 900), ("PATCH", 180)])
def test_nine_hundred_points_a_minute_are_the_most(method: str, most: int) -> None:
    limits = SecondaryLimits()
    fill(limits, most, (method, LABEL), T0, timedelta(0))
    assert refused(limits, T0 + timedelta(seconds=20), (method, LABEL)) == "40"
    assert refused(limits, T0 + timedelta(minutes=1), (method, LABEL)) is None


def test_graphql_has_points_of_its_own() -> None:
    limits = SecondaryLimits()
    fill(limits, 900, ("GET", LABEL), T0, timedelta(0))
    for _ in range(400):
        limits.count_graphql(WHO, T0, mutation=True)
    with pytest.raises(Refusal):
        limits.count_graphql(WHO, T0, mutation=False)


def test_the_limits_bind_where_they_are_switched_on(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.enforce_content_limits()
    path = f"/repos/{REPO}/issues/{number}/comments"
    answers = [world.http.post(path, json={"body": "x"}) for _ in range(81)]
    assert {one.status_code for one in answers[:80]} == {201}
    assert (answers[80].status_code, answers[80].headers["retry-after"]) == (403, "60")
    assert "temporarily blocked from content creation" in answers[80].json()["message"]
    assert len(world.lab.pull(REPO, number).comments) == 80
    world.clock.advance(timedelta(minutes=1))
    assert world.http.post(path, json={"body": "x"}).status_code == 201


def test_calls_are_counted_by_what_they_are(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.calls.reset()
    etag = world.http.get(f"/repos/{REPO}").headers["etag"]
    world.http.get(f"/repos/{REPO}", headers={"If-None-Match": etag})
    world.http.post(f"/repos/{REPO}/issues/{number}/comments", json={"body": "x"})
    world.http.get(f"/repos/{REPO}/pulls/99")
    ask(world, "{ viewer { login } }")
    calls = world.lab.calls
    assert calls.rest == {
        ("GET", "/repos/{owner}/{repo}", 200): 1,
        ("GET", "/repos/{owner}/{repo}", 304): 1,
        ("POST", "/repos/{owner}/{repo}/issues/{number}/comments", 201): 1,
        ("GET", "/repos/{owner}/{repo}/pulls/{number}", 404): 1,
    }
    assert (calls.requests, calls.rest_requests, calls.unchanged, calls.writes) == (5, 3, 1, 1)
    assert (calls.graphql["query"], calls.graphql_points) == (1, 1)
