"""Follow the watch stream of one Argo CD server, so that a sweep need not read the list of all applications.

Enter the stream's JSON lines (`/api/v1/stream/applications`) and the full lists that `read_list` gives. Leaves a
`snapshot`. A snapshot without a new full list is given only if the stream is connected, has brought an event since, a
full list was asked for after that event and came, that list is younger than `relist`, and the last sign of life (event
or full list) is younger than `silence` (`Mirror.is_trusted`). Otherwise `snapshot` reads the full list now, as if there
were no stream, and what comes of that stands. So the stream can only save work: no state of it hides an error of the
list, and none makes a sweep wait for it. It never writes, never waits or does I/O under the lock that all share, and
never keeps an entry that is not slim.

The stream is asked for as plain JSON lines: these Argo CD compresses, to about a tenth. As `text/event-stream` they
would come with a heartbeat every 15 s, but uncompressed. Without a heartbeat a stream that has died silently and one
that has nothing to tell look alike; both are opened anew after `silence`, at the cost of one small request.

Races named: the ones of `Mirror`; an event that lies unread in the connection while a snapshot is taken is in the next
one. A token that was revoked still reads the stream that it opened, until a full list is refused. `close` cuts a
connection that is open or being spoken to; one that is still being made (name, TCP) ends by its own deadline, in a
thread that nobody waits for.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx

from bot.adapters.argocd_items import Event, ListAnswer, Mirror, key_of, slim
from bot.adapters.argocd_json import Json
from bot.adapters.http import (
    Answer,
    Endpoint,
    pairs,
    quote,
    raise_for_overload,
    read_token,
    refusal,
    tls_context,
    unreachable,
)
from bot.ports import OutsideError, Permanent, Transient

__all__ = ["ListAnswer", "Pace", "Watch", "WatchCost", "parse_event", "split_lines"]

_STREAM = "/api/v1/stream/applications"
_LONGEST_LINE = 8 * 1024 * 1024
_LONGEST_REFUSAL = 800
_KINDS = ("ADDED", "MODIFIED", "DELETED")
_CLOSING_SECONDS = 5.0
_RANDOM = random.SystemRandom()


class MalformedLine(ValueError):
    """The stream told something that is no event: an error, half a line, or nothing of Argo CD's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long to wait before the stream is opened again: longer after each failure, long where a person must act.

    `clock` gives the monotonic seconds by which lists and events age.
    """

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=30)
    refused: timedelta = timedelta(minutes=1)
    connecting: timedelta = timedelta(seconds=10)
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCost:
    """What a watch has cost so far: bytes of the stream's bodies as they came over the wire, and how often what."""

    bytes: int = 0
    events: int = 0
    lists: int = 0
    connections: int = 0


class Watch:
    """A mirror of one server's applications. Safe to share between threads.

    `read_list` reads a full list, its entries slim already; it may raise or return an `OutsideError`. `params` narrow
    the stream and should be those of the list.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        read_list: Callable[[], ListAnswer | OutsideError],
        *,
        params: Mapping[str, str | Sequence[str]],
        relist: timedelta = timedelta(minutes=5),
        silence: timedelta = timedelta(seconds=60),
        pace: Pace | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._read_list = read_list
        self._params = params
        self._silence = silence.total_seconds()
        self._pace = pace or Pace()
        self._thread = threading.Thread(target=self._run, name="argocd-watch", daemon=True)
        self._closing = threading.Event()
        self._has_list = threading.Event()
        self._listing = threading.Lock()
        self._lock = threading.Lock()
        """Guards all that follows."""
        self._mirror = Mirror(relist=relist, silence=silence)
        self._cost = WatchCost()
        self._trouble = ""
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Follow the stream from the first full list on. Until then there is nothing that it could renew."""
        self._thread.start()

    def close(self) -> None:
        """End the stream and its thread, whatever it waits for. May be called again."""
        self._closing.set()
        self._has_list.set()
        with self._lock:
            connection = self._socket
        _cut(connection)
        if self._thread.ident is not None:
            self._thread.join(timeout=_CLOSING_SECONDS)

    def snapshot(self) -> tuple[Json, ...] | OutsideError:
        """Return the newest known entry of each application, or why the full list that was needed did not come."""
        trusted = self._trusted()
        if trusted is not None:
            return trusted
        with self._listing:
            trusted = self._trusted()
            return trusted if trusted is not None else self._list()

    def cost(self) -> WatchCost:
        """Return what it has cost so far."""
        with self._lock:
            return self._cost

    def describe(self) -> str:
        """Say in one sentence for people how the stream is doing."""
        with self._lock:
            trouble, events = self._trouble or "it was not asked for yet", self._cost.events
            is_connected = self._mirror.is_connected
            is_trusted = self._mirror.is_trusted(self._pace.clock())
        if self._closing.is_set():
            return "The watch stream is closed."
        if is_trusted:
            return f"The watch stream is followed ({events} events so far) and stands in for the list."
        if is_connected:
            return "The watch stream is followed; the next look reads the whole list, so that nothing is missing."
        return f"The watch stream is not open ({trouble}); every look reads the whole list."

    # --- for a sweep ---

    def _trusted(self) -> tuple[Json, ...] | None:
        with self._lock:
            return self._mirror.items() if self._mirror.is_trusted(self._pace.clock()) else None

    def _list(self) -> tuple[Json, ...] | OutsideError:
        with self._lock:
            begun = self._mirror.begin_list(self._pace.clock())
            self._cost = replace(self._cost, lists=self._cost.lists + 1)
        try:
            answer = self._read_list()
        except OutsideError as error:
            return error
        if isinstance(answer, OutsideError):
            return answer
        if any(key_of(item) is None for item in answer.items):
            # It is of no use as it is, and the caller says so; nor is it a list that repairs anything.
            return answer.items
        with self._lock:
            self._mirror.merge(begun, answer)
            items = self._mirror.items()
        self._has_list.set()
        return items

    # --- the thread ---

    def _run(self) -> None:
        self._has_list.wait()
        failures = 0
        while not self._closing.is_set():
            before = self.cost().events
            error = self._follow()
            failures = 0 if self.cost().events > before else failures + 1
            self._closing.wait(self._pause(error, failures))

    def _follow(self) -> OutsideError | None:
        """Follow the stream until it ends. None: it told nothing for so long that it may be dead."""
        try:
            self._read_events()
            return self._note_end(self._endpoint.transient("ended its stream"), "it was ended")
        except httpx.ReadTimeout:
            return self._note_end(None, f"it told nothing for {self._silence:g} s, and is opened anew")
        except MalformedLine as error:
            return self._note_end(self._endpoint.transient(str(error)), str(error))
        except OutsideError as error:
            return self._note_end(error, error.sentence)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            found = unreachable(self._endpoint, error)
            return self._note_end(found, found.sentence)
        finally:
            self._note_end(None, "")

    def _read_events(self) -> None:
        with self._opened() as response:
            for line in split_lines(self._chunks(response)):
                self._take(line)

    def _note_end(self, error: OutsideError | None, trouble: str) -> OutsideError | None:
        with self._lock:
            self._mirror.disconnect()
            self._socket = None
            self._trouble = trouble or self._trouble
        return error

    def _pause(self, error: OutsideError | None, failures: int) -> float:
        """Return the seconds to wait, spread so that the bots of a company do not come all at once."""
        pace = self._pace
        seconds = min(pace.first.total_seconds() * 2 ** min(max(failures - 1, 0), 16), pace.longest.total_seconds())
        if error is None:
            seconds = pace.first.total_seconds()
        if isinstance(error, Permanent):
            seconds = pace.refused.total_seconds()
        asked = error.retry_after.total_seconds() if isinstance(error, Transient) and error.retry_after else 0.0
        return _RANDOM.uniform(seconds / 2, seconds) + asked

    @contextlib.contextmanager
    def _opened(self) -> Iterator[httpx.Response]:
        """Ask for the stream. Argo CD sends the head of its answer with the first event only."""
        token = read_token(self._endpoint)
        headers = {"user-agent": "liftlock", "accept": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        timeout = httpx.Timeout(self._silence, connect=self._pace.connecting.total_seconds())
        with (
            httpx.Client(verify=tls_context(self._endpoint), follow_redirects=False, timeout=timeout) as client,
            client.stream("GET", self._url(), headers=headers, extensions={"trace": self._note_connection}) as response,
        ):
            self._check(response)
            with self._lock:
                self._mirror.connect()
                self._cost = replace(self._cost, connections=self._cost.connections + 1)
            yield response

    def _url(self) -> httpx.URL:
        with self._lock:
            resumed = self._mirror.resume_from
        # Without a version Argo CD would tell all applications first. It replays nothing: it only leaves out what is
        # older than the version, so a newer one than the last full list's would lose what another replica tells late.
        return httpx.URL(self._endpoint.base + _STREAM, params=[*pairs(self._params), ("resourceVersion", resumed)])

    def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        body = b"" if response.status_code < 400 else next(response.iter_bytes(_LONGEST_REFUSAL), b"")
        answer = Answer(status=response.status_code, headers=dict(response.headers), body=body)
        raise_for_overload(self._endpoint, answer)
        refused = refusal(self._endpoint, answer, tried="watch its applications")
        raise refused or self._endpoint.transient("answered no stream")

    def _note_connection(self, name: str, told: Mapping[str, object]) -> None:
        """Keep the socket, which no response gives before its head has come (httpcore's `trace` extension)."""
        if not name.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        ask = getattr(told.get("return_value"), "get_extra_info", None)
        found: object = ask("socket") if callable(ask) else None
        if not isinstance(found, socket.socket):
            return
        with self._lock:
            self._socket = found
        if self._closing.is_set():
            # `close` may have looked just before there was a socket to cut.
            _cut(found)

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        counted = 0
        for chunk in response.iter_bytes():
            came, counted = response.num_bytes_downloaded - counted, response.num_bytes_downloaded
            with self._lock:
                self._cost = replace(self._cost, bytes=self._cost.bytes + came)
            yield chunk

    def _take(self, line: bytes) -> None:
        event = parse_event(line)
        with self._lock:
            self._mirror.apply(event, self._pace.clock())
            self._cost = replace(self._cost, events=self._cost.events + 1)


def split_lines(chunks: Iterable[bytes], *, longest: int = _LONGEST_LINE) -> Iterator[bytes]:
    """Give the lines that are not empty; refuse one that is too long, or that the end cuts off."""
    rest = bytearray()
    for chunk in chunks:
        head, *more = chunk.split(b"\n")
        rest += head
        for piece in more:
            if rest.strip():
                yield bytes(rest)
            rest = bytearray(piece)
        if len(rest) > longest:
            raise MalformedLine(f"it told a line of more than {longest} bytes")
    if rest.strip():
        raise MalformedLine("it was cut off in the middle of a line")


def parse_event(line: bytes) -> Event:
    """Parse one line of the stream; its entry is slim."""
    try:
        told: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedLine("it told a line that is no JSON") from error
    if isinstance(told, dict) and told.get("error") is not None:
        raise MalformedLine(f"it told an error: {_message(told['error'])}")
    result = told.get("result") if isinstance(told, dict) else None
    item = result.get("application") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(item, dict) or result.get("type") not in _KINDS:
        raise MalformedLine("it told something that is no event")
    if key_of(item) is None:
        raise MalformedLine("it told of an application without a name")
    return Event(item=slim(item), is_deletion=result["type"] == "DELETED")


def _message(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return quote(message) if isinstance(message, str) else "without a message"


def _cut(connection: socket.socket | None) -> None:
    """Wake whoever reads from a connection: that is what ends a blocked read in another thread."""
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
