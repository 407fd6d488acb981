"""Make outside text safe to show: in Markdown, in a table, in a commit message (THREATS.md, 5)."""

from __future__ import annotations

import re

from bot.domain.text import one_line

_LONGEST = 200
_JOINER = "\u2060"
_RUN = re.compile(r"`+")
_COMMANDS = re.compile(
    r"\[(?:skip[ -]ci|ci[ -]skip|no[ -]ci|skip[ -]actions|actions[ -]skip)\]|skip-checks\s*:", re.IGNORECASE
)
_CLOSES = re.compile(r"\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?)(\s*:?\s+)(?=\S*#)", re.IGNORECASE)


def code(text: str) -> str:
    """Return a code span that holds any text: its fence is longer than any run of backticks inside."""
    shown = one_line(text, limit=_LONGEST).replace("|", "\u2223") or "\u2205"
    fence = "`" * (max((len(run) for run in _RUN.findall(shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def plain(text: str) -> str:
    """Return text for prose in which nothing is markup, a link, a mention or a reference."""
    shown = one_line(text, limit=_LONGEST * 2)
    escaped = re.sub(r"([\\`*_{}\[\]<>()#+!|~$^=&])", r"\\\1", shown)
    # A word joiner, which nobody sees, breaks what GitHub would link: mentions, addresses, references, object names.
    broken = re.sub(r"@(?=\w)", f"@{_JOINER}", escaped)
    broken = re.sub(r"(?i)\b(https?|ftp|www|mailto)([:.])", rf"\1{_JOINER}\2", broken)
    broken = re.sub(r"#(?=\d)", f"#{_JOINER}", broken)
    broken = re.sub(r"(?i)\bgh-(?=\d)", f"GH{_JOINER}-", broken)
    return re.sub(r"\b[0-9a-f]{7,}\b", _broken_up, broken)


def _broken_up(name: re.Match[str]) -> str:
    """Leave no run of a hexadecimal name that is long enough to be taken for a commit's."""
    text = name.group()
    return _JOINER.join(text[start : start + 6] for start in range(0, len(text), 6))


def for_commit(text: str) -> str:
    """Return one line that cannot act in a commit message: no trailer, no closing word, no word that silences CI."""
    shown = one_line(text, limit=_LONGEST * 2)
    shown = _COMMANDS.sub("(removed)", shown)
    return _CLOSES.sub(r"\1\2(issue) ", shown).replace("#", "no. ")
