"""A small stateful GitHub for the adapter's tests: it keeps what it is told and goes wrong on demand.

The lab's server is the faithful one; this one exists to lose answers at exact places and to count requests and points.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.adapters.githubgraph import answer_graph
from tests.adapters.githubworld import APP_ID, T0, FakePull, Json, user

Answer = tuple[int, Any, dict[str, str]]
OK: dict[str, str] = {}
TOKEN = "ghp_botbotbotbotbotbot"


class FakeGitHub:
    """One repository `acme/deploy` with pull requests and all that hangs on them; and one app."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = {TOKEN: "lift-bot"}
        self.pulls: list[FakePull] = []
        self.comments: list[Json] = []
        self.reactions: list[tuple[int, str, str]] = []
        self.branches: dict[str, str] = {"main": "0" * 40}
        self.check_runs: list[Json] = []
        self.statuses: list[Json] = []
        self.deployments: list[Json] = []
        self.compared: dict[str, Json] = {}
        self.authors: dict[str, list[Json]] = {}
        self.commit_pulls: list[Json] = []
        self.permissions: dict[str, Json] = {}
        self.members: dict[str, list[str]] = {}
        # the base branch
        self.repository: Json = {
            "mergeCommitAllowed": True,
            "squashMergeAllowed": True,
            "rebaseMergeAllowed": True,
            "autoMergeAllowed": False,
            "deleteBranchOnMerge": False,
        }
        self.has_queue = False
        self.update_rule: Json | None = None
        self.rules: list[Json] = []
        self.protection: Json | None = None
        self.is_admin = True
        # merging
        self.merge_refusal: tuple[int, str] | None = None
        self.async_answers: list[Json] = []
        self.armed: list[Json] = []
        # faults and counts
        self.points = 0
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[Json] = []
        self.queries: list[str] = []
        self.headers: dict[str, str] = {}
        self.has_etags = False
        self.on_the_way: Callable[[str, str], None] = lambda method, path: None
        self.before: Callable[[str, str], Answer | None] = lambda method, path: None
        self.after: Callable[[str, str], Answer | None] = lambda method, path: None
        # the app
        self.minted: list[str] = []
        self.asked_for: list[Json] = []
        self.refuses_scope: Callable[[Json], bool] = lambda body: False
        self.installed = True
        self.granted: dict[str, str] = {}
        self.token_expires = "2026-03-01T13:00:00Z"
        self._lock = threading.Lock()

    # --- what a test puts there ---

    def add_pull(self, branch: str, head: str = "a" * 40, **more: Any) -> FakePull:
        self.pulls.append(FakePull(number=len(self.pulls) + 1, branch=branch, head=head, url=self.url, **more))
        return self.pulls[-1]

    def add_comment(self, number: int, login: str | None, body: str, **more: Any) -> Json:
        made = {
            "id": 1000 + len(self.comments),
            "number": number,
            "body": body,
            "user": user(login),
            "created_at": T0,
            "performed_via_github_app": {"id": APP_ID} if login == "liftlock[bot]" else None,
        }
        self.comments.append(made | more)
        return self.comments[-1]

    def pull(self, number: int) -> FakePull | None:
        return next((pull for pull in self.pulls if pull.number == number), None)

    def count(self, method: str, pattern: str = "") -> int:
        return sum(m == method and bool(re.search(pattern, path)) for m, path in self.requests)

    # --- answering ---

    def answer(self, method: str, target: str, body: Json, headers: dict[str, str]) -> Answer:
        parts = urlsplit(target)
        path, query = unquote(parts.path), {k: v[0] for k, v in parse_qs(parts.query).items()}
        self.on_the_way(method, path)
        with self._lock:
            self.requests.append((method, path))
            self.bodies.append(body)
            self.queries.append(parts.query)
            early = self.before(method, path)
            if early is not None:
                return early
            token = headers.get("authorization", "").partition(" ")[2]
            done = self._route(method, path, query, body, token)
            return self.after(method, path) or self._tagged(method, done, token, headers)

    def _tagged(self, method: str, done: Answer, token: str, headers: dict[str, str]) -> Answer:
        code, value, more = done
        more = self.headers | more
        if not self.has_etags or method != "GET" or code != 200:
            return code, value, more
        etag = f'W/"{hashlib.sha256(json.dumps([value, token]).encode()).hexdigest()}"'
        return (304, None, more) if headers.get("if-none-match") == etag else (200, value, more | {"ETag": etag})

    def _route(self, method: str, path: str, query: dict[str, str], body: Json, token: str) -> Answer:
        app = self._route_app(method, path, token, body)
        if app is not None:
            return app
        login = self.tokens.get(token)
        if login is None:
            return 401, {"message": "Bad credentials"}, OK
        if path.endswith("/graphql"):
            return 200, answer_graph(self, login, body), OK
        if path == "/user":
            return 200, user(login), OK
        for verb, pattern, handler in self._routes():
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                answer: Answer = handler(login, query, body, *found.groups())
                return answer
        return 404, {"message": "Not Found"}, OK

    def _route_app(self, method: str, path: str, token: str, body: Json) -> Answer | None:
        if path == "/app":
            return (200, {"slug": "liftlock", "id": APP_ID}, OK) if token.startswith("eyJ") else (401, {}, OK)
        if path.endswith("/installation"):
            return (
                (200, {"id": 42, "permissions": self.granted}, OK)
                if self.installed
                else (404, {"message": "Not Found"}, OK)
            )
        if path == "/app/installations/42/access_tokens":
            self.asked_for.append(body)
            if self.refuses_scope(body):
                return 422, {"message": "The permissions requested are not granted to this installation."}, OK
            self.minted.append(f"ghs_minted{len(self.minted)}")
            self.tokens[self.minted[-1]] = "liftlock[bot]"
            return 201, {"token": self.minted[-1], "expires_at": self.token_expires}, OK
        return None

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        repo = "/repos/acme/deploy"
        return [
            ("GET", f"{repo}/pulls", self._list_pulls),
            ("POST", f"{repo}/pulls", self._create_pull),
            ("GET", rf"{repo}/pulls/(\d+)", lambda _l, _q, _b, n: self._found(self.pull(int(n)))),
            ("PATCH", rf"{repo}/pulls/(\d+)", self._edit_pull),
            ("PUT", rf"{repo}/pulls/(\d+)/merge", self._merge),
            ("PUT", rf"{repo}/pulls/\d+/merge-async", lambda *_: self._async({"pending": 202, "failed": 409})),
            ("GET", rf"{repo}/pulls/\d+/merge-async/.+", lambda *_: self._async({})),
            ("POST", rf"{repo}/pulls/(\d+)/requested_reviewers", self._ask_reviewers),
            ("GET", rf"{repo}/issues/(\d+)/comments", self._list_comments),
            ("POST", rf"{repo}/issues/(\d+)/comments", self._create_comment),
            ("GET", rf"{repo}/issues/comments/(\d+)", self._get_comment),
            ("PATCH", rf"{repo}/issues/comments/(\d+)", self._edit_comment),
            ("POST", rf"{repo}/issues/comments/(\d+)/reactions", self._react),
            ("POST", rf"{repo}/issues/(\d+)/labels", self._label),
            ("POST", rf"{repo}/issues/(\d+)/assignees", self._assign),
            ("DELETE", rf"{repo}/git/refs/heads/(.+)", self._delete_branch),
            ("GET", rf"{repo}/collaborators/(.+)/permission", self._permission),
            ("GET", rf"{repo}/commits/(\w+)/check-runs", self._list_runs),
            ("POST", rf"{repo}/check-runs", self._create_run),
            ("PATCH", rf"{repo}/check-runs/(\d+)", self._edit_run),
            ("GET", rf"{repo}/commits/(\w+)/statuses", lambda _l, query, *_: self._paged(self.statuses[::-1], query)),
            ("POST", rf"{repo}/statuses/(\w+)", self._create_status),
            ("GET", rf"{repo}/deployments", self._list_deployments),
            ("POST", rf"{repo}/deployments", self._create_deployment),
            ("GET", rf"{repo}/deployments/(\d+)/statuses", self._deployment_states),
            ("POST", rf"{repo}/deployments/(\d+)/statuses", self._deployment_state),
            ("GET", rf"{repo}/commits/(\w+)/pulls", lambda *_: (200, self.commit_pulls, OK)),
            ("GET", rf"{repo}/compare/(.+)", self._compare),
        ]

    # --- pull requests ---

    def _found(self, pull: FakePull | None) -> Answer:
        return (200, pull.rest(), OK) if pull is not None else (404, {"message": "Not Found"}, OK)

    def _list_pulls(self, login: str, query: dict[str, str], body: Json) -> Answer:
        wanted = query["head"].partition(":")[2]
        found = [p.rest() for p in reversed(self.pulls) if p.branch == wanted and p.state == query["state"]]
        return 200, found, OK

    def _create_pull(self, login: str, query: dict[str, str], body: Json) -> Answer:
        if any(pull.state == "open" and pull.branch == body["head"] for pull in self.pulls):
            message = f"A pull request already exists for acme:{body['head']}."
            return 422, {"message": "Validation Failed", "errors": [{"code": "custom", "message": message}]}, OK
        if body["head"] not in self.branches:
            return 422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}, OK
        texts = {"title": body["title"], "body": body["body"], "draft": body["draft"], "author": login}
        return 201, self.add_pull(body["head"], self.branches[body["head"]], **texts).rest(), OK

    def _edit_pull(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        pull = self.pull(int(number))
        assert pull is not None
        pull.state = body.get("state", pull.state)
        pull.body = body.get("body", pull.body)
        return self._found(pull)

    def _ask_reviewers(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        pull = self.pull(int(number))
        assert pull is not None
        pull.reviewers += [*body["reviewers"], *(f"@{slug}" for slug in body["team_reviewers"])]
        return 201, pull.rest(), OK

    def _label(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        pull = self.pull(int(number))
        assert pull is not None
        pull.labels += [name for name in body["labels"] if name not in pull.labels]
        return 200, [{"name": name} for name in pull.labels], OK

    def _assign(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        pull = self.pull(int(number))
        assert pull is not None
        pull.assignees += body["assignees"]
        return 201, pull.rest(), OK

    def _merge(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        pull = self.pull(int(number))
        assert pull is not None
        if self.merge_refusal:
            return self.merge_refusal[0], {"message": self.merge_refusal[1]}, OK
        if pull.state != "open":
            return 405, {"message": "Pull Request is not mergeable"}, OK
        if body["sha"] != pull.head:
            return 409, {"message": "Head branch was modified. Review and try the merge again."}, OK
        pull.state, pull.merged_as, pull.merged_by = "closed", "c" * 40, login
        return 200, {"sha": pull.merged_as, "merged": True, "message": "Pull Request successfully merged"}, OK

    def _async(self, codes: dict[str, int]) -> Answer:
        answer = self.async_answers.pop(0)
        return codes.get(answer["status"], 200), answer, OK

    def _delete_branch(self, login: str, query: dict[str, str], body: Json, branch: str) -> Answer:
        if self.branches.pop(branch, None) is None:
            return 422, {"message": "Reference does not exist"}, OK
        return 204, None, OK

    # --- comments ---

    def _list_comments(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        return self._paged([comment for comment in self.comments if comment["number"] == int(number)], query)

    def _paged(self, found: list[Json], query: dict[str, str]) -> Answer:
        size, page = int(query["per_page"]), int(query["page"])
        link = {"Link": f'<{self.url}/next?page={page + 1}>; rel="next"'} if page * size < len(found) else OK
        return 200, found[(page - 1) * size : page * size], link

    def _create_comment(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        return 201, self.add_comment(int(number), login, body["body"]), OK

    def _comment(self, comment_id: str) -> Json | None:
        return next((comment for comment in self.comments if comment["id"] == int(comment_id)), None)

    def _get_comment(self, login: str, query: dict[str, str], body: Json, comment_id: str) -> Answer:
        found = self._comment(comment_id)
        return (200, found, OK) if found else (404, {"message": "Not Found"}, OK)

    def _edit_comment(self, login: str, query: dict[str, str], body: Json, comment_id: str) -> Answer:
        found = self._comment(comment_id)
        assert found is not None
        found["body"] = body["body"]
        return 200, found, OK

    def _react(self, login: str, query: dict[str, str], body: Json, comment_id: str) -> Answer:
        if self._comment(comment_id) is None:
            return 404, {"message": "Not Found"}, OK
        reaction = (int(comment_id), login, body["content"])
        code = 200 if reaction in self.reactions else 201
        self.reactions += [reaction] if code == 201 else []
        return code, {"id": 1, "content": body["content"]}, OK

    def _permission(self, login: str, query: dict[str, str], body: Json, who: str) -> Answer:
        found = self.permissions.get(who)
        return (200, found, OK) if found else (404, {"message": "Not Found"}, OK)

    # --- signals ---

    def _list_runs(self, login: str, query: dict[str, str], body: Json, sha: str) -> Answer:
        found = [run for run in self.check_runs if (run["head_sha"], run["name"]) == (sha, query["check_name"])]
        return 200, {"total_count": len(found), "check_runs": found}, OK

    def _create_run(self, login: str, query: dict[str, str], body: Json) -> Answer:
        made = {"id": 1 + len(self.check_runs), "app": {"id": APP_ID}, "conclusion": None, **body}
        self.check_runs.append(made)
        return 201, made, OK

    def _edit_run(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        run = next(run for run in self.check_runs if run["id"] == int(number))
        run |= body
        return 200, run, OK

    def _create_status(self, login: str, query: dict[str, str], body: Json, sha: str) -> Answer:
        self.statuses.append(body)
        return 201, body, OK

    def _list_deployments(self, login: str, query: dict[str, str], body: Json) -> Answer:
        same = ("environment", "ref", "task")
        return 200, [one for one in reversed(self.deployments) if all(one[n] == query[n] for n in same)], OK

    def _create_deployment(self, login: str, query: dict[str, str], body: Json) -> Answer:
        made = {"id": 70 + len(self.deployments), "creator": user(login), "states": [], **body}
        self.deployments.append(made)
        return 201, made, OK

    def _deployment(self, number: str) -> Json | None:
        return next((one for one in self.deployments if one["id"] == int(number)), None)

    def _deployment_states(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        found = self._deployment(number)
        return (200, found["states"][::-1][:1], OK) if found else (404, {"message": "Not Found"}, OK)

    def _deployment_state(self, login: str, query: dict[str, str], body: Json, number: str) -> Answer:
        found = self._deployment(number)
        assert found is not None
        found["states"].append(body)
        return 201, body, OK

    def _compare(self, login: str, query: dict[str, str], body: Json, pair: str) -> Answer:
        found = self.compared.get(pair)
        if found is None:
            return 404, {"message": "Not Found"}, OK
        size, page = int(query["per_page"]), int(query["page"])
        commits = found["commits"][(page - 1) * size : page * size]
        return 200, {"status": found["status"], "total_commits": len(found["commits"]), "commits": commits}, OK


@contextmanager
def fake_github() -> Iterator[FakeGitHub]:
    """Serve a `FakeGitHub` on a free port."""
    fake = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            body = json.loads(raw) if raw else {}
            asked = {name.lower(): value for name, value in self.headers.items()}
            status, value, headers = fake.answer(self.command, self.path, body, asked)
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
