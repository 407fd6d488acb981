"""Find what a changelog says of one release: the section under the heading that names its version."""

from __future__ import annotations

import re

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*\S)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MOST_LINES = 40
_MOST_CHARACTERS = 2_000
_LONGEST_TEXT = 1_000_000


def excerpt(text: str, tag: str) -> str:
    """Return the section of a Markdown changelog under the heading with the tag's version; empty where there is none.

    `v1.9.0` and `1.9.0` are one version, `1.9.0-rc1` is another. At most forty lines and 2,000 characters; a cut one
    ends with an ellipsis. It is outside text: whoever shows it escapes it.
    """
    version = tag.removeprefix("v")
    if not version:
        return ""
    named = re.compile(rf"(?<![\w.+-])v?{re.escape(version)}(?![\w+-])(?!\.\w)")
    section: list[str] = []
    level, fence = 0, ""
    for line in text[:_LONGEST_TEXT].splitlines():
        fence = _fence_after(line, fence)
        heading = None if fence else _HEADING.fullmatch(line)
        if heading is not None and level and len(heading[1]) <= level:
            break
        if heading is not None and not level and named.search(heading[2]):
            level = len(heading[1])
        elif level:
            section.append(line)
    return _cut(section)


def _fence_after(line: str, fence: str) -> str:
    """Return the fence of the code block in which the text is behind this line; empty outside of any."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    if not fence:
        return found[1]
    closes = found[1][0] == fence[0] and len(found[1]) >= len(fence) and not line.strip(" `~")
    return "" if closes else fence


def _cut(lines: list[str]) -> str:
    whole = "\n".join(lines).strip()
    kept = "\n".join(whole.splitlines()[:_MOST_LINES])[:_MOST_CHARACTERS]
    return kept if kept == whole else f"{kept.rstrip()}\n…"
