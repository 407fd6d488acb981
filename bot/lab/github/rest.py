"""The REST API over HTTP: authentication, permissions, limits, conditional requests, and GitHub's headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.lab.github.access import demand, read_token
from bot.lab.github.api import (
    attestations,
    checks,
    commit_comments,
    commits,
    deployments,
    issues,
    merges,
    objects,
    pulls,
    reactions,
    settings,
    users,
)
from bot.lab.github.attestations import BundleBlobs
from bot.lab.github.call import Call, Endpoint, Json, Refusal, Reply, not_found
from bot.lab.github.calls import Traffic
from bot.lab.github.mishaps import API_PREFIX
from bot.lab.github.nouns import Credential
from bot.lab.github.settling import settle_all
from bot.lab.github.world import Repository, World

_VERSION = "2022-11-28"
_ENDPOINTS = (
    *users.ENDPOINTS,
    *checks.ENDPOINTS,
    *commit_comments.ENDPOINTS,
    *commits.ENDPOINTS,
    *objects.ENDPOINTS,
    *pulls.ENDPOINTS,
    *merges.ENDPOINTS,
    *issues.ENDPOINTS,
    *reactions.ENDPOINTS,
    *deployments.ENDPOINTS,
    *attestations.ENDPOINTS,
    *settings.ENDPOINTS,
    *commits.LAST,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request, read whole."""

    endpoint: Endpoint | None
    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    authorization: str | None
    if_none_match: str | None
    body: bytes


class RestApi:
    """The API of one world."""

    def __init__(self, world: World, traffic: Traffic) -> None:
        self._limits = traffic.core
        self._traffic = traffic
        self._world = world

    def routes(self) -> list[Route]:
        """Return a route for each endpoint, one for all that there is not, and those to what endpoints refer to."""
        found = [
            Route(API_PREFIX + one.path, self._responder(one), methods=[one.method], include_in_schema=False)
            for one in _ENDPOINTS
        ]
        everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        found.append(Route(f"{API_PREFIX}/rate_limit", self._rate_limit, methods=["GET"]))
        found.append(Route(f"{API_PREFIX}/{{rest:path}}", self._responder(None), methods=everything))
        return [*found, *BundleBlobs(self._world).routes()]

    def _responder(self, endpoint: Endpoint | None) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            asked = _Asked(
                endpoint=endpoint,
                method=request.method,
                path=request.url.path,
                parameters=request.path_params,
                query=dict(request.query_params),
                authorization=request.headers.get("authorization"),
                if_none_match=request.headers.get("if-none-match"),
                body=await request.body(),
            )
            return await run_in_threadpool(self.answer, asked)

        return respond

    async def _rate_limit(self, request: Request) -> Response:
        with self._world.lock:
            credential = self._world.credential(read_token(request.headers.get("authorization")) or "")
            who = credential.account if credential else None
            core, graphql = (one.overview(who, self._world.now()) for one in (self._limits, self._traffic.graphql))
            body = {
                "resources": {
                    "core": core,
                    "search": {**core, "remaining": core["limit"], "used": 0},
                    "graphql": graphql,
                },
                "rate": core,
            }
            return self._respond(Reply(body=body), credential)

    def answer(self, asked: _Asked) -> Response:
        """Answer one request under the world's lock, and count it."""
        with self._world.lock:
            settle_all(self._world)
            response = self._answer(asked)
            settle_all(self._world)
            template = asked.path if asked.endpoint is None else asked.endpoint.path
            self._traffic.calls.note_rest(asked.method, template, response.status_code)
            return response

    def _answer(self, asked: _Asked) -> Response:
        credential = None
        counted = False
        try:
            credential = self._authenticate(asked)
            who = credential.account if credential else None
            self._limits.count(who, self._world.now())
            counted = True
            self._count_secondary(asked, credential)
            reply = self._handle(asked, credential)
        except Refusal as refusal:
            said = Reply(status=refusal.status, body=refusal.body, headers=refusal.headers)
            return self._respond(said, credential)
        response = self._respond(reply, credential)
        if asked.endpoint is not None and asked.endpoint.method == "GET" and reply.status == 200:
            return self._conditional(asked, response, credential, counted=counted)
        return response

    def _count_secondary(self, asked: _Asked, credential: Credential | None) -> None:
        if self._traffic.secondary is not None and asked.endpoint is not None:
            who = credential.account if credential else None
            self._traffic.secondary.count_rest(who, self._world.now(), asked.method, asked.endpoint.path)

    def _authenticate(self, asked: _Asked) -> Credential | None:
        if asked.authorization is None or (asked.endpoint is not None and not asked.endpoint.login):
            return None
        found = self._world.credential(read_token(asked.authorization) or "")
        if found is None:
            raise Refusal(401, "Bad credentials")
        return found

    def _handle(self, asked: _Asked, credential: Credential | None) -> Reply:
        endpoint = asked.endpoint
        if endpoint is None:
            raise not_found()
        repository = self._repository(asked, credential) if endpoint.needs else None
        call = Call(
            world=self._world,
            credential=credential,
            path=asked.path.removeprefix(API_PREFIX),
            parameters=asked.parameters,
            query=asked.query,
            body=_parse_body(asked.body),
            bearer=read_token(asked.authorization) or "",
            repo=repository,
        )
        return endpoint.handle(call)

    def _repository(self, asked: _Asked, credential: Credential | None) -> Repository:
        name = f"{asked.parameters['owner']}/{asked.parameters['repo']}".lower()
        found = self._world.repositories.get(name)
        if found is None or asked.endpoint is None:
            raise not_found()
        demand(self._world, credential, found, asked.endpoint.needs)
        return found

    def _conditional(
        self, asked: _Asked, response: Response, credential: Credential | None, *, counted: bool
    ) -> Response:
        digest = hashlib.sha256(bytes(response.body)).hexdigest()
        etag = f'W/"{digest}"'
        response.headers["etag"] = etag
        response.headers["cache-control"] = "private, max-age=60, s-maxage=60"
        known = {tag.strip().removeprefix("W/") for tag in (asked.if_none_match or "").split(",")}
        if etag.removeprefix("W/") not in known:
            return response
        if counted:
            self._limits.give_back(credential.account if credential else None, self._world.now())
        unchanged = self._respond(Reply(status=304), credential)
        unchanged.headers["etag"] = etag
        return unchanged

    def _respond(self, reply: Reply, credential: Credential | None) -> Response:
        who = credential.account if credential else None
        headers = {
            **reply.headers,
            **self._limits.headers(who, self._world.now()),
            "x-github-request-id": f"LAB0:{self._traffic.next_number():08X}",
            "x-github-media-type": "github.v3; format=json",
            "x-github-api-version-selected": _VERSION,
        }
        if reply.body is None:
            return Response(status_code=reply.status, headers=headers)
        text = json.dumps(reply.body, ensure_ascii=False)
        return Response(text, reply.status, headers, "application/json; charset=utf-8")


def _parse_body(body: bytes) -> Json:
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "Problems parsing JSON") from error
    if isinstance(parsed, list):  # labels may be sent as a bare list
        return {"labels": parsed}
    if not isinstance(parsed, dict):
        raise Refusal(400, "Body should be a JSON object")
    return cast("Json", parsed)
