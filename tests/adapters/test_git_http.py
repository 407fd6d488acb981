"""The Git adapter over smart HTTP: credentials, lost answers, silence, and one sentence for each way to fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.git import GitLimits, GitRepositories, GitSettings
from bot.domain.model import Sha
from bot.ports import Conflict, FileCommit, OutsideError, Permanent, Transient
from tests.adapters.gitserver import (
    GitServer,
    HttpFaults,
    StoppedClock,
    children_of_this_process,
    contains,
    is_running,
    open_files,
    served_over_http,
    wait_until,
)

REPO = "acme/deploy"
FILE = "apps/values.yaml"
TOKEN = "ghp_" + "s3cr3t" * 6
QUICK = GitLimits(pause=timedelta(milliseconds=5))


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server", REPO)
    made.commit({FILE: "tag: v1\n"}, message="first\n")
    return made


@pytest.fixture
def http(server: GitServer) -> Iterator[tuple[str, HttpFaults]]:
    with served_over_http(server) as served:
        yield served


class TokenFile:
    """A token that may change or vanish."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.asked_for: list[str] = []

    def __call__(self, repository: str) -> str | None:
        self.asked_for.append(repository)
        return self.token


def make_repositories(
    tmp_path: Path, url: str, token: Callable[[str], str | None] | None = None, limits: GitLimits = QUICK
) -> GitRepositories:
    settings = GitSettings(mirrors=tmp_path / "mirrors", url=url, limits=limits)
    return GitRepositories(settings, token=token or TokenFile(None), clock=StoppedClock())


def commit_new(repositories: GitRepositories, parent: Sha, text: str = "tag: v2\n") -> Sha:
    return repositories.commit_file(FileCommit(repository=REPO, parent=parent, files={FILE: text}, message="m\n"))


def test_the_whole_round_works_with_a_token(tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]) -> None:
    url, faults = http
    faults.token = TOKEN
    repositories = make_repositories(tmp_path, url, TokenFile(TOKEN))
    base = repositories.refresh(REPO, "main")
    assert repositories.read_file(REPO, base, FILE) == "tag: v1\n"
    made = commit_new(repositories, base)
    repositories.push(REPO, "liftlock/x", made, expected=None)
    repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == made


def test_a_refresh_with_no_news_costs_two_requests(tmp_path: Path, http: tuple[str, HttpFaults]) -> None:
    url, faults = http
    repositories = make_repositories(tmp_path, url)
    repositories.refresh(REPO, "main")
    faults.asked.clear()
    repositories.refresh(REPO, "main")
    assert [path.partition("?")[0].rpartition("/")[2] for path in faults.asked] == ["refs", "git-upload-pack"]


def test_a_history_costs_one_fetch_for_its_commits_and_one_for_its_contents(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    url, faults = http
    for number in range(20):
        server.commit({FILE: f"tag: v{number}\n"})
    repositories = make_repositories(tmp_path, url)
    head = repositories.refresh(REPO, "main")
    faults.asked.clear()
    assert len(repositories.file_history(REPO, head, FILE, limit=50).versions) == 21
    assert sum("git-upload-pack" in path for path in faults.asked if "service=" not in path) == 2


def test_an_unknown_commit_is_asked_for_once_a_sweep(tmp_path: Path, http: tuple[str, HttpFaults]) -> None:
    url, faults = http
    repositories = make_repositories(tmp_path, url)
    head = repositories.refresh(REPO, "main")
    assert contains(repositories, REPO, Sha("1" * 40), head) is None
    faults.asked.clear()
    assert contains(repositories, REPO, Sha("1" * 40), head) is None
    assert faults.asked == []
    repositories.refresh(REPO, "main")
    faults.asked.clear()
    assert contains(repositories, REPO, Sha("1" * 40), head) is None
    assert faults.asked != []


def test_the_token_is_read_again_for_every_request(tmp_path: Path, http: tuple[str, HttpFaults]) -> None:
    url, faults = http
    faults.token = TOKEN
    token = TokenFile("ghp_old0old0old0old0old0")
    repositories = make_repositories(tmp_path, url, token)
    with pytest.raises(Permanent, match="valid token"):
        repositories.refresh(REPO, "main")
    token.token = TOKEN
    repositories.refresh(REPO, "main")
    assert set(token.asked_for) == {REPO}


def test_the_token_is_never_in_an_argument_on_disk_or_in_a_message(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    url, faults = http
    faults.token = TOKEN
    seen: list[bytes] = []

    def look(path: str) -> None:
        for pid in children_of_this_process():
            try:
                seen.append(Path(f"/proc/{pid}/cmdline").read_bytes())
            except OSError:
                continue

    faults.status_for = look
    repositories = make_repositories(tmp_path, url, TokenFile(TOKEN))
    base = repositories.refresh(REPO, "main")
    repositories.read_file(REPO, base, FILE)
    repositories.push(REPO, "main", commit_new(repositories, base), expected=base)
    assert any(b"fetch" in line for line in seen)
    assert any(b"push" in line for line in seen)
    secrets = {authorization.split()[1].encode() for authorization in faults.authorizations if authorization}
    secrets.add(TOKEN.encode())
    assert len(secrets) == 2
    kept = [path.read_bytes() for path in (tmp_path / "mirrors").rglob("*") if path.is_file()]
    assert not any(secret in text for secret in secrets for text in (*seen, *kept))


def test_the_bots_own_environment_does_not_reach_git(
    tmp_path: Path, http: tuple[str, HttpFaults], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, faults = http
    monkeypatch.setenv("LIFTLOCK_SECRET", "do-not-pass-on")
    seen: list[bytes] = []

    def look(path: str) -> None:
        for pid in children_of_this_process():
            try:
                seen.append(Path(f"/proc/{pid}/environ").read_bytes())
            except OSError:
                continue

    faults.status_for = look
    make_repositories(tmp_path, url).refresh(REPO, "main")
    assert any(b"GIT_TERMINAL_PROMPT" in line for line in seen)
    gits = [line for line in seen if b"GIT_TERMINAL_PROMPT" in line]
    assert not any(b"do-not-pass-on" in line for line in gits)


def test_a_netrc_of_the_user_is_not_used(
    tmp_path: Path, http: tuple[str, HttpFaults], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, faults = http
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login dana password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    faults.token = TOKEN
    with pytest.raises(Permanent, match="valid token"):
        make_repositories(tmp_path, url).refresh(REPO, "main")
    assert set(faults.authorizations) == {None}


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Permanent, "valid token"),
        (403, Permanent, "valid token"),
        (404, Permanent, "no such repository"),
        (301, Permanent, "redirected"),
        (429, Transient, "broken off"),
        (500, Transient, "broken off"),
        (503, Transient, "broken off"),
    ],
)
def test_each_answer_of_the_server_has_its_sentence(
    tmp_path: Path, http: tuple[str, HttpFaults], status: int, kind: type[OutsideError], words: str
) -> None:
    url, faults = http
    faults.status_for = lambda path: status
    repositories = make_repositories(tmp_path, url, TokenFile(TOKEN))
    with pytest.raises(kind, match=words) as caught:
        repositories.refresh(REPO, "main")
    assert REPO in caught.value.sentence
    assert "\n" not in caught.value.sentence
    assert TOKEN not in repr(caught.value)


def test_a_failure_that_passes_is_tried_again_and_one_that_stays_only_so_often(
    tmp_path: Path, http: tuple[str, HttpFaults]
) -> None:
    url, faults = http
    repositories = make_repositories(tmp_path, url)
    answers = iter([503, 503])
    faults.status_for = lambda path: next(answers, None)
    repositories.refresh(REPO, "main")
    faults.asked.clear()
    faults.status_for = lambda path: 503
    with pytest.raises(Transient):
        repositories.refresh(REPO, "main")
    assert len(faults.asked) == QUICK.attempts


def test_a_refused_token_is_not_tried_again(tmp_path: Path, http: tuple[str, HttpFaults]) -> None:
    url, faults = http
    faults.status_for = lambda path: 403
    with pytest.raises(Permanent):
        make_repositories(tmp_path, url).refresh(REPO, "main")
    assert len(faults.asked) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/{repository}.git", "could not reach"),
        ("http://nowhere.invalid/{repository}.git", "could not reach"),
    ],
    ids=["closed port", "unknown host"],
)
def test_no_network_is_transient(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(Transient, match=words):
        make_repositories(tmp_path, url, TokenFile(TOKEN)).refresh(REPO, "main")


@pytest.mark.parametrize("token", ["", "two\nlines", "ünïcode"], ids=["empty", "header injection", "not ascii"])
def test_a_token_that_is_none_is_refused_and_not_shown(
    tmp_path: Path, http: tuple[str, HttpFaults], token: str
) -> None:
    with pytest.raises(Permanent, match="characters that no token has") as caught:
        make_repositories(tmp_path, http[0], TokenFile(token)).refresh(REPO, "main")
    assert not token or token not in caught.value.sentence
    assert http[1].asked == []


def test_a_push_whose_answer_is_lost_counts_as_success_and_is_not_sent_again(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    url, faults = http
    repositories = make_repositories(tmp_path, url)
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    faults.lose_answer = lambda path: path.endswith("/git-receive-pack")
    repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == made
    assert sum(path.endswith("/git-receive-pack") for path in faults.asked) == 1


def test_a_push_that_fails_on_its_way_is_looked_up_and_tried_once_more(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    url, faults = http
    repositories = make_repositories(tmp_path, url)
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    answers = iter([502])
    faults.status_for = lambda path: next(answers, None) if path.endswith("/git-receive-pack") else None
    repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == made


def test_a_push_into_silence_says_that_its_result_is_not_known(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    url, faults = http
    repositories = make_repositories(tmp_path, url)
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    faults.status_for = lambda path: 503
    with pytest.raises(Transient, match="not known whether the push"):
        repositories.push(REPO, "main", made, expected=base)
    faults.status_for = lambda path: None
    repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == made


def test_a_stale_lease_over_http_is_a_conflict(tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]) -> None:
    repositories = make_repositories(tmp_path, http[0])
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    server.commit({"other": "1\n"})
    with pytest.raises(Conflict):
        repositories.push(REPO, "main", made, expected=base)


class SilentServer:
    """Accepts connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/{{repository}}.git"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            self.connections.append(connection)
            if not connection.recv(1):
                return

    def close(self) -> None:
        with socket.create_connection(self._socket.getsockname()):
            pass
        self._thread.join()
        for connection in self.connections:
            connection.close()
        self._socket.close()


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


def test_a_hung_git_is_killed_with_its_children_at_the_deadline(tmp_path: Path, silent: SilentServer) -> None:
    second = timedelta(seconds=1)
    limits = GitLimits(network=second, first_fetch=second, pause=timedelta(milliseconds=5))
    repositories = make_repositories(tmp_path, silent.url, limits=limits)
    before = children_of_this_process()
    files = open_files()
    during: set[int] = set()
    caught: list[OutsideError] = []

    def ask() -> None:
        try:
            repositories.refresh(REPO, "main")
        except OutsideError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    # git itself, and its child git-remote-http, which a kill of git alone would leave behind.
    assert wait_until(lambda: bool(silent.connections))
    during = children_of_this_process() - before
    thread.join()
    assert len(during) >= 2
    assert wait_until(lambda: not any(is_running(pid) for pid in during), seconds=5)
    assert open_files() - files <= {str(c.fileno()) for c in silent.connections}
    assert isinstance(caught[0], Transient)
    assert "did not end within 1 s" in caught[0].sentence
    assert len(silent.connections) == 1


def test_after_a_hung_fetch_the_mirror_works(tmp_path: Path, server: GitServer, silent: SilentServer) -> None:
    second = timedelta(seconds=1)
    hurried = GitLimits(network=second, first_fetch=second, pause=timedelta(milliseconds=5))
    with pytest.raises(Transient):
        make_repositories(tmp_path, silent.url, limits=hurried).refresh(REPO, "main")
    assert make_repositories(tmp_path, server.url).refresh(REPO, "main") == server.head("main")
