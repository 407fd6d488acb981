"""What the doctor sees of artifacts: the files of trust, and whether what runs now is proven as the policy asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.adapters.proving import RegistryProofs, TrustFiles
from bot.adapters.registry import OciRegistry
from bot.doctor.findings import Finding, ok, warning
from bot.domain.gates.artifact import Subject, judge_artifact
from bot.domain.model import Release
from bot.domain.policy import Policy
from bot.domain.trust import BuildRule, SignedRule, proven
from bot.domain.verdicts import Verdict, VerdictKind
from bot.settings import Settings

_REMEDY = "compare signer and require of the policy with what the pipeline signs (docs/artifacts.md)"


def signed_rules(policy: Policy) -> tuple[SignedRule, ...]:
    """Return what any stage of a policy asks to be signed, each once."""
    rules = (rule for stage in policy.stages for rule in stage.artifact if not isinstance(rule, BuildRule))
    return tuple(dict.fromkeys(rules))


def examine_artifact(
    check: str, policy: Policy, tag: str, registry: OciRegistry, settings: Settings, now: datetime
) -> list[Finding]:
    """Verify what a tag means as a stage would; raise OutsideError where registry or files of trust are of no use."""
    trust = TrustFiles(trusted_root=settings.sigstore.trusted_root, keys=settings.sigstore.keys)
    # A file that is of no use is told, also where nothing was signed yet.
    trust.verifier()
    rules = signed_rules(policy)
    artifact = registry.find_artifact(policy.image, tag)
    if artifact is None:
        return [warning(check, f"no registry is set up for {policy.image}, so nothing can be verified", _REMEDY)]
    found = RegistryProofs(registry, trust).proofs_of(policy.image, artifact.digest)
    subject = Subject(
        release=Release(image=policy.image, tag=tag, digest=artifact.digest),
        artifact=artifact,
        proven=proven(found, rules) if found is not None else None,
        checked=None,
        now=now,
    )
    return _judge(check, tag, judge_artifact(rules, subject))


def _judge(check: str, tag: str, verdicts: Sequence[Verdict]) -> list[Finding]:
    against = [one for one in verdicts if one.kind is not VerdictKind.HEALTHY]
    if not against:
        return [ok(check, f"{tag} is proven: {'; '.join(f'{one.gate}: {one.reason}' for one in verdicts)}")]
    # What runs now may be older than the policy: that is no fault, but the next release would wait for the same.
    return [warning(check, f"{tag}: {one.gate}: {one.reason}", _REMEDY) for one in against]
