"""Tell in the terminal what happens to each release, step by step, with its reason: only what is new is said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console
from rich.text import Text

from bot.domain.decision import Action, AskRefresh, Judgement, OpenPromotion, State, UpdatePromotion, Wait, WaitsOn
from bot.engine.acting import NOT_DONE
from bot.engine.sweep import ServiceReport
from bot.render.terminal import colour_of

_SERVICE_COLOURS = ("bright_cyan", "bright_yellow", "bright_magenta", "bright_blue")
_DULL = frozenset({State.SETTLED})
_SAID_ELSEWHERE = frozenset({State.OBSERVING, State.READY_TO_PROPOSE})
"""Of a release on its way: the stage that observes it says so, and what is done about it follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a check says of a pull request: in one word, and its title."""

    number: int
    name: str
    word: str
    title: str


@dataclass(slots=True, kw_only=True)
class Narrator:
    """Prints lines of time, service, stage and sentence. Safe to call from several threads.

    `checks_of` gives what the checks on a service's pull requests say, `url_of` the page of its newest one.
    """

    console: Console
    now: Callable[[], datetime]
    began: datetime
    services: tuple[str, ...]
    checks_of: Callable[[str], Iterable[Check]]
    url_of: Callable[[str], str]
    _said: dict[tuple[str, str, str], tuple[object, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, report: ServiceReport) -> None:
        """Tell what a sweep found new for one service."""
        with self._lock:
            if report.error is not None:
                self._once(report.subject, "", "error", (report.error,), report.error, "red")
            if report.decision is None:
                return
            for judgement in report.decision.judgements:
                self._judged(report.subject, judgement)
            for action, outcome in report.outcomes:
                self._did(report.subject, action, outcome)
            for check in self.checks_of(report.subject):
                self._checked(report.subject, check)

    def say(self, service: str, stage: str, sentence: str, style: str = "default") -> None:
        """Print one line."""
        elapsed = (self.now() - self.began).total_seconds()
        line = Text.assemble(
            (f"{elapsed:5.1f}s ", "dim"),
            (f"{service:<9}", self._colour(service)),
            (f"{stage:<11}", "dim"),
            (sentence, style),
        )
        self.console.print(line, soft_wrap=True, highlight=False)

    def _colour(self, service: str) -> str:
        if service not in self.services:
            return "default"
        return _SERVICE_COLOURS[self.services.index(service) % len(_SERVICE_COLOURS)]

    def _judged(self, service: str, judgement: Judgement) -> None:
        release = judgement.release.tag if judgement.release else "?"
        key: tuple[str, str] = (release, str(judgement.state))
        if judgement.role == "candidate" and judgement.reason.partition(": ")[2]:
            # While the release is observed, what holds it back is said at the stage that observes it.
            key = (release, str(judgement.state) if judgement.pull or judgement.waits_on is WaitsOn.HUMAN else "coming")
            if key[1] == "coming":
                return
        if judgement.role == "candidate" and judgement.state in _SAID_ELSEWHERE:
            return
        dull = judgement.state in _DULL and (service, judgement.stage, judgement.role) not in self._said
        sentence = f"{release} {judgement.state}: {judgement.reason}"
        if dull:
            self._said[service, judgement.stage, judgement.role] = key
            return
        self._once(service, judgement.stage, judgement.role, key, sentence, colour_of(judgement.state))

    def _did(self, service: str, action: Action, outcome: str) -> None:
        if isinstance(action, (Wait, UpdatePromotion, AskRefresh)):
            return
        said = f"→ {action.kind}: {outcome}" if outcome.startswith(NOT_DONE) else f"→ {outcome}"
        if isinstance(action, OpenPromotion) and not outcome.startswith(NOT_DONE):
            said = f"{said}: {self.url_of(service)}"
        self._once(service, action.stage, action.kind, (outcome,), said, "bold")

    def _checked(self, service: str, check: Check) -> None:
        sentence = f"the check {check.name} on #{check.number}: {check.word} ({check.title})"
        self._once(service, "", f"check of #{check.number}", (check.word,), sentence, "default")

    def _once(self, service: str, stage: str, topic: str, key: tuple[object, ...], sentence: str, style: str) -> None:
        if self._said.get((service, stage, topic)) == key:
            return
        self._said[service, stage, topic] = key
        self.say(service, stage, sentence, style)
