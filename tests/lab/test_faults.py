from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.lab.faults import Faults
from bot.lab.serving import Served


async def _echo(request: Request) -> Response:
    return JSONResponse({"body": (await request.body()).decode()})


@pytest.fixture(name="faults")
def fixture_faults() -> Faults:
    return Faults()


@pytest.fixture(name="http")
def fixture_http(faults: Faults) -> Iterator[httpx.Client]:
    app = Starlette(routes=[Route("/{path:path}", _echo, methods=["GET", "POST"])])
    with Served(faults.wrap(app)) as served, httpx.Client(base_url=served.url, timeout=5) as http:
        yield http


def test_a_failure_hits_only_what_matches_and_as_often_as_told(faults: Faults, http: httpx.Client) -> None:
    faults.fail_next("POST /a", 500, body="broken", times=2, headers={"retry-after": "7"})
    statuses = [http.get("/a").status_code, http.post("/b").status_code]
    statuses += [http.post("/a").status_code for _ in range(3)]
    assert statuses == [200, 200, 500, 500, 200]


def test_a_failure_carries_its_body_and_headers(faults: Faults, http: httpx.Client) -> None:
    faults.fail_next("/a", 429, body="slow down", headers={"retry-after": "7"})
    answer = http.get("/a")
    assert (answer.text, answer.headers["retry-after"]) == ("slow down", "7")


def test_garbage_is_html_with_status_200(faults: Faults, http: httpx.Client) -> None:
    faults.garbage_next("/a")
    answer = http.get("/a")
    assert (answer.status_code, answer.text[:6]) == (200, "<html>")


def test_a_truncated_body_is_half_and_ends_properly(faults: Faults, http: httpx.Client) -> None:
    faults.truncate_next("/a")
    whole, half = http.post("/b", content="x" * 100).content, http.post("/a", content="x" * 100).content
    assert half == whole[: len(whole) // 2]


def test_a_cut_connection_breaks_in_the_middle_of_the_answer(faults: Faults, http: httpx.Client) -> None:
    faults.cut_next("/a")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/a")
    assert http.get("/a").status_code == 200


def test_a_waiting_request_keeps_its_body_and_goes_on_when_released(faults: Faults, http: httpx.Client) -> None:
    faults.hang("POST /a")
    threading.Timer(0.1, faults.release).start()
    assert http.post("/a", content="kept").json() == {"body": "kept"}


def test_clearing_forgets_every_fault(faults: Faults, http: httpx.Client) -> None:
    faults.fail_next("/", 500)
    faults.hang()
    faults.take_down()
    faults.clear()
    assert http.get("/a").status_code == 200
