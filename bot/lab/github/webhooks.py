"""Deliver what happens to webhooks, signed as GitHub signs, from a thread of its own. Failures are kept, not raised."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import uuid
from dataclasses import dataclass
from typing import cast

import httpx

from bot.lab.github.call import Json
from bot.lab.github.nouns import CheckRun, Comment, Deployment, DeploymentStatus, Pull, Review, Status, Webhook
from bot.lab.github.shapes import checks as show_checks
from bot.lab.github.shapes import deployments
from bot.lab.github.shapes import pulls as show_pulls
from bot.lab.github.shapes.repos import account, repository
from bot.lab.github.world import Happening, World

_DEADLINE_SECONDS = 10.0
_NO_COMMIT = "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver. `status` None says that nobody answered; `error` then says why."""

    id: str
    event: str
    url: str
    status: int | None
    error: str = ""


class Webhooks:
    """Sends happenings on, in order. `start` before use, `stop` at the end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: queue.Queue[tuple[Webhook, str, bytes] | None] = queue.Queue()
        self._kept: list[Delivery] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="lab-webhooks", daemon=True)
        world.listeners.append(self.note)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """All attempts so far."""
        with self._lock:
            return tuple(self._kept)

    def start(self) -> None:
        """Start to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is waiting, then end the thread."""
        self._queue.put(None)
        self._thread.join(timeout=_DEADLINE_SECONDS)

    def wait(self) -> None:
        """Return when all that happened before has been delivered or has failed."""
        self._queue.join()

    def note(self, happening: Happening) -> None:
        """Queue a happening for each webhook that wants it, with the payload as of this instant."""
        hooks = [*happening.repository.webhooks, *self._hooks_of_apps(happening)]
        wanted = [hook for hook in hooks if hook.active and {"*", happening.event} & set(hook.events)]
        if not wanted:
            return
        payload = json.dumps(_payload(self._world, happening)).encode()
        for hook in wanted:
            self._queue.put((hook, happening.event, payload))

    def _hooks_of_apps(self, happening: Happening) -> list[Webhook]:
        repository = happening.repository
        return [
            app.webhook
            for app in self._world.apps.values()
            if app.webhook is not None
            and app.owner is repository.owner
            and (app.repositories is None or repository.full_name in app.repositories)
        ]

    def _run(self) -> None:
        with httpx.Client(timeout=_DEADLINE_SECONDS, trust_env=False) as client:
            while (item := self._queue.get()) is not None:
                self._deliver(client, *item)
                self._queue.task_done()
            self._queue.task_done()

    def _deliver(self, client: httpx.Client, hook: Webhook, event: str, payload: bytes) -> None:
        name = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/lab",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": name,
            "X-GitHub-Hook-ID": str(hook.id),
            "X-Hub-Signature-256": sign(hook.secret, payload),
        }
        try:
            status: int | None = client.post(hook.url, content=payload, headers=headers).status_code
            error = ""
        except httpx.HTTPError as failure:
            status, error = None, f"{type(failure).__name__}: {failure}"
        with self._lock:
            self._kept.append(Delivery(id=name, event=event, url=hook.url, status=status, error=error))


def sign(secret: str, payload: bytes) -> str:
    """Return GitHub's signature of a payload."""
    return "sha256=" + hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


def _payload(world: World, happening: Happening) -> Json:
    told: Json = {} if happening.action is None else {"action": happening.action}
    told |= {name: _shown(world, happening, name, fact) for name, fact in happening.facts.items()}
    if happening.event == "push":
        told |= _push_words(happening)
    if happening.event == "status":
        told = {"sha": getattr(happening.facts["status"], "sha", ""), **cast("Json", told.pop("status")), **told}
    told["repository"] = repository(world, happening.repository)
    told["sender"] = account(world, happening.sender)
    return told


def _shown(world: World, happening: Happening, name: str, fact: object) -> object:
    repo = happening.repository
    match fact:
        case Pull():
            return (
                show_pulls.issue(world, repo, fact)
                if name == "issue"
                else show_pulls.whole_pull(world, repo, fact, known=False)
            )
        case Comment():
            return show_pulls.comment(world, repo, fact)
        case Review():
            of = happening.facts["pull_request"]
            return show_pulls.review(world, repo, of, fact) if isinstance(of, Pull) else None
        case Status():
            return show_checks.status(world, repo, fact)
        case CheckRun():
            return show_checks.check_run(world, repo, fact)
        case _:
            return _deployment(world, happening, fact)


def _deployment(world: World, happening: Happening, fact: object) -> object:
    of = happening.facts.get("deployment")
    if isinstance(fact, DeploymentStatus) and isinstance(of, Deployment):
        return deployments.deployment_status(world, happening.repository, of, fact)
    if isinstance(fact, Deployment):
        return deployments.deployment(world, happening.repository, fact)
    return fact


def _push_words(happening: Happening) -> Json:
    before, after = happening.facts.get("before"), happening.facts.get("after")
    return {
        "before": before or _NO_COMMIT,
        "after": after or _NO_COMMIT,
        "created": before is None,
        "deleted": after is None,
        "pusher": {"name": happening.sender.login, "email": happening.sender.email},
    }
