"""Where a release stands on its way: built, verified, in the stage before, observed there, in the stage.

| symbol | ✓ done | … here | ✗ stopped | · ahead | – not asked for |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.gates.artifact import judge_artifact
from bot.domain.model import Release
from bot.domain.path import Mark, path_of
from bot.domain.proofs import Proven
from bot.domain.timeline import Milestone, Step
from bot.domain.verdicts import Verdict
from tests.builders import IMAGE, NEW, NOON, OLD
from tests.trusted import a_signature, a_signature_rule, a_subject, proven_of

SYMBOLS = {Mark.DONE: "✓", Mark.HERE: "…", Mark.STOPPED: "✗", Mark.AHEAD: "·", Mark.NOT_ASKED: "–"}
GOOD, WRONG, NOTHING = proven_of(a_signature()), proven_of(a_signature(issuer="https://gitlab.com")), proven_of()


def judged(stage: str, role: str, state: State, *verdicts: Verdict, tag: str = NEW, live: bool = True) -> Judgement:
    return Judgement(
        stage=stage,
        role=role,  # type: ignore[arg-type]  # one of the two
        release=Release(image=IMAGE, tag=tag),
        state=state,
        waits_on=WaitsOn.PROMOTION,
        reason="reason",
        verdicts=verdicts,
        timeline=(Milestone(step=Step.LIVE, at=NOON, source="Argo CD"),) if live else (),
    )


def verdicts(proven: Proven | None) -> tuple[Verdict, ...]:
    return judge_artifact((a_signature_rule(),), a_subject(proven)) if proven is not None else ()


def shown(candidate: Judgement, *others: Judgement) -> str:
    production = judged("production", "running", State.SETTLED, tag=OLD)
    path = path_of(candidate, (*others, production, candidate))
    return " ".join(f"{part.name} {SYMBOLS[part.mark]}" for part in path)


@pytest.mark.parametrize(
    ("state", "live", "proven", "candidate", "path"),
    [
        (
            State.WAITING_FOR_ROLLOUT,
            False,
            None,
            State.WAITING_FOR_ROLLOUT,
            "verified – staging … observed · production ·",
        ),
        (State.OBSERVING, True, GOOD, State.OBSERVING, "verified ✓ staging ✓ observed … production ·"),
        (State.OBSERVING, True, NOTHING, State.OBSERVING, "verified … staging ✓ observed … production ·"),
        (State.UNHEALTHY, True, GOOD, State.UNHEALTHY, "verified ✓ staging ✓ observed ✗ production ·"),
        (State.DEADLINE_PASSED, True, GOOD, State.DEADLINE_PASSED, "verified ✓ staging ✓ observed ✗ production ·"),
        (State.PROVEN, True, NOTHING, State.WAITING_FOR_BUILD, "verified … staging ✓ observed ✓ production ·"),
        (State.PROVEN, True, WRONG, State.NOT_TRUSTED, "verified ✗ staging ✓ observed ✓ production ·"),
        (State.PROVEN, True, GOOD, State.READY_TO_MERGE, "verified ✓ staging ✓ observed ✓ production …"),
        (State.LET_PASS, True, GOOD, State.WAITING_FOR_HUMAN, "verified ✓ staging ✓ observed ✓ production …"),
        (State.PROVEN, True, GOOD, State.HELD_BY_HUMAN, "verified ✓ staging ✓ observed ✓ production ✗"),
        (State.SETTLED, True, WRONG, State.QUARANTINED, "verified ✗ staging ✓ observed · production ✗"),
    ],
)
def test_the_first_part_that_is_not_done_is_where_it_stands(
    state: State, live: bool, proven: Proven | None, candidate: State, path: str
) -> None:
    before = judged("staging", "running", state, live=live)
    assert shown(judged("production", "candidate", candidate, *verdicts(proven)), before) == f"built ✓ {path}"


def test_what_was_verified_in_a_first_stage_counts_and_its_other_gates_do_not() -> None:
    before = judged("staging", "running", State.OBSERVING, *verdicts(WRONG))
    assert shown(judged("production", "candidate", State.OBSERVING), before).startswith("built ✓ verified ✗ staging ✓")
    shadow = replace(verdicts(WRONG)[0], is_shadow=True)
    before = judged("staging", "running", State.OBSERVING, shadow)
    assert "verified –" in shown(judged("production", "candidate", State.OBSERVING), before)


def test_where_the_stage_before_is_not_known_only_the_rest_is_told() -> None:
    candidate = judged("production", "candidate", State.CANNOT_TELL)
    assert shown(candidate) == "built ✓ verified – production …"
    assert shown(replace(candidate, release=None)) == "built ✓ verified – production …"
