"""Where the commands on policies look for them when nobody says: what the settings name, or else `policies`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import told_in_one_sentence
from bot.settings import load_settings

_SETTINGS = Path("liftlock.toml")
_POLICIES = Path("policies")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The settings file, liftlock.toml where that is there.", envvar="LIFTLOCK_CONFIG"
    ),
]


def usual_policies(config: Path | None) -> Path:
    """Return the directory of policies that the settings name; `policies` where there are no settings."""
    settings = config or (_SETTINGS if _SETTINGS.exists() else None)
    if settings is None:
        return _POLICIES
    with told_in_one_sentence():
        return load_settings(settings).bot.policies
