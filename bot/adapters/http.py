"""Ask an HTTP API and get a whole answer or one plain sentence: a deadline, few retries, a size cap, no secrets.

Enters: an `Endpoint` (whose token is read anew for every request, so that a rotated one is seen) and a `Question`.
Leaves: an `Answer` of any status that is neither overload nor failure, else `Transient` or `Permanent`. It never
follows a redirect to another host, never retries a call that was not declared a read, and never puts a token, a
password of a URL or a control character into a message.

The deadline covers all attempts together. Accepted gaps: name resolution is bounded by the operating system only, and
a server that drips its header lines one by one is bounded by the deadline between two lines, not in all.
"""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx
import tenacity

from bot.adapters.http_dates import retry_after
from bot.adapters.scrub import as_sentence
from bot.ports import OutsideError, Permanent, Transient

TokenSource = Callable[[], str]

_REDIRECTS = 3


class SlowAnswer(Transient):
    """The question was sent, but no answer came in time: whatever it asked for may well be happening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an API lives. A path in `url` is kept; `insecure` switches the check of its certificate off."""

    system: str
    url: str
    token: TokenSource | None = field(default=None, repr=False)
    ca_file: Path | None = None
    insecure: bool = False

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.url.rstrip("/")

    @property
    def shown(self) -> str:
        """The address as messages may show it: without user, password, query and fragment."""
        return show_url(self.base)

    def transient(self, found: str, *, retry_after: timedelta | None = None) -> Transient:
        """Say that this system cannot be used now."""
        return Transient(self.system, self._say(found), retry_after=retry_after)

    def permanent(self, found: str) -> Permanent:
        """Say that this system cannot be used until a person changes something."""
        return Permanent(self.system, self._say(found))

    def _say(self, found: str) -> str:
        """A server may send our own token back in its error text."""
        sentence = f"{self.system} at {self.shown} {found}"
        try:
            token = read_token(self) or ""
        except Permanent:
            return sentence
        return sentence.replace(token, "***") if len(token) > 3 else sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a call may take in all, how often it is tried, how much it may answer. `pause` is the first wait."""

    deadline: timedelta = timedelta(seconds=15)
    attempts: int = 3
    pause: timedelta = timedelta(milliseconds=250)
    max_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request. `path` starts with a slash and is put behind the endpoint's address.

    `most_bytes` is what its answer may have, where that is another number than the client's.
    """

    path: str
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def show_url(url: str) -> str:
    """Return a URL without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is no URL"
    return quote(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


def quote(text: str, *, longest: int = 200) -> str:
    """Make a piece of outside text fit to stand in a sentence: scrubbed, one line, printable, cut."""
    return as_sentence(text[: 8 * longest], longest=longest)


def parse_json(
    endpoint: Endpoint,
    answer: Answer,
    *,
    expected: str,
    slim: Callable[[dict[str, object]], object] | None = None,
) -> Mapping[str, object]:
    """Parse a JSON object; `expected` says in words what should have come.

    `slim` may make each object smaller as soon as it is parsed, the inner ones first: a long list never is in memory
    as it came.
    """
    try:
        value: object = json.loads(answer.body, object_hook=slim)
    except (ValueError, RecursionError) as error:
        raise endpoint.transient(f"answered something that is no {expected} ({_opening(answer)})") from error
    if not isinstance(value, dict):
        raise endpoint.transient(f"answered something that is no {expected} (JSON, but no object)")
    return value


def _opening(answer: Answer) -> str:
    if not answer.body:
        return "nothing at all"
    kind = quote(answer.headers.get("content-type", "no content type"), longest=60)
    return f"{kind}, {len(answer.body)} bytes"


def read_token(endpoint: Endpoint) -> str | None:
    """Read the token anew; None where none is configured."""
    if endpoint.token is None:
        return None
    try:
        token = endpoint.token().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Permanent(endpoint.system, f"the token for {endpoint.shown} could not be read: {reason}") from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        # Checked here because the HTTP libraries quote an illegal header value, and so the token, in their error.
        raise Permanent(endpoint.system, f"the token for {endpoint.shown} is empty or holds characters no token has")
    return token


def tls_context(endpoint: Endpoint) -> ssl.SSLContext | bool:
    """Return how to check the endpoint's certificate: httpx's default, a private authority only, or not at all."""
    if endpoint.insecure:
        return False
    if endpoint.ca_file is None:
        return _public_authorities(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    try:
        return ssl.create_default_context(cafile=endpoint.ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = f"the CA file {endpoint.ca_file} for {endpoint.shown} could not be used: {quote(str(error))}"
        raise Permanent(endpoint.system, reason) from error


@lru_cache(maxsize=8)
def _public_authorities(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    """Return httpx's default, which goes by these two of the environment.

    To read all public authorities takes a while, and every client may share them.
    """
    return httpx.create_ssl_context()


def with_retries(limits: Limits, attempt: Callable[[float], Answer]) -> Answer:
    """Call `attempt` with the seconds that are left, again after a `Transient` while attempts and time last."""
    ends = time.monotonic() + limits.deadline.total_seconds()
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(limits.attempts) | tenacity.stop_before_delay(limits.deadline.total_seconds()),
        wait=_wait(limits.pause.total_seconds()),
        retry=tenacity.retry_if_exception_type(Transient),
        reraise=True,
    )
    return retrying(lambda: attempt(max(0.05, ends - time.monotonic())))


def _wait(pause: float) -> Callable[[tenacity.RetryCallState], float]:
    jittered = tenacity.wait_random_exponential(multiplier=pause, max=5)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Transient) else None
        return jittered(state) + (asked.total_seconds() if asked else 0)

    return wait


def raise_for_overload(endpoint: Endpoint, answer: Answer) -> None:
    """Raise `Transient` for 429 and 5xx, with the time that the system asked to be left alone."""
    if answer.status == 429 or answer.status >= 500:
        what = "asks to slow down" if answer.status == 429 else "failed"
        wait = retry_after(answer.headers)
        length = f", for {wait.total_seconds():.0f} s" if wait else ""
        raise endpoint.transient(f"{what} (HTTP {answer.status}){length}", retry_after=wait)


class TooLong(Permanent):
    """The answer is longer than is accepted: who asks for less may get one."""


def collect(endpoint: Endpoint, chunks: Iterable[bytes], *, limits: Limits, ends: float) -> bytes:
    """Join the pieces of a body; refuse one that is too long or does not end in time (`ends`, monotonic seconds)."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limits.max_bytes:
            refused = endpoint.permanent(f"answered more than the {limits.max_bytes} bytes that are accepted")
            raise TooLong(refused.system, refused.sentence)
        if time.monotonic() > ends:
            raise endpoint.transient(f"did not finish its answer within {limits.deadline.total_seconds():g} s")
    return bytes(body)


class HttpClient:
    """A connection pool to one endpoint. Safe to share between threads."""

    def __init__(self, endpoint: Endpoint, limits: Limits | None = None) -> None:
        self.endpoint = endpoint
        self._limits = limits or Limits()
        self._client = httpx.Client(
            verify=tls_context(endpoint), follow_redirects=False, headers={"user-agent": "liftlock"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def read(self, question: Question) -> Answer:
        """GET something that may be asked again; try again after a failure that may pass."""
        return with_retries(self._limits, lambda seconds: self._get(question, seconds))

    def read_once(self, question: Question, *, seconds: float) -> Answer:
        """GET something a single time, within `seconds`."""
        return self._get(question, seconds)

    def read_headers(self, question: Question) -> Answer:
        """HEAD something, with the retries of `read`: its status and headers, without a body."""
        return with_retries(self._limits, lambda seconds: self._get(question, seconds, method="HEAD"))

    def exchange(self, question: Question, form: Mapping[str, str]) -> Answer:
        """POST a form that changes nothing, such as one token for another, with the retries of `read`."""
        sent = urlencode(form).encode()
        headers = {**question.headers, "content-type": "application/x-www-form-urlencoded"}

        def attempt(seconds: float) -> Answer:
            ends = time.monotonic() + seconds
            asked = replace(question, headers=headers)
            answer = self._exchange(self._url(question), asked, ends, method="POST", sent=sent)
            raise_for_overload(self.endpoint, answer)
            return answer

        return with_retries(self._limits, attempt)

    def write_once(self, question: Question, body: Mapping[str, object], *, seconds: float) -> Answer:
        """POST a JSON object a single time: what an unclear answer means is read, never tried again (I15)."""
        asked = replace(question, headers={**question.headers, "content-type": "application/json"})
        ends, sent = time.monotonic() + seconds, json.dumps(body).encode()
        answer = self._exchange(self._url(question), asked, ends, method="POST", sent=sent)
        raise_for_overload(self.endpoint, answer)
        return answer

    def _get(self, question: Question, seconds: float, *, method: str = "GET") -> Answer:
        ends = time.monotonic() + seconds
        url = self._url(question)
        for _ in range(_REDIRECTS):
            answer = self._exchange(url, question, ends, method=method)
            target = self._same_host(url, answer)
            if target is None:
                raise_for_overload(self.endpoint, answer)
                return answer
            url = target
        raise self.endpoint.permanent("redirects in circles")

    def _url(self, question: Question) -> httpx.URL:
        try:
            url = httpx.URL(self.endpoint.base + question.path)
            # Whatever is given as parameters takes the place of a query that the path has, even None does.
            return url.copy_with(params=pairs(question.params)) if question.params else url
        except httpx.InvalidURL as error:
            raise unreachable(self.endpoint, error) from error

    def _same_host(self, url: httpx.URL, answer: Answer) -> httpx.URL | None:
        """Return where a redirect within the host leads; a redirect elsewhere is the caller's to judge."""
        location = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            return None
        try:
            target = url.join(location)
        except httpx.InvalidURL:
            return None
        same = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
        return target if same else None

    def _exchange(
        self, url: httpx.URL, question: Question, ends: float, *, method: str, sent: bytes | None = None
    ) -> Answer:
        token = read_token(self.endpoint)
        headers = {**question.headers, **({"authorization": f"Bearer {token}"} if token else {})}
        limits = self._limits if question.most_bytes is None else replace(self._limits, max_bytes=question.most_bytes)
        seconds = max(0.05, ends - time.monotonic())
        try:
            with self._client.stream(method, url, headers=headers, content=sent, timeout=seconds) as response:
                body = collect(self.endpoint, response.iter_bytes(), limits=limits, ends=ends)
                return Answer(status=response.status_code, headers=dict(response.headers), body=body)
        except httpx.TimeoutException as error:
            raise self._late(error, f"did not answer within {seconds:.3g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.endpoint, error) from error

    def _late(self, error: httpx.TimeoutException, found: str) -> Transient:
        said = self.endpoint.transient(found)
        return SlowAnswer(said.system, said.sentence) if isinstance(error, httpx.ReadTimeout) else said


def pairs(params: Mapping[str, str | Sequence[str]]) -> list[tuple[str, str]]:
    """Return the parameters of a query one by one; several values of one name stay several."""
    listed = ((name, (value,) if isinstance(value, str) else value) for name, value in params.items())
    return [(name, one) for name, values in listed for one in values]


def unreachable(endpoint: Endpoint, error: Exception) -> OutsideError:
    """Say why there was no answer at all: what a person must change, or what may pass."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return endpoint.permanent("cannot be asked: that is not a usable http or https address")
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return endpoint.permanent(f"has a certificate that is not trusted: {quote(cause.verify_message)}")
    return endpoint.transient(f"could not be reached: {quote(str(error)) or type(error).__name__}")


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refusal(endpoint: Endpoint, answer: Answer, *, tried: str) -> OutsideError | None:
    """Name what an answer that is not 2xx means for `tried` (a verb phrase); None for 2xx."""
    if 200 <= answer.status < 300:
        return None
    if answer.status == 401:
        return endpoint.permanent(f"refused the token when asked to {tried} (401): give it a valid one")
    if answer.status == 403:
        return endpoint.permanent(f"does not allow the token to {tried} (403): give it the right to")
    if answer.status == 404:
        return endpoint.permanent(f"knows nothing of that when asked to {tried} (404): check the address and its path")
    if 300 <= answer.status < 400:
        where = show_url(answer.headers.get("location", ""))
        return endpoint.permanent(f"redirects to {where or 'nowhere'}, which is not followed: set that address instead")
    return endpoint.permanent(
        f"refused to {tried} (HTTP {answer.status}): {quote(answer.body[:800].decode('utf-8', 'replace'))}"
    )
