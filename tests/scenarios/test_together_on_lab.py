"""Two files that move together, in a real Git repository and by both ways of making commits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.domain.trailers import parse_trailers
from bot.lab.clock import ManualClock
from bot.lab.stories import GOOD
from bot.lab.world import BRANCH, DEVELOPER, GITOPS, Lab
from tests.scenarios.promoting import FAILING, a_stage, settings_of_app, tell_no_source, use
from tests.stage import Stage

FLAGS = "apps/checkout/production/flags.yaml"


def flags(tag: str) -> str:
    return f"# what users see\nversion: '{tag}'   # with the image\nbeta: false\n"


@pytest.fixture(params=["git", "github"])
def stage(request: pytest.FixtureRequest, lab: Lab, clock: ManualClock) -> Iterator[Stage]:
    tell_no_source(lab)
    use(lab, "branch: main}", f"branch: main, commits: {request.param}}}")
    use(
        lab,
        "    argocd: checkout-production\n",
        f"    with: [{{edit: {{helm: {{file: {FLAGS}, tag: version}}}}}}]\n    argocd: checkout-production\n",
    )
    lab.github.commit_as(DEVELOPER, GITOPS, BRANCH, {FLAGS: flags("1.8.2")}, "Say the version")
    with a_stage(lab, clock, settings_of_app(lab)) as found:
        yield found


def texts(lab: Lab) -> tuple[str, str]:
    return lab.text("checkout", "production"), lab.github.read(GITOPS, BRANCH, FLAGS) or ""


def test_both_files_go_there_in_one_commit_and_come_back_in_one_to_the_byte(stage: Stage) -> None:
    lab, before = stage.lab, texts(stage.lab)
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    stage.play_until("checkout", lambda _: lab.has_tag("checkout", "production", "1.9.0"))
    assert texts(lab) == (before[0].replace("1.8.2", "1.9.0"), flags("1.9.0"))
    stage.play_until("checkout", lambda _: texts(lab) == before)
    messages = lab.messages()
    revert, *_ = messages
    found = parse_trailers(revert)
    assert found is not None
    assert found.reverts is not None
    promotion = next(one for one in messages if one.startswith("Promote checkout to production: 1.8.2 -> 1.9.0"))
    assert f"Changed in {FLAGS}:\n- version: 1.8.2 -> 1.9.0\n" in promotion
    reverts = [one for one in messages if "Liftlock-Reverts" in one]
    assert len(reverts) == 1
