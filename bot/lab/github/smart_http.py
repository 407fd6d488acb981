"""Git over HTTP: git's own `http-backend` behind GitHub's authentication, permissions and branch protection."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.lab.github.access import may, read_token, sees
from bot.lab.github.git import hermetic_environment
from bot.lab.github.nouns import Account, Credential
from bot.lab.github.pulls import refs_moved
from bot.lab.github.settling import settle_all
from bot.lab.github.world import Repository, World

_DEADLINE_SECONDS = 120
_LOGIN = {"WWW-Authenticate": 'Basic realm="GitHub"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    method: str
    owner: str
    name: str
    rest: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_push(self) -> bool:
        return "git-receive-pack" in (self.rest, self.query.removeprefix("service="))


class SmartHttp:
    """The Git side of one world; `directory` holds the bare repositories as `owner/name.git`."""

    def __init__(self, world: World, directory: Path) -> None:
        self._world = world
        self._directory = directory
        self._greetings: dict[tuple[str, int, str], tuple[bytes | memoryview, dict[str, str]]] = {}

    def routes(self) -> list[Route]:
        """Return the routes of git's smart protocol."""
        return [
            Route("/{owner}/{name}/info/refs", self._respond, methods=["GET"], name="info/refs"),
            Route("/{owner}/{name}/git-upload-pack", self._respond, methods=["POST"], name="git-upload-pack"),
            Route("/{owner}/{name}/git-receive-pack", self._respond, methods=["POST"], name="git-receive-pack"),
        ]

    async def _respond(self, request: Request) -> Response:
        owner, name = request.path_params["owner"], request.path_params["name"]
        asked = _Asked(
            method=request.method,
            owner=owner,
            name=name.removesuffix(".git"),
            rest=request.url.path.removeprefix(f"/{owner}/{name}/"),
            query=request.url.query,
            headers=request.headers,
            body=await request.body(),
        )
        return await run_in_threadpool(self._answer, asked)

    def _answer(self, asked: _Asked) -> Response:
        with self._world.lock:
            token = read_token(asked.headers.get("authorization"))
            credential = self._world.credential(token) if token else None
            repository = self._world.repositories.get(f"{asked.owner}/{asked.name}".lower())
            refused = self._refuse(asked, credential, repository)
        if refused is not None:
            return refused
        assert repository is not None  # noqa: S101  (`_refuse` answers 404 for an unknown repository)
        if asked.method == "POST" and asked.is_push and credential is not None:
            return self._push(asked, repository, credential.account)
        return self._greeting(asked, repository) if _is_greeting(asked) else self._backend(asked, repository, {})

    def _greeting(self, asked: _Asked, repository: Repository) -> Response:
        """Answer as git did before: with version 2 it tells what it can do, whatever the repository holds."""
        config = (self._directory / f"{repository.full_name}.git" / "config").stat()
        key = (repository.full_name, config.st_mtime_ns, asked.headers["git-protocol"])
        if key not in self._greetings:
            response = self._backend(asked, repository, {})
            if response.status_code != HTTPStatus.OK:
                return response
            self._greetings[key] = response.body, dict(response.headers)
        body, headers = self._greetings[key]
        return Response(body, headers=headers)

    def _refuse(self, asked: _Asked, credential: Credential | None, repository: Repository | None) -> Response | None:
        if credential is None and (asked.is_push or repository is None or repository.private):
            words = "Invalid username or token. Password authentication is not supported for Git operations.\n"
            return PlainTextResponse(words if "authorization" in asked.headers else "", 401, _LOGIN)
        if repository is None or not sees(self._world, credential, repository):
            return PlainTextResponse("Repository not found.\n", 404)
        needs = "contents:write" if asked.is_push else "contents:read"
        if credential is None or may(self._world, credential, repository, needs):
            return None
        words = f"Permission to {repository.full_name}.git denied to {credential.account.login}.\n"
        return PlainTextResponse(words, 403)

    def _push(self, asked: _Asked, repository: Repository, who: Account) -> Response:
        with self._world.lock:
            before = repository.bare.branches()
            protected = " ".join(f"refs/heads/{branch}" for branch in repository.protections)
            refusals = _refusals(repository, who)
            response = self._backend(asked, repository, {"LAB_PROTECTED": protected, "LAB_REFUSED": refusals})
            refs_moved(self._world, repository, before, who)
            settle_all(self._world)
            return response

    def _backend(self, asked: _Asked, repository: Repository, more: Mapping[str, str]) -> Response:
        env = {
            **hermetic_environment(),
            "GIT_PROJECT_ROOT": str(self._directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{repository.full_name}.git/{asked.rest}",
            "REQUEST_METHOD": asked.method,
            "QUERY_STRING": asked.query,
            "CONTENT_TYPE": asked.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(asked.body)),
            "HTTP_CONTENT_ENCODING": asked.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
            "REMOTE_USER": "lab",
            "REMOTE_ADDR": "127.0.0.1",
            **more,
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=asked.body,
            env=env,
            capture_output=True,
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
        return _parse_cgi(done.stdout)


def _is_greeting(asked: _Asked) -> bool:
    is_second = "version=2" in asked.headers.get("git-protocol", "").split(":")
    return is_second and (asked.rest, asked.query) == ("info/refs", "service=git-upload-pack")


def _refusals(repository: Repository, who: Account) -> str:
    """Return what a direct push may not do, a line a branch: ref, tab, reason."""
    lines = []
    for branch, protection in repository.protections.items():
        if who.login in protection.may_push:
            continue
        if protection.demands_pull_request:
            lines.append(f"refs/heads/{branch}\tChanges must be made through a pull request.")
        elif protection.required_contexts:
            lines.append(f'refs/heads/{branch}\tRequired status check "{protection.required_contexts[0]}" is expected.')
    return "\n".join(lines)


def _parse_cgi(output: bytes) -> Response:
    head, found, body = output.partition(b"\r\n\r\n")
    if not found:
        return PlainTextResponse("git http-backend failed", 500)
    lines = (line.split(":", 1) for line in head.decode("latin-1").split("\r\n"))
    headers = {name.strip(): value.strip() for name, value in lines}
    status = int(headers.pop("Status", "200").split(" ")[0])
    return Response(body, status, headers)
