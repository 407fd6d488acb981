"""Which series there are: how many a query gives now, and which values and names labels have. It only reads.

It does not go through `PrometheusMetrics`, whose strictness is for numbers that are judged: here nothing is, and more
than one series is an answer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote as quote_path

import requests

from bot.adapters.examination import exchange
from bot.adapters.http import Answer, Endpoint, parse_json, quote, raise_for_overload, refusal
from bot.adapters.prometheus_access import Access, open_session
from bot.adapters.prometheus_answer import cause_of, show_query
from bot.ports import Permanent

_MOST_VALUES = 10_000
"""How many values or names of labels are asked for: more than anybody mistypes one of."""


class QueryRefused(Permanent):
    """The server takes the query for wrong, or fails on it whenever it is asked: nobody is down."""


class SeriesReader:
    """One server that speaks Prometheus' API. Safe to share between threads; at most `at_once` questions at a time."""

    def __init__(self, endpoint: Endpoint, access: Access, *, at_once: int = 4) -> None:
        self._endpoint = endpoint
        self._access = access
        self._places = threading.BoundedSemaphore(at_once)
        self._opening = threading.Lock()
        self._session: requests.Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._session is not None:
            self._session.close()

    def values(self, query: str) -> tuple[float, ...]:
        """Return the value of each series that an instant query gives now. Raise `QueryRefused` for a wrong one."""
        # The server gives up before we do: nobody would read what it goes on with.
        answer = self._ask("/api/v1/query", {"query": query, "timeout": "9s"})
        self._raise_for_query(answer)
        data = self._data(answer, "answer a query", "query result")
        result = data.get("result") if isinstance(data, dict) else None
        kind = data.get("resultType") if isinstance(data, dict) else None
        if kind == "scalar" and isinstance(result, list):
            result = [{"value": result}]
        if not isinstance(result, list) or kind not in ("scalar", "vector"):
            shown = quote(str(kind), longest=40)
            raise self._refused(f"answered {show_query(query)} with a {shown}, where a vector is needed")
        return tuple(_number(one) for one in result)

    def label_values(self, label: str, selector: str | None = None) -> tuple[str, ...]:
        """Return the values of a label, of all series or of those that a selector has, sorted."""
        return self._words(
            f"/api/v1/label/{quote_path(label, safe='')}/values", selector, f"tell the values of the label {label}"
        )

    def label_names(self, selector: str) -> tuple[str, ...]:
        """Return the names of the labels that the series of a selector have, sorted."""
        return self._words("/api/v1/labels", selector, "tell the names of labels")

    def _words(self, path: str, selector: str | None, tried: str) -> tuple[str, ...]:
        params = {"limit": str(_MOST_VALUES)} | ({"match[]": selector} if selector is not None else {})
        data = self._data(self._ask(path, params, method="GET"), tried, "list of words")
        return tuple(sorted(str(one) for one in data)) if isinstance(data, list) else ()

    def _ask(self, path: str, sent: Mapping[str, str], *, method: str = "POST") -> Answer:
        with self._places:
            return exchange(self._open(), self._endpoint, method, path, {**sent, **self._access.parameters})

    def _open(self) -> requests.Session:
        """Make the session at the first question: an authority that cannot be read is an answer, no reason to stop."""
        with self._opening:
            if self._session is None:
                self._session = open_session(self._endpoint, self._access)
            return self._session

    def _raise_for_query(self, answer: Answer) -> None:
        if answer.status not in (400, 422):
            return
        try:
            told: Any = json.loads(answer.body)
        except (ValueError, RecursionError):
            return
        if isinstance(told, dict) and told.get("status") == "error":
            raise self._refused(f"refuses it: {quote(cause_of(str(told.get('error', ''))), longest=300)}")

    def _data(self, answer: Answer, tried: str, expected: str) -> object:
        raise_for_overload(self._endpoint, answer)
        refused = refusal(self._endpoint, answer, tried=tried)
        if refused is not None:
            raise refused
        return parse_json(self._endpoint, answer, expected=expected).get("data")

    def _refused(self, found: str) -> QueryRefused:
        said = self._endpoint.permanent(found)
        return QueryRefused(said.system, said.sentence)


def _number(one: object) -> float:
    value = one.get("value") if isinstance(one, dict) else None
    try:
        return float(value[1]) if isinstance(value, list) else 0.0
    except (TypeError, ValueError, IndexError):
        return 0.0
