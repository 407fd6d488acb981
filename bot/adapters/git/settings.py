"""What the Git adapter is told once: where mirrors lie and repositories are served, who commits, how long to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
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

    `first_fetch` is for a mirror that holds nothing yet; `pause` is the first wait between two tries, before jitter.
    """

    local: timedelta = timedelta(seconds=30)
    network: timedelta = timedelta(seconds=60)
    first_fetch: timedelta = timedelta(minutes=10)
    attempts: int = 3
    pause: timedelta = timedelta(milliseconds=300)
    max_file_bytes: int = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSettings:
    """Where and how. `url` holds `{repository}`; `mirrors` belongs to the bot alone."""

    mirrors: Path
    url: str = "https://github.com/{repository}.git"
    author: Author = field(default_factory=Author)
    limits: GitLimits = field(default_factory=GitLimits)
