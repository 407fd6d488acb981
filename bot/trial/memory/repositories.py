"""One GitOps repository in memory: the port `Repositories` over dictionaries, of linear history."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.model import Sha
from bot.ports import BranchChange, Clock, Conflict, Descent, FileCommit, FileHistory, FileVersion

BOT = "liftlock"
"""The login of the bot in the made-up world."""


@dataclass(frozen=True)
class MemoryCommit:
    """A commit: all files as they are in it, by path."""

    sha: Sha
    parent: Sha | None
    files: Mapping[str, str]
    message: str
    at: datetime
    author: str


@dataclass
class MemoryRepositories:
    """Holds commits by their names, and branches as names of commits. People commit by `commit`."""

    clock: Clock
    commits: dict[Sha, MemoryCommit] = field(default_factory=dict)
    branches: dict[str, Sha] = field(default_factory=dict)
    pushes: list[tuple[str, Sha]] = field(default_factory=list)
    contents: dict[Sha, str] = field(default_factory=dict)

    def commit(
        self, branch: str, files: Mapping[str, str], message: str, *, author: str = "alice", parent: Sha | None = None
    ) -> Sha:
        """Commit as a person does, straight to a branch."""
        sha = self._make(parent or self.branches.get(branch), files, message, author)
        self.branches[branch] = sha
        return sha

    def _make(self, parent: Sha | None, files: Mapping[str, str], message: str, author: str) -> Sha:
        before = self.commits[parent].files if parent else {}
        seed = f"{parent}{sorted(files.items())}{message}{self.clock.now()}{len(self.commits)}"
        sha = Sha(hashlib.sha256(seed.encode()).hexdigest()[:40])
        self.commits[sha] = MemoryCommit(
            sha=sha, parent=parent, files={**before, **files}, message=message, at=self.clock.now(), author=author
        )
        return sha

    def line(self, head: Sha) -> list[MemoryCommit]:
        """Return the commits from `head` back to the first."""
        found: list[MemoryCommit] = []
        at: Sha | None = head
        while at is not None:
            found.append(self.commits[at])
            at = self.commits[at].parent
        return found

    # --- the port ---

    def refresh(self, repository: str, branch: str, paths: Sequence[str] = ()) -> Sha:
        """Return the branch's head."""
        return self.branches[branch]

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        """Return a file's text at a commit, None where there is none."""
        return self.commits[commit].files.get(path)

    def file_history(
        self, repository: str, head: Sha, path: str, *, limit: int, since: Sha | None = None
    ) -> FileHistory:
        """Return the commits that changed a file, newest first."""
        found = []
        for commit in self.line(head):
            text = commit.files.get(path)
            before = self.commits[commit.parent].files.get(path) if commit.parent else None
            if text != before:
                found.append(
                    FileVersion(
                        commit=commit.sha,
                        at=commit.at,
                        author=commit.author,
                        message=commit.message,
                        content=self._keep(text),
                    )
                )
        newer = [version.commit for version in found]
        if since in newer:
            return FileHistory(versions=tuple(found[: newer.index(since)]), complete=True, joins=True)
        return FileHistory(versions=tuple(found[:limit]), complete=len(found) < limit)

    def _keep(self, text: str | None) -> Sha | None:
        if text is None:
            return None
        name = Sha(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
        self.contents[name] = text
        return name

    def read_contents(self, repository: str, contents: Sequence[Sha]) -> Mapping[Sha, str | None]:
        """Return the texts that a history named."""
        return {name: self.contents[name] for name in contents}

    def descent(self, repository: str, commit: Sha, ancestor: Sha) -> Descent | None:
        """Say how a commit is related to another; None if one of them is unknown."""
        if commit not in self.commits or ancestor not in self.commits:
            return None
        if any(item.sha == ancestor for item in self.line(commit)):
            return Descent(contains=True)
        line = [item.sha for item in self.line(ancestor)]
        return Descent(contains=False, behind=line.index(commit) if commit in line else None)

    def branch_change(self, repository: str, base: Sha, branch: str, *, is_fresh: bool = True) -> BranchChange | None:
        """Compare a branch with its base; None if there is no such branch."""
        if branch not in self.branches:
            return None
        head = self.branches[branch]
        on_base = {item.sha for item in self.line(base)}
        fork = next(item for item in self.line(head) if item.sha in on_base)
        files = {path for path in self.commits[head].files if self.commits[head].files[path] != fork.files.get(path)}
        return BranchChange(head=head, fork=fork.sha, paths=tuple(sorted(files)), message=self.commits[head].message)

    def commit_file(self, plan: FileCommit) -> Sha:
        """Make a commit that no branch has yet."""
        return self._make(plan.parent, plan.files, plan.message, BOT)

    def push(self, repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        """Set a branch to a commit if it is where it was expected; raise Conflict if it is not."""
        if self.branches.get(branch) != expected:
            raise Conflict("Git", f"{branch} has moved")
        self.branches[branch] = commit
        self.pushes.append((branch, commit))
