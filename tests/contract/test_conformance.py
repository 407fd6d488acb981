"""The contract check itself: each kind of violation is found, and what conforms is let through."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.lab.exchanges import Exchange
from tests.contract.conformance import ARGOCD, GITHUB

JSON = (("content-type", "application/json; charset=utf-8"),)
LABEL = {"id": 1, "node_id": "L", "url": "http://x/1", "name": "a", "description": None, "color": "f", "default": False}


def exchange(path: str, *, sent: object = None, answer: object = None, status: int = 200) -> Exchange:
    """Return a POST if something was sent, a GET otherwise."""
    path, _, query = path.partition("?")
    return Exchange(
        method="GET" if sent is None else "POST",
        path=path,
        query=query,
        request_headers=(),
        request_body=b"" if sent is None else json.dumps(sent).encode(),
        status=status,
        response_headers=JSON,
        response_body=b"" if answer is None else json.dumps(answer).encode(),
    )


LABELS = exchange("/api/v3/repos/o/r/labels?page=2&per_page=5", answer=[LABEL])
NEW_LABEL = exchange("/api/v3/repos/o/r/labels", sent={"name": "a", "color": "f"}, answer=LABEL, status=201)


@pytest.mark.parametrize("conforming", [LABELS, NEW_LABEL], ids=["read", "write"])
def test_what_conforms_is_let_through(conforming: Exchange) -> None:
    assert GITHUB.violations(conforming) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (replace(LABELS, path="/api/v3/repos/o/r/lables"), "there is no such operation"),
        (replace(LABELS, path="/repos/o/r/labels"), "there is no such operation"),
        (replace(LABELS, query="pages=2"), "the query parameter pages is not known"),
        (replace(LABELS, query="page=two"), "query page $: 'two' is not of type 'integer'"),
        (replace(LABELS, status=418), "status 418 is not listed"),
        (replace(LABELS, response_headers=(("content-type", "text/html"),)), "the answer is text/html, not JSON"),
        (replace(LABELS, response_body=b"[{]"), "the answer's body is no JSON"),
        (replace(LABELS, response_body=b"[{}]"), "answer 200 $[0]: 'id' is a required property"),
        (
            replace(LABELS, response_body=json.dumps([LABEL | {"color": None}]).encode()),
            "answer 200 $[0].color: None is not of type 'string'",
        ),
        (replace(LABELS, request_body=b"{}"), "the request has a body, but there is none to send"),
        (replace(NEW_LABEL, request_body=b""), "the request has no body"),
        (replace(NEW_LABEL, request_body=b"{"), "the request's body is no JSON"),
        (replace(NEW_LABEL, request_body=b'{"color": "f"}'), "request $: 'name' is a required property"),
        (replace(NEW_LABEL, request_body=b'{"name": "a", "colour": "f"}'), "('colour' was unexpected)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_violation_is_found(broken: Exchange, said: str) -> None:
    found = GITHUB.violations(broken)
    assert any(said in one for one in found), found


def test_a_status_that_any_call_may_get_needs_no_mention() -> None:
    assert GITHUB.violations(exchange("/api/v3/repos/o/r/labels", answer={"message": "Bad"}, status=401)) == []


def test_argo_cd_is_checked_against_its_default_answer() -> None:
    path, error = "/api/v1/applications/x", {"error": "gone", "code": 5, "message": "gone"}
    assert ARGOCD.violations(exchange(path, answer=error, status=404)) == []
    assert ARGOCD.violations(exchange(path, answer=error | {"code": "5"}, status=404)) != []
    assert ARGOCD.violations(exchange(f"{path}?refreshh=hard", answer={})) != []
    assert ARGOCD.violations(exchange(f"{path}/sync", sent={"prun": True}, answer={})) != []
