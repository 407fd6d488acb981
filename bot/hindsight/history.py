"""Read which release stood in which stage, and since when it was live, for one policy.

Git says what was set and when; Argo CD's history, where it reaches, says when it was deployed. Where it does not, a
release is taken to have been live some time after its commit, or nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.backtest.facts import Facts, Live, LiveFrom, Stand, stands_of, tags_at
from bot.domain.argo import Application, NamedApplication
from bot.domain.model import Sha, TagHistory, Trouble
from bot.domain.policy import Policy, Stage
from bot.domain.text import format_date_instant
from bot.observe import World
from bot.stage_look import StageLook
from bot.tag_history import TagReader

_FEWEST_COMMITS = 200
_MOST_COMMITS = 12_800
"""How many commits of a file are read, in search of those from before what is looked at."""
_EARLIER = timedelta(days=7)
"""How much further back than what is looked at the history is read: who stood there before matters, too."""
_CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReader:
    """Reads facts. `deploy_delay` is how long after its commit a release is taken to be live, None: nobody knows."""

    world: World
    since: datetime
    deploy_delay: timedelta | None

    def read(self, policy: Policy) -> Facts:
        """Read all stages of a policy. Raise OutsideError if the repository cannot be reached."""
        gitops = policy.gitops
        files = [stage.edit.file for stage in policy.stages]
        head = self.world.repositories.refresh(gitops.repository, gitops.branch, files)
        tags = {stage.name: self._tags(policy, stage, head) for stage in policy.stages}
        targets = [target for stage in policy.stages for target in stage.applications]
        found = self.world.deployments.find_applications(targets, repository=gitops.repository, branch=gitops.branch)
        live: dict[tuple[str, Sha], Live] = {}
        notes: list[str] = []
        members: dict[str, tuple[str, ...]] = {}
        for stage in policy.stages:
            look = self.world.stage_look(policy, stage)
            seen = look.applications(found)
            notes += [f"{stage.name}: {_told(one)}" for one in seen if isinstance(one, Trouble)]
            members[stage.name] = _members(stage, seen)
            live |= dict(self._live(look, tags[stage.name], [one for one in seen if isinstance(one, Application)]))
        notes += [note for stage in policy.stages for note in self._missing(stage, tags[stage.name])]
        return Facts(policy=policy, tags=tags, live=live, members=members, notes=tuple(notes))

    def _tags(self, policy: Policy, stage: Stage, head: Sha) -> TagHistory | Trouble:
        """Read a stage's history back to before what is looked at, as far as a bound."""
        limit, wanted = _FEWEST_COMMITS, self.since - _EARLIER
        while True:
            reader = TagReader(repositories=self.world.repositories, limit=limit, reading=self.world.tags.reading)
            found = reader.read(policy, stage, head)
            is_enough = isinstance(found, Trouble) or found.complete or found.changes[-1].at < wanted
            if is_enough or limit >= _MOST_COMMITS:
                return found
            limit *= 4

    def _missing(self, stage: Stage, tags: TagHistory | Trouble) -> Iterator[str]:
        if isinstance(tags, Trouble):
            yield f"{stage.name}: {_told(tags)}"
        elif not tags.complete and tags.changes[-1].at >= self.since:
            first = format_date_instant(tags.changes[-1].at)
            yield f"{stage.name}: Git's history is known from {first} on only, so earlier releases are not looked at"

    # --- since when it was live ---

    def _live(
        self, look: StageLook, tags: TagHistory | Trouble, applications: Sequence[Application]
    ) -> Iterator[tuple[tuple[str, Sha], Live]]:
        if isinstance(tags, Trouble):
            return
        name = look.stage.name
        for stand in stands_of(name, tags):
            if stand.at < self.since:
                continue
            at = _deployed_at(look, tags, stand, applications)
            if at is not None:
                yield (name, stand.since.commit), Live(at=at, known_from=LiveFrom.ARGO_CD)
            elif self.deploy_delay is not None:
                at = stand.at + self.deploy_delay
                yield (name, stand.since.commit), Live(at=at, known_from=LiveFrom.ASSUMED)


def _told(trouble: Trouble) -> str:
    is_named = trouble.sentence.startswith(trouble.system)
    return trouble.sentence if is_named else f"{trouble.system}: {trouble.sentence}"


def _members(stage: Stage, seen: Sequence[object]) -> tuple[str, ...]:
    """Return the names of a stage's applications: those that there are, or those that the policy names."""
    present = [one.name for one in seen if isinstance(one, Application)]
    named = [target.shown for target in stage.applications if isinstance(target, NamedApplication)]
    return tuple(dict.fromkeys([*named, *present])) or tuple(target.shown for target in stage.applications)


def _deployed_at(
    look: StageLook, tags: TagHistory, stand: Stand, applications: Sequence[Application]
) -> datetime | None:
    """Return when the last application had synced the release, by Argo CD's history; None if any does not tell."""
    history = tags_at(tags, stand.at)
    if isinstance(history, Trouble) or not applications or len(applications) < len(look.stage.applications):
        return None
    instants = [_synced_at(look, history, stand, app) for app in applications]
    known = [at for at in instants if at is not None]
    return max(known) if len(known) == len(instants) else None


def _synced_at(look: StageLook, history: TagHistory, stand: Stand, app: Application) -> datetime | None:
    first = stand.at - _CLOCKS_APART
    entries = tuple(one for one in app.history if first <= one.at and (stand.until is None or one.at < stand.until.at))
    if not entries:
        return None
    alone = replace(app, revisions=(), operation=None, history=entries)
    ancestry = look.ancestry(history, [alone])
    return next((max(one.at, stand.at) for one in entries if ancestry.all_carry(one.revisions)), None)
