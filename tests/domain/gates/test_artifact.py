"""Gates on the artifact: what proves it, what speaks against it, what may come yet, and what nobody can tell.

| what is found                         | verdict     |
|---------------------------------------|-------------|
| a proof that fits                     | healthy     |
| proofs, and none fits; or broken ones | unhealthy   |
| nothing                               | not yet     |
| no answer, no registry                | cannot tell |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.gates.artifact import judge_artifact, signed_commit
from bot.domain.model import Artifact, Checked, Digest, Sha, Trouble
from bot.domain.proofs import Attested, Proven, Scalar, Signature, Unproven
from bot.domain.signers import KeyHolder
from bot.domain.trust import AttestationRule, BuildRule, Condition, SignatureRule, TrustRule
from bot.domain.verdicts import ArtifactEvidence, Verdict, VerdictKind
from tests.trusted import (
    DIGEST,
    FOUND,
    ISSUER,
    REVISION,
    SLSA,
    WORKFLOW,
    a_provenance_rule,
    a_signature,
    a_signature_rule,
    a_signer,
    a_subject,
    attested,
    by_key,
    proven_of,
)

DOWN = Trouble(system="registry", sentence="it does not answer")


def judged(rule: TrustRule, proven: Proven | Trouble | None, **more: object) -> Verdict:
    (verdict,) = judge_artifact((rule,), a_subject(proven, **more))  # type: ignore[arg-type]  # a test's own fields
    return verdict


# --- signatures ------------------------------------------------------------------------------------------------------


def test_a_signature_by_the_signer_is_enough_whoever_else_has_signed() -> None:
    others = a_signature(subject="mallory@example.com", issuer="https://accounts.google.com"), by_key("old")
    verdict = judged(a_signature_rule(), proven_of(*others, a_signature()))
    assert verdict.kind is VerdictKind.HEALTHY
    assert verdict.reason == f"signature by {WORKFLOW}@refs/tags/v1.9.0 ({ISSUER})"
    assert verdict.evidence == ArtifactEvidence(
        rule="signature",
        expected=(f"{WORKFLOW}@refs/tags/v1.9.0 ({ISSUER})", "source https://github.com/acme/checkout"),
        found=(
            f"{WORKFLOW}@refs/tags/v1.9.0 ({ISSUER})",
            f"source https://github.com/acme/checkout refs/tags/v1.9.0 {REVISION} push",
            "rekor.sigstore.dev entry 4711, 2026-03-02 11:00:00 UTC",
        ),
    )


@pytest.mark.invariant("I11")
def test_of_several_signatures_that_do_not_count_the_nearest_is_told() -> None:
    far = a_signature(issuer="https://gitlab.com")
    near = a_signature(subject=f"{WORKFLOW}@refs/heads/main")
    verdict = judged(a_signature_rule(), proven_of(far, near))
    assert verdict.kind is VerdictKind.UNHEALTHY
    assert verdict.reason == (
        "the signature does not count: its workflow's ref is refs/heads/main, not refs/tags/v1.9.0"
    )


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("proven", "kind", "reason"),
    [
        (proven_of(), VerdictKind.NOT_YET, "no signature was found beside sha256:aaaaaaaaaaaa yet"),
        (
            proven_of(unproven=(Unproven(found=FOUND, reason="the log's proof does not hold"),)),
            VerdictKind.UNHEALTHY,
            "what was found beside sha256:aaaaaaaaaaaa proves nothing: the log's proof does not hold",
        ),
        (DOWN, VerdictKind.CANNOT_TELL, "registry: it does not answer"),
        (None, VerdictKind.CANNOT_TELL, "no registry is set up for this image, so nothing can be verified"),
    ],
)
def test_what_proves_nothing_never_passes(proven: Proven | Trouble | None, kind: VerdictKind, reason: str) -> None:
    verdict = judged(a_signature_rule(), proven)
    assert (verdict.kind, verdict.reason) == (kind, reason)


@pytest.mark.invariant("I11")
def test_proofs_of_other_bytes_than_the_tag_means_now_prove_nothing() -> None:
    other = Artifact(digest=Digest(f"sha256:{'e' * 64}"))
    verdict = judged(a_signature_rule(), proven_of(a_signature()), artifact=other)
    assert (verdict.kind, verdict.reason) == (
        VerdictKind.CANNOT_TELL,
        "what was verified is not what the tag means now",
    )
    down = judged(a_signature_rule(), proven_of(a_signature()), artifact=DOWN)
    assert (down.kind, down.reason) == (VerdictKind.CANNOT_TELL, "registry: it does not answer")


def test_a_key_must_be_logged_unless_the_policy_says_otherwise() -> None:
    rule = SignatureRule(name="artifact-signature", signer=KeyHolder(key="release"))
    unlogged = proven_of(by_key("release", logged=None))
    refused = judged(rule, unlogged)
    assert (refused.kind, refused.reason) == (
        VerdictKind.UNHEALTHY,
        ("the signature does not count: its log entry is not there, not one of a transparency log"),
    )
    verdict = judged(replace(rule, must_be_logged=False), unlogged)
    assert verdict.kind is VerdictKind.HEALTHY
    assert isinstance(verdict.evidence, ArtifactEvidence)
    assert verdict.evidence.found == ("the holder of the key release",)


def test_an_entry_of_which_no_time_is_told_is_shown_without_one() -> None:
    signature = a_signature()
    assert signature.logged is not None
    timeless = replace(signature, logged=replace(signature.logged, at=None))
    evidence = judged(a_signature_rule(), proven_of(timeless)).evidence
    assert isinstance(evidence, ArtifactEvidence)
    assert evidence.found[-1] == "rekor.sigstore.dev entry 4711"


def test_a_certificate_that_names_no_source_shows_none() -> None:
    mail = a_signature(
        subject="dana@acme.example", source_repository=None, source_ref=None, source_commit=None, trigger=None
    )
    evidence = judged(a_signature_rule(), proven_of(mail)).evidence
    assert isinstance(evidence, ArtifactEvidence)
    assert [line for line in evidence.found if line.startswith("source")] == []


# --- provenance ------------------------------------------------------------------------------------------------------

V1: dict[str, tuple[Scalar, ...] | None] = {
    "runDetails.builder.id": ("https://github.com/actions/runner/github-hosted",),
    "buildDefinition.externalParameters.workflow.repository": ("https://github.com/acme/checkout",),
    "buildDefinition.externalParameters.workflow.ref": ("refs/tags/v1.9.0",),
    "buildDefinition.resolvedDependencies[].digest.gitCommit": (REVISION,),
}
V02: dict[str, tuple[Scalar, ...] | None] = {
    "builder.id": ("https://github.com/actions/runner/github-hosted",),
    "invocation.configSource.uri": ("git+https://github.com/acme/checkout.git@refs/tags/v1.9.0",),
    "invocation.configSource.digest.sha1": (REVISION,),
}
BUILDER = "https://github.com/actions/runner/*"


@pytest.mark.parametrize(("kind", "values"), [(SLSA, V1), ("https://slsa.dev/provenance/v0.2", V02)])
def test_provenance_of_either_version_by_the_signer_and_builder_holds(
    kind: str, values: dict[str, tuple[Scalar, ...] | None]
) -> None:
    verdict = judged(a_provenance_rule(builder=BUILDER), proven_of(statements=(attested(kind, values),)))
    assert (verdict.kind, verdict.reason) == (
        VerdictKind.HEALTHY,
        f"provenance by {WORKFLOW}@refs/tags/v1.9.0 ({ISSUER})",
    )


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("runDetails.builder.id", "https://evil.example", f"its builder is https://evil.example, not {BUILDER}"),
        ("runDetails.builder.id", 7, f"its builder is not told, not {BUILDER}"),
        (
            "buildDefinition.externalParameters.workflow.repository",
            "https://github.com/acme/other",
            (
                "its source repository is https://github.com/acme/other, "
                "not https://github.com/acme/checkout, as the certificate says"
            ),
        ),
        (
            "buildDefinition.externalParameters.workflow.ref",
            "refs/heads/main",
            "its source ref is refs/heads/main, not refs/tags/v1.9.0, as the certificate says",
        ),
        (
            "buildDefinition.resolvedDependencies[].digest.gitCommit",
            "e" * 40,
            f"its source commit is {'e' * 40}, not {REVISION}, as the certificate says",
        ),
    ],
)
def test_what_a_predicate_says_of_itself_must_be_what_the_certificate_says(path: str, value: Scalar, said: str) -> None:
    statement = attested(SLSA, V1 | {path: (value,)})
    verdict = judged(a_provenance_rule(builder=BUILDER), proven_of(statements=(statement,)))
    assert verdict.kind is VerdictKind.UNHEALTHY
    assert verdict.reason.endswith(f"does not count: {said}")


def test_a_predicate_that_says_little_is_judged_by_its_certificate_alone() -> None:
    assert judged(a_provenance_rule(), proven_of(statements=(attested(SLSA, {}),))).kind is VerdictKind.HEALTHY


def test_of_a_key_holders_provenance_only_the_builder_is_asked() -> None:
    rule = replace(a_provenance_rule(builder=BUILDER), signer=KeyHolder(key="release"))
    statement = attested(SLSA, V1, by_key("release"))
    assert judged(rule, proven_of(statements=(statement,))).kind is VerdictKind.HEALTHY


def test_other_statements_are_no_provenance() -> None:
    verdict = judged(a_provenance_rule(), proven_of(a_signature(), statements=(attested("https://x.example", {}),)))
    assert (verdict.kind, verdict.reason) == (
        VerdictKind.NOT_YET,
        "no provenance was found beside sha256:aaaaaaaaaaaa yet",
    )


# --- other attestations ----------------------------------------------------------------------------------------------

SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"


def a_scan_rule(*where: Condition, **more: object) -> AttestationRule:
    rule = AttestationRule(name="artifact-scan", signer=a_signer(), predicate_type=SCAN, where=where)
    return replace(rule, **more)  # type: ignore[arg-type]  # a test's own fields


@pytest.mark.parametrize(
    ("condition", "values", "wrong"),
    [
        (Condition(path="p", one_of=("a", 1, None)), ("a", 1, None), None),
        (Condition(path="p", one_of=("a",)), ("a", "b"), "its p is b, not a"),
        (Condition(path="p", one_of=(1,)), (True,), "its p is true, not 1"),
        (Condition(path="p", one_of=(False, None)), (0,), "its p is 0, not false or null"),
        (Condition(path="p", one_of=("a",)), (), "its p is an empty list, not a"),
        (Condition(path="p", one_of=("a",)), None, "its p is not there, not a"),
        (Condition(path="p", none_of=("CRITICAL",)), ("HIGH",), None),
        (Condition(path="p", none_of=("CRITICAL",)), (), None),
        (Condition(path="p", none_of=("CRITICAL",)), None, "its p is not there, not there without CRITICAL"),
        (
            Condition(path="p", none_of=("CRITICAL", "HIGH")),
            ("LOW", "HIGH"),
            "its p is HIGH, not there without CRITICAL or HIGH",
        ),
        (Condition(path="p", at_most=3.0), (3, 2.5), None),
        (Condition(path="p", at_most=3.0), (3, 4), "its p is 4, not at most 3"),
        (Condition(path="p", at_most=3.0), ("1",), "its p is 1, not at most 3"),
        (Condition(path="p", at_most=3.0), (False,), "its p is false, not at most 3"),
        (Condition(path="p", at_most=3.0), (float("nan"),), "its p is nan, not at most 3"),
        (Condition(path="p", at_least=0.5), (0.5,), None),
        (Condition(path="p", at_least=0.5), (0.4,), "its p is 0.4, not at least 0.5"),
    ],
)
def test_a_condition_holds_for_all_values_or_names_the_first_that_is_wrong(
    condition: Condition, values: tuple[Scalar, ...] | None, wrong: str | None
) -> None:
    verdict = judged(a_scan_rule(condition), proven_of(statements=(attested(SCAN, {"p": values}),)))
    assert verdict.kind is (VerdictKind.HEALTHY if wrong is None else VerdictKind.UNHEALTHY)
    assert wrong is None or verdict.reason.endswith(f"does not count: {wrong}")


HOURS = timedelta(hours=1)


@pytest.mark.parametrize(
    ("at", "newer_than", "wrong"),
    [
        ("2026-03-02T11:00:01Z", HOURS, None),
        ("2026-03-02T13:00:01+02:00", HOURS, None),
        ("2026-03-02T11:00:00Z", HOURS, "its age is of 2026-03-02 11:00:00 UTC, not newer than 1h"),
        # Of a time to come: whoever wrote it was wrong, or wants it never to be old.
        ("2026-03-02T12:00:01Z", HOURS, "its age is of 2026-03-02 12:00:01 UTC, not newer than 1h"),
        ("2026-03-02T11:30:00", HOURS, "its age is not told, not newer than 1h"),
        ("yesterday", HOURS, "its age is not told, not newer than 1h"),
    ],
)
def test_an_attestation_must_be_newer_than_the_policy_says(at: str, newer_than: timedelta, wrong: str | None) -> None:
    statement = attested(SCAN, {"at": (at,)})
    verdict = judged(a_scan_rule(newer_than=newer_than, at="at"), proven_of(statements=(statement,)))
    assert verdict.kind is (VerdictKind.HEALTHY if wrong is None else VerdictKind.UNHEALTHY)
    assert wrong is None or verdict.reason.endswith(f"does not count: {wrong}")


def test_without_a_path_its_age_counts_from_its_log_entry() -> None:
    proven = proven_of(statements=(attested(SCAN, {}),))
    assert judged(a_scan_rule(newer_than=2 * HOURS), proven).kind is VerdictKind.HEALTHY
    assert judged(a_scan_rule(newer_than=HOURS), proven).kind is VerdictKind.UNHEALTHY
    unlogged = proven_of(statements=(attested(SCAN, {}, by_key("release", logged=None)),))
    rule = a_scan_rule(newer_than=HOURS, signer=KeyHolder(key="release"), must_be_logged=False)
    assert judged(rule, unlogged).reason.endswith("its age is not told, not newer than 1h")


def test_an_older_attestation_does_not_speak_against_a_newer_one() -> None:
    old, new = ({"p": ("CRITICAL",)}, {"p": ("LOW",)})
    both: tuple[Attested, ...] = (attested(SCAN, old), attested(SCAN, new))
    verdict = judged(a_scan_rule(Condition(path="p", none_of=("CRITICAL",))), proven_of(statements=both))
    assert (verdict.kind, verdict.reason) == (
        VerdictKind.HEALTHY,
        f"attestation of {SCAN} by {WORKFLOW}@refs/tags/v1.9.0 ({ISSUER})",
    )


# --- the build -------------------------------------------------------------------------------------------------------

BUILD = BuildRule(name="artifact-checks", checks=("test", "lint"))


@pytest.mark.parametrize(
    ("outcomes", "kind", "reason"),
    [
        ({"test": "passed", "lint": "passed"}, VerdictKind.HEALTHY, "test, lint of ccccccc passed"),
        ({"test": "passed", "lint": "failed"}, VerdictKind.UNHEALTHY, "lint of ccccccc failed"),
        ({"test": "running", "lint": "failed"}, VerdictKind.UNHEALTHY, "lint of ccccccc failed"),
        ({"test": "running", "lint": "passed"}, VerdictKind.NOT_YET, "test of ccccccc has not passed yet"),
        ({"lint": "passed"}, VerdictKind.NOT_YET, "test of ccccccc has not passed yet"),
        ({}, VerdictKind.NOT_YET, "test, lint of ccccccc has not passed yet"),
    ],
)
def test_all_checks_of_the_source_commit_must_have_passed(
    outcomes: dict[str, str], kind: VerdictKind, reason: str
) -> None:
    named = {f"artifact-checks/{name}": outcome for name, outcome in outcomes.items()}
    verdict = judged(BUILD, None, checked=Checked(commit=REVISION, outcomes=named))
    assert (verdict.kind, verdict.reason) == (kind, reason)


def test_a_commit_that_nobody_knows_and_a_forge_that_is_down_cannot_be_told() -> None:
    unknown, down = judged(BUILD, None), judged(BUILD, None, checked=DOWN)
    assert [one.kind for one in (unknown, down)] == [VerdictKind.CANNOT_TELL] * 2
    assert [one.reason for one in (unknown, down)] == [
        "nobody knows which commit of which repository it was built from",
        "registry: it does not answer",
    ]


LABEL = Sha("d" * 40)


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("rules", "signatures", "commit"),
    [
        # Without a signer in the policy the image's label is all there is.
        ((BUILD,), (), LABEL),
        ((BUILD, a_signature_rule()), (a_signature(),), REVISION),
        ((BUILD, a_signature_rule()), (a_signature(issuer="https://gitlab.com"), a_signature()), REVISION),
        # A label that anybody can write must not choose whose checks count.
        ((BUILD, a_signature_rule()), (a_signature(issuer="https://gitlab.com"),), None),
        ((BUILD, a_signature_rule()), (a_signature(source_commit=None),), None),
        ((BUILD, a_signature_rule()), (), None),
        ((BUILD, SignatureRule(name="s", signer=KeyHolder(key="k"))), (by_key("k"),), LABEL),
    ],
)
def test_the_source_commit_is_the_certificates_where_the_policy_asks_for_one(
    rules: tuple[TrustRule, ...], signatures: tuple[Signature, ...], commit: Sha | None
) -> None:
    assert signed_commit(rules, a_subject(proven_of(*signatures))) == commit


def test_without_an_artifact_no_source_commit_is_known() -> None:
    assert signed_commit((BUILD,), a_subject(None, artifact=DOWN)) is None
    assert proven_of().digest == DIGEST
