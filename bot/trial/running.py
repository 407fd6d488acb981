"""Run the tests of a file: from look to look, and at each expectation compare what is with what was expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.decision import Action, Decision
from bot.domain.text import format_duration, format_instant
from bot.engine.acting import NOT_DONE
from bot.engine.sweep import ServiceReport
from bot.trial.acting import newest_pull
from bot.trial.cases import Case, Event, Expectation, TrialFile
from bot.trial.coverage import Exercise
from bot.trial.judging import Failure, Sight, judge
from bot.trial.measuring import SwitchedMetrics, measured
from bot.trial.world import Trial, made_up


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What came of one test: nothing is wrong if there are no failures."""

    case: Case
    failures: tuple[Failure, ...]
    looks: int
    seconds: float


def run_file(
    file: TrialFile, binary: Path, *, now: datetime, timer: Callable[[], float], hear: Callable[[CaseResult], None]
) -> tuple[str, ...]:
    """Run all tests of a file, each with a Prometheus of its own; return what of the policy none of them exercised.

    `hear` is told of each test as it ends. `now` is the time of this machine, `timer` counts seconds. Raise
    OutsideError where Prometheus cannot be used.
    """
    exercise = Exercise.of(file.policy)
    for case in file.cases:
        began = timer()
        with measured(binary, case, file.interval, now) as metrics:
            looks, failures = run_case(file, case, metrics, exercise)
        hear(CaseResult(case=case, failures=failures, looks=looks, seconds=timer() - began))
    return exercise.unexercised()


def run_case(
    file: TrialFile, case: Case, metrics: SwitchedMetrics, exercise: Exercise
) -> tuple[int, tuple[Failure, ...]]:
    """Run one test with what measures its series; return how many looks it took, and what was not as expected."""
    with made_up(file, case, metrics) as trial:
        run = _Run(case=case, trial=trial, exercise=exercise)
        failures = tuple(run.failures())
    return run.count, failures


@dataclass(slots=True, kw_only=True)
class _Run:
    """One test under way. `deeds` are all that the bot has done so far."""

    case: Case
    trial: Trial
    exercise: Exercise
    deeds: list[Action] = field(default_factory=list)
    count: int = 0

    def failures(self) -> Iterator[Failure]:
        """Step from look to look to the end, and give what is not as it was expected."""
        events, expected = list(self.case.timeline), list(self._in_order())
        while expected:
            since = self.count * self.case.looks
            failed = list(self._happen(events, since))
            report = self._look(since)
            decision = report.decision
            if failed or decision is None or report.observation is None:
                # What comes later would only be wrong as a consequence.
                yield from failed or [self._broken(expected[0].line, since, report)]
                return
            self.exercise.note(decision, report.observation)
            self.deeds += _done(report)
            while expected and expected[0].at <= since:
                one = expected.pop(0)
                yield from judge(one, self._sight(one.stage, decision, report))
            self.count += 1

    def _in_order(self) -> Sequence[Expectation]:
        return sorted(self.case.expectations, key=lambda one: one.at)

    def _happen(self, events: list[Event], until: timedelta) -> Iterator[Failure]:
        """Let everything happen that is due: what falls between two looks at its own time."""
        while events and events[0].at < until:
            yield from self._one(events.pop(0))
        self.trial.clock.at = self.case.at + until
        # A commit of before is synced at this look, and the test may say more of it.
        self.trial.cluster.follow()
        while events and events[0].at == until:
            yield from self._one(events.pop(0))

    def _one(self, event: Event) -> Iterator[Failure]:
        self.trial.clock.at = self.case.at + event.at
        obstacle = self.trial.happen(event.what)
        if obstacle is not None:
            yield Failure(line=event.line, at=event.at, about="the timeline", said=(f"this cannot happen: {obstacle}",))

    def _look(self, since: timedelta) -> ServiceReport:
        self.trial.clock.at = self.case.at + since
        return self.trial.look()

    def _broken(self, line: int, since: timedelta, report: ServiceReport) -> Failure:
        instant = format_instant(self.case.at + since)
        said = f"at {format_duration(since)} ({instant}) the bot could not judge the service: {report.error}"
        return Failure(line=line, at=since, about="the bot", said=(said,))

    def _sight(self, stage: str, decision: Decision, report: ServiceReport) -> Sight:
        assert report.observation is not None  # noqa: S101 - the caller has looked
        return Sight(
            policy=self.trial.policy,
            decision=decision,
            observation=report.observation,
            tag=self.trial.tag_of(stage),
            pull=newest_pull(self.trial.forge, self.trial.policy, stage),
            deeds=tuple(action for action in self.deeds if action.stage == stage),
        )


def _done(report: ServiceReport) -> Iterator[Action]:
    """Give what the bot has really done at a look; of what failed the outcome says so."""
    for action, outcome in report.outcomes:
        if not outcome.startswith(NOT_DONE):
            yield action
