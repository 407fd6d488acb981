"""Fakes that live in time: a Prometheus with a past, an Argo CD that syncs by itself, and a forge that refuses.

They build on the stateful fakes of the other tests, and add what a random history needs: series that stay as they were
measured, health with its own timestamps, conflicts, and refusals of what a real forge would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.argo import Application, Deployed, NoApplication, Operation, Target
from bot.domain.model import Numbers, Sha, Trouble
from bot.domain.pulls import Pull, PullState
from bot.domain.tiles import align_down
from bot.forge import MergeOrder, PullText
from bot.ports import BranchChange, Conflict, Look, OutsideError, Permanent, Transient
from tests.builders import IMAGE, MINUTE
from tests.fake_forge import BOT, FakeForge
from tests.fakes import FakeClock, FakeDeployments, FakeMetrics, FakeRepositories

LAG = timedelta(seconds=15)


class Witness(Protocol):
    """Sees each write of the bot at the moment at which it takes effect."""

    def pushes(self, branch: str, commit: Sha, before: Sha | None) -> None: ...
    def opens(self, text: PullText) -> None: ...
    def marks_ready(self, pull: Pull) -> None: ...
    def merges(self, pull: Pull) -> None: ...
    def withdraws(self, pull: Pull) -> None: ...
    def deletes(self, branch: str) -> None: ...


# --- Prometheus ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How a stage does from an instant on: requests a minute, the share that fails, and whether it is scraped."""

    since: datetime
    per_minute: float = 200.0
    bad_share: float = 0.0
    is_scraped: bool = True


@dataclass
class LivingMetrics(FakeMetrics):
    """Counts by stage, `bad STAGE` and `total STAGE`, that stay as they were; `failing` are queries without an answer.

    `served` are the tiles that were ever answered, by query.
    """

    clock: FakeClock = field(kw_only=True)
    courses: dict[str, list[Weather]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    served: dict[str, set[datetime]] = field(default_factory=dict)

    def turn(self, stage: str, **changes: object) -> None:
        """Change how a stage does from now on."""
        course = self.courses.setdefault(stage, [])
        now = self.clock.now()
        before = course[-1] if course else Weather(since=now)
        course.append(replace(before, since=now, **changes))  # type: ignore[arg-type]  # a test's own fields

    def weather(self, stage: str, at: datetime) -> Weather:
        """Return how a stage did at an instant."""
        course = self.courses[stage]
        return next((one for one in reversed(course) if one.since <= at), course[0])

    def was_read(self, stage: str, start: datetime) -> bool:
        """Say whether both counts of a tile were ever answered."""
        return all(start in self.served.get(f"{kind} {stage}", ()) for kind in ("bad", "total"))

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        self.called("look")
        if "read" in self.fail:
            return [Transient("Prometheus", "connection refused") for _ in looks]
        self.asked.extend(looks)
        return [self._answer(look) for look in looks]

    def _answer(self, look: Look) -> Numbers | OutsideError:
        text = look.query.text
        if text in self.failing:
            return Transient("Prometheus", "the answer is partial")
        starts = [look.start + number * look.width for number in range((look.end - look.start) // look.width)]
        self.served.setdefault(text, set()).update(starts)
        return tuple(self._count(text, start) for start in starts)

    def _count(self, text: str, start: datetime) -> float | None:
        kind, _, stage = text.partition(" ")
        weather = self.weather(stage, start)
        if not weather.is_scraped:
            return None
        if kind == "total":
            return weather.per_minute
        # No series of errors exists before the first one.
        return weather.per_minute * weather.bad_share or None

    def newest_tile_end(self) -> datetime:
        """Return the end of the newest tile that a look may ask for."""
        return align_down(self.clock.now() - LAG, MINUTE)


# --- Argo CD ---------------------------------------------------------------------------------------------------------


@dataclass
class Illness:
    """A time in which a stage was Degraded; `was_seen` says that the bot was told of it."""

    stage: str
    since: datetime
    until: datetime | None = None
    was_seen: bool = False


@dataclass
class LivingArgo(FakeDeployments):
    """Syncs each stage to the head of main by itself, unless it is stuck; a stage may be ill."""

    stuck: set[str] = field(default_factory=set)
    ill: set[str] = field(default_factory=set)
    illnesses: list[Illness] = field(default_factory=list)
    running: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def tick(self, head: Sha, tags: Mapping[str, str]) -> list[str]:
        """Look at Git and at what runs; return the stages that run another release than before."""
        return [stage for stage, tag in tags.items() if self._look(stage, head, tag)]

    def _look(self, stage: str, head: Sha, tag: str) -> bool:
        now, name = self.clock.now(), f"checkout-{stage}"
        app, runs = self.applications.get(name), self.running.get(stage, ("", now))[0]
        comes = tag != runs and stage not in self.stuck
        if comes or not isinstance(app, Application):
            app = self._synced(app if isinstance(app, Application) else None, name, head, tag)
            self.running[stage] = (tag, now)
        else:
            sync = "Synced" if tag == runs else "OutOfSync"
            app = replace(app, revisions=(head,), sync=sync, reconciled_at=now + timedelta(seconds=1))
        health = "Degraded" if stage in self.ill else "Healthy"
        if health != app.health:
            app = replace(app, health=health, health_since=now)
            self._note(stage, health)
        self.applications[name] = app
        return comes

    def _synced(self, before: Application | None, name: str, head: Sha, tag: str) -> Application:
        now = self.clock.now()
        history = before.history if before is not None else ()
        entry = Deployed(revisions=(head,), at=now, started_at=now, number=len(history))
        since = before.health_since if before is not None and before.health == "Degraded" else now
        return Application(
            name=name,
            sync="Synced",
            health=before.health if before is not None else "Healthy",
            revisions=(head,),
            operation=Operation(phase="Succeeded", revisions=(head,), started_at=now, finished_at=now),
            reconciled_at=now + timedelta(seconds=1),
            health_since=since,
            images=(f"{IMAGE}:{tag}",),
            history=(*history, entry)[-10:],
        )

    def _note(self, stage: str, health: str) -> None:
        if health == "Degraded":
            self.illnesses.append(Illness(stage=stage, since=self.clock.now()))
            return
        for illness in self.illnesses:
            if illness.stage == stage and illness.until is None:
                illness.until = self.clock.now()

    def find_applications(
        self, targets: Sequence[Target], *, repository: str, branch: str
    ) -> Mapping[Target, tuple[Application | NoApplication | Trouble, ...]]:
        found = super().find_applications(targets, repository=repository, branch=branch)
        shown = {item.name for items in found.values() for item in items if isinstance(item, Application)}
        for illness in self.illnesses:
            illness.was_seen |= illness.until is None and f"checkout-{illness.stage}" in shown
        return found


# --- Git and the forge -----------------------------------------------------------------------------------------------


@dataclass
class LivingRepositories(FakeRepositories):
    """Refuses the bot's pushes to a protected main; asking the server fails where a refresh fails."""

    witness: Witness | None = None
    is_protected: bool = False

    def branch_change(self, repository: str, base: Sha, branch: str, *, is_fresh: bool = True) -> BranchChange | None:
        if is_fresh and "refresh" in self.fail:
            raise self.fail["refresh"]
        return super().branch_change(repository, base, branch, is_fresh=is_fresh)

    def push(self, repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        if branch == "main" and self.is_protected:
            raise Permanent("Git", "the server does not let the bot push to main of acme/deploy: protected")
        before = self.branches.get(branch)
        if before == expected and self.witness is not None:
            self.witness.pushes(branch, commit, before)
        super().push(repository, branch, commit, expected=expected)


@dataclass
class LivingForge(FakeForge):
    """Knows conflicts, refuses what cannot be merged, and lets the witness see each write."""

    witness: Witness | None = None

    def current(self, pull: Pull) -> Pull:
        if pull.state is not PullState.OPEN:
            return pull
        return replace(super().current(pull), mergeable=self._merges_cleanly(pull))

    def _merges_cleanly(self, pull: Pull) -> bool:
        commits, branches = self.repositories.commits, self.repositories.branches
        base, head = branches["main"], branches.get(pull.branch, pull.head)
        on_base = {one.sha for one in self.repositories.line(base)}
        fork = next(one for one in self.repositories.line(head) if one.sha in on_base)
        ours, theirs = commits[base].files, commits[head].files
        # What a branch leaves as it was conflicts with nothing, whatever becomes of it in main.
        changed = {path: before for path, before in fork.files.items() if theirs.get(path) != before}
        return all(ours.get(path) in (before, theirs.get(path)) for path, before in changed.items())

    def open_promotion(self, repository: str, text: PullText) -> Pull:
        is_there = any(one.branch == text.branch and one.state is PullState.OPEN for one in self.pulls.values())
        if not is_there and self.witness is not None:
            self.witness.opens(text)
        return super().open_promotion(repository, text)

    def mark_ready(self, repository: str, number: int) -> None:
        if self.witness is not None and self.pulls[number].draft:
            self.witness.marks_ready(self.current(self.pulls[number]))
        super().mark_ready(repository, number)

    def withdraw(self, repository: str, number: int, branch: str | None) -> None:
        pull = self.current(self.pulls[number])
        if pull.state is not PullState.OPEN:
            return
        if self.witness is not None:
            self.witness.withdraws(pull)
        if branch is not None:
            self.delete_branch(repository, branch)
        super().withdraw(repository, number, None)
        self.edit(number, head=pull.head)

    def delete_branch(self, repository: str, branch: str) -> None:
        if self.witness is not None and branch in self.repositories.branches:
            self.witness.deletes(branch)
        super().delete_branch(repository, branch)

    def merge_promotion(self, repository: str, order: MergeOrder) -> Sha | None:
        pull = self.current(self.pulls[order.number])
        if pull.state is not PullState.OPEN or pull.draft or not pull.mergeable:
            raise Conflict("GitHub", "it cannot be merged")
        if pull.head == order.head and self.witness is not None:
            self.witness.merges(pull)
        return super().merge_promotion(repository, order)

    def merge(self, number: int, message: str, *, by: str = BOT) -> Sha:
        merged = super().merge(number, message, by=by)
        self.edit(number, closed_at=self.repositories.clock.now())
        return merged
