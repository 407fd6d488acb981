"""The trailers by which a commit says that Liftlock made it: text → `Trailers` and back.

Git is the owner of quarantine and of a promotion's origin (DESIGN.md, section 4), so what is read here decides what may
move. Reading is therefore stricter than git's: a block of trailers counts only as a whole, only at the end of a
message, only once, and only with values of the right shape. Whatever is doubtful is not Liftlock's commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.domain.model import Sha, Trailers

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


class _Key(NamedTuple):
    """How one field of `Trailers` is written, and the shape its value must have."""

    field: str
    token: str
    shape: re.Pattern[str]
    expected: str


_KEYS = (
    _Key("service", "Liftlock-Service", re.compile(_LABEL), "a name of a-z, 0-9 and -"),
    _Key("stage", "Liftlock-Stage", re.compile(_LABEL), "a name of a-z, 0-9 and -"),
    _Key(
        "release",
        "Liftlock-Release",
        re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,511}"),
        "image:tag or image:tag@digest",
    ),
    _Key("promotes", "Liftlock-Promotes", re.compile(f"{_LABEL}(?:, {_LABEL})* -> {_LABEL}"), "STAGE -> STAGE"),
    _Key("reverts", "Liftlock-Reverts", re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"), "a full commit SHA"),
    _Key("evidence", "Liftlock-Evidence", re.compile(r"(?:sha256:)?[0-9a-f]{6,64}"), "a hash in hexadecimal"),
    _Key("summary", "Liftlock-Summary", re.compile(r"sha256:[0-9a-f]{64}"), "sha256: and a hash in hexadecimal"),
)
_BY_TOKEN: Mapping[str, _Key] = {key.token.lower(): key for key in _KEYS}
_REQUIRED = frozenset({"service", "stage", "release"})

_TRAILER = re.compile(r"(?P<token>[A-Za-z0-9-]+)[ \t]*:(?P<value>.*)", re.DOTALL)
_CHERRY_PICKED = "(cherry picked from commit "
_RULE = re.compile(r"-{3,}")
"""GitHub sets a rule between a squashed message and the co-authors it adds."""

_Found = Sequence[tuple[str, str]]


def parse_trailers(message: str) -> Trailers | None:
    """Read Liftlock's trailers from the end of a commit message; None if there are none that can be trusted.

    They stand in one block of nothing but trailers. Only other such blocks (co-authors, sign-offs) may follow it; the
    first paragraph is never read. A key that is there twice, a required key that is missing, a value of the wrong
    shape, a second block with Liftlock keys, or a commit that says both to promote and to revert: None.
    """
    blocks = [ours for block in _closing_blocks(message) if (ours := _liftlock_keys(block))]
    if len(blocks) != 1:
        return None
    values = dict(blocks[0])
    if len(values) != len(blocks[0]) or any(_fault(values)):
        return None
    reverts = values.get("reverts")
    return Trailers(
        service=values["service"],
        stage=values["stage"],
        release=values["release"],
        promotes=values.get("promotes"),
        reverts=Sha(reverts) if reverts else None,
        evidence=values.get("evidence"),
        summary=values.get("summary"),
    )


def render_trailers(trailers: Trailers) -> str:
    """Write the block of trailers, without a line break at its end; `parse_trailers` reads it back unchanged.

    Raise ValueError, naming the key, for a value that would not be read back: nothing is repaired silently, since a
    release with a character less is another release.
    """
    values = {key.field: value for key in _KEYS if (value := _value(trailers, key)) is not None}
    for fault in _fault(values):
        raise ValueError(fault)
    return "\n".join(f"{key.token}: {values[key.field]}" for key in _KEYS if key.field in values)


def _value(trailers: Trailers, key: _Key) -> str | None:
    value: str | None = getattr(trailers, key.field)
    return value


def _fault(values: Mapping[str, str]) -> tuple[str, ...]:
    """Say what is wrong with a set of values, by field; empty if they can be trusted."""
    wrong = [
        f"{key.token} must be {key.expected}, found {values[key.field][:80]!r}"
        for key in _KEYS
        if key.field in values and not key.shape.fullmatch(values[key.field])
    ]
    missing = [f"{key.token} is missing" for key in _KEYS if key.field in _REQUIRED and key.field not in values]
    both = ["a commit promotes or reverts, never both"] if {"promotes", "reverts"} <= values.keys() else []
    return (*wrong, *missing, *both)


def _liftlock_keys(block: _Found) -> _Found:
    """Keep the keys that are ours, under their fields' names. Git compares keys without regard to case."""
    return [(_BY_TOKEN[token.lower()].field, value) for token, value in block if token.lower() in _BY_TOKEN]


def _closing_blocks(message: str) -> list[_Found]:
    """Return the blocks of trailers that end a message, last one first; a person's text above them ends the walk."""
    paragraphs = re.split(r"\n[ \t]*(?:\n[ \t]*)+", message.replace("\r\n", "\n").strip(" \t\n"))
    blocks: list[_Found] = []
    for paragraph in reversed(paragraphs[1:]):
        if blocks and _RULE.fullmatch(paragraph):
            continue
        block = _read_block(paragraph)
        if not block:
            break
        blocks.append(block)
    return blocks


def _read_block(paragraph: str) -> _Found:
    """Read a paragraph of nothing but trailers; empty if any of its lines is something else."""
    found: list[tuple[str, str]] = []
    for line in paragraph.split("\n"):
        if line.startswith(_CHERRY_PICKED):
            continue
        if line[:1] in {" ", "\t"} and found:
            # A folded value. Ours are of one line, so that this one no longer has the right shape.
            token, value = found[-1]
            found[-1] = (token, f"{value}\n{line}")
            continue
        trailer = _TRAILER.fullmatch(line)
        if not trailer:
            return ()
        found.append((trailer["token"], trailer["value"].strip(" \t")))
    return found
