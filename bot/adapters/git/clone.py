"""Ask a clone on this machine how two commits are related, and where it is from. Read only; nothing is fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.adapters.git.names import SYSTEM
from bot.adapters.git.processes import HungGit, Outcome, Run, run_git
from bot.adapters.scrub import as_sentence
from bot.domain.model import Sha
from bot.ports import Descent, Permanent

_DEADLINE = timedelta(seconds=20)
_NO_NETWORK = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
"""A partial clone would fetch what it lacks."""
_NAME = re.compile(r"[0-9a-fA-F]{4,64}\Z")


@dataclass(frozen=True, slots=True)
class LocalClone:
    """A clone with or without a work tree."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> LocalClone:
        """Open the clone in a folder. Raise Permanent if there is none."""
        found = cls(_git_directory(path.resolve()))
        if found._ask("rev-parse", "--git-dir").status != 0:
            raise Permanent(SYSTEM, f"{path} is no clone of a Git repository")
        return found

    def commit(self, name: str) -> Sha:
        """Return the full name of a commit. Raise Permanent if the clone has none so named."""
        if _NAME.match(name):
            found = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            if found.status == 0:
                return Sha(found.out.decode("ascii").strip())
        raise Permanent(SYSTEM, f"the clone has no commit {as_sentence(name, longest=70)}; expected a commit's SHA")

    def committed_at(self, commit: Sha) -> datetime:
        """Return when a commit was made; a nonsensical time, which git allows, becomes the epoch."""
        seconds = self._ask("show", "--no-patch", "--format=%ct", "--end-of-options", commit).out
        try:
            return datetime.fromtimestamp(int(seconds), UTC)
        except (OverflowError, OSError, ValueError):
            return datetime.fromtimestamp(0, UTC)

    def read_file(self, commit: Sha, path: str) -> str | None:
        """Return a file's text at a commit; None where there is none, or it is no text."""
        found = self._ask("show", "--end-of-options", f"{commit}:{path}")
        try:
            return found.out.decode("utf-8") if found.status == 0 else None
        except UnicodeDecodeError:
            return None

    def origin(self) -> str:
        """Return the URL of the remote `origin`; empty where there is none."""
        return self._ask("config", "--get", "remote.origin.url").out.decode("utf-8", "replace").strip()

    def origin_branch(self) -> str:
        """Return the default branch of `origin`, as the clone knows it; empty where it does not."""
        found = self._ask("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        return found.out.decode("utf-8", "replace").strip().removeprefix("origin/")

    def descent(self, commit: Sha, ancestor: Sha) -> Descent | None:
        """Say how `commit` is related to `ancestor`; None if the clone does not know one of them."""
        if any(self._ask("cat-file", "-e", f"{one}^{{commit}}").status != 0 for one in (commit, ancestor)):
            return None
        if self._is_ancestor(ancestor, commit):
            return Descent(contains=True)
        if not self._is_ancestor(commit, ancestor):
            # Where the clone's history is cut off, that it finds no way says nothing.
            is_cut = self._ask("rev-parse", "--is-shallow-repository").out.strip() == b"true"
            return None if is_cut else Descent(contains=False)
        counted = self._ask("rev-list", "--first-parent", "--count", "--end-of-options", ancestor, f"^{commit}")
        return Descent(contains=False, behind=int(counted.out))

    def _is_ancestor(self, older: Sha, newer: Sha) -> bool:
        return self._ask("merge-base", "--is-ancestor", older, newer).status == 0

    def _ask(self, *arguments: str) -> Outcome:
        try:
            return run_git(self.path, Run(arguments=arguments, deadline=_DEADLINE, env=_NO_NETWORK))
        except HungGit as error:
            raise Permanent(SYSTEM, f"git did not answer within {_DEADLINE.total_seconds():g} s") from error


def _git_directory(path: Path) -> Path:
    """Return where git keeps what it knows: in a linked work tree, `.git` is a file that says where."""
    inside = path / ".git"
    if inside.is_file():
        try:
            _, _, where = inside.read_text(encoding="utf-8").partition("gitdir:")
        except (OSError, UnicodeDecodeError):
            return path
        return (path / where.strip()).resolve() if where.strip() else path
    return inside if inside.is_dir() else path
