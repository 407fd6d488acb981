"""What the texts of a policy must look like: names, images, paths, branches, and how to say so."""

from __future__ import annotations

import re
from datetime import timedelta

from bot.domain.text import parse_duration

NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SERVER = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
LABEL_NAME = r"(?:[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
LABEL_VALUE = r"[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
APPLICATION = r"(?:[a-z0-9][-a-z0-9]{0,62}/)?[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?"
OWNER_AND_NAME = r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
IMAGE = r"(?:[a-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
LOGIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:\[bot\])?"
PERSON = rf"@{LOGIN}"
HANDLE = rf"@{LOGIN}(?:/[A-Za-z0-9][A-Za-z0-9._-]{{0,99}})?"
NUMBER = r"(-?[0-9]{1,15}(?:\.[0-9]{1,12})?) ?(%|k|[KMGT]i|[MGT]|)"
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGT", start=1)
}
"""As Kubernetes writes quantities."""
A_DURATION = "a duration such as 30s, 5m or 1h30m"
A_NUMBER = "a number such as 100, 0.8, 80% or 512Mi"
A_COUNT = "a number of events, such as 10"
TIMES = "a whole number from 1 to 100"
A_TILES = "how many tiles of how many in a row, such as 3 of 5, at most of 100"
A_LIMIT = "a percentage such as 1% or a share such as 0.01"


def parse_branch(text: str) -> str:
    """Take a branch name by git's own rules (git-check-ref-format)."""
    banned = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|$)|(?:^|/)\.|\.$|/$|^/|^-", text)
    if banned or not text or text == "@" or len(text) > 200:
        raise ValueError(text)
    return text


def parse_path(text: str) -> str:
    """Take a path inside a repository: relative, without `..`, `.git`, backslashes or control characters."""
    parts = text.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise ValueError(text)
    if re.search(r"[\x00-\x1f\x7f\\]", text) or text.startswith(":") or len(text) > 1000:
        raise ValueError(text)
    return text


def parse_tile(text: str) -> timedelta:
    """Parse the width of a tile: a second at least, since Prometheus scrapes no faster."""
    tile = parse_duration(text)
    if tile < timedelta(seconds=1):
        raise ValueError(text)
    return tile


def parse_number(text: str) -> float:
    """Parse a number, also as a percentage or as a size such as `512Mi`."""
    found = re.fullmatch(NUMBER, text, re.ASCII)
    if found is None:
        raise ValueError(text)
    number, unit = float(found[1]), found[2]
    return number / 100 if unit == "%" else number * _UNITS[unit]


def parse_count(text: str) -> float:
    """Parse a number of events: never below 0, neither a percentage nor a size."""
    number = parse_number(text)
    if number < 0 or not text[-1].isdigit():
        raise ValueError(text)
    return number


def parse_times(text: str) -> int:
    """Read how many times something may be done within a day: 1 to 100."""
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text) or int(text) > 100:
        raise ValueError
    return int(text)


def parse_tiles(text: str) -> tuple[int, int]:
    """Parse `3 of 5`."""
    found = re.fullmatch(r"(\d{1,3}) of (\d{1,3})", text, re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]) <= 100:
        raise ValueError(text)
    return int(found[1]), int(found[2])
