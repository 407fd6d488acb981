"""Baselines, burn rates, soak and the Argo CD gate of a whole promotion: the real bot on the lab."""

from __future__ import annotations

from bot.domain.decision import Decision, State
from bot.lab.cluster import Behaviour
from bot.lab.stories import GOOD
from bot.lab.world import image_of
from tests.stage import Stage, judgement

BURN = "{use: http-errors, name: burn, objective: 99%, least_bad: 5, windows: [{long: 12s, short: 4s, factor: 10}]}"
FAILING = Behaviour(requests_per_second=100.0, error_ratio=0.2)


def use_gates(stage: Stage, *, gates: str | None = None, trigger: str | None = None) -> None:
    """Put other gates or another trigger in the place of those that count."""
    path = stage.lab.directory / "policies" / "checkout.yaml"
    text = path.read_text()
    if gates is not None:
        text = text.replace("- {use: http-errors, limit: 1%}", gates)
    if trigger is not None:
        text = text.replace("- {use: http-errors, limit: 2%}", f"- {trigger}")
    path.write_text(text)


def is_promoted(stage: Stage) -> bool:
    return stage.lab.has_tag("checkout", "production", "1.9.0")


def is_reverted(stage: Stage) -> bool:
    return any("Liftlock-Reverts" in message for message in stage.lab.messages())


def test_a_release_no_worse_than_production_moves_on_after_its_time(stage: Stage) -> None:
    use_gates(stage, gates="- {use: http-errors, against: production}\n      - {use: soak}")
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play_until("checkout", lambda _: is_promoted(stage))
    body = stage.lab.pulls("checkout")[0].body or ""
    assert "HTTP errors, no worse than production" in body
    assert "against" in body
    assert "`soak`" in body


def test_a_release_that_is_worse_than_production_is_held(stage: Stage) -> None:
    use_gates(stage, gates="- {use: http-errors, against: production}")
    stage.lab.release("checkout", "1.9.0", in_staging=FAILING, in_production=FAILING)

    def is_held(decision: Decision) -> bool:
        found = judgement(decision, "production", "candidate")
        return found is not None and found.state is State.UNHEALTHY

    decision = stage.play_until("checkout", is_held)
    found = judgement(decision, "staging", "running")
    assert found is not None
    assert "worse than chance explains" in found.reason
    assert all(pull.draft for pull in stage.lab.pulls("checkout"))


def test_a_burning_budget_takes_a_release_back(stage: Stage) -> None:
    use_gates(stage, trigger=BURN)
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    stage.play_until("checkout", lambda _: is_reverted(stage))
    assert stage.lab.has_tag("checkout", "production", "1.8.2")


def test_a_budget_that_burned_before_the_release_came_is_left_to_a_person(stage: Stage) -> None:
    use_gates(stage, trigger=BURN)
    stage.lab.cluster.behave(image_of("checkout"), "1.8.2", FAILING, namespace="checkout-production")
    stage.play(20)
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)

    def is_halted(decision: Decision) -> bool:
        found = judgement(decision, "production", "running")
        return found is not None and found.state is State.HALTED

    decision = stage.play_until("checkout", is_halted)
    found = judgement(decision, "production", "running")
    assert found is not None
    assert "it burned before this release came, so it is not taken back" in found.reason
    stage.play(20)
    assert not is_reverted(stage)
