"""Trees made of other trees: what is left out of a value, and how large one is. Each value keeps its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How large a value is: its values, itself among them, their characters, and the places in them, by place."""

    values: int
    characters: int
    places: Sequence[int]

    @classmethod
    def of(cls, value: Value, *places: str) -> Weight:
        """Weigh a value, with how often each of some places stands in its texts."""
        texts = [one.text for one in below(value)]
        found = [sum(text.count(place) for text in texts) for place in places]
        return cls(values=len(texts), characters=sum(map(len, texts)), places=found)

    def filled(self, *words: str) -> int:
        """Return how many characters there are at most with a word in each of the places."""
        return self.characters + sum(many * len(word) for many, word in zip(self.places, words, strict=True))
