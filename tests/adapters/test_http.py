from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bot.adapters.http import (
    Answer,
    Endpoint,
    HttpClient,
    Limits,
    Question,
    SlowAnswer,
    TokenSource,
    parse_json,
    quote,
    refusal,
    show_url,
)
from bot.adapters.http_dates import retry_after
from bot.ports import Permanent, Transient
from tests.adapters.scripted import Scripted, an_answer, serving
from tests.adapters.tls import TlsServer, serving_tls

FAST = Limits(deadline=timedelta(seconds=5), attempts=3, pause=timedelta(milliseconds=1), max_bytes=10_000)
TOKEN = "s3cret-token-of-nobody"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


def an_endpoint(url: str, *, token: TokenSource | None = None, ca_file: Path | None = None) -> Endpoint:
    return Endpoint(system="Argo CD", url=url, token=token, ca_file=ca_file)


def read(endpoint: Endpoint, path: str = "/x", *, limits: Limits = FAST) -> Answer:
    with HttpClient(endpoint, limits) as client:
        return client.read(Question(path=path))


def test_an_answer_comes_whole_and_the_path_of_the_address_is_kept(server: Scripted) -> None:
    server.plan("/root/x", an_answer({"a": 1}))
    answer = read(an_endpoint(server.url + "/root/"))
    assert parse_json(an_endpoint(server.url), answer, expected="thing") == {"a": 1}
    assert answer.headers["content-type"] == "application/json"


def test_the_token_is_read_anew_for_every_request(server: Scripted) -> None:
    tokens = iter(["first", "second\n"])
    server.plan("/x", an_answer({}))
    with HttpClient(an_endpoint(server.url, token=lambda: next(tokens)), FAST) as client:
        client.read(Question(path="/x"))
        client.read(Question(path="/x"))
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_failure_that_may_pass_is_tried_again(server: Scripted, status: int) -> None:
    server.plan("/x", Response(status_code=status), Response(status_code=status), an_answer({}))
    assert read(an_endpoint(server.url)).status == 200
    assert len(server.asked) == 3


def test_attempts_are_bounded(server: Scripted) -> None:
    server.plan("/x", Response(status_code=503))
    with pytest.raises(Transient, match=r"failed \(HTTP 503\)"):
        read(an_endpoint(server.url))
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusal_is_not_tried_again(server: Scripted, status: int) -> None:
    server.plan("/x", Response(status_code=status))
    assert read(an_endpoint(server.url)).status == status
    assert len(server.asked) == 1


def test_a_retry_after_beyond_the_deadline_is_handed_on_and_not_waited_for(server: Scripted) -> None:
    server.plan("/x", Response(status_code=429, headers={"retry-after": "90"}))
    with pytest.raises(Transient) as caught:
        read(an_endpoint(server.url))
    assert caught.value.retry_after == timedelta(seconds=90)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, timedelta(seconds=7)),
        ({"retry-after": "999999999"}, timedelta(hours=1)),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        (
            {"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": "Sun, 01 Mar 2026 12:00:00 GMT"},
            timedelta(seconds=30),
        ),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": "Sun, 01 Mar 2026 13:00:00 GMT"}, timedelta()),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, None),
    ],
    ids=["none", "seconds", "absurd", "negative", "words", "instant", "past instant", "instant without date"],
)
def test_retry_after_is_read(headers: dict[str, str], expected: timedelta | None) -> None:
    assert retry_after(headers) == expected


def test_a_wait_that_a_server_asks_for_is_told(server: Scripted) -> None:
    server.plan("/x", Response(status_code=429, headers={"retry-after": "60"}))
    with pytest.raises(Transient, match=r"asks to slow down \(HTTP 429\), for 60 s"):
        read(an_endpoint(server.url))


def test_headers_are_asked_for_alone_and_tried_again(server: Scripted) -> None:
    server.plan("/x", Response(status_code=503), Response(b"body", headers={"etag": "e"}))
    with HttpClient(an_endpoint(server.url), FAST) as client:
        answer = client.read_headers(Question(path="/x"))
    assert (answer.status, answer.headers["etag"], answer.body) == (200, "e", b"")
    assert [asked.method for asked in server.asked] == ["HEAD", "HEAD"]


def test_a_form_that_changes_nothing_is_tried_again(server: Scripted) -> None:
    server.plan("/x", Response(status_code=503), Response(b"body"))
    with HttpClient(an_endpoint(server.url), FAST) as client:
        answer = client.exchange(Question(path="/x"), {"a": "1 2", "b": "&"})
    assert answer.body == b"body"
    assert [(asked.method, asked.body) for asked in server.asked] == [("POST", b"a=1+2&b=%26")] * 2
    assert server.asked[0].headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("most", [5, 20_000])
def test_a_question_may_have_a_limit_of_its_own(server: Scripted, most: int) -> None:
    server.plan("/x", Response(b"x" * 15_000))
    with HttpClient(an_endpoint(server.url), FAST) as client:
        if most == 5:
            with pytest.raises(Permanent, match="more than the 5 bytes"):
                client.read(Question(path="/x", most_bytes=most))
        else:
            assert len(client.read(Question(path="/x", most_bytes=most)).body) == 15_000


def test_a_silent_server_is_given_up_at_the_deadline(server: Scripted) -> None:
    class Silent(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(30)

    server.plan("/x", Silent())
    with pytest.raises(SlowAnswer, match=r"did not answer within 0\.\d+ s"):
        read(an_endpoint(server.url), limits=Limits(deadline=timedelta(milliseconds=200)))


def test_a_server_that_drips_is_given_up_at_the_deadline(server: Scripted) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(600):
            yield b" "
            await asyncio.sleep(0.05)

    server.plan("/x", lambda _: StreamingResponse(drip()))
    with pytest.raises(Transient, match="did not finish its answer"):
        read(an_endpoint(server.url), limits=Limits(deadline=timedelta(milliseconds=300)))


def test_nothing_listening_is_transient() -> None:
    with pytest.raises(Transient, match=r"Argo CD at http://127\.0\.0\.1:1 could not be reached"):
        read(an_endpoint("http://127.0.0.1:1"))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1", "http://h:port", ""])
def test_an_unusable_address_is_permanent(url: str) -> None:
    with pytest.raises(Permanent, match="not a usable http or https address"):
        read(an_endpoint(url))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip bomb"])
def test_too_long_an_answer_is_refused(server: Scripted, packed: bool) -> None:
    body = b" " * 20_000
    headers = {"content-encoding": "gzip"} if packed else {}
    server.plan("/x", Response(gzip.compress(body) if packed else body, headers=headers))
    with pytest.raises(Permanent, match="more than the 10000 bytes"):
        read(an_endpoint(server.url))


def test_a_redirect_to_another_host_is_not_followed(server: Scripted) -> None:
    with serving() as elsewhere:
        elsewhere.plan("/x", an_answer({}))
        server.plan("/x", RedirectResponse(elsewhere.url + "/x?token=abc"))
        endpoint = an_endpoint(server.url, token=lambda: TOKEN)
        refused = refusal(endpoint, read(endpoint), tried="look")
        assert isinstance(refused, Permanent)
        assert refused.sentence.endswith(
            f"redirects to {elsewhere.url}/x, which is not followed: set that address instead"
        )
        assert elsewhere.asked == []


def test_a_redirect_within_the_host_is_followed_but_not_for_ever(server: Scripted) -> None:
    server.plan("/x", RedirectResponse("/y"))
    server.plan("/y", an_answer({}))
    assert read(an_endpoint(server.url)).status == 200
    server.plan("/y", RedirectResponse("/x"))
    with pytest.raises(Permanent, match="in circles"):
        read(an_endpoint(server.url))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, r"refused the token when asked to look \(401\)"),
        (403, r"does not allow the token to look \(403\)"),
        (404, r"\(404\): check the address"),
        (418, "HTTP 418.*I am a teapot"),
    ],
)
def test_each_refusal_says_what_to_do(server: Scripted, status: int, sentence: str) -> None:
    server.plan("/x", PlainTextResponse("I am\na teapot", status_code=status))
    endpoint = an_endpoint(server.url)
    refused = refusal(endpoint, read(endpoint), tried="look")
    assert isinstance(refused, Permanent)
    with pytest.raises(Permanent, match=sentence):
        raise refused


def test_a_token_that_the_server_sends_back_stays_unsaid(server: Scripted) -> None:
    server.plan("/x", PlainTextResponse(f"bad token {TOKEN}, sorry", status_code=400))
    endpoint = an_endpoint(server.url, token=lambda: TOKEN)
    refused = refusal(endpoint, read(endpoint), tried="look")
    assert refused is not None
    assert "bad token ***" in refused.sentence
    assert TOKEN not in str(refused)
    assert TOKEN not in repr(endpoint)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ünicode"])
def test_a_token_that_no_header_can_carry_is_refused_without_saying_it(server: Scripted, token: str) -> None:
    with pytest.raises(Permanent, match="empty or holds characters") as caught:
        read(an_endpoint(server.url, token=lambda: token))
    assert not token or token not in str(caught.value)
    assert server.asked == []


def test_a_token_file_that_is_gone_is_permanent(server: Scripted, tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="could not be read: No such file"):
        read(an_endpoint(server.url, token=(tmp_path / "token").read_text))


def test_a_password_in_the_address_stays_unsaid() -> None:
    with pytest.raises(Transient) as caught:
        read(an_endpoint("http://bot:hunter2@127.0.0.1:1/root?key=hunter2"))
    assert "hunter2" not in str(caught.value)
    assert show_url("http://bot:hunter2@h/x?y#z") == "http://h/x"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": ', b"[]", b"[" * 100_000, b"1" * 9000, b"\xff"], ids=lambda body: repr(body[:8])
)
def test_a_body_that_is_no_json_object_is_transient(body: bytes) -> None:
    with pytest.raises(Transient, match="no thing"):
        parse_json(an_endpoint("http://h"), Answer(status=200, headers={}, body=body), expected="thing")


def test_outside_text_becomes_one_short_printable_line() -> None:
    assert quote("a\n\tb\x1b[31m\u202e\u200bc") == "a b [31m c"
    assert len(quote("x" * 5000)) == 200


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[TlsServer]:
    with serving_tls(tmp_path, lambda _path, _headers: b"{}") as server:
        yield server


def test_a_private_authority_is_trusted_when_named(tls_server: TlsServer) -> None:
    assert read(an_endpoint(tls_server.url, ca_file=tls_server.ca_file)).status == 200


def test_an_untrusted_certificate_is_permanent(tls_server: TlsServer) -> None:
    with pytest.raises(Permanent, match="certificate that is not trusted: self"):
        read(an_endpoint(tls_server.url))


def test_the_check_of_the_certificate_is_off_only_by_the_explicit_word(tls_server: TlsServer) -> None:
    assert read(Endpoint(system="Argo CD", url=tls_server.url, insecure=True)).status == 200


def test_a_missing_authority_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"the CA file .*/ca\.pem .* could not be used"):
        HttpClient(an_endpoint("https://127.0.0.1", ca_file=tmp_path / "ca.pem"))
