"""The web application on a real socket, a client that signs as GitHub does, and time under control."""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import structlog
from prometheus_client import CollectorRegistry

from bot.engine.waking import Waker
from bot.ports import Cost
from bot.web.alertmanager import judge_message
from bot.web.app import Webhook, build_app
from bot.web.bell import Bell
from bot.web.body import BodyLimits, BodyReader
from bot.web.deliveries import Deliveries
from bot.web.metrics import BotNumbers
from bot.web.pages import Pages
from bot.web.registry import judge_push
from bot.web.server import WebServer, listen_on
from bot.web.signature import sign
from bot.web.tokens import LIMITS, TokenWebhook
from bot.web.webhooks import GitHubWebhook
from tests.builders import NOON
from tests.fakes import FakeClock

SECRET = "first-secret"
TOKEN = "first-token"
PUSH_TOKEN = "first-push-token"
REPOSITORY = "acme/deploy"
LIMIT = timedelta(minutes=5)


def a_payload(repository: object = REPOSITORY, **more: object) -> bytes:
    return json.dumps({"repository": {"full_name": repository}, **more}).encode()


def a_package(event: str = "registry_package", **more: object) -> bytes:
    """Return what GitHub tells of a push to ghcr.io, with the parts that matter and some that do not."""
    package = {
        "id": 1118375,
        "name": "checkout",
        "namespace": "acme",
        "ecosystem": "CONTAINER",
        "package_type": "CONTAINER",
        "owner": {"login": "acme"},
        "package_version": {
            "container_metadata": {"tag": {"name": "1.9.0"}},
            "package_url": "ghcr.io/acme/checkout:1.9.0",
        },
    }
    return a_payload("acme/checkout-source", action="published", **{event: {**package, **more}})


def headers_for(body: bytes, secret: str = SECRET, *, event: str = "push", name: str | None = None) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": name or str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={sign(body, secret).hex()}",
    }


@dataclass(kw_only=True)
class Web:
    """What a served application is made of, and ways to talk to it."""

    secrets: list[str] = field(default_factory=lambda: [SECRET])
    tokens: list[str] = field(default_factory=lambda: [TOKEN])
    push_tokens: list[str] = field(default_factory=lambda: [PUSH_TOKEN])
    expected: list[str] = field(default_factory=list)
    limits: BodyLimits = field(default_factory=BodyLimits)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    waker: Waker = field(default_factory=Waker)
    stopping: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __post_init__(self) -> None:
        self.numbers = BotNumbers(lambda: Cost(queries=3, series=20, points=400))
        registry = CollectorRegistry()
        registry.register(self.numbers)
        self.registry = registry
        self.bodies = BodyReader(self.limits)
        pages = Pages(numbers=self.numbers, registry=registry, clock=self.clock, limit=LIMIT, stopping=self.stopping)
        bell = Bell(waker=self.waker, expect=self.expected.append)
        github = GitHubWebhook(
            secrets=lambda: tuple(self.secrets),
            bodies=self.bodies,
            deliveries=Deliveries(self.clock),
            bell=bell,
            count=self.numbers.note_delivery,
        )
        self.notices = BodyReader(LIMITS)
        alertmanager = TokenWebhook(
            tokens=lambda: tuple(self.tokens),
            bodies=self.notices,
            judge=judge_message,
            bell=bell,
            count=self.numbers.note_notification,
        )
        registry_webhook = TokenWebhook(
            tokens=lambda: tuple(self.push_tokens),
            bodies=BodyReader(LIMITS),
            judge=judge_push,
            bell=bell,
            count=self.numbers.note_push,
        )
        webhooks: dict[str, Webhook] = {"github": github, "alertmanager": alertmanager, "registry": registry_webhook}
        self.app = build_app(pages, webhooks)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, trust_env=False, timeout=20)

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return httpx.post(f"{self.url}/webhooks/github", content=body, headers=headers, trust_env=False, timeout=20)

    def deliver(self, body: bytes | None = None, secret: str = SECRET, *, event: str = "push") -> httpx.Response:
        """Deliver as GitHub does: signed, under a name of its own; a body of its own unless one is given."""
        whole = a_payload(number=str(uuid.uuid4())) if body is None else body
        return self.post(whole, headers_for(whole, secret, event=event))

    def woken(self) -> frozenset[str]:
        """Take what the bot has been woken for."""
        return self.waker.wait(0)

    def number(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def counted(self) -> dict[str, float]:
        """Count the deliveries by their results, without those that there were none of."""
        results = ("accepted", "replayed", "unsigned", "refused", "ignored")
        found = {result: self.number("liftlock_webhook_deliveries_total", result=result) for result in results}
        return {result: count for result, count in found.items() if count}

    def talk(self, *pieces: bytes) -> bytes:
        """Send raw bytes and return all that comes back until the server ends the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            return exchange(connection, pieces)


def exchange(connection: socket.socket, pieces: Sequence[bytes]) -> bytes:
    """Send pieces until the other side has had enough, then read to the end."""
    answer = b""
    try:
        for piece in pieces:
            connection.sendall(piece)
        while part := connection.recv(65536):
            answer += part
    except (BrokenPipeError, ConnectionResetError):
        pass
    return answer


@contextmanager
def logged() -> Iterator[list[MutableMapping[str, object]]]:
    """Catch all that is logged, whatever level a command that another test ran has left behind."""
    before = structlog.get_config()
    structlog.reset_defaults()
    try:
        with structlog.testing.capture_logs() as log:
            yield log
    finally:
        structlog.configure(**before)


@contextmanager
def served(web: Web | None = None) -> Iterator[Web]:
    """Serve on a free port of this machine."""
    web = web or Web()
    with WebServer(web.app, listen_on(("127.0.0.1", 0))) as server:
        web.port = server.port
        yield web
