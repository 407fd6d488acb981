"""Judge one application as it is now, by the policies that name it: the look of a sweep, at one stage, noting nothing.

Where a commit is named, it takes the place of the one that set the present tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.argo import DEFAULT_SERVER, Application, NamedApplication, Target
from bot.domain.liveness import Liveness
from bot.domain.model import Sha, TagChange, TagHistory, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import expected_release, liveness_of, why_barred
from bot.domain.policy import Policy, Stage
from bot.domain.timeline import Milestone, timeline_of
from bot.observe import World
from bot.ports import Permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedLive:
    """What one application, or all of its stage, came to."""

    liveness: Liveness
    applications: list[Application]
    timeline: list[Milestone]


def explain_live(world: World, policies: Sequence[Policy], application: str, commit: str | None) -> ExplainedLive:
    """Judge an application for the first stage that has it. Raise OutsideError for what stands in the way."""
    application = application.removeprefix(f"{DEFAULT_SERVER}:")
    troubles: list[Trouble] = []
    for policy in policies:
        for stage in policy.stages:
            narrowed = _only(world, policy, stage, application, troubles)
            if narrowed is not None:
                return _explain(world, policy, narrowed, commit)
    if troubles:
        raise Permanent(troubles[0].system, troubles[0].sentence)
    raise Permanent("policies", f"no policy has a stage with the application {application}; a saved one needs --file")


def _only(world: World, policy: Policy, stage: Stage, application: str, troubles: list[Trouble]) -> Stage | None:
    """Return the stage as if this application were all of it; None if it is not among its applications.

    Who cannot say which applications a selector finds is added to `troubles`.
    """
    named: Sequence[Target] = [target for target in stage.applications if target.shown == application]
    if named:
        return replace(stage, applications=tuple(named))
    for target in stage.applications:
        if isinstance(target, NamedApplication):
            continue
        seen = world.deployments.find_applications(
            [target], repository=policy.gitops.repository, branch=policy.gitops.branch
        )
        troubles += [member for member in seen[target] if isinstance(member, Trouble)]
        for member in seen[target]:
            if isinstance(member, Application) and member.name == application:
                name = application.rpartition(":")[2]
                return replace(stage, applications=(NamedApplication(name=name, server=target.server),))
    return None


def _explain(world: World, policy: Policy, stage: Stage, commit: str | None) -> ExplainedLive:
    files = [file for one in policy.stages for file in one.files]
    head = world.repositories.refresh(policy.gitops.repository, policy.gitops.branch, files)
    tags = world.tags.read(policy, stage, head)
    if isinstance(tags, Trouble):
        raise Permanent(tags.system, tags.sentence)
    if commit is not None:
        tags = _of_commit(tags, commit)
    now = world.clock.now()
    seen = _look(world, policy, stage, tags)
    expected = expected_release(policy, stage, tags, barred=why_barred(tags, _tags_of_all(world, policy, head)))
    liveness = liveness_of(seen, expected, now)
    present = [item for item in seen.applications if isinstance(item, Application)]
    return ExplainedLive(liveness=liveness, applications=present, timeline=list(timeline_of(tags, liveness)))


def _look(world: World, policy: Policy, stage: Stage, tags: TagHistory) -> StageObservation:
    gitops = policy.gitops
    found = world.deployments.find_applications(stage.applications, repository=gitops.repository, branch=gitops.branch)
    seen = world.stage_look(policy, stage).observe(tags, found)
    names = {item.name for item in seen.applications if isinstance(item, Application)}
    spells = tuple(one for one in seen.memory.spells if one.application in names)
    # Of one application alone: what became of the others of its stage is another question.
    return replace(seen, memory=replace(seen.memory, memberships=(), spells=spells))


def _tags_of_all(world: World, policy: Policy, head: Sha) -> Observation:
    """Return what Git says of all stages: a release that was rolled back in one is quarantined in all."""
    stages = tuple(
        StageObservation(stage=one.name, tags=world.tags.read(policy, one, head), samples={}) for one in policy.stages
    )
    return Observation(service=policy.service, at=world.clock.now(), stages=stages)


def _of_commit(tags: TagHistory, commit: str) -> TagHistory:
    """Take the tag as that commit left it, which must be one of those that set it."""
    changes = [change for change in tags.changes if change.commit.startswith(commit.lower())]
    if changes:
        return _ended_at(tags, changes[0])
    known = ", ".join(change.commit[:7] for change in tags.changes[:5])
    raise Permanent("Git", f"the commit {commit} did not set this stage's tag; those that did: {known}")


def _ended_at(tags: TagHistory, change: TagChange) -> TagHistory:
    place = tags.changes.index(change)
    return replace(tags, head=Sha(change.commit), tag=change.new, changes=tags.changes[place:])
