"""`liftlock demo`: four releases through a whole world on this machine, at compressed time, narrated live.

It plays the real bot against the lab, and exits 0 only if each story ended as told.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.adapters.clock import SystemClock
from bot.adapters.log import configure_logging
from bot.adapters.prometheus_process import find_prometheus
from bot.cli.faults import BAD_NEWS, told_in_one_sentence
from bot.cli.interrupting import interruptible
from bot.cli.lab import build_all, describe, wait_for_signal
from bot.compose.whole import compose
from bot.engine.sweep import ServiceReport
from bot.lab.narrator import Check, Narrator
from bot.lab.pace import WATCHABLE
from bot.lab.stories import STORIES, Story
from bot.lab.world import GITOPS, STAGES, Lab, running_lab
from bot.settings import load_settings

_DEADLINE = timedelta(seconds=110)
_WARM_UP_SECONDS = 15.0


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab and the bot running at the end.")] = False,
    built_in: Annotated[
        bool, typer.Option("--built-in-metrics", help="Use the built-in answerer even if a Prometheus is installed.")
    ] = False,
) -> None:
    """Play four releases, one good and three bad, through a sandbox on this machine; takes about a minute."""
    configure_logging(level="error", as_json=False)
    console = Console()
    with told_in_one_sentence(), interruptible(), tempfile.TemporaryDirectory(prefix="liftlock-demo-") as scratch:
        prometheus = None if built_in else find_prometheus()
        with running_lab(Path(scratch), SystemClock(), prometheus=prometheus, pace=WATCHABLE) as lab:
            ended = _play(console, lab, keep=keep)
    if not ended:
        raise typer.Exit(BAD_NEWS)


@dataclass(slots=True, kw_only=True)
class _Ends:
    """Waits for the end of every story; asked after each sweep of its service."""

    lab: Lab
    narrator: Narrator
    sentences: dict[str, str] = field(default_factory=dict)
    all_ended: threading.Event = field(default_factory=threading.Event)

    def hear(self, report: ServiceReport) -> None:
        story = next((item for item in STORIES if item.service == report.subject), None)
        if story is None or report.decision is None or story.letter in self.sentences:
            return
        sentence = story.ended(self.lab, story, report.decision)
        if sentence is None:
            return
        self.sentences[story.letter] = sentence
        self.narrator.say(story.service, "", f"({story.letter}) ends as told: {sentence}", "bold green")
        if len(self.sentences) == len(STORIES):
            self.all_ended.set()


def _play(console: Console, lab: Lab, *, keep: bool) -> bool:
    clock = SystemClock()
    narrator = Narrator(
        console=console,
        now=clock.now,
        began=clock.now(),
        services=tuple(story.service for story in STORIES),
        checks_of=lambda service: _checks(lab, service),
        url_of=lambda service: _page(lab, lab.pulls(service)[-1].number),
    )
    _introduce(console, lab)
    for story in STORIES:
        story.set_up(lab)
    lab.argocd.start()
    _wait_until_all_run(lab)
    settings = lab.write_app_settings(lab.directory / "liftlock.toml")
    ends = _Ends(lab=lab, narrator=narrator)
    with compose(load_settings(settings), listeners=(narrator.hear, ends.hear)) as bot:
        schedule = bot.schedule()
        schedule.start()
        try:
            for story in STORIES:
                _release(lab, narrator, story)
            ends.all_ended.wait(_DEADLINE.total_seconds())
            _conclude(console, lab, ends)
            if keep:
                build_all(lab)
                describe(console, lab, settings, bot_runs=True)
                wait_for_signal()
        finally:
            schedule.stop()
    return len(ends.sentences) == len(STORIES)


def _checks(lab: Lab, service: str) -> Iterator[Check]:
    for pull in lab.pulls(service):
        for run in lab.checks(pull):
            word = (run.conclusion or run.status).replace("_", " ")
            yield Check(number=pull.number, name=run.name, word=word, title=run.title or "")


def _page(lab: Lab, number: int) -> str:
    return f"{lab.github.url}/{GITOPS}/pull/{number}"


def _introduce(console: Console, lab: Lab) -> None:
    metrics = "a real Prometheus" if lab.prometheus_is_real else "a built-in stand-in for Prometheus"
    console.print("[bold]Liftlock demo[/]: four services, one new release each, minutes played as seconds.")
    own = "a GitHub, an Argo CD, a registry and a Sigstore of the lab's own"
    world = f"The world: real Git repositories, {metrics}, and {own}.\n"
    console.print(world, soft_wrap=True)
    for story in STORIES:
        line = f"  ({story.letter}) {story.service} {story.release}: {story.title}"
        console.print(line, highlight=False, soft_wrap=True)
    console.print(
        "\nWhat reaches staging is proposed as a draft while it is observed there: people see it coming.\n",
        soft_wrap=True,
    )


def _wait_until_all_run(lab: Lab) -> None:
    """Let Argo CD bring up the old releases first, so that each story begins with a world at rest."""
    rest = threading.Event()
    for _ in range(int(_WARM_UP_SECONDS / 0.1)):
        names = [f"{story.service}-{stage}" for story in STORIES for stage in STAGES]
        if all(lab.argocd.status(name).health.status == "Healthy" for name in names):
            return
        rest.wait(0.1)


def _release(lab: Lab, narrator: Narrator, story: Story) -> None:
    stage = "staging" if story.signed_by is None else "registry"
    narrator.say(story.service, stage, story.begin(lab), "bold")


def _conclude(console: Console, lab: Lab, ends: _Ends) -> None:
    console.print()
    for story in STORIES:
        sentence = ends.sentences.get(story.letter)
        mark = "[green]✔[/]" if sentence else "[red]✘[/]"
        console.print(f"{mark} ({story.letter}) {sentence or 'did not end as told'}", highlight=False, soft_wrap=True)
    console.print(f"\n[bold]The GitOps repository[/] ({GITOPS}), newest first:")
    for line in lab.subjects():
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    for title, marker in (("The newest promotion", "Liftlock-Promotes"), ("The newest revert", "Liftlock-Reverts")):
        message = next((message for message in lab.messages() if marker in message), "there is none")
        console.print(f"\n[bold]{title}[/], whole:")
        for line in message.splitlines():
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print("\n[bold]Pull requests[/] (pages; they live as long as the lab does, see --keep):")
    for story in STORIES:
        for pull in lab.pulls(story.service):
            state = "merged" if pull.merged_at else "a draft" if pull.draft and pull.is_open else pull.state
            line = f"  #{pull.number} {pull.title} ({state}): {_page(lab, pull.number)}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
