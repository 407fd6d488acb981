"""Carry out the decision for one service: recorded first, then posted, then action by action, each with its outcome.

An action that fails does not stop the others: the next sweep sees what is left. One that was refused for good is let be
for a while (`refusals`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from bot.domain.decide import decide
from bot.domain.decision import Action, Decision
from bot.domain.observation import Fleet, Observation
from bot.domain.policy import Policy
from bot.domain.stops import stop_of_everything
from bot.domain.storm import is_rollback
from bot.engine.record import (
    Known,
    action_json,
    as_json,
    is_quiet,
    is_write,
    note_beginning,
    note_decision,
    policy_json,
)
from bot.engine.refusals import Asked, Refusals
from bot.observe import World
from bot.ports import Conflict, OutsideError, Permanent
from bot.records import Board, Event, Posting

NOT_DONE = "not done: "
"""How the outcome of an action begins that could not be carried out."""

Apply = Callable[[Policy, Observation, Decision, Action], str]
"""Carry out one action and return one sentence on what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A service, what was seen of it, and what was decided."""

    policy: Policy
    seen: Observation
    decision: Decision

    @property
    def is_rollback(self) -> bool:
        """Whether something is taken back."""
        return any(is_rollback(action) for action in self.decision.actions)

    def in_view_of(self, fleet: Fleet) -> Decided:
        """Decide again, knowing what all services together come to."""
        seen = replace(self.seen, fleet=fleet)
        return replace(self, seen=seen, decision=decide(self.policy, seen, seen.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Acts on decisions. A dry run records and posts only; a stop is heeded between two actions."""

    world: World
    board: Board
    apply: Apply
    refusals: Refusals
    stopping: threading.Event
    dry_run: bool

    def carry_out(self, decided: Decided, known: Known) -> tuple[tuple[Action, str], ...]:
        """Record the decision (I8), post it, act; return what came of each action."""
        decision, ledger = decided.decision, self.world.ledger
        beginning = note_beginning(ledger, decided.seen, known.beginnings.get(decision.service))
        writes = any(is_write(action) and self._refused(decided, action) is None for action in decision.actions)
        latest = known.decisions.get(decision.service)
        is_new = note_decision(ledger, decision, decided.policy, decided.seen, latest, writes=writes)
        stop = stop_of_everything(decided.seen.stops)
        held = {} if stop is None else {"stop": stop.sentence}
        judged_by = {"policy": policy_json(decided.policy)}
        body = {"decision": as_json(decision), **judged_by, **held, **_missing(beginning)}
        self.board.post(Posting(subject=decision.service, at=decision.at, body=body))
        _log(decision, level="info" if is_new else "debug", dry_run=self.dry_run)
        return () if self.dry_run else self._act(decided)

    def _act(self, decided: Decided) -> tuple[tuple[Action, str], ...]:
        """Carry out the actions in turn; one that fails does not stop the others, the next sweep sees what is left."""
        outcomes = []
        for action in decided.decision.actions:
            if self.stopping.is_set():
                break
            outcomes.append((action, self._act_once(decided, action)))
        return tuple(outcomes)

    def _refused(self, decided: Decided, action: Action) -> str | None:
        return self.refusals.still(_asked(decided, action), decided.decision.at)

    def _act_once(self, decided: Decided, action: Action) -> str:
        decision = decided.decision
        refused = self._refused(decided, action)
        if refused is not None:
            return f"{NOT_DONE}{refused}"
        if is_write(action):
            self._record(decision, action, "action", {})
        try:
            outcome = self.apply(decided.policy, decided.seen, decision, action)
        except OutsideError as error:
            outcome = f"{NOT_DONE}{error.system}: {error.sentence}"
            if is_write(action) and isinstance(error, Permanent) and not isinstance(error, Conflict):
                said = f"{error.system}: {error.sentence}"
                self.refusals.note(_asked(decided, action), said, decision.at)
            structlog.get_logger().warning(
                "not done", service=decision.service, stage=action.stage, action=action.kind, reason=outcome
            )
        if is_write(action):
            self._record(decision, action, "outcome", {"outcome": outcome})
        return outcome

    def _record(self, decision: Decision, action: Action, kind: str, more: Mapping[str, object]) -> None:
        body = {"action": action_json(action), **more}
        event = Event(
            at=self.world.clock.now(),
            service=decision.service,
            stage=action.stage,
            kind="action" if kind == "action" else "outcome",
            body=body,
        )
        self.world.ledger.record(event)


def _missing(beginning: Event | None) -> Mapping[str, object]:
    """Return what the board says of history that the ledger does not have."""
    if beginning is None or not beginning.body.get("missing"):
        return {}
    return {"beginning": {name: beginning.body.get(name) for name in ("at", "sentence")}}


def _asked(decided: Decided, action: Action) -> Asked:
    return Asked(
        service=decided.decision.service,
        policy_version=decided.decision.policy_version,
        orders=len(decided.seen.orders),
        action=action,
    )


def _log(decision: Decision, *, level: str, dry_run: bool) -> None:
    """Say where each release stands, once for each change of it, and what is done about it."""
    log = structlog.get_logger().bind(service=decision.service, dry_run=dry_run)
    for judgement in decision.judgements:
        release = judgement.release.tag if judgement.release else None
        getattr(log, level)(
            "judged",
            stage=judgement.stage,
            role=judgement.role,
            release=release,
            state=str(judgement.state),
            reason=judgement.reason,
        )
    for action in decision.actions:
        if not is_quiet(action):
            getattr(log, level)("decided", stage=action.stage, action=action.kind, reason=getattr(action, "reason", ""))
