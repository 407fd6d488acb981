"""The one error of an edit: it was not made, and here is why."""

from __future__ import annotations


class EditRefused(Exception):
    """A value could not be read or changed with certainty, so nothing was.

    `reason` is one sentence for people, with outside text only in shortened, escaped quotes. `line` counts from 1, and
    is 0 where the trouble is not in the file's text; `path` is empty where it is not at a path.
    """

    def __init__(self, *, file: str, path: str, reason: str, line: int = 0) -> None:
        line_text = f"line {line}" if line else ""
        where = ", ".join(visible(part) for part in (file, line_text, path) if part)
        super().__init__(f"{where}: {reason}" if where else reason)
        self.file = file
        self.line = line
        self.path = path
        self.reason = reason


class NothingWritten(EditRefused):
    """The file says nothing of the image yet, and the edit may add it."""


def quoted(text: str) -> str:
    """Return outside text as an error may show it: shortened, in quotes, control and invisible characters escaped."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def visible(text: str) -> str:
    """Return a name from outside so that none of its characters can command a terminal or hide."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
