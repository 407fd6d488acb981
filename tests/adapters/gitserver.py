"""A real git server for tests: a bare repository made by git itself, served from disk or over HTTP with faults."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bot.domain.model import Sha
from bot.ports import Repositories

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def contains(repositories: Repositories, repository: str, commit: Sha, ancestor: Sha) -> bool | None:
    """Whether a commit is another or descends from it; None where that is not known."""
    found = repositories.descent(repository, commit, ancestor)
    return None if found is None else found.contains


class StoppedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


class GitServer:
    """A bare repository `owner/name` below `root`, and plumbing to make commits in it as other people do."""

    def __init__(self, root: Path, repository: str = "acme/deploy") -> None:
        self.root = root
        self.repository = repository
        self.directory = root / f"{repository}.git"
        self.directory.mkdir(parents=True)
        self._minute = 0
        self.git("init", "--quiet", "--bare", "--initial-branch=main")
        for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack"):
            self.git("config", key, "true")
        # A server at rest: nothing of its own may still be running when a test counts processes.
        self.git("config", "receive.autogc", "false")

    @property
    def url(self) -> str:
        return f"file://{self.root}/{{repository}}.git"

    def git(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            ["git", f"--git-dir={self.directory}", *arguments],
            input=stdin,
            capture_output=True,
            check=True,
            env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
            | dict(env or {}),
        )
        return done.stdout.decode("utf-8", "replace").strip()

    def blob(self, content: bytes | str) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content.encode() if isinstance(content, str) else content)

    def commit(
        self,
        files: Mapping[str, bytes | str | tuple[str, str] | None],
        *,
        branch: str = "main",
        message: str = "change\n",
        parents: tuple[str, ...] | None = None,
    ) -> Sha:
        """Commit files on a branch; a tuple is (mode, object), None deletes."""
        above = self.head(branch)
        chosen = parents if parents is not None else tuple(filter(None, (above,)))
        index = {"GIT_INDEX_FILE": str(self.directory / "test-index")}
        self.git("read-tree", *([chosen[0]] if chosen else ["--empty"]), env=index)
        lines = []
        for path, content in files.items():
            if content is None:
                lines.append(f"0 {'0' * 40}\t{path}")
                continue
            mode, sha = content if isinstance(content, tuple) else ("100644", self.blob(content))
            lines.append(f"{mode} {sha}\t{path}")
        self.git("update-index", "-z", "--index-info", stdin="".join(f"{line}\0" for line in lines).encode(), env=index)
        tree = self.git("write-tree", env=index)
        sha = Sha(self.git("commit-tree", tree, *self._flags(chosen), stdin=message.encode(), env=self._person()))
        self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def head(self, branch: str) -> Sha | None:
        found = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return Sha(found) if found else None

    def show(self, commit: str, path: str) -> bytes:
        return subprocess.run(
            ["git", f"--git-dir={self.directory}", "cat-file", "blob", f"{commit}:{path}"],
            capture_output=True,
            check=True,
        ).stdout

    def hook(self, name: str, script: str) -> None:
        path = self.directory / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def _flags(self, parents: tuple[str, ...]) -> list[str]:
        return [flag for parent in parents for flag in ("-p", parent)]

    def _person(self) -> dict[str, str]:
        self._minute += 1
        when = f"@{int(NOW.timestamp()) - 100_000 + 60 * self._minute} +0000"
        facts = {"NAME": "Dana Dev", "EMAIL": "dana@acme.test", "DATE": when}
        return {f"GIT_{role}_{fact}": value for role in ("AUTHOR", "COMMITTER") for fact, value in facts.items()}


class HttpFaults:
    """What the HTTP server does wrong, changed by a test while it runs. `asked` keeps every path it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []
        self.token: str | None = None
        self.status_for: Callable[[str], int | None] = lambda path: None
        self.lose_answer: Callable[[str], bool] = lambda path: False


@contextmanager
def served_over_http(server: GitServer) -> Iterator[tuple[str, HttpFaults]]:
    """Serve a repository by `git http-backend` on a free port; yield its URL template and its faults."""
    faults = HttpFaults()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self.rfile.read(int(self.headers.get("content-length", "0"))))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
            """Keep the tests' output clean."""

        def _serve(self, body: bytes) -> None:
            faults.asked.append(self.path)
            faults.authorizations.append(self.headers.get("authorization"))
            status = faults.status_for(self.path) or (None if self._is_allowed() else 401)
            if status:
                self.send_error(status)
                return
            answer = _backend(server.root, self.command, self.path, dict(self.headers), body)
            if faults.lose_answer(self.path):
                self.close_connection = True
                return
            head, _, content = answer.partition(b"\r\n\r\n")
            lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(lines.pop("Status", "200").split()[0]))
            for name, value in lines.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _is_allowed(self) -> bool:
            if faults.token is None:
                return True
            basic = base64.b64encode(f"x-access-token:{faults.token}".encode()).decode()
            return self.headers.get("authorization") == f"Basic {basic}"

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = False
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/{{repository}}.git", faults
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _backend(root: Path, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    path, _, query = target.partition("?")
    lower = {name.lower(): value for name, value in headers.items()}
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROJECT_ROOT": str(root),
        "GIT_PROTOCOL": lower.get("git-protocol", ""),
        "REMOTE_USER": "somebody",
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": lower.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": lower.get("content-encoding", ""),
    }
    return subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False).stdout


def children_of_this_process() -> set[int]:
    """Return the ids of all living descendants."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        parent = waiting.pop()
        below = {child for child, above in parents.items() if above == parent}
        found |= below
        waiting.extend(below)
    return found


def is_running(pid: int) -> bool:
    """Say whether a process still does something; one that only waits to be reaped by its new parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def open_files() -> set[str]:
    """Return the numbers of this process's open file handles."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def wait_until(condition: Callable[[], bool], *, seconds: float = 10) -> bool:
    """Wait for a condition that must come; the bound only ends a broken test."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
