"""The demo's four stories, played with time under control: each must end as told."""

from __future__ import annotations

import pytest

from bot.lab.stories import STORIES, Story
from tests.stage import Stage


@pytest.mark.parametrize("story", STORIES, ids=lambda story: f"{story.letter}-{story.service}")
def test_each_story_ends_as_told(stage: Stage, story: Story) -> None:
    if story.service != "checkout":
        story.set_up(stage.lab)
        stage.pass_time(20)
    stage.play(1)
    story.begin(stage.lab)
    stage.play_until(story.service, lambda decision: story.ended(stage.lab, story, decision) is not None)


def test_a_story_does_not_end_by_itself(stage: Stage) -> None:
    story = STORIES[0]
    decision = stage.play_until("checkout", lambda _: True)
    assert story.ended(stage.lab, story, decision) is None
