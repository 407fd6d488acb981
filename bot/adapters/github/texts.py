"""Texts within GitHub's limits, and the hidden marker by which the bot finds its own comment again."""

from __future__ import annotations

from bot.adapters.github.answers import SYSTEM
from bot.ports import Permanent

LONGEST_BODY = 65_536
LONGEST_TITLE = 256
_CUT = "\n\n_(cut here: GitHub allows no more text)_"


def cut_body(text: str) -> str:
    """Return the text within GitHub's limit; a cut one says so."""
    if len(text) <= LONGEST_BODY:
        return text
    return text[: LONGEST_BODY - len(_CUT)] + _CUT


def cut_title(text: str) -> str:
    """Return a title on one line within GitHub's limit."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1] + "…"


def marker_line(marker: str) -> str:
    """Return the hidden first line; `marker` may be given bare or already as a comment of HTML."""
    bare = marker.strip().removeprefix("<!--").removesuffix("-->").strip()
    if not bare or "--" in bare or ">" in bare or "\n" in bare:
        raise Permanent(SYSTEM, "a comment's marker must be one line without -- and >")
    return f"<!-- {bare} -->"


def with_marker(marker: str, body: str) -> str:
    """Return the comment's whole text: the marker first, where no cut can reach it."""
    line = marker_line(marker)
    rest = body.removeprefix(line).lstrip("\n")
    return cut_body(f"{line}\n{rest}")


def carries_marker(text: str, marker: str) -> bool:
    """Say whether a comment's first line is the marker."""
    return as_stored(text).partition("\n")[0].strip() == marker_line(marker)


def as_stored(text: str) -> str:
    """Return a text as it compares: GitHub may turn line ends and drop blank space at the end."""
    return text.replace("\r\n", "\n").rstrip()
