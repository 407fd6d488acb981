"""What differs between two trees, in GitHub's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Run = Callable[..., bytes]
"""Runs a git command that must succeed and returns what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file of a diff, in GitHub's words. `patch` starts at the first hunk; None for binary files."""

    path: str
    previous: str | None
    status: str
    blob: str | None
    additions: int
    deletions: int
    patch: str | None


def read_changes(run: Run, old: str, new: str) -> list[FileChange]:
    """Return the files that differ between two trees."""
    numbers = _counts(run, old, new)
    raw = run("diff", "--raw", "--abbrev=40", "-z", "-M", old, new).decode(errors="replace")
    fields = iter(filter(None, raw.split("\0")))
    return [_change(run, (old, new), facts, fields, numbers) for facts in fields]


def _counts(run: Run, old: str, new: str) -> dict[str, tuple[str, str]]:
    listed = run("diff", "--numstat", "-z", "--no-renames", old, new).decode(errors="replace")
    rows = (line.split("\t", 2) for line in filter(None, listed.split("\0")))
    return {path: (added, deleted) for added, deleted, path in rows}


def _change(
    run: Run, ends: tuple[str, str], facts: str, rest: Iterator[str], numbers: Mapping[str, tuple[str, str]]
) -> FileChange:
    _, _, _, blob, letter = facts.split(" ")
    previous = next(rest) if letter[0] in "RC" else None
    path = next(rest)
    patch = run("diff", "-M", *ends, "--", *filter(None, (previous, path))).decode(errors="replace")
    hunks = patch[patch.index("\n@@ ") + 1 :].rstrip("\n") if "\n@@ " in patch else None
    added, deleted = _counted(hunks) if previous else numbers.get(path, ("0", "0"))
    return FileChange(
        path=path,
        previous=previous,
        status={"A": "added", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}.get(letter[0], "modified"),
        blob=None if set(blob) == {"0"} else blob,
        additions=int(added) if added.isdigit() else 0,
        deletions=int(deleted) if deleted.isdigit() else 0,
        patch=hunks,
    )


def _counted(patch: str | None) -> tuple[str, str]:
    lines = (patch or "").splitlines()
    return str(sum(line[:1] == "+" for line in lines)), str(sum(line[:1] == "-" for line in lines))
