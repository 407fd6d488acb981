"""A small stateful GitHub for the forge's tests: it keeps what it is told and goes wrong on demand.

The lab's server is the faithful one; this one exists to lose answers at exact places and to count requests.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
Answer = tuple[int, Any, dict[str, str]]

OK: dict[str, str] = {}


class FakeGitHub:
    """One repository `acme/deploy` with pull requests, comments, statuses, runs, reviews, branches; and one app."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = {"ghp_botbotbotbotbotbot": "lift-bot"}
        self.pulls: list[Json] = []
        self.comments: list[Json] = []
        self.statuses: list[Json] = []
        self.runs: list[Json] = []
        self.reviews: list[Json] = []
        self.branches: dict[str, str] = {"main": "0" * 40}
        self.closers: dict[int, str | None] = {}
        self.allowed_methods = {"merge", "squash"}
        self.merge_refusal: tuple[int, str] | None = None
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[Json] = []
        self.before: Callable[[str, str], Answer | None] = lambda method, path: None
        self.after: Callable[[str, str], Answer | None] = lambda method, path: None
        self.minted: list[str] = []
        self.installed = True
        self.token_expires = "2026-03-01T13:00:00Z"
        self._lock = threading.Lock()

    # --- what a test puts there ---

    def add_pull(self, branch: str, head: str = "a" * 40, *, state: str = "open", **more: Any) -> Json:
        number = len(self.pulls) + 1
        pull: Json = {
            "number": number,
            "url": f"{self.url}/repos/acme/deploy/pulls/{number}",
            "html_url": f"https://github.test/acme/deploy/pull/{number}",
            "issue_url": f"{self.url}/repos/acme/deploy/issues/{number}",
            "state": state,
            "draft": False,
            "merged": False,
            "merged_at": None,
            "merge_commit_sha": "e" * 40,
            "created_at": "2026-03-01T11:00:00Z",
            "mergeable": None,
            "labels": [],
            "head": {"ref": branch, "sha": head, "repo": {"full_name": "acme/deploy"}},
            "base": {"ref": "main", "sha": "0" * 40, "repo": {"full_name": "acme/deploy"}},
        }
        self.pulls.append(pull | more)
        return self.pulls[-1]

    def add_comment(self, number: int, login: str | None, body: str) -> Json:
        made: Json = {
            "id": 1000 + len(self.comments),
            "number": number,
            "url": f"{self.url}/repos/acme/deploy/issues/comments/{1000 + len(self.comments)}",
            "body": body,
            "user": None if login is None else {"login": login},
        }
        self.comments.append(made)
        return made

    def count(self, method: str, pattern: str = "") -> int:
        return sum(m == method and bool(re.search(pattern, path)) for m, path in self.requests)

    # --- answering ---

    def answer(self, method: str, target: str, body: Json, authorization: str | None) -> Answer:
        parts = urlsplit(target)
        path, query = unquote(parts.path), {k: v[0] for k, v in parse_qs(parts.query).items()}
        with self._lock:
            self.requests.append((method, path))
            self.bodies.append(body)
            early = self.before(method, path)
            if early is not None:
                return early
            done = self._route(method, path, query, body, authorization)
            return self.after(method, path) or done

    def _route(self, method: str, path: str, query: dict[str, str], body: Json, authorization: str | None) -> Answer:
        token = (authorization or "").partition(" ")[2]
        app = self._route_app(method, path, token)
        if app is not None:
            return app
        login = self.tokens.get(token)
        if login is None:
            return 401, {"message": "Bad credentials"}, OK
        if path == "/user":
            return 200, {"login": login}, OK
        for verb, pattern, handler in self._routes():
            found = re.fullmatch(f"/repos/acme/deploy{pattern}", path)
            if verb == method and found:
                answer: Answer = handler(login, query, body, *found.groups())
                return answer
        return 404, {"message": "Not Found"}, OK

    def _route_app(self, method: str, path: str, token: str) -> Answer | None:
        is_app = token.startswith("eyJ")
        if path == "/app":
            return (200, {"slug": "liftlock", "id": 7, "url": f"{self.url}/app"}, OK) if is_app else (401, {}, OK)
        if path.endswith("/installation"):
            return (200, {"id": 42}, OK) if self.installed else (404, {"message": "Not Found"}, OK)
        if path == "/app/installations/42/access_tokens":
            self.minted.append(f"ghs_minted{len(self.minted)}")
            self.tokens = {self.minted[-1]: "liftlock[bot]"}
            return 201, {"token": self.minted[-1], "expires_at": self.token_expires}, OK
        return None

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        return [
            ("GET", "/pulls", self._list_pulls),
            ("POST", "/pulls", self._create_pull),
            ("GET", r"/pulls/(\d+)", lambda _l, _q, _b, n: self._found(self._pull(n))),
            ("PATCH", r"/pulls/(\d+)", self._edit_pull),
            ("PUT", r"/pulls/(\d+)/merge", self._merge),
            ("GET", r"/pulls/\d+/reviews", lambda *_: (200, self.reviews, OK)),
            ("GET", r"/issues/(\d+)", self._issue),
            ("GET", r"/issues/(\d+)/comments", self._list_comments),
            ("POST", r"/issues/(\d+)/comments", self._create_comment),
            ("PATCH", r"/issues/comments/(\d+)", self._edit_comment),
            ("POST", r"/issues/(\d+)/labels", self._label),
            ("GET", r"/commits/(\w+)/status", self._combined),
            ("GET", r"/commits/(\w+)/check-runs", self._check_runs),
            ("DELETE", r"/git/refs/heads/(.+)", self._delete_branch),
        ]

    def _pull(self, number: str) -> Json | None:
        return next((pull for pull in self.pulls if pull["number"] == int(number)), None)

    def _found(self, value: Json | None) -> Answer:
        return (200, value, OK) if value is not None else (404, {"message": "Not Found"}, OK)

    def _list_pulls(self, login: str, query: dict[str, str], body: Json) -> Answer:
        wanted = query.get("head", "").partition(":")[2]
        state = query.get("state", "open")
        found = [
            {key: value for key, value in pull.items() if key not in ("mergeable", "merged")}
            for pull in reversed(self.pulls)
            if (not wanted or pull["head"]["ref"] == wanted) and state in ("all", pull["state"])
        ]
        return self._page(found, query)

    def _page(self, found: list[Any], query: dict[str, str]) -> Answer:
        size, page = int(query.get("per_page", "30")), int(query.get("page", "1"))
        return 200, found[(page - 1) * size : page * size], OK

    def _create_pull(self, login: str, query: dict[str, str], body: Json) -> Answer:
        if any(pull["state"] == "open" and pull["head"]["ref"] == body["head"] for pull in self.pulls):
            message = f"A pull request already exists for acme:{body['head']}."
            error = {"resource": "PullRequest", "code": "custom", "message": message}
            return 422, {"message": "Validation Failed", "errors": [error]}, OK
        if body["head"] not in self.branches:
            error = {"resource": "PullRequest", "field": "head", "code": "invalid"}
            return 422, {"message": "Validation Failed", "errors": [error]}, OK
        texts = {"title": body["title"], "body": body["body"]}
        return 201, self.add_pull(body["head"], self.branches[body["head"]], **texts), OK

    def _edit_pull(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        pull = self._pull(number)
        if pull is not None and body.get("state") == "closed":
            pull["state"] = "closed"
            self.closers[pull["number"]] = login
        return self._found(pull)

    def _merge(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        pull = self._pull(number)
        if pull is None:
            return self._found(None)
        if self.merge_refusal:
            return self.merge_refusal[0], {"message": self.merge_refusal[1]}, OK
        if pull["state"] != "open":
            return 405, {"message": "Pull Request is not mergeable"}, OK
        if body["merge_method"] not in self.allowed_methods:
            kind = {"merge": "Merge commits", "squash": "Squash merges"}[body["merge_method"]]
            return 405, {"message": f"{kind} are not allowed on this repository."}, OK
        if body["sha"] != pull["head"]["sha"]:
            return 409, {"message": "Head branch was modified. Review and try the merge again."}, OK
        sha = {"merge": "c", "squash": "d"}[body["merge_method"]] * 40
        pull |= {"state": "closed", "merged": True, "merged_at": "2026-03-01T12:00:00Z", "merge_commit_sha": sha}
        return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}, OK

    def _issue(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        closer = self.closers.get(int(number))
        user = None if closer is None else {"login": closer}
        return (
            200,
            {"number": int(number), "url": f"{self.url}/repos/acme/deploy/issues/{number}", "closed_by": user},
            OK,
        )

    def _list_comments(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        found = [comment for comment in self.comments if comment["number"] == int(number)]
        status, page, headers = self._page(found, query)
        size, current = int(query.get("per_page", "30")), int(query.get("page", "1"))
        if current * size < len(found):
            target = f"{self.url}/repos/acme/deploy/issues/{number}/comments?per_page={size}&page={current + 1}"
            headers = {"Link": f'<{target}>; rel="next"'}
        return status, page, headers

    def _create_comment(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        return 201, self.add_comment(int(number), login, body["body"]), OK

    def _edit_comment(self, login: str, query: dict[str, str], body: Json, comment_id: str) -> Answer:
        comment = next(comment for comment in self.comments if comment["id"] == int(comment_id))
        comment["body"] = body["body"]
        return 200, comment, OK

    def _label(self, login: str, query: dict[str, str], body: list[str], number: str) -> Answer:
        pull = self._pull(number)
        assert pull is not None
        names = {label["name"] for label in pull["labels"]} | set(body)
        pull["labels"] = [{"name": name} for name in sorted(names)]
        return 200, pull["labels"], OK

    def _combined(self, login: str, query: dict[str, str], body: Json, sha: str) -> Answer:
        status, page, _ = self._page(self.statuses, query)
        return status, {"state": "pending", "total_count": len(self.statuses), "statuses": page}, OK

    def _check_runs(self, login: str, query: dict[str, str], body: Json, sha: str) -> Answer:
        return 200, {"total_count": len(self.runs), "check_runs": self.runs}, OK

    def _delete_branch(self, login: str, query: dict[str, str], body: Json, branch: str) -> Answer:
        if self.branches.pop(branch, None) is None:
            return 422, {"message": "Reference does not exist"}, OK
        return 204, None, OK


@contextmanager
def fake_github() -> Iterator[FakeGitHub]:
    """Serve a `FakeGitHub` on a free port."""
    fake = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            body = json.loads(raw) if raw else {}
            status, value, headers = fake.answer(self.command, self.path, body, self.headers.get("authorization"))
            if status == 0:
                # The answer is lost: the connection is cut.
                self.close_connection = True
                return
            content = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
            self.send_response_only(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(content)))
            with suppress(ConnectionError):
                # A client that gave up waiting is part of a test.
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  (the base class looks for these names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
