"""`liftlock argocd explain`: judge one Argo CD application, live or saved, and say why."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from bot.adapters.clock import SystemClock
from bot.adapters.log import configure_logging
from bot.cli.faults import BAD_NEWS, NOTHING_TO_DO, refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.compose.whole import compose
from bot.domain.argo import Application
from bot.domain.liveness import Liveness
from bot.domain.model import Release
from bot.domain.stance import Stance
from bot.domain.timeline import Milestone
from bot.live_application import explain_live
from bot.render.application import liveness_lines
from bot.saved_application import Question, explain_saved
from bot.settings import load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What Argo CD says, and what it means.")

CANNOT_TELL = 5
_CODES: Mapping[Stance, int] = {
    Stance.LIVE: 0,
    Stance.UNHEALTHY: BAD_NEWS,
    Stance.WAITING: NOTHING_TO_DO,
    Stance.CANNOT_TELL: CANNOT_TELL,
}
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}\Z")
_LIVENESS, _APPLICATIONS = TypeAdapter(Liveness), TypeAdapter(list[Application])
_TIMELINE = TypeAdapter(list[Milestone])


@app.callback()
def _root() -> None:
    """Keep `explain` a subcommand, as there will be others."""


@app.command()
def explain(  # noqa: PLR0917 - Typer makes each argument an option, by name
    application: Annotated[
        str,
        typer.Argument(
            metavar="APP",
            help="As the policy names it: server:namespace/name, the first two only where it has them.",
            show_default=False,
        ),
    ],
    commit: Annotated[
        str | None,
        typer.Option(metavar="SHA", help="The commit that should run; without it the one that set the present tag."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A saved application: `argocd app get APP -o json`.", dir_okay=False)
    ] = None,
    ancestry: Annotated[
        Path | None,
        typer.Option(help="With --file: a clone, or a JSON file with yes, other tag, unknown or a count by revision."),
    ] = None,
    release: Annotated[str | None, typer.Option(metavar="IMAGE:TAG", help="With --file: what should run.")] = None,
    repository: Annotated[str | None, typer.Option(help="With --file: owner/name of the sources that count.")] = None,
    branch: Annotated[str, typer.Option(help="With --file: the branch that people write to.")] = "",
    config: ConfigOption = Path("liftlock.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether an application runs a commit's release, and what it waits for. Changes nothing.

    Ends with 0 if it is live, 1 unhealthy, 3 waiting, 5 cannot tell; 2 is wrong use.
    """
    if commit is not None and not _COMMIT.match(commit):
        raise refusal(f"--commit {commit!r}: expected a commit's SHA, 7 to 64 hexadecimal digits")
    with told_in_one_sentence():
        configure_logging(level="error", as_json=False)
        if file is not None:
            question = Question(
                file=file,
                name=application,
                commit=_needed(commit),
                ancestry=ancestry,
                repository=repository,
                branch=branch,
                release=_release(release),
            )
            explained = explain_saved(question, SystemClock().now())
            _answer(explained.liveness, [explained.application], [], as_json=as_json)
        elif ancestry is not None or release is not None or repository is not None or branch:
            raise refusal("--ancestry, --release, --repository and --branch belong to --file")
        with compose(load_settings(config), dry_run=True) as bot:
            policies, _ = bot.sweeper.load_policies()
            bot.sweeper.begin()
            found = explain_live(bot.sweeper.world, policies, application, commit)
    _answer(found.liveness, found.applications, found.timeline, as_json=as_json)


def _needed(commit: str | None) -> str:
    if commit is None:
        raise refusal("--file needs --commit: which commit should run?")
    return commit


def _release(text: str | None) -> Release | None:
    if text is None:
        return None
    found = Release.parse(text)
    if found is None:
        raise refusal(f"--release {text!r}: expected an image with a tag, such as ghcr.io/acme/checkout:1.9.0")
    return found


def _answer(liveness: Liveness, applications: list[Application], timeline: list[Milestone], *, as_json: bool) -> None:
    """Print the answer and end."""
    if as_json:
        body = {
            "liveness": _LIVENESS.dump_python(liveness, mode="json"),
            "applications": _APPLICATIONS.dump_python(applications, mode="json"),
            "timeline": _TIMELINE.dump_python(timeline, mode="json"),
        }
        typer.echo(json.dumps(body, indent=2))
    else:
        for line in liveness_lines(liveness, applications, timeline):
            typer.echo(line)
    raise typer.Exit(_CODES[liveness.stance])
