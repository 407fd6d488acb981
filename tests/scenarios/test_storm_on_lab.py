"""Three releases fail in production at once, and the bot may take back two: it takes back none, and people decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.decision import State
from bot.lab.clock import ManualClock
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS, Lab
from tests.scenarios.promoting import FAILING, a_stage, settings_of
from tests.stage import decision_for, the_judgement

SERVICES = ("checkout", "payments", "search")


def reverted(lab: Lab) -> list[str]:
    return [name for name in SERVICES if lab.has_tag(name, "production", "1.8.2") and pulls_of(lab, name)]


def pulls_of(lab: Lab, service: str) -> list[int]:
    return [pull.number for pull in lab.pulls(service)]


@pytest.fixture(name="settings")
def fixture_settings(lab: Lab) -> Path:
    path = settings_of(lab, "storm")
    path.write_text(
        path.read_text(encoding="utf-8").replace("[bot]\n", "[bot]\nmost_rollbacks = 2\n"), encoding="utf-8"
    )
    return path


@pytest.mark.invariant("I4")
def test_a_storm_of_rollbacks_is_left_to_people(lab: Lab, clock: ManualClock, settings: Path) -> None:
    for name in SERVICES[1:]:
        lab.add_service(name, "1.8.2")
    with a_stage(lab, clock, settings) as stage:
        stage.play(3)
        for name in SERVICES:
            lab.release(name, "1.9.0", in_staging=GOOD, in_production=FAILING)
        for _ in range(60):
            reports = stage.play(1)
            found = [the_judgement(decision_for(reports, name), "production") for name in SERVICES]
            if all(one.state is State.HALTED for one in found):
                break
        said = "but with it 3 releases would be taken back within 10m, and at most 2 may"
        assert [said in one.reason for one in found] == [True] * 3
        stage.play(3)
        assert reverted(lab) == []
        (number,) = pulls_of(lab, "payments")
        lab.github.add_user("dana", {GITOPS: "write"})
        lab.github.comment_as("dana", GITOPS, number, "/liftlock rollback payments are lost")
        for _ in range(10):
            stage.play(1)
            if reverted(lab):
                break
        assert reverted(lab) == ["payments"]
