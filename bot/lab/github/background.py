"""Merges that GitHub carries out in the background: asked for once, and asked about until they have ended.

When one is asked for, only its pull request's state is looked at; rules are looked at when it runs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

from bot.lab.github.automatic import Unprocessable, enqueue, queue_of
from bot.lab.github.call import Refusal
from bot.lab.github.nouns import Account, AsyncMerge, MergeRequest, Pull
from bot.lab.github.pulls import merge
from bot.lab.github.world import Repository, World

_KEPT = timedelta(hours=24)
_NO_PARAMETERS = "Custom merge params are not supported when merging via a merge queue"


def pending(pull: Pull) -> AsyncMerge | None:
    """Return the merge that is under way."""
    return next((one for one in pull.async_merges if one.state == "pending"), None)


def find(world: World, pull: Pull, name: str) -> AsyncMerge | None:
    """Return a merge by its uuid, for a day after it ended."""
    found = next((one for one in pull.async_merges if one.uuid == name), None)
    return None if found is None or found.updated_at + _KEPT <= world.now() else found


def ask_merge(world: World, pull: Pull, actor: Account, request: MergeRequest | None, action: str) -> AsyncMerge:
    """Note that a merge is asked for; `request` None for what the repository or its queue chooses."""
    made = AsyncMerge(
        uuid=str(uuid.UUID(int=world.new_id(), version=4)),
        request=request,
        action=action,
        head_sha=pull.head_sha,
        actor=actor,
        asked_at=world.now(),
        updated_at=world.now(),
    )
    pull.async_merges.append(made)
    return made


def run_due(world: World, repository: Repository) -> None:
    """Carry out the merges whose time has come."""
    for pull, one in _due(world, repository):
        try:
            _run(world, repository, pull, one)
        except (Refusal, Unprocessable) as refused:
            one.state, one.details = "failed", {"message": str(refused)}
        one.updated_at = world.now()


def _due(world: World, repository: Repository) -> Iterator[tuple[Pull, AsyncMerge]]:
    for pull in list(repository.pulls.values()):
        one = pending(pull)
        if one is not None and world.now() >= one.asked_at + world.async_merge_time:
            yield pull, one


def _run(world: World, repository: Repository, pull: Pull, one: AsyncMerge) -> None:
    queue = queue_of(repository, pull)
    if one.action == "merge_queue" or (one.action == "default" and queue is not None):
        if one.request is not None:
            raise Unprocessable(_NO_PARAMETERS)
        enqueue(world, repository, pull, one.actor, one.head_sha)
        one.state, one.details = "enqueued", {"message": "Pull request was added to the merge queue."}
        return
    sha = merge(world, repository, pull, one.actor, one.request or MergeRequest(), one.head_sha)
    one.state, one.details = "merged", {"message": "Pull request was merged.", "sha": sha}
