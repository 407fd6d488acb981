"""What the Git adapter is told once: where mirrors lie and repositories are served, who commits, how long to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

TokenFor = Callable[[str], str | None]
"""Gives the token for a repository (`owner/name`), read anew for every process; None for anonymous access."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Author and committer of the bot's commits."""

    name: str = "Liftlock"
    email: str = "liftlock@users.noreply.github.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLimits:
    """How long one git process may take, how often a read is tried, how large a file may be.

    `first_fetch` is for a mirror that holds nothing yet, and for more history; `pause` is the first wait between two
    tries, before jitter. `history_commits` is how far back history is fetched at most. A mirror of more than `packs`
    packs is packed anew.
    """

    local: timedelta = timedelta(seconds=30)
    network: timedelta = timedelta(seconds=60)
    first_fetch: timedelta = timedelta(minutes=10)
    attempts: int = 3
    pause: timedelta = timedelta(milliseconds=300)
    max_file_bytes: int = 5 * 1024 * 1024
    history_commits: int = 50_000
    packs: int = 60


class SignatureFormat(StrEnum):
    """What signs commits, by git's own name for it (`gpg.format`)."""

    SSH = "ssh"
    OPENPGP = "openpgp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How commits are signed: with the SSH key in a file, or with a key of a GnuPG home.

    `key` is the private key's path for SSH, the key's id or fingerprint for OpenPGP; neither may ask for a passphrase.
    """

    format: SignatureFormat
    key: str
    gnupg_home: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSettings:
    """Where and how. `url` holds `{repository}`; `mirrors` belongs to the bot alone; None of `signing`: unsigned."""

    mirrors: Path
    url: str = "https://github.com/{repository}.git"
    author: Author = field(default_factory=Author)
    signing: Signing | None = None
    limits: GitLimits = field(default_factory=GitLimits)
