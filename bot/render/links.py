"""Links into the forge: only to names that are what they should be; anything else is shown as text."""

from __future__ import annotations

import re

from bot.domain.policy import Origin
from bot.render.escape import code

_SHORT = 12
_OBJECT = re.compile(r"[0-9a-f]{7,64}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def commit_link(forge_url: str, repository: str | None, commit: str) -> str:
    """Return a short name of a commit, as a link where there is a page to link to."""
    short = code(commit[:_SHORT])
    if repository is None or not _OBJECT.fullmatch(commit) or not _REPOSITORY.fullmatch(repository):
        return short
    return f"[{short}]({forge_url}/{repository}/commit/{commit})"


def origin_link(forge_url: str, origin: Origin) -> str:
    """Return a commit of a repository by both their names, as a link where there is a page to link to."""
    if not forge_url or not _OBJECT.fullmatch(origin.commit) or not _REPOSITORY.fullmatch(origin.repository):
        return code(f"{origin.repository}@{origin.commit}")
    return f"[{code(origin.name)}]({forge_url}/{origin.repository}/commit/{origin.commit})"


def compare_link(forge_url: str, repository: str | None, before: str | None, after: str | None) -> str:
    """Return the address of what lies between two commits; empty where one of them is not known."""
    names = (before, after)
    if repository is None or not _REPOSITORY.fullmatch(repository):
        return ""
    if any(name is None or not _OBJECT.fullmatch(name) for name in names):
        return ""
    return f"{forge_url}/{repository}/compare/{before}...{after}"


def pull_link(forge_url: str, repository: str, number: int) -> str:
    """Return a link to a pull request of another repository."""
    if not _REPOSITORY.fullmatch(repository):
        return f"{code(repository)} {number}"
    return f"[{code(f'{repository}#{number}')}]({forge_url}/{repository}/pull/{number})"
