"""Walk the history of files along a branch's first parents, and compare a branch with its base."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.adapters.git.deepening import ask_deeper, line_end, meets_boundary
from bot.adapters.git.fetching import need_commit
from bot.adapters.git.mirror import Mirror
from bot.adapters.git.names import SYSTEM
from bot.adapters.git.objects import REGULAR, CommitFacts, read_commits
from bot.domain.model import Sha
from bot.ports import BranchChange, FileVersion, Permanent, Transient

_TRAILER = re.compile(r"^Liftlock-[A-Za-z]+[ \t]*:", re.MULTILINE | re.IGNORECASE)
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})(?: [0-9a-f]{40,64})*")
_PATHS_IN_ONE_WALK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A commit that changed a file, and the blob that the file is since; None for what is no regular file."""

    commit: Sha
    blob: Sha | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What one walk saw: the commits of the line, newest first, each with its first parent, and the files by path."""

    line: tuple[tuple[Sha, Sha | None], ...]
    files: Mapping[str, tuple[Touched, ...]]


def walk(mirror: Mirror, revisions: Sequence[str], paths: Sequence[str] = (), *, most: int | None = None) -> Walked:
    """Walk first parents, merges shown as what they brought, and read what changed: in all files, or in `paths`.

    `most` ends the walk after so many commits (that changed one of the paths, if there are any).
    """
    bound = (f"--max-count={most}",) if most is not None else ()
    flags = ("--first-parent", "--diff-merges=first-parent", "--raw", "-r", "-z", "--no-abbrev", "--no-renames")
    shown = mirror.ask("log", *flags, *bound, "--format=%H %P", "--end-of-options", *revisions, "--", *paths).out
    line: list[tuple[Sha, Sha | None]] = []
    files: dict[str, list[Touched]] = {}
    for commit, parent, path, blob in _rows(shown.decode("utf-8", "backslashreplace")):
        if not line or line[-1][0] != commit:
            line.append((commit, parent))
        if path is not None:
            files.setdefault(path, []).append(Touched(commit=commit, blob=blob))
    return Walked(line=tuple(line), files={path: tuple(touched) for path, touched in files.items()})


def _rows(shown: str) -> Iterator[tuple[Sha, Sha | None, str | None, Sha | None]]:
    """Give each commit alone, and again for each path it changed."""
    tokens = iter(shown.split("\0"))
    commit, parent = Sha(""), None
    for token in tokens:
        # A path is taken as it is, whatever line breaks it begins with; only what stands before it has some of git's.
        head = token.strip("\n ")
        if head.startswith(":"):
            _, mode, _, blob, _ = head.split(" ")
            yield commit, parent, next(tokens), Sha(blob) if mode in REGULAR else None
        elif _COMMIT.fullmatch(head):
            first, *others = head.split(" ")
            commit, parent = Sha(first), Sha(others[0]) if others else None
            yield commit, parent, None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The newest versions of a file, newest first; `complete` if they go back to its first commit."""

    versions: tuple[Touched, ...]
    complete: bool


def read_pasts(mirror: Mirror, head: Sha, paths: Sequence[str], *, limit: int) -> dict[str, Past]:
    """Return at least the newest `limit` versions of each path, or all of them, deepening the mirror as needed.

    At the limit of the settings a past may be shorter; it is not complete then. A version that is no regular file (a
    link, a submodule) counts as no file: such a past must not keep the present from being read.
    """
    need_commit(mirror, head)
    seen: dict[str, Past] = {}

    def ask() -> dict[str, Past] | None:
        open_ones = [path for path in paths if path not in seen or _is_short(seen[path], limit)]
        seen.update(_read_known(mirror, head, open_ones, limit=limit))
        return None if any(_is_short(past, limit) for past in seen.values()) else seen

    ask_deeper(mirror, head, ask)
    return seen


def _is_short(past: Past, limit: int) -> bool:
    return not past.complete and len(past.versions) < limit


def _read_known(mirror: Mirror, head: Sha, paths: Sequence[str], *, limit: int) -> dict[str, Past]:
    """Read pasts as far as the mirror has them. A boundary commit only seems to add files, so it is no version."""
    edge = line_end(mirror, head)
    if len(paths) == 1:
        # One file's walk can end where it has enough; for several, a count would be of their commits together.
        walked = walk(mirror, [head], paths, most=limit)
        versions = _without(edge, walked.files.get(paths[0], ()))
        if len(walked.line) < limit or len(versions) == limit:
            is_whole = edge is None and len(walked.line) < limit
            return {paths[0]: Past(versions=versions, complete=is_whole)}
        # Some of these commits changed files below a folder of that name.
    found: dict[str, tuple[Touched, ...]] = {}
    for start in range(0, len(paths), _PATHS_IN_ONE_WALK):
        found |= walk(mirror, [head], paths[start : start + _PATHS_IN_ONE_WALK]).files
    return {path: Past(versions=_without(edge, found.get(path, ())), complete=edge is None) for path in paths}


def _without(edge: Sha | None, touched: Sequence[Touched]) -> tuple[Touched, ...]:
    return tuple(one for one in touched if one.commit != edge)


def describe_versions(mirror: Mirror, touched: Sequence[Touched]) -> tuple[FileVersion, ...]:
    """Add to each version what its commit says."""
    facts = read_commits(mirror, [one.commit for one in touched])
    parents = [commit.parents[1] for commit in facts.values() if _needs_second_message(commit)]
    brought = read_commits(mirror, parents)
    return tuple(
        FileVersion(
            commit=one.commit,
            at=facts[one.commit].committed_at,
            author=facts[one.commit].author,
            message=_join_messages(facts[one.commit], brought),
            content=one.blob,
            written_at=_brought(facts[one.commit], brought).written_at,
        )
        for one in touched
    )


def _needs_second_message(commit: CommitFacts) -> bool:
    return len(commit.parents) > 1 and not _TRAILER.search(commit.message)


def _brought(commit: CommitFacts, brought: Mapping[Sha, CommitFacts]) -> CommitFacts:
    """Return the commit that a merge brought where that was read, else the commit itself."""
    return brought.get(commit.parents[1], commit) if len(commit.parents) > 1 else commit


def _join_messages(commit: CommitFacts, brought: Mapping[Sha, CommitFacts]) -> str:
    if not _needs_second_message(commit):
        return commit.message
    return f"{commit.message.rstrip()}\n\n{brought[commit.parents[1]].message}"


def is_ancestor(mirror: Mirror, older: Sha, newer: Sha) -> bool | None:
    """Say whether `newer` is `older` or descends from it; both are in the mirror. None if history ends too early."""

    def ask() -> bool | None:
        if mirror.ask("merge-base", "--is-ancestor", older, newer, allowed=(0, 1)).status == 0:
            return True
        return None if meets_boundary(mirror, [newer], without=[older]) else False

    key = ("contains", newer, older)
    known = mirror.answers.recall(key)
    if isinstance(known, bool):
        return known
    found = ask_deeper(mirror, newer, ask)
    if found is not None:
        mirror.answers.keep(key, found, weight=0)
    return found


def count_between(mirror: Mirror, older: Sha, newer: Sha) -> int | None:
    """Return how many commits of `newer`'s first-parent line `older` lacks; None if it is no ancestor of it."""
    if is_ancestor(mirror, older, newer) is not True:
        return None
    key = ("between", older, newer)
    known = mirror.answers.recall(key)
    if isinstance(known, int):
        return known
    if meets_boundary(mirror, [newer], without=[older]):
        return None
    count = int(mirror.ask("rev-list", "--first-parent", "--count", "--end-of-options", newer, f"^{older}").out)
    mirror.answers.keep(key, count, weight=0)
    return count


def compare(mirror: Mirror, base: Sha, head: Sha) -> BranchChange:
    """Compare a branch with its base: everything that differs, deletions and changes of mode included."""
    key = ("change", base, head)
    known = mirror.answers.recall(key)
    if isinstance(known, BranchChange):
        return known
    found = _compared(mirror, base, head)
    mirror.answers.keep(key, found, weight=len(found.message) + sum(len(path) for path in found.paths))
    return found


def _compared(mirror: Mirror, base: Sha, head: Sha) -> BranchChange:
    need_commit(mirror, base)
    forks = ask_deeper(mirror, base, lambda: _forks(mirror, base, head))
    if forks is None:
        sentence = f"the branch at {head[:12]} of {mirror.repository} left its base too long ago to be compared"
        raise Transient(SYSTEM, sentence)
    if not forks:
        raise Permanent(SYSTEM, f"the branch at {head[:12]} of {mirror.repository} shares no history with its base")
    # Branches merged into each other have several forks; a path that differs from any of them counts as touched.
    paths = {path: None for fork in forks for path in _differing_paths(mirror, fork, head)}
    message = _own_message(mirror, base, head)
    return BranchChange(head=head, fork=forks[0], paths=tuple(sorted(paths)), message=message)


def _own_message(mirror: Mirror, base: Sha, head: Sha) -> str:
    """Return the message of the newest commit that is the branch's own: merges of the base into it are passed over.

    These are what the button *Update branch* makes, and what the branch is for does not change by them.
    """
    commit = head
    while True:
        facts = read_commits(mirror, [commit])[commit]
        # In a shallow mirror an old commit may not be known for an ancestor: then the merge speaks for itself.
        if len(facts.parents) != 2 or not _is_in(mirror, facts.parents[1], base):
            return facts.message
        commit = facts.parents[0]


def _is_in(mirror: Mirror, commit: Sha, base: Sha) -> bool:
    return mirror.ask("merge-base", "--is-ancestor", commit, base, allowed=(0, 1)).status == 0


def _forks(mirror: Mirror, base: Sha, head: Sha) -> list[Sha] | None:
    found = mirror.ask("merge-base", "--all", base, head, allowed=(0, 1)).out.decode("ascii").split()
    forks = [Sha(fork) for fork in found]
    return None if meets_boundary(mirror, [base, head], without=forks) else forks


def _differing_paths(mirror: Mirror, old: Sha, new: Sha) -> list[str]:
    arguments = ("-r", "-z", "--no-renames", "--name-only", "--end-of-options", old, new)
    out = mirror.ask("diff-tree", *arguments).out
    # A name that is no UTF-8 keeps its bytes as escapes: it must differ from every planned path, not vanish.
    return [name.decode("utf-8", "backslashreplace") for name in out.split(b"\0") if name]
