"""Make a commit that changes some files, by plumbing: a few processes, however large or deep the repository is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.adapters.git.complaints import first_line
from bot.adapters.git.fetching import has_or_fetches, need_commit
from bot.adapters.git.mirror import Damaged, Mirror
from bot.adapters.git.names import SYSTEM
from bot.adapters.git.objects import Entry, Located, decode_text, locate, need_regular, read_blobs
from bot.adapters.git.settings import Author, SignatureFormat, Signing
from bot.domain.model import Sha
from bot.ports import Conflict, FileCommit, FileContent, Permanent, Transient


class ServerCommits(Protocol):
    """A server that makes commit objects itself, and signs them."""

    def create(
        self, repository: str, *, parent: Sha, base_tree: Sha, files: Sequence[FileContent], message: str
    ) -> tuple[Sha, Sha]:
        """Make a commit on no branch; return it and its tree."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Whose commits these are, when they are made, and what signs them."""

    author: Author
    at: datetime
    signing: Signing | None


def make_commit(mirror: Mirror, plan: FileCommit, signature: Signature) -> Sha:
    """Write the blobs, the trees above them and the commit into the mirror; every other entry stays as it is."""
    prepared = _prepare(mirror, plan)
    arguments = ("commit-tree", prepared.tree, "-p", plan.parent, *(("-S",) if signature.signing else ()))
    config, env = _signer(signature.signing)
    outcome = mirror.run_writer(*arguments, stdin=prepared.message, env=_people(signature) | env, config=config)
    if outcome.status != 0:
        raise _unsigned(mirror, outcome.err) if signature.signing else Damaged(first_line(outcome.err))
    commit = Sha(outcome.out.decode("ascii").strip())
    mirror.remember(commit)
    mirror.answers.keep(("contains", commit, plan.parent), value=True, weight=0)
    return commit


def make_commit_on_server(mirror: Mirror, plan: FileCommit, server: ServerCommits) -> Sha:
    """Let the server make the commit, and take it only if its tree is the very one that was made here."""
    prepared = _prepare(mirror, plan)
    commit, tree = server.create(
        plan.repository,
        parent=plan.parent,
        base_tree=Sha(mirror.write("rev-parse", "--verify", "--end-of-options", f"{plan.parent}^{{tree}}", stdin=b"")),
        files=prepared.files,
        message=prepared.message.decode("utf-8"),
    )
    if tree != prepared.tree:
        raise Permanent(SYSTEM, f"the server made another tree than {mirror.repository} was to get, so it is not used")
    mirror.absent.discard(commit)
    if not has_or_fetches(mirror, commit):
        raise Transient(SYSTEM, f"the server does not give out the commit that it made for {mirror.repository}")
    return commit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """All of a commit but the commit itself."""

    tree: Sha
    files: tuple[FileContent, ...]
    message: bytes


def _prepare(mirror: Mirror, plan: FileCommit) -> _Prepared:
    need_commit(mirror, plan.parent)
    message = _encode(plan.message, what="commit message")
    if b"\0" in message or not message.strip():
        raise Permanent(SYSTEM, "a commit message must not be empty or hold a NUL character")
    if not plan.files:
        raise Permanent(SYSTEM, "a commit must change a file")
    places = {path: _need_file(mirror, plan.parent, path) for path in plan.files}
    old = read_blobs(mirror, [entry.sha for _, entry in places.values()])
    changed: dict[str, Sha] = {}
    for path, text in plan.files.items():
        content, standing = _encode(text, what="text"), old[places[path][1].sha]
        decode_text(mirror, path, standing)
        if content != standing:
            changed[path] = Sha(mirror.write("hash-object", "-w", "--no-filters", "--stdin", stdin=content))
    if not changed:
        named = " and ".join(plan.files)
        raise Conflict(SYSTEM, f"{named} in {mirror.repository} already says what was to be written")
    located = [places[path][0] for path in changed]
    trees = _Trees.of(located, changed)
    return _Prepared(
        tree=trees.write(mirror),
        files=tuple(FileContent(path=path, mode=places[path][1].mode, text=plan.files[path]) for path in changed),
        message=message,
    )


def _need_file(mirror: Mirror, commit: Sha, path: str) -> tuple[Located, Entry]:
    located = locate(mirror, commit, path)
    if located.entry is None:
        raise Conflict(SYSTEM, f"{path} is not in {mirror.repository} at {commit[:12]}, so it was not changed")
    return located, need_regular(mirror, path, located.entry)


def _encode(text: str, *, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Permanent(SYSTEM, f"the {what} holds a character that UTF-8 cannot express") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trees:
    """The folders that change, each by its path (the root's is empty), and the objects that stand in them anew."""

    entries: Mapping[tuple[str, ...], tuple[Entry, ...]]
    blobs: Mapping[tuple[str, ...], Sha]

    @classmethod
    def of(cls, located: Sequence[Located], blobs: Mapping[str, Sha]) -> _Trees:
        entries = {one.parts[:depth]: level for one in located for depth, level in enumerate(one.levels)}
        return cls(entries=entries, blobs={tuple(path.split("/")): sha for path, sha in blobs.items()})

    def write(self, mirror: Mirror) -> Sha:
        """Write the trees with one process, from the deepest up, and return the root.

        A tree's name follows from its content, so that a folder can name the one inside before git has written it.
        """
        made: dict[tuple[str, ...], Sha] = dict(self.blobs)
        records = []
        folders = sorted(self.entries, key=len, reverse=True)
        for folder in folders:
            entries = [_standing(entry, folder, made.get) for entry in self.entries[folder]]
            made[folder] = _name_tree(entries, sha_length=len(next(iter(self.blobs.values()))))
            records.append(b"".join(_as_record(entry) for entry in entries))
        written = mirror.write("mktree", "--missing", "--batch", "-z", stdin=b"\0".join(records)).split()
        if written != [made[folder] for folder in folders]:
            raise Damaged("git wrote other trees than it was given")
        return made[()]


def _standing(entry: Entry, folder: tuple[str, ...], find: Callable[[tuple[str, ...]], Sha | None]) -> Entry:
    try:
        name = entry.name.decode("utf-8")
    except UnicodeDecodeError:
        return entry
    new = find((*folder, name))
    return entry if new is None else Entry(mode=entry.mode, name=entry.name, sha=new)


def _as_record(entry: Entry) -> bytes:
    return f"{entry.mode} {entry.kind} {entry.sha}\t".encode("ascii") + entry.name + b"\0"


def _name_tree(entries: list[Entry], *, sha_length: int) -> Sha:
    content = b"".join(f"{e.mode} ".encode("ascii") + e.name + b"\0" + bytes.fromhex(e.sha) for e in entries)
    whole = b"tree %d\0" % len(content) + content
    digest = hashlib.sha256(whole) if sha_length == 64 else hashlib.sha1(whole, usedforsecurity=False)
    return Sha(digest.hexdigest())


def _people(signature: Signature) -> dict[str, str]:
    when = f"@{int(signature.at.timestamp())} +0000"
    return {
        f"GIT_{role}_{fact}": value
        for role in ("AUTHOR", "COMMITTER")
        for fact, value in (("NAME", signature.author.name), ("EMAIL", signature.author.email), ("DATE", when))
    }


def _signer(signing: Signing | None) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    """Return the configuration and the environment that make git sign."""
    if signing is None:
        return (), {}
    config = (("gpg.format", signing.format.value), ("user.signingKey", signing.key))
    home = signing.gnupg_home
    return config, {"GNUPGHOME": str(home)} if signing.format is SignatureFormat.OPENPGP and home else {}


def _unsigned(mirror: Mirror, stderr: str) -> Permanent:
    return Permanent(SYSTEM, f"the commit for {mirror.repository} could not be signed ({first_line(stderr)})")
