"""The pull requests of the demo's stories as a browser shows them: what a reviewer sees without scrolling.

The pictures are left in `build/pages/`, to be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot.compose.whole import compose
from bot.domain.decision import Decision
from bot.lab.clock import ManualClock
from bot.lab.stories import STORIES, Story
from bot.lab.world import GITOPS, Lab, running_lab
from bot.settings import load_settings
from tests.browser.chromium import HEIGHT, WIDTH, Shown, needs_chromium, open_page
from tests.scenarios.promoting import time_is_the_labs
from tests.stage import START, Stage, decision_for

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(600)]

SHOWN = tuple(story for story in STORIES if story.signed_by is None)
"""What never reaches staging has no pull request to look at."""
PICTURES = Path(__file__).parents[2] / "build" / "pages"
LIMIT = 90
EVIDENCE = ["gate", "verdict", "found", "limit", "at most"]
LEAKS = re.compile(r"\*\*|\]\(|\|---|^#{1,6} |</?[a-z]|<!--|-->|&[a-z]+;|\\[^\s]", re.MULTILINE)
"""What is Markdown or HTML, and no text."""


@pytest.fixture(scope="module", name="pages")
def fixture_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Shown]]:
    folder, clock = tmp_path_factory.mktemp("lab"), ManualClock(START)
    with running_lab(folder, clock) as lab:
        for story in SHOWN:
            lab.add_service(story.service, story.before)
        settings = load_settings(lab.write_app_settings(folder / "liftlock.toml"))
        with compose(settings, clock=clock) as bot:
            stage = Stage(lab=lab, clock=clock, sweeper=time_is_the_labs(bot.sweeper, clock))
            yield dict(_play(stage, tmp_path_factory.mktemp("browser")))


def _play(stage: Stage, scratch: Path) -> Iterator[tuple[str, Shown]]:
    """Play all stories at once; look at the first one while its release is observed, and at each at its end."""
    stage.pass_time(20)
    stage.play(1)
    for story in SHOWN:
        stage.lab.release(story.service, story.release, in_staging=story.in_staging, in_production=story.in_production)
    stage.play(14)
    yield "observing", _look(stage.lab, SHOWN[0], "observing", scratch)
    running = list(SHOWN)
    for _ in range(LIMIT):
        reports = stage.play(1)
        running = [story for story in running if not _has_ended(stage.lab, story, decision_for(reports, story.service))]
        if not running:
            break
    assert not running, [story.letter for story in running]
    # What the bot found last it tells with the next sweeps.
    stage.play(3)
    for story in SHOWN:
        yield story.letter, _look(stage.lab, story, story.letter, scratch)


def _has_ended(lab: Lab, story: Story, decision: Decision) -> bool:
    return story.ended(lab, story, decision) is not None


def _look(lab: Lab, story: Story, name: str, scratch: Path) -> Shown:
    (pull,) = lab.pulls(story.service)
    url = f"{lab.github.url}/{GITOPS}/pull/{pull.number}"
    return open_page(url, scratch / name, picture=PICTURES / f"{name}.png")


@pytest.mark.parametrize(
    ("page", "badge", "verdict", "who", "when"),
    [
        ("observing", "Draft", "Not yet. 1.9.0 is live in staging", "Nobody.", "Liftlock marks this ready when"),
        ("a", "Merged", "Done. 1.9.0 runs in production.", "Nobody.", "Nothing is left to do here."),
        ("b", "Draft", "Do not merge. 4.2.0 is unhealthy in staging.", "Its developers: release a fix.", "No."),
        ("c", "Merged", "Rolled back. 2.1.0 was taken out of production by", "Nobody, unless", "No."),
    ],
    ids=lambda value: value if len(value) < 10 else "",
)
def test_the_first_screen_answers_without_scrolling(
    pages: Mapping[str, Shown], page: str, badge: str, verdict: str, who: str, when: str
) -> None:
    shown = pages[page]
    said, why, acts, moves = shown.first_screen
    assert shown.badge == badge
    assert said.startswith(verdict)
    assert why.startswith("Why: ")
    assert acts.startswith(f"Who must act: {who}")
    assert moves.startswith(f"Moves by itself: {when}")
    assert max(answer["bottom"] for answer in shown.answers) < HEIGHT / 2


@pytest.mark.parametrize("page", ["observing", "a", "b", "c"])
def test_the_evidence_is_a_table(pages: Mapping[str, Shown], page: str) -> None:
    evidence = [table for table in pages[page].tables if table[0] == EVIDENCE]
    assert evidence
    assert all(len(row) == len(EVIDENCE) for table in evidence for row in table)
    gates = {row[0] for table in evidence for row in table[1:]}
    assert any("http-errors" in gate for gate in gates)
    assert any("argocd-healthy" in gate for gate in gates)


def test_what_was_taken_back_shows_what_fired(pages: Mapping[str, Shown]) -> None:
    shown = pages["c"]
    assert shown.headings[0] == "Evidence from production"
    (fired, *_) = [row for table in shown.tables if table[0] == EVIDENCE for row in table[1:]]
    assert fired[1].endswith("unhealthy")


@pytest.mark.parametrize(
    ("page", "state", "title"),
    [("observing", "in progress", "Not yet"), ("a", "success", "Ready"), ("b", "failure", "Do not merge")],
)
def test_the_check_of_the_app_says_the_same(pages: Mapping[str, Shown], page: str, state: str, title: str) -> None:
    assert re.search(rf"liftlock/production\s+{state} · {title}", pages[page].checks)


@pytest.mark.parametrize("page", ["observing", "a", "b", "c"])
def test_details_are_closed_and_all_is_rendered(pages: Mapping[str, Shown], page: str) -> None:
    shown = pages[page]
    assert shown.details > 0
    assert shown.open == 0
    leaks = [shown.prose[max(0, at.start() - 30) : at.end() + 30] for at in LEAKS.finditer(shown.prose)]
    assert leaks == []


@pytest.mark.parametrize("page", ["observing", "a", "b", "c"])
def test_nothing_is_wider_than_the_window(pages: Mapping[str, Shown], page: str) -> None:
    shown = pages[page]
    assert (shown.width, shown.scroll) == (WIDTH, WIDTH)
    assert shown.beyond == []
