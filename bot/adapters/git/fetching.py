"""Bring branches, commits and file contents into a mirror. Nothing else of this package asks the server for objects."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bot.adapters.git.complaints import is_missing_branch, is_unknown_object
from bot.adapters.git.mirror import Damaged, Mirror
from bot.adapters.git.names import SYSTEM
from bot.domain.model import Sha
from bot.ports import Permanent

# Wants that are objects, not tips: nothing of ours helps the server to leave something out.
_NO_NEGOTIATION = (("fetch.negotiationAlgorithm", "noop"),)


def local_ref(branch: str) -> str:
    """Return the mirror's own ref for a branch of the server.

    It is a digest, so that a branch `a` that is gone never stands in the way of a new branch `a/b`.
    """
    return f"refs/liftlock/branches/{hashlib.sha256(branch.encode()).hexdigest()[:24]}"


def fetch_tracked(mirror: Mirror, branch: str) -> Sha | None:
    """Fetch a tracked branch, and at once those of the bot's own that were asked for lately; return its head.

    None if the server has no such branch. Of one that was never fetched, only the newest commit comes: `deepening` gets
    more where it is needed. The others leave a tracked one near its head, so that all they have more comes with them.
    """
    is_new = not (mirror.directory / local_ref(branch)).exists()
    asked = () if is_new else mirror.own.begin()
    # A pattern, unlike a name, is no error where the server has nothing like it.
    patterns = [f"+refs/heads/{one}*:{local_ref(one)}*" for one in asked]
    if not _fetched(mirror, branch, *patterns, depth="--depth=1" if is_new else None, prunes=bool(patterns)):
        return None
    if not patterns:
        return _head(mirror, branch)
    heads = _heads(mirror)
    mirror.own.learn({one: heads.get(local_ref(one)) for one in asked})
    return heads.get(local_ref(branch)) or _head(mirror, branch)


def _heads(mirror: Mirror) -> dict[str, Sha]:
    """Return where all branches are that were fetched: commits, all of them."""
    form = "--format=%(objectname) %(objecttype) %(refname)"
    rows = (
        line.split(" ")
        for line in mirror.ask("for-each-ref", form, "refs/liftlock/branches/").out.decode().splitlines()
    )
    heads = {ref: Sha(sha) for sha, kind, ref in rows if kind == "commit"}
    for sha in heads.values():
        mirror.remember(sha)
    return heads


def _head(mirror: Mirror, branch: str) -> Sha:
    head = Sha(mirror.write("rev-parse", "--verify", "--end-of-options", f"{local_ref(branch)}^{{commit}}", stdin=b""))
    mirror.remember(head)
    return head


def own_branch(mirror: Mirror, branch: str) -> Sha | None:
    """Return the head of one of the bot's own branches as the last fetch found it, or as it is if that did not ask."""
    is_known, head = mirror.own.find(branch)
    return head if is_known else fetch_branch(mirror, branch)


def fetch_branch(mirror: Mirror, branch: str) -> Sha | None:
    """Fetch a branch and return its head; None if the server has no such branch."""
    return _head(mirror, branch) if _fetched(mirror, branch) else None


def _fetched(mirror: Mirror, branch: str, *more: str, depth: str | None = None, prunes: bool = False) -> bool:
    """Fetch a branch; False if the server has no such branch, and now the mirror has none either."""
    ref = local_ref(branch)
    outcome = mirror.fetch(f"+refs/heads/{branch}:{ref}", *more, depth=depth, prunes=prunes)
    if outcome.status != 0 and is_missing_branch(outcome.err):
        mirror.ask("update-ref", "-d", ref)
        return False
    if outcome.status != 0:
        raise mirror.explain_fetch(outcome.err)
    return True


def has_or_fetches(mirror: Mirror, commit: Sha) -> bool:
    """Say whether the mirror holds a commit, after asking the server for it once where it did not."""
    if mirror.has_commit(commit):
        return True
    if commit in mirror.absent:
        return False
    outcome = mirror.fetch(commit)
    if outcome.status == 0:
        return mirror.has_commit(commit)
    if not is_unknown_object(outcome.err):
        raise mirror.explain_fetch(outcome.err)
    mirror.absent.add(commit)
    return False


def need_commit(mirror: Mirror, commit: Sha) -> None:
    """Make sure that the mirror holds a commit; raise `Permanent` if the server does not know it."""
    if not has_or_fetches(mirror, commit):
        raise Permanent(
            SYSTEM, f"{mirror.repository} has no commit {commit[:12]}: it may have been removed by a force-push"
        )


def fetch_blobs(mirror: Mirror, blobs: Sequence[Sha]) -> None:
    """Fetch contents that the partial mirror left out, all at once."""
    outcome = mirror.fetch(*blobs, config=_NO_NEGOTIATION)
    if outcome.status != 0 and is_unknown_object(outcome.err):
        raise Damaged("the server does not know a file that the mirror's commits name")
    if outcome.status != 0:
        raise mirror.explain_fetch(outcome.err)
