"""All that the bot asked and all that the lab answered, compared with what is published."""

from __future__ import annotations

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
    asked = [one for one in lab.github.exchanges if one.path.startswith("/api/") and _is_an_answer(one)]
    found = {said for one in asked for said in github_violations(one)}
    told = [one for one in lab.argocd_wire.exchanges if _is_an_answer(one)]
    return found | {said for one in told for said in ARGOCD.violations(one) if said not in _MADE_BY_TESTS}


def _is_an_answer(exchange: Exchange) -> bool:
    return 0 < exchange.status < 500
