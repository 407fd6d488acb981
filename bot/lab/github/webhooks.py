"""Webhook deliveries: signed as GitHub signs them, sent from a thread, failures recorded and never raised."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import uuid
from dataclasses import dataclass

import httpx

from bot.lab.github import faces
from bot.lab.github.call import Json
from bot.lab.github.nouns import Comment, Pull, Webhook
from bot.lab.github.world import Happening, World

_DEADLINE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver an event. `status` is None where nobody answered."""

    id: str
    url: str
    event: str
    body: bytes
    status: int | None


class Deliverer:
    """Sends what happens to a repository's webhooks, in order, until `stop`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: queue.Queue[tuple[Webhook, str, bytes] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="lab-webhooks", daemon=True)
        self.deliveries: list[Delivery] = []
        world.listeners.append(self.hear)
        self._thread.start()

    def hear(self, happening: Happening) -> None:
        """Queue a happening for each webhook that wants it."""
        for hook in happening.repository.webhooks:
            if "*" in hook.events or happening.event in hook.events:
                body = json.dumps(self._payload(happening)).encode()
                self._waiting.put((hook, happening.event, body))

    def stop(self) -> None:
        """Deliver what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _payload(self, happening: Happening) -> Json:
        world, repo = self._world, happening.repository
        body: Json = {
            "repository": faces.repository(world, repo),
            "sender": faces.user(world, happening.sender),
        }
        if happening.action is not None:
            body["action"] = happening.action
        for name, fact in happening.facts.items():
            match fact:
                case Pull() if name == "issue":
                    body[name] = faces.issue(world, repo, fact)
                case Pull():
                    body[name] = faces.pull(world, repo, fact)
                case Comment():
                    body[name] = faces.comment(world, repo, fact)
                case _:
                    body[name] = fact
        return body

    def _run(self) -> None:
        with httpx.Client(timeout=_DEADLINE_SECONDS) as client:
            while (item := self._waiting.get()) is not None:
                self.deliveries.append(_deliver(client, *item))


def _deliver(client: httpx.Client, hook: Webhook, event: str, body: bytes) -> Delivery:
    name = str(uuid.uuid4())
    signature = hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/lab",
        "x-github-event": event,
        "x-github-delivery": name,
        "x-hub-signature-256": f"sha256={signature}",
    }
    try:
        status: int | None = client.post(hook.url, content=body, headers=headers).status_code
    except httpx.HTTPError:
        status = None
    return Delivery(id=name, url=hook.url, event=event, body=body, status=status)
