"""The command `liftlock`: one Typer application, a module per subcommand, which is imported when it is asked for.

All of them together take two seconds to be imported, and one command needs a part of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from bot import __version__


class _Place(NamedTuple):
    """Where a subcommand is to be found in `bot.cli`, and what the list of commands says of it."""

    module: str
    attribute: str
    help: str


COMMANDS: Mapping[str, _Place] = {
    "run": _Place("run", "run", "Watch all services and promote or roll back their releases."),
    "status": _Place("status", "status", "Show for every release what it waits on and why."),
    "check": _Place("check", "check", "Judge a service and say why, without changing anything."),
    "doctor": _Place(
        "doctor",
        "doctor",
        "Check credentials, permissions, branch rules, clocks and every system, one line each with the remedy.",
    ),
    "health": _Place("health", "health", "Exit 0 if the bot has swept recently, 1 if not."),
    "explain": _Place(
        "explain",
        "explain",
        "Say what each release of a service waits for, why, and how it came, as of the last sweep.",
    ),
    "hold": _Place(
        "holds",
        "hold",
        "Let nothing move into a service's stages, or with --all let nothing be written at all, until it is resumed.",
    ),
    "resume": _Place(
        "holds",
        "resume",
        "Take a hold back. What a file HOLD beside the policies stops is stopped until it is taken out of there.",
    ),
    "rollback": _Place(
        "orders",
        "rollback",
        "Order that the release that runs in a stage is taken back, also after its watch, and whatever speaks against "
        "it.",
    ),
    "lift": _Place(
        "orders",
        "lift",
        "Lift the quarantine of a release that was taken back: it may move again, past the same gates as any other.",
    ),
    "replay": _Place(
        "replay",
        "replay",
        "Show the evidence that a promotion or rollback rests on, and decide again from what was observed then.",
    ),
    "edit": _Place("edit", "edit", "Set an image's version in files, changing nothing but its bytes."),
    "demo": _Place(
        "demo",
        "demo",
        "Play four releases, one good and three bad, through a sandbox on this machine; takes about a minute.",
    ),
    "lab": _Place(
        "lab",
        "lab",
        "Start a GitHub, an Argo CD, a Prometheus and a registry on this machine, and print how to use them.",
    ),
    "policy": _Place(
        "policy", "app", "Write, check, test and show policies, try them on past releases, and print their JSON Schema."
    ),
    "release": _Place("release", "app", "Releases in image registries."),
    "argocd": _Place("argocd", "app", "What Argo CD says, and what it means."),
    "ledger": _Place("ledger", "app", "Read the ledger, and prove that nothing in it was changed."),
}
"""In the order of the list: the groups come last."""


def load(name: str) -> Any:
    """Import a subcommand and return it as Typer runs it."""
    place = COMMANDS[name]
    found = getattr(import_module(f"bot.cli.{place.module}"), place.attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)


class _Deferred(TyperCommand):
    """A subcommand that is imported when it is to run."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return load(self.name or "").make_context(info_name, args, parent=parent, **extra)


class _Commands(TyperGroup):
    """The subcommands by name."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, place in COMMANDS.items():
            self.add_command(_Deferred(name=name, help=place.help))


app = typer.Typer(
    cls=_Commands,
    name="liftlock",
    help="Decide, with evidence, when a release may move on; take it back when it should not have.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"liftlock {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Hold the options that come before a subcommand."""
