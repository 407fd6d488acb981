"""`liftlock release`: tell the bot that a registry has something new, and print what was verified of a release."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.clock import SystemClock
from bot.cli.faults import refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.cli.ordering import need_policies
from bot.compose.records import read_ledger, write_ledger
from bot.domain.model import Release
from bot.domain.policy import Policy
from bot.domain.tags import is_tag
from bot.domain.text import join_words, one_line
from bot.offers import announced_key
from bot.policy.grammar import IMAGE
from bot.settings import Settings, load_settings

_MOST = 1000
"""How many summaries of a service are looked through."""

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Releases in image registries.")


@app.command()
def announce(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="The image, with or without a tag.", show_default=False)
    ],
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Say that an image has a new tag: its registry is asked at the next sweep, and not only when that is due.

    Nothing else is believed of it: which release is next, and whether it is verified, is found out as ever.
    """
    with told_in_one_sentence():
        settings = load_settings(config)
        name = _name(image)
        services = [policy.service for policy in _policies(settings) if policy.image == name and policy.intake_stage]
        if not services:
            raise refusal(f"no policy in {settings.policies_place} takes releases of {name} from the registry")
        with write_ledger(settings) as ledger:
            ledger.note(announced_key(name), SystemClock().now().isoformat())
    typer.echo(f"Announced: the registry is asked for {name} at the next sweep, for {join_words(sorted(services))}.")


@app.command()
def summary(
    what: Annotated[
        str, typer.Argument(metavar="SERVICE/STAGE", help="The service, and the stage it came to.", show_default=False)
    ],
    tag: Annotated[str, typer.Argument(metavar="TAG", help="The tag of the release.", show_default=False)],
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Print the summary of what was verified before a release moved into a stage, signed if the bot has a key.

    It is what the commit names as Liftlock-Summary: of several the newest.
    """
    with told_in_one_sentence():
        settings = load_settings(config)
        service, _, stage = what.partition("/")
        with read_ledger(settings) as ledger:
            events = ledger.events(service=service, kind="summary", limit=_MOST)
        found = [event.body for event in events if event.stage == stage and _tag_of(event.body) == tag]
        if not found:
            where = f"{one_line(service, limit=80)}/{one_line(stage, limit=80)}"
            raise refusal(f"the ledger has no summary of {one_line(tag, limit=80)} for {where}")
    typer.echo(str(found[0].get("kept")))


def _tag_of(body: Mapping[str, object]) -> str | None:
    release = Release.parse(str(body.get("release")))
    return release.tag if release is not None else None


def _name(image: str) -> str:
    """Return an image's name without its tag; a port before the last slash is none."""
    shown = one_line(image, limit=200)
    if "@" in image:
        raise refusal(f"{shown!r} names a digest: name the image, with or without a tag")
    head, slash, last = image.rpartition("/")
    name, colon, tag = last.partition(":")
    if not re.fullmatch(IMAGE, f"{head}{slash}{name}") or (colon and not is_tag(tag)):
        raise refusal(f"{shown!r} is no image, such as ghcr.io/acme/checkout or ghcr.io/acme/checkout:1.9.0")
    return f"{head}{slash}{name}"


def _policies(settings: Settings) -> list[Policy]:
    return list(need_policies(settings).in_force.policies)
