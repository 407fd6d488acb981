"""Each entry of the ledger names the one before it by a hash: none can be changed, left out or put in between unseen.

An entry's hash is over the hash before it, what the entry says of itself, and the hash of its body. So a body may be
taken away when it is old, and the chain is whole all the same. What the chain alone cannot show is that its newest
entries were cut off: for that its head is compared with one that was kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.records import Entry, Event

BEGIN = "0" * 64
"""What the first entry has in the place of a hash before it."""
_FORM = "liftlock ledger 1"


def canonical(body: Mapping[str, object]) -> str:
    """Write one JSON text for one value, so that a hash over it means something."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest_of(body: str) -> str:
    """Return the hash of a body's canonical text."""
    return hashlib.sha256(body.encode()).hexdigest()


def link_of(before: str, event: Event, digest: str) -> str:
    """Return the hash of an entry that follows on the hash `before`."""
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds")
    # Of all that is linked nothing may be read as two fields: JSON keeps them apart.
    linked = json.dumps([_FORM, before, at, event.service, event.stage, event.kind, digest], ensure_ascii=False)
    return hashlib.sha256(linked.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What was found of a whole chain: how many entries, how many of them without their body, and its head."""

    count: int = 0
    thinned: int = 0
    first: datetime | None = None
    last: datetime | None = None
    head: str = BEGIN


class Broken(Exception):
    """The chain is broken at an entry; the message is one sentence on how."""


def verify(entries: Iterable[Entry]) -> Chain:
    """Follow the chain from its first entry to its head. Raise `Broken` at the first entry that does not fit."""
    chain = Chain()
    for entry in entries:
        _check(entry, chain.head)
        chain = Chain(
            count=chain.count + 1,
            thinned=chain.thinned + (entry.body is None),
            first=chain.first or entry.event.at,
            last=entry.event.at,
            head=entry.link,
        )
    return chain


def _check(entry: Entry, before: str) -> None:
    if entry.body is not None and digest_of(entry.body) != entry.digest:
        raise Broken(f"the body of {_name(entry)} is not the one that was recorded")
    expected = link_of(before, entry.event, entry.digest)
    if entry.link != expected:
        raise Broken(
            f"{_name(entry)} does not follow on the entry before it: its hash is {entry.link[:12]}, "
            f"and {expected[:12]} is expected; it was changed, or something before it is missing"
        )


def _name(entry: Entry) -> str:
    what = f"{entry.event.service}{'/' if entry.event.stage else ''}{entry.event.stage}"
    return f"entry {entry.number} ({entry.event.kind} of {what})"
