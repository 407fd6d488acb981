"""`liftlock lab`: the sandbox without a script, for playing: push a tag, watch the bot."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.adapters.clock import SystemClock
from bot.adapters.prometheus_process import find_prometheus
from bot.cli.faults import told_in_one_sentence
from bot.engine.signals import stop_signals
from bot.lab.cluster import Behaviour, crashing, failing, silent, slow
from bot.lab.pace import WATCHABLE
from bot.lab.stories import GOOD
from bot.lab.world import DEVELOPER, GITOPS, Lab, running_lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A release of checkout that lies ready in the registry."""

    tag: str
    what: str
    in_staging: Behaviour = GOOD
    in_production: Behaviour = GOOD


BUILDS = (
    Build(tag="1.9.0", what="good"),
    Build(tag="1.10.0", what="good, too"),
    Build(tag="1.11.0", what="8 % of its requests fail in staging", in_staging=failing(0.08)),
    Build(tag="1.12.0", what="slow: half of its requests take 2 s in staging", in_staging=slow(0.5)),
    Build(tag="1.13.0", what="20 % of its requests fail in production", in_production=failing(0.2)),
    Build(tag="1.14.0", what="crashes in production", in_production=crashing()),
    Build(tag="1.15.0", what="exposes no metrics at all", in_staging=silent()),
)


def lab(
    directory: Annotated[
        Path | None, typer.Option("--directory", help="Where to keep it; default: a folder that is removed at the end.")
    ] = None,
    built_in: Annotated[
        bool, typer.Option("--built-in-metrics", help="Use the built-in answerer even if a Prometheus is installed.")
    ] = False,
) -> None:
    """Start a GitHub, an Argo CD, a Prometheus and a registry on this machine, and print how to use them."""
    with told_in_one_sentence(), tempfile.TemporaryDirectory(prefix="liftlock-lab-") as scratch:
        home = directory or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        prometheus = None if built_in else find_prometheus()
        with running_lab(home, SystemClock(), prometheus=prometheus, pace=WATCHABLE) as world:
            world.add_service("checkout", "1.8.2")
            build_all(world)
            world.argocd.start()
            settings = world.write_app_settings(home / "liftlock.toml")
            describe(Console(), world, settings)
            wait_for_signal()


def build_all(world: Lab) -> None:
    """Build releases of checkout that are ready to be tried."""
    for build in BUILDS:
        world.build("checkout", build.tag, in_staging=build.in_staging, in_production=build.in_production)


def describe(console: Console, world: Lab, settings: Path, *, bot_runs: bool = False) -> None:
    """Print the lab's addresses and what to type next; where the bot runs already, checkout has moved on to 1.9.0."""
    now, builds = ("1.9.0", BUILDS[1:]) if bot_runs else ("1.8.2", BUILDS)
    program = "liftlock" if shutil.which("liftlock") else sys.argv[0]
    clone = world.github.clone_url(GITOPS, DEVELOPER)
    console.print("[bold]The lab runs.[/] Stop it with Ctrl-C.\n")
    rows = (
        ("GitHub", f"{world.github.url}/{GITOPS}/pulls"),
        ("Argo CD", f"{world.argocd_url}/api/v1/applications"),
        ("Prometheus", world.prometheus_url + ("" if world.prometheus_is_real else "  (built-in answerer)")),
        ("registry", f"{world.registry_url}/v2/"),
        ("settings", str(settings)),
    )
    for name, place in rows:
        console.print(f"  {name:<11} {place}", markup=False, highlight=False, soft_wrap=True)
    start = () if bot_runs else ("\nIn another terminal, start the bot:", f"  {program} run --config {settings}")
    lines = (
        *start,
        "\nRelease one of the builds of checkout:",
        *(f"  {build.tag:<7} {build.what}" for build in builds),
        "",
        f"  git clone {clone} deploy && cd deploy",
        f"  sed -i 's/{now}/{builds[0].tag}/' {world.file('checkout', 'staging')}",
        f"  git commit -am 'Release checkout {builds[0].tag}' && git push",
        f"  {program} status --config {settings}",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def wait_for_signal() -> None:
    """Wait for Ctrl-C or SIGTERM, and return."""
    with stop_signals() as asked:
        asked.wait()
