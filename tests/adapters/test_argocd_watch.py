"""The watch stream: what is kept of an entry, the bookkeeping by its laws, and the thread against a real server."""

from __future__ import annotations

import http.server
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.argocd_application import parse_application
from bot.adapters.argocd_items import MEMORY, Event, ListAnswer, Mirror, slim
from bot.adapters.argocd_json import Json
from bot.adapters.argocd_watch import MalformedLine, Pace, Watch, parse_event, split_lines
from bot.adapters.http import Endpoint, HttpClient, Question, parse_json
from bot.lab.serving import Served
from bot.ports import OutsideError, Transient
from tests.adapters.tls import serving_tls
from tests.lab.argo_world import APP, ArgoWorld

NEW, OURS = "b" * 40, "https://github.com/acme/deploy.git"
RELIST, SILENCE = timedelta(minutes=5), timedelta(seconds=60)
PATIENCE_SECONDS = 30.0
END, CUT = "end", "cut"


class Ticks:
    """Monotonic seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.002)


def an_item(name: str = "checkout", version: int | str = 7, *, uid: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "argocd", "uid": uid or f"{name}-1", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"source": {"repoURL": OURS, "path": "apps"}}, "status": {}} | more


def a_resource(name: str, *, status: str = "Synced", health: str | None = "Healthy", **more: Any) -> dict[str, Any]:
    told = {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": name, "status": status}
    return told | ({"health": {"status": health}} if health else {}) | more


# --- what is kept of one entry ---------------------------------------------------------------------------------------

FAT = {
    "repoURL": OURS,
    "path": "apps",
    "targetRevision": "main",
    "helm": {"values": "a: 1"},
    "kustomize": {"images": []},
}
THIN = {"repoURL": OURS, "path": "apps", "targetRevision": "main"}
CHART = {
    "repoURL": "https://charts.example.com",
    "chart": "redis",
    "ref": "values",
    "name": "cache",
    "plugin": {"env": []},
}
THIN_CHART = {"repoURL": "https://charts.example.com", "chart": "redis", "ref": "values", "name": "cache"}


def a_whole_item() -> dict[str, Any]:
    order = {"revision": NEW, "source": FAT, "sources": [FAT, CHART], "manifests": ["kind: Pod"]}
    return {
        "metadata": {
            "name": "checkout",
            "namespace": "argocd",
            "uid": "u",
            "resourceVersion": "7",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionTimestamp": "2026-03-01T00:00:00Z",
            "labels": {"team": "shop"},
            "annotations": {"liftlock.dev/authorized-stage": "checkout:staging", "notes": "x" * 999},
            "managedFields": [{"manager": "argocd"}],
        },
        "spec": {
            "project": "default",
            "source": FAT,
            "sources": [FAT, CHART],
            "syncPolicy": {"automated": {"prune": True}},
            "sourceHydrator": {"drySource": FAT, "syncSource": {"targetBranch": "env/staging", "path": "."}},
        },
        "operation": {"sync": order, "retry": {"limit": 5}},
        "status": {
            "sync": {
                "status": "Synced",
                "revision": NEW,
                "comparedTo": {"source": FAT, "destination": {"server": "x"}},
            },
            "health": {"status": "Healthy", "lastTransitionTime": "2026-03-01T12:00:00Z"},
            "reconciledAt": "2026-03-01T12:05:00Z",
            "conditions": [{"type": "SyncError", "message": "no"}],
            "summary": {"images": ["ghcr.io/acme/checkout:1"]},
            "sourceHydrator": {"currentOperation": {"phase": "Hydrated", "drySHA": NEW, "hydratedSHA": NEW}},
            "history": [{"id": 1, "revision": NEW, "deployedAt": "2026-03-01T11:00:00Z", "source": FAT}],
            "operationState": {
                "phase": "Succeeded",
                "message": "ok",
                "startedAt": "2026-03-01T11:00:00Z",
                "finishedAt": "2026-03-01T11:01:00Z",
                "retryCount": 2,
                "operation": {"sync": order, "retry": {"limit": 5}},
                "syncResult": {"revision": NEW, "source": FAT, "resources": [a_resource("a")]},
            },
            "resources": [a_resource("a"), a_resource("b", status="OutOfSync", syncWave=3, hook=True)],
        },
    }


def test_what_nobody_reads_is_dropped_and_all_else_stays() -> None:
    order = {"revision": NEW, "source": THIN, "sources": [THIN, THIN_CHART]}
    wanted = a_whole_item()
    wanted["metadata"]["annotations"] = {"liftlock.dev/authorized-stage": "checkout:staging"}
    del wanted["metadata"]["managedFields"]
    wanted["spec"] |= {"source": THIN, "sources": [THIN, THIN_CHART]}
    wanted["operation"]["sync"] = order
    status = wanted["status"]
    status["sync"]["comparedTo"]["source"] = THIN
    status["history"][0]["source"] = THIN
    status["operationState"]["operation"]["sync"] = order
    status["operationState"]["syncResult"] = {"revision": NEW, "source": THIN}
    status["resources"] = [
        {
            "group": "apps",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "b",
            "status": "OutOfSync",
            "health": {"status": "Healthy"},
            "syncWave": 3,
        }
    ]
    status["resourceCounts"] = {"outOfSync": 1, "requiresPruning": 0, "unhealthy": 0, "total": 2}
    assert slim(a_whole_item()) == wanted


def test_the_entry_that_is_given_is_not_changed() -> None:
    item = a_whole_item()
    slim(item)
    assert item == a_whole_item()


def test_the_parser_reads_the_same_from_a_slim_entry() -> None:
    item = a_whole_item()
    assert parse_application(slim(item), "x", counts=OURS.__eq__) == parse_application(item, "x", counts=OURS.__eq__)


def test_a_hundred_resources_out_of_sync_do_not_hide_the_one_that_is_degraded() -> None:
    many = [a_resource(f"r{number}", status="OutOfSync", health="Progressing") for number in range(100)]
    last = [a_resource("ill", health="Degraded"), a_resource("old", requiresPruning=True), a_resource("well")]
    status: Any = slim(an_item(status={"resources": [*many, *last]}))["status"]
    names = [one["name"] for one in status["resources"]]
    assert names == [*(f"r{number}" for number in range(18)), "ill", "old"]
    assert status["resourceCounts"] == {"outOfSync": 100, "requiresPruning": 1, "unhealthy": 101, "total": 103}


def test_a_resource_without_a_health_is_not_ill() -> None:
    status: Any = slim(an_item(status={"resources": [a_resource("a", health=None)]}))["status"]
    assert status["resources"] == []


WRONG_TYPES = [
    {"metadata": 3},
    {"spec": []},
    {"status": "x"},
    {"operation": True},
    {"metadata": {"annotations": 1}},
    {"spec": {"source": "x", "sources": {"a": 1}}},
    {"spec": {"sources": ["x", 1, None]}},
    {"status": {"sync": [], "history": {}, "operationState": 1, "resources": "x"}},
    {"status": {"sync": {"comparedTo": []}, "history": [1], "operationState": {"operation": 1, "syncResult": []}}},
    {"status": {"resources": [{"name": "a"}, 3]}},
    {"operation": {"sync": []}},
]


@pytest.mark.parametrize("item", WRONG_TYPES, ids=str)
def test_a_part_of_a_wrong_type_is_left_for_the_parser(item: dict[str, object]) -> None:
    assert slim(item) == item


_KEYS = (
    *("metadata", "spec", "status", "operation", "annotations", "managedFields", "source", "sources", "sync"),
    *("comparedTo", "history", "operationState", "syncResult", "resources", "health", "requiresPruning", "name"),
    *("resourceCounts", "helm", "repoURL", "manifests"),
)
_keys = st.sampled_from(_KEYS)
_values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["OutOfSync", "Healthy", "Degraded"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(_keys, _values))
def test_slimming_twice_is_slimming_once(item: dict[str, object]) -> None:
    once = slim(item)
    assert slim(once) == once


# --- the bookkeeping -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class History:
    """What happened to a few applications: after each change its event, and the list as it then was."""

    events: list[Event] = field(default_factory=list)
    lists: list[ListAnswer] = field(default_factory=lambda: [a_list(version=100)])
    there: dict[str, dict[str, Any]] = field(default_factory=dict)

    def change(self, name: str, *, deletes: bool) -> None:
        version = 101 + len(self.events)
        uid = self.there[name]["metadata"]["uid"] if name in self.there else f"{name}-{version}"
        if deletes and name not in self.there:
            return
        item = an_item(name, version, uid=uid)
        self.there = {key: value for key, value in self.there.items() if key != name} | (
            {} if deletes else {name: item}
        )
        self.events.append(Event(item=item, is_deletion=deletes))
        self.lists.append(a_list(*self.there.values(), version=version))


def a_list(*items: Json, version: int | str) -> ListAnswer:
    return ListAnswer(items=items, resource_version=str(version))


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    for name, deletes in draw(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12)):
        history.change(name, deletes=deletes)
    return history


def a_mirror() -> Mirror:
    return Mirror(relist=RELIST, silence=SILENCE)


def versions(mirror: Mirror) -> dict[str, str]:
    """Give name and version of what a mirror has."""
    told: list[Any] = list(mirror.items())
    assert len({one["metadata"]["name"] for one in told}) == len(told)
    return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in told}


def versions_there(history: History) -> dict[str, str]:
    return {name: item["metadata"]["resourceVersion"] for name, item in history.there.items()}


def merge(mirror: Mirror, answer: ListAnswer, *, at: float = 0.0) -> None:
    mirror.merge(mirror.begin_list(at), answer)


def tell(mirror: Mirror, item: Json, *, deleted: bool = False, at: float = 0.0) -> None:
    mirror.apply(Event(item=item, is_deletion=deleted), at)


@given(histories(), st.data())
def test_the_newest_version_wins_in_whatever_order_events_and_lists_come(history: History, data: st.DataObject) -> None:
    lists = data.draw(st.lists(st.sampled_from(history.lists), max_size=4))
    mirror = a_mirror()
    asked_early = mirror.begin_list(0.0)
    steps: list[Event | ListAnswer] = [*history.events, *lists]
    for step in data.draw(st.permutations(steps)):
        if isinstance(step, Event):
            mirror.apply(step, 0.0)
        else:
            mirror.merge(asked_early if data.draw(st.booleans()) else mirror.begin_list(0.0), step)
    assert versions(mirror) == versions_there(history)


@given(histories(), st.data())
def test_a_full_list_repairs_whatever_the_stream_lost(history: History, data: st.DataObject) -> None:
    steps: list[Event | ListAnswer] = [*history.events, *history.lists]
    mirror = a_mirror()
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=10)):
        if isinstance(step, Event):
            mirror.apply(step, 0.0)
        else:
            merge(mirror, step)
    merge(mirror, history.lists[-1])
    assert versions(mirror) == versions_there(history)


@given(histories(), st.data())
def test_what_was_deleted_never_comes_back(history: History, data: st.DataObject) -> None:
    steps: list[Event | ListAnswer] = [*history.events, *history.lists]
    mirror, gone = a_mirror(), set()
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=20)):
        if isinstance(step, Event):
            mirror.apply(step, 0.0)
            metadata: Any = step.item["metadata"]
            gone |= {metadata["uid"]} if step.is_deletion else set()
        else:
            merge(mirror, step)
        told: list[Any] = list(mirror.items())
        assert not gone & {one["metadata"]["uid"] for one in told}


def test_an_older_list_does_not_bring_back_what_a_newer_list_lacked() -> None:
    mirror = a_mirror()
    merge(mirror, a_list(version=100))
    merge(mirror, a_list(an_item("a", 80), an_item("b", 101), version=90))
    assert versions(mirror) == {"b": "101"}


def test_an_application_that_was_made_anew_comes_back() -> None:
    mirror = a_mirror()
    tell(mirror, an_item("a", 5, uid="first"), deleted=True)
    merge(mirror, a_list(an_item("a", 8, uid="second"), version=9))
    assert versions(mirror) == {"a": "8"}


def test_a_list_that_was_asked_for_before_an_event_does_not_remove_what_the_event_told() -> None:
    mirror = a_mirror()
    begun = mirror.begin_list(0.0)
    tell(mirror, an_item("a", 5))
    mirror.merge(begun, a_list(version=9))
    assert versions(mirror) == {"a": "5"}


def test_versions_that_are_no_numbers_are_ordered_by_when_they_came() -> None:
    mirror = a_mirror()
    begun = mirror.begin_list(0.0)
    tell(mirror, an_item("a", "x2"))
    mirror.merge(begun, a_list(an_item("a", "x1"), version="y"))
    assert versions(mirror) == {"a": "x2"}
    merge(mirror, a_list(an_item("a", "x3"), version="y"))
    assert versions(mirror) == {"a": "x3"}
    merge(mirror, a_list(version="y"))
    assert versions(mirror) == {}


def test_the_entry_of_an_event_stays_when_a_list_tells_the_same_version() -> None:
    mirror = a_mirror()
    tell(mirror, an_item("a", 5, status={"resources": ["of the stream"]}))
    merge(mirror, a_list(an_item("a", 5), version=9))
    assert mirror.items()[0]["status"] == {"resources": ["of the stream"]}


def test_a_store_that_was_restored_is_believed_after_a_while() -> None:
    mirror, later = a_mirror(), MEMORY.total_seconds() + 1
    tell(mirror, an_item("a", 1000))
    tell(mirror, an_item("b", 1001), deleted=True)
    merge(mirror, a_list(an_item("a", 1000), version=1001))
    restored = a_list(an_item("a", 500), an_item("b", 400), an_item("c", 450), version=500)
    merge(mirror, restored, at=1.0)
    assert versions(mirror) == {"a": "1000"}
    merge(mirror, restored, at=later)
    assert versions(mirror) == {"a": "500", "b": "400", "c": "450"}


def test_deletions_are_forgotten_after_a_while() -> None:
    mirror = a_mirror()
    for number in range(100):
        tell(mirror, an_item(f"preview-{number}", number), deleted=True)
    merge(mirror, a_list(version=200), at=MEMORY.total_seconds() + 1)
    assert len(mirror._told) == 0


# connected, event, list after it | relist passed | silence passed | trusted
#   yes      yes        yes       |      no       |      no        |   yes
#   any of these missing          |      no       |      no        |   no
#   yes      yes        yes       |      yes      |      no        |   no
#   yes      yes        yes       |      no       |      yes       |   no


def a_trusted_mirror() -> Mirror:
    mirror = a_mirror()
    mirror.connect()
    tell(mirror, an_item("a", 5))
    merge(mirror, a_list(an_item("a", 5), version=5))
    return mirror


def test_a_stream_is_trusted_after_an_event_and_a_full_list_that_was_asked_for_since() -> None:
    assert a_trusted_mirror().is_trusted(59.0)


@pytest.mark.parametrize("missing", ["connection", "event", "list", "list after the event"])
def test_a_stream_is_not_trusted_if_anything_is_missing(missing: str) -> None:
    mirror = a_mirror()
    begun = mirror.begin_list(0.0)
    if missing != "connection":
        mirror.connect()
    if missing != "event":
        tell(mirror, an_item("a", 5))
    if missing == "list after the event":
        mirror.merge(begun, a_list(version=5))
    elif missing != "list":
        merge(mirror, a_list(version=5))
    assert not mirror.is_trusted(0.0)


def test_a_new_connection_has_to_earn_its_trust_anew() -> None:
    mirror = a_trusted_mirror()
    mirror.disconnect()
    assert not mirror.is_trusted(1.0)
    mirror.connect()
    tell(mirror, an_item("a", 6), at=1.0)
    assert not mirror.is_trusted(1.0)
    merge(mirror, a_list(version=6), at=1.0)
    assert mirror.is_trusted(1.0)


def test_a_full_list_is_wanted_after_its_time_although_events_come() -> None:
    mirror = a_trusted_mirror()
    tell(mirror, an_item("a", 6), at=299.0)
    assert mirror.is_trusted(299.0)
    assert not mirror.is_trusted(300.0)


def test_an_event_is_a_sign_of_life_and_its_absence_ends_the_trust() -> None:
    mirror = a_trusted_mirror()
    tell(mirror, an_item("a", 6), at=50.0)
    assert mirror.is_trusted(109.0)
    assert not mirror.is_trusted(110.0)


# --- lines -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\n", b""))), st.data())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    places = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    chunks = [whole[first:last] for first, last in zip([0, *places], [*places, len(whole)], strict=True)]
    assert list(split_lines(chunks)) == [line for line in lines if line.strip()]


@pytest.mark.parametrize("chunks", [[b"a\n", b"123456"], [b"123", b"456"]], ids=["after a line", "in pieces"])
def test_a_line_that_is_too_long_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(MalformedLine, match="more than 5 bytes"):
        list(split_lines(chunks, longest=5))


def test_half_a_line_at_the_end_is_no_event() -> None:
    lines = split_lines([b"{}\n{"])
    assert next(lines) == b"{}"
    with pytest.raises(MalformedLine, match="cut off"):
        next(lines)


MALFORMED = {
    "no JSON": (b"<html>", "no JSON"),
    "deep": (b"[" * 100_000, "no JSON"),
    "a list": (b"[]", "no event"),
    "an error": (b'{"error":{"http_code":401,"message":"token\\u001b expired"}}', "an error: token expired"),
    "another error": (b'{"error":3}', "without a message"),
    "no application": (b'{"result":{"type":"ADDED"}}', "no event"),
    "no kind": (b'{"result":{"application":{"metadata":{"name":"a"}}}}', "no event"),
    "a strange kind": (b'{"result":{"type":["ADDED"],"application":{}}}', "no event"),
    "no name": (b'{"result":{"type":"ADDED","application":{"metadata":{}}}}', "without a name"),
}


@pytest.mark.parametrize(("line", "said"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_told_in_words(line: bytes, said: str) -> None:
    with pytest.raises(MalformedLine, match=said):
        parse_event(line)


# --- the thread ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Connection:
    """One request for the stream, and what it is to be told."""

    query: dict[str, list[str]]
    authorization: str
    told: queue.Queue[bytes | str] = field(default_factory=queue.Queue)

    def tell(self, kind: str, item: Json) -> None:
        self.told.put(json.dumps({"result": {"type": kind, "application": item}}).encode() + b"\n")

    def tell_raw(self, line: bytes) -> None:
        self.told.put(line)

    def end(self, how: str = END) -> None:
        self.told.put(how)


class Argo:
    """A server that holds streams open, as Argo CD does: its head comes with the first event. `listed` is its list."""

    def __init__(self) -> None:
        self.tokens = {"t0ken"}
        self.listed = a_list(an_item("checkout", 7), version=7)
        self.lists = 0
        self.refused = 0
        self.connections: list[Connection] = []
        self.port = 0
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        for connection in self.connections:
            connection.end(CUT)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def read_list(self) -> ListAnswer:
        self.lists += 1
        return self.listed

    def connection(self, number: int = 0) -> Connection:
        eventually(lambda: len(self.connections) > number)
        return self.connections[number]

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        argo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                argo._follow(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server passes
                pass

        return Handler

    def _follow(self, request: http.server.BaseHTTPRequestHandler) -> None:
        authorization = request.headers.get("authorization", "")
        if authorization.removeprefix("Bearer ") not in self.tokens:
            self.refused += 1
            request.send_error(401)
            return
        connection = Connection(query=parse_qs(urlsplit(request.path).query), authorization=authorization)
        self.connections.append(connection)
        piece = connection.told.get()
        if piece == CUT:
            return
        request.send_response(200)
        request.send_header("transfer-encoding", "chunked")
        request.end_headers()
        while isinstance(piece, bytes):
            request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            piece = connection.told.get()
        if piece == END:
            request.wfile.write(b"0\r\n\r\n")


@pytest.fixture(name="argo")
def fixture_argo() -> Iterator[Argo]:
    argo = Argo()
    argo.start()
    yield argo
    argo.stop()


@pytest.fixture(name="ticks")
def fixture_ticks() -> Ticks:
    return Ticks()


@contextmanager
def watching(argo: Argo, ticks: Ticks, **changes: Any) -> Iterator[Watch]:
    """Watch a server, after the first list. It is opened again at once; the silence of the socket is a long one."""
    soon = timedelta(milliseconds=5)
    pace = Pace(first=soon, longest=soon, refused=soon, clock=ticks)
    endpoint = Endpoint(system="Argo CD", url=argo.url, token=changes.pop("token", lambda: "t0ken"))
    given: dict[str, Any] = {"params": {}, "relist": RELIST, "silence": SILENCE, "pace": pace} | changes
    watch = Watch(endpoint, given.pop("read_list", argo.read_list), **given)
    watch.start()
    try:
        names(watch)
        yield watch
    finally:
        watch.close()


def names(watch: Watch) -> dict[str, str]:
    """Take a snapshot: name and version of each application."""
    found = watch.snapshot()
    assert not isinstance(found, OutsideError), found
    metadata: list[Any] = [one["metadata"] for one in found]
    return {one["name"]: one["resourceVersion"] for one in metadata}


def heard(watch: Watch, events: int) -> None:
    eventually(lambda: watch.cost().events >= events)


def trust(argo: Argo, watch: Watch, number: int = 0) -> Connection:
    """Let a connection earn its trust: a first event, and a list after it."""
    connection, before = argo.connection(number), watch.cost().events
    connection.tell("MODIFIED", an_item("checkout", 7))
    heard(watch, before + 1)
    names(watch)
    return connection


def test_events_stand_in_for_the_list_once_the_stream_is_trusted(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks) as watch:
        connection, lists = trust(argo, watch), argo.lists
        connection.tell("MODIFIED", an_item("checkout", 8))
        connection.tell("ADDED", an_item("cart", 9))
        connection.tell("DELETED", an_item("checkout", 10))
        heard(watch, 4)
        assert names(watch) == {"cart": "9"}
        assert argo.lists == lists
        assert "stands in for the list" in watch.describe()
        assert watch.cost().bytes > 0


def test_until_its_first_event_a_stream_saves_no_list(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks) as watch:
        argo.connection()
        before = argo.lists
        names(watch)
        names(watch)
        assert argo.lists == before + 2
        assert "not open" in watch.describe()


def test_the_stream_is_narrowed_as_the_list_and_begins_at_its_version(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks, params={"projects": ["shop", "cart"], "selector": "a=b"}):
        asked = argo.connection()
        assert asked.query == {"projects": ["shop", "cart"], "selector": ["a=b"], "resourceVersion": ["7"]}
        assert asked.authorization == "Bearer t0ken"


def test_what_was_lost_between_list_and_stream_is_repaired(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks) as watch:
        argo.listed = a_list(an_item("checkout", 7), an_item("made in between", 8), version=8)
        trust(argo, watch)
        lists = argo.lists
        assert names(watch) == {"checkout": "7", "made in between": "8"}
        assert argo.lists == lists


def test_a_full_list_is_read_again_after_its_time(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks) as watch:
        connection, lists = trust(argo, watch), argo.lists
        argo.listed = a_list(an_item("cart", 9), version=9)
        ticks.now += 299
        connection.tell("MODIFIED", an_item("checkout", 8))
        heard(watch, 2)
        assert names(watch) == {"checkout": "8"}
        ticks.now += 1
        assert names(watch) == {"cart": "9"}
        assert argo.lists == lists + 1


def test_a_silent_stream_is_not_believed(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks) as watch:
        trust(argo, watch)
        lists = argo.lists
        ticks.now += 60
        names(watch)
        assert argo.lists == lists + 1


def test_a_stream_that_died_silently_is_opened_anew(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks, silence=timedelta(milliseconds=100)) as watch:
        first = argo.connection()
        first.tell("MODIFIED", an_item("checkout", 7))
        argo.connection(1)
        eventually(lambda: "it told nothing for 0.1 s" in watch.describe())


@pytest.mark.parametrize(
    "line",
    [
        b'{"error":{"grpc_code":14,"http_code":503,"message":"transport is closing"}}\n',
        b'{"result":{"type":"MODIFIED","application":{"meta\n',
        b"<html>\n",
        b"x" * (8 * 1024 * 1024 + 1),
    ],
    ids=["error", "half an event", "foreign", "endless"],
)
def test_a_bad_line_ends_the_trust_and_the_stream_is_opened_anew(argo: Argo, ticks: Ticks, line: bytes) -> None:
    with watching(argo, ticks) as watch:
        connection = trust(argo, watch)
        argo.listed = a_list(an_item("cart", 9), version=9)
        connection.tell_raw(line)
        argo.connection(1)
        assert names(watch) == {"cart": "9"}
        trust(argo, watch, 1)
        lists = argo.lists
        names(watch)
        assert argo.lists == lists


@pytest.mark.parametrize("how", [END, CUT])
def test_a_stream_that_is_ended_or_cut_is_opened_anew_from_the_last_list(argo: Argo, ticks: Ticks, how: str) -> None:
    with watching(argo, ticks) as watch:
        connection = trust(argo, watch)
        argo.listed = a_list(an_item("checkout", 12), version=12)
        ticks.now += 301
        names(watch)
        connection.tell_raw(b'{"result":')
        connection.end(how)
        assert argo.connection(1).query["resourceVersion"] == ["12"]


def test_a_refused_token_is_read_again_when_the_stream_is_opened_again(argo: Argo, ticks: Ticks) -> None:
    tokens = ["0ld-token"]
    with watching(argo, ticks, token=lambda: tokens[-1]) as watch:
        eventually(lambda: argo.refused > 1)
        eventually(lambda: "refused the token when asked to watch its applications (401)" in watch.describe())
        tokens.append("t0ken")
        assert argo.connection().authorization == "Bearer t0ken"
        trust(argo, watch)
        assert "stands in for the list" in watch.describe()


def test_a_token_that_cannot_be_read_is_no_end_of_the_watch(argo: Argo, ticks: Ticks) -> None:
    tokens = [""]
    with watching(argo, ticks, token=lambda: tokens[-1]) as watch:
        eventually(lambda: "is empty" in watch.describe())
        tokens.append("t0ken")
        argo.connection()


def test_a_server_that_restarts_is_found_again(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks) as watch:
        trust(argo, watch)
        argo.stop()
        eventually(lambda: "could not be reached" in watch.describe())
        argo.start()
        trust(argo, watch, 1)
        lists = argo.lists
        names(watch)
        assert argo.lists == lists


def test_no_trust_is_left_when_the_server_is_gone(argo: Argo, ticks: Ticks) -> None:
    down = Transient("Argo CD", "is down")
    answers: list[ListAnswer | OutsideError] = [argo.listed, argo.listed, down]
    with watching(argo, ticks, read_list=lambda: answers.pop(0)) as watch:
        trust(argo, watch)
        argo.stop()
        eventually(lambda: "not open" in watch.describe())
        assert watch.snapshot() is down


def test_a_list_that_fails_stands_for_its_sweep_only(argo: Argo, ticks: Ticks) -> None:
    fails = [False, True, False]

    def read_list() -> ListAnswer:
        if fails.pop(0):
            raise Transient("Argo CD", "is down")
        return argo.listed

    with watching(argo, ticks, read_list=read_list) as watch:
        assert isinstance(watch.snapshot(), Transient)
        assert names(watch) == {"checkout": "7"}


def test_a_list_with_a_nameless_entry_is_handed_on_and_repairs_nothing(argo: Argo, ticks: Ticks) -> None:
    with watching(argo, ticks) as watch:
        argo.connection().tell("MODIFIED", an_item("checkout", 7))
        heard(watch, 1)
        whole, argo.listed = argo.listed, a_list({"metadata": {}}, version=9)
        assert watch.snapshot() == ({"metadata": {}},)
        argo.listed = whole
        assert names(watch) == {"checkout": "7"}


def test_a_slow_list_does_not_keep_events_waiting(argo: Argo, ticks: Ticks) -> None:
    goes_on, is_asked = threading.Event(), threading.Event()
    found: list[dict[str, str]] = []

    def read_slowly() -> ListAnswer:
        if argo.connections:
            is_asked.set()
            assert goes_on.wait(PATIENCE_SECONDS)
        return argo.listed

    with watching(argo, ticks, read_list=read_slowly) as watch:
        connection = argo.connection()
        sweep = threading.Thread(target=lambda: found.append(names(watch)))
        sweep.start()
        assert is_asked.wait(PATIENCE_SECONDS)
        connection.tell("MODIFIED", an_item("checkout", 8))
        connection.tell("DELETED", an_item("cart", 9))
        heard(watch, 2)
        assert not found
        goes_on.set()
        sweep.join()
    assert found == [{"checkout": "8"}]


@pytest.mark.parametrize("blocked", ["for the head", "for an event", "for the first list", "for its next try"])
def test_closing_ends_the_thread_whatever_it_waits_for(argo: Argo, ticks: Ticks, blocked: str) -> None:
    token = "wrong" if blocked == "for its next try" else "t0ken"
    endpoint = Endpoint(system="Argo CD", url=argo.url, token=lambda: token)
    long = timedelta(hours=1)
    watch = Watch(
        endpoint, argo.read_list, params={}, relist=RELIST, silence=long, pace=Pace(refused=long, clock=ticks)
    )
    watch.start()
    if blocked != "for the first list":
        names(watch)
    if blocked == "for its next try":
        eventually(lambda: "401" in watch.describe())
    elif blocked != "for the first list":
        connection = argo.connection()
        if blocked == "for an event":
            connection.tell("MODIFIED", an_item("checkout", 7))
            heard(watch, 1)
    watch.close()
    assert not watch._thread.is_alive()
    assert watch.describe() == "The watch stream is closed."
    watch.close()


def test_closing_ends_the_thread_that_reads_from_a_tls_connection(argo: Argo, tmp_path: Path) -> None:
    goes_on, is_asked = threading.Event(), threading.Event()

    def answer_late(path: str, headers: Mapping[str, str]) -> bytes:
        is_asked.set()
        assert goes_on.wait(PATIENCE_SECONDS)
        return b""

    with serving_tls(tmp_path, answer_late) as server:
        endpoint = Endpoint(system="Argo CD", url=server.url, ca_file=server.ca_file)
        watch = Watch(endpoint, argo.read_list, params={}, silence=timedelta(hours=1))
        watch.start()
        names(watch)
        assert is_asked.wait(PATIENCE_SECONDS)
        watch.close()
        goes_on.set()
        assert not watch._thread.is_alive()


def test_a_watch_that_was_never_started_can_be_closed(argo: Argo) -> None:
    Watch(Endpoint(system="Argo CD", url=argo.url), argo.read_list, params={}).close()


def read_list_of(endpoint: Endpoint) -> ListAnswer:
    with HttpClient(endpoint) as client:
        answer: Any = parse_json(endpoint, client.read(Question(path="/api/v1/applications")), expected="list")
    return a_list(*(slim(one) for one in answer["items"]), version=answer["metadata"]["resourceVersion"])


def test_the_stream_of_the_lab_is_followed(tmp_path: Path) -> None:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.add()
    world.run(10)
    with Served(world.argocd.app) as served:
        endpoint = Endpoint(system="Argo CD", url=served.url, token=lambda: world.argocd.token)
        watch = Watch(endpoint, lambda: read_list_of(endpoint), params={})
        watch.start()
        assert names(watch).keys() == {APP}
        eventually(lambda: watch.cost().connections == 1)
        commit = world.release("1.1")
        world.run(200)
        heard(watch, 1)
        names(watch)
        lists = watch.cost().lists
        eventually(lambda: commit in str(watch.snapshot()))
        assert watch.cost().lists == lists
        watch.close()
        world.argocd.stop()
