"""Read the YAML files of a folder as they are at a revision of the repository that the folder lies in.

Unlike the rest it reads a person's own clone, where they are: nothing is fetched, checked out or changed. A revision is
turned into a commit first, and only that is ever passed on. No link is followed, and submodules are left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from bot.adapters.git.names import SYSTEM
from bot.adapters.git.objects import REGULAR, split_batch
from bot.adapters.git.processes import HungGit, Run, run_git
from bot.ports import Permanent, Transient

_DEADLINE = timedelta(seconds=30)
_MOST_BYTES = 64 * 1024 * 1024
_ENTRY = re.compile(rb"(?P<mode>[0-7]{6}) blob (?P<sha>[0-9a-f]{40,64}) +(?P<size>[0-9]+|BAD)\t(?P<path>.+)", re.DOTALL)
_ONLY_THIS = {"GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}
_SUFFIXES = (".yaml", ".yml")


def yaml_files_at(revision: str, folder: Path) -> Mapping[str, bytes] | None:
    """Return the YAML files that stood directly in a folder at a revision, by their names; None where it was not there.

    A link is there without what it leads to: empty. Raise Permanent where the folder is in no repository or behind a
    link in it, or the repository does not have the revision.
    """
    root, within = _repository_of(folder)
    if not revision.isprintable():
        raise Permanent(SYSTEM, "a revision has no control characters")
    commit = _commit(root, revision)
    if commit is None:
        raise Permanent(SYSTEM, f"the repository of {folder} has no revision {revision}")
    listed = _git(root, "ls-tree", "-z", "-l", "--full-tree", commit, "--", *within)
    if listed is None:
        raise _incomplete(root)
    if not listed and within:
        return None
    depth = len(os.fsencode("".join(within)))
    entries = list(_entries(listed, depth=depth))
    if any(size is None for _, _, size in entries):
        raise _incomplete(root)
    if sum(size or 0 for _, _, size in entries) > _MOST_BYTES:
        raise Permanent(SYSTEM, "the YAML files of that revision are too large to compare")
    links = {name: b"" for name, sha, _ in entries if not sha}
    return links | dict(_contents(root, [(name, sha) for name, sha, _ in entries if sha]))


def has_revision(revision: str, folder: Path) -> bool:
    """Say whether a folder lies in a repository that has a revision of this name."""
    root = _root_of(_absolute(folder))
    return root is not None and revision.isprintable() and _commit(root, revision) is not None


def _commit(root: Path, revision: str) -> str | None:
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return None if found is None else found.decode("ascii").strip()


def _repository_of(folder: Path) -> tuple[Path, Sequence[str]]:
    """Return the root of the clone that a folder lies in, and the folder's path in it with a / at its end, if any.

    A folder behind a link in the clone is refused: elsewhere its files had another history, or none.
    """
    place = _absolute(folder)
    root = _root_of(place)
    if root is None:
        raise Permanent(SYSTEM, f"{folder} lies in no Git repository")
    if folder.resolve() != root.resolve() / place.relative_to(root):
        raise Permanent(SYSTEM, f"{folder} is behind a symbolic link in its repository, and has no earlier version")
    within = place.relative_to(root).as_posix()
    return root, [] if within == "." else [f"{within}/"]


def _absolute(folder: Path) -> Path:
    """Return the path as it is called, without following links."""
    return Path(os.path.normpath(Path.cwd() / folder))


def _root_of(place: Path) -> Path | None:
    return next((root for root in (place, *place.parents) if (root / ".git").exists()), None)


def _entries(listed: bytes, *, depth: int) -> Iterator[tuple[str, bytes, int | None]]:
    """Give name, object and size of the YAML files, no size of one that is missing, and no object of a link.

    `depth` is the path's length.
    """
    for line in listed.split(b"\0"):
        found = _ENTRY.fullmatch(line)
        name = os.fsdecode(found["path"][depth:]) if found is not None else ""
        if found is None or "/" in name or not name.endswith(_SUFFIXES):
            continue
        if found["mode"].decode() in REGULAR:
            yield name, found["sha"], None if found["size"] == b"BAD" else int(found["size"])
        else:
            yield name, b"", 0


def _contents(root: Path, entries: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    asked = b"".join(sha + b"\n" for _, sha in entries)
    answer = _git(root, "cat-file", "--batch", stdin=asked) if entries else b""
    stored = list(split_batch(answer or b""))
    if len(stored) != len(entries) or None in stored:
        raise _incomplete(root)
    for (name, _), one in zip(entries, stored, strict=True):
        yield name, one.content if one is not None else b""


def _incomplete(root: Path) -> Permanent:
    return Permanent(SYSTEM, f"the clone {root} does not have all files of that revision")


def _git(root: Path, *arguments: str, stdin: bytes = b"") -> bytes | None:
    """Run git on a clone; None where it fails. A clone's .git may be a file that names another place."""
    run = Run(arguments=arguments, deadline=_DEADLINE, stdin=stdin, env=_ONLY_THIS | {"GIT_DIR": str(root / ".git")})
    try:
        outcome = run_git(root, run)
    except HungGit as error:
        raise Transient(SYSTEM, "git did not answer in time") from error
    return outcome.out if outcome.status == 0 else None
