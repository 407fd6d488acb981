"""Make outside text safe to show: in Markdown, in a table, in a commit message (THREATS.md, 5)."""

from __future__ import annotations

import re
import unicodedata

from bot.domain.text import one_line

_LONGEST = 200
_JOINER = "\u2060"
_RUN = re.compile(r"`+")
_BLANKS = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800\u034f"))
"""Letters and marks that look like nothing, though Unicode does not class them as invisible."""

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$^=&])")
_LINE_START = re.compile(r"(\d{0,9})([-.])(?=[\s-]|$)")
# No `\b`: a digit or an underscore before an address is no boundary to it, and GitHub links it all the same.
_ADDRESS = re.compile(r"(?i)(https?|ftp|www|mailto|xmpp)([:.])")
_REFERENCE = re.compile(r"(?i)(?<![a-z])([a-z]+)-(?=\d)")
_OBJECT_NAME = re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{7,}(?![0-9a-z])")
_EMOJI = re.compile(r"(?i):(?=(?:[\w+-]*[a-z][\w+-]*|[+-]1|100|1234):)")
"""The colon that begins `:tada:`; that of a time of day, `12:00:05`, does not."""
_DOLLAR = "\uff04"
"""GitHub may see `$mathematics$` before a backslash can hide it, so the sign becomes one that only looks like it."""
_UNCHARTED = re.compile(r"[^\w .,:%/()+<>=-]")
_HANDLE = re.compile(r"@[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?")
_LONGEST_TITLE = 250

_COMMANDS = re.compile(
    r"(?i)\[\s*(?:skip[ _-][\w-]+|no[ _-]ci|[\w-]+[ _-]skip)\s*\]|\*\*\*NO_CI\*\*\*|\b(?:skip|request)-checks\s*:"
)
_CLOSES = re.compile(r"(?i)\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?)(\s*:?\s+)(?=\S*(?:#|GH-)\d)")
_COMMIT_RULES = (
    (re.compile(r"(?<=\w)#(?=\d)"), " no. "),
    (re.compile(r"#"), "no. "),
    (re.compile(r"(?i)\bGH-(?=\d)"), "GH "),
    (re.compile(r"/(issues|pull|discussions)/(?=\d)"), r"/\1/ "),  # `Closes https://github.com/…/issues/1`
    (re.compile(r"@(?=\w)"), "@ "),  # GitHub tells everyone whom a commit message mentions
    (re.compile(r"(?i)\b(liftlock|co-authored|signed-off)-(?=[a-z])"), r"\1 "),
    (_EMOJI, ": "),
)
_TRAILER = re.compile(r"^([A-Z][A-Za-z0-9-]*)[ \t]*:")
"""Any other trailer, if the line stood alone."""


def code(text: str) -> str:
    """Return a code span that holds any text: its fence is longer than any run of backticks inside."""
    shown = _unmarked(_seen(text, _LONGEST).replace("|", "\u2223")) or "\u2205"
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def fenced(text: str) -> str:
    """Return a code block that holds any text: lines are kept, characters that hide or turn text around are not."""
    kept = "".join(
        character
        for character in text.replace("\r\n", "\n").translate(_BLANKS)
        if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )
    fence = "`" * max(3, _longest_run(kept) + 1)
    return f"{fence}\n{_unmarked(kept)}\n{fence}"


def plain(text: str) -> str:
    """Return text for prose in which nothing is markup, a link, a mention or a reference."""
    escaped = _MARKUP.sub(r"\\\1", _EMOJI.sub(f":{_JOINER}", _seen(text, _LONGEST * 2)))
    # A word joiner, which nobody sees, breaks what GitHub would link: mentions, addresses, references, object names.
    broken = re.sub(r"@(?=\\?\w)", f"@{_JOINER}", escaped)
    broken = _ADDRESS.sub(rf"\1{_JOINER}\2", broken)
    broken = re.sub(r"#(?=\d)", f"#{_JOINER}", broken)
    broken = broken.replace("\\$", _DOLLAR)
    # GH-1, and each PREFIX-1 that a repository may have made a link.
    broken = _REFERENCE.sub(rf"\1{_JOINER}-", broken)
    broken = _OBJECT_NAME.sub(_broken_up, broken)
    return _LINE_START.sub(r"\1\\\2", broken, count=1) if _LINE_START.match(broken) else broken


def _broken_up(name: re.Match[str]) -> str:
    """Leave no run of a hexadecimal name that is long enough to be taken for a commit's."""
    text = name.group()
    return _JOINER.join(text[start : start + 6] for start in range(0, len(text), 6))


def for_commit(text: str) -> str:
    """Return one line that cannot act in a commit message.

    It is no trailer, closes or mentions nothing and nobody, and has no word that silences CI.
    """
    return _TRAILER.sub(r"\1 -", _tamed(_seen(text, _LONGEST * 2)))


def for_title(text: str) -> str:
    """Return one line for a pull request's title, of at most 250 characters.

    GitHub shows code, mentions, references and commits in titles, and makes the title a commit's first line.
    """
    shown = _tamed(_seen(text, _LONGEST_TITLE).replace("`", "'"))
    shown = _OBJECT_NAME.sub(_broken_up, _ADDRESS.sub(rf"\1{_JOINER}\2", shown))
    return shown if len(shown) <= _LONGEST_TITLE else shown[: _LONGEST_TITLE - 1] + "…"


def for_chart(text: str) -> str:
    """Return text for a quoted label of a Mermaid chart: letters, digits and signs that mean nothing there."""
    return _UNCHARTED.sub("\u00b7", _seen(text, _LONGEST // 2)).replace("<", "\u2039").replace(">", "\u203a")


def for_status(text: str, limit: int = 140) -> str:
    """Return one line of plain text for a status or a deployment, where nothing is markup."""
    return _seen(text, limit)


def mention(handle: str) -> str:
    """Return a mention that notifies, of `@login` or `@org/team` from a policy; any other text as a code span."""
    return handle if _HANDLE.fullmatch(handle) else code(handle)


def _tamed(text: str) -> str:
    shown = _CLOSES.sub(r"\1\2(issue) ", _COMMANDS.sub("(removed)", text))
    for pattern, replacement in _COMMIT_RULES:
        shown = pattern.sub(replacement, shown)
    return shown


def _unmarked(text: str) -> str:
    """Break up what looks like a hidden marker: it is code and acts on nobody, but a search would find it."""
    return text.replace("<!--", f"<!{_JOINER}--")


def _seen(text: str, limit: int) -> str:
    """Keep on one line what a reader sees: no blanks in disguise, no more than two marks stacked on a letter."""
    kept: list[str] = []
    marks = 0
    for character in text[: limit * 8].translate(_BLANKS):
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= 2:
            kept.append(character)
    # Spaces come together where something invisible stood between them.
    return " ".join(one_line("".join(kept), limit=limit).split())


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN.findall(text)), default=0)
