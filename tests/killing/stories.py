"""Stories of one release that are played with a bot that dies on the way, and what is seen of each in the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.lab.clock import ManualClock
from bot.lab.cluster import Behaviour
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS, Lab, running_lab
from tests.killing.bot_process import PROCESSES, BotProcess
from tests.scenarios.promoting import FAILING
from tests.stage import START, STEP

SETTLING = (3, 3, 3)


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens to one release: how its policy is changed, how it does, and who says what before which sweep.

    `pauses` are the seconds before each sweep, two at least: a bot that died is back a second later. `said` are
    commands before the sweep of that number, from 1; `free_in` is the first sweep in which the release may be promoted.
    `pulls` is how the titles of the pull requests begin in the end.
    """

    policy: Mapping[str, str]
    in_production: Behaviour = FAILING
    pauses: Sequence[int]
    said: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    free_in: int = 3
    pulls: Sequence[str] = ("Promote",)

    def begin(self, lab: Lab) -> None:
        """Change the policy, and give the release to staging."""
        path = lab.directory / "policies" / "checkout.yaml"
        text = re.sub(r"watch: \S+", "watch: 2m", path.read_text(encoding="utf-8"))
        for before, instead in self.policy.items():
            assert before in text
            text = text.replace(before, instead)
        path.write_text(text, encoding="utf-8")
        lab.github.add_user("mia", {GITOPS: "maintain"})
        lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=self.in_production)


# Live, observed, passed, merged, deployed, watched and taken back.
TAKEN_BACK = (2, 2, 20, 2, 2, 3, 3, 3, 3, 3)
STORIES: Mapping[str, Story] = {
    "by commit": Story(policy={}, pauses=TAKEN_BACK),
    "by pull request": Story(policy={"by: commit": "by: pull-request"}, pauses=TAKEN_BACK, pulls=("Promote", "Revert")),
    "by people": Story(
        policy={"merge: auto": "merge: human", "source: acme/checkout\n": ""},
        in_production=GOOD,
        pauses=(2, 2, 20, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3),
        said={
            4: ("dana", "hold the sale runs"),
            6: ("dana", "resume"),
            7: ("mia", "approve"),
            10: ("dana", "rollback invoices are wrong"),
            13: ("mia", "lift it was the database"),
        },
        free_in=7,
        pulls=("Promote", "Promote"),
    ),
}


class Played:
    """A story that was played with a bot that dies at the places `deadly`: of sweep by number, 0 is the start.

    `places` are those that each sweep reached, `killed` the sweeps in which the bot died, `promoted_in` is the sweep
    that promoted the release, and `end` what was seen in the end.
    """

    def __init__(self, story: Story, deadly: Mapping[int, int]) -> None:
        self.story, self.deadly = story, deadly
        self.places: list[Sequence[str]] = []
        self.killed: list[int] = []
        self.promoted_in = 0
        self.end: Mapping[str, object] = {}
        with TemporaryDirectory() as directory:
            self._clock = ManualClock(START)
            self._seconds = PROCESSES.Value("d", START.timestamp())
            with running_lab(Path(directory), self._clock) as self._lab:
                self._play()

    def __getstate__(self) -> dict[str, object]:
        """What is kept of it: not the world that it was played in, which is gone."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def _play(self) -> None:
        lab = self._lab
        lab.add_service("checkout", "1.8.2")
        self._pass(20)
        self.story.begin(lab)
        self._settings = lab.write_settings(lab.directory / "liftlock.toml")
        bot = self._started()
        late = 0
        for number, pause in enumerate((*self.story.pauses, *SETTLING), start=1):
            self._pass(pause - late)
            late = 0
            if number in self.story.said:
                by, words = self.story.said[number]
                lab.github.comment_as(by, GITOPS, 1, f"/liftlock {words}")
            if not bot.sweep(deadly=self.deadly.get(number, 0)):
                assert bot.was_killed
                self.killed.append(number)
                self._pass(1)
                late = 1
                bot = BotProcess(self._settings, self._seconds)
                assert bot.sweep()
            self.places.append(bot.places)
            if not self.promoted_in and lab.has_tag("checkout", "production", "1.9.0"):
                self.promoted_in = number
        bot.close()
        self.end = _end(lab)

    def _started(self) -> BotProcess:
        bot = BotProcess(self._settings, self._seconds, deadly=self.deadly.get(0, 0))
        if not bot.is_alive:
            assert bot.was_killed
            self.killed.append(0)
            bot = BotProcess(self._settings, self._seconds)
        self.places.append(bot.places)
        return bot

    def _pass(self, seconds: int) -> None:
        self._clock.advance(seconds * STEP)
        self._lab.argocd.tick()
        self._seconds.value = self._clock.now().timestamp()


def _end(lab: Lab) -> Mapping[str, object]:
    """What people and clusters see."""
    pulls = lab.pulls("checkout")
    source = lab.github.world.repositories["acme/checkout"]
    return {
        "pull requests": [(pull.head, pull.title, pull.state, pull.draft, bool(pull.merged_at)) for pull in pulls],
        "comments": [sorted(_word(comment.body) for comment in pull.comments) for pull in pulls],
        "reactions": sorted(
            (comment.body, sorted(one.content for one in comment.reactions))
            for pull in pulls
            for comment in pull.comments
            if comment.body.startswith("/liftlock")
        ),
        "messages": [message.partition("\n")[0] for message in lab.messages()],
        "files": [lab.text("checkout", stage) for stage in ("staging", "production")],
        "branches": sorted(lab.github.branches(GITOPS)),
        "deployments": Counter(one.environment for one in source.deployments),
    }


def _word(body: str) -> str:
    """The marker of a comment, and its verdict."""
    return re.sub(r"(?s)^(<!-- [a-z:-]+ -->\n\*\*[^*]+\*\*).*", r"\1", body)
