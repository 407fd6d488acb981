"""A bare repository on disk, driven by git's plumbing: no work tree, no user configuration, the lab's own time."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from bot.lab.github.diffs import FileChange, read_changes

T = TypeVar("T")

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_DEADLINE_SECONDS = 60
_COMMIT_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
_FIELDS = 10
_FULL_NAME = re.compile("[0-9a-f]{40}")
_MOST_KNOWN = 4096

_CONFIG = """[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	denyDeleteCurrent = ignore
	autogc = false
[gc]
	auto = 0
"""
# Refuses what the server named in LAB_REFUSED (lines of ref, tab, reason), and for the refs in LAB_PROTECTED what
# GitHub refuses on every protected branch: deletion and anything but a fast-forward.
_UPDATE_HOOK = """#!/bin/sh
refuse() {
  echo "error: GH006: Protected branch update failed for $1." >&2
  echo "error: $2" >&2
  exit 1
}
while IFS='\t' read -r ref reason; do
  [ "$ref" = "$1" ] && refuse "$1" "$reason"
done <<END
$LAB_REFUSED
END
for ref in $LAB_PROTECTED; do
  [ "$ref" = "$1" ] || continue
  case "$3" in *[!0]*) ;; *) refuse "$1" "Cannot delete this branch" ;; esac
  case "$2" in *[!0]*) git merge-base --is-ancestor "$2" "$3" || refuse "$1" "Cannot force-push to this branch" ;; esac
done
exit 0
"""


class GitFailed(RuntimeError):
    """A git command that must work did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Name and address as they stand in a commit."""

    name: str
    email: str


GITHUB = Person(name="GitHub", email="noreply@github.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who wrote a commit, who committed it, and when."""

    author: Person
    committer: Person
    at: datetime
    authored_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit as `git log` tells it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored_at: datetime
    committer: Person
    committed_at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """What is to stand at a path of a new tree: an object with its mode, or nothing any more (`sha` None)."""

    path: str
    mode: str
    sha: str | None


def hermetic_environment() -> dict[str, str]:
    """Return an environment in which no configuration of this machine's user reaches git."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    return kept | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


class Bare:
    """One bare repository. Methods return git's own answers; a missing object is None, any other failure raises.

    What is asked of full object names only can never change, and is asked of git once.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._known: dict[tuple[str, ...], object] = {}

    def _once(self, key: tuple[str, ...], names: Sequence[str], find: Callable[[], T]) -> T:
        """Return what was found before of these full names; find it where that is new, or there was nothing yet."""
        if not all(_FULL_NAME.fullmatch(name) for name in names):
            return find()
        known: T | None = self._known.get(key)  # type: ignore[assignment]  # the key begins with the question
        if known is None:
            known = find()
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    @classmethod
    def create(cls, directory: Path, branch: str) -> Bare:
        """Make an empty repository that answers partial clones and carries the protection hook."""
        directory.mkdir(parents=True)
        bare = cls(directory)
        bare.run("init", "--quiet", "--bare", f"--initial-branch={branch}")
        with (directory / "config").open("a", encoding="utf-8") as config:
            config.write(_CONFIG)
        hook = directory / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_UPDATE_HOOK, encoding="utf-8")
        hook.chmod(0o755)
        return bare

    def _call(
        self, arguments: Sequence[str], stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", f"--git-dir={self.directory}", *arguments],
            input=stdin,
            capture_output=True,
            env=hermetic_environment() | dict(env or {}),
            timeout=_DEADLINE_SECONDS,
            check=False,
        )

    def run(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        """Run a git command that must succeed and return what it printed."""
        done = self._call(arguments, stdin, env)
        if done.returncode != 0:
            raise GitFailed(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def ask(self, *arguments: str) -> str | None:
        """Run a git command whose failure means "no"; return its output, stripped."""
        done = self._call(arguments)
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    # --- refs ---

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Return refs and their objects, by full name, sorted."""
        if not (self.directory / "packed-refs").exists() and all(_is_plain(prefix) for prefix in prefixes):
            return dict(sorted(self._loose_refs(prefixes)))
        lines = self.run("for-each-ref", "--format=%(refname) %(objectname)", *prefixes).decode().splitlines()
        return {line.split(" ")[0]: line.split(" ")[1] for line in lines}

    def _loose_refs(self, prefixes: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Read the files that git keeps refs in until it packs them."""
        for prefix in prefixes or ("refs",):
            place = self.directory / prefix
            for file in [place] if place.is_file() else _files_below(place):
                with suppress(FileNotFoundError):
                    yield str(file.relative_to(self.directory)), file.read_text(encoding="ascii").strip()

    def branches(self) -> dict[str, str]:
        """Return branch heads by branch name."""
        return {name.removeprefix("refs/heads/"): sha for name, sha in self.refs("refs/heads").items()}

    def branch(self, name: str) -> str | None:
        """Return a branch's head."""
        loose = self.directory / "refs" / "heads" / name
        if ".." not in name and loose.is_file():
            sha = loose.read_text(encoding="ascii", errors="replace").strip()
            if _FULL_NAME.fullmatch(sha):
                return sha
        return self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"refs/heads/{name}^{{commit}}")

    def resolve(self, name: str) -> str | None:
        """Return the commit that a branch, tag, full ref or (full or long enough) object name means."""
        if not name or not name.isprintable():
            return None
        return self._once(("resolve", name), [name], lambda: self.branch(name) or self._named(name))

    def _named(self, name: str) -> str | None:
        """Ask for all that a name may mean at once; the first that there is counts."""
        candidates = (f"refs/heads/{name}", f"refs/tags/{name}", f"refs/{name}", name)
        asked = "".join(f"{candidate}^{{commit}}\n" for candidate in candidates).encode()
        answers = self.run("cat-file", "--batch-check=%(objectname)", stdin=asked).decode(errors="replace").splitlines()
        return next((answer for answer in answers if _FULL_NAME.fullmatch(answer)), None)

    def is_valid_ref(self, ref: str) -> bool:
        """Say whether git allows this full ref name."""
        return self.ask("check-ref-format", ref) is not None

    def set_ref(self, ref: str, sha: str) -> None:
        """Set a ref, whatever it was."""
        self.run("update-ref", ref, sha)

    def delete_ref(self, ref: str) -> None:
        """Delete a ref."""
        self.run("update-ref", "-d", ref)

    # --- objects ---

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return a file's bytes at a commit; None where there is no such file."""

        def find() -> bytes | None:
            if not path.isprintable():
                return None
            answer = self.run("cat-file", "--batch=%(objecttype)", stdin=f"{commit}:{path}\n".encode())
            kind, _, content = answer.partition(b"\n")
            return content.removesuffix(b"\n") if kind == b"blob" else None

        return self._once(("blob", commit, path), [commit], find)

    def kind(self, sha: str) -> str | None:
        """Return `blob`, `tree`, `commit` or `tag` for the full name of an object; None if there is none."""
        return self.ask("cat-file", "-t", sha) if _FULL_NAME.fullmatch(sha) else None

    def entries(self, commit: str, path: str) -> list[tuple[str, str, str, int, str]] | None:
        """List a tree: mode, kind, object, size, name. None if `path` is no directory at the commit."""
        if self.ask("cat-file", "-t", f"{commit}:{path}") != "tree":
            return None
        listed = self.run("ls-tree", "-z", "-l", f"{commit}:{path}").decode(errors="replace")
        found = []
        for line in filter(None, listed.split("\0")):
            facts, name = line.split("\t", 1)
            mode, kind, sha, size = facts.split()
            found.append((mode, kind, sha, int(size) if size.isdigit() else 0, name))
        return found

    def commits(self, *arguments: str, paths: Sequence[str] = ()) -> list[Commit]:
        """Return the commits that `git log` lists for these arguments."""
        ends = [end for argument in arguments if not argument.startswith("-") for end in argument.split("..")]
        return list(self._once(("commits", *arguments, "--", *paths), ends, lambda: self._listed(arguments, paths)))

    def _listed(self, arguments: Sequence[str], paths: Sequence[str]) -> list[Commit]:
        listed = self.run("log", "-z", f"--format={_COMMIT_FORMAT}", *arguments, "--", *paths).decode(errors="replace")
        fields = listed.removesuffix("\0").split("\0") if listed else []
        return [_commit(fields[start : start + _FIELDS]) for start in range(0, len(fields), _FIELDS)]

    def commit(self, sha: str) -> Commit:
        """Return one commit."""
        return self.commits("--max-count=1", sha)[0]

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Say whether `newer` is `older` or descends from it."""

        def find() -> bool | None:
            return self.ask("merge-base", "--is-ancestor", older, newer) is not None or None

        return self._once(("is ancestor", older, newer), [older, newer], find) is True

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor."""
        return self._once(("merge base", one, other), [one, other], lambda: self.ask("merge-base", one, other))

    def changes(self, old: str, new: str) -> list[FileChange]:
        """Return the files that differ between two trees."""
        return list(self._once(("changes", old, new), [old, new], lambda: read_changes(self.run, old, new)))

    # --- writing ---

    def write_tree(self, parent: str | None, files: Mapping[str, str | bytes | None]) -> str:
        """Return the tree of `parent` with these files put in its place; None deletes one. File modes are kept."""
        modes = self._modes(parent)
        entries = [
            TreeEntry(
                path=path,
                mode=modes.get(path, "100644"),
                sha=None if content is None else self.write_blob(content),
            )
            for path, content in files.items()
        ]
        return self.change_tree(parent, entries)

    def write_blob(self, content: str | bytes) -> str:
        """Store a file's content and return its name."""
        bytes_ = content if isinstance(content, bytes) else content.encode()
        return self.run("hash-object", "-w", "--stdin", stdin=bytes_).decode().strip()

    def change_tree(self, base: str | None, entries: Sequence[TreeEntry]) -> str:
        """Return the tree of `base`, a commit or a tree, with these entries put in its place."""
        # Inside the repository: whoever is interrupted right here leaves nothing that does not go with it.
        with tempfile.TemporaryDirectory(prefix="lab-index-", dir=self.directory) as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run("read-tree", *([base] if base else ["--empty"]), env=env)
            lines = [
                f"0 {'0' * 40}\t{entry.path}\0" if entry.sha is None else f"{entry.mode} {entry.sha}\t{entry.path}\0"
                for entry in entries
            ]
            self.run("update-index", "-z", "--index-info", stdin="".join(lines).encode(), env=env)
            return self.run("write-tree", env=env).decode().strip()

    def _modes(self, parent: str | None) -> dict[str, str]:
        if parent is None:
            return {}
        listed = self.run("ls-tree", "-r", "-z", parent).decode(errors="replace")
        rows = (line.split("\t", 1) for line in filter(None, listed.split("\0")))
        return {path: facts.split(" ")[0] for facts, path in rows}

    def write_commit(self, tree: str, parents: Sequence[str], message: str, signature: Signature) -> str:
        """Make a commit object and return its name; no ref moves."""
        flags = [flag for parent in parents for flag in ("-p", parent)]
        authored = signature.authored_at or signature.at
        env = {
            "GIT_AUTHOR_NAME": signature.author.name,
            "GIT_AUTHOR_EMAIL": signature.author.email,
            "GIT_AUTHOR_DATE": f"{int(authored.timestamp())} +0000",
            "GIT_COMMITTER_NAME": signature.committer.name,
            "GIT_COMMITTER_EMAIL": signature.committer.email,
            "GIT_COMMITTER_DATE": f"{int(signature.at.timestamp())} +0000",
        }
        return self.run("commit-tree", tree, *flags, stdin=message.encode(), env=env).decode().strip()

    def sign_commit(self, sha: str, signature: str) -> str:
        """Make the same commit again with a signature in its header; return the new commit's name."""
        header, blank, message = self.run("cat-file", "commit", sha).partition(b"\n\n")
        folded = signature.strip("\n").replace("\n", "\n ")
        signed = header + f"\ngpgsig {folded}".encode() + blank + message
        return self.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed).decode().strip()

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """Return the tree of a merge of two commits; None if it conflicts."""

        def find() -> str | None:
            answer = self.ask("merge-tree", "--write-tree", ours, theirs)
            return answer.splitlines()[0] if answer else None

        return self._once(("merge tree", ours, theirs), [ours, theirs], find)


def _is_plain(ref: str) -> bool:
    return ref.isprintable() and ref.startswith("refs/") and ".." not in ref


def _files_below(folder: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(folder):
        yield from (Path(directory) / name for name in names if not name.endswith(".lock"))


def _commit(fields: Sequence[str]) -> Commit:
    sha, tree, parents, author, author_email, authored, committer, committer_email, committed, message = fields
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(name=author, email=author_email),
        authored_at=datetime.fromisoformat(authored),
        committer=Person(name=committer, email=committer_email),
        committed_at=datetime.fromisoformat(committed),
        message=message.rstrip("\n"),
    )
