"""Stateful fakes, one per port, that implement it whole and fail on demand. Tests assert on their end state."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bot.domain.argo import (
    Application,
    HealthSpell,
    Mark,
    Membership,
    Memory,
    NoApplication,
    Target,
    remember,
)
from bot.domain.model import Numbers, Trouble
from bot.domain.queries import DEFAULT_SOURCE
from bot.ports import (
    Cost,
    Look,
    OutsideError,
)
from bot.records import NOTHING_KNOWN, Arrival, Event, EventKind, Kept, Posting
from bot.trial.memory.clock import SteppedClock
from bot.trial.memory.deployments import MemoryDeployments
from bot.trial.memory.outside import MemoryProving, MemoryRegistry, MemorySummaries
from bot.trial.memory.repositories import MemoryRepositories

T = TypeVar("T")


class FakeClock(SteppedClock):
    """Time that stands still until it is moved."""


@dataclass
class Failing:
    """Fail on demand: `fail["method"] = error` raises at each call of that method; `calls` counts them."""

    fail: dict[str, BaseException] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def called(self, method: str) -> None:
        self.calls.append(method)
        if method in self.fail:
            raise self.fail[method]


def fails(*methods: str) -> Callable[[type[T]], type[T]]:
    """Let methods of a class that is `Failing` fail on demand, and be counted."""

    def wrapped(name: str, method: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(method)
        def call(self: Failing, *arguments: object, **named: object) -> object:
            self.called(name)
            return method(self, *arguments, **named)

        return call

    def decorate(cls: type[T]) -> type[T]:
        for name in methods:
            setattr(cls, name, wrapped(name, getattr(cls, name)))
        return cls

    return decorate


@fails("refresh", "read_file", "file_history", "read_contents", "descent", "branch_change", "commit_file", "push")
@dataclass
class FakeRepositories(Failing, MemoryRepositories):
    """One repository of linear history, held in dictionaries; branches are names of commits."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime(2026, 3, 2, 12, tzinfo=UTC)))


@fails("ask_refresh", "why_blocked", "start_sync")
@dataclass
class FakeDeployments(Failing, MemoryDeployments):
    """Applications as a test sets them; `sync` makes one live at a commit."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime(2026, 3, 2, 12, tzinfo=UTC)))

    def find_applications(
        self, targets: Sequence[Target], *, repository: str, branch: str
    ) -> Mapping[Target, tuple[Application | NoApplication | Trouble, ...]]:
        try:
            self.called("find_applications")
        except OutsideError as error:
            return {target: (error.as_trouble(),) for target in targets}
        return super().find_applications(targets, repository=repository, branch=branch)


@dataclass
class FakeMetrics(Failing):
    """Requests at `per_minute`, of which a share is bad, by namespace-free query text; `silent` gives no series."""

    per_minute: float = 100.0
    bad_share: dict[str, float] = field(default_factory=dict)
    silent: bool = False
    asked: list[Look] = field(default_factory=list)

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        if not looks:
            return []
        try:
            self.called("read")
        except OutsideError as error:
            return [error for _ in looks]
        self.asked.extend(looks)
        return [self._numbers(look) for look in looks]

    def _numbers(self, look: Look) -> Numbers:
        total = self.per_minute * (look.width / timedelta(minutes=1))
        is_bad = look.query.text.startswith("bad-")
        share = next((share for part, share in self.bad_share.items() if part in look.query.text), 0.0)
        value = None if self.silent else total * share if is_bad else total
        return (value,) * ((look.end - look.start) // look.width)

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        self.called("bucket_bounds")
        return ()

    def scrape_interval(self, source: str = DEFAULT_SOURCE, /) -> timedelta | None:
        return timedelta(seconds=15)

    def cost(self) -> Cost:
        return Cost(queries=len(self.asked))

    def describe(self, source: str = DEFAULT_SOURCE, /) -> str:
        return "Prometheus (fake)" if source == DEFAULT_SOURCE else f"Prometheus {source} (fake)"


@fails("find_artifact", "list_tags", "read_facts")
@dataclass
class FakeRegistry(Failing, MemoryRegistry):
    """Digests by `image:tag`; None for all others, as without a configured registry. `facts` are by digest."""


@fails("keep")
@dataclass
class FakeSummaries(Failing, MemorySummaries):
    """Keeps summaries by name, unsigned."""


@fails("proofs_of")
@dataclass
class FakeProving(Failing, MemoryProving):
    """Proofs by digest, in the registry or kept by GitHub."""


@dataclass
class FakeSightings(Failing):
    """What was seen of applications, in lists."""

    health: dict[tuple[str, str], list[HealthSpell]] = field(default_factory=dict)
    members: dict[tuple[str, str], list[Membership]] = field(default_factory=dict)
    marks: dict[Arrival, list[Mark]] = field(default_factory=dict)

    def saw_health(
        self,
        service: str,
        stage: str,
        seen: Mapping[str, str],
        at: datetime,
        *,
        gap: timedelta,
        since: Mapping[str, datetime] = NOTHING_KNOWN,
    ) -> None:
        self.called("saw_health")
        spells = self.health.setdefault((service, stage), [])
        for application, health in seen.items():
            newest = next((spell for spell in reversed(spells) if spell.application == application), None)
            began = since.get(application, at)
            is_younger = newest is not None and newest.last_seen < began < at
            if newest and newest.health == health and abs(at - newest.last_seen) <= gap and not is_younger:
                spells[spells.index(newest)] = replace(newest, last_seen=at)
            else:
                first = began if began < at and (newest is None or began > newest.last_seen) else at
                spells.append(HealthSpell(application=application, health=health, first_seen=first, last_seen=at))

    def saw_members(self, service: str, stage: str, members: Sequence[str], at: datetime) -> None:
        self.called("saw_members")
        runs, seen = self.members.setdefault((service, stage), []), tuple(sorted(members))
        if runs and runs[-1].members == seen:
            runs[-1] = replace(runs[-1], last_seen=at)
        else:
            runs.append(Membership(members=seen, first_seen=at, last_seen=at))

    def mark(self, arrival: Arrival, mark: Mark) -> None:
        self.called("mark")
        self.marks.setdefault(arrival, []).append(mark)

    def recall(self, arrival: Arrival, since: datetime, until: datetime) -> Memory:
        self.called("recall")
        of_stage = (arrival.service, arrival.stage)
        spells = [spell for spell in self.health.get(of_stage, []) if spell.last_seen >= since]
        members = [run for run in self.members.get(of_stage, []) if run.last_seen >= since]
        return remember(spells, members, self.marks.get(arrival, []), until)


@dataclass
class FakeLedger(Failing):
    """Ledger and board in lists and dictionaries."""

    recorded: list[Event] = field(default_factory=list)
    kept: dict[Arrival, dict[str, dict[datetime, float | None]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    posted: dict[str, Posting] = field(default_factory=dict)

    def record(self, event: Event) -> None:
        self.called("record")
        self.recorded.append(event)

    def events(self, *, service: str | None = None, kind: EventKind | None = None, limit: int = 100) -> Sequence[Event]:
        self.called("events")
        mine = [
            event
            for event in reversed(self.recorded)
            if service in (None, event.service) and kind in (None, event.kind)
        ]
        return mine[:limit]

    def latest(self, kind: EventKind) -> Mapping[str, Event]:
        self.called("latest")
        return {event.service: event for event in self.recorded if event.kind == kind}

    def began(self, service: str) -> datetime | None:
        self.called("began")
        return next((event.at for event in self.recorded if event.service == service), None)

    def numbers(self, arrivals: Sequence[Arrival]) -> Mapping[Arrival, Kept]:
        self.called("numbers")
        return {arrival: deepcopy(self.kept.get(arrival, {})) for arrival in arrivals}

    def keep_numbers(self, numbers: Mapping[Arrival, Kept]) -> None:
        self.called("keep_numbers")
        for arrival, kept in numbers.items():
            for series, found in kept.items():
                old = self.kept.setdefault(arrival, {}).setdefault(series, {})
                old.update({start: value for start, value in found.items() if start not in old})

    def noted(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.called("noted")
        return {key: self.notes[key] for key in keys if key in self.notes}

    def note(self, key: str, value: str) -> None:
        self.called("note")
        self.notes[key] = value

    def post(self, posting: Posting) -> None:
        self.called("post")
        self.posted[posting.subject] = posting

    def remove(self, subject: str) -> None:
        self.called("remove")
        self.posted.pop(subject, None)

    def postings(self) -> Sequence[Posting]:
        self.called("postings")
        return [self.posted[subject] for subject in sorted(self.posted)]


def an_error(sentence: str = "no answer", system: str = "Outside") -> OutsideError:
    return OutsideError(system, sentence)
