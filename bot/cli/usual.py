"""Where the policies are that a command means when it is given no path."""

from __future__ import annotations

from pathlib import Path

from bot.cli.faults import told_in_one_sentence
from bot.settings import load_settings

_SETTINGS = Path("liftlock.toml")
_POLICIES = Path("policies")


def usual_policies(config: Path | None) -> Path:
    """Return the directory that the settings name, where there are settings; else `policies`."""
    settings = config or (_SETTINGS if _SETTINGS.exists() else None)
    if settings is None:
        return _POLICIES
    with told_in_one_sentence():
        return load_settings(settings).bot.policies
