"""The exit code of `liftlock check`: what the gates say together, and never 0 for a release that is on its way."""

from __future__ import annotations

import pytest

from bot.cli.check import max_code
from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.verdicts import Verdict, VerdictKind


def a_judgement(state: State, *kinds: VerdictKind, role: str = "running") -> Judgement:
    return Judgement(
        stage="staging",
        role="running" if role == "running" else "candidate",
        release=None,
        state=state,
        waits_on=WaitsOn.RUNTIME,
        reason="r",
        verdicts=tuple(Verdict(gate="g", kind=kind, reason="r") for kind in kinds),
    )


@pytest.mark.parametrize(
    ("judgements", "code"),
    [
        ([a_judgement(State.PROVEN, VerdictKind.HEALTHY)], 0),
        ([a_judgement(State.UNHEALTHY, VerdictKind.HEALTHY, VerdictKind.UNHEALTHY)], 1),
        ([a_judgement(State.OBSERVING, VerdictKind.NOT_YET)], 3),
        ([a_judgement(State.OBSERVING, VerdictKind.NO_DATA)], 4),
        ([a_judgement(State.CANNOT_TELL)], 5),
        ([a_judgement(State.SETTLED)], 0),
        ([a_judgement(State.ROLLED_BACK), a_judgement(State.WAITING_FOR_HUMAN, role="candidate")], 0),
        ([a_judgement(State.WAITING_FOR_ROLLOUT)], 3),
        ([a_judgement(State.WATCHING)], 3),
        ([a_judgement(State.SETTLED), a_judgement(State.WAITING_FOR_ROLLOUT)], 3),
    ],
)
def test_the_code_is_what_the_gates_say_and_never_0_for_a_release_on_its_way(
    judgements: list[Judgement], code: int
) -> None:
    assert max_code(judgements) == code
