"""Orders: the record of accepted commands, and what stands of all that were given.

The orders of a service, in any sequence and as often as they come → `Standing`. An order is written to the ledger as
plain JSON, and read back strictly: an export of a ledger is outside text. Logins, reasons and gates are raw in all
values; whoever shows them escapes them. Who may give an order is judged before (`authority.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

from bot.domain.commands import Verb
from bot.domain.model import Release, Sha
from bot.domain.text import one_line

BOUND = frozenset({Verb.APPROVE, Verb.PROMOTE})
"""What holds for one head of a pull request only."""
WITH_REASON = frozenset({Verb.HOLD, Verb.PROMOTE, Verb.REJECT, Verb.ROLLBACK, Verb.LIFT})
QUESTIONS = frozenset({Verb.STATUS, Verb.EXPLAIN, Verb.HELP})
"""What only asks, and leaves no order."""
_STOPS = frozenset({Verb.REJECT, Verb.ROLLBACK})
_LIFTS = frozenset({Verb.APPROVE, Verb.RETRY, Verb.LIFT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An accepted command, as the ledger keeps it. The comment's id and the command's line in it name the order.

    `head` is the commit that an approval or an override is bound to, None in all others; `gate` is an override's.
    `number` is the pull request's, `at` when the comment was written. One from the command line has `number` and
    `by_id` 0, and in place of a comment's id the microsecond in which it was given: far beyond all ids of comments.
    """

    kind: Verb
    service: str
    stage: str
    release: str
    by_id: int
    by_login: str
    at: datetime
    comment: int
    line: int
    number: int
    gate: str = ""
    reason: str = ""
    head: Sha | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands for one release in one stage, at one head of its pull request.

    `hold` is of the whole stage, until somebody resumes it. `rejected` and `rollback` are of this release, until a
    later approval or retry of it. `approved`, `overrides` (by gate) and `retried` hold for exactly this release, if
    they came after all that stopped it; the first two for exactly this head. `outdated` is the newest approval of this
    release at another head, where none is of this one. `approvals` are all of this head, oldest first, one of each
    account; `stopped_at` is when this release was stopped for the last time. `void` are approvals and overrides at this
    head that were given under another policy, where the same was not said since: they let nothing go (I6).
    """

    hold: Order | None = None
    rejected: Order | None = None
    rollback: Order | None = None
    approved: Order | None = None
    overrides: Mapping[str, Order] = field(default_factory=dict)
    retried: Order | None = None
    outdated: Order | None = None
    approvals: tuple[Order, ...] = ()
    stopped_at: datetime | None = None
    void: tuple[Order, ...] = ()


def standing(
    orders: Iterable[Order],
    *,
    service: str,
    stage: str,
    release: str,
    head: Sha | None,
    policy_since: datetime | None = None,
) -> Standing:
    """Say what stands; `head` is None where there is no pull request, and nothing is approved then.

    What was said before `policy_since` was said under another policy; None: there was no other one.

    A digest may be unknown at times. What stops a release stops it under both names, what lets it go only under the
    very same one.
    """
    of_stage = [order for order in _in_sequence(orders) if order.service == service and order.stage == stage]
    of_release = [order for order in of_stage if _may_be(order.release, release)]
    since_stopped = [order for order in _behind_last(of_release, _STOPS) if order.release == release]
    at_head = [order for order in since_stopped if head is not None and order.head == head]
    said = {(order.kind, order.gate): order for order in at_head if order.kind in BOUND}
    void = tuple(order for order in said.values() if policy_since is not None and order.at < policy_since)
    approved = said.get((Verb.APPROVE, ""))
    return Standing(
        hold=_newest(_behind_last(of_stage, {Verb.RESUME}), Verb.HOLD),
        rejected=_not_lifted(of_release, Verb.REJECT, release),
        rollback=_not_lifted(of_release, Verb.ROLLBACK, release),
        approved=approved if approved not in void else None,
        overrides={gate: order for (kind, gate), order in said.items() if kind is Verb.PROMOTE and order not in void},
        retried=_newest(since_stopped, Verb.RETRY),
        outdated=_newest(since_stopped, Verb.APPROVE) if approved is None and head is not None else None,
        approvals=tuple({order.by_id: order for order in at_head if order.kind is Verb.APPROVE}.values()),
        stopped_at=max((order.at for order in of_release if order.kind in _STOPS), default=None),
        void=void,
    )


def lifted_tags(orders: Iterable[Order], service: str) -> dict[str, datetime]:
    """Return the tags of a service whose quarantine a person has lifted, and when that was for the last time.

    As a rollback bars a tag in all stages, so does this free it in all; a later rollback bars it again.
    """
    found: dict[str, datetime] = {}
    for order in orders:
        release = Release.parse(order.release)
        if order.kind is Verb.LIFT and order.service == service and release is not None:
            found[release.tag] = max(order.at, found.get(release.tag, order.at))
    return found


def _in_sequence(orders: Iterable[Order]) -> list[Order]:
    """Sort them by time, and take each but once. All fields take part, so that no two ways to sort them exist."""
    first: dict[tuple[int, int], Order] = {}
    for order in sorted(orders, key=_sequence):
        first.setdefault((order.comment, order.line), order)
    return list(first.values())


def _sequence(order: Order) -> tuple[datetime, int, int, tuple[str, ...]]:
    rest = tuple(str(getattr(order, each.name)) for each in fields(order))
    return order.at, order.comment, order.line, rest


def _behind_last(orders: Sequence[Order], kinds: Iterable[Verb]) -> Sequence[Order]:
    """Return the orders after the last one of these kinds; all where there is none."""
    last = max((index for index, order in enumerate(orders) if order.kind in kinds), default=-1)
    return orders[last + 1 :]


def _newest(orders: Sequence[Order], kind: Verb) -> Order | None:
    return next((order for order in reversed(orders) if order.kind is kind), None)


def _not_lifted(orders: Sequence[Order], kind: Verb, release: str) -> Order | None:
    """Return the newest stop that no later order lifted, be it under its own name of the release or today's."""
    lifted = {order.release: index for index, order in enumerate(orders) if order.kind in _LIFTS}
    standing = (
        order
        for index, order in enumerate(orders)
        if index > lifted.get(release, -1) and index > lifted.get(order.release, -1)
    )
    return _newest(tuple(standing), kind)


def _may_be(one: str, other: str) -> bool:
    """Say whether two names may mean one release: the same image and tag, and not two digests that differ."""
    name, _, digest = one.partition("@")
    other_name, _, other_digest = other.partition("@")
    return name == other_name and (not digest or not other_digest or digest == other_digest)


# --- JSON ------------------------------------------------------------------------------------------------------------

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HEAD = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LARGEST_ID = 2**63 - 1
_LONGEST = {"service": 63, "stage": 63, "release": 512, "by_login": 100, "gate": 200, "reason": 200}
"""The texts, and how many characters each may have."""
_KEYS = frozenset(each.name for each in fields(Order))


def as_json(order: Order) -> dict[str, str | int | None]:
    """Write an order as plain JSON, the instant in ISO 8601 and in UTC; `parse_order` reads it back unchanged."""
    written = {each.name: getattr(order, each.name) for each in fields(order)}
    return written | {"kind": order.kind.value, "at": order.at.astimezone(UTC).isoformat()}


def parse_order(written: Mapping[str, object]) -> Order | None:
    """Read an order back; None for anything that `as_json` would not have written of an order that can be given."""
    if set(written) != _KEYS:
        return None
    kind, at, head = _parse_kind(written["kind"]), _parse_instant(written["at"]), written["head"]
    numbers = [written[key] for key in ("by_id", "comment", "line", "number")]
    if kind is None or at is None or not (head is None or isinstance(head, str)):
        return None
    names = [(written[key], limit) for key, limit in _LONGEST.items()]
    texts = [name for name, limit in names if isinstance(name, str) and one_line(name, limit=limit) == name]
    counts = [number for number in numbers if type(number) is int and 0 <= number <= _LARGEST_ID]
    if len(texts) < len(names) or len(counts) < len(numbers):
        return None
    service, stage, release, by_login, gate, reason = texts
    by_id, comment, line, number = counts
    order = Order(
        kind=kind,
        service=service,
        stage=stage,
        release=release,
        by_id=by_id,
        by_login=by_login,
        at=at,
        comment=comment,
        line=line,
        number=number,
        gate=gate,
        reason=reason,
        head=Sha(head) if head is not None else None,
    )
    return order if _is_sound(order) else None


def _parse_kind(written: object) -> Verb | None:
    return next((verb for verb in Verb if verb not in QUESTIONS and verb == written), None)


def _parse_instant(written: object) -> datetime | None:
    """Read an instant in UTC, written as `as_json` writes it and in no other way."""
    try:
        at = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
    if at is None or at.utcoffset() != timedelta(0) or at.isoformat() != written:
        return None
    return at


def _is_sound(order: Order) -> bool:
    """Say whether the fields are of the shape that a command of this kind gives them."""
    if not (_LABEL.fullmatch(order.service) and _LABEL.fullmatch(order.stage)):
        return False
    release = Release.parse(order.release)
    if release is None or release.name != order.release:
        return False
    # From a comment it has both, from the command line neither.
    if not order.by_login or order.comment == 0 or (order.by_id == 0) != (order.number == 0):
        return False
    if bool(order.reason) != (order.kind in WITH_REASON) or bool(order.gate) != (order.kind is Verb.PROMOTE):
        return False
    return _HEAD.fullmatch(order.head or "") is not None if order.kind in BOUND else order.head is None
