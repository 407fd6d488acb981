"""What GitHub means when it refuses a merge: its words, sorted by what has to happen next.

The words are GitHub's own and no part of its contract: what is not known here is passed on as it was said, and nothing
is concluded from it.
"""

from __future__ import annotations

from enum import StrEnum

from bot.adapters.github.answers import SYSTEM, Refused
from bot.ports import Conflict, OutsideError, Transient


class Obstacle(StrEnum):
    """Why a merge was refused."""

    HEAD_MOVED = "head moved"
    BASE_MOVED = "base moved"
    IN_PROGRESS = "in progress"
    QUEUE_REQUIRED = "queue required"
    NO_QUEUE = "no queue"
    CANNOT_ARM = "cannot arm"
    ASYNC_ONLY = "async only"
    DRAFT = "draft"
    METHOD = "method"
    CHECKS = "checks"
    REVIEWS = "reviews"
    CONVERSATIONS = "conversations"
    SIGNATURES = "signatures"
    BEHIND = "behind"
    CLEAN = "clean"
    RIGHTS = "rights"
    NOT_MERGEABLE = "not mergeable"
    OTHER = "other"


# The first line that is in GitHub's words counts; the more special ones stand first.
_WORDS: tuple[tuple[str, Obstacle], ...] = (
    ("head branch was modified", Obstacle.HEAD_MOVED),
    ("head branch is out of date", Obstacle.BEHIND),
    ("head branch is not up to date", Obstacle.BEHIND),
    ("expected head", Obstacle.HEAD_MOVED),
    ("head sha", Obstacle.HEAD_MOVED),
    ("base branch was modified", Obstacle.BASE_MOVED),
    ("already in progress", Obstacle.IN_PROGRESS),
    ("does not target a branch that requires a merge queue", Obstacle.NO_QUEUE),
    ("merge queue", Obstacle.QUEUE_REQUIRED),
    ("auto merge is not allowed", Obstacle.CANNOT_ARM),
    ("protected branch rules not configured", Obstacle.CANNOT_ARM),
    ("merge-async", Obstacle.ASYNC_ONLY),
    ("asynchronous", Obstacle.ASYNC_ONLY),
    ("draft", Obstacle.DRAFT),
    ("not allowed on this repository", Obstacle.METHOD),
    ("must not contain merge commits", Obstacle.METHOD),
    ("merge method", Obstacle.METHOD),
    ("status check", Obstacle.CHECKS),
    ("required check", Obstacle.CHECKS),
    ("required workflow", Obstacle.CHECKS),
    ("approving review", Obstacle.REVIEWS),
    ("review is required", Obstacle.REVIEWS),
    ("code owner review", Obstacle.REVIEWS),
    ("changes have been requested", Obstacle.REVIEWS),
    ("changes requested", Obstacle.REVIEWS),
    ("conversation", Obstacle.CONVERSATIONS),
    ("verified signatures", Obstacle.SIGNATURES),
    ("clean status", Obstacle.CLEAN),
    ("unstable status", Obstacle.CLEAN),
    ("not authorized", Obstacle.RIGHTS),
    ("not mergeable", Obstacle.NOT_MERGEABLE),
    ("merge conflict", Obstacle.NOT_MERGEABLE),
)

_MEANINGS = {
    Obstacle.DRAFT: "it is a draft: make it ready for review first",
    Obstacle.METHOD: "the repository does not allow this way of merging: change the policy's merge method",
    Obstacle.CHECKS: "a required check is missing, pending or failed",
    Obstacle.REVIEWS: "a required review is missing, or changes were requested",
    Obstacle.CONVERSATIONS: "a conversation is not resolved",
    Obstacle.SIGNATURES: "the branch requires signed commits: let the bot sign, or use commits through the API",
    Obstacle.BEHIND: "the branch must be brought up to date with its base first",
    Obstacle.CLEAN: "nothing is left to wait for, so that it can be merged at once instead of armed",
    Obstacle.RIGHTS: "the bot may not merge into this branch: grant it the right, or let a person merge",
    Obstacle.QUEUE_REQUIRED: "the branch takes merges through its merge queue only",
    Obstacle.NO_QUEUE: "the branch has no merge queue: it can be merged at once",
    Obstacle.CANNOT_ARM: "auto-merge cannot be armed here: allow it in the repository, or let the bot merge at once",
    Obstacle.ASYNC_ONLY: "the repository merges asynchronously only",
    Obstacle.NOT_MERGEABLE: "it cannot be merged as it is (conflicts, or GitHub still computes it)",
}


class MergeRefused(Refused):
    """A merge was refused for good reasons; `obstacle` says which."""

    def __init__(self, sentence: str, refused: Refused, obstacle: Obstacle) -> None:
        super().__init__(sentence, status=refused.status, said=refused.said)
        self.obstacle = obstacle


def read_obstacle(said: str) -> Obstacle:
    """Sort GitHub's words."""
    lower = said.lower()
    return next((obstacle for words, obstacle in _WORDS if words in lower), Obstacle.OTHER)


def meaning_of(refused: Refused, name: str) -> OutsideError:
    """Turn GitHub's refusal to merge `name` into the port's error."""
    obstacle = read_obstacle(refused.said)
    if obstacle is Obstacle.OTHER and refused.status == 409:
        obstacle = Obstacle.HEAD_MOVED
    if obstacle in (Obstacle.HEAD_MOVED, Obstacle.BASE_MOVED):
        which = "head" if obstacle is Obstacle.HEAD_MOVED else "base"
        return Conflict(SYSTEM, f"{name} was not merged: its {which} has moved: look again ({refused.said})")
    if obstacle is Obstacle.IN_PROGRESS:
        return Transient(SYSTEM, f"{name} is being merged already: look again ({refused.said})")
    meaning = _MEANINGS.get(obstacle)
    sentence = f"{name} was not merged: {meaning} (GitHub: {refused.said})" if meaning else refused.sentence
    return MergeRefused(sentence, refused, obstacle)
