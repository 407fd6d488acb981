"""Read commits, trees and file contents of a mirror, many with one process, without a work tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.adapters.git.fetching import fetch_blobs
from bot.adapters.git.mirror import Damaged, Mirror
from bot.adapters.git.names import SYSTEM, check_path
from bot.domain.model import Sha
from bot.ports import Permanent

REGULAR = ("100644", "100755")
TREE = "40000"
_REFUSED_MODES = {
    "120000": "a symbolic link, which is never followed",
    "160000": "a submodule, which is never entered",
    TREE: "a folder",
}
_PATHS_AT_ONCE = 500
LFS = b"version https://git-lfs.github.com/spec/"
_PERSON = re.compile(rb"(?P<name>.*?) ?<[^<>]*> (?P<at>-?\d+) [+-]\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as git keeps it."""

    kind: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a tree."""

    mode: str
    name: bytes
    sha: Sha

    @property
    def kind(self) -> str:
        """The kind of object that the mode stands for."""
        return {"160000": "commit", TREE: "tree"}.get(self.mode, "blob")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a path leads at a commit: the trees from the root down, and the entry at its end, if there is one."""

    parts: tuple[str, ...]
    levels: tuple[tuple[Entry, ...], ...]
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """What a commit object says: `written_at` is its author's time."""

    parents: tuple[Sha, ...]
    author: str
    written_at: datetime
    committed_at: datetime
    message: str


def read_objects(mirror: Mirror, names: Sequence[str]) -> list[Stored | None]:
    """Return the objects that `names` mean, in that order; None for one that the mirror does not hold."""
    if not names:
        return []
    out = mirror.ask("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode()).out
    found = list(split_batch(out))
    if len(found) != len(names):
        raise Damaged("git cat-file gave fewer answers than it was asked for")
    return found


def split_batch(out: bytes) -> Iterator[Stored | None]:
    """Give the objects of an answer of `git cat-file --batch`, None for each that is missing."""
    place = 0
    while place < len(out):
        end = out.index(b"\n", place)
        header = out[place:end].split(b" ")
        if header[-1] == b"missing":
            yield None
            place = end + 1
            continue
        size = int(header[-1])
        yield Stored(kind=header[-2].decode("ascii"), content=out[end + 1 : end + 1 + size])
        place = end + 1 + size + 1


def locate(mirror: Mirror, commit: Sha, path: str) -> Located:
    """Follow a path from a commit's root tree; refuse one that leads through a symbolic link or a submodule."""
    parts = check_path(path)
    names = [f"{commit}:{'/'.join(parts[:depth])}" for depth in range(len(parts))]
    levels: list[tuple[Entry, ...]] = []
    for depth, (part, tree) in enumerate(zip(parts, read_objects(mirror, names), strict=True)):
        if tree is None or tree.kind != "tree":
            raise Damaged(f"the tree {names[depth]} is missing")
        levels.append(parse_tree(tree.content, sha_bytes=len(commit) // 2))
        entry = next((entry for entry in levels[-1] if entry.name == part.encode()), None)
        if depth == len(parts) - 1:
            return Located(parts=parts, levels=tuple(levels), entry=entry)
        if entry is None or entry.mode in REGULAR:
            return Located(parts=parts, levels=tuple(levels), entry=None)
        if entry.mode != TREE:
            where = "/".join(parts[: depth + 1])
            raise Permanent(SYSTEM, f"{where} in {mirror.repository} is {describe(entry)}: give the file's real path")
    raise AssertionError("a checked path has at least one part")


def parse_tree(content: bytes, *, sha_bytes: int) -> tuple[Entry, ...]:
    """Parse a tree object: `mode SP name NUL sha`, again and again."""
    entries: list[Entry] = []
    place = 0
    while place < len(content):
        space = content.index(b" ", place)
        nul = content.index(b"\0", space)
        end = nul + 1 + sha_bytes
        sha = Sha(content[nul + 1 : end].hex())
        entries.append(Entry(mode=content[place:space].decode("ascii"), name=content[space + 1 : nul], sha=sha))
        place = end
    return tuple(entries)


def need_regular(mirror: Mirror, path: str, entry: Entry) -> Entry:
    """Return the entry if it is a regular file, else raise `Permanent`."""
    if entry.mode in REGULAR:
        return entry
    raise Permanent(SYSTEM, f"{path} in {mirror.repository} is {describe(entry)}: name a regular file")


def describe(entry: Entry) -> str:
    """Say in words what an entry is that is no regular file."""
    return _REFUSED_MODES.get(entry.mode, f"an entry of the unusual mode {entry.mode}")


def read_blobs(mirror: Mirror, blobs: Sequence[Sha]) -> dict[Sha, bytes]:
    """Return contents by object name; those that the mirror lacks are fetched first, in one request."""
    wanted = list(dict.fromkeys(blobs))
    contents = {sha: known for sha in wanted if isinstance(known := mirror.answers.recall(("blob", sha)), bytes)}
    unread = [sha for sha in wanted if sha not in contents]
    found = dict(zip(unread, read_objects(mirror, unread), strict=True))
    missing = [sha for sha, stored in found.items() if stored is None]
    if missing:
        fetch_blobs(mirror, missing)
        found |= zip(missing, read_objects(mirror, missing), strict=True)
    for sha, stored in found.items():
        if stored is None or stored.kind != "blob":
            raise Damaged("a file's content is missing after it was fetched")
        contents[sha] = stored.content
        mirror.answers.keep(("blob", sha), stored.content, weight=len(stored.content))
    return contents


def decode_text(mirror: Mirror, path: str, content: bytes) -> str:
    """Return the text byte for byte (mark and line ends kept); refuse what is no UTF-8, too large or kept elsewhere."""
    if content.startswith(LFS):
        raise Permanent(
            SYSTEM, f"{path} in {mirror.repository} is kept in Git LFS, so its text is not in Git: move it back"
        )
    if len(content) > mirror.limits.max_file_bytes:
        size, limit = len(content), mirror.limits.max_file_bytes
        raise Permanent(
            SYSTEM, f"{path} in {mirror.repository} has {size} bytes, more than the {limit} that are allowed"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        sentence = f"{path} in {mirror.repository} is not UTF-8 text (byte {error.start}): convert it"
        raise Permanent(SYSTEM, sentence) from error


def list_blobs(mirror: Mirror, commit: Sha, paths: Sequence[str]) -> dict[str, Sha | None]:
    """Return what each path is at a commit; None for what is not there, or no regular file."""
    found: dict[str, Sha | None] = dict.fromkeys(paths)
    for start in range(0, len(paths), _PATHS_AT_ONCE):
        some = paths[start : start + _PATHS_AT_ONCE]
        found |= {path: sha for path, sha in _regular_files(mirror, commit, some) if path in found}
    return found


def list_contents(mirror: Mirror, commit: Sha) -> dict[str, Sha]:
    """Return the contents of all regular files of a commit, by path."""
    return dict(_regular_files(mirror, commit, ()))


def _regular_files(mirror: Mirror, commit: Sha, paths: Sequence[str]) -> Iterator[tuple[str, Sha]]:
    # Git takes a -- with nothing behind it for a path.
    named = ("--", *paths) if paths else ()
    out = mirror.ask("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit, *named).out
    for row in out.decode("utf-8", "backslashreplace").split("\0")[:-1]:
        facts, _, path = row.partition("\t")
        mode, _, sha = facts.split(" ")
        if mode in REGULAR:
            yield path, Sha(sha)


def missing_blobs(mirror: Mirror, blobs: Sequence[Sha]) -> list[Sha]:
    """Return those contents that the partial mirror does not hold."""
    if not blobs:
        return []
    out = mirror.ask("cat-file", "--batch-check=%(objectname)", stdin="".join(f"{sha}\n" for sha in blobs).encode()).out
    return [Sha(line[: -len(" missing")]) for line in out.decode("ascii").splitlines() if line.endswith(" missing")]


def read_commits(mirror: Mirror, commits: Sequence[Sha]) -> dict[Sha, CommitFacts]:
    """Return what commit objects say, by name; those read before are remembered."""
    wanted = list(dict.fromkeys(commits))
    facts = {sha: known for sha in wanted if isinstance(known := mirror.answers.recall(("commit", sha)), CommitFacts)}
    unread = [sha for sha in wanted if sha not in facts]
    for sha, stored in zip(unread, read_objects(mirror, unread), strict=True):
        if stored is None or stored.kind != "commit":
            raise Damaged(f"the commit {sha} is missing")
        facts[sha] = _parse_commit(stored.content)
        mirror.answers.keep(("commit", sha), facts[sha], weight=len(stored.content))
    return facts


def _parse_commit(content: bytes) -> CommitFacts:
    head, _, message = content.partition(b"\n\n")
    lines = head.split(b"\n")
    people = {
        line.split(b" ", 1)[0]: line.split(b" ", 1)[1] for line in lines if line.startswith((b"author ", b"committer "))
    }
    author, committer = (_PERSON.fullmatch(people.get(role, b"")) for role in (b"author", b"committer"))
    return CommitFacts(
        parents=tuple(Sha(line[7:].decode("ascii")) for line in lines if line.startswith(b"parent ")),
        author=author["name"].decode("utf-8", "replace") if author else "unknown",
        written_at=_instant(int(author["at"]) if author else 0),
        committed_at=_instant(int(committer["at"]) if committer else 0),
        message=message.decode("utf-8", "replace"),
    )


def _instant(seconds: int) -> datetime:
    """Read a commit's time; a nonsensical one, which git allows, becomes the epoch."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)
