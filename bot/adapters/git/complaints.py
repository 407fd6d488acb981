"""What git's complaints mean: the text on its error stream becomes one of the port's errors, with one sentence.

Git's own words are matched in English (`LC_ALL=C`). What is not known becomes `Transient` with git's first line, since
a wait loses nothing. Sentences are scrubbed; they never hold the address with its credentials, only the repository.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.adapters.git.names import SYSTEM
from bot.adapters.scrub import as_sentence
from bot.ports import OutsideError, Permanent, Transient

_REFUSED_TOKEN = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|Access denied|"
    r"Permission to \S+ denied",
    re.IGNORECASE,
)
_NO_REPOSITORY = re.compile(
    r"repository '[^']*' not found|Repository not found|returned error: 404|does not appear to be a git repository|"
    r"repository '[^']*' does not exist",
    re.IGNORECASE,
)
_MOVED = re.compile(r"returned error: 30\d|unable to update url base from redirection", re.IGNORECASE)
_NO_NETWORK = re.compile(
    r"Could not resolve|Failed to connect|Couldn't connect|Connection (?:refused|timed out|reset|was reset)|"
    r"Operation timed out|Network is unreachable|No route to host|Empty reply|Recv failure|Send failure",
    re.IGNORECASE,
)
_BROKEN_OFF = re.compile(
    r"returned error: (?:5\d\d|429)|RPC failed|early EOF|hung up unexpectedly|unexpected disconnect|"
    r"expected flush|bad line length|invalid index-pack output",
    re.IGNORECASE,
)
_OTHER_NAMES = re.compile(r"mismatched algorithms", re.IGNORECASE)
_NO_SINGLE_OBJECTS = re.compile(r"does not allow request for unadvertised object", re.IGNORECASE)
_CERTIFICATE = re.compile(r"SSL certificate problem|server certificate verification failed", re.IGNORECASE)
_FORBIDDEN_PROTOCOL = re.compile(r"transport '[^']*' not allowed|is not a valid remote|Unable to find remote helper")
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)

_NO_BRANCH = re.compile(r"couldn't find remote ref", re.IGNORECASE)
_NO_OBJECT = re.compile(r"not our ref|no such remote ref|did not send all necessary objects", re.IGNORECASE)
_LOCKED = re.compile(r"\.lock': File exists|unable to lock|cannot lock ref", re.IGNORECASE)
_DAMAGED = re.compile(
    r"bad object|does not point to a valid object|object file .* is empty|loose object .* is corrupt|"
    r"not a git repository|unable to read (?:tree|sha1 file|\S{40})|is corrupt|inflate:|invalid sha1 pointer|"
    r"missing (?:blob|tree|commit)|Failed to traverse parents|remote did not send all|index file .* is too small|"
    r"packfile .* cannot be accessed|bad config|unable to parse|Could not read [0-9a-f]{40}|"
    r"wrong index v\d file size|bad tree object|broken ref|refname .* is broken|"
    r"fatal: bad (?:signature|numeric config)",
    re.IGNORECASE,
)

# The first that matches counts: git's later lines often only guess at the cause.
_MEANINGS: tuple[tuple[re.Pattern[str], type[Permanent | Transient], str], ...] = (
    (_REFUSED_TOKEN, Permanent, "was refused: give the bot a valid token that may use {name}"),
    (_NO_REPOSITORY, Permanent, "found no such repository: check its name and that the token may see it"),
    (_MOVED, Permanent, "was redirected, which is not followed: set the repository's new name"),
    (_CERTIFICATE, Permanent, "met a certificate that is not trusted: install the server's authority"),
    (_FORBIDDEN_PROTOCOL, Permanent, "needs a protocol other than https, http or file, which is not allowed"),
    (_OTHER_NAMES, Permanent, "found object names of another kind (SHA-256), which mirrors do not have"),
    (_NO_SINGLE_OBJECTS, Permanent, "was refused single objects: set uploadpack.allowAnySHA1InWant on the server"),
    (_NO_SPACE, Transient, "found no space left on the disk of the mirrors: make room"),
    (_NO_NETWORK, Transient, "could not reach the server ({said})"),
    (_BROKEN_OFF, Transient, "was broken off by the server ({said})"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What was tried, for sentences: a verb phrase, and on which repository."""

    what: str
    repository: str

    def __str__(self) -> str:
        return f"{self.what} of {self.repository}"


def is_missing_branch(stderr: str) -> bool:
    """Say whether the server answered that it has no such branch."""
    return bool(_NO_BRANCH.search(stderr))


def is_unknown_object(stderr: str) -> bool:
    """Say whether the server answered that it has no such commit."""
    return bool(_NO_OBJECT.search(stderr))


def is_stale_lock(stderr: str) -> bool:
    """Say whether a lock file stood in the way."""
    return bool(_LOCKED.search(stderr))


def is_damage(stderr: str) -> bool:
    """Say whether git found the mirror itself broken."""
    return bool(_DAMAGED.search(stderr)) and not _NO_SPACE.search(stderr)


def is_unclear(stderr: str) -> bool:
    """Say whether a write may have been done although git failed: the connection was there, the answer was not."""
    return not any(known.search(stderr) for known in (_REFUSED_TOKEN, _NO_REPOSITORY, _MOVED, _CERTIFICATE))


def is_passing(stderr: str) -> bool:
    """Say whether the same question may be answered in a moment: the network's trouble, not the server's answer."""
    if is_missing_branch(stderr) or is_unknown_object(stderr) or not is_unclear(stderr):
        return False
    return not _FORBIDDEN_PROTOCOL.search(stderr) and not _NO_SPACE.search(stderr)


def is_servers_word(stderr: str) -> bool:
    """Say whether the server or the network is known to have caused this."""
    return "remote: " in stderr or "remote error: " in stderr or any(known.search(stderr) for known, _, _ in _MEANINGS)


def first_line(stderr: str) -> str:
    """Return the line of git's error stream that says most, fit for a sentence."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    return as_sentence(telling[0], longest=200) if telling else "nothing"


def explain(stderr: str, attempted: Attempted) -> OutsideError:
    """Turn git's complaint about a server into the port's error."""
    for pattern, kind, found in _MEANINGS:
        if pattern.search(stderr):
            return kind(SYSTEM, f"{attempted} {found.format(name=attempted.repository, said=first_line(stderr))}")
    return Transient(SYSTEM, f"{attempted} failed; git said: {first_line(stderr)}")
