"""What GitHub's GraphQL errors mean. They come with HTTP 200, beside data or instead of it.

A null where a fact belongs never passes as “there is none”: any error makes the whole answer one, save for the few
fields that GitHub shows only to tokens with more rights, which the document asks for on the chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.adapters.github.answers import SYSTEM, LimitMet, NotThere, Refused, Unanswered, until_reset
from bot.adapters.github.nodes import Node, objects
from bot.adapters.scrub import as_sentence
from bot.ports import OutsideError, Permanent

_FORBIDDEN = ("FORBIDDEN", "INSUFFICIENT_SCOPES")
_FOR_MORE_RIGHTS = ("branchProtectionRule", "rules")
_PASSING = ("SERVICE_UNAVAILABLE", "INTERNAL", "INTERNAL_SERVER_ERROR", "RESOURCE_LIMITS_EXCEEDED", "TIMEOUT")
_PASSING_WORDS = ("went wrong", "timeout", "timedout")
"""GitHub says no kind of these failures."""


def read_graph(body: object, headers: Mapping[str, str], tried: str, *, now: datetime) -> Node:
    """Return the data of an answer; raise for what it lacks."""
    answer = Node(body)
    errors = [] if answer.raw("errors") is None else list(objects(answer.raw("errors"), "errors"))
    counting = [error for error in errors if not _is_accepted(error)]
    if counting:
        raise _meaning(counting[0], headers, tried, now=now)
    return answer.node("data")


def _is_accepted(error: Node) -> bool:
    path = error.raw("path")
    steps = path if isinstance(path, list) else []
    return _kind(error) in _FORBIDDEN and any(step in _FOR_MORE_RIGHTS for step in steps)


def _kind(error: Node) -> str:
    return str(error.raw("type") or "")


def _meaning(error: Node, headers: Mapping[str, str], tried: str, *, now: datetime) -> OutsideError:
    kind, said = _kind(error), as_sentence(str(error.raw("message") or "an error without words"))
    if kind in ("RATE_LIMITED", "RATE_LIMIT") or "rate limit" in said.lower():
        is_secondary = headers.get("x-ratelimit-remaining", "0") != "0" or "secondary" in said.lower()
        wait = None if is_secondary else until_reset(headers, now=now)
        return LimitMet(tried, wait or timedelta(minutes=1), is_secondary=is_secondary)
    if kind == "NOT_FOUND":
        return NotThere(tried)
    if kind in _FORBIDDEN:
        return Permanent(SYSTEM, f"could not {tried}: the token may not do that: grant it the right ({said})")
    if kind in _PASSING or (not kind and any(words in said.lower() for words in _PASSING_WORDS)):
        return Unanswered(SYSTEM, f"could not {tried}: GitHub failed ({said})")
    return Refused(f"GitHub refused to {tried}: {said}", status=422, said=said)
