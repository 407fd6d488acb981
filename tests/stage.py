"""A lab with its clock under control, and a bot composed from its settings: real sockets, real git, no waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.compose import compose
from bot.domain.decision import Decision, Judgement
from bot.engine.sweep import ServiceReport, Sweeper
from bot.lab.clock import ManualClock
from bot.lab.world import Lab
from bot.settings import load_settings

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STEP = timedelta(seconds=1)


@dataclass
class Stage:
    """The lab and the bot on it; `play` lets time pass in both."""

    lab: Lab
    clock: ManualClock
    sweeper: Sweeper

    def play(self, seconds: int) -> tuple[ServiceReport, ...]:
        """Let time pass second by second: Argo CD reconciles, the bot sweeps. Return the last sweep's reports."""
        reports: tuple[ServiceReport, ...] = ()
        for _ in range(seconds):
            self.pass_time(1)
            reports = self.sweeper.sweep()
        return reports

    def pass_time(self, seconds: int) -> None:
        """Let time pass without the bot, as if it were down."""
        for _ in range(seconds):
            self.clock.advance(STEP)
            self.lab.argocd.tick()

    def play_until(self, service: str, condition: object, *, limit: int = 90) -> Decision:
        """Play until `condition(decision)` holds for a service; fail with its last decision if it never does."""
        assert callable(condition)
        decision = None
        for _ in range(limit):
            decision = decision_for(self.play(1), service)
            if condition(decision):
                return decision
        raise AssertionError(f"{service} never got there; last: {decision}")


def decision_for(reports: tuple[ServiceReport, ...], service: str) -> Decision:
    """The decision for a service; fails with the reason why there is none."""
    report = next(report for report in reports if report.subject == service)
    assert report.decision is not None, report.error
    return report.decision


def judgement(decision: Decision, stage: str, role: str) -> Judgement | None:
    """One judgement of a decision, None if there is no such release."""
    return next((item for item in decision.judgements if (item.stage, item.role) == (stage, role)), None)


@contextmanager
def a_bot(lab: Lab, clock: ManualClock, *, dry_run: bool = False) -> Iterator[Sweeper]:
    """Compose a bot from the lab's own settings file, as a user's would be."""
    settings = load_settings(lab.write_settings(lab.directory / "liftlock.toml"))
    with compose(settings, clock=clock, dry_run=dry_run) as bot:
        yield bot.sweeper
