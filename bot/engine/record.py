"""What the engine writes into the ledger, and how to read it back: decisions that can be replayed (invariant I8).

An observation, a policy and a decision are plain frozen values; they go into the ledger as JSON and come back equal.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.domain.beginning import Beginning, beginning_of
from bot.domain.decide import decide
from bot.domain.decision import (
    Action,
    AskRefresh,
    Decision,
    Halt,
    Judgement,
    UpdatePromotion,
    Wait,
)
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.domain.text import one_line
from bot.records import Event, EventKind, Ledger, Posting

T = TypeVar("T")

_DECISION = TypeAdapter(Decision)
_OBSERVATION = TypeAdapter(Observation)
_POLICY = TypeAdapter(Policy)
_BEGINNING = TypeAdapter(Beginning)
_ACTION: TypeAdapter[Action] = TypeAdapter(Action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Each service's newest entries, read once a sweep."""

    policies: Mapping[str, Event]
    beginnings: Mapping[str, Event]
    decisions: Mapping[str, Event]

    @classmethod
    def read(cls, ledger: Ledger) -> Known:
        """Read them."""
        policies, beginnings, decisions = map(ledger.latest, _READ_EACH_SWEEP)
        return cls(policies=policies, beginnings=beginnings, decisions=decisions)


_READ_EACH_SWEEP: tuple[EventKind, ...] = ("policy", "beginning", "decision")
_QUIET = (Wait, UpdatePromotion, AskRefresh)
"""Actions that change nothing that matters: a decision that differs in them only is no new one."""
_NO_WRITES = (*_QUIET, Halt)
"""Actions without an entry of their own: there is no write that the entry would have to come before."""


def as_json(decision: Decision) -> dict[str, object]:
    """Return a decision as plain JSON values."""
    plain: dict[str, object] = _DECISION.dump_python(decision, mode="json")
    return plain


class AnotherVersion(Exception):
    """An entry that another version of Liftlock wrote, with fields that this one does not know."""


def parse_decision(body: object) -> Decision:
    """Read back what `as_json` wrote. Raise `AnotherVersion` for what this version did not write."""
    return _parse(_DECISION, body)


def _parse(adapter: TypeAdapter[T], body: object) -> T:
    try:
        return adapter.validate_python(body, strict=False)
    except ValidationError as error:
        raise AnotherVersion from error


def action_json(action: Action) -> dict[str, object]:
    """Return an action as plain JSON values."""
    plain: dict[str, object] = _ACTION.dump_python(action, mode="json")
    return plain


def is_quiet(action: Action) -> bool:
    """Say whether an action makes no difference between two decisions."""
    return isinstance(action, _QUIET)


def is_write(action: Action) -> bool:
    """Say whether an action changes the world, so that it stands in the ledger before and after."""
    return not isinstance(action, _NO_WRITES)


def note_policy(
    ledger: Ledger, policy: Policy, known: Event | None, now: datetime, *, is_begun: bool = False
) -> datetime | None:
    """Note a policy that was not in force before; return since when it is, None where that is not known (I6).

    `is_begun` says that the ledger had the policy of any service before this sweep. A service's first policy is new
    then: its releases may have been judged by another one until now, under another name of the service. Of what a
    ledger begins with only Git knows since when it says so.

    The same file may mean something else after an upgrade or with another template: what it means is compared. Which
    commit it was read at makes no difference to that, nor what its file is called.
    """
    meaning = _POLICY.dump_python(policy, mode="json")
    if known is not None and _is_known(known, policy, meaning):
        return _since(known)
    first = known is None and not is_begun
    since = policy.origin.since if first and policy.origin is not None else None
    told = min(since, now).astimezone(UTC).isoformat() if since is not None else None
    body = {"version": policy.version, "first": first, "since": told, "policy": meaning}
    event = Event(at=now, service=policy.service, kind="policy", body=body)
    ledger.record(event)
    return _since(event)


def _since(known: Event) -> datetime | None:
    """Return since when a recorded policy is in force; None for one that a ledger begins with, where Git tells none."""
    if not known.body.get("first"):
        return known.at
    told = known.body.get("since")
    return datetime.fromisoformat(str(told)) if told else None


def _is_known(known: Event, policy: Policy, meaning: object) -> bool:
    """Say whether a recorded policy means the same: also one written before a field was there that has its default."""
    if known.body.get("version") != policy.version:
        return False
    if _meant(known.body.get("policy")) == _meant(meaning):
        return True
    try:
        told: Policy = _parse(_POLICY, known.body.get("policy"))
        return replace(told, origin=policy.origin, file=policy.file) == policy
    except AnotherVersion:
        return False


_WHERE = ("origin", "file")


def _meant(policy: object) -> object:
    """Return what a policy means, wherever it was read."""
    return {key: value for key, value in policy.items() if key not in _WHERE} if isinstance(policy, dict) else policy


def policy_json(policy: Policy) -> dict[str, object]:
    """Return which policy judges: its file, its version, and where that was read if it was in a repository."""
    origin = policy.origin
    at = {} if origin is None else {"repository": origin.repository, "commit": origin.commit}
    return {"file": policy.file, "version": policy.version, **at}


def remembered_policies(
    events: Mapping[str, Event], services: Collection[str], files: Collection[str]
) -> Mapping[str, Policy]:
    """Return the policies that files of a local directory had, by file, of services that were handled still.

    `events` are each service's newest policy. What another version of Liftlock wrote is not known.
    """
    found: dict[str, Policy] = {}
    for service, event in events.items():
        told = event.body.get("policy")
        file = str(told.get("file")) if isinstance(told, dict) and not told.get("origin") else ""
        if service not in services or file not in files or file in found:
            continue
        try:
            found[file] = _parse(_POLICY, told)
        except AnotherVersion:
            continue
    return found


def note_beginning(ledger: Ledger, seen: Observation, known: Event | None) -> Event | None:
    """Record what there was of a service before its ledger begins; return that entry, None where it is not known yet.

    That happens once, at the first sweep that reads Git and the forge as a whole: in a ledger that begins anew, and in
    one that an older version wrote.
    """
    if known is not None:
        return known
    at = ledger.began(seen.service)
    beginning = beginning_of(seen, at) if at is not None else None
    if beginning is None:
        return None
    plain: dict[str, object] = _BEGINNING.dump_python(beginning, mode="json")
    body = {**plain, "missing": beginning.is_missing_history, "sentence": beginning.sentence}
    event = Event(at=seen.at, service=seen.service, kind="beginning", body=body)
    ledger.record(event)
    if beginning.is_missing_history:
        structlog.get_logger().warning("history is missing", service=seen.service, reason=beginning.sentence)
    return event


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """History that a ledger does not have: since when it has any, and one sentence on what is missing."""

    since: datetime
    sentence: str


def missing_history(posting: Posting) -> Missing | None:
    """Return what the board says of a service's missing history; None where nothing is missing."""
    told = posting.body.get("beginning")
    if not isinstance(told, dict):
        return None
    return Missing(since=datetime.fromisoformat(str(told["at"])), sentence=one_line(str(told["sentence"]), limit=1000))


def note_decision(
    ledger: Ledger, decision: Decision, policy: Policy, observation: Observation, known: Event | None, *, writes: bool
) -> bool:
    """Record a decision with its observation if it says what the newest entry does not; return whether it does.

    One whose actions are written now is always recorded: what is written names this evidence, also where it is tried
    again.
    """
    meaning = _meaning(decision)
    is_new = known is None or known.body.get("meaning") != meaning
    if not is_new and not writes:
        return False
    body = {
        "meaning": meaning,
        "policy": policy_json(policy),
        "decision": as_json(decision),
        "observation": _OBSERVATION.dump_python(observation, mode="json"),
    }
    ledger.record(Event(at=decision.at, service=decision.service, kind="decision", body=body))
    return is_new


def _meaning(decision: Decision) -> str:
    """Return what makes two decisions different to people: who stands where, and what is done about it."""
    judgements = [
        [
            *(item.stage, item.role, item.release.name if item.release else None, item.state, item.pull, _steps(item)),
            *_approved(item),
        ]
        for item in decision.judgements
    ]
    actions = [action_json(action) for action in decision.actions if not is_quiet(action)]
    for action in actions:
        action.pop("reason", None)
    return json.dumps([decision.policy_version, judgements, actions], sort_keys=True)


def _steps(judgement: Judgement) -> list[str]:
    """Return the steps that a release has taken: a new one is noted, so that the ledger has the whole timeline."""
    return [milestone.step for milestone in judgement.timeline]


def _approved(judgement: Judgement) -> list[list[int]]:
    """Return who has approved it, where that is asked for: each approval is noted."""
    return [] if judgement.approvals is None else [[one.id for one in judgement.approvals.given]]


def parse_observation(body: Mapping[str, object]) -> Observation:
    """Return what a recorded decision rests on; raise `AnotherVersion` for what another version recorded."""
    return _parse(_OBSERVATION, body.get("observation"))


def replay(body: Mapping[str, object], policy: Mapping[str, object]) -> tuple[Decision, Decision]:
    """Decide again from a recorded entry: return what was recorded and what comes out now, to be compared.

    Raise `AnotherVersion` for what another version of Liftlock recorded.
    """
    recorded = parse_decision(body["decision"])
    observation = parse_observation(body)
    return recorded, decide(_parse(_POLICY, policy), observation, recorded.at)
