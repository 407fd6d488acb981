"""What becomes of a delivery whose signature is right: which repository it wakes the bot for, if any. No I/O.

Nothing but the name of a repository or an image is read from a body. GitHub signs the body and no header, so whoever
has seen one delivery can send its body again under any name. A delivery therefore counts as seen by its name or by its
body, and one with a body that was seen leaves no trace: names can be neither burnt nor crowded out of the memory.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.ports import Clock
from bot.web.payload import is_image_repository, parse_object, value_at

WAKING_EVENTS = frozenset(
    {
        "check_run",
        "check_suite",
        "issue_comment",
        "merge_group",
        "pull_request",
        "pull_request_review",
        "push",
        "status",
    }
)
"""The events after which a sweep may find something new."""

PACKAGE_EVENTS = frozenset({"package", "registry_package"})
"""What GitHub's registry tells wakes as well. The App is told of it only with a permission that nothing else needs."""

_IMAGES = frozenset({"container", "docker"})
"""The types of packages that are images: at ghcr.io, where GitHub writes it in capitals, and at the registry before."""

_ACCEPTED = "the next sweep comes now"
_MOST_DELIVERIES = 10_000
_KEPT_FOR = timedelta(days=3)
"""GitHub sends a delivery again for three days at most, when a person asks for it."""
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
# An owner managed by an enterprise has an underscore before its short code.
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}", re.ASCII)


class Result(StrEnum):
    """What became of a delivery, as it is counted. One with a wrong token is as good as unsigned."""

    ACCEPTED = "accepted"
    REPLAYED = "replayed"
    UNSIGNED = "unsigned"
    REFUSED = "refused"
    IGNORED = "ignored"


NOTIFICATION_RESULTS = (Result.ACCEPTED, Result.UNSIGNED, Result.REFUSED)
"""What may become of a notification of Alertmanager's."""

REGISTRY_RESULTS = (*NOTIFICATION_RESULTS, Result.IGNORED)
"""What may become of a notification of a registry's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery whose signature is right. `name` is its `X-GitHub-Delivery`; it and `event` are not signed."""

    event: str
    name: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer to a delivery. `wakes` says what the bot is woken by, such as a repository; None wakes nothing.

    `pushed` are repositories of images, without host, that are said to have a new tag. Each of them wakes, too.
    """

    status: int
    result: Result
    sentence: str
    wakes: str | None = None
    pushed: tuple[str, ...] = ()


class SeenOnes:
    """The newest `most` keys for `kept_for`, by the clock: what is older or crowded out is forgotten."""

    def __init__(self, clock: Clock, *, most: int = _MOST_DELIVERIES, kept_for: timedelta = _KEPT_FOR) -> None:
        self._clock = clock
        self._most = most
        self._kept_for = kept_for
        self._seen: OrderedDict[bytes, datetime] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        at = self._seen.get(key)
        return at is not None and self._clock.now() - at <= self._kept_for

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, key: bytes) -> None:
        """Remember a key as of now."""
        now = self._clock.now()
        self._seen[key] = now
        self._seen.move_to_end(key)
        while len(self._seen) > self._most or now - next(iter(self._seen.values())) > self._kept_for:
            self._seen.popitem(last=False)


class Deliveries:
    """Judges deliveries one after another and remembers those that woke the bot."""

    def __init__(self, clock: Clock) -> None:
        self._names = SeenOnes(clock)
        self._bodies = SeenOnes(clock)

    def take(self, delivery: Delivery) -> Outcome:
        """Judge one delivery; remember it if it wakes the bot."""
        if not _GUID.fullmatch(delivery.name):
            return _refused("X-GitHub-Delivery is no GUID")
        if delivery.event == "ping":
            return Outcome(status=200, result=Result.IGNORED, sentence="the webhook works")
        if delivery.event not in WAKING_EVENTS | PACKAGE_EVENTS:
            return _ignored("this event wakes nothing")
        name, body = delivery.name.lower().encode(), hashlib.sha256(delivery.body).digest()
        if name in self._names or body in self._bodies:
            return Outcome(status=202, result=Result.REPLAYED, sentence="already seen")
        outcome = judge_package(delivery) if delivery.event in PACKAGE_EVENTS else judge_event(delivery)
        if outcome.result is Result.ACCEPTED:
            self._names.add(name)
            self._bodies.add(body)
        return outcome


def judge_event(delivery: Delivery) -> Outcome:
    """Say what an event of a repository comes to."""
    repository = parse_repository(delivery.body)
    if repository is None:
        return _refused("the body must be a JSON object with repository.full_name, sent as application/json")
    return Outcome(status=202, result=Result.ACCEPTED, sentence=_ACCEPTED, wakes=repository)


def judge_package(delivery: Delivery) -> Outcome:
    """Say what an event of a package comes to. It names no repository where the package is linked to none."""
    package = value_at(parse_object(delivery.body), delivery.event)
    kind, space, name = (value_at(package, key) for key in ("package_type", "namespace", "name"))
    if isinstance(kind, str) and kind.lower() not in _IMAGES:
        return _ignored("a package that is no image wakes nothing")
    # Owners have capitals, images have none.
    image = f"{space}/{name}".lower()
    if not (isinstance(space, str) and isinstance(name, str) and is_image_repository(image)):
        return _refused(f"the body must be a JSON object with the image's {delivery.event}.namespace and .name")
    return Outcome(status=202, result=Result.ACCEPTED, sentence=_ACCEPTED, pushed=(image,))


def parse_repository(body: bytes) -> str | None:
    """Return `repository.full_name` of a JSON object; None where there is none of GitHub's grammar."""
    name = value_at(parse_object(body), "repository", "full_name")
    return name if isinstance(name, str) and _REPOSITORY.fullmatch(name) else None


def _ignored(sentence: str) -> Outcome:
    return Outcome(status=202, result=Result.IGNORED, sentence=sentence)


def _refused(sentence: str) -> Outcome:
    return Outcome(status=400, result=Result.REFUSED, sentence=sentence)
