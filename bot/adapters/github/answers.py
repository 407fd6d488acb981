"""What GitHub's refusals mean: an exception of PyGithub's or of the network becomes one of the port's errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import requests
from github.GithubException import BadAttributeException, GithubException

from bot.adapters.github.nodes import LackingFactError
from bot.adapters.http_dates import parse_http_date
from bot.adapters.scrub import as_sentence
from bot.ports import OutsideError, Permanent, Transient

SYSTEM = "GitHub"

# What PyGithub lets through when an answer is no JSON (a proxy's login page), or JSON of another shape.
NONSENSE = (BadAttributeException, ValueError, TypeError, KeyError, AttributeError, AssertionError, RuntimeError)
FAILURES = (GithubException, requests.RequestException, *NONSENSE)

_LONGEST_WAIT = timedelta(hours=1)
_SECONDARY_WAIT = timedelta(minutes=1)


class Unanswered(Transient):
    """A failure after which it is not known whether the request was done: 5xx, a lost connection, a strange answer."""


class Refused(Permanent):
    """GitHub understood a request and refused it (405, 409, 422): what that means depends on the request."""

    def __init__(self, sentence: str, *, status: int, said: str) -> None:
        super().__init__(SYSTEM, sentence)
        self.status = status
        self.said = said


class NotThere(Permanent):
    """GitHub knows no such thing, or does not show it to this token."""

    def __init__(self, tried: str) -> None:
        reason = "GitHub knows no such thing, or the token may not see it: check the name and the token's repositories"
        super().__init__(SYSTEM, f"could not {tried}: {reason}")


def translate(error: Exception, tried: str, *, now: datetime) -> OutsideError:
    """Turn a failure into the port's error. `tried` is a verb phrase: what the bot asked GitHub to do."""
    if isinstance(error, OutsideError):
        return error
    if isinstance(error, GithubException):
        return _translate_answer(error, tried, now=now)
    if isinstance(error, requests.RequestException):
        return _translate_silence(error, tried)
    if isinstance(error, LackingFactError):
        where = as_sentence(error.where, longest=100)
        return Unanswered(SYSTEM, f"could not {tried}: GitHub's answer lacks a fact that belongs there ({where})")
    return Unanswered(SYSTEM, f"could not {tried}: GitHub's answer was not understood (is there a proxy in between?)")


def _translate_silence(error: requests.RequestException, tried: str) -> OutsideError:
    if isinstance(error, requests.exceptions.SSLError):
        return Permanent(SYSTEM, f"could not {tried}: GitHub's certificate is not trusted; install its authority")
    if isinstance(error, requests.Timeout):
        return Unanswered(SYSTEM, f"could not {tried}: GitHub did not answer in time")
    return Unanswered(SYSTEM, f"could not {tried}: GitHub could not be reached ({type(error).__name__})")


class LimitMet(Transient):
    """GitHub refused because of a limit. `is_secondary` says that it was none of the hour's, so all should wait."""

    def __init__(self, tried: str, wait: timedelta, *, is_secondary: bool) -> None:
        seconds = int(wait.total_seconds())
        sentence = f"could not {tried}: GitHub's rate limit is used up; it may be asked again in {seconds} s"
        super().__init__(SYSTEM, sentence, retry_after=wait)
        self.is_secondary = is_secondary


def _translate_answer(error: GithubException, tried: str, *, now: datetime) -> OutsideError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    said = said_by(error)
    wait = _asked_wait(error.status, headers, said, now=now)
    if wait is not None:
        return LimitMet(tried, wait, is_secondary=headers.get("x-ratelimit-remaining") != "0")
    if error.status >= 500 or error.status < 400:
        return Unanswered(SYSTEM, f"could not {tried}: GitHub failed (HTTP {error.status})")
    if error.status in (405, 409, 422):
        return Refused(f"GitHub refused to {tried}: {said}", status=error.status, said=said)
    if error.status == 404:
        return NotThere(tried)
    reason = {
        401: "the token is not valid: give the bot a new one",
        403: f"the token may not do that: grant it the right ({said})",
        410: f"that feature is switched off in the repository ({said})",
    }.get(error.status, f"GitHub answered HTTP {error.status} ({said})")
    return Permanent(SYSTEM, f"could not {tried}: {reason}")


def said_by(error: GithubException) -> str:
    """Return GitHub's own words, fit for a sentence."""
    body = error.data if isinstance(error.data, dict) else {}
    inner = body.get("details")
    told = body.get("message") or (inner.get("message") if isinstance(inner, dict) else None)
    parts = [str(told or f"HTTP {error.status}")]
    details = body.get("errors")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            parts.append(str(detail.get("message") or f"{detail.get('field')} {detail.get('code')}"))
        else:
            parts.append(str(detail))
    return as_sentence("; ".join(parts))


def _asked_wait(status: int, headers: Mapping[str, str], said: str, *, now: datetime) -> timedelta | None:
    """Return how long GitHub wants to be left alone; None if this is no matter of limits."""
    if status not in (403, 429):
        return None
    after = headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        return min(timedelta(seconds=int(after[:9])), _LONGEST_WAIT)
    if headers.get("x-ratelimit-remaining") == "0":
        return until_reset(headers, now=now) or _SECONDARY_WAIT
    if status == 429 or "rate limit" in said.lower():
        return _SECONDARY_WAIT
    return None


def until_reset(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """Count the time to the limit's reset from the answer's own date, so that a wrong clock of ours does not matter."""
    reset = headers.get("x-ratelimit-reset", "")
    if not (reset.isascii() and reset.isdigit() and len(reset) < 12):
        return None
    sent = parse_http_date(headers.get("date", "")) or now
    wait = datetime.fromtimestamp(int(reset), UTC) - sent
    return min(max(wait, timedelta(seconds=1)), _LONGEST_WAIT)
