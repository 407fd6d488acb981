"""Read a folder of a mirror as a whole: what is in it at a commit, small contents, and which commits touched it.

Only tree entries are read. A link, a submodule or a file kept in LFS is named for what it is, never followed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bot.adapters.git.deepening import ask_deeper, line_end, line_length
from bot.adapters.git.fetching import fetch_blobs, has_or_fetches, local_ref, need_commit
from bot.adapters.git.history import Walked, walk
from bot.adapters.git.mirror import Damaged, Mirror
from bot.adapters.git.names import SYSTEM
from bot.adapters.git.objects import (
    LFS,
    REGULAR,
    TREE,
    Entry,
    describe,
    locate,
    missing_blobs,
    parse_tree,
    read_commits,
    read_objects,
)
from bot.domain.model import Sha
from bot.ports import FolderCommit, FolderHistory, FolderListing, Permanent

MOST_FILES = 20_000
_LONGEST_LINE = 5_000
"""How many commits of the branch are looked at for what touched a folder."""
_MOST_NEW = 2_000
_CONTENTS_AT_ONCE = 500


def fetched_head(mirror: Mirror, branch: str) -> Sha | None:
    """Return where the last fetch found a branch; None if it was never fetched."""
    name = f"{local_ref(branch)}^{{commit}}"
    found = mirror.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name, allowed=(0, 1))
    return Sha(found.out.decode("ascii").strip()) if found.status == 0 else None


def list_files(mirror: Mirror, commit: Sha, folder: str, *, inside: Sequence[str]) -> FolderListing | None:
    """Return the files of a folder and of some folders in it; None where there is no such folder.

    Other folders in it are refused: one by the name of a file must not be taken for nothing.
    """
    need_commit(mirror, commit)
    root = _folder(mirror, commit, folder)
    if root is None:
        return None
    name, entries = root
    wanted = {part.encode() for part in inside}
    below = {entry.name: entry for entry in entries if entry.mode == TREE and entry.name in wanted}
    trees = dict(zip(below, read_objects(mirror, [entry.sha for entry in below.values()]), strict=True))
    files = {entry.name: entry for entry in entries if entry.name not in below}
    for part, tree in trees.items():
        if tree is None or tree.kind != "tree":
            raise Damaged("the tree of a folder is missing")
        found = parse_tree(tree.content, sha_bytes=len(commit) // 2)
        files |= {part + b"/" + entry.name: entry for entry in found}
    if sum(entry.mode != TREE for entry in files.values()) > MOST_FILES:
        raise Permanent(
            SYSTEM, f"{folder} in {mirror.repository} has {len(files):,} files, more than the {MOST_FILES:,} allowed"
        )
    # A name that is no UTF-8 keeps its bytes as escapes: it must not vanish.
    named = {path.decode("utf-8", "backslashreplace"): entry for path, entry in sorted(files.items())}
    return FolderListing(
        tree=name,
        files={path: entry.sha for path, entry in named.items() if entry.mode in REGULAR},
        refused={path: describe(entry) for path, entry in named.items() if entry.mode not in REGULAR},
    )


def _folder(mirror: Mirror, commit: Sha, folder: str) -> tuple[Sha, tuple[Entry, ...]] | None:
    """Return the object of a folder and its entries."""
    if folder == ".":
        name = mirror.write("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}", stdin=b"")
    else:
        entry = locate(mirror, commit, folder).entry
        if entry is None or entry.mode in REGULAR:
            return None
        if entry.mode != TREE:
            raise Permanent(SYSTEM, f"{folder} in {mirror.repository} is {describe(entry)}: name a folder")
        name = entry.sha
    (tree,) = read_objects(mirror, [name])
    if tree is None or tree.kind != "tree":
        raise Damaged(f"the tree of {folder} is missing")
    return Sha(name), parse_tree(tree.content, sha_bytes=len(commit) // 2)


def read_small(mirror: Mirror, contents: Sequence[Sha], *, most_bytes: int) -> dict[Sha, bytes | str]:
    """Return contents as they are, or what they are where they are too large or kept elsewhere."""
    wanted = list(dict.fromkeys(contents))
    lacking = missing_blobs(mirror, wanted)
    if lacking:
        fetch_blobs(mirror, lacking)
    sizes = _sizes(mirror, wanted)
    found: dict[Sha, bytes | str] = {sha: f"more than {_told(most_bytes)}" for sha in wanted if sizes[sha] > most_bytes}
    small = [sha for sha in wanted if sha not in found]
    for start in range(0, len(small), _CONTENTS_AT_ONCE):
        some = small[start : start + _CONTENTS_AT_ONCE]
        for sha, stored in zip(some, read_objects(mirror, some), strict=True):
            if stored is None or stored.kind != "blob":
                raise Damaged("a file's content is missing after it was fetched")
            is_elsewhere = stored.content.startswith(LFS)
            found[sha] = "a pointer of Git LFS, which keeps the text elsewhere" if is_elsewhere else stored.content
    return found


def _told(size: int) -> str:
    return f"{size // 1_048_576} MiB" if size % 1_048_576 == 0 else f"{size:,} bytes"


def _sizes(mirror: Mirror, blobs: Sequence[Sha]) -> dict[Sha, int]:
    if not blobs:
        return {}
    asked = "".join(f"{sha}\n" for sha in blobs).encode()
    out = mirror.ask("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked).out.decode("ascii")
    try:
        sizes = {Sha(name): int(size) for name, size in (line.split(" ") for line in out.splitlines())}
    except ValueError as error:
        raise Damaged("a file's content is missing after it was fetched") from error
    return sizes


def read_history(
    mirror: Mirror, head: Sha, folder: str, *, wanted: Collection[str], since: Sha | None
) -> FolderHistory:
    """Return which commits touched a folder: those after `since` where that is on the line, else as far as needed."""
    need_commit(mirror, head)
    newer = _newer(mirror, head, folder, since) if since is not None else None
    return newer or _from_the_head(mirror, head, folder, frozenset(wanted))


def _newer(mirror: Mirror, head: Sha, folder: str, since: Sha) -> FolderHistory | None:
    """Return what is new after a commit; None where that is not on the line of first parents, or far back on it."""
    if head == since:
        return FolderHistory(commits=(), complete=False, joins=True)
    if not has_or_fetches(mirror, since):
        return None
    seen = walk(mirror, [head, f"^{since}"], most=_MOST_NEW)
    if not seen.line or seen.line[-1][1] != since:
        return None
    return FolderHistory(commits=tuple(_commits(mirror, seen, folder)), complete=False, joins=True)


def _from_the_head(mirror: Mirror, head: Sha, folder: str, wanted: frozenset[str]) -> FolderHistory:
    found = FolderHistory(commits=(), complete=False)

    def ask() -> FolderHistory | None:
        nonlocal found
        edge = line_end(mirror, head)
        seen = walk(mirror, [head], () if folder == "." else (folder,), most=_LONGEST_LINE)
        commits = tuple(one for one in _commits(mirror, seen, folder) if one.commit != edge)
        found = FolderHistory(commits=commits, complete=edge is None and len(seen.line) < _LONGEST_LINE)
        touched = {path for one in commits for path in one.paths}
        is_enough = found.complete or wanted <= touched or line_length(mirror, head) >= _LONGEST_LINE
        return found if is_enough else None

    return ask_deeper(mirror, head, ask) or found


def _commits(mirror: Mirror, seen: Walked, folder: str) -> Iterator[FolderCommit]:
    """Turn a walk around: the paths below the folder that each commit touched."""
    touched: dict[Sha, set[str]] = {}
    for path, versions in seen.files.items():
        below = _below(path, folder)
        for one in versions if below else ():
            touched.setdefault(one.commit, set()).add(below)
    described = read_commits(mirror, list(touched))
    for commit, parent in seen.line:
        if commit in touched:
            at, paths = described[commit].committed_at, frozenset(touched[commit])
            yield FolderCommit(commit=commit, parent=parent, at=at, paths=paths)


def _below(path: str, folder: str) -> str:
    """Return a path from the folder on; empty where it is not below it."""
    if folder == ".":
        return path
    return path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else ""
