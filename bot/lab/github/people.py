"""What people do to pull requests on the lab's pages. These functions are methods of `GitHubLab`, kept by their noun.

Nobody's permissions are asked: a test that lets a reader merge means it. What GitHub refuses to all is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypedDict, Unpack

from bot.domain.model import Sha
from bot.lab.github.automatic import arm, disarm, enqueue
from bot.lab.github.conversation import add_comment, add_review, delete_comment, edit_comment
from bot.lab.github.nouns import AutoMerge, Comment, MergeMethod, MergeRequest, Pull, Reaction, Review
from bot.lab.github.pulls import Opening, close, merge, open_pull, reopen
from bot.lab.github.revising import Revision, convert_to_draft, label_named, mark_ready, revise, set_labels
from bot.lab.github.world import Repository, World


class Inhabited(Protocol):
    """A server on which people act."""

    world: World

    def acting(self) -> AbstractContextManager[None]:
        """Hold the world's lock, and let GitHub do what is due before and after."""
        ...


class NewTexts(TypedDict, total=False):
    """What a person changes on a pull request; see `edit_pull_as`."""

    title: str
    body: str
    base: str


def _found(lab: Inhabited, repository: str, number: int) -> tuple[Repository, Pull]:
    repo = lab.world.repository(repository)
    return repo, repo.pulls[number]


def _comment(lab: Inhabited, repository: str, comment_id: int) -> tuple[Repository, Comment]:
    repo = lab.world.repository(repository)
    found = repo.comment(comment_id)
    if found is None:
        raise KeyError(comment_id)
    return repo, found


# --- look ------------------------------------------------------------------------------------------------------------


def pull(lab: Inhabited, repository: str, number: int) -> Pull:
    """Return a pull request as the lab keeps it; KeyError if there is none."""
    with lab.acting():
        return _found(lab, repository, number)[1]


def pulls(lab: Inhabited, repository: str) -> Sequence[Pull]:
    """Return all pull requests, oldest first."""
    with lab.acting():
        return tuple(lab.world.repository(repository).pulls.values())


# --- open, close, merge ----------------------------------------------------------------------------------------------


def open_pull_as(lab: Inhabited, login: str, repository: str, head: str, title: str, *, body: str = "") -> int:
    """Open a pull request from a branch against the default branch; return its number."""
    with lab.acting():
        repo = lab.world.repository(repository)
        wanted = Opening(title=title, body=body, head=head, base=repo.default_branch)
        return open_pull(lab.world, repo, lab.world.account(login), wanted).number


def close_pull(lab: Inhabited, repository: str, number: int, as_login: str) -> None:
    """Close a pull request without merging."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        close(lab.world, repo, found, lab.world.account(as_login))


def reopen_pull(lab: Inhabited, repository: str, number: int, as_login: str) -> None:
    """Open a closed pull request again."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        reopen(lab.world, repo, found, lab.world.account(as_login))


def merge_pull(
    lab: Inhabited, repository: str, number: int, as_login: str, *, request: MergeRequest | None = None
) -> Sha:
    """Merge a pull request as the merge button does; raise `Refusal` where GitHub would refuse."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        return Sha(merge(lab.world, repo, found, lab.world.account(as_login), request or MergeRequest()))


def arm_auto_merge_as(
    lab: Inhabited, login: str, repository: str, number: int, *, method: MergeMethod = "merge"
) -> None:
    """Let a pull request be merged once it may be; raise `Unprocessable` where GitHub would refuse."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        wanted = AutoMerge(method=method, enabled_by=lab.world.account(login), enabled_at=lab.world.now())
        arm(lab.world, repo, found, wanted)


def disarm_auto_merge_as(lab: Inhabited, login: str, repository: str, number: int) -> None:
    """Take the order to merge back."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        disarm(lab.world, repo, found, lab.world.account(login))


def enqueue_as(lab: Inhabited, login: str, repository: str, number: int) -> None:
    """Put a pull request into the merge queue of its base; raise `Unprocessable` where GitHub would refuse."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        enqueue(lab.world, repo, found, lab.world.account(login))


# --- change it -------------------------------------------------------------------------------------------------------


def edit_pull_as(lab: Inhabited, login: str, repository: str, number: int, **new: Unpack[NewTexts]) -> None:
    """Change title, body or base."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        revise(lab.world, repo, found, Revision(**new), lab.world.account(login))


def convert_to_draft_as(lab: Inhabited, login: str, repository: str, number: int) -> None:
    """Make a draft of a pull request."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        convert_to_draft(lab.world, repo, found, lab.world.account(login))


def ready_as(lab: Inhabited, login: str, repository: str, number: int) -> None:
    """Say that a draft is ready for review."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        mark_ready(lab.world, repo, found, lab.world.account(login))


def label_as(lab: Inhabited, login: str, repository: str, number: int, label: str) -> None:
    """Put a label on a pull request; one that is new to the repository is made."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        wanted = label_named(lab.world, repo, label)
        left = [one for one in found.labels if one is not wanted]
        set_labels(lab.world, repo, found, [*left, wanted], lab.world.account(login))


def unlabel_as(lab: Inhabited, login: str, repository: str, number: int, label: str) -> None:
    """Take a label off a pull request."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        left = [one for one in found.labels if one.name.lower() != label.lower()]
        set_labels(lab.world, repo, found, left, lab.world.account(login))


# --- talk ------------------------------------------------------------------------------------------------------------


def comment_as(lab: Inhabited, login: str, repository: str, number: int, body: str) -> int:
    """Write a comment; return its id."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        return add_comment(lab.world, repo, found, lab.world.account(login), body).id


def edit_comment_as(lab: Inhabited, login: str, repository: str, comment_id: int, body: str) -> None:
    """Change a comment's text, one's own or another's."""
    with lab.acting():
        repo, found = _comment(lab, repository, comment_id)
        edit_comment(lab.world, repo, found, body, lab.world.account(login))


def delete_comment_as(lab: Inhabited, login: str, repository: str, comment_id: int) -> None:
    """Take a comment away."""
    with lab.acting():
        repo, found = _comment(lab, repository, comment_id)
        delete_comment(lab.world, repo, found, lab.world.account(login))


def react_as(lab: Inhabited, login: str, repository: str, comment_id: int, content: str) -> None:
    """React to a comment with one of GitHub's eight words."""
    with lab.acting():
        _, found = _comment(lab, repository, comment_id)
        made = Reaction(
            id=lab.world.new_id(), author=lab.world.account(login), content=content, created_at=lab.world.now()
        )
        found.reactions.append(made)


def review_as(
    lab: Inhabited,
    login: str,
    repository: str,
    number: int,
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"],
    *,
    body: str = "",
) -> None:
    """Submit a review of the present head."""
    with lab.acting():
        repo, found = _found(lab, repository, number)
        review = Review(
            id=lab.world.new_id(),
            author=lab.world.account(login),
            state=state,
            body=body,
            commit=found.head_sha,
            submitted_at=lab.world.now(),
        )
        add_review(lab.world, repo, found, review)
