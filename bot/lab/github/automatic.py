"""Orders that GitHub carries out later: auto-merge, and a place in the merge queue. `settling` carries them out."""

from __future__ import annotations

from bot.lab.github.nouns import Account, AutoMerge, MergeQueue, Pull, QueueEntry
from bot.lab.github.requirements import blocked, conflicts, mergeable_state
from bot.lab.github.timeline import record, tell_pull
from bot.lab.github.world import Repository, World


class Unprocessable(Exception):
    """GitHub's answer to an order that a pull request cannot take, in GitHub's words."""


# --- auto-merge ------------------------------------------------------------------------------------------------------


def arm(world: World, repository: Repository, pull: Pull, wanted: AutoMerge, expected: str | None = None) -> None:
    """Let a pull request be merged once it may be; refuse what GitHub refuses, in its words."""
    if not repository.allow_auto_merge:
        raise Unprocessable("Auto merge is not allowed for this repository")
    if not pull.is_open:
        raise Unprocessable("Pull request is closed")
    if expected is not None and expected != pull.head_sha:
        raise Unprocessable("Head branch was modified. Review and try the merge again.")
    if wanted.method not in repository.merge_methods:
        names = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
        raise Unprocessable(f"{names[wanted.method]} are not allowed on this repository.")
    if pull.base not in repository.protections:
        raise Unprocessable("Protected branch rules not configured for this branch")
    state = mergeable_state(repository, pull)
    if state in ("clean", "unstable") and queue_of(repository, pull) is None:
        raise Unprocessable(f"Pull request is in {state} status")
    pull.auto_merge, pull.updated_at = wanted, world.now()
    record(world, pull, "AutoMergeEnabledEvent", wanted.enabled_by)
    tell_pull(world, repository, pull, "auto_merge_enabled", wanted.enabled_by)


def disarm(world: World, repository: Repository, pull: Pull, actor: Account, reason: str | None = None) -> None:
    """Take the order back. `reason` is told where GitHub itself does so."""
    if pull.auto_merge is None:
        return
    pull.auto_merge, pull.updated_at = None, world.now()
    record(world, pull, "AutoMergeDisabledEvent", actor, reason=reason)
    tell_pull(world, repository, pull, "auto_merge_disabled", actor)


# --- the merge queue -------------------------------------------------------------------------------------------------


def queue_of(repository: Repository, pull: Pull) -> MergeQueue | None:
    """Return the merge queue that a pull request's base requires."""
    protection = repository.protections.get(pull.base)
    return None if protection is None else protection.merge_queue


def queued(repository: Repository, base: str) -> list[Pull]:
    """Return the pull requests in a branch's queue, first first."""
    waiting = [pull for pull in repository.pulls.values() if pull.base == base and pull.queue_entry is not None]
    return sorted(waiting, key=lambda pull: pull.queue_entry.id if pull.queue_entry else 0)


def enqueue(world: World, repository: Repository, pull: Pull, actor: Account, expected: str | None = None) -> None:
    """Put a pull request at the end of its base's queue; refuse what GitHub refuses, in its words."""
    if queue_of(repository, pull) is None:
        raise Unprocessable("Pull request does not target a branch that requires a merge queue")
    if not pull.is_open:
        raise Unprocessable("Pull request is closed")
    if pull.queue_entry is not None:
        raise Unprocessable("Pull request is already in the queue")
    if expected is not None and expected != pull.head_sha:
        raise Unprocessable("Head branch was modified. Review and try the merge again.")
    if pull.draft:
        raise Unprocessable("Pull request is a draft")
    if conflicts(repository, pull):
        raise Unprocessable("Pull request is not mergeable")
    why = blocked(repository, pull)
    if why is not None:
        raise Unprocessable(why)
    pull.queue_entry = QueueEntry(id=world.new_id(), enqueuer=actor, enqueued_at=world.now(), head_sha=pull.head_sha)
    record(world, pull, "AddedToMergeQueueEvent", actor)
    tell_pull(world, repository, pull, "enqueued", actor)


def leave_queue(world: World, repository: Repository, pull: Pull, actor: Account | None, reason: str) -> None:
    """Take a pull request out of its queue; one that is in none stays as it is."""
    if pull.queue_entry is None:
        return
    pull.queue_entry = None
    record(world, pull, "RemovedFromMergeQueueEvent", actor, reason=reason)
    tell_pull(world, repository, pull, "dequeued", actor or world.account("github-merge-queue[bot]", "Bot"))
