"""What can be found out about the other systems before the bot works with them, and about this machine.

Enters: endpoints, paths, addresses of databases. Leaves: frozen facts, or `Transient` and `Permanent`. Nothing is
changed: a ledger is opened for reading, and the transaction that tries to write to it writes nothing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import requests
import sqlalchemy as sa

from bot.adapters.argocd_json import Json
from bot.adapters.http import (
    Answer,
    Endpoint,
    HttpClient,
    Limits,
    Question,
    collect,
    parse_json,
    raise_for_overload,
    refusal,
)
from bot.adapters.http_dates import parse_http_date
from bot.adapters.ledger import open_ledger
from bot.adapters.prometheus_access import Access, open_session
from bot.ports import Clock

_LIMITS = Limits(deadline=timedelta(seconds=10), attempts=2, max_bytes=64 * 1024 * 1024)
_LEDGER_PATIENCE = timedelta(seconds=3)
"""A bot that runs holds the ledger for moments only."""
_GIT = re.compile(r"git version (\d+)\.(\d+)")
_NAMES = "items.metadata.name,items.metadata.namespace,items.metadata.labels"


def skew_of(answer: Answer, before: datetime, after: datetime) -> timedelta | None:
    """Return by how much the answer's `Date` is ahead of our clock at least; None where there is none.

    It names a second, and was written between the two instants: only what lies outside of both is skew.
    """
    sent = parse_http_date(answer.headers.get("date", ""))
    if sent is None:
        return None
    if sent > after:
        return sent - after
    return min(sent + timedelta(seconds=1) - before, timedelta())


# --- Prometheus ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusFacts:
    """A server that speaks Prometheus' API. `answers` says that it answered the query `1` with 1."""

    version: str
    answers: bool
    skew: timedelta | None


def examine_prometheus(endpoint: Endpoint, access: Access, clock: Clock) -> PrometheusFacts:
    """Ask for the simplest query and for the version."""
    with open_session(endpoint, access) as session:
        before = clock.now()
        answer = exchange(session, endpoint, "POST", "/api/v1/query", {"query": "1", **access.parameters})
        raise_for_overload(endpoint, answer)
        after = clock.now()
        refused = refusal(endpoint, answer, tried="answer the query 1")
        if refused is not None:
            raise refused
        body = parse_json(endpoint, answer, expected="query result")
        built = exchange(session, endpoint, "GET", "/api/v1/status/buildinfo", {})
        raise_for_overload(endpoint, built)
        version = _version(built, endpoint)
    return PrometheusFacts(version=version, answers=_is_one(body), skew=skew_of(answer, before, after))


def exchange(session: requests.Session, endpoint: Endpoint, method: str, path: str, sent: Mapping[str, str]) -> Answer:
    """Ask a server that speaks Prometheus' API once: a POST with a form, or a GET. Raise OutsideError for no answer."""
    seconds = _LIMITS.deadline.total_seconds()
    ends = time.monotonic() + seconds
    try:
        with session.request(
            method,
            endpoint.base + path,
            data=sent if method == "POST" else None,
            params=None if method == "POST" else sent,
            timeout=seconds,
            stream=True,
            allow_redirects=False,
            verify=session.verify,
        ) as response:
            body = collect(endpoint, response.iter_content(64 * 1024), limits=_LIMITS, ends=ends)
            headers = {name.lower(): value for name, value in response.headers.items()}
            answer = Answer(status=response.status_code, headers=headers, body=body)
    except requests.exceptions.SSLError as error:
        raise endpoint.permanent("has a certificate that is not trusted: install its authority") from error
    except requests.Timeout as error:
        raise endpoint.transient(f"did not answer within {seconds:g} s") from error
    except requests.RequestException as error:
        raise endpoint.transient(f"could not be reached ({type(error).__name__})") from error
    return answer


def _is_one(body: Mapping[str, object]) -> bool:
    told = body.get("data")
    result = told.get("result") if isinstance(told, dict) else None
    return isinstance(result, list) and result[-1:] == ["1"]


def _version(answer: Answer, endpoint: Endpoint) -> str:
    """Return the version; nothing where the server does not tell it, as some that only speak the API do not."""
    if answer.status != 200:
        return ""
    told = parse_json(endpoint, answer, expected="build information").get("data")
    version = told.get("version") if isinstance(told, dict) else None
    return version[:40] if isinstance(version, str) and version.isascii() and version.isprintable() else ""


# --- Argo CD ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoFacts:
    """An Argo CD server: who the token belongs to there (None: to nobody), and the applications that it may see."""

    version: str
    username: str | None
    applications: tuple[Json, ...]


def examine_argocd(endpoint: Endpoint, projects: Sequence[str], *, with_specs: bool = False) -> ArgoFacts:
    """Ask who the token belongs to, and for names and labels of all applications; for what they deploy if told so."""
    with HttpClient(endpoint, _LIMITS) as client:
        version = _told(client, "/api/version", "tell its version").get("Version")
        user = _told(client, "/api/v1/session/userinfo", "tell whose token it is")
        username = str(user.get("username") or "unnamed") if user.get("loggedIn") is True else None
        fields = f"{_NAMES},items.spec" if with_specs else _NAMES
        items = _applications(client, projects, fields) if username is not None else ()
    return ArgoFacts(version=str(version or ""), username=username, applications=items)


def _applications(client: HttpClient, projects: Sequence[str], fields: str) -> tuple[Json, ...]:
    params: dict[str, str | Sequence[str]] = {"fields": fields}
    if projects:
        params["projects"] = tuple(projects)
    answer = client.read(Question(path="/api/v1/applications", params=params))
    items = _checked(client.endpoint, answer, "list its applications").get("items") or []
    return tuple(item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _told(client: HttpClient, path: str, tried: str) -> Mapping[str, object]:
    return _checked(client.endpoint, client.read(Question(path=path)), tried)


def _checked(endpoint: Endpoint, answer: Answer, tried: str) -> Mapping[str, object]:
    refused = refusal(endpoint, answer, tried=tried)
    if refused is not None:
        raise refused
    return parse_json(endpoint, answer, expected="answer of Argo CD")


# --- this machine ----------------------------------------------------------------------------------------------------


def examine_ledger(url: str) -> str:
    """Open the ledger, take the right to write to it and give it back; return the revision of its tables."""
    with (
        open_ledger(url, patience=_LEDGER_PATIENCE, for_reading=True) as ledger,
        ledger.connections.writing() as connection,
    ):
        return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())


def may_write_in(directory: Path) -> bool:
    """Say whether a file can be made in a directory, or in the nearest one above it that exists."""
    place = next(one for one in (directory, *directory.parents) if one.is_dir())
    try:
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def free_bytes(directory: Path) -> int:
    """Return the free space where a directory is, or is to be."""
    return shutil.disk_usage(next(one for one in (directory, *directory.parents) if one.is_dir())).free


def git_version() -> tuple[int, int] | None:
    """Return git's version; None where there is no git on the PATH."""
    try:
        told = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = _GIT.match(told)
    return (int(found[1]), int(found[2])) if found else None
