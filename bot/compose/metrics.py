"""The data sources that the settings name: what asks them, and what is forced on every query to them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from bot.adapters.http import Limits
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_sources import PrometheusSources
from bot.compose.endpoints import prometheus_access, prometheus_endpoint
from bot.domain.model import Trouble
from bot.domain.policy import Policy
from bot.domain.queries import Query, source_name
from bot.domain.tenancy import Forced
from bot.domain.text import one_line
from bot.sampling import Asking, Force, as_it_is
from bot.settings import PrometheusSection, Settings

_REMEMBERED = 10_000
"""How many rewritten queries are kept: some per service, where its name is in what is forced."""
_LONGEST = 160


def compose_metrics(settings: Settings) -> PrometheusSources:
    """Return what asks all data sources, by their ids."""
    return PrometheusSources({name: _server(name, section) for name, section in settings.sources.items()})


def _server(name: str, section: PrometheusSection) -> PrometheusMetrics:
    return PrometheusMetrics(
        prometheus_endpoint(section, name),
        access=prometheus_access(section),
        limits=Limits(deadline=section.timeout),
        at_once=section.at_once,
        together=section.together,
    )


def asking_of(settings: Settings) -> Asking:
    """Return how the sources are asked: the lag and the budget of each, and what is forced."""
    return Asking(
        lags={name: section.lag for name, section in settings.sources.items() if section.lag is not None},
        most={name: section.most_per_service for name, section in settings.sources.items()},
        force=force_of(settings),
    )


def force_of(settings: Settings) -> Force:
    """Return what queries become before they are sent. Whatever asks a source for a policy must go by it.

    The parser of PromQL is in the process only where something is forced.
    """
    tenancies = {name: section.tenancy for name, section in settings.sources.items()}
    if all(tenancy.is_free for tenancy in tenancies.values()):
        return as_it_is
    from bot.policy.promql_forcing import NotForced, force  # noqa: PLC0415 - see above

    @lru_cache(maxsize=_REMEMBERED)
    def forced(query: Query, matchers: tuple[Forced, ...]) -> Query | str:
        try:
            return force(query, matchers)
        except NotForced as refused:
            return refused.reason

    def apply(policy: Policy, query: Query) -> Query | Trouble:
        tenancy = tenancies.get(query.source)
        if tenancy is None or tenancy.is_free:
            return query
        matchers = tenancy.forced_on(policy.service, policy.gitops.repository)
        if matchers is None:
            return Trouble(system=source_name(query.source), sentence=_of_nobody(policy.service))
        # What the labels' values are makes no difference: they are quoted, whatever they are.
        found = forced(replace(query, labels=tuple((name, "x") for name, _ in query.labels)), matchers)
        if isinstance(found, str):
            return Trouble(system=source_name(query.source), sentence=_not_sent(query, found))
        return replace(query, parts=found.parts)

    return apply


def _not_sent(query: Query, why: str) -> str:
    shown = one_line(query.text, limit=_LONGEST)
    return f"`{shown}` is not sent there, since the settings force labels on every query, and it {why}"


def _of_nobody(service: str) -> str:
    return f"no query for {service} is sent there: none of its tenants in the settings names this service"
