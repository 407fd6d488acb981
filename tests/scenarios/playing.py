"""A whole story of checkout 1.9.0 in the lab, in few sweeps, with mishaps at chosen moments, and how it ends.

In the good story it is promoted by a pull request and stays; in the bad one it fails in production and is taken back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.compose.whole import compose
from bot.engine.sweep import ServiceReport, Sweeper
from bot.lab.clock import ManualClock
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS, Lab, running_lab
from bot.ports import Clock
from bot.settings import load_settings
from tests.scenarios.conforming import violations
from tests.scenarios.promoting import FAILING
from tests.stage import START, STEP, without_pauses

PAUSES = (2, 2, 10, 10, 1, 1, 3, 3, 3, 3, 3, 3, 3)
"""Seconds before each sweep: live, observed, half of the window, passed, merged, deployed, watched, taken back."""
IN_WINDOW, PASSED, MERGED = 2, 3, 6
"""The sweeps in the middle of the window, at its end, and the first one after which 1.9.0 is promoted for sure."""

Mishap = Callable[["Play"], object]


def good(lab: Lab) -> None:
    _release(lab, fails=False)


def bad(lab: Lab) -> None:
    _release(lab, fails=True)


STORIES: Mapping[str, Callable[[Lab], None]] = {"good": good, "bad": bad}


def _release(lab: Lab, *, fails: bool) -> None:
    """A watch that a look less does not bring to its end."""
    path = lab.directory / "policies" / "checkout.yaml"
    path.write_text(re.sub(r"watch: \S+", "watch: 2m", path.read_text(encoding="utf-8")), encoding="utf-8")
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING if fails else GOOD)


@dataclass
class Play:
    """A story under way. `bot_clock` is the bot's own, the lab's if it is None."""

    lab: Lab
    clock: ManualClock
    settings: Path
    bot_clock: Clock | None = None
    reports: list[ServiceReport] = field(default_factory=list)
    _bot: ExitStack = field(default_factory=ExitStack)
    _sweeper: Sweeper | None = None

    @property
    def sweeper(self) -> Sweeper:
        """The bot that runs, started where none does."""
        if self._sweeper is None:
            bot = self._bot.enter_context(compose(load_settings(self.settings), clock=self.bot_clock or self.clock))
            self._sweeper = without_pauses(bot.sweeper, self.clock)
        return self._sweeper

    @property
    def ledger(self) -> Path:
        return load_settings(self.settings).bot.state / "ledger.db"

    def stop(self) -> None:
        """End the bot: the next sweep is by a new one."""
        self._bot.close()
        self._sweeper = None

    def sweep(self) -> None:
        self.reports += self.sweeper.sweep()

    def pass_time(self, seconds: int) -> None:
        self.clock.advance(seconds * STEP)
        self.lab.argocd.tick()

    def play(self, mishaps: Mapping[int, Mishap] | None = None) -> None:
        """Play it to its end; what happens before the n-th sweep is in `mishaps`."""
        for number, pause in enumerate(PAUSES):
            self.pass_time(pause)
            if mishaps and number in mishaps:
                mishaps[number](self)
            self.sweep()

    @property
    def errors(self) -> list[str]:
        """What any sweep could not do, in its order."""
        return [report.error for report in self.reports if report.error is not None]

    @property
    def undone(self) -> list[str]:
        """Outcomes of actions that could not be carried out."""
        outcomes = [outcome for report in self.reports for _, outcome in report.outcomes]
        return [outcome for outcome in outcomes if outcome.startswith("not done")]


@contextmanager
def a_play(story: str) -> Iterator[Play]:
    """A fresh world at the beginning of a story."""
    clock = ManualClock(START)
    with TemporaryDirectory() as name, running_lab(Path(name), clock) as lab:
        lab.add_service("checkout", "1.8.2")
        clock.advance(20 * STEP)
        lab.argocd.tick()
        STORIES[story](lab)
        play = Play(lab=lab, clock=clock, settings=lab.write_settings(Path(name) / "liftlock.toml"))
        try:
            yield play
        finally:
            play.stop()
        assert sorted(violations(lab)) == []


def end_of(lab: Lab) -> Mapping[str, object]:
    """Return what people and clusters see in the end."""
    pulls = lab.pulls("checkout")
    source = lab.github.world.repositories["acme/checkout"]
    return {
        "pull requests": [(pull.head, pull.title, pull.state, pull.draft, bool(pull.merged_at)) for pull in pulls],
        "comments": [sorted(_word(comment.body) for comment in pull.comments) for pull in pulls],
        "messages": [message.partition("\n")[0] for message in lab.messages()],
        "tags": [_tag(lab.text("checkout", stage)) for stage in ("staging", "production")],
        "branches": sorted(lab.github.branches(GITOPS)),
        "deployments": dict(Counter(one.environment for one in source.deployments)),
    }


def _tag(text: str) -> str:
    (tag,) = re.findall(r'(?m)^ +(?:newTag|tag): "(.*?)"', text)
    return str(tag)


def _word(body: str) -> str:
    """The marker of a comment, and its verdict."""
    return re.sub(r"(?s)^(<!-- [a-z:-]+ -->\n\*\*[^*]+\*\*).*", r"\1", body)


def expected_end(story: str) -> Mapping[str, object]:
    """Return how a story ends when nothing happens: one pull request, one merge, and in the bad one, one revert."""
    is_bad = story == "bad"
    promotion = "Promote checkout to production: 1.8.2 -> 1.9.0"
    branch = "liftlock/checkout/production/1-9-0-f2deccb6"
    return {
        "pull requests": [(branch, promotion.replace("->", "→"), "closed", False, True)],
        "comments": [[f"<!-- liftlock:evidence -->\n**{'Rolled back' if is_bad else 'Merged'}.**"]],
        "messages": [
            *([f'Revert "{promotion}"'] if is_bad else []),
            f"{promotion} (#1)",
            promotion,
            "Release checkout 1.9.0 to staging",
            "Add checkout 1.8.2",
            "Initial commit",
        ],
        "tags": ["1.9.0", "1.8.2" if is_bad else "1.9.0"],
        "branches": ["main"],
        "deployments": {"checkout/staging": 1, "checkout/production": 1},
    }


# --- at the worst moment ---------------------------------------------------------------------------------------------


def around(
    port: object,
    name: str,
    *,
    before: Callable[[], object] | None = None,
    behind: Callable[[], object] | None = None,
    where: Callable[..., bool] = lambda *_, **__: True,
) -> None:
    """Let something happen once, right before or behind the first call of a port's method that is meant."""
    call = getattr(port, name)

    def wrapped(*positional: object, **named: object) -> object:
        if not where(*positional, **named):
            return call(*positional, **named)
        setattr(port, name, call)
        if before is not None:
            before()
        done = call(*positional, **named)
        if behind is not None:
            behind()
        return done

    setattr(port, name, wrapped)


def to_main(_repository: object, branch: object, *_: object, **__: object) -> bool:
    """Whether a push goes to the tracked branch: only a revert does."""
    return branch == "main"
