"""One request on a lent PyGithub client: its credential, the answer as it came, and what a lack of one means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from github import Github
from github.Auth import Auth
from github.GithubException import GithubException
from requests.exceptions import ReadTimeout

from bot.adapters.github.answers import Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came; the headers' names in small letters."""

    status: int
    headers: Mapping[str, str]
    text: str

    def parse(self) -> object:
        """Read the text as JSON."""
        parsed: object = json.loads(self.text) if self.text else None
        return parsed


class LentToken(Auth):
    """The credential of one lent client: the token that the call in hand has read."""

    def __init__(self) -> None:
        self.present = ""

    @property
    def token_type(self) -> str:
        """The scheme of the Authorization header."""
        return "Bearer"

    @property
    def token(self) -> str:
        """The present token."""
        return self.present


def send(
    github: Github,
    verb: str,
    path: str,
    *,
    parameters: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    body: object = None,
) -> Answer:
    """Send one request."""
    status, told, text = github.requester.requestJson(verb, path, dict(parameters or {}), dict(headers or {}), body)
    return Answer(status=status, headers={name.lower(): value for name, value in told.items()}, text=text)


def raise_for_status(answer: Answer) -> None:
    """Raise what PyGithub would have raised for a refusal."""
    if answer.status < 300 or answer.status == 304:
        return
    try:
        parsed = answer.parse()
    except ValueError:
        parsed = None
    body = parsed if isinstance(parsed, dict) else {}
    raise GithubException(answer.status, body, dict(answer.headers))


def timed_out(unanswered: Unanswered) -> bool:
    """Say whether GitHub, or the gateway before it, may still be at it. What could not connect was never sent."""
    cause = unanswered.__cause__
    return isinstance(cause, ReadTimeout) or (isinstance(cause, GithubException) and cause.status == 504)
