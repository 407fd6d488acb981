"""The REST API of the simulated Argo CD: what a token may see, and the JSON and errors of the real server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.lab.argo.controller import Controller, Refused, WatchEvent
from bot.lab.argo.model import ApplicationSpec, ArgoOptions, SyncRequest
from bot.lab.argo.wire import ARGOCD_NAMESPACE, projection
from bot.ports import Clock

_LOOK_AGAIN_SECONDS = 0.05
_NOT_FOUND, _DENIED, _PRECONDITION, _UNAUTHENTICATED, _INVALID = 5, 7, 9, 16, 3
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
        self._streams_end = threading.Event()

    def end_streams(self) -> None:
        """Close the watch streams that are open now, as a restart of the server does."""
        self.close_streams()
        self.allow_streams()

    def close_streams(self) -> None:
        """Close all watch streams; until `allow_streams`, new ones end after their first events."""
        self._streams_end.set()

    def allow_streams(self) -> None:
        """Let new watch streams last."""
        self._streams_end = threading.Event()

    def application(self) -> Starlette:
        """Return the ASGI application."""
        one = "/api/v1/applications/{name}"
        return Starlette(
            routes=[
                Route("/api/v1/applications", self._list),
                Route(one, self._get),
                Route(f"{one}/sync", self._sync, methods=["POST"]),
                Route("/api/v1/stream/applications", self._stream),
                Route("/api/v1/session/userinfo", self._user),
                Route("/api/version", self._version),
            ],
            exception_handlers={ApiError: _tell_error, HTTPException: _tell_unknown_route},
        )

    def _list(self, request: Request) -> Response:
        account = self._account(request)
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
            self._controller.refresh(spec.name, "hard" if kind == "hard" else "normal")
        return JSONResponse(self._controller.render(spec.name))

    async def _sync(self, request: Request) -> Response:
        account = self._account(request)
        spec = self._find(request, account)
        if not account.may_sync:
            raise _denied()
        asked = await _sync_body(request)
        operation = SyncRequest(
            requested_at=self._clock.now(),
            revision=str(asked["revision"]) if asked.get("revision") else None,
            username=account.username,
            dry_run=bool(asked.get("dryRun")),
            prune=bool(asked.get("prune")),
        )
        try:
            self._controller.request_sync(spec.name, operation)
        except Refused as error:
            raise ApiError(400, _PRECONDITION, str(error)) from error
        return JSONResponse(self._controller.render(spec.name))

    async def _stream(self, request: Request) -> Response:
        account = self._account(request)
        # Taken before the answer begins: a client may act as soon as it has the headers.
        seen, ended = self._controller.last_event(), self._streams_end
        return StreamingResponse(self._watch(request, account, seen, ended), media_type="application/json")

    async def _watch(
        self, request: Request, account: Account, seen: int, ended: threading.Event
    ) -> AsyncIterator[bytes]:
        fields = request.query_params.get("fields", "")
        if not request.query_params.get("resourceVersion"):
            for spec in self._matching(request, account):
                yield _line("ADDED", self._controller.render(spec.name), fields)
        while not ended.is_set():
            for event in self._controller.events_after(seen):
                seen = event.number
                if self._passes(request, account, event):
                    yield _line(event.type, event.application, fields)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

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

    def _find(self, request: Request, account: Account) -> ApplicationSpec:
        """Return the application asked for, or the refusal that tells as little as the real server's."""
        name = request.path_params["name"]
        project = request.query_params.get("project", "")
        if project and not account.sees(project):
            raise _denied()
        found = next((spec for spec in self._controller.specs() if spec.name == name), None)
        elsewhere = request.query_params.get("appNamespace") not in {None, "", ARGOCD_NAMESPACE}
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
        return account.sees(facts.project) and _selected(request, facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What lists and streams can be narrowed by."""

    name: str
    project: str
    repo_url: str
    labels: Mapping[str, str]


def _facts(spec: ApplicationSpec) -> _Facts:
    return _Facts(name=spec.name, project=spec.project, repo_url=spec.repo_url, labels=spec.labels)


def _facts_of(application: Mapping[str, object]) -> _Facts:
    metadata, spec = application["metadata"], application["spec"]
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise TypeError("an application has metadata and a spec")
    return _Facts(
        name=metadata["name"],
        project=spec["project"],
        repo_url=spec["source"]["repoURL"],
        labels=metadata.get("labels", {}),
    )


def _selected(request: Request, facts: _Facts) -> bool:
    asked = request.query_params
    projects = {*asked.getlist("projects"), *asked.getlist("project")} - {""}
    return (
        asked.get("name", "") in {"", facts.name}
        and (not projects or facts.project in projects)
        and asked.get("repo", "") in {"", facts.repo_url}
        and asked.get("appNamespace", "") in {"", ARGOCD_NAMESPACE}
        and _labels_match(asked.get("selector", ""), facts.labels)
    )


def _labels_match(selector: str, labels: Mapping[str, str]) -> bool:
    """Say whether labels pass a Kubernetes selector made of `key=value`, `key!=value`, `key` and `!key`."""
    return all(_requirement_holds(part.strip(), labels) for part in selector.split(",") if part.strip())


def _requirement_holds(requirement: str, labels: Mapping[str, str]) -> bool:
    if "!=" in requirement:
        key, value = requirement.split("!=", 1)
        return labels.get(key.strip()) != value.strip()
    if "=" in requirement:
        key, value = requirement.replace("==", "=").split("=", 1)
        return labels.get(key.strip()) == value.strip()
    if " " in requirement or "(" in requirement:
        raise ApiError(400, _INVALID, f"the lab does not know the selector {requirement!r}")
    return (requirement.removeprefix("!") in labels) != requirement.startswith("!")


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
