"""Git over smart HTTP by git's own `git http-backend`, with GitHub's rules on who may read and who may push."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.lab.github.access import may, read_token, sees
from bot.lab.github.conduct import synchronise
from bot.lab.github.git import hermetic_environment
from bot.lab.github.nouns import Credential
from bot.lab.github.world import Happening, Repository, World

_DEADLINE_SECONDS = 60


async def serve_git(world: World, request: Request) -> Response:
    """Answer one request of git's smart HTTP protocol."""
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return await run_in_threadpool(_serve, world, request, body)


def _serve(world: World, request: Request, body: bytes) -> Response:
    parameters = request.path_params
    pushes = "git-receive-pack" in (parameters["path"], request.query_params.get("service", ""))
    with world.lock:
        repo = world.repositories.get(f"{parameters['owner']}/{parameters['repo']}".lower())
        token = read_token(request.headers.get("authorization"))
        credential = world.credential(token) if token else None
        refusal = _refuse(world, repo, credential, has_token=token is not None, pushes=pushes)
        if refusal is not None or repo is None:
            return refusal or PlainTextResponse("Repository not found.", status_code=404)
        before = repo.bare.branches()
        answer = _backend(repo, request, body, _protected(repo, credential))
        if parameters["path"] == "git-receive-pack":
            _notice(world, repo, credential, before)
    return answer


def _refuse(
    world: World, repo: Repository | None, credential: Credential | None, *, has_token: bool, pushes: bool
) -> Response | None:
    if credential is None:
        said = "Invalid username or token." if has_token else "Authentication required."
        return PlainTextResponse(said, status_code=401, headers={"www-authenticate": 'Basic realm="GitHub"'})
    if repo is None or not sees(world, credential, repo):
        return PlainTextResponse("Repository not found.", status_code=404)
    if pushes and not may(world, credential, repo, "contents:write"):
        return PlainTextResponse("Write access to repository not granted.", status_code=403)
    return None


def _protected(repo: Repository, credential: Credential | None) -> Mapping[str, str]:
    """Tell the repository's hook which refs are protected, and which this pusher may not push to at all."""
    login = credential.account.login if credential else ""
    refused = [
        f"refs/heads/{name}\tChanges must be made through a pull request."
        for name, rules in repo.protections.items()
        if rules.demands_pull_request and login not in rules.may_push
    ]
    names = " ".join(f"refs/heads/{name}" for name in repo.protections)
    return {"LAB_PROTECTED": names, "LAB_REFUSED": "\n".join(refused)}


def _backend(repo: Repository, request: Request, body: bytes, more: Mapping[str, str]) -> Response:
    env = hermetic_environment() | {
        "GIT_PROJECT_ROOT": str(repo.bare.directory),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{request.path_params['path']}",
        "QUERY_STRING": request.url.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_USER": "lab",
        **more,
    }
    protocol = request.headers.get("git-protocol")
    if protocol is not None:
        env["GIT_PROTOCOL"] = protocol
    done = subprocess.run(
        ["git", "http-backend"], input=body, capture_output=True, env=env, timeout=_DEADLINE_SECONDS, check=False
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if ": " in line)
    status = int(headers.pop("Status", "200 OK").split(" ")[0])
    return Response(content=content, status_code=status, headers=headers)


def _notice(world: World, repo: Repository, credential: Credential | None, before: Mapping[str, str]) -> None:
    """Let pull requests and webhooks know of a push."""
    after = repo.bare.branches()
    if after == before:
        return
    repo.pushed_at = world.now()
    synchronise(world, repo)
    sender = credential.account if credential else repo.owner
    for name in sorted(after.keys() | before.keys()):
        if after.get(name) != before.get(name):
            facts = {"ref": f"refs/heads/{name}", "before": before.get(name), "after": after.get(name)}
            world.tell(Happening(repository=repo, event="push", sender=sender, facts=facts))
