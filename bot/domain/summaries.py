"""What was verified of a release that passed a stage, as a SLSA verification summary: for who checks it after the bot.

An in-toto statement about the release's digest, of the predicate type https://slsa.dev/verification_summary/v1. Its
text is canonical, so that a commit can name it by its hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.intake import REGISTRY
from bot.domain.model import Digest, Release
from bot.domain.policy import Policy
from bot.domain.verdicts import ArtifactEvidence, Verdict, VerdictKind, deciding

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A release that passed one or more stages on its way into another, and the verdicts that this rests on.

    `inputs` are the digests of the signatures and statements that were verified.
    """

    release: Release
    stages: tuple[str, ...]
    into: str
    verdicts: tuple[Verdict, ...]
    inputs: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A statement, and `sha256:` with the hash of its bytes."""

    statement: str
    digest: str


def summary_of(policy: Policy, passed: Passed, at: datetime, *, verifier: str) -> Summary | None:
    """Summarise; None where not every verdict is healthy, as after an override, or the digest is not known.

    What was let pass was not verified: there is no summary of that, whoever let it.
    """
    counted = deciding(passed.verdicts)
    digest = passed.release.digest
    if digest is None or not counted or any(one.kind is not VerdictKind.HEALTHY for one in counted):
        return None
    algorithm, _, value = digest.partition(":")
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": passed.release.image, "digest": {algorithm: value}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "verifier": {"id": verifier},
            "timeVerified": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resourceUri": _resource(passed.release.image, passed.release.tag, digest),
            "policy": {"uri": policy.file, "digest": {"sha256": policy.version}},
            "inputAttestations": [_input(one) for one in sorted(set(passed.inputs))],
            "verificationResult": "PASSED",
            "verifiedLevels": _levels(passed.stages, counted),
        },
    }
    text = json.dumps(statement, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return Summary(statement=text, digest=f"sha256:{hashlib.sha256(text.encode('ascii')).hexdigest()}")


def _resource(image: str, tag: str, digest: Digest) -> str:
    """Name the image as a package URL of the type `oci`, in which a colon is escaped."""
    repository, _, name = image.rpartition("/")
    where = f"{repository}/{name}" if repository else name
    return f"pkg:oci/{name}@{digest.replace(':', '%3A')}?repository_url={where.replace(':', '%3A')}&tag={tag}"


def _input(digest: Digest) -> dict[str, object]:
    algorithm, _, value = digest.partition(":")
    return {"digest": {algorithm: value}}


def _levels(stages: Sequence[str], verdicts: Sequence[Verdict]) -> list[str]:
    """Name what was verified, in values of our own: those of SLSA itself say how something was built."""
    rules = {one.evidence.rule for one in verdicts if isinstance(one.evidence, ArtifactEvidence)}
    is_observed = any(not isinstance(one.evidence, ArtifactEvidence) for one in verdicts)
    healthy_in = [stage for stage in stages if is_observed and stage != REGISTRY]
    return sorted(
        {*(f"LIFTLOCK_{_word(rule)}" for rule in rules), *(f"LIFTLOCK_HEALTHY_IN_{_word(one)}" for one in healthy_in)}
    )


def _word(text: str) -> str:
    return text.upper().replace("-", "_")
