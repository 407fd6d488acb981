"""Secrets as the adapters take them: something that reads them anew at each use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bot.adapters.http import TokenSource
from bot.ports import Permanent
from bot.settings import SettingsError, read_secret_file


def source_of(read: Callable[[], str | None], *, is_set: bool) -> TokenSource | None:
    """Return what reads a token anew at each use; a file that has gone is a fault of the world, not a crash."""
    if not is_set:
        return None

    def token() -> str:
        try:
            return read() or ""
        except SettingsError as error:
            raise Permanent("settings", str(error)) from error

    return token


def secret_of(path: Path) -> Callable[[], str]:
    """Return what reads a secret file anew at each use."""

    def read() -> str:
        try:
            return read_secret_file(path)
        except SettingsError as error:
            raise Permanent("settings", str(error)) from error

    return read
