"""How releases behave, from Prometheus' HTTP API: the port `Metrics`.

prometheus-api-client serves the check of the connection and the values of labels. Queries go a strict way
of ours on the same session, because the package drops the `warnings` of an answer, so that half of the data looks like
all of it; retries by itself, past any deadline; and puts the query of a POST into the URL, where proxies cut and log
it. Here a query travels in the form body, with explicit times, a `timeout=` below the HTTP deadline, and everything
that is not exactly one series of finite numbers for each stage is an error of that stage.

Redirects are not followed. Of a failing query the class of the error decides: `bad_data` is a wrong query, and one
beyond the server's limits stays so (`Permanent`); all else may pass (`Transient`).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Self

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from bot.adapters.breaker import Breaker, LeftAlone
from bot.adapters.http import (
    Answer,
    Endpoint,
    Limits,
    TooLong,
    collect,
    parse_json,
    quote,
    raise_for_overload,
    refusal,
    with_retries,
)
from bot.adapters.http_dates import parse_http_date
from bot.adapters.prometheus_access import Access, open_session
from bot.adapters.prometheus_answer import (
    UnusableAnswer,
    cause_of,
    decimal,
    interval_of,
    is_beyond_limits,
    milliseconds,
    parse_matrix,
    show_query,
    sorted_bounds,
    split_range,
)
from bot.adapters.prometheus_batch import Batch, Series, numbers_of, plan, points_of, sort_series
from bot.domain.model import Numbers
from bot.domain.queries import DEFAULT_SOURCE, Labels
from bot.domain.text import format_date_instant
from bot.ports import Cost, Look, OutsideError, Permanent, Transient

_LIMITS = Limits(deadline=timedelta(seconds=20), max_bytes=32 * 1024 * 1024)
_DESCRIBE_SECONDS = 3.0
_VERSION = re.compile(r"[0-9A-Za-z.+~-]{1,40}\Z")
_MOST_SPLITS = 10
"""How often a batch is halved that is too much for the server."""
_MOST_SEARCHES = 40
"""How many batches are halved to find the stages whose series a query fails on."""
_PIECE = 64 * 1024
_CLOCKS_DIFFER = timedelta(seconds=2)
"""A `Date` names a second that may be nearly over, and a clock that is kept may be off by another."""
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class _TooLarge(Permanent):
    """The query asks for more than the server allows; half of it may be allowed."""

    def __init__(self, error: OutsideError) -> None:
        super().__init__(error.system, error.sentence)


class _TooSlow(Transient):
    """The server gave up on the query; half of it may be done in time."""

    def __init__(self, error: OutsideError) -> None:
        super().__init__(error.system, error.sentence)


class _FailsOnSeries(Transient):
    """The server failed while it evaluated the query (422); the series of some stages only may be the cause."""

    def __init__(self, error: OutsideError) -> None:
        super().__init__(error.system, error.sentence)


class _Doubtful(Transient):
    """The answer cannot be used as a whole; the series of some stages only may be the cause."""

    def __init__(self, error: OutsideError) -> None:
        super().__init__(error.system, error.sentence)
        self.error = error


class PrometheusMetrics:
    """One Prometheus, whatever its id. Safe to share between threads; at most `at_once` queries are under way.

    One query asks for at most `together` stages at once, and for fewer where that is too much for the server.

    A server that failed several times in a row is left alone for a while: `breaker`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        access: Access | None = None,
        limits: Limits = _LIMITS,
        at_once: int = 4,
        together: int = 1000,
        breaker: Breaker | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._access = access or Access()
        self._limits = limits
        self._breaker = breaker or Breaker()
        self._at_once = at_once
        self._together = together
        self._places = threading.BoundedSemaphore(at_once)
        self._counting = threading.Lock()
        self._cost = Cost()
        self._describing = threading.Lock()
        self._description: str | None = None
        self._asked_interval = False
        self._interval: timedelta | None = None
        self._session = open_session(endpoint, self._access)
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

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        """Answer each look by range queries, looks of one shape together; a failure is of the looks it concerns."""
        found: list[Numbers | OutsideError] = [() for _ in looks]
        batches = plan(looks, most=self._together)
        with ThreadPoolExecutor(max_workers=self._at_once, thread_name_prefix="prometheus") as pool:
            for answers in pool.map(lambda batch: self._answer(batch, searches=iter(range(_MOST_SEARCHES))), batches):
                for number, answer in answers:
                    found[number] = answer
        return found

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, _source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        """Return the bounds of a histogram's buckets, smallest first, from the values of the label `le`."""
        form = {"match[]": histogram, "start": decimal(milliseconds(start)), "end": decimal(milliseconds(end))}
        with self._speaking_plainly(self._limits.deadline.total_seconds()):
            try:
                found: object = self._connect.get_label_values("le", params=form | dict(self._access.parameters))
            except (PrometheusApiClientException, ValueError, KeyError) as error:
                raise self._endpoint.transient(f"did not tell the bounds of {show_query(histogram)}") from error
        return sorted_bounds(found)

    def cost(self) -> Cost:
        """Return what all looks so far have cost."""
        with self._counting:
            return self._cost

    def describe(self, _source: str = DEFAULT_SOURCE, /) -> str:
        """Return the backend's name, version and address for the evidence; never raise, never ask twice."""
        with self._describing:
            if self._description is None:
                self._description = f"{self._endpoint.system}{self._version()} at {self._endpoint.shown}"
            return self._description

    def scrape_interval(self, _source: str = DEFAULT_SOURCE, /) -> timedelta | None:
        """Return how often the server scrapes where a job says nothing else; None where it does not tell."""
        with self._describing:
            if not self._asked_interval:
                self._asked_interval = True
                self._interval = self._configured_interval()
            return self._interval

    def _configured_interval(self) -> timedelta | None:
        try:
            answer = self._exchange("GET", "/api/v1/status/config", None, _DESCRIBE_SECONDS)
            data = parse_json(self._endpoint, answer, expected="configuration").get("data")
        except OutsideError:
            return None
        return interval_of(data.get("yaml") if isinstance(data, dict) else None)

    def _answer(
        self, batch: Batch, *, searches: Iterator[int], splits: int = _MOST_SPLITS
    ) -> list[tuple[int, Numbers | OutsideError]]:
        """Answer a batch; one that is too much for the server, or fails on some series, is asked in two halves."""
        try:
            series = self._series(batch)
        except (_TooLarge, TooLong, _TooSlow, _FailsOnSeries, _Doubtful) as error:
            is_given_up = any(next(searches, None) is None for _ in range(_searches_of(error)))
            halves = batch.halves() if splits and not is_given_up else None
            if halves is None:
                found = error.error if isinstance(error, _Doubtful) else error
                return [(number, found) for number, _ in batch.members]
            # A server that is slow anyway is not asked more and more often.
            left = max(0, splits - (_MOST_SPLITS // 2 if isinstance(error, _TooSlow) else 1))
            return [item for half in halves for item in self._answer(half, searches=searches, splits=left)]
        except OutsideError as error:
            return [(number, error) for number, _ in batch.members]
        return [(number, self._numbers(batch, look, series)) for number, look in batch.members]

    def _numbers(
        self, batch: Batch, look: Look, parts: Sequence[Mapping[Labels, Sequence[Series]]]
    ) -> Numbers | OutsideError:
        points: dict[int, float] = {}
        try:
            with self._judging():
                for part in parts:
                    points |= points_of(part.get(look.query.labels, ()), look, batch)
        except OutsideError as error:
            return error
        return numbers_of(look, points)

    def _series(self, batch: Batch) -> list[Mapping[Labels, Sequence[Series]]]:
        """Return the series of a batch by its queries' labels, for each part of its range."""
        parts = []
        for first, last, step in split_range(batch.look):
            form = {"query": batch.text, "start": decimal(first), "end": decimal(last), "step": decimal(step)}
            answer = self._query(form)
            try:
                with self._judging():
                    series = parse_matrix(answer, batch.text)
                    self._count(series)
                    parts.append(sort_series(batch, series))
            except OutsideError as error:
                raise _Doubtful(error) from error
        return parts

    def _count(self, series: Sequence[Series]) -> None:
        values = (one.get("values") for one in series)
        points = sum(len(some) for some in values if isinstance(some, list))
        with self._counting:
            cost = self._cost
            self._cost = replace(cost, series=cost.series + len(series), points=cost.points + points)

    def _query(self, form: Mapping[str, str]) -> Mapping[str, object]:
        deadline = self._limits.deadline.total_seconds()
        with self._counting:
            self._cost = replace(self._cost, queries=self._cost.queries + 1)
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
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            found = "answered with a part of the data only (HTTP 206), so the result is not used"
            raise _Doubtful(self._endpoint.transient(found))
        self._raise_if_to_come(form["end"], answer)
        return parse_json(self._endpoint, answer, expected="query result")

    def _raise_if_to_come(self, end: str, answer: Answer) -> None:
        """Use nothing of a range that had not passed at the server: what is missing there is only still to come."""
        at_server, until = parse_http_date(answer.headers.get("date", "")), datetime.fromtimestamp(float(end), UTC)
        if at_server is not None and until > at_server + _CLOCKS_DIFFER:
            found = f"was asked about {format_date_instant(until)} when its clock said {format_date_instant(at_server)}"
            raise self._endpoint.transient(f"{found}, so the result is not used; check both clocks")

    def _class_of(self, error: Mapping[str, object], answer: Answer, query: str) -> OutsideError:
        kind, whole = str(error.get("errorType")), str(error.get("error", ""))
        said = quote(cause_of(whole))
        if kind == "bad_data" or answer.status == 400:
            return self._endpoint.permanent(f"refuses the query {show_query(query)}: {said}")
        if answer.status == 422 and is_beyond_limits(whole):
            found = f"allows no query as large as {show_query(query)}: {said}; ask for less, or raise its limit"
            return _TooLarge(self._endpoint.permanent(found))
        failed = self._endpoint.transient(
            f"failed on the query {show_query(query)} ({quote(kind, longest=40)}): {said}"
        )
        if kind == "timeout":
            return _TooSlow(failed)
        return _FailsOnSeries(failed) if answer.status == 422 else failed

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


def _searches_of(error: OutsideError) -> int:
    """Return what a search for the cause costs. What the server doubts is mostly all of it, so it is soon given up."""
    if isinstance(error, _FailsOnSeries):
        return 1
    return 4 if isinstance(error, _Doubtful) else 0


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
