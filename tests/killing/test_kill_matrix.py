"""The bot is killed at every place where it writes something, and started again: in the end all is as without it (I9).

Each story is played once to count the places, and then once for each place, in a fresh world. After the kill a new
process goes on with the next sweep. Compared is what people and clusters see: pull requests and what became of them,
how often the bot commented, what was merged and reverted, tags, branches, and what the source repository was told.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.lab.clock import ManualClock
from bot.lab.cluster import Behaviour
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS, Lab, running_lab
from tests.killing.bot_process import PROCESSES, BotProcess
from tests.scenarios.promoting import FAILING
from tests.stage import START, STEP

PARTS = 8
"""The places are dealt out to so many tests, so that they run side by side."""
EVERY = int(os.environ.get("LIFTLOCK_KILL_EVERY", "8"))
"""Of each part, every so many places are tried: all of them by `make kill-matrix`, which takes some minutes."""
SETTLING = (3, 3, 3)


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens to one release: how its policy is changed, how it does, and who says what before which sweep.

    `steps` are the seconds before each sweep, `said` are commands before the sweep of that number, and `pulls` is how
    the titles of the pull requests begin in the end. A watch is so long that a look less, for a kill, does not bring it
    to its end.
    """

    policy: Mapping[str, str]
    in_production: Behaviour = FAILING
    steps: Sequence[int]
    said: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    pulls: Sequence[str] = ("Promote",)

    def begin(self, lab: Lab) -> None:
        path = lab.directory / "policies" / "checkout.yaml"
        text = re.sub(r"watch: \S+", "watch: 2m", path.read_text(encoding="utf-8"))
        for before, instead in self.policy.items():
            assert before in text
            text = text.replace(before, instead)
        path.write_text(text, encoding="utf-8")
        lab.github.add_user("mia", {GITOPS: "maintain"})
        lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=self.in_production)


# Live, observed, passed, merged, deployed, watched and taken back.
TAKEN_BACK = (2, 2, 20, 1, 1, 3, 3, 3, 3, 3)
STORIES: Mapping[str, Story] = {
    "by commit": Story(policy={}, steps=TAKEN_BACK),
    "by pull request": Story(policy={"by: commit": "by: pull-request"}, steps=TAKEN_BACK, pulls=("Promote", "Revert")),
    "by people": Story(
        policy={"merge: auto": "merge: human", "source: acme/checkout\n": ""},
        in_production=GOOD,
        steps=(2, 2, 20, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3),
        said={
            3: ("dana", "hold the sale runs"),
            5: ("dana", "resume"),
            6: ("mia", "approve"),
            9: ("dana", "rollback invoices are wrong"),
            12: ("mia", "lift it was the database"),
        },
        pulls=("Promote", "Promote"),
    ),
}


class Played:
    """A story that was played: the places that were reached, when it was promoted, and what was seen in the end.

    `reached` are the numbers of places after each sweep.
    """

    def __init__(self, story: Story, *, deadly: int = 0) -> None:
        self.places: list[str] = []
        self.reached: list[int] = []
        self.kills = 0
        self.promoted_at = 0
        self.end: Mapping[str, object] = {}
        with TemporaryDirectory() as directory:
            self._play(Path(directory), story, deadly)

    def _play(self, directory: Path, story: Story, deadly: int) -> None:
        clock = ManualClock(START)
        seconds = PROCESSES.Value("d", START.timestamp())
        with running_lab(directory, clock) as lab:
            lab.add_service("checkout", "1.8.2")
            clock.advance(20 * STEP)
            lab.argocd.tick()
            story.begin(lab)
            settings = lab.write_settings(directory / "liftlock.toml")
            seconds.value = clock.now().timestamp()
            bot = BotProcess(settings, seconds, deadly=deadly)
            for number, pause in enumerate((*story.steps, *SETTLING)):
                clock.advance(pause * STEP)
                lab.argocd.tick()
                if number in story.said:
                    by, words = story.said[number]
                    lab.github.comment_as(by, GITOPS, 1, f"/liftlock {words}")
                seconds.value = clock.now().timestamp()
                if not bot.sweep():
                    assert bot.exit_code == -signal.SIGKILL
                    self.kills += 1
                    bot = BotProcess(settings, seconds)
                self.reached.append(len(bot.places))
                if not self.promoted_at and lab.has_tag("checkout", "production", "1.9.0"):
                    self.promoted_at = number
            self.places = bot.places
            bot.close()
            self.end = _end(lab)


def _end(lab: Lab) -> Mapping[str, object]:
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


@pytest.fixture(scope="module", name="whole")
def fixture_whole() -> Mapping[str, Played]:
    """Each story as it goes when nobody kills the bot."""
    return {name: Played(story) for name, story in STORIES.items()}


def _first_of_its_own(whole: Mapping[str, Played], name: str) -> int:
    """Return the number of the first place of the sweeps in which a story is not as one before it in the list.

    Until then both are the same sweeps of the same world, and each place in them is tried in the first story.
    """
    mine, shared = whole[name], 0
    for other in list(whole)[: list(whole).index(name)]:
        theirs = whole[other]
        for here, there in zip(mine.reached, theirs.reached, strict=False):
            if here != there or mine.places[:here] != theirs.places[:there]:
                break
            shared = max(shared, here)
    return shared + 1


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_it_should_when_nobody_kills_the_bot(whole: Mapping[str, Played], name: str) -> None:
    story, played = STORIES[name], whole[name]
    pulls, comments, messages = (str(played.end[key]) for key in ("pull requests", "comments", "messages"))
    assert [pulls.count(f"'{word} ") for word in ("Promote", "Revert")] == [
        story.pulls.count(word) for word in ("Promote", "Revert")
    ]
    assert 'tag: "1.8.2"' in str(played.end["files"])
    assert messages.count("Promote checkout to production: 1.8.2 -> 1.9.0 (#1)") == 1
    assert messages.count("Revert ") >= 1
    assert comments.count("<!-- liftlock:evidence -->\\n**Rolled back.**") == 1
    assert str(played.end["reactions"]).count("+1") == len(story.said)
    assert len(played.places) > 100


@pytest.mark.invariant("I9")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", STORIES)
def test_killed_at_any_place_where_it_writes_it_comes_to_the_same_end(
    whole: Mapping[str, Played], name: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    reference, wrong = whole[name], []
    places = range(_first_of_its_own(whole, name) + part, len(reference.places) + 1, PARTS * EVERY)
    for deadly in places:
        played = Played(STORIES[name], deadly=deadly)
        differences = [key for key, value in reference.end.items() if played.end[key] != value]
        if played.kills != 1 or differences or played.promoted_at > reference.promoted_at + 1:
            found = {key: played.end[key] for key in differences}
            wrong.append((deadly, reference.places[deadly - 1], played.kills, played.promoted_at, found))
    record_property("places of the kill matrix", len(places))
    assert wrong == []
