"""Make a commit that changes one file, by plumbing: four processes, however large or deep the repository is."""

from __future__ import annotations

import hashlib
from datetime import datetime

from bot.adapters.git.fetching import need_commit
from bot.adapters.git.mirror import Damaged, Mirror
from bot.adapters.git.names import SYSTEM
from bot.adapters.git.objects import Entry, Located, decode_text, locate, need_regular, read_blobs
from bot.adapters.git.settings import Author
from bot.domain.model import Sha
from bot.ports import Conflict, FileCommit, Permanent


def make_commit(mirror: Mirror, plan: FileCommit, *, author: Author, at: datetime) -> Sha:
    """Write the file's blob, the trees above it and the commit into the mirror; every other entry stays as it is."""
    need_commit(mirror, plan.parent)
    located = locate(mirror, plan.parent, plan.path)
    if located.entry is None:
        raise Conflict(
            SYSTEM, f"{plan.path} is not in {mirror.repository} at {plan.parent[:12]}, so it was not changed"
        )
    old = need_regular(mirror, plan.path, located.entry)
    content, message = _encode(plan.text, what="text"), _encode(plan.message, what="commit message")
    if b"\0" in message or not message.strip():
        raise Permanent(SYSTEM, "a commit message must not be empty or hold a NUL character")
    standing = read_blobs(mirror, [old.sha])[old.sha]
    decode_text(mirror, plan.path, standing)
    if standing == content:
        raise Conflict(SYSTEM, f"{plan.path} in {mirror.repository} already says what was to be written")
    blob = Sha(mirror.write("hash-object", "-w", "--no-filters", "--stdin", stdin=content))
    tree = _write_trees(mirror, located, blob)
    arguments = ("commit-tree", tree, "-p", plan.parent)
    commit = Sha(mirror.write(*arguments, stdin=message, env=_signature(author, at)))
    mirror.remember(commit)
    return commit


def _encode(text: str, *, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Permanent(SYSTEM, f"the {what} holds a character that UTF-8 cannot express") from error


def _write_trees(mirror: Mirror, located: Located, blob: Sha) -> Sha:
    """Write one new tree a level, from the file up, with one process, and return the root.

    A tree's name follows from its content, so that a level can name the one below before git has written it.
    """
    child, named, records = blob, [], []
    for part, level in zip(reversed(located.parts), reversed(located.levels), strict=True):
        entries = [_pointing(entry, child) if entry.name == part.encode() else entry for entry in level]
        child = _name_tree(entries, sha_length=len(blob))
        named.append(child)
        records.append(b"".join(_as_record(entry) for entry in entries))
    written = mirror.write("mktree", "--missing", "--batch", "-z", stdin=b"\0".join(records)).split()
    if written != named:
        raise Damaged("git wrote other trees than it was given")
    return child


def _pointing(entry: Entry, sha: Sha) -> Entry:
    return Entry(mode=entry.mode, name=entry.name, sha=sha)


def _as_record(entry: Entry) -> bytes:
    return f"{entry.mode} {entry.kind} {entry.sha}\t".encode("ascii") + entry.name + b"\0"


def _name_tree(entries: list[Entry], *, sha_length: int) -> Sha:
    content = b"".join(f"{e.mode} ".encode("ascii") + e.name + b"\0" + bytes.fromhex(e.sha) for e in entries)
    whole = b"tree %d\0" % len(content) + content
    digest = hashlib.sha256(whole) if sha_length == 64 else hashlib.sha1(whole, usedforsecurity=False)
    return Sha(digest.hexdigest())


def _signature(author: Author, at: datetime) -> dict[str, str]:
    when = f"@{int(at.timestamp())} +0000"
    return {
        f"GIT_{role}_{fact}": value
        for role in ("AUTHOR", "COMMITTER")
        for fact, value in (("NAME", author.name), ("EMAIL", author.email), ("DATE", when))
    }
