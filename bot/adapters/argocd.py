"""What is running, from the REST API of one or several Argo CD servers: the port `Deployments`.

One `GET /api/v1/applications` a server serves all services of a sweep, or a watch stream does (`argocd_watch`). Both
ask for whole applications: the list's `fields=` knows a fixed set of names only (Argo CD's
`pkg/apiclient/application/forwarder_overwrite.go`, up to 3.3), in which `status.reconciledAt`, `status.conditions`, the
history and the operation's message are missing, and without these nothing can be called live. The heavy parts that
nobody reads are dropped as soon as they have been parsed.

Races named: the snapshot is as old as the sweep, never older (with a stream: as old as its rule of trust says); a sweep
that begins while a list is under way does not use that list. Between the look at an application's consent and the sync
somebody may take the consent away, or start a sync: Argo CD then refuses a second operation.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Self
from urllib.parse import quote as quote_path

import structlog

from bot.adapters.argocd_application import parse_application
from bot.adapters.argocd_index import Index, NamelessItem, full_name
from bot.adapters.argocd_items import slim_when_parsed
from bot.adapters.argocd_json import Json, MalformedItem
from bot.adapters.argocd_watch import ListAnswer, Watch
from bot.adapters.argocd_windows import why_blocked
from bot.adapters.http import Answer, Endpoint, HttpClient, Limits, Question, SlowAnswer, parse_json, quote, refusal
from bot.adapters.repository_url import is_repository
from bot.domain.argo import (
    DEFAULT_SERVER,
    Application,
    NoApplication,
    SelectedApplications,
    Target,
    application_name,
)
from bot.domain.model import Trouble
from bot.ports import Conflict, OutsideError, Permanent, SyncOrder, Transient

SYSTEM = "Argo CD"
_LIST = "/api/v1/applications"
LIST_LIMITS = Limits(deadline=timedelta(seconds=30), max_bytes=256 * 1024 * 1024)
"""About 20,000 applications of a dozen resources."""
_ONE_SECONDS = 10.0
_SWEEPS_KEPT, _SWEEPS_KNOWN = 10, 30
_MOST_WINDOW_QUESTIONS = 20
_MOST_REFRESHES, _REFRESH_SECONDS = 50, 3.0
"""How many refreshes are asked for in one sweep, and for how long Argo CD may take to note one."""
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(?:[a-z0-9][a-z0-9.-]{0,252}/)?[a-z0-9][a-z0-9.-]{0,252}\Z")

Found = tuple[Application | NoApplication | Trouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """How a server's stream is kept: a full list at least every `relist`, and after `silence` without a word."""

    relist: timedelta
    silence: timedelta


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What one sweep saw: the entries, or why there are none."""

    sweep: object
    found: Index | OutsideError


@dataclass(frozen=True, slots=True)
class _Window:
    """What was said of an application's sync windows, and in which sweep."""

    said: str
    sweep: int


class ArgoServer:
    """The applications of one Argo CD server. Safe to share between threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        name: str = DEFAULT_SERVER,
        forge_host: str | None = None,
        projects: Sequence[str] = (),
        limits: Limits = LIST_LIMITS,
        watch: WatchSettings | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._forge_host = forge_host
        self._client = HttpClient(endpoint, limits)
        self._params: Mapping[str, Sequence[str]] = {"projects": tuple(projects)} if projects else {}
        self._seconds = min(_ONE_SECONDS, limits.deadline.total_seconds())
        self._asking = threading.Lock()
        self._noting = threading.Lock()
        """Guards what is noted from sweep to sweep; never held while a server is asked."""
        self._full_names: dict[str, str] = {}
        self._sweep = object()
        self._kept: _Snapshot | None = None
        self._stream_said = ""
        self._sweeps = 0
        self._windows: dict[tuple[str, bool], _Window] = {}
        self._window_questions = self._refresh_questions = 0
        self._watch = self._watching(watch) if watch is not None else None

    def close(self) -> None:
        """Close all connections."""
        if self._watch is not None:
            self._watch.close()
        self._client.close()

    def begin_sweep(self) -> None:
        """Forget what the last sweep saw. The next look asks Argo CD again, or takes what the stream told."""
        with self._noting:
            self._sweep = object()
            self._window_questions = self._refresh_questions = 0
            self._sweeps += 1
            known = self._windows.items()
            self._windows = {key: kept for key, kept in known if self._sweeps - kept.sweep < _SWEEPS_KNOWN}
        if self._watch is not None:
            self._log_stream(self._watch.describe())

    def find(self, target: Target, *, repository: str, branch: str) -> Found:
        """Return the applications of a target as this sweep saw them; at least one answer, if only that there is none.

        A malformed entry is a `Trouble` under its name only. Where there is no list at all, so is the target.
        """
        found = self._snapshot()
        if isinstance(found, OutsideError):
            return (found.as_trouble(),)
        if isinstance(target, SelectedApplications):
            items = found.selected(target)
            if not items:
                return (NoApplication(name=target.shown, is_selector=True),)
            return tuple(self._parse(item, full_name(item), repository, branch) for item in items)
        items = found.named(target)
        if not items:
            return (NoApplication(name=target.shown),)
        if len(items) > 1:
            several = f"Argo CD has {len(items)} applications of this name; write namespace/name in the policy"
            return (Trouble(system=SYSTEM, sentence=f"{target.shown}: {several}"),)
        with self._noting:
            self._full_names[target.name] = full_name(items[0])
        return (self._parse(items[0], target.name, repository, branch),)

    def ask_refresh(self, name: str, *, hard: bool) -> None:
        """Ask for a refresh of one application.

        Argo CD notes the wish first and answers when the refresh has ended, so a slow answer is a granted wish.
        """
        question = self._about(name, params={"refresh": "hard" if hard else "normal"})
        with self._noting:
            self._refresh_questions += 1
            is_enough = self._refresh_questions > _MOST_REFRESHES
        if is_enough:
            raise Transient(
                SYSTEM, f"{name} is refreshed in a later sweep: {_MOST_REFRESHES} were asked for in this one"
            )
        try:
            answer = self._client.read_once(question, seconds=min(self._seconds, _REFRESH_SECONDS))
        except SlowAnswer:
            return
        self._check(answer, tried=f"refresh the application {name}")

    def why_blocked(self, name: str, *, automated: bool) -> str:
        """Return why a sync window lets no sync begin now, empty where none is in the way.

        It is asked for each application alone, so the answer is kept for ten sweeps, and only a few are asked about
        in one sweep: a window may be in the way of a thousand.
        """
        key = (name, automated)
        with self._noting:
            kept = self._windows.get(key)
            is_young = kept is not None and self._sweeps - kept.sweep < _SWEEPS_KEPT
            if is_young or self._window_questions >= _MOST_WINDOW_QUESTIONS:
                return kept.said if kept is not None else ""
            self._window_questions += 1
        said = self._read_windows(name, automated=automated)
        with self._noting:
            self._windows[key] = _Window(said, self._sweeps)
        return said

    def _read_windows(self, name: str, *, automated: bool) -> str:
        answer = self._client.read_once(self._about(name, "/syncwindows"), seconds=self._seconds)
        self._check(answer, tried=f"tell the sync windows of {name}")
        try:
            return why_blocked(parse_json(self._endpoint, answer, expected="sync windows"), automated=automated)
        except MalformedItem as error:
            raise self._endpoint.transient(f"answered malformed sync windows for {name}: {error}") from error

    def start_sync(self, name: str, order: SyncOrder) -> None:
        """Sync one application to exact revisions, if it consents still and no other sync is under way.

        An unclear answer is a `Transient`: what became of it is read at the next sweep, it is not sent again (I15).
        """
        item = self._read_one(name)
        app = self._parse(item, name, "", "")
        if isinstance(app, Trouble):
            raise Permanent(SYSTEM, app.sentence)
        if app.consents != order.authority:
            raise Conflict(SYSTEM, f"{name} does not carry the consent for {order.authority} any more")
        if app.operation_pending or (app.operation is not None and app.operation.is_under_way):
            raise Conflict(SYSTEM, f"{name} is being synced already")
        about = self._about(name, "/sync")
        # A POST takes the namespace from its body only.
        body = _sync_body(name, about, order)
        answer = self._client.write_once(Question(path=about.path), body, seconds=self._seconds)
        if answer.status == 403 and b"sync window" in answer.body:
            raise Conflict(SYSTEM, f"a sync window of its project lets no sync of {name} begin now")
        if answer.status == 400 and b"already in progress" in answer.body:
            raise Conflict(SYSTEM, f"{name} is being synced already")
        self._check(answer, tried=f"sync the application {name}")
        if not _names_application(parse_json(self._endpoint, answer, expected="application")):
            raise self._endpoint.transient(f"answered something else than an application when asked to sync {name}")

    def _log_stream(self, said: str) -> None:
        """Say how the stream is doing when that has changed; the number of events changes all the time."""
        shape = _NUMBER.sub("", said)
        if shape != self._stream_said:
            self._stream_said = shape
            structlog.get_logger().info("argocd stream", server=self._name, state=said)

    # --- one sweep's look ---

    def _snapshot(self) -> Index | OutsideError:
        with self._asking:
            sweep = self._sweep
            if self._kept is None or self._kept.sweep is not sweep:
                self._kept = _Snapshot(sweep, self._look())
            return self._kept.found

    def _look(self) -> Index | OutsideError:
        try:
            items = self._watch.snapshot() if self._watch is not None else self._read_list().items
            if isinstance(items, OutsideError):
                return items
            return Index(items)
        except NamelessItem:
            return self._endpoint.transient("answered an application list with an entry that has no name")
        except OutsideError as error:
            return error

    def _read_list(self) -> ListAnswer:
        answer = self._client.read(Question(path=_LIST, params=self._params))
        self._check(answer, tried="list its applications")
        told = parse_json(self._endpoint, answer, expected="application list", slim=slim_when_parsed)
        # Go writes an empty list as null.
        items = [] if told.get("items", "") is None else told.get("items")
        if "items" not in told or not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
            raise self._endpoint.transient("answered something that is no application list (it has no items)")
        metadata = told.get("metadata")
        version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        return ListAnswer(items=tuple(items), resource_version=version if isinstance(version, str) else "")

    def _watching(self, settings: WatchSettings) -> Watch:
        watch = Watch(
            self._endpoint, self._read_list, params=self._params, relist=settings.relist, silence=settings.silence
        )
        watch.start()
        return watch

    # --- one application ---

    def _parse(self, item: Json, name: str, repository: str, branch: str) -> Application | Trouble:
        counts = partial(is_repository, repository=repository, forge_host=self._forge_host)
        shown = application_name(self._name, name)
        try:
            return parse_application(item, shown, counts=counts, branch=branch)
        except MalformedItem as error:
            return Trouble(system=SYSTEM, sentence=f"{shown}: Argo CD's entry for it is malformed: {error}")

    def _read_one(self, name: str) -> Json:
        answer = self._client.read(self._about(name))
        self._check(answer, tried=f"tell the application {name}")
        return parse_json(self._endpoint, answer, expected="application")

    def _about(self, name: str, what: str = "", *, params: Mapping[str, str] | None = None) -> Question:
        if not _NAME.match(name):
            raise self._endpoint.permanent(f"can have no application named {quote(name, longest=80)}")
        with self._noting:
            full = self._full_names.get(name, name)
        namespace, _, plain = full.rpartition("/")
        given = dict(params or {}) | ({"appNamespace": namespace} if namespace else {})
        return Question(path=f"{_LIST}/{quote_path(plain, safe='')}{what}", params=given)

    def _check(self, answer: Answer, *, tried: str) -> None:
        refused = refusal(self._endpoint, answer, tried=tried)
        if refused is not None:
            raise refused


class ArgoDeployments:
    """The servers of the settings, by name. One that fails is a `Trouble` of its own applications only."""

    def __init__(self, servers: Mapping[str, ArgoServer]) -> None:
        self._servers = servers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections of all servers."""
        for server in self._servers.values():
            server.close()

    def begin_sweep(self) -> None:
        """Forget what the last sweep saw."""
        for server in self._servers.values():
            server.begin_sweep()

    def find_applications(self, targets: Sequence[Target], *, repository: str, branch: str) -> Mapping[Target, Found]:
        """Return the applications of each target as this sweep's one look at each server saw them."""
        return {target: self._find(target, repository, branch) for target in targets}

    def ask_refresh(self, application: str, *, hard: bool) -> None:
        """Ask for a refresh of one application."""
        server, name = self._at(application)
        server.ask_refresh(name, hard=hard)

    def why_blocked(self, application: str, *, automated: bool) -> str:
        """Return why a sync window lets no sync begin now, empty where none is in the way."""
        server, name = self._at(application)
        return server.why_blocked(name, automated=automated)

    def start_sync(self, application: str, order: SyncOrder) -> None:
        """Sync one application to exact revisions."""
        server, name = self._at(application)
        server.start_sync(name, order)

    def _find(self, target: Target, repository: str, branch: str) -> Found:
        server = self._servers.get(target.server)
        if server is None:
            return (Trouble(system=SYSTEM, sentence=self._no_server(target.server, target.shown)),)
        return server.find(target, repository=repository, branch=branch)

    def _at(self, application: str) -> tuple[ArgoServer, str]:
        named, _, name = application.rpartition(":")
        server = self._servers.get(named or DEFAULT_SERVER)
        if server is None:
            raise Permanent(SYSTEM, self._no_server(named, application))
        return server, name

    def _no_server(self, name: str, application: str) -> str:
        known = ", ".join(sorted(self._servers)) or "none"
        return f"{application}: the settings name no Argo CD server {name!r}; they name: {known}"


def _sync_body(name: str, about: Question, order: SyncOrder) -> Json:
    """Return the request: a revision for the one source, or one for each of the places that are the stage's."""
    body: dict[str, object] = {"name": name.rpartition("/")[2], "prune": False, "dryRun": False, **about.params}
    if order.positions:
        body["revisions"] = list(order.revisions)
        body["sourcePositions"] = [str(place) for place in order.positions]
    else:
        body["revision"] = order.revisions[0]
    return body


def _names_application(told: Json) -> bool:
    metadata = told.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("name"))
