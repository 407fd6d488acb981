"""What GraphQL can change: drafts, auto-merge, the merge queue, and a pull request's texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.lab.github.automatic import Unprocessable, arm, disarm, enqueue, leave_queue
from bot.lab.github.call import Refusal
from bot.lab.github.graph import pulls, repositories
from bot.lab.github.graph.view import Field, GraphRefusal, Shape, View
from bot.lab.github.nouns import AutoMerge, MergeMethod, Pull
from bot.lab.github.pulls import close, reopen
from bot.lab.github.revising import Revision, convert_to_draft, mark_ready, revise
from bot.lab.github.world import Repository

_METHODS: Mapping[str, MergeMethod] = {"MERGE": "merge", "SQUASH": "squash", "REBASE": "rebase"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A mutation under way: what was sent, and the pull request that it names."""

    view: View
    repository: Repository
    pull: Pull
    sent: Mapping[str, object]

    def text(self, name: str) -> str | None:
        """Return an optional text of what was sent."""
        value = self.sent.get(name)
        return value if isinstance(value, str) else None

    def payload(self, **more: object) -> Shape:
        """Return what all answers have in common, and more."""
        shown = pulls.pull_request(self.view, self.repository, self.pull)
        actor = repositories.account(self.view, self.view.actor)
        return {"clientMutationId": self.text("clientMutationId"), "actor": actor, "pullRequest": shown, **more}


def mutations(view: View) -> Shape:
    """Return a resolver for each mutation."""
    return {
        "convertPullRequestToDraft": _mutation(view, _to_draft),
        "markPullRequestReadyForReview": _mutation(view, _ready),
        "enablePullRequestAutoMerge": _mutation(view, _enable),
        "disablePullRequestAutoMerge": _mutation(view, _disable),
        "enqueuePullRequest": _mutation(view, _enqueue),
        "dequeuePullRequest": _mutation(view, _dequeue),
        "updatePullRequest": _mutation(view, _update),
    }


def _mutation(view: View, run: Callable[[Order], Shape]) -> Field:
    def resolved(_: object, *, input: Mapping[str, object]) -> Shape:  # noqa: A002  (GraphQL's name)
        repository, pull = view.pull(str(input.get("pullRequestId", input.get("id"))))
        order = Order(view=view, repository=repository, pull=pull, sent=input)
        try:
            return run(order)
        except Unprocessable as refused:
            raise GraphRefusal("UNPROCESSABLE", str(refused)) from refused
        except Refusal as refused:
            raise GraphRefusal("UNPROCESSABLE", _words(refused)) from refused

    return resolved


def _words(refused: Refusal) -> str:
    errors = refused.body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return str(first["message"]) if isinstance(first, dict) and "message" in first else str(refused)


def _demand_author(order: Order) -> None:
    """Refuse who neither opened the pull request nor may write."""
    if order.view.credential.app is None and order.pull.author is order.view.actor:
        return
    # An app needs both: with `pull_requests` alone GitHub refuses to change drafts.
    order.view.demand(order.repository, "pull_requests:write", "contents:write")


def _to_draft(order: Order) -> Shape:
    _demand_author(order)
    _demand_open(order)
    convert_to_draft(order.view.world, order.repository, order.pull, order.view.actor)
    return order.payload()


def _ready(order: Order) -> Shape:
    _demand_author(order)
    _demand_open(order)
    mark_ready(order.view.world, order.repository, order.pull, order.view.actor)
    return order.payload()


def _demand_open(order: Order) -> None:
    if not order.pull.is_open:
        raise Unprocessable("Pull request is closed")


def _demand_merger(order: Order) -> None:
    order.view.demand(order.repository, "pull_requests:write", "contents:write")


def _enable(order: Order) -> Shape:
    _demand_merger(order)
    wanted = AutoMerge(
        method=_METHODS[order.text("mergeMethod") or "MERGE"],
        enabled_by=order.view.actor,
        enabled_at=order.view.world.now(),
        title=order.text("commitHeadline"),
        message=order.text("commitBody"),
    )
    arm(order.view.world, order.repository, order.pull, wanted, order.text("expectedHeadOid"))
    return order.payload()


def _disable(order: Order) -> Shape:
    _demand_merger(order)
    if order.pull.auto_merge is None:
        raise Unprocessable("Can't disable auto-merge for this pull request.")
    disarm(order.view.world, order.repository, order.pull, order.view.actor)
    return order.payload()


def _enqueue(order: Order) -> Shape:
    _demand_merger(order)
    enqueue(order.view.world, order.repository, order.pull, order.view.actor, order.text("expectedHeadOid"))
    return order.payload(mergeQueueEntry=repositories.entry(order.view, order.repository, order.pull))


def _dequeue(order: Order) -> Shape:
    _demand_merger(order)
    if order.pull.queue_entry is None:
        raise Unprocessable("Pull request is not in the queue")
    entry = repositories.entry(order.view, order.repository, order.pull)
    leave_queue(order.view.world, order.repository, order.pull, order.view.actor, "manual")
    return order.payload(mergeQueueEntry=entry)


def _update(order: Order) -> Shape:
    _demand_author(order)
    world, repository, pull, actor = order.view.world, order.repository, order.pull, order.view.actor
    wanted = Revision(title=order.text("title"), body=order.text("body"), base=order.text("baseRefName"))
    revise(world, repository, pull, wanted, actor)
    if order.text("state") == "CLOSED":
        close(world, repository, pull, actor)
    elif order.text("state") == "OPEN":
        reopen(world, repository, pull, actor)
    return order.payload()
