"""Texts within GitHub's limits, the marker of the bot's own comment, and the bot's section of a body."""

from __future__ import annotations

import re

from bot.adapters.github.answers import SYSTEM
from bot.ports import Permanent

LONGEST_BODY = 65_536
LONGEST_TITLE = 256
_CUT = "\n\n_(cut here: GitHub allows no more text)_"
_FENCE = re.compile(r" {0,3}(`{3,20}|~{3,20})")
_DEEPEST = 20
_FOR_ENDS = 300


def cut_body(text: str) -> str:
    """Return the text within GitHub's limit; a cut one says so."""
    return cut_markdown(text, LONGEST_BODY)


def cut_markdown(text: str, longest: int) -> str:
    """Return at most so many characters of a text of paragraphs, with all closed again that was open at the cut."""
    if len(text) <= longest:
        return text
    room = longest - len(_CUT)
    if room <= 0:
        return _CUT[: max(0, longest)]
    kept = _whole_paragraphs(text[:room])
    if _ends_of(kept):
        kept = _whole_paragraphs(text[: max(0, room - _FOR_ENDS)])
    return kept + _ends_of(kept) + _CUT


def _whole_paragraphs(text: str) -> str:
    return text.rpartition("\n\n")[0] or text


def _ends_of(text: str) -> str:
    """Return what closes the code fence and the folded parts that a text leaves open."""
    fence, depth = "", 0
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found is not None and fence in ("", found[1]):
            fence = "" if fence else found[1]
        elif not fence:
            depth = max(0, depth + line.count("<details") - line.count("</details>"))
    return (f"\n{fence}" if fence else "") + "\n\n</details>" * min(depth, _DEEPEST)


def cut_line(text: str, longest: int) -> str:
    """Return a text on one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def cut_title(text: str) -> str:
    """Return a title on one line within GitHub's limit."""
    return cut_line(text, LONGEST_TITLE)


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


# --- the bot's section of a body -------------------------------------------------------------------------------------

BEGIN = "<!-- liftlock:begin -->"
END = "<!-- liftlock:end -->"


def with_section(text: str) -> str:
    """Return the bot's text between its markers, cut to GitHub's limit inside of them."""
    return _section(text, LONGEST_BODY)


def replace_section(body: str, text: str) -> str | None:
    """Return the body with a new text between the markers; None unless both are there exactly once, in their order.

    What people wrote around them is kept to the letter; where all is too long, the bot's text is cut.
    """
    stored = body.replace("\r\n", "\n")
    if stored.count(BEGIN) != 1 or stored.count(END) != 1:
        return None
    before, _, rest = stored.partition(BEGIN)
    if END not in rest:
        return None
    after = rest.partition(END)[2]
    return f"{before}{_section(text, LONGEST_BODY - len(before) - len(after))}{after}"


def _section(text: str, longest: int) -> str:
    bare = text.replace(BEGIN, "").replace(END, "").strip("\n")
    room = longest - len(BEGIN) - len(END) - 2
    return f"{BEGIN}\n{cut_markdown(bare, room)}\n{END}"
