"""Comments and reviews as GraphQL tells them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.lab.github.graph import checks, repositories
from bot.lab.github.graph.connections import connection
from bot.lab.github.graph.view import Field, Shape, View, field
from bot.lab.github.nouns import Account, Comment, Pull, Review
from bot.lab.github.shapes.repos import instant, node, optional_instant
from bot.lab.github.world import Repository

_OPINIONS = ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")


def comment(view: View, repository: Repository, one: Comment) -> Shape:
    """An `IssueComment`."""
    return {
        "__typename": "IssueComment",
        "id": node("IC", one.id),
        "databaseId": one.id,
        "fullDatabaseId": str(one.id),
        "body": one.body,
        "createdAt": instant(one.created_at),
        "updatedAt": instant(one.updated_at),
        "lastEditedAt": optional_instant(one.edited_at),
        "includesCreatedEdit": one.edited_at is not None,
        "author": repositories.account(view, one.author),
        "editor": repositories.optional_account(view, one.edited_by),
        "viewerDidAuthor": one.author is view.actor,
        "isMinimized": one.minimized,
        "url": f"{view.world.url}/{repository.full_name}/pull/{one.number}#issuecomment-{one.id}",
    }


def comments(view: View, repository: Repository, of: Pull) -> Field:
    """The conversation, oldest first, or by the last change."""

    def find(*, orderBy: dict[str, str] | None = None) -> Sequence[Comment]:  # noqa: N803  (GraphQL's name)
        if orderBy is None:
            return of.comments
        newest_first = orderBy["direction"] == "DESC"
        return sorted(of.comments, key=lambda one: (one.updated_at, one.id), reverse=newest_first)

    return connection("comments", find, lambda one: comment(view, repository, one))


def review(view: View, repository: Repository, of: Pull, one: Review) -> Shape:
    """A `PullRequestReview`."""
    return {
        "__typename": "PullRequestReview",
        "id": node("PRR", one.id),
        "databaseId": one.id,
        "fullDatabaseId": str(one.id),
        "author": repositories.account(view, one.author),
        "body": one.body,
        "state": one.state,
        "commit": field(lambda: _commit(view, repository, one)),
        "submittedAt": instant(one.submitted_at),
        "createdAt": instant(one.submitted_at),
        "url": f"{view.world.url}/{repository.full_name}/pull/{of.number}#pullrequestreview-{one.id}",
    }


def _commit(view: View, repository: Repository, one: Review) -> Shape | None:
    return None if repository.bare.kind(one.commit) is None else checks.commit(view, repository, one.commit)


def reviews(view: View, repository: Repository, of: Pull) -> Field:
    """All reviews, oldest first."""

    def find(*, author: str | None = None, states: list[str] | None = None) -> Sequence[Review]:
        return [
            one for one in of.reviews if author in (None, one.author.login) and (states is None or one.state in states)
        ]

    return connection("reviews", find, lambda one: review(view, repository, of, one))


def latest_reviews(view: View, repository: Repository, of: Pull) -> Field:
    """The newest review of each reviewer."""
    return connection("latestReviews", lambda: _newest(of.reviews), lambda one: review(view, repository, of, one))


def latest_opinions(view: View, repository: Repository, of: Pull) -> Field:
    """The newest review of each reviewer that approves, asks for changes, or was dismissed."""

    def find(*, writersOnly: bool = False) -> Sequence[Review]:  # noqa: N803  (GraphQL's name)
        found = _newest([one for one in of.reviews if one.state in _OPINIONS])
        return [one for one in found if not writersOnly or view.world.writes(one.author, repository)]

    return connection("latestOpinionatedReviews", find, lambda one: review(view, repository, of, one))


def _newest(found: Sequence[Review]) -> Sequence[Review]:
    newest = {one.author.login: one for one in found}
    return sorted(newest.values(), key=lambda one: one.id)


def review_requests(view: View, of: Pull) -> Field:
    """Who is asked for a review and has not given one."""

    def show(who: Account) -> Shape:
        return {
            "id": node("RR", who.id),
            "databaseId": who.id,
            "requestedReviewer": repositories.account(view, who),
        }

    return connection("reviewRequests", lambda: of.reviewers, show)
