"""A pull request of GraphQL's as the model's value: who did what to it, its checks, its reviews, its comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.adapters.github.checks import Report, judge_reports, parse_report
from bot.adapters.github.identity import Account, Identity, account_of_graph, name_of
from bot.adapters.github.nodes import Node
from bot.domain.model import Sha
from bot.domain.pulls import Pull, PullState, Remark, RequiredCheck, Review, Reviews

_MERGEABLE = {"MERGEABLE": True, "CONFLICTING": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """A pull request in a list: just enough to know whether it is the bot's and whether it has changed."""

    number: int
    branch: str
    head: Sha
    base: str
    is_from_fork: bool
    state: PullState
    updated_at: datetime
    created_at: datetime
    is_own: bool


def parse_glimpse(node: Node, own: Identity) -> Glimpse:
    """Read an entry of a list."""
    author = account_of_graph(node.maybe_node("author"))
    return Glimpse(
        number=node.number("number"),
        branch=node.text("headRefName"),
        head=Sha(node.text("headRefOid")),
        base=node.text("baseRefName"),
        is_from_fork=node.flag("isCrossRepository"),
        state=_state(node),
        updated_at=node.instant("updatedAt"),
        created_at=node.instant("createdAt"),
        is_own=author is not None and author.is_same(own),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WholePull:
    """A pull request with the reports on its head, which are judged once the branch's rules are known."""

    pull: Pull
    reports: tuple[Report, ...]
    updated_at: datetime
    more_reports: str | None = None
    more_remarks: str | None = None

    def judged(self, required: Sequence[RequiredCheck], approvals: int, own: Identity) -> Pull:
        """Return the pull request with its checks; one that is not open has none that matter.

        Approvals are short also where GitHub is content with those of an older head (I16).
        """
        if self.pull.state is not PullState.OPEN:
            return self.pull
        reviews = self.pull.reviews
        is_short = reviews.is_short or len(reviews.approved_by) < approvals
        pull = replace(self.pull, reviews=replace(reviews, is_short=is_short))
        return _with_checks(pull, self.reports, required, own)


def _with_checks(pull: Pull, reports: Sequence[Report], required: Sequence[RequiredCheck], own: Identity) -> Pull:
    return replace(pull, checks=judge_reports(reports, required, own))


def parse_whole(node: Node, own: Identity) -> WholePull:
    """Read all facts of a pull request but the judgement of its checks."""
    rollup = node.maybe_node("statusCheckRollup")
    contexts = None if rollup is None else rollup.node("contexts")
    page = None if contexts is None else contexts.node("pageInfo")
    return WholePull(
        pull=_parse_pull(node, own),
        reports=() if contexts is None else tuple(parse_report(item, own) for item in contexts.items("nodes")),
        updated_at=node.instant("updatedAt"),
        more_reports=page.text("endCursor") if page is not None and page.flag("hasNextPage") else None,
        more_remarks=page_before(node.node("comments")),
    )


def page_before(comments: Node) -> str | None:
    """Return where the page before begins its end; None where there is none."""
    page = comments.node("pageInfo")
    return page.text("startCursor") if page.flag("hasPreviousPage") else None


def _parse_pull(node: Node, own: Identity) -> Pull:
    state, head = _state(node), node.sha("headRefOid")
    events = _Events(timeline=list(node.connection("timelineItems")), deeds=list(node.connection("deeds")), own=own)
    closer = events.closer() if state is PullState.CLOSED else None
    armed = node.maybe_node("autoMergeRequest")
    armer = None if armed is None else account_of_graph(armed.maybe_node("enabledBy"))
    queued = node.maybe_node("mergeQueueEntry")
    queuer = None if queued is None else account_of_graph(queued.maybe_node("enqueuer"))
    author = account_of_graph(node.maybe_node("author"))
    merged_as = node.maybe_node("mergeCommit") if state is PullState.MERGED else None
    return Pull(
        number=node.number("number"),
        url=node.text("url"),
        branch=node.text("headRefName"),
        base=node.text("baseRefName"),
        head=head,
        state=state,
        is_own=author is not None and author.is_same(own),
        draft=node.flag("isDraft"),
        draft_by=events.drafter() if node.flag("isDraft") else None,
        mergeable=_MERGEABLE.get(node.text("mergeable")),
        is_behind=node.text("mergeStateStatus") == "BEHIND",
        merge_commit=None if merged_as is None else merged_as.sha("oid"),
        opened_at=node.instant("createdAt"),
        head_at=events.head_at(head),
        closed_at=node.maybe_instant("closedAt"),
        closed_by=None if state is not PullState.CLOSED else name_of(closer),
        closed_by_bot=closer is not None and closer.is_same(own),
        reopened_by=events.reopener() if state is PullState.OPEN else None,
        merged_by=name_of(account_of_graph(node.maybe_node("mergedBy"))) if state is PullState.MERGED else None,
        armed_by=None if armed is None else name_of(armer),
        armed_by_bot=armer is not None and armer.is_same(own),
        is_queued=node.flag("isInMergeQueue"),
        queued_by_bot=queuer is not None and queuer.is_same(own),
        labels=tuple(label.text("name") for label in node.connection("labels")),
        reviews=_parse_reviews(node, head, own),
        remarks=parse_remarks(node.node("comments"), own),
    )


def _state(node: Node) -> PullState:
    return PullState[node.text("state")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Events:
    """What people did that a present fact alone does not tell: the timeline with all commits, and the deeds in it.

    Both oldest first, and of each the newest; so that many commits hide no deed.
    """

    timeline: Sequence[Node]
    deeds: Sequence[Node]
    own: Identity

    def closer(self) -> Account | None:
        closed = self._last("ClosedEvent")
        return None if closed is None else account_of_graph(closed.maybe_node("actor"))

    def drafter(self) -> str | None:
        """Return the person who made it a draft; None where it was opened as one, or the bot did it."""
        last = self._last("ConvertToDraftEvent", "ReadyForReviewEvent")
        return self._person(last) if last is not None and last.text("__typename") == "ConvertToDraftEvent" else None

    def reopener(self) -> str | None:
        return self._person(self._last("ReopenedEvent"))

    def head_at(self, head: Sha) -> datetime | None:
        """Return when the head came: the instant of a forced push, or what its commit claims, but never before a dated
        event that stands ahead of it. GitHub tells no better one: the instant of a plain push is in no answer.
        """
        at: datetime | None = None
        floor: datetime | None = None
        for item in self.timeline:
            kind = item.text("__typename")
            if kind == "PullRequestCommit":
                commit = item.node("commit")
                if commit.text("oid") == head:
                    claimed = commit.instant("committedDate")
                    at = claimed if floor is None else max(claimed, floor)
                continue
            floor = item.instant("createdAt")
            after = item.maybe_node("afterCommit")
            if after is not None and after.text("oid") == head:
                at = floor
        return at

    def _last(self, *kinds: str) -> Node | None:
        return next((item for item in reversed(self.deeds) if item.text("__typename") in kinds), None)

    def _person(self, event: Node | None) -> str | None:
        if event is None:
            return None
        actor = account_of_graph(event.maybe_node("actor"))
        return None if actor is not None and actor.is_same(self.own) else name_of(actor)


def _parse_reviews(node: Node, head: Sha, own: Identity) -> Reviews:
    """Keep the newest decisive review of each person with write access; an approval of another head does not count."""
    given = [_parse_review(review, own) for review in node.connection("latestOpinionatedReviews")]
    kept = [review for review in given if review is not None]
    return Reviews(
        approved_by=tuple(review.by for review in kept if review.approves and review.head == head),
        changes_requested_by=tuple(review.by for review in kept if not review.approves),
        is_short=node.maybe_text("reviewDecision") == "REVIEW_REQUIRED",
        given=tuple(kept),
    )


def _parse_review(node: Node, own: Identity) -> Review | None:
    """Read a review that approves or asks for changes; None of a dismissed one, and of the bot's own."""
    state, author, commit = node.text("state"), account_of_graph(node.maybe_node("author")), node.maybe_node("commit")
    if state not in ("APPROVED", "CHANGES_REQUESTED") or (author is not None and author.is_same(own)):
        return None
    return Review(
        by_id=0 if author is None else author.id or 0,
        by=name_of(author),
        is_app=author is not None and author.is_app,
        approves=state == "APPROVED",
        head=None if commit is None else commit.sha("oid"),
        at=node.instant("submittedAt"),
    )


def parse_remarks(comments: Node, own: Identity) -> tuple[Remark, ...]:
    """Read a page of comments without the bot's own."""
    remarks = []
    for comment in comments.items("nodes"):
        author = account_of_graph(comment.maybe_node("author"))
        if author is not None and author.is_same(own):
            continue
        remarks.append(
            Remark(
                id=comment.number("fullDatabaseId"),
                author_id=0 if author is None else author.id or 0,
                author=name_of(author),
                is_app=author is not None and author.is_app,
                body=comment.text("body"),
                created_at=comment.instant("createdAt"),
                was_edited=comment.maybe_instant("lastEditedAt") is not None,
            )
        )
    return tuple(remarks)
