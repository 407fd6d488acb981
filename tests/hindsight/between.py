"""A proxy before a Prometheus that counts the queries, and can lose the connection after some of them."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

QUERIES = "/api/v1/query_range"


@dataclass
class Between:
    """The bodies of all queries that were answered; `allowed` is how many more will be, None for all."""

    url: str = ""
    queries: list[bytes] = field(default_factory=list)
    allowed: int | None = None
    lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, body: bytes) -> bool:
        with self.lock:
            if self.allowed is not None and len(self.queries) >= self.allowed:
                self.lost += 1
                return False
            self.queries.append(body)
            return True


@contextmanager
def before(backend: str) -> Iterator[Between]:
    """Serve on a free port what a backend answers."""
    between = Between()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on(None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            if self.path == QUERIES and not between.admits(body):
                self.close_connection = True
                return
            self._pass_on(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
            """Keep the tests' output clean."""

        def _pass_on(self, body: bytes | None) -> None:
            kind = {"content-type": self.headers.get("content-type", "")} if body is not None else {}
            request = urllib.request.Request(backend + self.path, data=body, headers=kind)  # noqa: S310 - our own
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own http address
                    status, content = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, content = error.code, error.read()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    between.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield between
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
