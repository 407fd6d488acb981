"""What GitHub does by itself: merges by auto-merge and by merge queue. `settle` does all that is due at this instant.

The lab's GitHub does nothing in the background. It settles before and after each call, and whenever a person acts or
looks, so that the same calls at the same times end in the same state.
"""

from __future__ import annotations

from bot.lab.github.automatic import enqueue, leave_queue, queue_of, queued
from bot.lab.github.background import run_due
from bot.lab.github.call import Refusal
from bot.lab.github.nouns import Account, MergeRequest, Pull
from bot.lab.github.pulls import merge_now
from bot.lab.github.requirements import blocked, conflicts
from bot.lab.github.world import Repository, World


def settle_all(world: World) -> None:
    """Do what is due in all repositories."""
    for repository in world.repositories.values():
        settle(world, repository)


def settle(world: World, repository: Repository) -> None:
    """Do what is due in a repository: merge what was asked for, and what auto-merge or a queue may merge now."""
    run_due(world, repository)
    for pull in list(repository.pulls.values()):
        if pull.is_open and pull.auto_merge is not None:
            _settle_auto_merge(world, repository, pull)
    for base in list(repository.protections):
        for pull in queued(repository, base):
            if not _settle_entry(world, repository, pull):
                break


def _settle_auto_merge(world: World, repository: Repository, pull: Pull) -> None:
    order = pull.auto_merge
    if order is None or pull.draft or pull.queue_entry is not None:
        return
    if conflicts(repository, pull) or blocked(repository, pull) is not None:
        return
    if queue_of(repository, pull) is not None:
        enqueue(world, repository, pull, order.enabled_by)
        return
    request = MergeRequest(method=order.method, title=order.title, message=order.message)
    _merge(world, repository, pull, order.enabled_by, request)


def _settle_entry(world: World, repository: Repository, pull: Pull) -> bool:
    """Merge the first of a queue if its checks have had their time; say whether the next may follow."""
    entry, queue = pull.queue_entry, queue_of(repository, pull)
    if entry is None:
        return True
    if queue is None:
        leave_queue(world, repository, pull, None, "merge_queue_disabled")
        return True
    if world.now() < entry.enqueued_at + queue.build:
        return False
    if conflicts(repository, pull):
        leave_queue(world, repository, pull, None, "merge_conflict")
        return True
    if blocked(repository, pull) is not None:
        leave_queue(world, repository, pull, None, "failed_checks")
        return True
    _merge(world, repository, pull, entry.enqueuer, MergeRequest(method=queue.method))
    return True


def _merge(world: World, repository: Repository, pull: Pull, actor: Account, request: MergeRequest) -> None:
    try:
        merge_now(world, repository, pull, actor, request)
    except Refusal:
        # A rebase that git cannot replay: GitHub leaves the order standing.
        return
