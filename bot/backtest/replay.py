"""Judge one case at every look, as the bot would have done, until it is decided or nothing is left to look at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.backtest.cases import Case, Question
from bot.domain.decide import decide
from bot.domain.decision import Decision, Judgement, State, Wait
from bot.domain.model import Samples, TagHistory, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.domain.rules import BaselineGate
from bot.domain.text import format_date_instant, format_instant
from bot.domain.verdicts import (
    ApplicationEvidence,
    ArtifactEvidence,
    Verdict,
    VerdictKind,
    combine,
    deciding,
    worst,
)

Sample = Callable[[Policy, Observation], Observation]
"""Adds what was measured up to the observation's instant."""


class End(StrEnum):
    """What the policy would have come to. The first four are of a move, the next three of a watch."""

    PROMOTED = "promoted"
    STOPPED = "stopped"
    HELD = "held"
    REPLACED = "replaced first"
    KEPT = "kept"
    ROLLED_BACK = "rolled back"
    HALTED = "left to a person"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class InShadow:
    """A rule in the shadow that would have spoken against the release, had it decided: the first time."""

    rule: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the policy came to, when, and the one sentence why; `rule` is the gate or trigger that decided.

    `verdicts` are the last ones. `delays` say what kept back a release that had proven itself. `looks` is how often it
    was looked at. `from_tile` is where the first tile begins that a rule which decides was to have.
    """

    end: End
    at: datetime | None
    reason: str
    rule: str = ""
    verdicts: tuple[Verdict, ...] = ()
    delays: tuple[str, ...] = ()
    shadows: tuple[InShadow, ...] = ()
    looks: int = 0
    from_tile: datetime | None = None


_FORBIDDEN = frozenset({State.HALTED, State.WAITING_FOR_HUMAN, State.QUARANTINED, State.HELD_BY_HUMAN})
_DELAYED = frozenset({State.FROZEN, State.COOLING_DOWN})


STRIDE = 12
"""How many looks are passed over at once where nothing but an alarm can happen: an alarm stands, so none is missed.

While nothing may move, those of the whole time are.
"""


def replay(case: Case, sample: Sample, lag: timedelta, *, stride: int = STRIDE) -> Outcome:
    """Judge a case at each look. `lag` is how old a tile must be before it is read.

    It comes to the same with any `stride`: of looks that are passed over, the last one said what those before it said.
    """
    looking = _Looking(case=case, sample=sample, lag=lag, stride=stride)
    return _replay_move(case, looking) if case.asked.question is Question.MOVE else _replay_watch(case, looking)


@dataclass(slots=True, kw_only=True)
class _Looking:
    """Goes from look to look. What the next looks need is read at once, then judged tile by tile."""

    case: Case
    sample: Sample
    lag: timedelta
    stride: int
    looks: int = 0
    closed_until: datetime | None = None
    _read_until: datetime | None = None

    def decisions(self) -> Iterator[Decision]:
        """Yield a decision for each look that may matter, oldest first."""
        before: object = None
        alarms = 0
        for some in self._strides():
            if self.is_closed(some[-1]):
                yield from self._alarms(some, alarms)
                continue
            last = self._decide(some[-1])
            if len(some) > 1 and _signature(last) != before:
                for now in some[:-1]:
                    decision = self._decide(now)
                    self.looks += 1
                    yield decision
            else:
                self.looks += len(some) - 1
            self.looks += 1
            before, alarms = _signature(last), len(_alarms_of(last))
            yield last

    def is_closed(self, now: datetime) -> bool:
        """Say whether nothing may move at a look, so that only an alarm decides."""
        return self.closed_until is not None and now < self.closed_until

    def _strides(self) -> Iterator[list[datetime]]:
        some: list[datetime] = []
        for now in self.case.looks(self.lag):
            if some and self.is_closed(some[-1]) and not self.is_closed(now):
                yield some
                some = []
            some.append(now)
            if self._is_whole(some):
                yield some
                some = []
        if some:
            yield some

    def _is_whole(self, some: Sequence[datetime]) -> bool:
        now = some[-1]
        if self.is_closed(now):
            return self.stride == 1 or not self.case.alarms_stand
        return len(some) >= self.stride or not self.case.waits_for_alarms(now) or self.looks == 0

    def _alarms(self, some: Sequence[datetime], before: int) -> Iterator[Decision]:
        """Yield the first look of each alarm beyond those of `before`, and the last look.

        A freeze may last for weeks, and to judge each tile of it would take very long. Alarms stand, so that there are
        never fewer of them later, and the first look with more can be searched by halves.
        """
        while some:
            last = self._decide(some[-1])
            if len(_alarms_of(last)) <= before:
                self.looks += len(some)
                yield last
                return
            first = bisect_right(some, before, key=self._count_alarms)
            decision = self._decide(some[first])
            self.looks += first + 1
            before, some = len(_alarms_of(decision)), some[first + 1 :]
            yield decision

    def _count_alarms(self, now: datetime) -> int:
        return len(_alarms_of(self._decide(now)))

    def _decide(self, now: datetime) -> Decision:
        case = self.case
        if self._read_until is None or now > self._read_until:
            self._read_until = case.read_ahead(now, self.lag)
            self.sample(case.policy, case.observe(self._read_until))
        observed = self.sample(case.policy, case.observe(now))
        return decide(case.policy, _without_shared_baseline(case, observed), now)


@dataclass(slots=True)
class _Course:
    """How a case goes: what is gathered from look to look."""

    looking: _Looking
    verdicts: tuple[Verdict, ...] = ()
    delays: tuple[str, ...] = ()
    shadows: tuple[InShadow, ...] = ()

    def take(self, running: Judgement, now: datetime) -> None:
        self.verdicts = running.verdicts
        seen = {one.rule for one in self.shadows}
        self.shadows += tuple(
            InShadow(rule=one.gate, at=now, reason=one.reason)
            for one in running.verdicts
            if one.is_shadow and one.kind is VerdictKind.UNHEALTHY and one.gate not in seen
        )

    def ends(self, end: End, at: datetime | None, reason: str, rule: str = "") -> Outcome:
        return Outcome(
            end=end,
            at=at,
            reason=reason,
            rule=rule,
            verdicts=self.verdicts,
            delays=self.delays,
            shadows=self.shadows,
            looks=self.looking.looks,
            from_tile=_first_tile(self.verdicts),
        )


def _signature(decision: Decision) -> object:
    """Return what must be the same for two looks to have said the same: the states, and which alarms stand."""
    return [found.state for found in decision.judgements], _alarms_of(decision)


def _alarms_of(decision: Decision) -> list[str]:
    return [one.gate for found in decision.judgements for one in found.verdicts if one.kind is VerdictKind.UNHEALTHY]


# --- may it move on --------------------------------------------------------------------------------------------------


def _replay_move(case: Case, looking: _Looking) -> Outcome:
    course, last = _Course(looking=looking), ""
    for decision in looking.decisions():
        running, candidate = _running(decision, case.stand.stage), _candidate(decision, case.asked.target)
        course.take(running, decision.at)
        if candidate is None:
            return course.ends(End.CANNOT_TELL, None, f"{case.asked.target} had this release already")
        ended = _stop(course, running, decision.at)
        if ended is None and looking.is_closed(decision.at):
            # What else comes and goes meanwhile is seen when it may move again.
            continue
        ended = ended or _end_of_move(course, running, candidate, decision.at)
        if ended is not None:
            return ended
        is_delayed = candidate.state in _DELAYED
        last = candidate.reason if is_delayed else running.reason
        if is_delayed:
            looking.closed_until = _until(decision, case.asked.target)
            course.delays = tuple(dict.fromkeys((*course.delays, last)))
        if is_delayed and looking.closed_until is None:
            return course.ends(End.HELD, decision.at, last)
    return _undecided(case, course, last)


def _stop(course: _Course, running: Judgement, now: datetime) -> Outcome | None:
    if running.state is not State.UNHEALTHY:
        return None
    return course.ends(End.STOPPED, now, running.reason, _rule(running))


def _rule(running: Judgement) -> str:
    return worst(running.verdicts).gate if running.verdicts else ""


def _end_of_move(course: _Course, running: Judgement, candidate: Judgement, now: datetime) -> Outcome | None:
    if candidate.state is State.READY_TO_MERGE:
        return course.ends(End.PROMOTED, now, candidate.reason)
    if running.state is State.DEADLINE_PASSED:
        is_unclear = combine(running.verdicts) is VerdictKind.CANNOT_TELL
        return course.ends(End.CANNOT_TELL if is_unclear else End.HELD, now, running.reason, _rule(running))
    is_blind = candidate.state is State.CANNOT_TELL and running.state is not State.CANNOT_TELL
    if is_blind or candidate.state in _FORBIDDEN:
        return course.ends(End.CANNOT_TELL if is_blind else End.HELD, now, candidate.reason)
    return None


def _undecided(case: Case, course: _Course, last: str) -> Outcome:
    if not course.looking.looks:
        return course.ends(End.REPLACED if not case.is_cut else End.CANNOT_TELL, None, "nothing was measured by then")
    if course.verdicts and combine(course.verdicts) is VerdictKind.CANNOT_TELL:
        return course.ends(End.CANNOT_TELL, None, last, worst(course.verdicts).gate)
    if case.is_replaced_before(case.last):
        reason = f"it was replaced at {format_date_instant(case.until)}, before the policy had decided: {last}"
        return course.ends(End.REPLACED, None, reason)
    return course.ends(End.CANNOT_TELL, None, f"it is not decided yet at {format_date_instant(case.last)}: {last}")


# --- must it be taken back -------------------------------------------------------------------------------------------


def _replay_watch(case: Case, looking: _Looking) -> Outcome:
    course = _Course(looking=looking)
    for decision in looking.decisions():
        running = _running(decision, case.stand.stage)
        course.take(running, decision.at)
        if running.state is State.ROLLING_BACK:
            return course.ends(End.ROLLED_BACK, decision.at, running.reason, _fired(running))
        if running.state is State.HALTED:
            return course.ends(End.HALTED, decision.at, running.reason, _fired(running))
    blind = [one for one in deciding(course.verdicts) if one.kind is VerdictKind.CANNOT_TELL]
    if blind:
        return course.ends(End.CANNOT_TELL, None, f"{blind[0].gate}: {blind[0].reason}", blind[0].gate)
    if case.is_cut and case.last >= case.until:
        reason = f"its watch goes on at {format_date_instant(case.until)}, and no trigger has fired yet"
        return course.ends(End.CANNOT_TELL, None, reason)
    return course.ends(End.KEPT, None, _why_kept(case, course))


def _why_kept(case: Case, course: _Course) -> str:
    kept = f"no trigger fired until {format_instant(case.last)}"
    when = ", when it was replaced" if case.is_replaced_before(case.last) else ", when its watch ended"
    silent = [one for one in deciding(course.verdicts) if one.kind is VerdictKind.NO_DATA]
    return f"{kept}{when}; {silent[0].gate}: {silent[0].reason}" if silent else f"{kept}{when}"


def _fired(running: Judgement) -> str:
    return next((one.gate for one in deciding(running.verdicts) if one.kind is VerdictKind.UNHEALTHY), "")


# --- what a decision says --------------------------------------------------------------------------------------------


def _running(decision: Decision, stage: str) -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == (stage, "running"))


def _candidate(decision: Decision, stage: str) -> Judgement | None:
    return next((one for one in decision.judgements if (one.stage, one.role) == (stage, "candidate")), None)


def _until(decision: Decision, stage: str) -> datetime | None:
    waits = [one for one in decision.actions if isinstance(one, Wait) and one.stage == stage]
    return next((wait.until for wait in waits if wait.until is not None), None)


def _first_tile(verdicts: Sequence[Verdict]) -> datetime | None:
    """Return where the first tile begins that any rule which decides has looked at."""
    evidence = [one.evidence for one in deciding(verdicts) if one.evidence is not None]
    starts = [
        one.measured.window_start for one in evidence if not isinstance(one, ApplicationEvidence | ArtifactEvidence)
    ]
    return min(starts, default=None)


# --- a baseline that has the release, too ----------------------------------------------------------------------------


def _without_shared_baseline(case: Case, seen: Observation) -> Observation:
    """Take away what a baseline measured of the release itself: it really came to that stage at some time."""
    shared: dict[str, Samples | Trouble] = {}
    samples: Mapping[str, Samples | Trouble] = seen.stage(case.stand.stage).samples
    for gate in case.stage.gates:
        base = gate.base_stage if isinstance(gate, BaselineGate) else None
        if base is not None and f"gate:{gate.name}" in samples and _has_release(case, base, seen.at):
            sentence = f"{base} really had {case.stand.tag} by then, too, so there is nothing to compare with"
            shared[f"gate:{gate.name}"] = Trouble(system="The baseline", sentence=sentence)
    if not shared:
        return seen
    stages = tuple(
        replace(stage, samples={**stage.samples, **shared}) if stage.stage == case.stand.stage else stage
        for stage in seen.stages
    )
    return replace(seen, stages=stages)


def _has_release(case: Case, base: str, at: datetime) -> bool:
    tags = case.facts.tags[base]
    if not isinstance(tags, TagHistory):
        return False
    known = [change for change in tags.changes if change.at <= at]
    return bool(known) and known[0].new == case.stand.tag
