"""Reports made by hand: a row for each thing that can become of a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.backtest.cases import Question
from bot.backtest.facts import Live, LiveFrom
from bot.backtest.fates import Fate, Was
from bot.backtest.replay import End, InShadow, Outcome
from bot.backtest.report import Judged, Report, Row, differences, judged
from bot.domain.gates.judging import judge_measured
from bot.domain.gates.measuring import STOP
from bot.domain.observed import Measurement
from bot.domain.rules import MeasuredRule
from bot.domain.tiles import measuring_window
from bot.domain.verdicts import Verdict
from tests.builders import MINUTE, NOON, a_baseline_gate, a_burn_gate, a_count_gate, a_value_gate, samples

DAY = timedelta(days=1)


def a_row(
    tag: str = "1.1",
    *,
    end: End = End.PROMOTED,
    was: Was = Was.GOOD,
    question: Question = Question.MOVE,
    reason: str = "staging: its gate is healthy",
    sentence: str = "stood in production for 2d",
    rule: str = "",
    verdicts: Sequence[Verdict] = (),
    is_live: bool = True,
    shadows: Sequence[InShadow] = (),
    delays: Sequence[str] = (),
    starts: int | None = None,
) -> Row:
    """A release that came at noon, was decided about at half past, and moved on or undone at one."""
    is_move = question is Question.MOVE
    decides = end not in (End.CANNOT_TELL, End.KEPT, End.REPLACED)
    return Row(
        name="staging → production" if is_move else "watch in production",
        question=question,
        stage="staging" if is_move else "production",
        tag=tag,
        came_at=NOON,
        live=Live(at=NOON + MINUTE, known_from=LiveFrom.ARGO_CD) if is_live else None,
        outcome=Outcome(
            end=end,
            at=NOON + 30 * MINUTE if decides else None,
            reason=reason,
            rule=rule,
            verdicts=tuple(verdicts),
            shadows=tuple(shadows),
            delays=tuple(delays),
            from_tile=NOON + starts * MINUTE if starts is not None else None,
        ),
        fate=Fate(was=was, sentence=sentence, undone_at=NOON + 60 * MINUTE if was is Was.BAD else None),
        moved_on_at=NOON + 60 * MINUTE if is_move and was is not Was.CANNOT_TELL else None,
    )


def a_judged(*rows: Row, file: str = "checkout.yaml", missing: Sequence[str] = ()) -> Judged:
    return judged(rows, file=file, version="f" * 64, blind_spots=("production: nobody looks",), missing=missing)


def a_report(old: Judged, new: Judged | None = None) -> Report:
    return Report(
        service="checkout",
        since=NOON - DAY,
        until=NOON + DAY,
        hotfix=DAY,
        source="Prometheus 2.42.0 at http://127.0.0.1:9090",
        old=old,
        new=new,
        differences=differences(old, new) if new is not None else (),
    )


def a_verdict(rule: MeasuredRule | None = None, *, bad: float = 0.0, gaps: bool = False) -> Verdict:
    """What a rule says of ten minutes, of which some were not measured."""
    chosen = rule or a_count_gate()
    window = measuring_window(first=NOON, proof_since=NOON, warmup=timedelta(0), length=30 * MINUTE, width=MINUTE)
    counts = [None if gaps and minute % 3 == 0 else (bad, 100.0) for minute in range(10)]
    found = samples(*counts, start=NOON)
    total = found.numbers["total"]
    others = {"value": found.numbers["counted"], "base counted": (0.0,) * len(total), "base total": total}
    item = Measurement(key="gate:x", rule=chosen, window=window, asks=chosen.asks)
    return judge_measured(chosen, replace(found, numbers={**found.numbers, **others}), item, STOP)


RULES = (a_count_gate(), a_value_gate(), a_burn_gate(), a_baseline_gate())
