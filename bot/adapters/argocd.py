"""What is running, from Argo CD's REST API: the port `Deployments`.

One `GET /api/v1/applications` serves all services of a sweep. It asks for whole applications: the list's `fields=`
knows a fixed set of names only (Argo CD's `pkg/apiclient/application/forwarder_overwrite.go`, v2 and v3), in which
`status.sync.revision`, `status.reconciledAt`, `status.conditions` and the operation's result are missing, and without
these nothing can be called live. The heavy parts that nobody reads are dropped as soon as they have arrived.

Races named: the snapshot is as old as the sweep, never older; a sweep that begins while a list is under way does not
use that list.
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

from bot.adapters.argocd_application import Json, MalformedItem, parse_application
from bot.adapters.http import Endpoint, HttpClient, Limits, Question, SlowAnswer, parse_json, quote, refusal
from bot.adapters.repository_url import is_repository
from bot.domain.model import Application, NoApplication, Trouble
from bot.ports import OutsideError

SYSTEM = "Argo CD"
_LIST = "/api/v1/applications"
_LIMITS = Limits(deadline=timedelta(seconds=30), max_bytes=256 * 1024 * 1024)
_REFRESH_SECONDS = 10.0
_NAME = re.compile(r"(?:[a-z0-9][a-z0-9.-]{0,252}/)?[a-z0-9][a-z0-9.-]{0,252}\Z")
_UNREAD = (("status", "resources"), ("metadata", "managedFields"), ("metadata", "annotations"))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the list call of one sweep gave: the entries by name, or why there are none."""

    sweep: object
    found: Mapping[str, tuple[Json, ...]] | OutsideError


class ArgoDeployments:
    """The applications of one Argo CD server. Safe to share between threads."""

    def __init__(self, endpoint: Endpoint, *, forge_host: str | None = None, limits: Limits = _LIMITS) -> None:
        self._endpoint = endpoint
        self._forge_host = forge_host
        self._client = HttpClient(endpoint, limits)
        self._refresh_seconds = min(_REFRESH_SECONDS, limits.deadline.total_seconds())
        self._asking = threading.Lock()
        self._sweep = object()
        self._kept: _Snapshot | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def begin_sweep(self) -> None:
        """Forget what the last sweep saw. The next `list_applications` asks Argo CD again."""
        self._sweep = object()

    def list_applications(
        self, names: Sequence[str], *, repository: str
    ) -> Mapping[str, Application | NoApplication | Trouble]:
        """Return each named application (`name` or `namespace/name`) as this sweep's one list call saw it.

        A malformed entry is a `Trouble` under its name only. Raise `Transient` or `Permanent` if there is no list at
        all; that answer, too, stands for the whole sweep.
        """
        found = self._snapshot()
        if isinstance(found, OutsideError):
            raise found.with_traceback(None)
        return {name: self._find(found, name, repository) for name in names}

    def ask_refresh(self, name: str) -> None:
        """Ask for a normal refresh of one application.

        Argo CD notes the wish first and answers when the refresh has ended, so a slow answer is a granted wish.
        """
        if not _NAME.match(name):
            raise self._endpoint.permanent(f"can have no application named {quote(name, longest=80)}")
        namespace, _, plain = name.rpartition("/")
        params = {"refresh": "normal"} | ({"appNamespace": namespace} if namespace else {})
        question = Question(path=f"{_LIST}/{quote_path(plain, safe='')}", params=params)
        try:
            answer = self._client.read_once(question, seconds=self._refresh_seconds)
        except SlowAnswer:
            return
        refused = refusal(self._endpoint, answer, tried=f"refresh the application {name}")
        if refused is not None:
            raise refused

    def _snapshot(self) -> Mapping[str, tuple[Json, ...]] | OutsideError:
        with self._asking:
            sweep = self._sweep
            if self._kept is None or self._kept.sweep is not sweep:
                self._kept = _Snapshot(sweep, self._read_list())
            return self._kept.found

    def _read_list(self) -> Mapping[str, tuple[Json, ...]] | OutsideError:
        try:
            answer = self._client.read(Question(path=_LIST))
            refused = refusal(self._endpoint, answer, tried="list its applications")
            if refused is not None:
                return refused
            return self._by_name(parse_json(self._endpoint, answer, expected="application list"))
        except OutsideError as error:
            return error

    def _by_name(self, answer: Json) -> Mapping[str, tuple[Json, ...]]:
        """Index the entries by name and by namespace/name."""
        items = answer.get("items", ())
        # Go writes an empty list as null.
        if items is None:
            items = ()
        if "items" not in answer or not isinstance(items, list | tuple):
            raise self._endpoint.transient("answered something that is no application list (it has no items)")
        found: dict[str, tuple[Json, ...]] = {}
        for item in items:
            for name in self._names(item):
                found[name] = (*found.get(name, ()), item)
            _drop_unread(item)
        return found

    def _names(self, item: object) -> tuple[str, ...]:
        metadata = item.get("metadata") if isinstance(item, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
            # It might be any application; leaving it out would call that one absent.
            raise self._endpoint.transient("answered an application list with an entry that has no name")
        namespace = metadata.get("namespace")
        return (name, f"{namespace}/{name}") if isinstance(namespace, str) and namespace else (name,)

    def _find(
        self, found: Mapping[str, tuple[Json, ...]], name: str, repository: str
    ) -> Application | NoApplication | Trouble:
        items = found.get(name, ())
        if not items:
            return NoApplication(name=name)
        if len(items) > 1:
            sentence = f"{name}: Argo CD has {len(items)} applications of this name; write namespace/name in the policy"
            return Trouble(system=SYSTEM, sentence=sentence)
        counts = partial(is_repository, repository=repository, forge_host=self._forge_host)
        try:
            return parse_application(items[0], name, counts=counts)
        except MalformedItem as error:
            return Trouble(system=SYSTEM, sentence=f"{name}: Argo CD's entry for it is malformed: {error}")


def _drop_unread(item: Json) -> None:
    """Free what makes an entry large: with thousands of applications these parts are nearly all of the memory."""
    for section, key in _UNREAD:
        part = item.get(section)
        if isinstance(part, dict):
            part.pop(key, None)
