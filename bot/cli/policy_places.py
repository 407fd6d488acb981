"""What the commands on policies take from the settings when nobody says: where they are, their floor, their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import refusal, told_in_one_sentence
from bot.domain.edit import visible
from bot.domain.tenancy import Tenancy
from bot.policy.findings import Finding, Severity
from bot.policy.floor import Floor, FloorError, FloorFile
from bot.policy.templates import shipped_gate_templates
from bot.settings import Settings, load_settings

SETTINGS = Path("liftlock.toml")
_POLICIES = Path("policies")
_NOTHING_ACCEPTED = "the bot accepts no policy until the floor has no faults"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The settings file, liftlock.toml where that is there.", envvar="LIFTLOCK_CONFIG"
    ),
]


def usual_settings(config: Path | None) -> Settings | None:
    """Return the settings that are named or lie here; None where there are none."""
    place = config or (SETTINGS if SETTINGS.exists() else None)
    if place is None:
        return None
    with told_in_one_sentence():
        return load_settings(place)


def usual_policies(config: Path | None) -> Path:
    """Return the directory of policies that the settings name; `policies` where there are no settings."""
    settings = usual_settings(config)
    if settings is None:
        return _POLICIES
    with told_in_one_sentence():
        return settings.policy_directory


def usual_tenancies(paths: Sequence[Path], config: Path | None) -> Mapping[str, Tenancy] | None:
    """Return what settings force that were named, or that named the directory; None without any."""
    settings = usual_settings(config) if config is not None or not paths else None
    return None if settings is None else {name: section.tenancy for name, section in settings.sources.items()}


def usual_floor(named: Path | None, config: Path | None) -> tuple[Floor | None, list[Finding]]:
    """Return the floor, and what is wrong with one that cannot be used: then the bot accepts no policy.

    What that means is a note, the last one, since there is nothing more to mend.
    """
    if named is not None and not named.exists():
        raise refusal(f"--floor {visible(str(named))}: there is no such file")
    settings = usual_settings(config) if named is None else None
    place = named or (settings.bot.floor if settings is not None else None)
    if place is None:
        return None, []
    try:
        return FloorFile(path=place, templates=shipped_gate_templates()).read().floor, []
    except FloorError as error:
        consequence, *faults = error.faults
        note = Finding(fault=consequence, rule="below-floor", severity=Severity.NOTE, said=_NOTHING_ACCEPTED)
        return None, [*(Finding(fault=fault, rule="below-floor") for fault in faults), note]
