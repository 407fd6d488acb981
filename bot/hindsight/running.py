"""Go through a backtest: read the facts, judge case by case, and put the report together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot.backtest.blind_spots import blind_spots
from bot.backtest.cases import Case, Unknown, cases_of
from bot.backtest.facts import Facts, LiveFrom
from bot.backtest.fates import Range, entry_of, fate_of
from bot.backtest.replay import End, Outcome, Sample, replay
from bot.backtest.report import Judged, Report, Row, differences, judged, without_history
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.domain.text import count_of, format_duration, times
from bot.hindsight.history import HistoryReader
from bot.hindsight.tiles import PastTiles
from bot.records import Arrival, Kept
from bot.sampling import Asking, Sampler, Subject

Progress = Callable[[int, int], None]
"""Hears how many cases of how many are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """A backtest of a policy, and of a `new` one beside it. `lag` is how old a tile must be before the bot reads it.

    `asking` is how the settings let sources be asked.
    """

    policy: Policy
    new: Policy | None
    history: HistoryReader
    tiles: PastTiles
    asked: Range
    lag: timedelta
    asking: Asking = field(default_factory=Asking)

    def run(self, heard: Progress) -> Report:
        """Judge all. Raise OutsideError where Git or Prometheus does not answer."""
        policies = [self.policy, *([self.new] if self.new is not None else [])]
        facts = [self.history.read(policy) for policy in policies]
        cases = [list(cases_of(one, self.asked.since, self.asked.until)) for one in facts]
        count = _Count(whole=sum(map(len, cases)), heard=heard)
        rows = [[self._row(one, case, count) for case in some] for one, some in zip(facts, cases, strict=True)]
        old, *new = (self._judged(one, some) for one, some in zip(facts, rows, strict=True))
        return Report(
            service=self.policy.service,
            since=self.asked.since,
            until=self.asked.until,
            hotfix=self.asked.hotfix,
            source=self.tiles.describe(),
            old=old,
            new=new[0] if new else None,
            differences=differences(old, new[0]) if new else (),
        )

    def _row(self, facts: Facts, case: Case | Unknown, count: _Count) -> Row:
        outcome = _unknown(case) if isinstance(case, Unknown) else replay(case, self._sample(), self.lag)
        count.one_more()
        asked = case.asked
        entry = entry_of(facts, asked.stand, asked.target, self.asked.until) if asked.target else None
        return Row(
            name=asked.name,
            question=asked.question,
            stage=asked.stand.stage,
            tag=asked.stand.tag,
            came_at=asked.stand.at,
            live=None if isinstance(case, Unknown) else case.live,
            outcome=outcome,
            fate=fate_of(facts, asked.stand, self.asked),
            moved_on_at=entry.at if entry is not None else None,
        )

    def _sample(self) -> Sample:
        """Return what adds samples, by the bot's own sampler: it reads what it lacks, and nothing twice."""
        sampler = Sampler(metrics=self.tiles, ledger=_NothingKept(), lag=self.lag, asking=self.asking)

        def sample(policy: Policy, seen: Observation) -> Observation:
            return sampler.sample([Subject(policy=policy, seen=seen)])[0]

        return sample

    def _judged(self, facts: Facts, rows: Sequence[Row]) -> Judged:
        # Only when all is read is it known how far back the samples reach.
        source = "Prometheus"
        known = [without_history(row, self.tiles.earliest, source=source) for row in rows]
        return judged(
            known,
            file=facts.policy.file,
            version=facts.policy.version,
            blind_spots=blind_spots(facts.policy),
            missing=[*facts.notes, *self._assumed(rows), *_cut_off(rows, known)],
        )

    def _assumed(self, rows: Sequence[Row]) -> Iterable[str]:
        live = {(row.stage, row.tag): row.live for row in rows if row.live is not None}
        count = sum(one.known_from is LiveFrom.ASSUMED for one in live.values())
        if count and self.history.deploy_delay is not None:
            delay = format_duration(self.history.deploy_delay)
            what = f"Argo CD's history does not tell {times(count)} when a release was live in a stage"
            yield f"{what}: taken to be {delay} after the commit"


@dataclass(slots=True, kw_only=True)
class _Count:
    """How far it is."""

    whole: int
    heard: Progress
    done: int = 0

    def one_more(self) -> None:
        self.done += 1
        self.heard(self.done, self.whole)


def _unknown(case: Unknown) -> Outcome:
    return Outcome(end=End.CANNOT_TELL, at=None, reason=case.reason)


def _cut_off(before: Sequence[Row], after: Sequence[Row]) -> Iterable[str]:
    lost = [new.tag for old, new in zip(before, after, strict=True) if old.outcome.end is not new.outcome.end]
    if lost:
        count = count_of(len(dict.fromkeys(lost)), "release")
        yield f"Prometheus has no samples from when {count} came, so nobody can tell what the policy would have done"


class _NothingKept:
    """What is read is kept with the tiles, and nowhere else."""

    def numbers(self, arrivals: Sequence[Arrival]) -> Mapping[Arrival, Kept]:
        """Know nothing of any arrival."""
        return {arrival: {} for arrival in arrivals}

    def keep_numbers(self, numbers: Mapping[Arrival, Kept]) -> None:
        """Leave it to the tiles."""
