"""Laws of the comparison: no field is forgotten, what is the same is not told, and the way back is the opposite."""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.policy import Policy
from bot.policy.comparing import Way, compare_policies
from tests.policy.two_policies import HOLIDAYS, INTAKES, JOINED, policy

MINUTE = timedelta(minutes=1)

FOR_PEOPLE = "it is for people, and decides nothing"
OF_THE_QUERIES = "how queries are put together changes no number"
UNCOMPARED: Mapping[str, Mapping[str, str]] = {
    "Policy": {
        "service": "only policies of one service are compared",
        "file": "a policy means the same in any file",
        "version": "it changes with every byte",
        "origin": "a policy means the same at any commit",
    },
    "Origin": dict.fromkeys(("repository", "commit", "since"), "of where a policy was read"),
    "Stage": {
        "floor_calendars": "they are the floor's, which has a history of its own",
        "region_of": "a floor's rules are found by it, and nothing is asked for",
    },
    "Intake": {"every": "how often a registry is asked changes nothing of what is taken"},
    "Proposing": {
        "opens": FOR_PEOPLE,
        "evidence": FOR_PEOPLE,
        "method": FOR_PEOPLE,
        "title": FOR_PEOPLE,
        "notify": FOR_PEOPLE,
        "labels": FOR_PEOPLE,
        "reviewers": "their reviews are asked for, not waited for",
        "assignees": FOR_PEOPLE,
        "tells_source": FOR_PEOPLE,
    },
    "Query": {"is_count": OF_THE_QUERIES},
    **{window: {"reason": FOR_PEOPLE} for window in ("Weekly", "Dates", "Holidays", "Repeating")},
    "Holidays": {"reason": FOR_PEOPLE, "region": "what counts are its days"},
    **{
        rule: {"title": FOR_PEOPLE}
        for rule in (
            *("CountGate", "BaselineGate", "BurnRateGate", "ValueGate", "SoakGate", "ArgoHealthyGate"),
            *("DegradedTrigger", "SyncFailedTrigger"),
            *("SignatureRule", "ProvenanceRule", "AttestationRule", "BuildRule"),
        )
    },
}
"""What nobody compares, by class and field, and why. A new field is told here or compared."""

ELSEWHERE = {"kind", "tile", "history"}
"""Fields that say nothing by themselves: the class, the window's width, and the names of applications."""


# --- all fields that there are ---


def every_field(cls: type) -> Iterator[tuple[str, str]]:
    """Give class and field of all dataclasses that a policy is made of."""
    seen: set[type] = set()
    waiting = [cls]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        hints = typing.get_type_hints(one)
        for field in fields(one):
            yield one.__name__, field.name
            waiting += classes_in(hints[field.name])


def classes_in(hint: Any) -> list[type]:
    if isinstance(hint, type) and is_dataclass(hint):
        return [hint]
    return [found for inner in typing.get_args(hint) for found in classes_in(inner)]


Place = tuple[str, str]
Way_to = tuple[Place, ...]


def mutations(value: Any, way: Way_to = ()) -> Iterator[tuple[Way_to, Any]]:
    """Give a value with one thing changed in it, for each thing: with the classes and fields on the way there."""
    for field in fields(value):
        found = getattr(value, field.name)
        here = (*way, (type(value).__name__, field.name))
        for there, changed in changed_in(found, here):
            yield there, replace(value, **{field.name: changed})


def changed_in(found: Any, here: Way_to) -> Iterator[tuple[Way_to, Any]]:
    if isinstance(found, tuple):
        if found:
            yield here, found[:-1]
        for at, item in enumerate(found):
            if is_dataclass(item):
                for there, changed in mutations(item, here):
                    yield there, (*found[:at], changed, *found[at + 1 :])
    elif is_dataclass(found):
        yield from mutations(found, here)
    elif found is not None:
        yield here, another(found)


def another(value: Any) -> Any:
    """Return another value of the type."""
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    for kind, change in OTHERS.items():
        if isinstance(value, kind):
            return change(value)
    raise TypeError(type(value))


OTHERS: Mapping[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    float: lambda value: value * 1.25,
    str: lambda value: "time" if value == "number" else f"{value}x",
    timedelta: lambda value: value + MINUTE,
    datetime: lambda value: value + MINUTE,
    date: lambda value: value + timedelta(days=1),
    time: lambda value: time(value.hour, value.minute + 1),
    ZoneInfo: lambda _: ZoneInfo("Asia/Tokyo"),
}
"""In an order in which a bool comes before the int that it is, too."""


TEXTS = [HOLIDAYS, JOINED, *INTAKES.values()]


def test_every_field_of_a_policy_is_compared_or_said_not_to_be() -> None:
    reached: set[Place] = set()
    for text in TEXTS:
        old = policy(text)
        for way, new in mutations(old):
            reached.update(way)
            if not ELSEWHERE & {field for _, field in way}:
                is_left_out = any(field in UNCOMPARED.get(cls, {}) for cls, field in way)
                assert bool(compare_policies(old, new)) is not is_left_out, way
    # What has no value in any of these texts, or is nothing by itself.
    missing = set(every_field(Policy)) - reached - {(cls, name) for cls, names in UNCOMPARED.items() for name in names}
    assert {place for place in missing if place[1] not in ELSEWHERE} == set()


def test_the_walk_goes_into_unions_and_tuples() -> None:
    found = set(every_field(Policy))
    assert {("Policy", "service"), ("CountGate", "limit"), ("Keyless", "identity"), ("Recurrence", "interval")} <= found


# --- laws on many policies ---

LINE = "      - {use: http-errors, limit: %s%s}\n"
CHOICES: Mapping[str, list[str]] = {
    "calendar": [
        "",
        "calendar: {timezone: UTC, allow: [{days: [mon-thu]}]}\n",
        "calendar: {timezone: UTC, allow: [{days: [mon-fri]}], freeze: [{days: [mon]}]}\n",
        "calendar: {timezone: Asia/Tokyo, freeze: [{days: [mon], to: '12:00'}]}\n",
    ],
    "window": [
        "{for: 30m}",
        "{for: 40m, at_deadline: hold}",
        "{for: 20m, at_deadline: promote}",
        "{for: 30m, at_deadline: promote, deadline: 3h}",
    ],
    "errors": [
        "",
        LINE % ("1%", ""),
        LINE % ("2%", ""),
        LINE % ("1%", ", accept: not-shown-bad"),
        LINE % ("1%", ", floor: 500"),
        LINE % ("0.5%", ", floor: 200"),
        LINE % ("0.5%", ", mode: shadow"),
        "      - {use: http-errors, objective: 99%}\n",
        "      - {use: http-errors, objective: 98%, least_bad: 20}\n",
        "      - {use: http-errors, against: production}\n",
        "      - {use: http-errors, against: production, times: 2}\n",
    ],
    "lag": [
        "",
        "      - {use: kafka-lag, above: 100}\n",
        "      - {use: kafka-lag, above: 100, hard: 500, tiles: 2 of 9}\n",
        "      - {use: kafka-lag, above: 50, tiles: 4 of 9}\n",
        "      - {use: kafka-lag, below: 50}\n",
    ],
    "promote": [
        "{merge: human}",
        "{merge: auto}",
        "{merge: auto, auto_merge: any}",
        "{by: commit}",
        '{merge: human, approvers: ["@a"]}',
        '{merge: human, approvers: ["@a", "@b"]}',
        '{merge: human, approvers: ["@c"]}',
    ],
    "signer": [
        "{identity: 'https://github.com/acme/a/.github/workflows/r.yml@refs/tags/{tag}'}",
        "{identity: 'https://github.com/acme/a/.github/workflows/r.yml@refs/tags/*', runners: [github-hosted]}",
        "{identity: 'https://github.com/acme/a/.github/workflows/*@refs/tags/*', owner_id: 7}",
        "{key: release}",
    ],
    "require": [
        "[{use: signature}]",
        "[{use: signature}, {use: checks, names: [a]}]",
        "[{use: signature}, {use: checks, names: [a, b], app: 3}]",
        "[{use: checks, name: signature, names: [a, b]}]",
    ],
    "triggers": [
        "[{use: argocd-degraded, for: 3m}]",
        "[{use: argocd-degraded, for: 5m}, {use: http-errors, limit: 2%}]",
        "[{use: argocd-degraded, for: 3m, mode: shadow}, {use: http-errors, limit: 5%}]",
    ],
    "watch": ["1h", "2h, at_most: 1, cool_down: 10m", "30m, by: pull-request, also: [staging], during_freeze: false"],
}
TEMPLATE = """\
apiVersion: liftlock.dev/v1
service: a
image: r/a
gitops: {{repository: acme/deploy}}
{calendar}stages:
  - name: staging
    edit: {{kustomize: a}}
    argocd: a
    metrics: {{namespace: a}}
    window: {window}
    gates:
      - {{use: argocd-healthy}}
{errors}{lag}  - name: production
    from: staging
    edit: {{kustomize: b}}
    argocd: b
    metrics: {{namespace: b}}
    promote: {promote}
    artifact: {{signer: {signer}, require: {require}}}
    rollback: {{watch: {watch}, triggers: {triggers}}}
"""
TEXT = st.fixed_dictionaries({name: st.sampled_from(some) for name, some in CHOICES.items()}).map(
    lambda chosen: TEMPLATE.format(**chosen)
)


@given(text=TEXT)
@settings(max_examples=20, deadline=None)
def test_a_policy_compared_with_itself_is_neither(text: str) -> None:
    assert compare_policies(policy(text), policy(text)) == ()


@given(one=TEXT, other=TEXT)
@settings(max_examples=60, deadline=None)
def test_the_way_back_is_the_opposite_place_by_place(one: str, other: str) -> None:
    there, back = compare_policies(policy(one), policy(other)), compare_policies(policy(other), policy(one))
    assert Counter((one_side(change.path), change.way) for change in there) == Counter(
        (one_side(change.path), change.way.opposite) for change in back
    )
    assert Counter(f"{change.old} -> {change.new}" for change in there) == Counter(
        f"{change.new} -> {change.old}" for change in back
    )


def one_side(path: str) -> str:
    """A bound is called by the side that it has in the new policy."""
    return path.replace("].below", "].above")


@given(chosen=st.data())
@settings(max_examples=30, deadline=None)
def test_one_weaker_choice_is_one_stricter_choice_on_the_way_back(chosen: st.DataObject) -> None:
    usual = {name: some[1] for name, some in CHOICES.items()}
    name = chosen.draw(st.sampled_from(sorted(CHOICES)))
    other = usual | {name: chosen.draw(st.sampled_from(CHOICES[name]))}
    old, new = policy(TEMPLATE.format(**usual)), policy(TEMPLATE.format(**other))
    ways = {change.way for change in compare_policies(old, new)}
    back = {change.way for change in compare_policies(new, old)}
    assert (ways == {Way.WEAKER}) is (back == {Way.STRICTER})


@pytest.mark.parametrize("text", TEXTS, ids=["everything", "joined", *INTAKES])
def test_how_a_policy_is_written_changes_nothing(text: str) -> None:
    other = text.replace("apiVersion", "# a comment\napiVersion").replace("30m", "1800s").replace(" 1%", " 0.01")
    assert compare_policies(policy(text), policy(other)) == ()
