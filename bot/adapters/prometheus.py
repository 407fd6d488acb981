"""How releases behave, from Prometheus' HTTP API: the port `Metrics`.

prometheus-api-client serves the check of the connection (and, later, discovery and metadata). Queries go a strict way
of ours on the same session, because the package drops the `warnings` of an answer, so that half of the data looks like
all of it; retries by itself, past any deadline; and puts the query of a POST into the URL, where proxies cut and log
it. Here a query travels in the form body, with explicit times, a `timeout=` below the HTTP deadline, and everything
that is not exactly one series of finite counts raises.

Redirects are not followed. Of a failing query the class of the error decides: `bad_data` is a wrong query, and one
beyond the server's limits stays so (`Permanent`); all else may pass (`Transient`).
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from bot.adapters.breaker import Breaker, LeftAlone
from bot.adapters.http import (
    Answer,
    Endpoint,
    Limits,
    collect,
    parse_json,
    quote,
    raise_for_overload,
    refusal,
    show_url,
    tls_context,
    with_retries,
)
from bot.adapters.prometheus_access import Access, Credentials
from bot.adapters.prometheus_answer import (
    Points,
    UnusableAnswer,
    decimal,
    expected_instants,
    join_tiles,
    parse_matrix,
    show_query,
    split_range,
)
from bot.domain.model import Samples
from bot.ports import OutsideError, SampleRequest

SYSTEM = "Prometheus"
_LIMITS = Limits(deadline=timedelta(seconds=20), max_bytes=32 * 1024 * 1024)
_DESCRIBE_SECONDS = 3.0
_BEYOND = re.compile(r"too many|exceed|limit", re.IGNORECASE)
"""How Prometheus, Thanos and Mimir word that a query asks for more than is allowed (errorType `execution`, 422)."""
_VERSION = re.compile(r"[0-9A-Za-z.+~-]{1,40}\Z")
_PIECE = 64 * 1024
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class PrometheusMetrics:
    """One Prometheus. Safe to share between threads; at most `at_once` queries are under way.

    A server that failed several times in a row is left alone for a while: `breaker`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        access: Access | None = None,
        limits: Limits = _LIMITS,
        at_once: int = 4,
        breaker: Breaker | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._access = access or Access()
        self._limits = limits
        self._breaker = breaker or Breaker()
        self._places = threading.BoundedSemaphore(at_once)
        self._describing = threading.Lock()
        self._description: str | None = None
        self._session = _open_session(endpoint, self._access)
        self._connect = PrometheusConnect(
            url=endpoint.base,
            session=self._session,
            retry=Retry(total=0),
            timeout=limits.deadline.total_seconds(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def check_connection(self) -> None:
        """Raise if there is no Prometheus that answers at the address."""
        with self._speaking_plainly(self._limits.deadline.total_seconds()):
            answers: bool = self._connect.check_prometheus_connection()
        if not answers:
            raise self._endpoint.transient("does not answer as a Prometheus does: check the address and the token")

    def fetch_samples(self, request: SampleRequest) -> Samples:
        """Read the tiles by range queries. Errors, warnings and unexpected shapes raise, they never become zeros."""
        if not expected_instants(request):
            return self._samples(request, {}, {})
        counted = self._points(request, request.query)
        total = self._points(request, request.total)
        return self._samples(request, counted, total)

    def describe(self) -> str:
        """Return the backend's name, version and address for the evidence; never raise, never ask twice."""
        with self._describing:
            if self._description is None:
                self._description = f"{SYSTEM}{self._version()} at {self._endpoint.shown}"
            return self._description

    def _samples(self, request: SampleRequest, counted: Points, total: Points) -> Samples:
        with self._judging():
            tiles = join_tiles(request, counted, total)
        return Samples(
            start=request.start,
            end=request.end,
            tiles=tiles,
            queries=(request.query, request.total),
            backend=self.describe(),
        )

    def _points(self, request: SampleRequest, query: str) -> Points:
        points: dict[int, float] = {}
        for first, last, step in split_range(request):
            form = {"query": query, "start": decimal(first), "end": decimal(last), "step": decimal(step)}
            answer = self._query(form)
            with self._judging():
                points |= parse_matrix(answer, query, range(first, last + 1, step))
        return points

    def _query(self, form: Mapping[str, str]) -> Mapping[str, object]:
        deadline = self._limits.deadline.total_seconds()
        if not self._places.acquire(timeout=deadline):
            raise self._endpoint.transient(f"was busy with our other queries for {deadline:g} s")
        try:
            with self._breaker.call():
                answer = with_retries(self._limits, lambda seconds: self._post(form, seconds))
        except LeftAlone as alone:
            found = f"failed {alone.failures} times in a row, so it is asked again in {alone.seconds:.0f} s only"
            raise self._endpoint.transient(found, retry_after=timedelta(seconds=alone.seconds)) from alone
        finally:
            self._places.release()
        error = _api_error(answer)
        if error is not None:
            raise self._class_of(error, answer, form["query"])
        refused = refusal(self._endpoint, answer, tried="answer a query")
        if refused is not None:
            raise refused
        return parse_json(self._endpoint, answer, expected="query result")

    def _class_of(self, error: Mapping[str, object], answer: Answer, query: str) -> OutsideError:
        kind, said = str(error.get("errorType")), quote(str(error.get("error", "")))
        if kind == "bad_data" or answer.status == 400:
            return self._endpoint.permanent(f"refuses the query {show_query(query)}: {said}")
        if answer.status == 422 and _BEYOND.search(said):
            found = f"allows no query as large as {show_query(query)}: {said}; ask for less, or raise its limit"
            return self._endpoint.permanent(found)
        return self._endpoint.transient(f"failed on the query {show_query(query)} ({quote(kind, longest=40)}): {said}")

    def _post(self, form: Mapping[str, str], seconds: float) -> Answer:
        """Ask once. The server gets a little less time than we wait, so that it is the one to say that it took long."""
        body = dict(form) | {"timeout": f"{seconds * 0.9:.3f}"} | dict(self._access.parameters)
        answer = self._exchange("POST", "/api/v1/query_range", body, seconds)
        if _api_error(answer) is None:
            raise_for_overload(self._endpoint, answer)
        return answer

    def _exchange(self, method: str, path: str, form: Mapping[str, str] | None, seconds: float) -> Answer:
        ends = time.monotonic() + seconds
        with (
            self._speaking_plainly(seconds),
            self._session.request(
                method,
                self._endpoint.base + path,
                data=form,
                timeout=seconds,
                stream=True,
                allow_redirects=False,
                verify=self._session.verify,  # Said here, or REQUESTS_CA_BUNDLE of the environment would override it.
            ) as response,
        ):
            body = collect(self._endpoint, response.iter_content(_PIECE), limits=self._limits, ends=ends)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(status=response.status_code, headers=headers, body=body)

    def _version(self) -> str:
        try:
            answer = self._exchange("GET", "/api/v1/status/buildinfo", None, _DESCRIBE_SECONDS)
            data = parse_json(self._endpoint, answer, expected="build information").get("data")
        except OutsideError:
            return ""
        version = data.get("version") if isinstance(data, dict) else None
        return f" {version}" if isinstance(version, str) and _VERSION.match(version) else ""

    @contextmanager
    def _judging(self) -> Iterator[None]:
        try:
            yield
        except UnusableAnswer as error:
            say = self._endpoint.permanent if error.lasting else self._endpoint.transient
            raise say(error.found) from error

    @contextmanager
    def _speaking_plainly(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except requests.Timeout as error:
            raise self._endpoint.transient(f"did not answer within {seconds:.3g} s") from error
        except requests.exceptions.SSLError as error:
            raise self._endpoint.permanent(f"has a certificate that is not trusted: {quote(str(error))}") from error
        except _NO_ADDRESS as error:
            raise self._endpoint.permanent("cannot be asked: that is not a usable http or https address") from error
        except requests.RequestException as error:
            raise self._endpoint.transient(f"could not be reached: {_reason(error)}") from error


def _open_session(endpoint: Endpoint, access: Access) -> requests.Session:
    tls_context(endpoint)  # A CA file that cannot be used is told at start, not at the first look.
    session = requests.Session()
    session.verify = False if endpoint.insecure else str(endpoint.ca_file or "") or True
    session.auth = Credentials(endpoint, access)
    if access.certificate is not None:
        _check_readable(endpoint, access)
        session.cert = (str(access.certificate), str(access.key)) if access.key else str(access.certificate)
    session.headers["user-agent"] = "liftlock"

    def stay_on_host(response: requests.Response, *_: object, **__: object) -> None:
        """Stop the package's own redirects, before they are followed, where they leave the host."""
        target = urljoin(response.url, response.headers.get("location", ""))
        if response.is_redirect and urlsplit(target)[:2] != urlsplit(response.url)[:2]:
            response.close()
            raise endpoint.permanent(
                f"redirects to {show_url(target)}, which is not followed: set that address instead"
            )

    session.hooks["response"].append(stay_on_host)
    return session


def _check_readable(endpoint: Endpoint, access: Access) -> None:
    """Tell a client certificate that cannot be used at start, not at the first look."""
    try:
        ssl.create_default_context().load_cert_chain(str(access.certificate), str(access.key) if access.key else None)
    except (OSError, ssl.SSLError) as error:
        reason = f"cannot be asked: the client certificate {access.certificate} could not be used: {quote(str(error))}"
        raise endpoint.permanent(reason) from error


def _api_error(answer: Answer) -> Mapping[str, object] | None:
    """Return the error object of Prometheus' API, None if the answer is something else."""
    if not answer.body.lstrip().startswith(b"{"):
        return None
    try:
        value: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get("status") == "error" else None


def _reason(error: BaseException) -> str:
    """Find the operating system's word for it; the library's own text repeats the address and names its classes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return quote(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return f"the connection broke ({type(error).__name__})"
