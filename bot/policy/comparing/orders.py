"""What "weaker" and "stricter" mean of one field: the orders that a comparison and a floor share. Pure.

Weaker is whatever lets a release move that was not let move before, or leaves one in place that was taken back before.
Where nobody can tell without looking, as of another query, it is only `changed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from bot.domain.text import one_line

T = TypeVar("T")
V = TypeVar("V")

_WIDEST = 100
_AROUND = 20


class Way(StrEnum):
    """What became of a field: `weaker`, `stricter`, or `changed`, of which nobody can say either without looking."""

    WEAKER = "weaker"
    STRICTER = "stricter"
    CHANGED = "changed"

    @property
    def opposite(self) -> Way:
        """What it is when the new one becomes the old one again."""
        return {Way.WEAKER: Way.STRICTER, Way.STRICTER: Way.WEAKER}.get(self, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that is not as it was. `path` names stages and gates: `stages[staging].gates[errors].limit`."""

    way: Way
    path: str
    old: str
    new: str

    def __str__(self) -> str:
        """Return `1 % -> 2 %`; of long texts what comes before their first difference is cut off."""
        return f"{shortened(self.old, beside=self.new)} -> {shortened(self.new, beside=self.old)}"


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


class _Titled(Protocol):
    @property
    def title(self) -> str: ...


Judge = Callable[[V, V], Way | None]
"""Compares an old value with a new one; None where they mean the same."""
O = TypeVar("O", bound=_Ordered)  # noqa: E741 - of what has an order


def lower_is_stricter(old: O, new: O) -> Way | None:
    """Judge a limit."""
    if new < old:
        return Way.STRICTER
    return Way.WEAKER if old < new else None


def higher_is_stricter(old: O, new: O) -> Way | None:
    """Judge a least value."""
    return lower_is_stricter(new, old)


def differs(old: object, new: object) -> Way | None:
    """Judge what has no order."""
    return None if old == new else Way.CHANGED


def fewer_is_stricter(old: Iterable[object], new: Iterable[object]) -> Way | None:
    """Judge what is allowed: one of these."""
    return within(set(new) <= set(old), set(old) <= set(new))


def more_is_stricter(old: Iterable[object], new: Iterable[object]) -> Way | None:
    """Judge what is required: all of these."""
    return fewer_is_stricter(new, old)


def within(new_in_old: bool, old_in_new: bool) -> Way | None:  # noqa: FBT001 - two sides of one question
    """Judge what lets something through, by which lets through no more than the other."""
    if new_in_old and old_in_new:
        return None
    if new_in_old:
        return Way.STRICTER
    return Way.WEAKER if old_in_new else Way.CHANGED


def nothing_is_weakest(judge: Judge[V]) -> Judge[V | None]:
    """Return the same judge for what need not be there: without it nothing is asked for."""

    def judged(old: V | None, new: V | None) -> Way | None:
        if old is None or new is None:
            return higher_is_stricter(old is not None, new is not None)
        return judge(old, new)

    return judged


def ranked(*words: V) -> Judge[V]:
    """Return a judge of words in the order from the weakest to the strictest."""
    return lambda old, new: higher_is_stricter(words.index(old), words.index(new))


def together(*ways: Way | None) -> Way | None:
    """Return what several fields come to that mean something only together."""
    found = {way for way in ways if way is not None}
    if not found:
        return None
    return found.pop() if len(found) == 1 else Way.CHANGED


# --- fields of a value -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect(Generic[T]):
    """One thing to compare of two values: the `fields` of the class that it is made of, and the policy's `key` for it.

    An empty key means the value as a whole. A key may depend on the value.
    """

    fields: tuple[str, ...]
    key: str | Callable[[T], str]
    judge: Callable[[T, T], Way | None]
    show: Callable[[T], str]


def aspect(fields: str, key: str, get: Callable[[T], V], judge: Judge[V], show: Callable[[V], str]) -> Aspect[T]:
    """Return the aspect that `get` takes out of a value; `fields` are their names, parted by spaces."""
    return Aspect(
        fields=tuple(fields.split()),
        key=key,
        judge=lambda old, new: judge(get(old), get(new)),
        show=lambda value: show(get(value)),
    )


def changes(aspects: Sequence[Aspect[T]], old: T, new: T, path: str) -> Iterator[Change]:
    """Give what is different of two values, aspect by aspect."""
    for one in aspects:
        way = one.judge(old, new)
        if way is not None:
            key = one.key if isinstance(one.key, str) else one.key(new)
            yield Change(way=way, path=below(path, key), old=one.show(old), new=one.show(new))


def of_one_kind(
    aspects: Mapping[type, Sequence[Aspect[Any]]], old: _Titled, new: _Titled, path: str
) -> Iterator[Change]:
    """Give what is different of two rules, aspect by aspect if they are of one kind, else as a whole."""
    if type(old) is type(new):
        yield from changes(aspects[type(old)], old, new, path)
    else:
        yield Change(way=Way.CHANGED, path=path, old=old.title, new=new.title)


def below(path: str, key: str) -> str:
    """Return the path of a key below a path; either may be empty."""
    return ".".join(part for part in (path, key) if part)


# --- how values are shown --------------------------------------------------------------------------------------------


def said(value: object) -> str:
    """Show a value by its text; nothing where there is none."""
    return "nothing" if value is None else str(value)


def listed(values: Iterable[object]) -> str:
    """Show values in their order; nothing where there are none."""
    return ", ".join(str(value) for value in values) or "nothing"


def or_nothing(show: Callable[[V], str]) -> Callable[[V | None], str]:
    """Return how a value is shown that may be None."""
    return lambda value: "nothing" if value is None else show(value)


def shortened(text: str, *, beside: str) -> str:
    """Show of a long text what is different from another one, with a little of what is around it."""
    if len(text) <= _WIDEST and len(beside) <= _WIDEST:
        return one_line(text)
    same = _shared(text, beside)
    same_end = _shared(text[same:][::-1], beside[same:][::-1])
    begin, end = max(0, same - _AROUND), min(len(text), len(text) - same_end + _AROUND)
    shown = one_line(text[begin:end], limit=_WIDEST)
    return f"{'…' if begin else ''}{shown}{'…' if end < len(text) else ''}"


def _shared(one: str, other: str) -> int:
    """Return for how many characters two texts are the same from their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))
