"""What a value of the settings may be: durations, names and addresses, and secrets in files."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from bot.domain.text import parse_duration


class SettingsError(Exception):
    """Settings that cannot be used: one sentence a fault, each with file, key, found and expected."""


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration longer than nothing")
    return value


_LISTEN = re.compile(r"(?:(?P<host>[A-Za-z0-9.-]{1,253})|\[(?P<address>[0-9A-Fa-f:.]{2,45})\]):(?P<port>[0-9]{1,5})")


def _a_uri(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.netloc or not value.isprintable() or " " in value:
        raise ValueError("expected an address such as https://liftlock.acme.example")
    return value


def _listen(value: str) -> str:
    if split_listen(value) is None:
        raise ValueError("a host and a port such as 127.0.0.1:8080")
    return value


_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")


def _a_repository(value: str) -> str:
    if not _REPOSITORY.fullmatch(value):
        raise ValueError("expected a repository as owner/name, such as acme/policies")
    return value


def _a_branch(value: str) -> str:
    # The whole of git's rules holds where the branch is fetched.
    if not value or value.startswith("-") or not value.isprintable() or " " in value or ".." in value:
        raise ValueError("expected the name of a branch, such as main")
    return value


def _a_folder(value: str) -> str:
    parts = value.split("/")
    if value != "." and (value.startswith("-") or any(part in ("", ".", "..") for part in parts)):
        raise ValueError("expected a folder of the repository, or . for its root")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Lag = Annotated[timedelta, BeforeValidator(_duration)]
Uri = Annotated[str, AfterValidator(_a_uri)]
Listen = Annotated[str, AfterValidator(_listen)]
RepositoryName = Annotated[str, AfterValidator(_a_repository)]
BranchName = Annotated[str, AfterValidator(_a_branch)]
FolderName = Annotated[str, AfterValidator(_a_folder)]


def files_of(named: Path | tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the files that a key names, one or several."""
    return (named,) if isinstance(named, Path) else named


def split_listen(value: str) -> tuple[str, int] | None:
    """Take `HOST:PORT` apart; an IPv6 address stands in brackets. None where it is none, port 0 included."""
    found = _LISTEN.fullmatch(value)
    if found is None or not 0 < int(found["port"]) < 65536:
        return None
    return found["host"] or found["address"], int(found["port"])


def read_secret(value: SecretStr | None, file: Path | None) -> str | None:
    """Return a secret that was given, or that stands in a file; None where there is neither."""
    if value is not None:
        return value.get_secret_value()
    return read_secret_file(file) if file is not None else None


def read_secret_file(path: Path) -> str:
    """Return a secret file's text without the white space around it. Raise SettingsError that names the path only."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"the secret file {path} cannot be read: {why}") from None
    if not secret:
        raise SettingsError(f"the secret file {path} is empty")
    return secret


def check_url(url: str, *, allow_http: bool) -> None:
    """Raise ValueError with what was expected, unless a URL may be asked."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL that begins with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without user and password in it")
    if parts.scheme == "http" and not allow_http and not _is_this_machine(parts.hostname):
        raise ValueError("https:// (plain http only with allow_http = true)")


def _split(url: str) -> SplitResult | None:
    """Take a URL apart; None where its host or its port is none."""
    try:
        parts = urlsplit(url)
        usable = parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
