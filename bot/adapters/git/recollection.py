"""Remember answers that can never change, up to a number of bytes: what a file says at a commit, a commit's history."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

T = TypeVar("T")

_DEFAULT_BYTES = 32 * 1024 * 1024
_ENTRY_BYTES = 512


class Recollection:
    """A cache of immutable answers; the one unused longest goes first. Not safe without its owner's lock."""

    def __init__(self, max_bytes: int = _DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()

    def recall(self, key: Hashable, make: Callable[[], T], *, weigh: Callable[[T], int]) -> T:
        """Return the kept answer, or make it and keep it. `weigh` says about how many bytes an answer takes."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return cast("T", self._kept[key][0])
        value = make()
        self._keep(key, value, weigh(value) + _ENTRY_BYTES)
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0

    def _keep(self, key: Hashable, value: object, weight: int) -> None:
        if weight > self._max_bytes // 8:
            return
        self._kept[key] = (value, weight)
        self._bytes += weight
        while self._bytes > self._max_bytes:
            self._bytes -= self._kept.popitem(last=False)[1][1]
