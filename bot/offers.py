"""What the image registry offers to the stage that takes its releases from there: its tags, ranked by the stage's rule.

A registry is asked for its tags once in `every` of the rule, or when somebody says that it has a new one. What is
remembered between sweeps only saves calls and may be lost at any time. When a tag was first seen is noted in the
ledger, since what a person sets after that is their word on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.intake import FollowRule, Intake, NewestRule, admits, describe, ranked
from bot.domain.model import NOT_SET, Digest, Offer, TagHistory, Trouble
from bot.domain.policy import Policy
from bot.ports import OutsideError, Permanent, Registry
from bot.records import Ledger

_SYSTEM = "registry"
_MOST_DATED = 200
"""How many images are asked when they were created: what is more needs a narrower rule."""
_SHORT = len("sha256:") + 12


def announced_key(image: str) -> str:
    """Name the note by which a command says that an image has a new tag; its value is when it said so."""
    return f"announced/{image}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What a registry said of an image's tags. `announced` is the note that was there then, `gap` why there is none."""

    at: datetime
    intake: Intake
    announced: str | None
    tags: tuple[str, ...] = ()
    created: Mapping[str, datetime] = field(default_factory=dict)
    gap: str = ""


@dataclass(slots=True, kw_only=True)
class OfferReader:
    """Reads offers. Safe between threads that work on different services."""

    registry: Registry
    ledger: Ledger
    _heard: dict[str, _Heard] = field(default_factory=dict)
    _created: dict[Digest, datetime | None] = field(default_factory=dict)
    _expected: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, repository: str) -> None:
        """Ask for tags at the next sweep: somebody says that a repository has a new one. `acme/shop` is on any host."""
        with self._lock:
            self._expected.add(repository)

    def read(self, policy: Policy, tags: TagHistory | Trouble, now: datetime) -> Offer | Trouble | None:
        """Return what the registry offers; None where no stage takes releases from it. `tags` are the stage's own."""
        stage = policy.intake_stage
        if stage is None or stage.intake is None:
            return None
        try:
            heard = self._hear(policy, stage.intake, now)
        except OutsideError as error:
            return error.as_trouble()
        best = _best(heard, tags)
        if best is None:
            reason = heard.gap or f"{policy.image} has no tag that the policy takes: {describe(stage.intake.rule)}"
            return Offer(tag=None, found_at=None, reason=reason)
        found_at = self._found_at(policy, stage.name, best, now)
        return Offer(tag=best, found_at=found_at, reason=describe(stage.intake.rule))

    def _found_at(self, policy: Policy, stage: str, tag: str, now: datetime) -> datetime:
        key = f"offer/{policy.service}/{stage}/{policy.image}:{tag}"
        noted = self.ledger.noted([key]).get(key)
        if noted is not None:
            return datetime.fromisoformat(noted)
        self.ledger.note(key, now.isoformat())
        return now

    # --- asking ---

    def _hear(self, policy: Policy, intake: Intake, now: datetime) -> _Heard:
        key = announced_key(policy.image)
        announced = self.ledger.noted([key]).get(key)
        known = self._heard.get(policy.service)
        if known is not None and not self._is_due(known, policy, intake, announced, now):
            return known
        asked = _Heard(at=now, intake=intake, announced=announced)
        heard = self._heard[policy.service] = self._ask(policy.image, asked)
        return heard

    def _is_due(self, known: _Heard, policy: Policy, intake: Intake, announced: str | None, now: datetime) -> bool:
        with self._lock:
            expected = {name for name in self._expected if f"/{policy.image}".endswith(f"/{name}")}
            self._expected -= expected
        is_other = (known.intake, known.announced) != (intake, announced)
        return bool(expected) or is_other or not timedelta(0) <= now - known.at < intake.every

    def _ask(self, image: str, asked: _Heard) -> _Heard:
        rule = asked.intake.rule
        if isinstance(rule, FollowRule):
            return self._followed(image, rule, asked)
        tags = tuple(self.registry.list_tags(image))
        created = self._dated(image, rule, tags) if isinstance(rule, NewestRule) else {}
        dateless = isinstance(rule, NewestRule) and tags and not created
        gap = f"no image of {image} that the policy takes says when it was created" if dateless else ""
        return _Heard(at=asked.at, intake=asked.intake, announced=asked.announced, tags=tags, created=created, gap=gap)

    def _dated(self, image: str, rule: NewestRule, tags: Iterable[str]) -> Mapping[str, datetime]:
        """Read when the images were created, each once for its bytes."""
        asked = [tag for tag in tags if admits(rule, tag)]
        if len(asked) > _MOST_DATED:
            reason = f"{len(asked)} tags of {image} fit the rule, and {_MOST_DATED} at most are asked when they were"
            raise Permanent(_SYSTEM, f"{reason} created: narrow it down by newest: TEMPLATE")
        found = {tag: self._created_at(image, tag) for tag in asked}
        return {tag: at for tag, at in found.items() if at is not None}

    def _created_at(self, image: str, tag: str) -> datetime | None:
        digest = self._digest(image, tag)
        if digest not in self._created:
            self._created[digest] = self.registry.read_facts(image, digest).created
        return self._created[digest]

    def _followed(self, image: str, rule: FollowRule, asked: _Heard) -> _Heard:
        """Find the tag of a release that means the same bytes as a tag that moves: by the version on its label."""
        digest = self._digest(image, rule.tag)
        version = self.registry.read_facts(image, digest).version
        what = f"{rule.tag} of {image} means {digest[:_SHORT]} now"
        if version is None:
            gap = f"{what}, which has no label org.opencontainers.image.version to name its release by"
            return _Heard(at=asked.at, intake=asked.intake, announced=asked.announced, gap=gap)
        listed = set(self.registry.list_tags(image))
        names = [name for name in (version, f"v{version}") if name in listed and name != rule.tag]
        same = tuple(name for name in names if self._digest(image, name) == digest)
        gap = "" if same else f"{what}, and no tag of its version means the same"
        return _Heard(at=asked.at, intake=asked.intake, announced=asked.announced, tags=same[:1], gap=gap)

    def _digest(self, image: str, tag: str) -> Digest:
        found = self.registry.find_artifact(image, tag)
        if found is None:
            raise Permanent(_SYSTEM, f"no registry is configured for {image}")
        return found.digest


def _best(heard: _Heard, tags: TagHistory | Trouble) -> str | None:
    if isinstance(heard.intake.rule, FollowRule):
        return next(iter(heard.tags), None)
    # What is set there counts as well: that the registry has lost it is no reason to go back.
    is_set = not isinstance(tags, Trouble) and tags.tag != NOT_SET
    there = (tags.tag,) if is_set else ()  # type: ignore[union-attr]
    return next(iter(ranked(heard.intake.rule, (*heard.tags, *there), heard.created)), None)
