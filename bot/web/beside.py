"""Put the web server beside a bot: the schedule that webhooks wake, and the sweep that the numbers are taken from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from bot.compose.whole import Bot
from bot.engine.freshness import oldest_allowed
from bot.engine.schedule import Schedule
from bot.engine.sweep import ServiceReport
from bot.engine.waking import Waker
from bot.ports import Clock
from bot.settings import WebSection, read_secret_file
from bot.web.alertmanager import judge_message
from bot.web.app import Webhook, build_app
from bot.web.bell import Bell
from bot.web.body import BodyReader
from bot.web.deliveries import Deliveries
from bot.web.forge_gauges import forge_gauges
from bot.web.metrics import BotNumbers, BudgetCollector
from bot.web.pages import Pages
from bot.web.registry import judge_push
from bot.web.server import WebServer, listen_on
from bot.web.tokens import LIMITS, TokenWebhook
from bot.web.webhooks import GitHubWebhook, read_secrets

Budget = Callable[[], Mapping[str, float]]


@contextmanager
def web_beside(bot: Bot, budget: Budget | None = None) -> Iterator[Schedule]:
    """Yield the bot's schedule, with the web server running beside it where the settings ask for one.

    Raise SettingsError, before anything is served, for a port in use, or a secret or token that cannot be read.
    """
    section = bot.settings.web
    if section.address is None:
        yield bot.schedule()
        return
    for file in (*section.secret_files, *section.alertmanager_files, *section.registry_files):
        read_secret_file(file)
    waker = Waker()
    numbers = BotNumbers(bot.sweeper.world.metrics.cost)
    budget = budget or (lambda: forge_gauges(bot.sweeper.forge_costs()))
    watched = WatchedSweep(sweep=bot.sweeper.sweep, clock=bot.sweeper.world.clock, numbers=numbers)
    bell = Bell(waker=waker, expect=bot.sweeper.world.offers.expect)
    webhooks = _webhooks(section, bot.sweeper.world.clock, bell, numbers)
    app = build_app(_pages(bot, numbers, budget), webhooks)
    with WebServer(app, listen_on(section.address)):
        yield bot.schedule(watched, waker)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSweep:
    """A sweep that tells the numbers what it came to and how long it took. `seconds` are monotonic."""

    sweep: Callable[[], Sequence[ServiceReport]]
    clock: Clock
    numbers: BotNumbers
    seconds: Callable[[], float] = time.monotonic

    def __call__(self) -> None:
        """Sweep once. What the sweep raises is counted and raised on."""
        begun = self.seconds()
        reports = None
        try:
            reports = self.sweep()
        finally:
            if reports is None:
                self.numbers.note_failed_sweep()
        self.numbers.note_sweep(reports, self.clock.now(), self.seconds() - begun)


def _pages(bot: Bot, numbers: BotNumbers, budget: Budget | None) -> Pages:
    registry = CollectorRegistry()
    registry.register(numbers)
    if budget is not None:
        registry.register(BudgetCollector(budget))
    return Pages(
        numbers=numbers,
        registry=registry,
        clock=bot.sweeper.world.clock,
        limit=oldest_allowed(bot.settings.bot.interval),
        stopping=bot.sweeper.stopping,
    )


def _webhooks(section: WebSection, clock: Clock, bell: Bell, numbers: BotNumbers) -> Mapping[str, Webhook]:
    """Make those that the settings name a secret for, by their names."""
    found: dict[str, Webhook] = {}
    if section.secret_files:
        found["github"] = GitHubWebhook(
            secrets=partial(read_secrets, section.secret_files),
            bodies=BodyReader(),
            deliveries=Deliveries(clock),
            bell=bell,
            count=numbers.note_delivery,
        )
    for name, files, judge, count in (
        ("alertmanager", section.alertmanager_files, judge_message, numbers.note_notification),
        ("registry", section.registry_files, judge_push, numbers.note_push),
    ):
        if files:
            tokens = partial(read_secrets, files)
            found[name] = TokenWebhook(tokens=tokens, bodies=BodyReader(LIMITS), judge=judge, bell=bell, count=count)
    return found
