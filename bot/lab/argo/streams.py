"""The watch streams that are open, and what a script does to them: silence, loss, foreign and broken lines, an end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence

_STATUS_TEXTS = {401: "Unauthorized", 403: "Forbidden", 500: "Internal Server Error", 503: "Service Unavailable"}


class Feed:
    """What one open stream is about to send. Safe to use from any thread."""

    def __init__(self, *, is_silent: bool, is_ended: bool) -> None:
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._is_silent = is_silent
        self._is_ended = is_ended
        self._to_lose = 0
        self._cuts_next = False

    def hear(self, event: bytes) -> None:
        """Queue the line of an event, unless the script is against it."""
        with self._lock:
            if self._to_lose > 0:
                self._to_lose -= 1
            elif self._cuts_next:
                self._lines.append(event[: len(event) // 2])
                self._is_ended = True
            else:
                self._lines.append(event)

    def take(self) -> tuple[Sequence[bytes], bool]:
        """Return what is to be sent now, and whether the stream ends with it.

        Nothing is kept, also where the stream is silent. Both are read at once: a line that is said and an end that
        follows it may come between two looks, and the line would be lost.
        """
        with self._lock:
            lines, self._lines = self._lines, []
            return () if self._is_silent else lines, self._is_ended

    def say(self, lines: Iterable[bytes]) -> None:
        """Queue lines as they are."""
        with self._lock:
            self._lines.extend(lines)

    def silence(self) -> None:
        """Send nothing more."""
        self._is_silent = True

    def end(self) -> None:
        """End after what is queued."""
        self._is_ended = True

    def lose(self, count: int) -> None:
        """Do not queue the next events."""
        with self._lock:
            self._to_lose += count

    def cut_next(self) -> None:
        """Queue half of the next event, and end."""
        self._cuts_next = True


class Streams:
    """All open feeds. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Feed] = []
        self._silences_new = False
        self._ends_new = False

    def open(self) -> Feed:
        """Return the feed of a new stream."""
        with self._lock:
            feed = Feed(is_silent=self._silences_new, is_ended=self._ends_new)
            self._open.append(feed)
            return feed

    def close(self, feed: Feed) -> None:
        """Forget a feed whose client has gone."""
        with self._lock:
            self._open.remove(feed)

    def feeds(self) -> Sequence[Feed]:
        """Return the feeds that are open."""
        with self._lock:
            return tuple(self._open)

    def end(self, *, new_ones_too: bool) -> None:
        """End the open streams; with `new_ones_too`, each that is opened until `allow` after its first lines."""
        with self._lock:
            self._ends_new = new_ones_too
            for feed in self._open:
                feed.end()

    def allow(self) -> None:
        """Let new streams last."""
        with self._lock:
            self._ends_new = False

    def silence(self) -> None:
        """Keep the open streams and all new ones open without a word."""
        with self._lock:
            self._silences_new = True
            for feed in self._open:
                feed.silence()

    def unsilence(self) -> None:
        """Let new streams speak. Those that were silenced stay so: their events are gone."""
        with self._lock:
            self._silences_new = False


def error_line(code: int, status: int, message: str) -> bytes:
    """Render the error with which the real server's gateway ends a stream."""
    text = _STATUS_TEXTS.get(status, "")
    error = {"grpc_code": code, "http_code": status, "message": message, "http_status": text}
    return json.dumps({"error": error}, separators=(",", ":")).encode() + b"\n"
