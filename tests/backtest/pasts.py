"""Facts of the past, made by hand: changes of two stages, and what was measured by a function of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.backtest.cases import Case, Question, Unknown, cases_of
from bot.backtest.facts import Facts, Live, LiveFrom
from bot.backtest.replay import Sample
from bot.domain.model import Numbers, Sha, TagChange, TagHistory, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.ports import Look, OutsideError
from bot.records import Arrival, Kept
from bot.sampling import Sampler, Subject
from tests.builders import MINUTE, NOON, a_change, a_policy, sha, tags
from tests.fakes import FakeMetrics

LAG = timedelta(seconds=15)
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LATER = NOON + 30 * DAY
Measure = Callable[[str, datetime], float | None]
"""What a query gives for the tile that begins at an instant."""


def came(new: str, old: str | None, at: datetime, stage: str = "s") -> TagChange:
    """A change of a stage's tag, by a commit of its own."""
    return a_change(new, old=old, at=at, commit=commit_of(stage, new, at))


def commit_of(stage: str, tag: str, at: datetime) -> Sha:
    return sha(f"{stage}{tag}{(at - NOON) // MINUTE}")


def history(stage: str, *steps: tuple[str, datetime], complete: bool = True) -> TagHistory:
    """A stage's history from its tags in order, oldest first."""
    olds = [None, *(tag for tag, _ in steps)]
    changes = [came(tag, old, at, stage) for (tag, at), old in zip(steps, olds, strict=False)]
    return tags(*reversed(changes), complete=complete)


def facts(
    staging: TagHistory | Trouble,
    production: TagHistory | Trouble,
    *,
    policy: Policy | None = None,
    live: Mapping[tuple[str, Sha], Live] | None = None,
) -> Facts:
    """Facts in which every release was live when it was committed, unless said otherwise."""
    histories = {"staging": staging, "production": production}
    found = {
        (stage, change.commit): Live(at=change.at, known_from=LiveFrom.ASSUMED)
        for stage, one in histories.items()
        if isinstance(one, TagHistory)
        for change in one.changes
    }
    members = {stage: (f"checkout-{stage}",) for stage in histories}
    return Facts(policy=policy or a_policy(), tags=histories, live=found if live is None else live, members=members)


@dataclass
class MeasuredPast(FakeMetrics):
    """Answers each tile by a function of its query and its start."""

    measure: Measure = lambda text, _: 0.0 if text.startswith("bad") else 100.0

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        self.asked.extend(looks)
        return [
            tuple(
                self.measure(look.query.text, look.start + n * look.width)
                for n in range((look.end - look.start) // look.width)
            )
            for look in looks
        ]


class Forgetful:
    """A ledger that has no numbers and keeps none."""

    def numbers(self, arrivals: Sequence[Arrival]) -> Mapping[Arrival, Kept]:
        return {}

    def keep_numbers(self, numbers: Mapping[Arrival, Kept]) -> None:
        """Keep nothing."""


def sampling(measure: Measure) -> Sample:
    """The bot's own sampler on numbers that a function gives."""
    sampler = Sampler(metrics=MeasuredPast(measure=measure), ledger=Forgetful(), lag=LAG)

    def sample(policy: Policy, seen: Observation) -> Observation:
        return sampler.sample([Subject(policy=policy, seen=seen)])[0]

    return sample


def errors(share: float, *, since: datetime = NOON, per_minute: float = 100.0) -> Measure:
    """Requests of which a share is bad from an instant on; before it none."""

    def measure(text: str, at: datetime) -> float | None:
        if text.startswith("base bad"):
            return 0.0
        return per_minute * share * (at >= since) if text.startswith("bad") else per_minute

    return measure


def the_case(found: Facts, question: Question, tag: str, *, until: datetime = LATER) -> Case:
    """The one case of a release and a question."""
    cases = [one for one in cases_of(found, NOON - DAY, until) if isinstance(one, Case)]
    (case,) = [one for one in cases if (one.asked.question, one.stand.tag) == (question, tag)]
    return case


def unknowns(found: Facts, *, until: datetime = LATER) -> list[Unknown]:
    return [one for one in cases_of(found, NOON - DAY, until) if isinstance(one, Unknown)]
