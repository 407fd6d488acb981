"""What the image registry offers to the stage that takes its releases from there: its tags, ranked by the stage's rule.

A registry is asked for its tags once in `every` of the rule, or when somebody says that it has a new one. What is
remembered between sweeps only saves calls and may be lost at any time.

What a person sets in Git is their word on all that the registry had by then (I7). So for the commit that set the
present tag the ledger keeps which tags there were when the bot first saw it; only others are new. Where that is lost,
all that there are count as had already: the bot begins with the next release.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.intake import FollowRule, Intake, NewestRule, admits, describe, ranked
from bot.domain.model import NOT_SET, Digest, Offer, Sha, TagHistory, Trouble
from bot.domain.policy import Policy
from bot.ports import OutsideError, Permanent, Registry
from bot.records import Ledger

_SYSTEM = "registry"
_MOST_DATED = 200
"""How many images are asked when they were created: what is more needs a narrower rule."""
_DATING = timedelta(seconds=10)
"""How long one sweep asks them: what is left is asked in the next, so that nobody's rollback waits for it."""
_LET_BE = timedelta(seconds=30)
"""How long a registry that did not answer is not asked again for one service."""
_MOST_HAD = 5_000
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
    image: str
    intake: Intake
    told: _Told
    tags: tuple[str, ...] = ()
    dated: Mapping[str, datetime | None] = field(default_factory=dict)
    gap: str = ""
    is_whole: bool = True

    @property
    def created(self) -> Mapping[str, datetime]:
        """When the images were created that say so."""
        return {tag: at for tag, at in self.dated.items() if at is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """That a registry did not answer."""

    at: datetime
    told: _Told
    trouble: Trouble


@dataclass(slots=True, kw_only=True)
class OfferReader:
    """Reads offers. Safe between threads that work on different services. `seconds` are monotonic."""

    registry: Registry
    ledger: Ledger
    seconds: Callable[[], float] = time.monotonic
    _heard: dict[str, _Heard] = field(default_factory=dict)
    _failed: dict[str, _Failed] = field(default_factory=dict)
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
        set_by = None if isinstance(tags, Trouble) or not tags.changes else tags.introduced.commit
        word = self._word(policy, stage.name, set_by)
        try:
            # With a new word in Git a listing of before it would not do: what came in between would count as new.
            heard = self._hear(policy, stage.intake, now, is_anew=word is None and set_by is not None)
        except OutsideError as error:
            return error.as_trouble()
        had = word if word is not None else self._note_word(policy, stage.name, set_by, heard)
        best = _best(heard, tags)
        if best is None:
            reason = heard.gap or f"{policy.image} has no tag that the policy takes: {describe(stage.intake.rule)}"
            return Offer(tag=None, is_new=False, reason=reason)
        return Offer(tag=best, is_new=best not in had, reason=describe(stage.intake.rule))

    # --- what was there when people spoke last ---

    def _word(self, policy: Policy, stage: str, set_by: Sha | None) -> Collection[str] | None:
        """Return the tags that there were when the bot first saw the commit; None where it has not seen it yet."""
        key = _word_key(policy, stage)
        try:
            noted = json.loads(self.ledger.noted([key]).get(key) or "null")
            return frozenset(noted["had"]) if noted is not None and noted["commit"] == set_by else None
        except (ValueError, TypeError, KeyError):
            return None

    def _note_word(self, policy: Policy, stage: str, set_by: Sha | None, heard: _Heard) -> Collection[str]:
        rule = heard.intake.rule
        had = [tag for tag in heard.tags if isinstance(rule, FollowRule) or admits(rule, tag)][:_MOST_HAD]
        if set_by is not None:
            self.ledger.note(_word_key(policy, stage), json.dumps({"commit": set_by, "had": had}))
        return frozenset(had)

    # --- asking ---

    def _hear(self, policy: Policy, intake: Intake, now: datetime, *, is_anew: bool) -> _Heard:
        told, service = self._told(policy.image), policy.service
        known, failed = self._heard.get(service), self._failed.get(service)
        if failed is not None and failed.told == told and timedelta(0) <= now - failed.at < _LET_BE:
            raise Permanent(failed.trouble.system, failed.trouble.sentence)
        asked = _Heard(at=now, image=policy.image, intake=intake, told=told)
        if known is not None and not is_anew and known.is_whole and _is_fresh(known, asked):
            return known
        if known is not None and (known.image, known.intake) == (asked.image, asked.intake):
            # An image is asked once when it was created. A tag that moves keeps its place until the bot starts anew.
            asked = replace(asked, dated=known.dated)
        try:
            # Kept only when it has succeeded: a hint is not lost with an answer that did not come.
            heard = self._heard[service] = self._ask(policy.image, asked)
        except OutsideError as error:
            self._failed[service] = _Failed(at=now, told=told, trouble=error.as_trouble())
            raise
        self._failed.pop(service, None)
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
        heard = replace(asked, tags=tags)
        return self._dated(image, rule, heard) if isinstance(rule, NewestRule) else heard

    def _dated(self, image: str, rule: NewestRule, heard: _Heard) -> _Heard:
        """Read when the images were created, each once for its bytes, and as many as there is time for."""
        asked = [tag for tag in heard.tags if admits(rule, tag)]
        if len(asked) > _MOST_DATED:
            reason = f"{len(asked)} tags of {image} fit the rule, and {_MOST_DATED} at most are asked when they were"
            raise Permanent(_SYSTEM, f"{reason} created: narrow it down by newest: TEMPLATE")
        ends = self.seconds() + _DATING.total_seconds()
        found = {tag: at for tag, at in heard.dated.items() if tag in asked}
        for tag in asked:
            if tag in found:
                continue
            if self.seconds() > ends:
                gap = f"{len(found)} of {len(asked)} images were asked when they were created: the others come next"
                return replace(heard, dated=found, gap=gap, is_whole=False)
            found[tag] = self._created_at(image, tag)
        is_dated = any(at is not None for at in found.values())
        gap = "" if is_dated else f"no image of {image} that the policy takes says when it was created"
        return replace(heard, dated=found, gap=gap)

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


def _word_key(policy: Policy, stage: str) -> str:
    return f"word/{policy.service}/{stage}/{policy.image}"


def _is_fresh(known: _Heard, asked: _Heard) -> bool:
    """Say whether what is known would be answered again: the same question, and not long ago."""
    is_same = (known.image, known.intake, known.told) == (asked.image, asked.intake, asked.told)
    return is_same and timedelta(0) <= asked.at - known.at < asked.intake.every


def _best(heard: _Heard, tags: TagHistory | Trouble) -> str | None:
    rule = heard.intake.rule
    if isinstance(rule, FollowRule):
        return next(iter(heard.tags), None)
    if not heard.is_whole:
        return None
    there: Sequence[str] = () if isinstance(tags, Trouble) or tags.tag == NOT_SET else (tags.tag,)
    if isinstance(rule, NewestRule) and any(admits(rule, tag) and tag not in heard.created for tag in there):
        # The registry does not say any more how old it is: nothing is known to be newer.
        return there[0] if heard.created else None
    # What is set there counts as well: that the registry has lost it is no reason to go back.
    return next(iter(ranked(rule, (*heard.tags, *there), heard.created)), None)
