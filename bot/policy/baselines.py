"""Rules that compare a share with that of a baseline, which must never be the release itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.queries import DEFAULT_SOURCE, RELEASE_TAG
from bot.domain.rules import (
    NO_TIME,
    BaselineGate,
)
from bot.domain.statistics import EFFECT_POINTS, EFFECT_TIMES
from bot.domain.text import format_duration
from bot.policy.filling import Filling, at_least_one
from bot.policy.grammar import A_DURATION, A_LIMIT
from bot.policy.labels import read_labels
from bot.policy.reading import Section, positive_duration, share, shown


def read_baseline(filling: Filling) -> BaselineGate | None:
    """Read a share that must be no worse than elsewhere."""
    base = _base(filling)
    times = filling.section.read("times", at_least_one, "a number of at least 1, such as 1.5", default=EFFECT_TIMES)
    points = filling.section.read("points", share, A_LIMIT, default=EFFECT_POINTS)
    if base is None or times is None or points is None:
        return None
    query, total = filling.counts(filling.labels)
    base_query, base_total = filling.counts(base.labels, source=base.source)
    return BaselineGate(
        name=filling.name,
        template=filling.template.name,
        title=f"{filling.title}, no worse than {base.called}",
        counts=filling.template.counts,
        query=query,
        total=total,
        base_query=base_query,
        base_total=base_total,
        base=base.called,
        base_stage=base.stage,
        tile=filling.around.tile,
        times=times,
        points=points,
        past=base.past,
        buckets=filling.buckets(),
        is_shadow=filling.is_shadow,
    )


def _base(filling: Filling) -> _Base | None:
    value = filling.section.entries["against"]
    base = _base_of_stage(filling, value.text) if value.kind == "text" else _base_of_mapping(filling)
    if base is None:
        return None
    found = None
    if RELEASE_TAG in base.labels.values():
        found = f"{RELEASE_TAG} in the baseline's labels"
    elif (
        filling.around.labels
        and not base.past
        and base.source in (None, filling.source)
        and _overlap(base.labels, filling.labels)
    ):
        found = "a baseline that has series of this stage itself"
    if found is not None:
        expected = "labels that do not select this release itself"
        filling.section.faults.note(value, filling.section.at("against"), found, expected)
        return None
    return base


def _base_of_stage(filling: Filling, name: str) -> _Base | None:
    around = filling.around
    others = [stage for stage in around.stages if not _is_itself(filling, stage)]
    if name not in others:
        value = filling.section.entries["against"]
        expected = "labels or ago"
        if others:
            expected = (
                f"a stage with metrics that gets the release later: {filling.section.faults.one_of_these(name, others)}"
            )
        filling.section.faults.note(value, filling.section.at("against"), shown(value), expected)
        return None
    labels, source = {**around.stages[name], **filling.more}, _source_of(filling, name)
    return _Base(labels=labels, called=name, stage=name, source=source)


def _source_of(filling: Filling, stage: str) -> str:
    """Return where a stage's series are: where the entry says that it looks, or else where that stage has its own."""
    return filling.own_source or filling.around.sources.get(stage, DEFAULT_SOURCE)


def _is_itself(filling: Filling, stage: str) -> bool:
    """Say whether a stage has the very series of the entry's own."""
    is_there = _source_of(filling, stage) == filling.source
    return is_there and filling.around.stages[stage] == filling.around.labels


def _base_of_mapping(filling: Filling) -> _Base | None:
    against = filling.section.section("against")
    if against is None:
        return None
    labels, ago = against.get("labels"), against.get("ago")
    if labels is not None and ago is not None:
        against.faults.note(ago, against.at("ago"), "ago beside labels", "one of them")
    base = _base_of_past(filling, against) if labels is None else _base_of_labels(filling, against.section("labels"))
    against.finish()
    return base


def _base_of_labels(filling: Filling, section: Section | None) -> _Base | None:
    more = read_labels(section) if section is not None else None
    if not more:
        return None
    called = ", ".join(f"{name}={value}" for name, value in more.items())
    return _Base(labels={**filling.labels, **more}, called=called)


def _base_of_past(filling: Filling, against: Section) -> _Base | None:
    past = against.read("ago", positive_duration, f"labels, or {A_DURATION}")
    if past is None:
        return None
    if filling.around.is_trigger:
        expected = "one with labels or a stage: the past takes nothing back"
        against.faults.note(against.value, against.path, "a comparison with the past", expected)
        return None
    if past % filling.around.tile:
        expected = f"one of {format_duration(filling.around.tile)}"
        against.faults.note(against.value, against.at("ago"), "a time that is no multiple of the tile", expected)
    window = filling.around.window
    if window is not None and past < window.deadline:
        # A gate looks on until the deadline, and must never be compared with its own release.
        expected = f"at least the window's deadline, {format_duration(window.deadline)}"
        against.faults.note(against.value, against.at("ago"), "a time at which this release may have run", expected)
    return _Base(labels=filling.labels, called=f"itself {format_duration(past)} ago", past=past)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What a baseline is: the labels of its series, what people call it, how long ago it was, and which stage it is.

    `source` is the data source that has its series, None for that of the entry.
    """

    labels: Mapping[str, str]
    called: str
    past: timedelta = NO_TIME
    stage: str | None = None
    source: str | None = None


def _overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Say whether one selects all series of the other. Labels of other names may do so too; nobody can tell."""
    return one.items() <= other.items() or other.items() <= one.items()
