"""The ports `Repositories` and `Folders` over mirrors: checks names, then does each task under its mirror's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from bot.adapters.git.commits import ServerCommits, Signature, make_commit, make_commit_on_server
from bot.adapters.git.fetching import fetch_branch, fetch_tracked, has_or_fetches, need_commit, own_branch
from bot.adapters.git.folders import fetched_head, list_files, read_history, read_small
from bot.adapters.git.history import compare, count_between, describe_versions, is_ancestor, read_pasts
from bot.adapters.git.index import BranchIndex
from bot.adapters.git.mirror import Mirror
from bot.adapters.git.names import SYSTEM, check_branch, check_path, check_repository, check_sha
from bot.adapters.git.objects import decode_text, list_contents, locate, need_regular, read_blobs
from bot.adapters.git.pushes import push_commit
from bot.adapters.git.settings import GitSettings, TokenFor
from bot.adapters.git.upkeep import tidy
from bot.domain.model import Sha
from bot.domain.policy import CommitsBy
from bot.ports import (
    BranchChange,
    Clock,
    Descent,
    FileCommit,
    FileHistory,
    FolderHistory,
    FolderListing,
    Permanent,
)


class GitRepositories:
    """Repositories on a git server. Safe to share between threads; one thread at a time works on a repository.

    `server` makes the commits that a policy wants made, and signed, by the server.
    """

    def __init__(
        self, settings: GitSettings, *, token: TokenFor, clock: Clock, server: ServerCommits | None = None
    ) -> None:
        self._settings = settings
        self._token = token
        self._clock = clock
        self._server = server
        self._lock = threading.Lock()
        self._mirrors: dict[str, Mirror] = {}

    def refresh(self, repository: str, branch: str, paths: Sequence[str] = ()) -> Sha:
        """Fetch the branch, and with it those of the bot that were asked for of late; return its head."""
        check_branch(branch)
        for path in paths:
            check_path(path)

        def task(mirror: Mirror) -> Sha:
            mirror.absent.clear()
            head = fetch_tracked(mirror, branch)
            if head is None:
                sentence = f"{repository} has no branch {branch}: check its name in the policy or the settings"
                raise Permanent(SYSTEM, sentence)
            index = mirror.indexes.setdefault(branch, BranchIndex(head))
            index.advance(mirror, head)
            index.watch(paths)
            tidy(mirror)
            return head

        return self._mirror(repository).work(task)

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        """Return a regular file's text at a commit byte for byte; None where there is no such file."""
        check_sha(commit)
        check_path(path)
        return self._mirror(repository).work(lambda mirror: _read_text(mirror, commit, path))

    def read_texts(
        self, repository: str, commit: Sha, is_wanted: Callable[[str], bool], *, most: int
    ) -> dict[str, str]:
        """Return the texts of all regular files whose paths are wanted, without those that are no text or too large.

        Raise Permanent where there are more than `most`.
        """
        check_sha(commit)

        def task(mirror: Mirror) -> dict[str, str]:
            need_commit(mirror, commit)
            wanted = {path: sha for path, sha in list_contents(mirror, commit).items() if is_wanted(path)}
            if len(wanted) > most:
                raise Permanent(SYSTEM, f"{repository} has {len(wanted):,} such files, more than {most:,}")
            contents = read_blobs(mirror, list(wanted.values()))
            limit = mirror.limits.max_file_bytes
            texts = {path: _as_text(contents[sha]) for path, sha in wanted.items() if len(contents[sha]) <= limit}
            return {path: text for path, text in texts.items() if text is not None}

        return self._mirror(repository).work(task)

    def file_history(
        self, repository: str, head: Sha, path: str, *, limit: int, since: Sha | None = None
    ) -> FileHistory:
        """Return the newest `limit` first-parent commits that touched `path`, newest first, or those after `since`."""
        check_sha(head)
        if since is not None:
            check_sha(since)
        check_path(path)

        def task(mirror: Mirror) -> FileHistory:
            index = next((index for index in mirror.indexes.values() if index.head == head), None)
            if index is not None:
                past = index.past(mirror, path, limit=limit)
            else:
                past = read_pasts(mirror, head, [path], limit=limit)[path]
            newer = [one.commit for one in past.versions]
            joins = since is not None and since in newer
            chosen = past.versions[: newer.index(since)] if since is not None and joins else past.versions[:limit]
            is_whole = past.complete and (joins or len(past.versions) < limit)
            return FileHistory(versions=describe_versions(mirror, chosen), complete=is_whole, joins=joins)

        return self._mirror(repository).work(task)

    def read_contents(self, repository: str, contents: Sequence[Sha]) -> Mapping[Sha, str | None]:
        """Return the texts of contents that a history named; None for one that is no UTF-8 text."""
        for content in contents:
            check_sha(content)
        return self._mirror(repository).work(
            lambda mirror: {sha: _as_text(raw) for sha, raw in read_blobs(mirror, contents).items()}
        )

    def fetched(self, repository: str, branch: str) -> Sha | None:
        """Return the head of a branch as the last refresh found it, on this machine; None if there was none."""
        check_branch(branch)
        return self._mirror(repository).work(lambda mirror: fetched_head(mirror, branch))

    def list_folder(self, repository: str, commit: Sha, folder: str, *, inside: Sequence[str]) -> FolderListing | None:
        """Return the files directly in a folder and in those of its folders named `inside`; None without the folder."""
        check_sha(commit)
        _check_folder(folder)
        return self._mirror(repository).work(lambda mirror: list_files(mirror, commit, folder, inside=inside))

    def read_small(self, repository: str, contents: Sequence[Sha], *, most_bytes: int) -> Mapping[Sha, bytes | str]:
        """Return contents; in words, what one is that is larger than `most_bytes`, or kept elsewhere."""
        for content in contents:
            check_sha(content)
        return self._mirror(repository).work(lambda mirror: read_small(mirror, contents, most_bytes=most_bytes))

    def folder_history(
        self, repository: str, head: Sha, folder: str, *, wanted: Collection[str], since: Sha | None = None
    ) -> FolderHistory:
        """Return which commits up to `head` touched a folder: those after `since`, or as far as `wanted` files need."""
        check_sha(head)
        if since is not None:
            check_sha(since)
        _check_folder(folder)
        return self._mirror(repository).work(
            lambda mirror: read_history(mirror, head, folder, wanted=wanted, since=since)
        )

    def descent(self, repository: str, commit: Sha, ancestor: Sha) -> Descent | None:
        """Say how `commit` is related to `ancestor`; None if the server knows one of them no more."""
        check_sha(commit)
        check_sha(ancestor)

        def task(mirror: Mirror) -> Descent | None:
            for index in mirror.indexes.values():
                ahead = index.ahead(commit, ancestor)
                if ahead is not None:
                    return Descent(contains=ahead >= 0, behind=-ahead if ahead < 0 else None)
            if not has_or_fetches(mirror, commit) or not has_or_fetches(mirror, ancestor):
                return None
            contains = commit == ancestor or is_ancestor(mirror, ancestor, commit)
            if contains is None:
                return None
            return Descent(contains=contains, behind=None if contains else count_between(mirror, commit, ancestor))

        return self._mirror(repository).work(task)

    def branch_change(self, repository: str, base: Sha, branch: str, *, is_fresh: bool = True) -> BranchChange | None:
        """Compare `branch` with `base`, fetched now or as the last refresh found it; None if there is none."""
        check_sha(base)
        check_branch(branch)

        def task(mirror: Mirror) -> BranchChange | None:
            head = fetch_branch(mirror, branch) if is_fresh else own_branch(mirror, branch)
            return None if head is None else compare(mirror, base, head)

        return self._mirror(repository).work(task)

    def commit_file(self, plan: FileCommit) -> Sha:
        """Make a commit in the mirror only; raise `Conflict` if a file is gone, or all of them already say so."""
        check_sha(plan.parent)
        for path in plan.files:
            check_path(path)
        mirror = self._mirror(plan.repository)
        if plan.by is CommitsBy.GITHUB:
            server = self._need_server(plan.repository)
            return mirror.work(lambda held: make_commit_on_server(held, plan, server))
        settings, now = self._settings, self._clock.now()
        signature = Signature(author=settings.author, at=now, signing=settings.signing)
        return mirror.work(lambda held: make_commit(held, plan, signature))

    def push(self, repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        """Set the server's branch to `commit` if it is at `expected`; a lost answer is looked up, never guessed."""
        check_branch(branch)
        check_sha(commit)
        if expected is not None:
            check_sha(expected)
        self._mirror(repository).work(lambda mirror: push_commit(mirror, branch, commit, expected=expected))

    def _need_server(self, repository: str) -> ServerCommits:
        if self._server is None:
            raise Permanent(SYSTEM, f"commits for {repository} are to be made by the server, which is not set up")
        return self._server

    def _mirror(self, repository: str) -> Mirror:
        check_repository(repository)
        with self._lock:
            if repository not in self._mirrors:
                self._mirrors[repository] = Mirror(self._settings, repository, self._token)
            return self._mirrors[repository]


def _check_folder(folder: str) -> None:
    if folder != ".":
        check_path(folder)


def _read_text(mirror: Mirror, commit: Sha, path: str) -> str | None:
    for index in mirror.indexes.values():
        known = index.blob_at(mirror, commit, path)
        if known is not None:
            return decode_text(mirror, path, read_blobs(mirror, [known])[known])
    need_commit(mirror, commit)
    entry = locate(mirror, commit, path).entry
    if entry is None:
        return None
    blob = need_regular(mirror, path, entry).sha
    return decode_text(mirror, path, read_blobs(mirror, [blob])[blob])


def _as_text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
