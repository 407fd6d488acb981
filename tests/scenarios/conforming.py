"""All that the bot asked and all that the lab answered, compared with what is published."""

from __future__ import annotations

from collections.abc import Iterable

from bot.lab.exchanges import Exchange
from bot.lab.world import Lab
from tests.contract.conformance import ARGOCD
from tests.contract.graphql_conformance import github_violations

_MADE_BY_TESTS = {
    "GET /api/v1/applications: the answer is of no type, not JSON",
    "GET /api/v1/applications: the answer is text/html, not JSON",
    "GET /api/v1/applications: the answer's body is no JSON",
    "GET /api/v1/stream/applications: the answer's body is no JSON",
}
"""What tests make Argo CD, or a proxy before it, answer in order to see what the bot makes of it."""


def violations(lab: Lab) -> set[str]:
    """All breaches of the contracts. A failure that a test made GitHub or Argo CD have is in no description."""
    asked = _different(one for one in lab.github.exchanges if one.path.startswith("/api/") and _is_an_answer(one))
    found = {said for one in asked for said in github_violations(one)}
    told = _different(one for one in lab.argocd_wire.exchanges if _is_an_answer(one))
    return found | {said for one in told for said in ARGOCD.violations(one) if said not in _MADE_BY_TESTS}


def _different(exchanges: Iterable[Exchange]) -> Iterable[Exchange]:
    """Leave out what was asked and answered in the same words before: a bot that waits says the same in each sweep."""
    return {_said(one): one for one in exchanges}.values()


def _said(one: Exchange) -> tuple[object, ...]:
    kind = dict(one.response_headers).get("content-type")
    return one.method, one.path, one.query, one.request_body, one.status, kind, one.response_body


def _is_an_answer(exchange: Exchange) -> bool:
    return 0 < exchange.status < 500
