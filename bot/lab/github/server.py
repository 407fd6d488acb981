"""The lab's GitHub as an ASGI application: REST below `/api/v3`, Git over smart HTTP, and pages for people.

Around every REST call stands what GitHub puts there: tokens, rate limits, ETags, request ids; and the faults that a
test asked for, before the work is done or after it (a lost answer).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import unquote

import jwt
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from bot.lab.github.access import demand, read_token, sees
from bot.lab.github.call import Call, Endpoint, Json, Refusal, Reply, not_found
from bot.lab.github.conduct import synchronise
from bot.lab.github.githttp import serve_git
from bot.lab.github.nouns import Credential
from bot.lab.github.pages import pages
from bot.lab.github.rest import ENDPOINTS
from bot.lab.github.world import Repository, World

_LIMIT = 5000
_REST = "/api/v3"


@dataclass(slots=True)
class _LostAnswer:
    """Do the work of the next matching writes, and answer with an error all the same."""

    pattern: re.Pattern[str]
    status: int
    left: int


@dataclass(slots=True)
class Limits:
    """The primary rate limit of every token; `remaining` is shared, which is enough for a lab."""

    remaining: int = _LIMIT
    resets_in: timedelta = timedelta(hours=1)
    secondary_left: int = 0
    lost: list[_LostAnswer] = field(default_factory=list)

    def lose_answer(self, pattern: str, status: int, times: int) -> None:
        """Answer the next matching requests with `status` after their work was done."""
        self.lost.append(_LostAnswer(re.compile(pattern), status, times))

    def loses(self, line: str) -> int | None:
        """Return the status that takes the place of this request's answer, if any."""
        for rule in self.lost:
            if rule.left > 0 and rule.pattern.search(line):
                rule.left -= 1
                return rule.status
        return None


class Server:
    """Builds the application over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.limits = Limits()
        self._ids = itertools.count(1)
        self._routes = [(Route(endpoint.path, _nothing, methods=[endpoint.method]), endpoint) for endpoint in ENDPOINTS]

    def application(self) -> ASGIApp:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route(_REST + "/{path:path}", self._rest, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
                Route("/{owner}/{repo}.git/{path:path}", self._git, methods=["GET", "POST"]),
                *pages(self.world),
            ]
        )

    async def _git(self, request: Request) -> Response:
        return await serve_git(self.world, request)

    async def _rest(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._answer, request, body)

    # --- one REST call ---

    def _answer(self, request: Request, body: bytes) -> Response:
        with self.world.lock:
            try:
                reply = self._limited(request) or self._fulfil(request, body)
            except Refusal as refusal:
                reply = Reply(status=refusal.status, body=refusal.body)
            headers = {**self._headers(), **reply.headers}
        lost = self.limits.loses(f"{request.method} {request.url.path}")
        if lost is not None:
            return JSONResponse({"message": "Server Error"}, status_code=lost, headers=headers)
        return _respond(request, reply, headers)

    def _headers(self) -> dict[str, str]:
        reset = int((self.world.now() + self.limits.resets_in).timestamp())
        return {
            "x-github-request-id": f"LAB:{next(self._ids):06d}",
            "x-github-media-type": "github.v3; format=json",
            "x-ratelimit-limit": str(_LIMIT),
            "x-ratelimit-remaining": str(self.limits.remaining),
            "x-ratelimit-used": str(_LIMIT - self.limits.remaining),
            "x-ratelimit-reset": str(reset),
            "x-ratelimit-resource": "core",
        }

    def _limited(self, request: Request) -> Reply | None:
        if request.url.path == f"{_REST}/rate_limit":
            return Reply(body=self._rate_limit())
        if self.limits.secondary_left > 0:
            self.limits.secondary_left -= 1
            said = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
            return Reply(status=403, body={"message": said, "documentation_url": ""}, headers={"retry-after": "60"})
        if self.limits.remaining <= 0:
            body = {"message": "API rate limit exceeded for user.", "documentation_url": ""}
            return Reply(status=403, body=body)
        self.limits.remaining -= 1
        return None

    def _rate_limit(self) -> Json:
        reset = int((self.world.now() + self.limits.resets_in).timestamp())
        core = {
            "limit": _LIMIT,
            "remaining": self.limits.remaining,
            "used": _LIMIT - self.limits.remaining,
            "reset": reset,
        }
        return {"resources": {"core": core, "search": core}, "rate": core}

    def _fulfil(self, request: Request, body: bytes) -> Reply:
        endpoint, parameters = self._match(request)
        authorization = request.headers.get("authorization")
        repo = self._repository(parameters)
        credential, bearer = self._credential(endpoint, authorization)
        if repo is not None and endpoint.login:
            if not sees(self.world, credential, repo):
                raise not_found()
            demand(self.world, credential, repo, endpoint.needs)
        if repo is not None:
            synchronise(self.world, repo)
        call = Call(
            world=self.world,
            credential=credential,
            path=request.url.path.removeprefix(_REST),
            parameters=parameters,
            query=dict(request.query_params),
            body=_parse(body),
            bearer=bearer,
            repo=repo,
        )
        return endpoint.handle(call)

    def _match(self, request: Request) -> tuple[Endpoint, Mapping[str, str]]:
        path = unquote(request.url.path.removeprefix(_REST))
        scope = {"type": "http", "method": request.method, "path": path, "root_path": "", "headers": []}
        for route, endpoint in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                return endpoint, found["path_params"]
        raise not_found()

    def _repository(self, parameters: Mapping[str, str]) -> Repository | None:
        if "owner" not in parameters:
            return None
        found = self.world.repositories.get(f"{parameters['owner']}/{parameters['repo']}".lower())
        if found is None:
            raise not_found()
        return found

    def _credential(self, endpoint: Endpoint, authorization: str | None) -> tuple[Credential | None, str]:
        token = read_token(authorization)
        if not endpoint.login:
            return None, self._app_of(token or "")
        if token is None:
            if endpoint.needs == "":
                raise Refusal(401, "Requires authentication")
            return None, ""
        found = self.world.credential(token)
        if found is None:
            raise Refusal(401, "Bad credentials")
        return found, ""

    def _app_of(self, token: str) -> str:
        """Return the id of the app that signed a web token. The lab's clock judges its times, not the machine's."""
        for app in self.world.apps.values():
            try:
                claims = jwt.decode(
                    token,
                    app.public_key,
                    algorithms=["RS256"],
                    options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
                )
            except jwt.PyJWTError:
                continue
            now = self.world.now().timestamp()
            if str(claims.get("iss")) == str(app.id) and claims["iat"] <= now + 60 and claims["exp"] > now:
                return str(app.id)
        raise Refusal(401, "A JSON web token could not be decoded")


async def _nothing(_: Request) -> Response:
    return Response()


def _parse(body: bytes) -> Json:
    if not body:
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if isinstance(found, list):
        # Labels may be sent as a bare list.
        return {"labels": found}
    if not isinstance(found, dict):
        raise Refusal(400, "Body should be a JSON object")
    return found


def _respond(request: Request, reply: Reply, headers: dict[str, str]) -> Response:
    if reply.body is None:
        return Response(status_code=reply.status, headers=headers)
    content = json.dumps(reply.body).encode()
    if request.method == "GET" and reply.status == 200:
        headers["etag"] = f'W/"{hashlib.sha256(content).hexdigest()}"'
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
    return Response(
        content=content, status_code=reply.status, headers=headers, media_type="application/json; charset=utf-8"
    )
