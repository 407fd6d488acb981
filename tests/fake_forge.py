"""A forge in memory: pull requests over `FakeRepositories`, their conversation, and signals. Fails on demand."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.trial.memory.forge import MemoryForge
from bot.trial.memory.outside import MemorySignals
from bot.trial.memory.repositories import BOT
from tests.fakes import Failing, FakeRepositories, fails

__all__ = ["BOT", "FakeForge", "FakeSignals"]


@fails(
    "look_at",
    "open_promotion",
    "edit_promotion",
    "mark_ready",
    "withdraw",
    "delete_branch",
    "look_again",
    "merge_promotion",
    "disarm",
    "write_comment",
    "comment_on_commit",
    "react",
    "permission_of",
    "is_member",
)
@dataclass
class FakeForge(Failing, MemoryForge):
    """Proposals and merges; a merge really changes the base branch. People act by `edit` and `say`."""

    repositories: FakeRepositories = field(default_factory=FakeRepositories)


@fails("set_check", "set_status", "set_deployment", "pulls_of", "read_file", "checks_of", "span", "writers_of")
@dataclass
class FakeSignals(Failing, MemorySignals):
    """Checks, statuses and deployments as they stand, and source commits as a test sets them."""
