"""Look up who approved a promotion's pull request: what they may do at this moment, and who wrote what comes with it.

Asked anew in each sweep, and so in the one that merges. Only those are looked up who approved the present head, by a
review or by a command; nothing is judged here but who they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.approvals import Approving, Voter, Writers, voters_of
from bot.domain.authority import Permission
from bot.domain.gates.artifact import asks_for_certificate, signed_commit, subject_of, subject_with
from bot.domain.model import NOT_SET, Artifact, Release, Sha, TagHistory, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import carriers, running_release, waiting_tag
from bot.domain.orders import standing
from bot.domain.policy import Approvals, Policy, Stage
from bot.domain.pulls import Proposal, PullState
from bot.observe import World
from bot.ports import OutsideError

_MOST_LOOKED_UP = 50
"""More people than this never have to approve; each costs two requests in a sweep."""


def with_approvals(world: World, policy: Policy, seen: Observation) -> Observation:
    """Add what the forge says of those who approved an open promotion, where the policy asks for approvals."""
    if not any(stage.proposing.approvals for stage in policy.stages):
        return seen
    stages = tuple(_with_approvals(world, policy, policy.stage(one.stage), seen) for one in seen.stages)
    return replace(seen, stages=stages)


def _with_approvals(world: World, policy: Policy, stage: Stage, seen: Observation) -> StageObservation:
    here, wanted = seen.stage(stage.name), stage.proposing.approvals
    pull = here.promotion.pull if isinstance(here.promotion, Proposal) else None
    tag = waiting_tag(stage, seen)
    if wanted is None or tag is None or pull is None or pull.state is not PullState.OPEN:
        return here
    digest = here.artifact.digest if isinstance(here.artifact, Artifact) else None
    release = Release(image=policy.image, tag=tag, digest=digest)
    stands = standing(seen.orders, service=policy.service, stage=stage.name, release=release.name, head=pull.head)
    voters = _voters(world, policy.gitops.repository, wanted, voters_of(pull, stands)[:_MOST_LOOKED_UP])
    writers = _writers(world, policy, stage, here, release, seen) if wanted.four_eyes else None
    return replace(here, approving=Approving(voters=voters, writers=writers))


# --- who they are ----------------------------------------------------------------------------------------------------


def _voters(world: World, repository: str, wanted: Approvals, accounts: Sequence[tuple[int, str]]) -> tuple[Voter, ...]:
    return tuple(_voter(world, repository, wanted, number, login) for number, login in accounts)


def _voter(world: World, repository: str, wanted: Approvals, number: int, login: str) -> Voter:
    """Look up one account; that one cannot be told keeps nobody else from being counted."""
    try:
        # Where the login is another account's by now, there is no role, and no team is asked for it.
        permission = world.conversation.permission_of(repository, number, login)
        if permission is Permission.NONE:
            return Voter(id=number)
        return Voter(id=number, permission=permission, name=name_among(world, wanted.people, login))
    except OutsideError as error:
        return Voter(id=number, trouble=error.as_trouble())


def name_among(world: World, people: Sequence[str], login: str) -> str:
    """Return which of some logins and teams (`@dana`, `@acme/release`) an account is, or is in; empty for none."""
    named = {name.removeprefix("@").lower(): name for name in people}
    if login.lower() in named:
        return named[login.lower()]
    teams = (name for name in people if "/" in name)
    return next((team for team in teams if world.conversation.is_member(team.removeprefix("@"), login)), "")


# --- who wrote what comes --------------------------------------------------------------------------------------------


def _writers(
    world: World, policy: Policy, stage: Stage, here: StageObservation, release: Release, seen: Observation
) -> Writers | Trouble:
    """Ask who wrote the source commits between the release that is there and the one that comes."""
    there = here.tags
    if policy.source is None or not isinstance(there, TagHistory) or there.tag == NOT_SET:
        sentence = f"{stage.name} has no release yet, so that nobody can say which commits come with this one"
        return Trouble(system="Liftlock", sentence=sentence)
    try:
        before = world.registry.find_artifact(policy.image, there.tag)
        running = running_release(policy, there)
        if before is not None and running.digest not in {None, before.digest}:
            sentence = f"the tag {there.tag} means other bytes now than {stage.name} runs"
            return Trouble(system="the registry", sentence=f"{sentence}, so that nobody can say which commits come")
        old, new = None if before is None else before.revision, _commit(policy, stage, here, release, seen)
        if old is None or new is None:
            return _no_commit(there.tag if old is None else release.tag)
        # A release that was built anew from the same commit brings none.
        found = Writers() if old == new else world.signals.writers_of(policy.source, old, new)
    except OutsideError as error:
        return error.as_trouble()
    if found is None:
        return Trouble(system="GitHub", sentence=f"{policy.source} does not have both {old[:7]} and {new[:7]}")
    return found


def _no_commit(tag: str) -> Trouble:
    sentence = f"{tag} does not say which source commit it was built from, so that nobody can say who wrote it"
    return Trouble(system="the registry", sentence=sentence)


def _commit(policy: Policy, stage: Stage, here: StageObservation, release: Release, seen: Observation) -> Sha | None:
    """Return the source commit of a release: as a certificate names it that either stage asks for, or the label."""
    subject = subject_of(here, release, seen.at)
    names = carriers(stage, seen) or stage.sources
    before = next((one for one in policy.stages if one.name in names), None)
    if asks_for_certificate(stage.artifact) or before is None or not asks_for_certificate(before.artifact):
        return signed_commit(stage.artifact, subject)
    there = seen.stage(before.name)
    is_set_there = before.intake is not None
    verified = subject_with(there.set_there, release, seen.at) if is_set_there else subject_of(there, release, seen.at)
    return signed_commit(before.artifact, verified)
