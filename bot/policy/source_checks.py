"""Warnings about a policy that the bot takes and these settings leave without an answer: data sources, forced labels.

For the check of policies only, and only where it knows the settings: by themselves policies know no source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.domain.policy import Policy
from bot.domain.queries import RELEASE_TAG, Query
from bot.domain.questions import Question, questions_of
from bot.domain.tenancy import Forced, Tenancy
from bot.policy.cautions import Caution
from bot.policy.places import value_at
from bot.policy.promql_forcing import NotForced, force
from bot.policy.reading import one_of_these
from bot.policy.sources import KEY
from bot.policy.tree import Value


def check_sources(policy: Policy, tree: Value, tenancies: Mapping[str, Tenancy]) -> Iterator[Caution]:
    """Give the warnings of a policy whose file has this tree; `tenancies` are what is forced, by source."""
    for question in questions_of(policy):
        tenancy = tenancies.get(question.query.source)
        if tenancy is None:
            yield _unknown(question, tree, tenancies)
        elif not tenancy.is_free:
            yield from _of_tenancy(policy, question, tree, tenancy)


def _unknown(question: Question, tree: Value, tenancies: Mapping[str, Tenancy]) -> Caution:
    source = question.query.source
    expected = f"{one_of_these(source, tenancies)}: the settings name no other, so the gate cannot tell"
    path = _first(tree, [f"{question.path}.{KEY}", f"{_stage(question)}.{KEY}"], source)
    return Caution(rule="unknown-source", path=path or question.path, found=f'"{source}"', expected=expected)


def _of_tenancy(policy: Policy, question: Question, tree: Value, tenancy: Tenancy) -> Iterator[Caution]:
    source, matchers = question.query.source, tenancy.forced_on(policy.service, policy.gitops.repository)
    if matchers is None:
        expected = f"a service that a tenant of {source} names in the settings: no query for this one is sent"
        yield Caution(rule="no-tenant", path="service", found=f'"{policy.service}"', expected=expected)
        return
    yield from _contradictions(question, tree, matchers)
    reason = _why_not_sent(question.query, matchers)
    if reason is not None:
        expected = f"one in which the labels can be forced that the settings want at {source}: it is not sent"
        found = f"a query that {reason}"
        yield Caution(rule="not-forced", path=question.path, found=found, expected=expected)


def _contradictions(question: Question, tree: Value, matchers: Sequence[Forced]) -> Iterator[Caution]:
    for name, value in question.query.labels:
        for matcher in matchers:
            if matcher.name == name and value != RELEASE_TAG and not matcher.allows(value):
                places = [f"{question.path}.labels.{name}", f"{_stage(question)}.metrics.{name}"]
                path = _first(tree, places, value) or question.path
                expected = f"{matcher.text}, which the settings force at {question.query.source}: no series has both"
                yield Caution(rule="forced-label", path=path, found=f'{name} "{value}"', expected=expected)


def _why_not_sent(query: Query, matchers: Sequence[Forced]) -> str | None:
    try:
        force(query, matchers)
    except NotForced as refused:
        return refused.reason
    return None


def _stage(question: Question) -> str:
    return question.path.partition(".")[0]


def _first(tree: Value, paths: Sequence[str], text: str) -> str | None:
    """Return the first of some paths at which this text stands."""
    return next((path for path in paths if value_at(tree, path).text == text), None)
