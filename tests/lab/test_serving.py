"""The lab's servers tell the time of the lab, as real ones tell that of their machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.lab.clock import ManualClock
from bot.lab.serving import Served

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def an_app(headers: dict[str, str] | None = None) -> Starlette:
    def answer(_: Request) -> Response:
        return PlainTextResponse("here", headers=headers)

    return Starlette(routes=[Route("/", answer)])


def dates(url: str) -> list[str]:
    return httpx.get(url, timeout=5).headers.get_list("date")


def test_answers_are_dated_by_the_labs_clock() -> None:
    clock = ManualClock(NOON)
    with Served(an_app(), clock=clock) as served:
        assert dates(served.url) == ["Mon, 02 Mar 2026 12:00:00 GMT"]
        clock.advance(timedelta(hours=1, milliseconds=999))
        assert dates(served.url) == ["Mon, 02 Mar 2026 13:00:00 GMT"]


def test_an_answer_with_a_date_of_its_own_keeps_it() -> None:
    with Served(an_app({"date": "yesterday"}), clock=ManualClock(NOON)) as served:
        assert dates(served.url) == ["yesterday"]


def test_without_a_clock_of_the_lab_the_machines_counts() -> None:
    with Served(an_app()) as served:
        (date,) = dates(served.url)
    assert "2026-03-02" not in date
    assert date.endswith(" GMT")
