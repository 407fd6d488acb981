"""Walk a file's history along a branch's first parents, and compare a branch with its base."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.adapters.git.fetching import need_commit
from bot.adapters.git.mirror import Mirror
from bot.adapters.git.names import SYSTEM
from bot.adapters.git.objects import REGULAR, CommitFacts, read_blobs, read_commits
from bot.domain.model import Sha
from bot.ports import BranchChange, FileVersion, Permanent

_TRAILER = re.compile(r"^Liftlock-[A-Za-z]+[ \t]*:", re.MULTILINE | re.IGNORECASE)
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def walk_file(mirror: Mirror, head: Sha, path: str, *, limit: int) -> tuple[FileVersion, ...]:
    """Return the newest first-parent commits that changed `path`, merges that brought a change included.

    A version that is no regular UTF-8 file (a link, a submodule, other bytes) counts as no file: such a past must not
    keep the present from being read.
    """
    need_commit(mirror, head)
    blobs = _list_versions(mirror, head, path, limit=limit)
    contents = read_blobs(mirror, [blob for blob in blobs.values() if blob])
    facts = read_commits(mirror, list(blobs))
    parents = [commit.parents[1] for commit in facts.values() if _needs_second_message(commit)]
    brought = read_commits(mirror, parents)
    return tuple(
        FileVersion(
            commit=sha,
            at=facts[sha].committed_at,
            author=facts[sha].author,
            message=_join_messages(facts[sha], brought),
            text=_as_text(contents[blob]) if blob else None,
        )
        for sha, blob in blobs.items()
    )


def _list_versions(mirror: Mirror, head: Sha, path: str, *, limit: int) -> dict[Sha, Sha | None]:
    """Return commit → the file's blob after it, newest first."""
    arguments = ("--first-parent", "--diff-merges=first-parent", "--raw", "-z", "--no-abbrev", "--no-renames")
    shown = mirror.ask(
        "log", *arguments, "--format=%H", f"--max-count={max(limit, 1)}", "--end-of-options", head, "--", path
    ).out
    versions: dict[Sha, Sha | None] = {}
    commit = head
    tokens = iter(token.strip() for token in shown.decode("utf-8", "replace").split("\0"))
    for token in tokens:
        if _SHA.fullmatch(token):
            commit = Sha(token)
            versions[commit] = None
        elif token.startswith(":") and next(tokens, "") == path:
            _, mode, _, blob, _ = token.split(" ")
            versions[commit] = Sha(blob) if mode in REGULAR else None
    return versions


def _needs_second_message(commit: CommitFacts) -> bool:
    return len(commit.parents) > 1 and not _TRAILER.search(commit.message)


def _join_messages(commit: CommitFacts, brought: Mapping[Sha, CommitFacts]) -> str:
    if not _needs_second_message(commit):
        return commit.message
    return f"{commit.message.rstrip()}\n\n{brought[commit.parents[1]].message}"


def _as_text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def is_ancestor(mirror: Mirror, older: Sha, newer: Sha) -> bool:
    """Say whether `newer` is `older` or descends from it; both are in the mirror."""
    return mirror.ask("merge-base", "--is-ancestor", older, newer, allowed=(0, 1)).status == 0


def compare(mirror: Mirror, base: Sha, head: Sha) -> BranchChange:
    """Compare a branch with its base: everything that differs, deletions and changes of mode included."""
    need_commit(mirror, base)
    forks = mirror.ask("merge-base", "--all", base, head, allowed=(0, 1)).out.decode("ascii").split()
    if not forks:
        raise Permanent(SYSTEM, f"the branch at {head[:12]} of {mirror.repository} shares no history with its base")
    # Branches merged into each other have several forks; a path that differs from any of them counts as touched.
    paths = {path: None for fork in forks for path in _differing_paths(mirror, Sha(fork), head)}
    message = read_commits(mirror, [head])[head].message
    return BranchChange(head=head, fork=Sha(forks[0]), paths=tuple(sorted(paths)), message=message)


def _differing_paths(mirror: Mirror, old: Sha, new: Sha) -> list[str]:
    arguments = ("-r", "-z", "--no-renames", "--name-only", "--end-of-options", old, new)
    out = mirror.ask("diff-tree", *arguments).out
    # A name that is no UTF-8 keeps its bytes as escapes: it must differ from every planned path, not vanish.
    return [name.decode("utf-8", "backslashreplace") for name in out.split(b"\0") if name]
