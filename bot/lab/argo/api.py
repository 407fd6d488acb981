"""The REST API of the simulated Argo CD: what a token may see, and the JSON and errors of the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.lab.argo.controller import BlockedByWindow, Controller, OutOfRange, Refused, WatchEvent
from bot.lab.argo.model import SyncRequest
from bot.lab.argo.projection import projection
from bot.lab.argo.selectors import BadSelector, labels_match
from bot.lab.argo.specification import ApplicationSpec, ArgoOptions
from bot.lab.argo.streams import Feed, Streams
from bot.lab.argo.windows import render_windows
from bot.lab.argo.wire import ARGOCD_NAMESPACE
from bot.ports import Clock

_LOOK_AGAIN_SECONDS = 0.05
_UNKNOWN, _INVALID, _NOT_FOUND, _DENIED, _PRECONDITION, _UNAUTHENTICATED = 2, 3, 5, 7, 9, 16
"""gRPC codes, which Argo CD puts beside the HTTP status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a token belongs to. `projects` None means all of them; `may_sync` allows to start operations."""

    username: str
    projects: frozenset[str] | None = None
    may_sync: bool = True

    def sees(self, project: str) -> bool:
        """Say whether applications of a project may be read."""
        return self.projects is None or project in self.projects


@dataclass(slots=True)
class Tokens:
    """Which tokens the server knows. May be changed while it runs."""

    accounts: dict[str, Account] = field(default_factory=dict)


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class ArgoApi:
    """The endpoints, on top of a controller."""

    def __init__(self, clock: Clock, controller: Controller, tokens: Tokens, options: ArgoOptions) -> None:
        self._clock = clock
        self._controller = controller
        self._tokens = tokens
        self._options = options
        self._refreshes: dict[str, list[str]] = {}
        self._syncs: dict[str, list[SyncRequest]] = {}
        self.streams = Streams()

    def refreshes(self, name: str) -> list[str]:
        """Return the kinds of refresh that were asked for through the API, oldest first."""
        return list(self._refreshes.get(name, ()))

    def syncs(self, name: str) -> list[SyncRequest]:
        """Return the syncs that were asked for through the API and begun, oldest first."""
        return list(self._syncs.get(name, ()))

    def application(self) -> Starlette:
        """Return the ASGI application."""
        one = "/api/v1/applications/{name}"
        return Starlette(
            routes=[
                Route("/api/v1/applications", self._list),
                Route(one, self._get),
                Route(f"{one}/sync", self._sync, methods=["POST"]),
                Route(f"{one}/syncwindows", self._windows),
                Route("/api/v1/stream/applications", self._stream),
                Route("/api/v1/session/userinfo", self._user),
                Route("/api/version", self._version),
            ],
            exception_handlers={ApiError: _tell_error, HTTPException: _tell_unknown_route},
        )

    def _list(self, request: Request) -> Response:
        account = self._account(request)
        _check_selector(request)
        applications = [self._controller.render(spec.name) for spec in self._matching(request, account)]
        metadata = {"resourceVersion": self._controller.list_version()}
        fields = request.query_params.get("fields", "")
        if not fields:
            return JSONResponse({"metadata": metadata, "items": applications})
        project = projection(fields, "items.")
        # The real server's projection leaves an empty list as null.
        return JSONResponse({"metadata": metadata, "items": [project(one) for one in applications] or None})

    def _get(self, request: Request) -> Response:
        spec = self._find(request, self._account(request))
        kind = request.query_params.get("refresh", "")
        if kind:
            told = "hard" if kind == "hard" else "normal"
            self._refreshes.setdefault(spec.name, []).append(told)
            self._controller.refresh(spec.name, told)
        return JSONResponse(self._controller.render(spec.name))

    async def _sync(self, request: Request) -> Response:
        account = self._account(request)
        body = await _sync_body(request)
        # A POST names the namespace in its body only.
        spec = self._find(request, account, namespace=str(body.get("appNamespace") or ""))
        if not account.may_sync:
            raise _denied()
        operation = _sync_request(body, account, self._clock)
        try:
            begun = self._controller.request_sync(spec.name, operation)
        except BlockedByWindow as error:
            raise ApiError(403, _DENIED, str(error)) from error
        except Refused as error:
            raise ApiError(400, _PRECONDITION, str(error)) from error
        except OutOfRange as error:
            # The real server gives this error no code of its own.
            raise ApiError(500, _UNKNOWN, str(error)) from error
        self._syncs.setdefault(spec.name, []).append(begun)
        return JSONResponse(self._controller.render(spec.name))

    def _windows(self, request: Request) -> Response:
        spec = self._find(request, self._account(request))
        return JSONResponse(render_windows(self._controller.windows(spec.name)))

    async def _stream(self, request: Request) -> Response:
        account = self._account(request)
        _check_selector(request)
        # Taken before the answer begins: a client may act as soon as it has the headers.
        seen, feed = self._controller.last_event(), self.streams.open()
        feed.say(self._first_lines(request, account))
        return StreamingResponse(self._watch(request, account, seen, feed), media_type="application/json")

    async def _watch(self, request: Request, account: Account, seen: int, feed: Feed) -> AsyncIterator[bytes]:
        fields = request.query_params.get("fields", "")
        try:
            while True:
                for event in self._controller.events_after(seen):
                    seen = event.number
                    if self._passes(request, account, event):
                        feed.hear(_line(event.type, event.application, fields))
                lines, is_end = feed.take()
                for line in lines:
                    yield line
                if is_end:
                    return
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        finally:
            self.streams.close(feed)

    def _first_lines(self, request: Request, account: Account) -> Iterator[bytes]:
        """Yield what stands now. Who names an application gets it even from a resource version on, as in Argo CD."""
        if request.query_params.get("resourceVersion") and not request.query_params.get("name"):
            return
        for spec in self._matching(request, account):
            application = self._controller.render(spec.name)
            if _version_of(application) >= _from_version(request):
                yield _line("ADDED", application, request.query_params.get("fields", ""))

    def _user(self, request: Request) -> Response:
        account = self._tokens.accounts.get(_bearer(request))
        if account is None:
            return JSONResponse({"loggedIn": False})
        return JSONResponse({"loggedIn": True, "username": account.username, "iss": "argocd", "groups": []})

    def _version(self, request: Request) -> Response:
        known = _bearer(request) in self._tokens.accounts
        more = {"Platform": "linux/amd64", "Compiler": "gc", "GitTreeState": "clean"} if known else {}
        return JSONResponse({"Version": self._options.version, **more})

    def _account(self, request: Request) -> Account:
        token = _bearer(request)
        if not token:
            raise ApiError(401, _UNAUTHENTICATED, "no session information")
        account = self._tokens.accounts.get(token)
        if account is None:
            raise ApiError(401, _UNAUTHENTICATED, "invalid session: token signature is invalid")
        return account

    def _find(self, request: Request, account: Account, *, namespace: str | None = None) -> ApplicationSpec:
        """Return the application asked for, or the refusal that tells as little as the real server's."""
        name = request.path_params["name"]
        project = request.query_params.get("project", "")
        if project and not account.sees(project):
            raise _denied()
        found = next((spec for spec in self._controller.specs() if spec.name == name), None)
        asked = request.query_params.get("appNamespace") if namespace is None else namespace
        elsewhere = asked not in {None, "", ARGOCD_NAMESPACE}
        if found is None or elsewhere:
            raise _not_found(name) if project or not self._options.hides_unknown else _denied()
        if project and found.project != project:
            raise _not_found(name)
        if not account.sees(found.project):
            raise _denied()
        return found

    def _matching(self, request: Request, account: Account) -> Iterator[ApplicationSpec]:
        for spec in self._controller.specs():
            if account.sees(spec.project) and _selected(request, _facts(spec)):
                yield spec

    def _passes(self, request: Request, account: Account, event: WatchEvent) -> bool:
        facts = _facts_of(event.application)
        new = _version_of(event.application) >= _from_version(request)
        return new and account.sees(facts.project) and _selected(request, facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What lists and streams can be narrowed by."""

    name: str
    project: str
    repo_url: str
    labels: Mapping[str, str]


def _facts(spec: ApplicationSpec) -> _Facts:
    return _Facts(name=spec.name, project=spec.project, repo_url=spec.compared_sources[0].repo_url, labels=spec.labels)


def _facts_of(application: Mapping[str, object]) -> _Facts:
    metadata, spec = application["metadata"], application["spec"]
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise TypeError("an application has metadata and a spec")
    hydrated = spec.get("sourceHydrator", {}).get("drySource")
    first = spec.get("source") or hydrated or spec["sources"][0]
    return _Facts(
        name=metadata["name"],
        project=spec["project"],
        repo_url=first["repoURL"],
        labels=metadata.get("labels", {}),
    )


def _version_of(application: Mapping[str, object]) -> int:
    metadata = application["metadata"]
    return int(metadata["resourceVersion"]) if isinstance(metadata, dict) else 0


def _from_version(request: Request) -> int:
    """Return the resource version that a stream begins at; one that is no number counts as none."""
    asked = request.query_params.get("resourceVersion", "")
    return int(asked) if asked.isdecimal() else 0


def _selected(request: Request, facts: _Facts) -> bool:
    asked = request.query_params
    projects = {*asked.getlist("projects"), *asked.getlist("project")} - {""}
    return (
        asked.get("name", "") in {"", facts.name}
        and (not projects or facts.project in projects)
        and asked.get("repo", "") in {"", facts.repo_url}
        and asked.get("appNamespace", "") in {"", ARGOCD_NAMESPACE}
        and labels_match(asked.get("selector", ""), facts.labels)
    )


def _check_selector(request: Request) -> None:
    """Refuse a selector that cannot be parsed; the real server gives this error no code of its own."""
    try:
        labels_match(request.query_params.get("selector", ""), {})
    except BadSelector as error:
        raise ApiError(500, _UNKNOWN, f"error parsing the selector: {error}") from error


def _sync_request(asked: Mapping[str, object], account: Account, clock: Clock) -> SyncRequest:
    return SyncRequest(
        requested_at=clock.now(),
        revision=str(asked["revision"]) if asked.get("revision") else None,
        at_positions=_at_positions(asked),
        username=account.username,
        dry_run=bool(asked.get("dryRun")),
        prune=bool(asked.get("prune")),
    )


def _at_positions(asked: Mapping[str, object]) -> tuple[tuple[int, str], ...]:
    """Pair `sourcePositions` with `revisions`; JSON may write a 64-bit position as a number or as a string."""
    positions, revisions = asked.get("sourcePositions") or [], asked.get("revisions") or []
    if not isinstance(positions, list) or not isinstance(revisions, list):
        raise ApiError(400, _INVALID, "sourcePositions and revisions are lists")
    try:
        return tuple((int(position), str(revision)) for position, revision in zip(positions, revisions, strict=True))
    except ValueError as error:
        raise ApiError(400, _INVALID, f"sourcePositions and revisions do not fit: {error}") from error


async def _sync_body(request: Request) -> Mapping[str, object]:
    body = await request.body()
    try:
        asked = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise ApiError(400, _INVALID, f"invalid character in the request body: {error}") from error
    if not isinstance(asked, dict):
        raise ApiError(400, _INVALID, "the request body is not an object")
    return asked


def _line(kind: str, application: Mapping[str, object], fields: str) -> bytes:
    told = projection(fields, "result.application.")(application) if fields else application
    return json.dumps({"result": {"type": kind, "application": told}}, separators=(",", ":")).encode() + b"\n"


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _denied() -> ApiError:
    return ApiError(403, _DENIED, "permission denied")


def _not_found(name: str) -> ApiError:
    return ApiError(404, _NOT_FOUND, f'applications.argoproj.io "{name}" not found')


def _tell_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return _error(error.status, error.code, error.message)


def _tell_unknown_route(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _error(error.status_code, _NOT_FOUND, "Not Found")


def _error(status: int, code: int, message: str) -> Response:
    return JSONResponse({"error": message, "code": code, "message": message}, status)
