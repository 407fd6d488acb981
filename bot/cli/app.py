"""The command `liftlock`: one Typer application, a module per subcommand."""

from __future__ import annotations

import typer

from bot import __version__
from bot.cli import argocd, check, demo, doctor, edit, explain, health, lab, ledger, orders, replay, run, status

app = typer.Typer(
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


app.command("run")(run.run)
app.command("status")(status.status)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("health")(health.health)
app.command("explain")(explain.explain)
app.add_typer(argocd.app, name="argocd")
app.command("rollback")(orders.rollback)
app.command("lift")(orders.lift)
app.command("replay")(replay.replay)
app.add_typer(ledger.app, name="ledger")
app.command("edit")(edit.edit)
app.command("demo")(demo.demo)
app.command("lab")(lab.lab)
