"""Accounts, repositories and merge queues as GraphQL tells them.

A repository leads to its pull requests and they lead back, so the modules of these shapes import each other whole.
"""

from __future__ import annotations

from bot.lab.github.automatic import queued
from bot.lab.github.graph import checks, pulls
from bot.lab.github.graph.connections import connection
from bot.lab.github.graph.rules import branch_rules
from bot.lab.github.graph.view import Field, Shape, View, field, not_resolved
from bot.lab.github.nouns import Account, Pull
from bot.lab.github.shapes.repos import instant, node
from bot.lab.github.world import Repository


def account(view: View, who: Account) -> Shape:
    """A `User`, `Bot` or `Organization`. The login of a bot lacks the ending that REST gives it."""
    return {
        "__typename": who.kind,
        "id": node("U", who.id),
        "databaseId": who.id,
        "login": who.login.removesuffix("[bot]") if who.kind == "Bot" else who.login,
        "url": f"{view.world.url}/{who.login}",
        "resourcePath": f"/{who.login}",
        "avatarUrl": field(lambda: f"{view.world.url}/avatars/u/{who.id}?v=4"),
    }


def optional_account(view: View, who: Account | None) -> Shape | None:
    """An account, or nobody."""
    return None if who is None else account(view, who)


def viewer(view: View) -> Shape:
    """The caller, as a `User` also where it is an app's bot, whose login then keeps its ending."""
    return {**account(view, view.actor), "__typename": "User", "login": view.actor.login}


def ref(view: View, repository: Repository, name: str) -> Shape | None:
    """A branch as a `Ref`; None where there is none."""
    sha = repository.bare.branch(name)
    if sha is None:
        return None
    return {
        "id": node("REF", repository.id) + name,
        "name": name,
        "prefix": "refs/heads/",
        **branch_rules(view, repository, name),
        "target": field(lambda: checks.commit(view, repository, sha)),
    }


def repository_shape(view: View, one: Repository) -> Shape:
    """A `Repository`."""
    role = view.world.role(view.actor, one)
    return {
        "__typename": "Repository",
        "id": node("R", one.id),
        "databaseId": one.id,
        "name": one.name,
        "nameWithOwner": one.full_name,
        "owner": account(view, one.owner),
        "url": f"{view.world.url}/{one.full_name}",
        "isPrivate": one.private,
        "isArchived": one.archived,
        "viewerPermission": role.upper() if role else None,
        "mergeCommitAllowed": "merge" in one.merge_methods,
        "squashMergeAllowed": "squash" in one.merge_methods,
        "rebaseMergeAllowed": "rebase" in one.merge_methods,
        "autoMergeAllowed": one.allow_auto_merge,
        "deleteBranchOnMerge": one.delete_branch_on_merge,
        "defaultBranchRef": field(lambda: ref(view, one, one.default_branch)),
        "ref": _ref_field(view, one),
        "object": _object(view, one),
        "pullRequest": _pull_field(view, one),
        "pullRequests": _pulls(view, one),
        "mergeQueue": _queue_field(view, one),
    }


def _ref_field(view: View, one: Repository) -> Field:
    def resolved(_: object, *, qualifiedName: str) -> Shape | None:  # noqa: N803  (GraphQL's name)
        view.demand(one, "contents:read")
        return ref(view, one, qualifiedName.removeprefix("refs/heads/"))

    return resolved


def _object(view: View, one: Repository) -> Field:
    def resolved(_: object, *, oid: str | None = None, expression: str | None = None) -> Shape | None:
        view.demand(one, "contents:read")
        sha = one.bare.resolve(oid or expression or "")
        return None if sha is None else checks.commit(view, one, sha)

    return resolved


def _pull_field(view: View, one: Repository) -> Field:
    def resolved(_: object, *, number: int) -> Shape:
        view.demand(one, "pull_requests:read")
        found = one.pulls.get(number)
        if found is None:
            raise not_resolved(f"a PullRequest with the number of {number}")
        return pulls.pull_request(view, one, found)

    return resolved


def _pulls(view: View, one: Repository) -> Field:
    def find(
        *,
        states: list[str] | None = None,
        headRefName: str | None = None,  # noqa: N803
        baseRefName: str | None = None,  # noqa: N803
        labels: list[str] | None = None,
        orderBy: dict[str, str] | None = None,  # noqa: N803
    ) -> list[Pull]:
        view.demand(one, "pull_requests:read")
        found = [
            pull
            for pull in one.pulls.values()
            if (states is None or pulls.pull_state(pull) in states)
            and headRefName in (None, pull.head)
            and baseRefName in (None, pull.base)
            and (labels is None or {label.name for label in pull.labels} & set(labels))
        ]
        return _ordered(found, orderBy)

    return connection("pullRequests", find, lambda pull: pulls.pull_request(view, one, pull))


def _ordered(found: list[Pull], order: dict[str, str] | None) -> list[Pull]:
    keys = {
        "CREATED_AT": lambda pull: (pull.created_at, pull.number),
        "UPDATED_AT": lambda pull: (pull.updated_at, pull.number),
        "COMMENTS": lambda pull: (len(pull.comments), pull.number),
    }
    if order is None or order["field"] not in keys:
        return found
    return sorted(found, key=keys[order["field"]], reverse=order["direction"] == "DESC")


# --- the merge queue -------------------------------------------------------------------------------------------------


def _queue_field(view: View, one: Repository) -> Field:
    def resolved(_: object, *, branch: str | None = None) -> Shape | None:
        return queue(view, one, branch or one.default_branch)

    return resolved


def queue(view: View, one: Repository, branch: str) -> Shape | None:
    """A branch's `MergeQueue`; None where it has none."""
    protection = one.protections.get(branch)
    if protection is None or protection.merge_queue is None:
        return None
    return {
        "id": node("MQ", one.id) + branch,
        "url": f"{view.world.url}/{one.full_name}/queue/{branch}",
        "repository": field(lambda: repository_shape(view, one)),
        "entries": connection("entries", lambda: queued(one, branch), lambda pull: entry(view, one, pull)),
    }


def entry(view: View, one: Repository, pull: Pull) -> Shape:
    """A pull request's `MergeQueueEntry`."""
    kept = pull.queue_entry
    if kept is None:
        return {}
    return {
        "id": node("MQE", kept.id),
        "state": "AWAITING_CHECKS",
        "position": queued(one, pull.base).index(pull) + 1,
        "enqueuedAt": instant(kept.enqueued_at),
        "enqueuer": account(view, kept.enqueuer),
        "pullRequest": field(lambda: pulls.pull_request(view, one, pull)),
    }
