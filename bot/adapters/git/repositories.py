"""The port `Repositories` over mirrors: checks every name, then does each task under its mirror's lock."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bot.adapters.git.commits import make_commit
from bot.adapters.git.fetching import fetch_branch, has_or_fetches, need_commit
from bot.adapters.git.history import compare, is_ancestor, walk_file
from bot.adapters.git.mirror import Mirror
from bot.adapters.git.names import SYSTEM, check_branch, check_path, check_repository, check_sha
from bot.adapters.git.objects import decode_text, locate, need_regular, read_blobs
from bot.adapters.git.pushes import push_commit
from bot.adapters.git.settings import GitSettings, TokenFor
from bot.domain.model import Sha
from bot.ports import BranchChange, Clock, FileCommit, FileVersion, Permanent


class GitRepositories:
    """Repositories on a git server. Safe to share between threads; one thread at a time works on a repository."""

    def __init__(self, settings: GitSettings, *, token: TokenFor, clock: Clock) -> None:
        self._settings = settings
        self._token = token
        self._clock = clock
        self._lock = threading.Lock()
        self._mirrors: dict[str, Mirror] = {}

    def refresh(self, repository: str, branch: str) -> Sha:
        """Fetch the branch (one fetch) and return its head."""
        check_branch(branch)

        def task(mirror: Mirror) -> Sha:
            mirror.absent.clear()
            head = fetch_branch(mirror, branch)
            if head is None:
                raise Permanent(SYSTEM, f"{repository} has no branch {branch}: check the policy's gitops branch")
            return head

        return self._mirror(repository).work(task)

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        """Return a regular file's text at a commit byte for byte; None where there is no such file."""
        check_sha(commit)
        check_path(path)

        def task(mirror: Mirror) -> str | None:
            return mirror.answers.recall(("file", commit, path), lambda: _read_text(mirror, commit, path), weigh=_weigh)

        return self._mirror(repository).work(task)

    def file_history(self, repository: str, head: Sha, path: str, *, limit: int) -> Sequence[FileVersion]:
        """Return the newest `limit` first-parent commits that touched `path`, newest first."""
        check_sha(head)
        check_path(path)

        def task(mirror: Mirror) -> tuple[FileVersion, ...]:
            key = ("history", head, path, limit)
            return mirror.answers.recall(
                key,
                lambda: walk_file(mirror, head, path, limit=limit),
                weigh=lambda versions: sum(_weigh(version.text) + len(version.message) for version in versions),
            )

        return self._mirror(repository).work(task)

    def contains(self, repository: str, commit: Sha, ancestor: Sha) -> bool | None:
        """Say whether `commit` is `ancestor` or descends from it; None if the server knows one of them no more."""
        check_sha(commit)
        check_sha(ancestor)

        def task(mirror: Mirror) -> bool | None:
            if commit == ancestor and mirror.has_commit(commit):
                return True
            if not has_or_fetches(mirror, commit) or not has_or_fetches(mirror, ancestor):
                return None
            return is_ancestor(mirror, ancestor, commit)

        return self._mirror(repository).work(task)

    def branch_change(self, repository: str, base: Sha, branch: str) -> BranchChange | None:
        """Fetch `branch` and compare it with `base`; None if the server has no such branch."""
        check_sha(base)
        check_branch(branch)

        def task(mirror: Mirror) -> BranchChange | None:
            head = fetch_branch(mirror, branch)
            return None if head is None else compare(mirror, base, head)

        return self._mirror(repository).work(task)

    def commit_file(self, plan: FileCommit) -> Sha:
        """Make a commit in the mirror only; raise `Conflict` if the file is gone or already says so."""
        check_sha(plan.parent)
        check_path(plan.path)
        author, now = self._settings.author, self._clock.now()
        return self._mirror(plan.repository).work(lambda mirror: make_commit(mirror, plan, author=author, at=now))

    def push(self, repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        """Set the server's branch to `commit` if it is at `expected`; a lost answer is looked up, never guessed."""
        check_branch(branch)
        check_sha(commit)
        if expected is not None:
            check_sha(expected)
        self._mirror(repository).work(lambda mirror: push_commit(mirror, branch, commit, expected=expected))

    def _mirror(self, repository: str) -> Mirror:
        check_repository(repository)
        with self._lock:
            if repository not in self._mirrors:
                self._mirrors[repository] = Mirror(self._settings, repository, self._token)
            return self._mirrors[repository]


def _read_text(mirror: Mirror, commit: Sha, path: str) -> str | None:
    need_commit(mirror, commit)
    entry = locate(mirror, commit, path).entry
    if entry is None:
        return None
    blob = need_regular(mirror, path, entry).sha
    return decode_text(mirror, path, read_blobs(mirror, [blob])[blob])


def _weigh(text: str | None) -> int:
    return len(text or "")
