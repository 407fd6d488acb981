"""Refuse redirects, before PyGithub follows one: it would drop the query, turn in circles and read another repository.

A policy whose repository was renamed is to be corrected by a person. urllib3 is told to give up on such an answer, and
on nothing else: no retry of its own is left, as with no setting at all.
"""

from __future__ import annotations

from http import HTTPStatus

from requests.exceptions import RetryError
from urllib3 import Retry

from bot.adapters.github.answers import SYSTEM
from bot.ports import Permanent

REDIRECTED = RetryError
"""What is raised where an answer was a redirect."""
NO_REDIRECTS = Retry(
    0,
    read=False,
    status_forcelist=(
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    ),
    allowed_methods=None,
)


def moved(tried: str) -> Permanent:
    """Return what a redirect means. `tried` is a verb phrase: what the bot asked GitHub to do."""
    remedy = "change its name in the policy, or GitHub's address if all requests fail like this"
    return Permanent(SYSTEM, f"could not {tried}: the repository has moved or was renamed: {remedy}")
