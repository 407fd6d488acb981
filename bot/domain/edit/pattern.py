"""The version in a file of any other format: what the one group of a regular expression holds.

Patterns come from policies, so they run in RE2, whose time is linear in the text whatever the pattern. The pattern
must match once: two matches are two versions, and nobody said which one runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import re2

from bot.domain.edit.change import Edited
from bot.domain.edit.kinds import RegexEdit
from bot.domain.edit.places import Form, Place, Setting
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.replace import Splice, apply_splices, changes_of
from bot.domain.edit.stream import Reading, line_at

MAX_PATTERN = 500
_AT_LINES = "(?m)"
_MAX_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternSheet:
    """A text opened at the one place that a pattern finds."""

    edit_of: RegexEdit
    text: str
    span: tuple[int, int]
    place: Place

    @property
    def places(self) -> tuple[Place, ...]:
        """The one place."""
        return (self.place,)

    @property
    def gaps(self) -> frozenset[Form]:
        """Nothing can be added where only a pattern is known."""
        return frozenset()

    def edit(self, settings: tuple[Setting, ...], added: dict[Form, str]) -> Edited:
        """Set the place, and prove that the pattern finds exactly the new value there."""
        assert not added  # noqa: S101 - there are no gaps
        changed = [setting for setting in settings if setting.value != self.place.value]
        if not changed:
            return Edited(text=self.text)
        value, (start, end) = changed[0].value, self.span
        splice = Splice(start=start, end=end, text=value, path=self.place.path, old=self.place.value, new=value)
        edited = apply_splices(self.text, [splice])
        if _matches(self.edit_of, edited) != [(start, start + len(value))]:
            reason = f"with {quoted(value)} the pattern would not find exactly the new value"
            raise EditRefused(file=self.edit_of.file, line=self.place.line, path=self.place.path, reason=reason)
        return Edited(text=edited, changes=changes_of(self.edit_of.file, self.text, edited, [splice]))


def open_pattern(edit: RegexEdit, text: str, reading: Reading) -> PatternSheet:
    """Open a text at the pattern's group; raise EditRefused unless it matches exactly once."""
    size = len(text.encode(errors="replace"))
    if size > reading.size_bytes:
        reason = f"the file has {size:,} bytes, more than the {reading.size_bytes:,} that are read"
        raise EditRefused(file=edit.file, line=0, path="", reason=reason)
    found = _matches(edit, text)
    if len(found) != 1:
        lines = " and ".join(str(line_at(text, start)) for start, _ in found[:2])
        reason = f"the pattern matches several times (lines {lines})" if found else "the pattern matches nowhere"
        raise EditRefused(file=edit.file, line=0, path=edit.pattern, reason=reason)
    start, end = found[0]
    place = Place(
        form=Form.TAG,
        path=edit.pattern,
        line=line_at(text, start),
        value=text[start:end],
        raw=text[start:end],
        is_set=end > start,
        is_certain=True,
        key=Form.TAG,
    )
    return PatternSheet(edit_of=edit, text=text, span=(start, end), place=place)


def check_pattern(pattern: str) -> str | None:
    """Say in words why a pattern cannot be used; None if it can."""
    if any("\ud800" <= character <= "\udfff" for character in pattern):
        return "half a character in a pattern"
    if len(pattern) > MAX_PATTERN:
        return f"a pattern of more than {MAX_PATTERN} characters"
    try:
        groups = _compile(pattern).groups
    except re2.error as error:
        said = error.args[0] if error.args else b""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        return f"no valid RE2 pattern ({words.replace(_AT_LINES, '', 1)})"
    return None if groups == 1 else f"a pattern with {groups} groups"


def _matches(edit: RegexEdit, text: str) -> list[tuple[int, int]]:
    """Return where the group stands in each match."""
    wrong = check_pattern(edit.pattern)
    if wrong is not None:
        reason = f"{wrong}; expected an RE2 pattern with exactly one group"
        raise EditRefused(file=edit.file, line=0, path=edit.pattern[:200], reason=reason)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise EditRefused(file=edit.file, line=0, path=edit.pattern, reason="the file holds half a character")
    spans = [found.span(1) for found in _compile(edit.pattern).finditer(text) if found.span(1)[0] >= 0]
    return [
        (start, end - 1 if text[start:end].endswith("\r") and text[end:].startswith("\n") else end)
        for start, end in spans
    ]


def matches_whole(pattern: str, text: str) -> bool:
    """Say whether a pattern matches a text as a whole; not if it is no pattern."""
    try:
        return _compile(f"^(?:{pattern})$").match(text) is not None
    except (re2.error, UnicodeEncodeError):
        return False


def _compile(pattern: str) -> Any:  # the package has no types
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    options.one_line = False
    options.perl_classes = True
    options.posix_syntax = False
    return re2.compile(_AT_LINES + pattern, options)
