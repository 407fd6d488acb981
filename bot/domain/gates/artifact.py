"""Gates on the artifact: is it signed, built, attested and checked as the policy asks? They fail closed (I11).

| what is found                              | verdict       |
|--------------------------------------------|---------------|
| a proof that fits                          | `healthy`     |
| proofs, and none fits                      | `unhealthy`   |
| nothing at all: it may come yet            | `not yet`     |
| the registry or the forge does not answer  | `cannot tell` |
| the image is of no registry in the settings| `cannot tell` |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import Artifact, Checked, Release, Sha, Trouble
from bot.domain.observation import ArtifactFacts, StageObservation
from bot.domain.proofs import Attested, Proven, Scalar, Signature
from bot.domain.signers import Difference, Keyless, describe, differs, expected_of
from bot.domain.text import format_date_instant, format_duration, parse_instant
from bot.domain.trust import (
    BUILDER,
    COMMIT,
    PROVENANCE_TYPES,
    REF,
    SOURCE,
    AttestationRule,
    BuildRule,
    Condition,
    ProvenanceRule,
    SignatureRule,
    SignedRule,
    TrustRule,
)
from bot.domain.verdicts import ArtifactEvidence, Verdict, VerdictKind

_DIGEST = len("sha256:") + 12
_ANOTHER = "an artifact that is proven, or another policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The release that is asked about, and all that was seen of its artifact. None: no registry or source is known."""

    release: Release
    artifact: Artifact | Trouble | None
    proven: Proven | Trouble | None
    checked: Checked | Trouble | None
    now: datetime


def subject_of(seen: StageObservation, release: Release, now: datetime) -> Subject:
    """Return what was seen of a release's artifact, on its way into a stage or in a first one."""
    return Subject(release=release, artifact=seen.artifact, proven=seen.proven, checked=seen.checked, now=now)


def subject_with(facts: ArtifactFacts | None, release: Release, now: datetime) -> Subject:
    """Return what was seen of an artifact; None where nothing was."""
    seen = facts or ArtifactFacts()
    return Subject(release=release, artifact=seen.artifact, proven=seen.proven, checked=seen.checked, now=now)


def judge_artifact(rules: Sequence[TrustRule], subject: Subject) -> tuple[Verdict, ...]:
    """Judge the artifact by each rule, in the policy's order."""
    return tuple(
        _judge_build(rule, subject) if isinstance(rule, BuildRule) else _judge_signed(rule, subject) for rule in rules
    )


def signed_commit(rules: Sequence[TrustRule], subject: Subject) -> Sha | None:
    """Return the source commit: as a certificate that counts names it, else as the image's own label does.

    Where the policy asks for a certificate and none counts, nobody's word is taken.
    """
    signed = _of_certificates(rules)
    if isinstance(subject.proven, Proven):
        for rule in signed:
            for claim in _claims(rule, subject.proven):
                identity = _signature(claim).identity
                if identity is not None and identity.source_commit and _refusal(rule, claim, subject) is None:
                    return Sha(identity.source_commit)
    if signed or not isinstance(subject.artifact, Artifact):
        return None
    return subject.artifact.revision


def asks_for_certificate(rules: Sequence[TrustRule]) -> bool:
    """Say whether one of the rules asks for a certificate, which names the source commit."""
    return bool(_of_certificates(rules))


def _of_certificates(rules: Sequence[TrustRule]) -> list[SignedRule]:
    return [rule for rule in rules if not isinstance(rule, BuildRule) and isinstance(rule.signer, Keyless)]


# --- signatures and what is attested ---------------------------------------------------------------------------------


def _judge_signed(rule: SignedRule, subject: Subject) -> Verdict:
    proven = subject.proven
    if not isinstance(proven, Proven) or not isinstance(subject.artifact, Artifact):
        return _unknown(rule, subject)
    if subject.artifact.digest != proven.digest:
        return _cannot_tell(rule, "what was verified is not what the tag means now")
    claims = _claims(rule, proven)
    refused = [(claim, _refusal(rule, claim, subject)) for claim in claims]
    for claim, why in refused:
        if why is None:
            return _verdict(rule, subject, VerdictKind.HEALTHY, _holds(rule, claim), _found(claim))
    if not refused and not proven.unproven:
        reason = f"no {_what(rule)} was found beside {proven.digest[:_DIGEST]} yet"
        return _verdict(rule, subject, VerdictKind.NOT_YET, reason)
    if not refused:
        reason = f"what was found beside {proven.digest[:_DIGEST]} proves nothing: {proven.unproven[0].reason}"
        return _verdict(rule, subject, VerdictKind.UNHEALTHY, reason)
    # The one that comes nearest tells most.
    claim, nearest = max(refused, key=lambda one: one[1].matched if one[1] is not None else 0)
    reason = f"the {rule.kind} does not count: {nearest}"
    return _verdict(rule, subject, VerdictKind.UNHEALTHY, reason, _found(claim))


Claim = Signature | Attested


def _signature(claim: Claim) -> Signature:
    return claim if isinstance(claim, Signature) else claim.signature


def _claims(rule: SignedRule, proven: Proven) -> list[Claim]:
    if isinstance(rule, SignatureRule):
        return list(proven.signatures)
    types = PROVENANCE_TYPES if isinstance(rule, ProvenanceRule) else (rule.predicate_type,)
    return [one for one in proven.attested if one.predicate_type in types]


def _what(rule: SignedRule) -> str:
    return f"attestation of {rule.predicate_type}" if isinstance(rule, AttestationRule) else rule.kind


def _refusal(rule: SignedRule, claim: Claim, subject: Subject) -> Difference | None:
    """Return why a claim does not count, by the first thing that is wrong with it."""
    signature = _signature(claim)
    difference = differs(rule.signer, signature, subject.release)
    if difference is not None:
        return difference
    if rule.must_be_logged and signature.logged is None:
        return _late("log entry", "not there", "one of a transparency log")
    if isinstance(claim, Signature):
        return None
    if isinstance(rule, ProvenanceRule):
        return _wrong_provenance(rule, claim, subject.release)
    return _wrong_attestation(rule, claim, subject.now) if isinstance(rule, AttestationRule) else None


_SIGNER_IS_RIGHT = 100
"""Counts for more than any number of fields of a signer."""


def _late(field: str, found: str, expected: str) -> Difference:
    return Difference(field=field, found=found, expected=expected, matched=_SIGNER_IS_RIGHT)


def _wrong_provenance(rule: ProvenanceRule, claim: Attested, release: Release) -> Difference | None:
    """What a predicate says of itself must not be another thing than what the certificate says."""
    builder = _first(claim, BUILDER)
    if rule.builder is not None and (builder is None or not rule.builder.fits(builder, release)):
        return _late("builder", builder or "not told", rule.builder.of_release(release))
    identity = claim.signature.identity
    if identity is None:
        return None
    told = (
        ("source repository", _repository(_first(claim, SOURCE)), identity.source_repository),
        ("source ref", _first(claim, REF), identity.source_ref),
        ("source commit", _first(claim, COMMIT), identity.source_commit),
    )
    for field, said, certified in told:
        if said is not None and certified is not None and said != certified:
            return _late(field, said, f"{certified}, as the certificate says")
    return None


def _repository(uri: str | None) -> str | None:
    """Return the repository of a source's address: `git+https://host/owner/name@ref` names more than that."""
    if uri is None:
        return None
    return uri.removeprefix("git+").partition("@")[0].removesuffix(".git")


def _first(claim: Attested, paths: Iterable[str]) -> str | None:
    for path in paths:
        for value in claim.values.get(path) or ():
            if isinstance(value, str):
                return value
    return None


def _wrong_attestation(rule: AttestationRule, claim: Attested, now: datetime) -> Difference | None:
    stale = _stale(rule, claim, now)
    if stale is not None:
        return stale
    for condition in rule.where:
        wrong = _unmet(condition, claim.values.get(condition.path))
        if wrong is not None:
            found, expected = wrong
            return _late(condition.path, found, expected)
    return None


def _stale(rule: AttestationRule, claim: Attested, now: datetime) -> Difference | None:
    if rule.newer_than is None:
        return None
    logged = claim.signature.logged
    at = logged.at if logged is not None else None
    if rule.at is not None:
        values = claim.values.get(rule.at) or ()
        at = parse_instant(str(values[0])) if len(values) == 1 else None
    expected = f"newer than {format_duration(rule.newer_than)}"
    if at is None:
        return _late("age", "not told", expected)
    return None if now - rule.newer_than < at <= now else _late("age", f"of {format_date_instant(at)}", expected)


def _unmet(condition: Condition, values: tuple[Scalar, ...] | None) -> tuple[str, str] | None:
    """Return what was found and what was expected where a condition is not met."""
    expected = _expected(condition)
    if values is None:
        return "not there", expected
    if condition.none_of is not None:
        bad = [value for value in values if _is_among(value, condition.none_of)]
        return (_shown(bad[0]), expected) if bad else None
    if not values:
        return "an empty list", expected
    bad = [value for value in values if not _is_met(condition, value)]
    return (_shown(bad[0]), expected) if bad else None


def _is_met(condition: Condition, value: Scalar) -> bool:
    if condition.one_of is not None:
        return _is_among(value, condition.one_of)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = condition.at_least, condition.at_most
    return (low is None or value >= low) and (high is None or value <= high)


def _is_among(value: Scalar, some: Iterable[Scalar]) -> bool:
    """1 is not true, though Python says so."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in some)


def _expected(condition: Condition) -> str:
    if condition.one_of is not None:
        return " or ".join(_shown(value) for value in condition.one_of)
    if condition.none_of is not None:
        return f"there without {' or '.join(_shown(value) for value in condition.none_of)}"
    if condition.at_most is not None:
        return f"at most {condition.at_most:g}"
    return f"at least {condition.at_least:g}"


def _shown(value: Scalar) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


# --- the build -------------------------------------------------------------------------------------------------------


def _judge_build(rule: BuildRule, subject: Subject) -> Verdict:
    checked = subject.checked
    if isinstance(checked, Trouble):
        return _cannot_tell(rule, f"{checked.system}: {checked.sentence}")
    if checked is None:
        return _cannot_tell(rule, "nobody knows which commit of which repository it was built from")
    outcomes = {name: checked.outcomes.get(f"{rule.name}/{name}", "missing") for name in rule.checks}
    found = tuple(f"{name}: {outcome}" for name, outcome in outcomes.items())
    expected = (f"passed: {', '.join(rule.checks)}",)
    evidence = ArtifactEvidence(expected=expected, found=found, rule=rule.kind)
    where = f"of {checked.commit[:7]}"
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    waits = [name for name, outcome in outcomes.items() if outcome != "passed"]
    kind, reason = VerdictKind.HEALTHY, f"{', '.join(rule.checks)} {where} passed"
    if failed:
        kind, reason = VerdictKind.UNHEALTHY, f"{', '.join(failed)} {where} failed"
    elif waits:
        kind, reason = VerdictKind.NOT_YET, f"{', '.join(waits)} {where} has not passed yet"
    return Verdict(gate=rule.name, kind=kind, reason=reason, would_change="all of them passed", evidence=evidence)


# --- answers ---------------------------------------------------------------------------------------------------------


def _unknown(rule: TrustRule, subject: Subject) -> Verdict:
    for seen in (subject.artifact, subject.proven):
        if isinstance(seen, Trouble):
            return _cannot_tell(rule, f"{seen.system}: {seen.sentence}")
    return _cannot_tell(rule, "no registry is set up for this image, so nothing can be verified")


def _cannot_tell(rule: TrustRule, reason: str) -> Verdict:
    evidence = ArtifactEvidence(expected=(), found=(), rule=rule.kind)
    return Verdict(
        gate=rule.name, kind=VerdictKind.CANNOT_TELL, reason=reason, would_change="an answer", evidence=evidence
    )


def _holds(rule: SignedRule, claim: Claim) -> str:
    return f"{_what(rule)} by {describe(_signature(claim))}"


def _found(claim: Claim) -> tuple[str, ...]:
    """The lines that show who signed, of what source, and where the log has it."""
    signature = _signature(claim)
    lines = [describe(signature)]
    identity = signature.identity
    if identity is not None:
        source = [identity.source_repository, identity.source_ref, identity.source_commit, identity.trigger]
        lines += [f"source {' '.join(part for part in source if part)}"] if any(source) else []
    logged = signature.logged
    if logged is not None:
        at = f", {format_date_instant(logged.at)}" if logged.at is not None else ""
        lines.append(f"{logged.log} entry {logged.index}{at}")
    return tuple(lines)


def _verdict(
    rule: SignedRule, subject: Subject, kind: VerdictKind, reason: str, found: tuple[str, ...] = ()
) -> Verdict:
    expected = [expected_of(rule.signer, subject.release)]
    if isinstance(rule.signer, Keyless) and rule.signer.repository is not None:
        expected.append(f"source {rule.signer.repository}")
    evidence = ArtifactEvidence(expected=tuple(expected), found=found, rule=rule.kind)
    return Verdict(gate=rule.name, kind=kind, reason=reason, would_change=_ANOTHER, evidence=evidence)
