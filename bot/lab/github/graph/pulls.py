"""Pull requests as GraphQL tells them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from bot.lab.github.automatic import queue_of
from bot.lab.github.graph import checks, conversation, repositories
from bot.lab.github.graph.connections import connection
from bot.lab.github.graph.timeline import timeline
from bot.lab.github.graph.view import Shape, View, field
from bot.lab.github.merging import commits_of, fork_of
from bot.lab.github.nouns import Label, Pull
from bot.lab.github.requirements import mergeable_state, review_decision, try_merge
from bot.lab.github.shapes.repos import instant, node, optional_instant
from bot.lab.github.world import Repository


def pull_state(one: Pull) -> str:
    """GraphQL's word: a merged pull request is not just closed."""
    if one.merged_at is not None:
        return "MERGED"
    return "OPEN" if one.is_open else "CLOSED"


def label(one: Label) -> Shape:
    """A `Label`."""
    return {"id": node("LA", one.id), "name": one.name, "color": one.color}


def pull_request(view: View, repository: Repository, one: Pull) -> Shape:
    """A `PullRequest`."""
    return {
        "__typename": "PullRequest",
        **_facts(view, repository, one),
        **_ends(view, repository, one),
        **_merge_facts(view, repository, one),
        **_lists(view, repository, one),
    }


def _facts(view: View, repository: Repository, one: Pull) -> Shape:
    return {
        "id": node("PR", one.id),
        "databaseId": one.id,
        "fullDatabaseId": str(one.id),
        "number": one.number,
        "url": f"{view.world.url}/{repository.full_name}/pull/{one.number}",
        "title": one.title,
        "body": one.body or "",
        "state": pull_state(one),
        "isDraft": one.draft,
        "createdAt": instant(one.created_at),
        "updatedAt": instant(one.updated_at),
        "closedAt": optional_instant(one.closed_at),
        "mergedAt": optional_instant(one.merged_at),
        "lastEditedAt": optional_instant(one.edited_at),
        "closed": not one.is_open,
        "merged": one.merged_at is not None,
        "mergedBy": repositories.optional_account(view, one.merged_by),
        "author": repositories.account(view, one.author),
        "viewerDidAuthor": one.author is view.actor,
        "repository": field(lambda: repositories.repository_shape(view, repository)),
    }


def _ends(view: View, repository: Repository, one: Pull) -> Shape:
    bare = repository.bare
    base_sha = (bare.branch(one.base) if one.is_open else None) or one.base_sha
    here = field(lambda: repositories.repository_shape(view, repository))
    return {
        "headRefName": one.head,
        "headRefOid": one.head_sha,
        "headRef": field(lambda: repositories.ref(view, repository, one.head)),
        "headRepository": here,
        "baseRefName": one.base,
        "baseRefOid": base_sha,
        "baseRef": field(lambda: repositories.ref(view, repository, one.base)),
        "baseRepository": here,
        "isCrossRepository": False,
        "changedFiles": field(lambda: len(bare.changes(fork_of(repository, one), one.head_sha))),
    }


def _merge_facts(view: View, repository: Repository, one: Pull) -> Shape:
    # One look for all fields of one answer, as `mergeable` and `mergeStateStatus` are told together.
    look = cache(_look(view, repository, one))
    commit = one.merge_commit
    return {
        "mergeable": field(lambda: look()[0]),
        "mergeStateStatus": field(lambda: look()[1]),
        "reviewDecision": field(lambda: review_decision(repository, one)),
        "mergeCommit": field(lambda: None if commit is None else checks.commit(view, repository, commit)),
        "potentialMergeCommit": field(
            lambda: None if one.test_merge is None else checks.commit(view, repository, one.test_merge)
        ),
        "autoMergeRequest": _auto_merge(view, one),
        "isInMergeQueue": one.queue_entry is not None,
        "isMergeQueueEnabled": queue_of(repository, one) is not None,
        "mergeQueue": field(lambda: repositories.queue(view, repository, one.base)),
        "mergeQueueEntry": field(
            lambda: None if one.queue_entry is None else repositories.entry(view, repository, one)
        ),
        "statusCheckRollup": field(lambda: checks.rollup(view, repository, one.head_sha)),
    }


def _look(view: View, repository: Repository, one: Pull) -> Callable[[], tuple[str, str]]:
    """Return a look at mergeability: whether it conflicts, and the state of the merge."""

    def look() -> tuple[str, str]:
        if not one.is_open or not try_merge(view.world, repository, one):
            return "UNKNOWN", "UNKNOWN"
        return "CONFLICTING" if one.test_merge is None else "MERGEABLE", mergeable_state(repository, one).upper()

    return look


def _auto_merge(view: View, one: Pull) -> Shape | None:
    order = one.auto_merge
    if order is None:
        return None
    return {
        "enabledAt": instant(order.enabled_at),
        "enabledBy": repositories.account(view, order.enabled_by),
        "mergeMethod": order.method.upper(),
        "commitHeadline": order.title,
        "commitBody": order.message,
        "authorEmail": None,
    }


def _lists(view: View, repository: Repository, one: Pull) -> Shape:
    return {
        "labels": connection("labels", lambda **_: one.labels, label),
        "comments": conversation.comments(view, repository, one),
        "reviews": conversation.reviews(view, repository, one),
        "latestReviews": conversation.latest_reviews(view, repository, one),
        "latestOpinionatedReviews": conversation.latest_opinions(view, repository, one),
        "reviewRequests": conversation.review_requests(view, one),
        "timelineItems": timeline(view, repository, one),
        "commits": connection(
            "commits",
            lambda: commits_of(repository, one),
            lambda commit: {
                "id": f"PURC_{one.id}_{commit.sha}",
                "commit": checks.commit(view, repository, commit.sha),
            },
        ),
    }
