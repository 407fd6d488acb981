"""Where a release stands on its way: built, verified, signed, in the stage before, observed there, in the stage.

| symbol | ✓ done | … here | ✗ stopped | · ahead | – not asked for |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.gates.artifact import judge_artifact
from bot.domain.intake import REGISTRY
from bot.domain.model import Release
from bot.domain.path import Mark, path_of
from bot.domain.proofs import Proven
from bot.domain.timeline import Milestone, Step
from bot.domain.verdicts import ArtifactEvidence, Verdict, VerdictKind
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
            "verified – signed – staging … observed · production ·",
        ),
        (State.OBSERVING, True, GOOD, State.OBSERVING, "verified – signed ✓ staging ✓ observed … production ·"),
        (State.OBSERVING, True, NOTHING, State.OBSERVING, "verified – signed … staging ✓ observed … production ·"),
        (State.UNHEALTHY, True, GOOD, State.UNHEALTHY, "verified – signed ✓ staging ✓ observed ✗ production ·"),
        (
            State.DEADLINE_PASSED,
            True,
            GOOD,
            State.DEADLINE_PASSED,
            "verified – signed ✓ staging ✓ observed ✗ production ·",
        ),
        (State.PROVEN, True, NOTHING, State.WAITING_FOR_BUILD, "verified – signed … staging ✓ observed ✓ production ·"),
        (State.PROVEN, True, WRONG, State.NOT_TRUSTED, "verified – signed ✗ staging ✓ observed ✓ production ·"),
        (State.PROVEN, True, GOOD, State.READY_TO_MERGE, "verified – signed ✓ staging ✓ observed ✓ production …"),
        (State.LET_PASS, True, GOOD, State.WAITING_FOR_HUMAN, "verified – signed ✓ staging ✓ observed ✓ production …"),
        (State.PROVEN, True, GOOD, State.HELD_BY_HUMAN, "verified – signed ✓ staging ✓ observed ✓ production ✗"),
        (State.SETTLED, True, WRONG, State.QUARANTINED, "verified – signed ✗ staging ✓ observed · production ✗"),
    ],
)
def test_the_first_part_that_is_not_done_is_where_it_stands(
    state: State, live: bool, proven: Proven | None, candidate: State, path: str
) -> None:
    before = judged("staging", "running", state, live=live)
    assert shown(judged("production", "candidate", candidate, *verdicts(proven)), before) == f"built ✓ {path}"


def test_what_was_verified_in_a_first_stage_counts_and_its_other_gates_do_not() -> None:
    before = judged("staging", "running", State.OBSERVING, *verdicts(WRONG))
    assert shown(judged("production", "candidate", State.OBSERVING), before).startswith(
        "built ✓ verified – signed ✗ staging ✓"
    )
    shadow = replace(verdicts(WRONG)[0], is_shadow=True)
    before = judged("staging", "running", State.OBSERVING, shadow)
    assert "verified – signed –" in shown(judged("production", "candidate", State.OBSERVING), before)


def test_where_the_stage_before_is_not_known_only_the_rest_is_told() -> None:
    candidate = judged("production", "candidate", State.CANNOT_TELL)
    assert shown(candidate) == "built ✓ verified – signed – production …"
    assert shown(replace(candidate, release=None)) == "built ✓ verified – signed – production …"


def offered(state: State = State.OFFERED) -> Judgement:
    return judged(REGISTRY, "running", state)


def test_a_release_that_has_only_left_the_registry_has_all_stages_ahead() -> None:
    staging = judged("staging", "running", State.SETTLED, tag=OLD)
    candidate = judged("staging", "candidate", State.WAITING_FOR_BUILD, *verdicts(NOTHING))
    assert shown(candidate, offered(), staging) == ("built ✓ verified – signed … staging · observed · production ·")


def test_a_release_on_its_way_to_a_later_stage_does_not_run_in_the_registry() -> None:
    staging = judged("staging", "running", State.PROVEN)
    candidate = judged("production", "candidate", State.READY_TO_MERGE)
    assert shown(candidate, offered(), staging) == "built ✓ verified – signed – staging ✓ observed ✓ production …"


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("build", "built … verified – signed –"),
        ("provenance", "built ✓ verified … signed –"),
        ("attestation", "built ✓ verified … signed –"),
        ("signature", "built ✓ verified – signed …"),
    ],
)
def test_each_rule_on_the_artifact_tells_of_its_own_part_also_when_nothing_could_be_asked(rule: str, path: str) -> None:
    evidence = ArtifactEvidence(expected=(), found=(), rule=rule)
    unknown = Verdict(gate="a", kind=VerdictKind.CANNOT_TELL, reason="the registry is down", evidence=evidence)
    assert shown(judged("production", "candidate", State.CANNOT_TELL, unknown)) == f"{path} production ·"


def test_of_several_stages_before_each_is_a_part_and_the_least_of_them_is_told_as_observed() -> None:
    candidate = replace(judged("production", "candidate", State.OBSERVING), sources=("eu", "us"))
    first = judged("staging", "running", State.SETTLED)
    eu, us = judged("eu", "running", State.PROVEN), judged("us", "running", State.OBSERVING)
    assert shown(candidate, first, eu, us) == "built ✓ verified – signed – eu ✓ us ✓ observed … production ·"
    ill = judged("us", "running", State.UNHEALTHY)
    assert " eu ✓ us ✓ observed ✗ " in shown(candidate, eu, ill)
    assert " eu ✓ us ✓ observed ✓ " in shown(candidate, eu, judged("us", "running", State.PROVEN))


def test_the_third_stage_of_a_chain_is_told_of_the_second_and_not_of_the_first() -> None:
    candidate = replace(judged("world", "candidate", State.OBSERVING), sources=("eu",))
    told = shown(candidate, judged("staging", "running", State.SETTLED), judged("eu", "running", State.OBSERVING))
    assert " eu ✓ observed … world ·" in told
