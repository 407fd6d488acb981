"""Names from outside become git's arguments only here: each is checked against what it may be, else `Permanent`.

A name that starts with a dash is refused everywhere, so that none can become an option, whatever the place.
"""

from __future__ import annotations

import re

from bot.adapters.scrub import as_sentence
from bot.domain.model import Sha
from bot.ports import Permanent

SYSTEM = "git"

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,99}/[A-Za-z0-9_.][A-Za-z0-9_.\-]{0,99}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Names that some file systems read as `.git`: other case, the short name of Windows, trailing dots and blanks.
_GIT_FOLDER = re.compile(r"(?:\.git|git~\d+)[ .]*(?::.*)?", re.IGNORECASE)
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_LONGEST_PATH = 4096
_LONGEST_REF = 244


def check_repository(name: str) -> str:
    """Return `owner/name` if it is one."""
    if not _REPOSITORY.fullmatch(name) or name.rpartition("/")[2] in (".", ".."):
        raise _refused("repository", name, "a name like acme/deploy")
    return name


def check_sha(sha: Sha) -> Sha:
    """Return a full object name if it is one."""
    if not _SHA.fullmatch(sha):
        raise _refused("commit", sha, "a full hexadecimal object name")
    return sha


def check_branch(name: str) -> str:
    """Return a branch name if git's own rules (`git check-ref-format --branch`) allow it."""
    parts = name.split("/")
    wrong = (
        not name
        or len(name) > _LONGEST_REF
        or name.startswith("-")
        or name in ("@", "HEAD")
        or bool(_REF_FORBIDDEN.search(name))
        or any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in parts)
        or not _is_encodable(name)
    )
    if wrong:
        raise _refused("branch", name, "a name that git allows, not starting with a dash")
    return name


def check_path(path: str) -> tuple[str, ...]:
    """Return the parts of a file's path inside a repository if it stays inside and names nothing of git's own."""
    parts = tuple(path.split("/"))
    wrong = (
        len(path) > _LONGEST_PATH
        or path.startswith("-")
        or "\\" in path
        or bool(_CONTROL.search(path))
        or any(part in ("", ".", "..") or _is_git_folder(part) for part in parts)
        or not _is_encodable(path)
    )
    if wrong:
        raise _refused("path", path, "a file's path inside the repository such as apps/checkout/values.yaml")
    return parts


def _is_git_folder(part: str) -> bool:
    return bool(_GIT_FOLDER.fullmatch(_IGNORED_BY_HFS.sub("", part)))


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _refused(kind: str, found: str, expected: str) -> Permanent:
    shown = as_sentence(found, longest=100) or "an empty text"
    return Permanent(SYSTEM, f"“{shown}” cannot be used as a {kind}: expected {expected}")
