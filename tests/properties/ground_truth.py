"""What is true of a living world, and whether each write of the bot was right by that, whatever the bot says of it.

The witness sees a write at the moment at which it takes effect. It knows the weather, what ran when, what was ever
measured, and what people said and did; it never reads the ledger. What it finds wrong is a sentence in `wrongs`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.model import Sha
from bot.domain.naming import is_revert_branch
from bot.domain.policy import Merge
from bot.domain.pulls import Pull, PullState
from bot.domain.tiles import align_up
from bot.domain.trailers import parse_trailers
from bot.forge import PullText
from tests.builders import MINUTE
from tests.fake_forge import BOT
from tests.properties.living_fakes import Illness
from tests.properties.living_world import (
    DEGRADED_FOR,
    FILES,
    LIMIT,
    PERMISSIONS,
    SPELL_GAP,
    WARMUP,
    WATCH,
    WINDOW,
    LivingWorld,
)

HOLD = "liftlock/hold"
_MAY = {name for name, permission in PERMISSIONS.items() if permission >= 3}
_MAY_OVERRIDE = {"dana"}
_LIFTS = ("approve", "retry")


@dataclass
class Said:
    """A command that somebody wrote on a pull request, whose head was `head` then."""

    number: int
    branch: str
    verb: str
    by: str
    at: datetime
    head: Sha
    gate: str = ""
    was_heard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A commit that set production's tag. `how` it came: by hand, by a promotion, or by taking one back."""

    tag: str
    before: str
    commit: Sha
    at: datetime
    how: str


@dataclass
class GroundTruth:
    """The witness of one world."""

    world: LivingWorld
    wrongs: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    known: set[Sha] = field(default_factory=set)
    reverts: dict[int, Sha] = field(default_factory=dict)
    forgets_holds: bool = True

    def __post_init__(self) -> None:
        self.read_main()
        self.world.forge.witness = self
        self.world.repositories.witness = self

    # --- what came to production -------------------------------------------------------------------------------------

    def read_main(self) -> None:
        """Note what has come to main since the last time."""
        commits = self.world.repositories.commits
        new = [one for one in self.world.repositories.line(self.world.head) if one.sha not in self.known]
        for commit in reversed(new):
            self.known.add(commit.sha)
            before = commits[commit.parent].files if commit.parent is not None else {}
            if commit.author == BOT:
                self._check_edit(before, commit.files)
            tag = self.world.tag("production", commit.sha)
            was = self.world.tag("production", commit.parent) if commit.parent is not None else ""
            if tag != was:
                how = _how(commit.message)
                self.arrivals.append(Arrival(tag=tag, before=was, commit=commit.sha, at=commit.at, how=how))

    def _check_edit(self, before: object, after: object) -> None:
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        changed = [path for path in after if before.get(path) != after[path]]
        if changed != [FILES["production"]]:
            self.wrongs.append(f"I14: the bot changed {changed}")
            return
        old, new = (text[changed[0]].splitlines() for text in (before, after))
        others = [(a, b) for a, b in zip(old, new, strict=False) if a != b and "tag: " not in b]
        if len(old) != len(new) or others:
            self.wrongs.append(f"I14: more than the tag was changed: {others}")

    @property
    def came(self) -> Arrival:
        """What came to production last."""
        self.read_main()
        return self.arrivals[-1]

    @property
    def taken_back(self) -> set[str]:
        """The releases that were taken back from production."""
        self.read_main()
        return {one.before for one in self.arrivals if one.how == "taken back"}

    # --- what people said --------------------------------------------------------------------------------------------

    def hear(self, *, all_went_well: bool) -> None:
        """Note that a sweep is over: what was in view is heard if nothing failed."""
        in_view = self.world.in_view()
        for one in self.said:
            one.was_heard |= all_went_well and one.number in in_view

    def forget(self) -> None:
        """Note that the ledger was lost: what cannot be read again is forgotten, which is known and accepted."""
        for one in self.said:
            one.was_heard = False

    def _last(self, *verbs: str, branch: str | None = None, number: int | None = None) -> Said | None:
        for one in reversed(self.said):
            of_it = branch in (None, one.branch) and number in (None, one.number)
            if one.verb in verbs and one.by in _MAY and of_it:
                return one
        return None

    def rejection(self, tag: str) -> str | None:
        """Return who keeps a release out of production."""
        branch = self.world.branch_of(tag)
        reject, lift = self._last("reject", "rollback", branch=branch), self._last(*_LIFTS, branch=branch)
        if reject is not None and reject.verb == "reject" and (lift is None or lift.at < reject.at):
            return f"{reject.by} rejected it"
        pull = self.world.newest_on(branch)
        if pull is None or pull.state is not PullState.CLOSED or pull.closed_by_bot:
            return None
        retry = self._last("retry", branch=branch)
        is_lifted = retry is not None and pull.closed_at is not None and retry.at >= pull.closed_at
        return None if is_lifted else f"{pull.closed_by} closed #{pull.number}"

    def hold(self, number: int | None) -> str | None:
        """Return who holds production, as the bot must know it now."""
        in_view = self.world.in_view()
        for one in reversed(self.said):
            if one.by not in _MAY:
                continue
            if one.verb == "resume":
                return None
            is_known = one.was_heard or one.number == number or (one.number in in_view and not self.world.faults.any)
            if one.verb == "hold" and is_known:
                return f"{one.by} holds production"
        return None

    def overridden(self, pull: Pull | None) -> set[str]:
        """Return the gates that a person with the right has overridden for the present head of a pull request."""
        if pull is None:
            return set()
        return {
            one.gate
            for one in self.said
            if one.verb == "promote" and one.by in _MAY_OVERRIDE and (one.number, one.head) == (pull.number, pull.head)
        }

    def is_approved(self, pull: Pull) -> bool:
        """Say whether a person has approved the present head."""
        return any(
            one.verb == "approve" and one.by in _MAY and (one.number, one.head) == (pull.number, pull.head)
            for one in self.said
        )

    # --- whether a release has proven itself -------------------------------------------------------------------------

    def unproven(self, tag: str, overridden: set[str]) -> list[str]:
        """Return why a release has not proven itself in staging; nothing if it has (I1, I5)."""
        world = self.world
        runs, since = world.deployments.running["staging"]
        if tag != world.tag("staging") or runs != tag:
            return [f"I1: {tag} does not run in staging"]
        ended = [one.until for one in world.deployments.illnesses if one.stage == "staging" and one.since <= since]
        since = max([since, *(until for until in ended if until is not None)])
        found = [] if "argocd-healthy" in overridden else self._ill("staging", WINDOW)
        if "staging" in world.deployments.ill:
            found.append("I1: staging is Degraded")
        if "http-errors" not in overridden:
            found += self._unmeasured(since)
        return found

    def _ill(self, stage: str, lasting: timedelta) -> list[str]:
        now = self.world.clock.now()
        return [
            f"I1: {stage} was Degraded at {one.since:%H:%M:%S}"
            for one in self.world.deployments.illnesses
            if one.stage == stage and (one.until or now) > now - lasting and _matters(one, now)
        ]

    def _unmeasured(self, since: datetime) -> list[str]:
        metrics = self.world.metrics
        tiles = _tiles(since + WARMUP, metrics.newest_tile_end())
        if len(tiles) < WINDOW // MINUTE:
            return [f"I1: only {len(tiles)} minutes were measured"]
        unread = [at for at in tiles if not metrics.was_read("staging", at)]
        if unread:
            return [f"I5: never measured: {unread[0]:%H:%M} and {len(unread) - 1} more"]
        weathers = [metrics.weather("staging", at) for at in tiles]
        newest = weathers[-(WINDOW // MINUTE) :]
        found = []
        if sum(not one.is_scraped for one in newest) > len(newest) * 0.2:
            found.append("I5: there was no data")
        total = sum(one.per_minute for one in weathers if one.is_scraped)
        bad = sum(one.per_minute * one.bad_share for one in weathers if one.is_scraped)
        if total < 3 / LIMIT:
            found.append(f"I5: {total} requests prove nothing")
        if bad >= LIMIT * total:
            found.append(f"I1: {bad} of {total} were bad")
        return found

    # --- whether there was a reason to take it back ------------------------------------------------------------------

    def unwarranted(self) -> list[str]:
        """Return why what runs in production must not be taken back now; nothing if it may (I4, I5, I7)."""
        came = self.came
        order = self._last("rollback", branch=self.world.branch_of(came.tag))
        is_ordered = order is not None and order.at > came.at
        found = []
        if came.how == "taken back":
            found.append("I4: a revert was to be reverted")
        if came.how == "by hand" and not is_ordered:
            found.append("I7: what a person set was to be reverted")
        recent = [one for one in self.arrivals if one.how == "taken back"]
        if len(recent) >= 3 and not is_ordered:
            found.append("I4: it was taken back three times within a day")
        if not is_ordered and not self._was_bad(came) and not self._was_ill(came):
            found.append("I5: nothing was ever measured to be wrong in production")
        return found

    def _was_bad(self, came: Arrival) -> bool:
        metrics = self.world.metrics
        tiles = _tiles(came.at - MINUTE, metrics.newest_tile_end())
        weathers = [metrics.weather("production", at) for at in tiles if metrics.was_read("production", at)]
        return sum(one.bad_share > 0 and one.is_scraped and one.per_minute > 0 for one in weathers) >= 2

    def _was_ill(self, came: Arrival) -> bool:
        now = self.world.clock.now()
        runs, _ = self.world.deployments.running["production"]
        return runs == came.tag and any(
            one.stage == "production" and one.until is None and one.was_seen and one.since <= now - DEGRADED_FOR
            for one in self.world.deployments.illnesses
        )

    def _way_back(self, tag: str) -> list[str]:
        """Return why a release must not come back."""
        if tag in self.taken_back:
            return [f"I4: {tag} is quarantined"]
        stands = list(zip(self.arrivals, self.arrivals[1:], strict=False))
        oldest = self.arrivals[0].tag
        if tag != oldest and not any(one.tag == tag and after.at - one.at >= WATCH for one, after in stands):
            return [f"I4: {tag} has never proven itself in production"]
        return []

    # --- the witness -------------------------------------------------------------------------------------------------

    def pushes(self, branch: str, commit: Sha, before: Sha | None) -> None:
        commits = self.world.repositories.commits
        if branch == "main":
            self._pushes_main(commit)
            return
        if before is not None and commits[before].author != BOT:
            self.wrongs.append(f"I7: the bot pushed over the commit of {commits[before].author} on {branch}")

    def _pushes_main(self, commit: Sha) -> None:
        tag, message = self.world.tag("production", commit), self.world.repositories.commits[commit].message
        if _how(message) == "taken back":
            self.wrongs += [*self.unwarranted(), *self._way_back(tag)]
            return
        self._moves(tag, None)
        if any(one.tag == tag for one in self.arrivals):
            self.wrongs.append(f"I3: {tag} came back to production without a person")

    def _moves(self, tag: str, pull: Pull | None) -> None:
        self._proposes(tag)
        self.wrongs += self.unproven(tag, self.overridden(pull))
        held = self.hold(pull.number if pull is not None else None)
        if held is not None:
            self.wrongs.append(f"I7: moved although {held}")

    def _proposes(self, tag: str) -> None:
        if tag in self.taken_back:
            self.wrongs.append(f"I3: {tag} was taken back, and moves again")
        rejected = self.rejection(tag)
        if rejected is not None:
            self.wrongs.append(f"I7: {tag} moves although {rejected}")

    def opens(self, text: PullText) -> None:
        tag = self.world.tag("production", self.world.repositories.branches[text.branch])
        before = self.world.newest_on(text.branch)
        if is_revert_branch(text.branch):
            self._opens_rollback(tag)
            return
        if before is not None and before.state is PullState.MERGED:
            self.wrongs.append(f"I9: {tag} is proposed again, although #{before.number} was merged")
        self._proposes(tag)
        if not text.is_draft:
            self.wrongs += self.unproven(tag, set())

    def _opens_rollback(self, back_to: str) -> None:
        came = self.came.commit
        self.wrongs += [*self.unwarranted(), *self._way_back(back_to)]
        twice = [number for number, commit in self.reverts.items() if commit == came]
        if twice:
            self.wrongs.append(f"I9: a second rollback of one promotion, after #{twice[0]}")
        self.reverts[len(self.world.forge.pulls) + 1] = came

    def marks_ready(self, pull: Pull) -> None:
        if pull.draft_by is not None:
            self.wrongs.append(f"I7: marked ready what {pull.draft_by} had made a draft")
        tag = self.world.tag("production", pull.head)
        self._proposes(tag)
        self.wrongs += self.unproven(tag, self.overridden(pull))

    def merges(self, pull: Pull) -> None:
        commits = self.world.repositories.commits
        if commits[pull.head].author != BOT:
            self.wrongs.append(f"I2: merged #{pull.number} with a commit of {commits[pull.head].author}")
        if HOLD in pull.labels:
            self.wrongs.append(f"I7: merged #{pull.number} with the label {HOLD}")
        tag = self.world.tag("production", pull.head)
        if is_revert_branch(pull.branch):
            self._merges_rollback(pull, tag)
            return
        self._moves(tag, pull)
        needs_person = self.world.policy.stage("production").merge is Merge.HUMAN or any(
            one.tag == tag for one in self.arrivals
        )
        if needs_person and not self.is_approved(pull):
            self.wrongs.append(f"I1: merged #{pull.number}, which is left to people")

    def _merges_rollback(self, pull: Pull, back_to: str) -> None:
        came = self.came
        self.wrongs += self._way_back(back_to)
        if self.reverts.get(pull.number) != came.commit:
            self.wrongs += self.unwarranted()
        elif came.how != "promoted":
            self.wrongs.append(f"I4: took back what came {came.how}")

    def withdraws(self, pull: Pull) -> None:
        if pull.reopened_by is not None:
            self.wrongs.append(f"I7: closed #{pull.number}, which {pull.reopened_by} had opened again")

    def deletes(self, branch: str) -> None:
        head = self.world.repositories.branches[branch]
        author = self.world.repositories.commits[head].author
        pull = self.world.newest_on(branch)
        is_merged = pull is not None and pull.state is PullState.MERGED and pull.head == head
        if author != BOT and not is_merged:
            self.wrongs.append(f"I7: deleted {branch} with a commit of {author}")


def _how(message: str) -> str:
    trailers = parse_trailers(message)
    if trailers is None:
        return "by hand"
    return "taken back" if trailers.reverts is not None else "promoted"


def _matters(illness: Illness, now: datetime) -> bool:
    """Say whether the bot could know: it was told, or nobody looked for longer than counts as looking all the time."""
    return illness.was_seen or (illness.until or now) - illness.since > SPELL_GAP


def _tiles(since: datetime, until: datetime) -> list[datetime]:
    start = align_up(since, MINUTE)
    return [start + number * MINUTE for number in range(max(0, (until - start) // MINUTE))]
