"""The two known ways to change one file of a repository on a server, each with a new clone every time."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.adapters.gitserver import NOW
from tests.bench.ours import BRANCH, Bump

_TAG = re.compile(r"^  tag: .*$", re.MULTILINE)


def clone_and_check_out(url: str, folder: Path, bump: Bump) -> None:
    """Rival A: a shallow clone with its work tree, an edit as `sed` does it, commit, push."""
    _git(None, "clone", "--quiet", "--depth=1", "--single-branch", f"--branch={BRANCH}", url, str(folder))
    file = folder / bump.path
    file.write_text(_with_tag(file.read_text(), bump.tag))
    _git(folder, "commit", "--quiet", f"--message={bump.message}", "--", bump.path)
    _git(folder, "push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}")


def clone_without_blobs(url: str, folder: Path, bump: Bump) -> None:
    """Rival B: a shallow clone of the trees alone, and the commit by plumbing; its index goes with the clone."""
    flags = ("--quiet", "--depth=1", "--filter=blob:none", "--no-checkout", "--single-branch", f"--branch={BRANCH}")
    _git(None, "clone", *flags, url, str(folder))
    text = _git(folder, "cat-file", "blob", f"HEAD:{bump.path}")
    blob = _git(folder, "hash-object", "-w", "--stdin", stdin=_with_tag(text, bump.tag)).strip()
    _git(folder, "read-tree", "HEAD")
    _git(folder, "update-index", "--cacheinfo", f"100644,{blob},{bump.path}")
    # Without `--missing-ok` git would fetch the content of every file.
    tree = _git(folder, "write-tree", "--missing-ok").strip()
    commit = _git(folder, "commit-tree", tree, "-p", "HEAD", stdin=bump.message).strip()
    _git(folder, "push", "--quiet", "origin", f"{commit}:refs/heads/{BRANCH}")


def _with_tag(text: str, tag: str) -> str:
    return _TAG.sub(f"  tag: {tag}", text, count=1)


def _git(folder: Path | None, *arguments: str, stdin: str = "") -> str:
    place = () if folder is None else ("-C", str(folder))
    done = subprocess.run(
        ["git", *place, *arguments], input=stdin, capture_output=True, text=True, check=True, env=_environment()
    )
    return done.stdout


def _environment() -> dict[str, str]:
    people = {
        f"GIT_{role}_{fact}": value
        for role in ("AUTHOR", "COMMITTER")
        for fact, value in (("NAME", "Rival"), ("EMAIL", "rival@acme.test"), ("DATE", f"@{int(NOW.timestamp())} +0000"))
    }
    fixed = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    return {"PATH": os.environ["PATH"]} | fixed | people
