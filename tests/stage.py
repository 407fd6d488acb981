"""A lab with its clock under control, and a bot composed from its settings: real sockets, real git, no waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.adapters.github import GitHubForge
from bot.adapters.github.writes import Pacing
from bot.compose.whole import compose
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

    def leap(self, seconds: int) -> None:
        """Let time pass without the bot, in one step: Argo CD plays all that is due, in its order.

        What it reads of Git is as of the end, and its hydrator's own commits are seen at the next tick only.
        """
        self.clock.advance(seconds * STEP)
        self.lab.argocd.tick()

    def look_after(self, seconds: int, service: str = "checkout") -> Decision:
        """Let time pass without the bot, then sweep once; return what that one look came to."""
        self.leap(seconds)
        return decision_for(self.sweeper.sweep(), service)

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


def the_judgement(decision: Decision, stage: str, role: str = "running") -> Judgement:
    """One judgement of a decision, which must be there."""
    found = judgement(decision, stage, role)
    assert found is not None, f"no {role} release of {stage} in {decision}"
    return found


@contextmanager
def a_bot(
    lab: Lab, clock: ManualClock, *, dry_run: bool = False, argocd: str = "", sections: str = ""
) -> Iterator[Sweeper]:
    """Compose a bot from the lab's own settings file, as a user's would be.

    `argocd` are more lines of the section of that name, `sections` more sections: in TOML.
    """
    path = lab.write_settings(lab.directory / "liftlock.toml")
    text = path.read_text(encoding="utf-8").replace("[argocd]\n", f"[argocd]\n{argocd}\n")
    path.write_text(f"{text}\n{sections}", encoding="utf-8")
    with compose(load_settings(path), clock=clock, dry_run=dry_run) as bot:
        yield without_pauses(bot.sweeper, clock)


def without_pauses(sweeper: Sweeper, clock: ManualClock) -> Sweeper:
    """Let the adapter of GitHub pause without anybody waiting: its limits go by the lab's time and by its pauses."""
    slept = 0.0

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += max(0.0, seconds)

    return with_pacing(sweeper, Pacing(monotonic=lambda: clock.now().timestamp() + slept, sleep=sleep))


def with_pacing(sweeper: Sweeper, pacing: Pacing) -> Sweeper:
    """Give the adapter of GitHub another passing of seconds."""
    forge = sweeper.world.forge
    assert isinstance(forge, GitHubForge)
    forge._clients.pacing = pacing
    return sweeper
