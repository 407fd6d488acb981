"""What PyGithub does by itself, shown with a plain client, and that the adapter does something else."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
import requests
from github import Github, GithubException, GithubRetry
from github.Auth import Token
from urllib3 import HTTPResponse

from bot.adapters.github import Clients, GitHubForge, GitHubSettings, TokenCredentials
from bot.adapters.github.answers import Unanswered
from bot.adapters.github.asking import Write
from bot.adapters.github.deadline import Deadline, Overdue
from bot.forge import Reaction, Urgency
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.githubparts import BAD_GATEWAY, BRANCH, LOST, REPO, Parts, always, parts_for, settings_for
from tests.adapters.githubserver import TOKEN, Answer, FakeGitHub, fake_github
from tests.adapters.gitserver import NOW, StoppedClock

RESET = str(int((NOW + timedelta(minutes=20)).timestamp()))
DATE = "Sun, 01 Mar 2026 12:10:00 GMT"
GONE = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": RESET}


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        parts.clients.identity()
        github.requests.clear()
        yield parts


def plain(github: FakeGitHub, **more: object) -> Github:
    settings = {"seconds_between_requests": None, "seconds_between_writes": None, "lazy": True} | more
    return Github(auth=Token(TOKEN), base_url=github.url, **settings)  # type: ignore[arg-type]  # names are PyGithub's


def lose_two_answers(github: FakeGitHub) -> Callable[[str, str], Answer | None]:
    left = [BAD_GATEWAY, BAD_GATEWAY]
    return lambda method, path: left.pop() if left and method == "POST" and path.endswith("/comments") else None


def test_a_plain_client_writes_three_comments_for_one_and_the_adapter_one(parts: Parts, github: FakeGitHub) -> None:
    quick = GithubRetry(total=5, backoff_factor=0)
    assert quick.allowed_methods is not None
    assert "POST" in quick.allowed_methods
    github.after = lose_two_answers(github)
    with plain(github, retry=quick) as client:
        client.requester.requestJsonAndCheck("POST", f"/repos/{REPO}/issues/1/comments", input={"body": "x"})
    assert len(github.comments) == 3
    github.comments.clear()
    github.after = lose_two_answers(github)
    parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None)
    assert len(github.comments) == 1


def test_a_plain_client_gives_429_up_or_waits_in_the_call_and_the_adapter_says_when_to_come_back(
    parts: Parts, github: FakeGitHub
) -> None:
    # Without a Retry-After it is not retried at all; with one, urllib3 sleeps in the call and asks ten times more.
    for headers, tries in (({}, 1), ({"Retry-After": "0"}, 11)):
        github.before = always((429, {"message": "slow down"}, headers))
        github.requests.clear()
        with plain(github) as client, pytest.raises(GithubException) as raised:
            client.requester.requestJsonAndCheck("GET", f"/repos/{REPO}/pulls/1")
        assert (raised.value.status, len(github.requests)) == (429, tries)
    github.before = always((429, {"message": "slow down"}, {"Retry-After": "7"}))
    github.requests.clear()
    with pytest.raises(Transient) as caught:
        parts.forge.edit_promotion(REPO, 1, "x")
    assert (caught.value.retry_after, len(github.requests)) == (timedelta(seconds=7), 1)


def test_a_plain_client_would_sleep_until_the_limit_is_reset_and_the_adapter_never_does(
    parts: Parts, github: FakeGitHub
) -> None:
    at = int(time.time()) + 3000
    body = io.BytesIO(b'{"message": "API rate limit exceeded for user ID 1."}')
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(at)}
    answer = HTTPResponse(status=403, headers=headers, body=body, preload_content=False, reason="rate limit exceeded")
    retry = GithubRetry().increment("GET", "/x", response=answer)
    assert 2900 < retry.get_backoff_time() <= 3001
    github.before = always((403, {"message": "API rate limit exceeded for user"}, GONE))
    with pytest.raises(Transient) as caught:
        parts.forge.edit_promotion(REPO, 1, "x")
    assert (caught.value.retry_after, parts.seconds.slept) == (timedelta(minutes=20), [])
    assert len(github.requests) == 1


def test_a_plain_client_raises_graphqls_used_up_limit_as_a_400_and_the_adapter_knows_it(
    parts: Parts, github: FakeGitHub
) -> None:
    error = {"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}
    github.before = always((200, {"errors": [error]}, {**GONE, "X-RateLimit-Resource": "graphql"}))
    with plain(github) as client, pytest.raises(GithubException) as raised:
        client.requester.graphql_query("query { viewer { login } }", {})
    assert raised.value.status == 400
    with pytest.raises(Transient) as caught:
        parts.forge.look_at(REPO, "main", [])
    assert caught.value.retry_after == timedelta(minutes=20)


def test_a_plain_clients_pause_does_not_hold_across_threads(github: FakeGitHub) -> None:
    at: list[float] = []
    github.before = lambda method, path: at.append(time.monotonic())
    start = threading.Barrier(4)

    with plain(github, seconds_between_writes=0.5, retry=None) as client:

        def write() -> None:
            start.wait()
            client.requester.requestJson("DELETE", f"/repos/{REPO}/git/refs/heads/x")

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # The adapter's pause across threads is shown in test_github_budget.
    assert max(at) - min(at) < 1.5


# --- each failure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "words", "wait"),
    [
        ((401, {"message": "Bad credentials"}, {}), Permanent, "token is not valid", None),
        ((403, {"message": "Resource not accessible by integration"}, {}), Permanent, "may not do that", None),
        ((404, {"message": "Not Found"}, {}), Permanent, "knows no such thing", None),
        ((410, {"message": "Gone"}, {}), Permanent, "switched off", None),
        ((307, b"", {"Location": "https://elsewhere.test"}), Permanent, "has moved or was renamed: change its", None),
        ((301, b"", {}), Permanent, "has moved or was renamed", None),
        ((500, {"message": "oops"}, {}), Transient, "HTTP 500", None),
        ((503, b"<html>unicorn</html>", {}), Transient, "HTTP 503", None),
        ((200, b"<html>please log in</html>", {}), Transient, "not understood", None),
        ((200, b'[{"number": ', {}), Transient, "not understood", None),
        ((200, {"message": "an object"}, {}), Transient, "lacks a fact", None),
        (LOST, Transient, "could not be reached", None),
        ((429, {"message": "slow"}, {"Retry-After": "7"}), Transient, "rate limit", timedelta(seconds=7)),
        ((429, {"message": "slow"}, {}), Transient, "rate limit", timedelta(minutes=1)),
        ((403, {"message": "You have exceeded a secondary rate limit."}, {"Retry-After": "30"}),
         Transient, "rate limit", timedelta(seconds=30)),
        ((403, {"message": "API rate limit exceeded for user"}, {**GONE, "Date": DATE}),
         Transient, "rate limit", timedelta(minutes=10)),
        ((403, {"message": "API rate limit exceeded for user"}, {**GONE, "X-RateLimit-Reset": "99999999999"}),
         Transient, "rate limit", timedelta(hours=1)),
    ],
)  # fmt: skip
def test_each_failure_has_one_sentence_and_a_used_up_limit_says_when_to_come_back(
    parts: Parts, github: FakeGitHub, answer: Answer, kind: type[OutsideError], words: str, wait: timedelta | None
) -> None:
    github.before = always(answer)
    with pytest.raises(kind, match=words) as caught:
        parts.forge.edit_promotion(REPO, 1, "x")
    assert REPO in caught.value.sentence
    assert TOKEN not in repr(caught.value)
    if isinstance(caught.value, Transient):
        assert caught.value.retry_after == wait


def test_a_read_is_tried_again_a_few_times_and_a_write_refused_by_a_limit_is_not(
    parts: Parts, github: FakeGitHub
) -> None:
    github.add_pull(BRANCH)
    answers = iter([BAD_GATEWAY, LOST])
    github.before = lambda method, path: next(answers, None)
    assert parts.forge.edit_promotion(REPO, 1, "x") is False
    assert len(github.requests) == 3
    github.before = lambda method, path: (429, {"message": "slow"}, {"Retry-After": "1"}) if method == "POST" else None
    with pytest.raises(Transient):
        parts.conversation.react(REPO, 1, Reaction.SEEN)
    assert github.count("POST") == 1


def test_what_github_says_reaches_people_without_secrets_and_control_characters(
    parts: Parts, github: FakeGitHub
) -> None:
    message = f"no \x1b[31m\u202ered {TOKEN} " + "long " * 200
    github.before = always((403, {"message": message}, {}))
    with pytest.raises(Permanent) as caught:
        parts.forge.delete_branch(REPO, BRANCH)
    assert "no [31m red ***" in caught.value.sentence
    assert len(caught.value.sentence) < 500


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("where", ["/repositories/9/pulls/1", "/repos/acme/deploy/pulls/1", "//elsewhere.test/x"])
def test_a_redirect_is_followed_neither_by_a_read_nor_by_a_write(
    parts: Parts, github: FakeGitHub, status: int, where: str
) -> None:
    address = f"http:{where}" if where.startswith("//") else f"{github.url}{where}"
    github.before = always((status, {"message": "Moved Permanently"}, {"Location": address}))
    with pytest.raises(Permanent, match="acme/deploy: the repository has moved or was renamed: change its name in"):
        parts.forge.edit_promotion(REPO, 1, "x")
    with pytest.raises(Permanent, match="change its name in the policy"):
        parts.forge.delete_branch(REPO, BRANCH)
    with pytest.raises(Permanent, match="change its name in the policy"):
        parts.forge.look_at(REPO, "main", [])
    assert len(github.requests) == 3


def test_a_plain_client_follows_a_redirect_and_drops_what_was_asked_for(github: FakeGitHub) -> None:
    moved = {"Location": f"{github.url}/repositories/9/x"}
    github.before = lambda method, path: (301, {}, moved) if "acme" in path else (200, {"path": path}, {})
    with plain(github, retry=None) as client:
        client.requester.requestJsonAndCheck("GET", f"/repos/{REPO}/x", parameters={"ref": "a" * 40})
    assert github.queries == ["ref=" + "a" * 40, ""]


def test_a_server_that_does_not_answer_in_time_is_transient(github: FakeGitHub) -> None:
    release = threading.Event()

    def hang(method: str, path: str) -> Answer | None:
        release.wait(timeout=30)
        return None

    github.before = hang
    settings = settings_for(github, timeout=timedelta(seconds=1), attempts=1)
    with parts_for(github, settings=settings) as parts, pytest.raises(Transient, match="did not answer in time"):
        parts.forge.mark_ready(REPO, 1)
    release.set()


@contextmanager
def dripping() -> Iterator[str]:
    """A server that sends a byte of its answer now and then, and never the last one."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=[listener.accept()[0]], daemon=True).start()

        def drip(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n"
                )
                while not stop.wait(0.05):
                    connection.sendall(b" ")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()


def test_an_answer_that_drips_is_given_up_at_the_deadline_and_holds_no_other_write(github: FakeGitHub) -> None:
    with dripping() as url:
        settings = settings_for(github, api_url=url, timeout=timedelta(seconds=5), deadline=timedelta(milliseconds=300))
        with parts_for(github, settings=settings) as parts:
            write = Write(verb="PUT", path="/x", tried="do it", urgency=Urgency.ROLLBACK)
            for _ in range(2):
                with pytest.raises(Unanswered, match="did not answer in time"):
                    parts.clients.write(REPO, write, lambda answer: answer)
            assert parts.clients.report()["token"]["writes_waiting"] == 0


def test_what_fails_within_its_deadline_fails_as_it_would_without_one() -> None:
    deadline = Deadline(timedelta(seconds=60))
    assert deadline.hold(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        deadline.hold(lambda: 1 // 0)


def test_only_so_many_late_answers_are_waited_for() -> None:
    release, deadline = threading.Event(), Deadline(timedelta(milliseconds=10), most=1)
    with pytest.raises(Overdue):
        deadline.hold(lambda: release.wait(timeout=30))
    with pytest.raises(requests.ConnectionError, match="too many"):
        deadline.hold(lambda: None)
    release.set()


def test_no_server_at_all_is_transient() -> None:
    settings = GitHubSettings(api_url="http://127.0.0.1:1", pause=timedelta(milliseconds=1))
    clients = Clients(settings, credentials=TokenCredentials(lambda: TOKEN), clock=StoppedClock())
    with clients, pytest.raises(Transient, match="could not be reached"):
        GitHubForge(clients).look_at(REPO, "main", [])
