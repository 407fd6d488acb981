"""Walk through a list that a registry gives in pages, by its `Link` headers.

A link is taken for its query only, and only if it leads to the same list of the same host: nothing is sent elsewhere.
Source: OCI distribution specification 1.1, RFC 8288.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qs, urljoin, urlsplit

from bot.adapters.http import Answer, Question, show_url
from bot.adapters.registry.host import RegistryHost

# Takes linear time, whatever a registry sends.
_LINK = re.compile(r'<([^<>]*)>((?:[^,"<]|"[^"]*")*)')
_MOST_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Patience:
    """Until when a question that takes many requests may go on (monotonic seconds), and for what it is asked."""

    host: RegistryHost
    what: str
    lasts: timedelta
    ends: float

    def require(self) -> None:
        """Raise `Transient` when the time is up."""
        if time.monotonic() > self.ends:
            raise self.host.transient(f"did not tell {self.what} within {self.lasts.total_seconds():g} s")


def patience(host: RegistryHost, what: str, lasts: timedelta) -> Patience:
    """Begin to wait."""
    return Patience(host, what, lasts, time.monotonic() + lasts.total_seconds())


def walk_pages(waiting: Patience, repository: str, question: Question) -> Iterator[Answer]:
    """Yield the answers page by page, whatever their status: what it means is the caller's to judge."""
    seen: set[str] = set()
    asked = question
    while True:
        waiting.require()
        answer = waiting.host.ask(repository, asked)
        yield answer
        query = _next_query(waiting, answer, question.path)
        if query is None:
            return
        if query in seen or len(seen) >= _MOST_PAGES:
            raise waiting.host.permanent(f"tells {waiting.what} in pages without an end")
        seen.add(query)
        asked = replace(question, params=parse_qs(query, keep_blank_values=True))


def _next_query(waiting: Patience, answer: Answer, path: str) -> str | None:
    links: list[tuple[str, str]] = _LINK.findall(answer.headers.get("link", ""))
    target = next((target for target, parameters in links if _is_next(parameters)), None)
    if target is None:
        return None
    query = _query_of(target, waiting.host.url + path)
    if query is None:
        shown = show_url(target)
        raise waiting.host.permanent(f"sends to {shown} for the next page of {waiting.what}, which is not followed")
    return query


def _is_next(parameters: str) -> bool:
    pairs = [parameter.partition("=") for parameter in parameters.split(";")]
    return any(
        name.strip().lower() == "rel" and "next" in value.strip().strip('"').lower().split() for name, _, value in pairs
    )


def _query_of(target: str, own: str) -> str | None:
    """Return the query of a link to the same list; None for a link to anything else.

    Behind a proxy a registry may know neither its own scheme, nor its port, nor the path before its own.
    """
    try:
        parts, mine = urlsplit(urljoin(own, target)), urlsplit(own)
    except ValueError:
        return None
    is_own = parts.hostname == mine.hostname and mine.path.endswith(parts.path) and "/v2/" in parts.path
    return parts.query if is_own else None
