"""Remember answers with their ETag, so that GitHub may answer “not modified”, which costs nothing of the limit.

GitHub's ETags are bound to the token: an App's installation token changes once an hour, and all entries of the old one
miss from then on and are pushed out by newer ones. Kept in memory only, at most so many bytes, least used first to go.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

_OVERHEAD = 700
"""What an entry takes beside its texts: two values, five strings and its place in the order, measured and rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it came. `link` is its header about further pages."""

    etag: str
    body: str
    link: str


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What an ETag belongs to: whose token asked (a digest, never the token), for which address, in which form."""

    asker: str
    url: str
    accept: str


def asker_of(token: str) -> str:
    """Return a name for a token that does not tell it."""
    return hashlib.sha256(token.encode()).hexdigest()


class AnswerCache:
    """Answers by key, up to `max_bytes` of memory. Safe to share between threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[CacheKey, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: CacheKey) -> Kept | None:
        """Return what is kept."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            return kept

    def keep(self, key: CacheKey, kept: Kept) -> None:
        """Keep an answer instead of an older one, and drop the least used ones until all fit."""
        with self._lock:
            self._drop(key)
            self._kept[key] = kept
            self._bytes += _size(key, kept)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))

    @property
    def size(self) -> int:
        """Return how many bytes are kept."""
        with self._lock:
            return self._bytes

    def _drop(self, key: CacheKey) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= _size(key, old)


def _size(key: CacheKey, kept: Kept) -> int:
    return _OVERHEAD + sum(_bytes_of(text) for text in (key.asker, key.url, kept.etag, kept.body, kept.link))


def _bytes_of(text: str) -> int:
    # Characters outside ASCII count as four bytes, which is what Python keeps at most for each.
    return len(text) if text.isascii() else 4 * len(text)
