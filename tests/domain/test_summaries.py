"""Verification summaries: what is summed up, when there is none, and that a hash names exactly one text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from bot.domain.intake import REGISTRY
from bot.domain.model import Digest, Release
from bot.domain.summaries import Passed, Summary, summary_of
from bot.domain.verdicts import ArtifactEvidence, Verdict, VerdictKind
from tests.builders import IMAGE, MINUTE, NEW, NOON, a_policy
from tests.trusted import DIGEST

POLICY = a_policy()
OTHER = Digest(f"sha256:{'e' * 64}")


def a_verdict(gate: str, kind: VerdictKind = VerdictKind.HEALTHY, *, rule: str = "", shadow: bool = False) -> Verdict:
    evidence = ArtifactEvidence(expected=(), found=(), rule=rule) if rule else None
    return Verdict(gate=gate, kind=kind, reason="because", evidence=evidence, is_shadow=shadow)


ERRORS, SIGNED = a_verdict("http-errors"), a_verdict("artifact-signature", rule="signature")


def passed(*verdicts: Verdict, stage: str = "staging", release: Release | None = None) -> Passed:
    return Passed(
        release=release or Release(image=IMAGE, tag=NEW, digest=DIGEST),
        stages=(stage,),
        into="production",
        verdicts=verdicts or (ERRORS, SIGNED),
        inputs=(OTHER, DIGEST, OTHER),
    )


def summed_up(what: Passed, *, verifier: str = "https://liftlock.acme.example") -> Summary | None:
    return summary_of(POLICY, what, NOON, verifier=verifier)


def levels(*verdicts: Verdict, stage: str = "staging") -> list[str]:
    summary = summed_up(passed(*verdicts, stage=stage))
    assert summary is not None
    found: list[str] = json.loads(summary.statement)["predicate"]["verifiedLevels"]
    return found


def test_a_summary_says_what_was_verified_by_whom_when_and_by_which_policy() -> None:
    summary = summed_up(passed())
    assert summary is not None
    assert json.loads(summary.statement) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": IMAGE, "digest": {"sha256": DIGEST.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": {"id": "https://liftlock.acme.example"},
            "timeVerified": "2026-03-02T12:00:00Z",
            "resourceUri": f"pkg:oci/checkout@{DIGEST.replace(':', '%3A')}?repository_url={IMAGE}&tag={NEW}",
            "policy": {"uri": POLICY.file, "digest": {"sha256": POLICY.version}},
            "inputAttestations": [{"digest": {"sha256": "a" * 64}}, {"digest": {"sha256": "e" * 64}}],
            "verificationResult": "PASSED",
            "verifiedLevels": ["LIFTLOCK_HEALTHY_IN_STAGING", "LIFTLOCK_SIGNATURE"],
        },
    }


def test_its_hash_is_that_of_its_bytes() -> None:
    summary = summed_up(passed())
    assert summary is not None
    assert summary.digest == f"sha256:{hashlib.sha256(summary.statement.encode()).hexdigest()}"


def test_the_same_facts_give_the_same_bytes_and_any_other_fact_gives_others() -> None:
    same = {summed_up(passed()), summed_up(replace(passed(), inputs=(DIGEST, OTHER)))}
    assert len(same) == 1
    others = {
        summed_up(passed(SIGNED)),
        summed_up(passed(stage="canary")),
        summed_up(passed(release=Release(image=IMAGE, tag="1.9.1", digest=DIGEST))),
        summed_up(passed(release=Release(image=IMAGE, tag=NEW, digest=OTHER))),
        summed_up(replace(passed(), inputs=())),
        summed_up(passed(), verifier="https://other.example"),
        summary_of(POLICY, passed(), NOON + MINUTE, verifier="https://liftlock.acme.example"),
        summary_of(replace(POLICY, version="0" * 64), passed(), NOON, verifier="https://liftlock.acme.example"),
    }
    assert len(same | others) == 9


def test_what_came_from_the_registry_was_verified_and_not_observed() -> None:
    assert levels(SIGNED, stage=REGISTRY) == ["LIFTLOCK_SIGNATURE"]


def test_a_stage_without_gates_of_its_own_is_not_said_to_have_been_healthy() -> None:
    assert levels(SIGNED) == ["LIFTLOCK_SIGNATURE"]
    assert levels(ERRORS) == ["LIFTLOCK_HEALTHY_IN_STAGING"]


def test_names_of_stages_become_words_of_the_form_that_levels_have() -> None:
    assert levels(ERRORS, stage="pre-prod") == ["LIFTLOCK_HEALTHY_IN_PRE_PROD"]


@pytest.mark.invariant("I11")
@pytest.mark.parametrize("kind", [kind for kind in VerdictKind if kind is not VerdictKind.HEALTHY])
def test_what_was_not_verified_is_not_summed_up_whoever_let_it_pass(kind: VerdictKind) -> None:
    assert summed_up(passed(ERRORS, a_verdict("artifact-signature", kind, rule="signature"))) is None


def test_a_gate_in_the_shadow_neither_proves_nor_hinders() -> None:
    shadow = a_verdict("lag", VerdictKind.UNHEALTHY, shadow=True)
    assert levels(SIGNED, shadow) == ["LIFTLOCK_SIGNATURE"]
    assert summed_up(passed(shadow)) is None


def test_without_a_digest_nobody_knows_what_was_verified() -> None:
    assert summed_up(passed(release=Release(image=IMAGE, tag=NEW))) is None


def test_an_image_on_a_port_keeps_its_address_readable() -> None:
    image = "localhost:5000/checkout"
    summary = summed_up(passed(release=Release(image=image, tag=NEW, digest=DIGEST)))
    assert summary is not None
    resource = json.loads(summary.statement)["predicate"]["resourceUri"]
    assert f"pkg:oci/checkout@sha256%3A{'a' * 64}?repository_url=localhost%3A5000/checkout&tag={NEW}" == resource


def test_an_image_without_a_repository_is_named_by_itself() -> None:
    summary = summed_up(passed(release=Release(image="checkout", tag=NEW, digest=DIGEST)))
    assert summary is not None
    assert "?repository_url=checkout&tag=" in summary.statement
