"""Take typed values out of a tree; every fault is noted with its place, and reading goes on."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import EnumType
from functools import cache
from typing import TypeVar

from bot.domain.text import one_line, parse_duration, parse_share
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.tree import Place, Value

T = TypeVar("T")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NEAR = 0.7
"""How like two words of the format are of which one may be meant: auot and auto are (0.75), gitlab and github not."""
_MOST_HINTS = 100
"""With so many faults, or words that may be meant, none is looked for any more: that takes long, and helps nobody."""
_MOST_LISTED, _FEW = 40, 5
UNKNOWN_KEY = "an unknown key"
KINDS = {"text": "text", "mapping": "a mapping", "list": "a list", "nothing": "nothing"}


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults of one file while it is read. `told_as` words those that stand in another one as that file does."""

    file: str
    found: list[PolicyFault] = field(default_factory=list)
    told_as: Callable[[PolicyFault], PolicyFault] = lambda fault: fault
    _noted: set[PolicyFault] = field(default_factory=set)

    def error(self) -> PolicyError:
        """Return all of them as an error."""
        return PolicyError([self.told_as(fault) for fault in self.found])

    def note(self, value: Value, path: str, found: str, expected: str) -> None:
        """Note a fault at a value."""
        self.note_at(value.place, path, found, expected)

    def one_of_these(self, word: str, known: Iterable[str]) -> str:
        """Return what was expected in place of an unknown word, as the function of that name; see `hint`."""
        words = sorted(known)
        return f"one of {listed(words)}{self.hint(word, words)}"

    def hint(self, word: str, known: Sequence[str]) -> str:
        """Return a question after the nearest of some words; nothing if there are very many faults already."""
        return hint(word, known) if len(self.found) < _MOST_HINTS else ""

    def listed(self, words: Sequence[str]) -> str:
        """Return words for a message: the first of very many, and a few if there are very many faults already."""
        return listed(words, most=_MOST_LISTED if len(self.found) < _MOST_HINTS else _FEW)

    def note_at(self, place: Place, path: str, found: str, expected: str) -> None:
        """Note a fault at a place, once: a stage that stands for several is read several times."""
        file, line, column = place
        fault = PolicyFault(file=file, line=line, column=column, path=path, found=found, expected=expected)
        if fault not in self._noted:
            self._noted.add(fault)
            self.found.append(fault)


def shown(value: Value) -> str:
    """Return what was found, for a message: a short text in quotes, or the kind."""
    return f'"{one_line(value.text, limit=60)}"' if value.kind == "text" else KINDS[value.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping that is being read. Keys that nobody asks for are faults, noted by `finish`."""

    value: Value
    path: str
    faults: Faults
    asked: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, value: Value, path: str, faults: Faults) -> Section | None:
        """Open a mapping; note a fault and return None if it is none."""
        if value.kind != "mapping":
            faults.note(value, path, shown(value), "a mapping")
            return None
        return cls(value=value, path=path, faults=faults)

    @property
    def entries(self) -> Mapping[str, Value]:
        """All values by their keys."""
        return self.value.entries or {}

    def at(self, key: str) -> str:
        """Return the dotted path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str) -> Value | None:
        """Return a value if it is there and not empty."""
        self.asked.add(key)
        found = (self.value.entries or {}).get(key)
        return None if found is None or found.kind == "nothing" else found

    def need(self, key: str, expected: str) -> Value | None:
        """Return a value; note a fault if it is missing."""
        found = self.get(key)
        if found is None:
            self.faults.note(self.value, self.at(key), "nothing", expected)
        return found

    def section(self, key: str, *, required: bool = False) -> Section | None:
        """Open the mapping under a key."""
        found = self.need(key, "a mapping") if required else self.get(key)
        return None if found is None else Section.of(found, self.at(key), self.faults)

    def items(self, key: str, *, required: bool = False) -> Iterator[tuple[str, Value]]:
        """Iterate over the list under a key with each item's path."""
        found = self.need(key, "a list") if required else self.get(key)
        if found is None:
            return
        if found.kind != "list":
            self.faults.note(found, self.at(key), shown(found), "a list")
            return
        for index, item in enumerate(found.items):
            yield f"{self.at(key)}[{index if item.index is None else item.index}]", item

    def read(self, key: str, parse: Callable[[str], T], expected: str, *, default: T | None = None) -> T | None:
        """Parse the text under a key; without a default it must be there. None after a fault."""
        found = self.get(key) if default is not None else self.need(key, expected)
        if found is None:
            return default
        return parsed(found, self.at(key), self.faults, parse, expected)

    def finish(self) -> None:
        """Note every key that nobody asked for, with the nearest one that exists, and every key left empty."""
        entries = self.entries
        for key, place in (self.value.keys or {}).items():
            if key not in self.asked:
                expected = self.faults.one_of_these(key, self.asked)
                self.faults.note_at(place, self.at(one_line(key, limit=60)), UNKNOWN_KEY, expected)
            elif entries[key].kind == "nothing":
                self._refuse_empty(key, place)

    def _refuse_empty(self, key: str, place: Place) -> None:
        """Note an optional key without a value: an empty `rollback:` must not pass for a stage that wants none."""
        path = self.at(key)
        if all(fault.path != path for fault in self.faults.found):
            # The key's place: an empty value begins wherever the next thing does.
            self.faults.note_at(place, path, "nothing", "a value, or not this key at all")


def one_of_these(word: str, known: Iterable[str]) -> str:
    """Return what was expected in place of an unknown word: all that exist, and the nearest one."""
    words = sorted(known)
    return f"one of {listed(words)}{hint(word, words)}"


def listed(words: Sequence[str], *, most: int = _MOST_LISTED) -> str:
    """Return words for a message, of very many the first."""
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return f"{', '.join(words[:most])}{more}"


def hint(word: str, known: Collection[str], *, likeness: float = 0.6) -> str:
    """Return a question after the nearest of some words, to follow what was expected; nothing where none is near.

    Nor of very many words.
    """
    if len(known) > _MOST_HINTS:
        return ""
    near = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=likeness)
    return f'; did you mean "{near[0]}"?' if near else ""


def parsed(value: Value, path: str, faults: Faults, parse: Callable[[str], T], expected: str) -> T | None:
    """Parse one text; note a fault and return None if it is no text, does not parse, or hides characters."""
    if value.kind == "text" and _hides(value.text):
        faults.note(value, path, f"{shown(value)} with control or invisible characters", expected)
        return None
    if value.kind == "text":
        with suppress(ValueError):
            return parse(value.text)
        words = _words_of(parse)
        # Of a single word nobody has to be told twice.
        is_asked = len(words) > 1 and len(faults.found) < _MOST_HINTS
        expected += hint(value.text, words, likeness=_NEAR) if is_asked else ""
    faults.note(value, path, shown(value), expected)
    return None


def _words_of(parse: object) -> Sequence[str]:
    """Return the words that a parser takes, where it takes no other text."""
    if isinstance(parse, OneOf):
        return parse.words
    words: Iterable[object] = parse if isinstance(parse, EnumType) else ()
    return [str(word) for word in words]


def _hides(text: str) -> bool:
    """Say whether a text has characters that nobody sees. Line breaks are left to each field's own grammar."""
    # The first question is almost free, and answers for nearly every text.
    return not text.isprintable() and any(
        character != "\n" and unicodedata.category(character) in _UNSEEN for character in text
    )


@cache
def matching(pattern: str) -> Callable[[str], str]:
    """Return a parser that takes a text which matches as a whole."""
    compiled = re.compile(pattern)

    def parse(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ValueError(text)
        return text

    return parse


@dataclass(frozen=True, slots=True)
class OneOf:
    """A parser that takes one of some words."""

    words: Sequence[str]

    def __call__(self, text: str) -> str:
        """Return the text if it is one of the words."""
        if text not in self.words:
            raise ValueError(text)
        return text


def one_of(words: Sequence[str]) -> OneOf:
    """Return a parser that takes one of some words."""
    return OneOf(words)


def positive_duration(text: str) -> timedelta:
    """Parse a duration longer than nothing."""
    duration = parse_duration(text)
    if duration <= timedelta(0):
        raise ValueError(text)
    return duration


def share(text: str) -> float:
    """Parse `1%` or `0.01`, strictly between 0 and 1."""
    return parse_share(text)
