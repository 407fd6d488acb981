"""Names from outside before they go into an address or a sentence."""

from __future__ import annotations

import re
from urllib.parse import quote

from bot.adapters.github.answers import SYSTEM
from bot.adapters.scrub import as_sentence
from bot.domain.naming import OWN_PREFIX
from bot.ports import Permanent

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,99}/[A-Za-z0-9_.][A-Za-z0-9_.\-]{0,99}")


def shown(name: str) -> str:
    """Return a name fit for a sentence."""
    return as_sentence(name, longest=100)


def check_repository(name: str) -> None:
    """Raise `Permanent` unless the name is `owner/name`."""
    if not _REPOSITORY.fullmatch(name) or name.endswith(("/.", "/..")):
        raise Permanent(SYSTEM, f"“{shown(name)}” cannot be used as a repository: expected a name like acme/deploy")


def is_own_branch(name: str) -> bool:
    """Say whether a branch is the bot's to make and to delete."""
    return name.startswith(OWN_PREFIX) and ".." not in name


def path_part(name: str) -> str:
    """Return a name as one part of an address, whatever characters it has."""
    return quote(name, safe="")
