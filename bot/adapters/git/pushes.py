"""Push a commit with a condition, and find out what happened when the answer is lost (invariant I15).

The condition is git's lease: the server changes the ref only if it stands where we say. The bot's own branches (under
`liftlock/`) may be moved so at will; any other may only be moved forward. Races: between the look and the push another
writer may win, and the lease then refuses (`Conflict`); after a lost answer the ref is read, and a head that is our
commit, or a descendant of it, means that the push had been done.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from bot.adapters.git.complaints import Attempted, explain, first_line, is_damage, is_stale_lock, is_unclear
from bot.adapters.git.fetching import fetch_branch, has_or_fetches
from bot.adapters.git.history import is_ancestor
from bot.adapters.git.mirror import Damaged, Mirror, StaleLock
from bot.adapters.git.names import SYSTEM
from bot.adapters.git.processes import HungGit, Outcome
from bot.adapters.scrub import as_sentence
from bot.domain.model import Sha
from bot.domain.naming import OWN_PREFIX
from bot.ports import Conflict, OutsideError, Permanent, Transient

_TRIES = 2

_MOVED = re.compile(
    r"stale info|fetch first|non-fast-forward|needs force|already exists|failed to update ref|cannot lock ref|"
    r"incorrect old value|failed to lock|reference already exists",
    re.IGNORECASE,
)
_UNTOLD = re.compile(r"remote failure|failed to report status|unpacker error|internal server error", re.IGNORECASE)
_REASON = re.compile(r"\((?P<reason>.*)\)\s*$")
_REMOTE_LINE = re.compile(r"^remote:\s*(?:error:\s*)?(?P<line>\S.*?)\s*$", re.MULTILINE)


class Landed(Enum):
    """What one push came to."""

    DONE = auto()
    UNCLEAR = auto()


def push_commit(mirror: Mirror, branch: str, commit: Sha, *, expected: Sha | None) -> None:
    """Set the server's branch to `commit` if it is at `expected`; return when that is so, raise when it is not."""
    if not has_or_fetches(mirror, commit):
        raise Conflict(
            SYSTEM, f"the commit for {branch} of {mirror.repository} is not in the mirror any more: make it anew"
        )
    _check_forward(mirror, branch, commit, expected=expected)
    for _ in range(_TRIES):
        if _try_push(mirror, branch, commit, expected=expected) is Landed.DONE:
            return
        if _has_landed(mirror, branch, commit, expected=expected):
            return
    raise Transient(
        SYSTEM, f"the push to {branch} of {mirror.repository} failed {_TRIES} times; the branch is as it was"
    )


def _check_forward(mirror: Mirror, branch: str, commit: Sha, *, expected: Sha | None) -> None:
    """Refuse to move a branch that is not the bot's anywhere but forward: a lease alone would allow it."""
    if branch.startswith(OWN_PREFIX) or expected is None:
        return
    if not has_or_fetches(mirror, expected):
        raise Conflict(
            SYSTEM, f"{branch} of {mirror.repository} is not at {expected[:12]}, which nobody knows any more"
        )
    is_forward = is_ancestor(mirror, expected, commit)
    if is_forward is None:
        raise Transient(SYSTEM, f"it is not known whether the push to {branch} of {mirror.repository} is forward")
    if not is_forward:
        raise Permanent(SYSTEM, f"{branch} of {mirror.repository} would lose commits by this push, so it was not tried")


def _try_push(mirror: Mirror, branch: str, commit: Sha, *, expected: Sha | None) -> Landed:
    ref = f"refs/heads/{branch}"
    lease = f"--force-with-lease={ref}:{expected or ''}"
    flags = ("--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no", "--quiet", lease)
    try:
        outcome = mirror.send(*flags, "--", "origin", f"{commit}:{ref}")
    except HungGit:
        return Landed.UNCLEAR
    return _judge(mirror, branch, ref, outcome)


def _judge(mirror: Mirror, branch: str, ref: str, outcome: Outcome) -> Landed:
    if outcome.status == 0:
        return Landed.DONE
    for line in outcome.out.decode("utf-8", "replace").splitlines():
        flag, _, rest = line.partition("\t")
        names, _, summary = rest.partition("\t")
        if flag == "!" and names.endswith(f":{ref}"):
            refused = _explain_refusal(mirror, branch, summary, outcome.err)
            if refused is None:
                return Landed.UNCLEAR
            raise refused
    if is_stale_lock(outcome.err):
        raise StaleLock(first_line(outcome.err))
    if is_damage(outcome.err):
        raise Damaged(first_line(outcome.err))
    if is_unclear(outcome.err):
        return Landed.UNCLEAR
    raise explain(outcome.err, Attempted(what=f"the push to {branch}", repository=mirror.repository))


def _explain_refusal(mirror: Mirror, branch: str, summary: str, stderr: str) -> OutsideError | None:
    """Turn the server's (or the lease's) refusal into an error; None if it is not told whether the ref was set."""
    where = f"{branch} of {mirror.repository}"
    if _UNTOLD.search(summary):
        return None
    if _MOVED.search(summary):
        return Conflict(SYSTEM, f"{where} moved meanwhile, so the push was refused: look again")
    said = [found["line"] for found in _REMOTE_LINE.finditer(stderr)]
    reason = _REASON.search(summary)
    words = as_sentence("; ".join(said[:3]) or (reason["reason"] if reason else summary), longest=240)
    return Permanent(SYSTEM, f"the server does not let the bot push to {where}: {words}")


def _has_landed(mirror: Mirror, branch: str, commit: Sha, *, expected: Sha | None) -> bool:
    """Read where the branch is: True if the push had been done, False if the branch is as before, else `Conflict`."""
    head = _read_head(mirror, branch)
    if head == commit:
        return True
    if head == expected:
        return False
    fetched = fetch_branch(mirror, branch)
    if fetched is not None and is_ancestor(mirror, commit, fetched):
        # Somebody built on our commit between our lost push and this look.
        return True
    raise Conflict(SYSTEM, f"{branch} of {mirror.repository} moved while the push's answer was lost: look again")


def _read_head(mirror: Mirror, branch: str) -> Sha | None:
    try:
        return mirror.read_remote(f"refs/heads/{branch}")
    except Transient as error:
        sentence = f"it is not known whether the push to {branch} of {mirror.repository} was done: {error.sentence}"
        raise Transient(SYSTEM, sentence) from error
