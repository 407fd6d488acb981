"""Remember answers that can never change, up to a number of bytes: what a blob says, what a commit says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

_DEFAULT_BYTES = 32 * 1024 * 1024
_ENTRY_BYTES = 512


class Recollection:
    """A cache of immutable answers; the one unused longest goes first. Not safe without its owner's lock."""

    def __init__(self, max_bytes: int = _DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()

    def recall(self, key: Hashable) -> object | None:
        """Return a kept answer; None if there is none."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: Hashable, value: object, *, weight: int) -> None:
        """Keep an answer of about `weight` bytes, unless it would take too much of the room."""
        weight += _ENTRY_BYTES
        if weight > self._max_bytes // 8 or key in self._kept:
            return
        self._kept[key] = (value, weight)
        self._bytes += weight
        while self._bytes > self._max_bytes:
            self._bytes -= self._kept.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0
