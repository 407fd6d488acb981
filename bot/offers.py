"""What the image registry offers to the stage that takes its releases from there: its tags, ranked by the stage's rule.

A registry is asked for its tags once in `every` of the rule, or when somebody says that it has a new one. What is
remembered between sweeps only saves calls and may be lost at any time. When a tag was first seen is noted in the
ledger, since what a person sets after that is their word on it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.intake import FollowRule, Intake, NewestRule, admits, describe, ranked
from bot.domain.model import NOT_SET, Digest, Offer, TagHistory, Trouble
from bot.domain.policy import Policy
from bot.ports import OutsideError, Permanent, Registry
from bot.records import Ledger

_SYSTEM = "registry"
_MOST_DATED = 200
"""How many images are asked when they were created: what is more needs a narrower rule."""
_MOST_HINTS = 10_000
_SHORT = len("sha256:") + 12


def announced_key(image: str) -> str:
    """Name the note by which a command says that an image has a new tag; its value is when it said so."""
    return f"announced/{image}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What others said of an image: the number of the newest hint, and the note of a command."""

    hint: int
    announced: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What a registry said of an image's tags. `told` is what others had said until then, `gap` why there is no tag."""

    at: datetime
    intake: Intake
    told: _Told
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
    _hints: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _hinted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, repository: str) -> None:
        """Ask for tags at the next sweep: somebody says that a repository has a new one. `acme/shop` is on any host."""
        with self._lock:
            self._hinted += 1
            self._hints[repository] = self._hinted
            self._hints.move_to_end(repository)
            # Whoever may call could name what no policy has, without end.
            if len(self._hints) > _MOST_HINTS:
                self._hints.popitem(last=False)

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
        told = self._told(policy.image)
        known = self._heard.get(policy.service)
        is_same = known is not None and (known.intake, known.told) == (intake, told)
        if known is not None and is_same and timedelta(0) <= now - known.at < intake.every:
            return known
        # Kept only when it has succeeded: a hint is not lost with an answer that did not come.
        heard = self._heard[policy.service] = self._ask(policy.image, _Heard(at=now, intake=intake, told=told))
        return heard

    def _told(self, image: str) -> _Told:
        parts = image.split("/")
        key = announced_key(image)
        with self._lock:
            hint = max(self._hints.get("/".join(parts[n:]), 0) for n in range(len(parts)))
        return _Told(hint=hint, announced=self.ledger.noted([key]).get(key))

    def _ask(self, image: str, asked: _Heard) -> _Heard:
        rule = asked.intake.rule
        if isinstance(rule, FollowRule):
            return self._followed(image, rule, asked)
        tags = tuple(self.registry.list_tags(image))
        created = self._dated(image, rule, tags) if isinstance(rule, NewestRule) else {}
        dateless = isinstance(rule, NewestRule) and tags and not created
        gap = f"no image of {image} that the policy takes says when it was created" if dateless else ""
        return replace(asked, tags=tags, created=created, gap=gap)

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
            return replace(asked, gap=gap)
        listed = set(self.registry.list_tags(image))
        names = [name for name in (version, f"v{version}") if name in listed and name != rule.tag]
        same = tuple(name for name in names if self._digest(image, name) == digest)
        gap = "" if same else f"{what}, and no tag of its version means the same"
        return replace(asked, tags=same[:1], gap=gap)

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
