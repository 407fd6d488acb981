"""Trees made of other trees: what is left out of a value, and how large one is. Each value keeps its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from bot.policy.tree import Value


def without(value: Value, left_out: Collection[str]) -> Value:
    """Return a mapping without some of its keys."""
    return replace(
        value,
        entries={key: one for key, one in (value.entries or {}).items() if key not in left_out},
        keys={key: place for key, place in (value.keys or {}).items() if key not in left_out},
    )


def below(value: Value) -> Iterator[Value]:
    """Give a value and all that are in it."""
    yield value
    for one in (*(value.entries or {}).values(), *value.items):
        yield from below(one)


def count(value: Value) -> int:
    """Return how many values there are in one, itself among them."""
    return sum(1 for _ in below(value))
