"""What people and the bot say on a pull request: comments and reviews."""

from __future__ import annotations

from bot.lab.github.nouns import Account, App, Comment, Pull, Review
from bot.lab.github.world import Happening, Repository, World


def add_comment(
    world: World, repository: Repository, pull: Pull, author: Account, body: str, app: App | None = None
) -> Comment:
    """Keep a new comment and tell webhooks."""
    now = world.now()
    comment = Comment(
        id=world.new_id(), number=pull.number, author=author, body=body, created_at=now, updated_at=now, app=app
    )
    pull.comments.append(comment)
    pull.updated_at = now
    tell_comment(world, repository, comment, "created", author)
    return comment


def edit_comment(world: World, repository: Repository, comment: Comment, body: str, actor: Account) -> None:
    """Change a comment's text in place."""
    comment.body, comment.updated_at = body, world.now()
    comment.edited_at, comment.edited_by = world.now(), actor
    tell_comment(world, repository, comment, "edited", actor)


def delete_comment(world: World, repository: Repository, comment: Comment, actor: Account) -> None:
    """Take a comment away."""
    repository.pulls[comment.number].comments.remove(comment)
    tell_comment(world, repository, comment, "deleted", actor)


def tell_comment(world: World, repository: Repository, comment: Comment, action: str, sender: Account) -> None:
    """Tell webhooks of a comment."""
    facts = {"issue": repository.pulls[comment.number], "comment": comment}
    world.tell(Happening(repository=repository, event="issue_comment", action=action, sender=sender, facts=facts))


def add_review(world: World, repository: Repository, pull: Pull, review: Review) -> None:
    """Keep a review and tell webhooks; its author no longer counts as asked for one."""
    pull.reviews.append(review)
    pull.reviewers = [who for who in pull.reviewers if who is not review.author]
    pull.updated_at = world.now()
    facts = {"pull_request": pull, "review": review}
    happening = Happening(
        repository=repository, event="pull_request_review", action="submitted", sender=review.author, facts=facts
    )
    world.tell(happening)
