"""Webhooks: what is told, signed how, and that nobody listening harms nobody."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.lab.exchanges import Exchange, ExchangeRecorder
from bot.lab.serving import Served
from tests.lab.github_world import BRANCH, REPO, GitHubWorld, running_github

SECRET = "s3cret"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


async def _take(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


def told(wire: ExchangeRecorder) -> list[tuple[str, str]]:
    events = [(dict(one.request_headers)["x-github-event"], json.loads(one.request_body)) for one in wire.exchanges]
    return [(event, str(body.get("action", ""))) for event, body in events]


def is_signed(exchange: Exchange) -> bool:
    digest = hmac.new(SECRET.encode(), exchange.request_body, hashlib.sha256).hexdigest()
    return dict(exchange.request_headers)["x-hub-signature-256"] == f"sha256={digest}"


def test_what_happens_is_told_in_order_and_signed(world: GitHubWorld) -> None:
    wire = ExchangeRecorder(Starlette(routes=[Route("/hook", _take, methods=["POST"])]))
    with Served(wire) as served:
        world.lab.add_webhook(REPO, f"{served.url}/hook", SECRET)
        number = world.propose()
        world.lab.comment_as("dana", REPO, number, "hold")
        world.lab.review_as("dana", REPO, number, "APPROVED")
        world.lab.merge_pull(REPO, number, "dana")
        assert {one.status for one in world.lab.deliveries} == {202}
    assert told(wire) == [
        ("push", ""),
        ("pull_request", "opened"),
        ("issue_comment", "created"),
        ("pull_request_review", "submitted"),
        ("pull_request", "closed"),
        ("push", ""),
    ]
    assert all(is_signed(one) for one in wire.exchanges)
    names = {dict(one.request_headers)["x-github-delivery"] for one in wire.exchanges}
    assert len(names) == len(wire.exchanges)
    first, closed = (json.loads(wire.exchanges[index].request_body) for index in (0, 4))
    assert (first["ref"], first["repository"]["full_name"]) == (f"refs/heads/{BRANCH}", REPO)
    assert (closed["pull_request"]["merged"], closed["sender"]["login"]) == (True, "dana")


def test_only_wanted_events_are_sent(world: GitHubWorld) -> None:
    wire = ExchangeRecorder(Starlette(routes=[Route("/hook", _take, methods=["POST"])]))
    with Served(wire) as served:
        world.lab.add_webhook(REPO, f"{served.url}/hook", SECRET, events=["pull_request"])
        world.propose()
        assert [one.event for one in world.lab.deliveries] == ["pull_request"]


def test_a_delivery_that_nobody_takes_is_kept_as_failed(world: GitHubWorld) -> None:
    with Served(Starlette()) as served:
        gone = served.url
    world.lab.add_webhook(REPO, f"{gone}/hook", SECRET)
    number = world.propose()
    assert {(one.status, one.error.partition(":")[0]) for one in world.lab.deliveries} == {(None, "ConnectError")}
    assert world.pull(number)["state"] == "open"
