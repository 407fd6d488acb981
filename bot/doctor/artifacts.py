"""What the doctor sees of artifacts: the files of trust, and whether what runs now is proven as the policy asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.adapters.github import GitHubAttestations
from bot.adapters.proving import ArtifactProofs, TrustFiles
from bot.adapters.registry import OciRegistry
from bot.doctor.findings import Finding, ok, warning
from bot.domain.gates.artifact import Subject, judge_artifact
from bot.domain.model import Release
from bot.domain.policy import Policy, ProofsIn
from bot.domain.trust import BuildRule, SignedRule, proven
from bot.domain.verdicts import Verdict, VerdictKind
from bot.settings import Settings

_REMEDY = "compare signer and require of the policy with what the pipeline signs (docs/artifacts.md)"


def signed_rules(policy: Policy) -> tuple[SignedRule, ...]:
    """Return what any stage of a policy asks to be signed, each once."""
    rules = (rule for stage in policy.stages for rule in stage.artifact if not isinstance(rule, BuildRule))
    return tuple(dict.fromkeys(rules))


def _rules_by_place(policy: Policy) -> Mapping[tuple[ProofsIn, ...], tuple[SignedRule, ...]]:
    """Return them by where proofs are looked for: what one stage finds, another one may not."""
    places = dict.fromkeys(stage.proofs_in for stage in policy.stages)
    found = {
        place: signed_rules(replace(policy, stages=tuple(one for one in policy.stages if one.proofs_in == place)))
        for place in places
    }
    return {place: rules for place, rules in found.items() if rules}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactExaminer:
    """Verifies what a tag means as the stages would."""

    registry: OciRegistry
    attestations: GitHubAttestations
    settings: Settings
    now: datetime

    def examine(self, check: str, policy: Policy, tag: str) -> list[Finding]:
        """Raise OutsideError where the registry, GitHub or files of trust are of no use."""
        verdicts = self.verdicts(policy, tag)
        if verdicts is None:
            return [warning(check, f"no registry is set up for {policy.image}, so nothing can be verified", _REMEDY)]
        return _judge(check, tag, verdicts)

    def verdicts(self, policy: Policy, tag: str) -> list[Verdict] | None:
        """Return what each signed rule of any stage says of a tag; None where no registry is set up for the image.

        Raise OutsideError as `examine` does.
        """
        trust = TrustFiles(trusted_root=self.settings.sigstore.trusted_root, keys=self.settings.sigstore.keys)
        # A file that is of no use is told, also where nothing was signed yet.
        trust.verifier()
        artifact = self.registry.find_artifact(policy.image, tag)
        if artifact is None:
            return None
        proving = ArtifactProofs(self.registry, self.attestations, trust)
        verdicts: list[Verdict] = []
        for places, rules in _rules_by_place(policy).items():
            found = proving.proofs_of(
                policy.image,
                artifact.digest,
                in_registry=ProofsIn.REGISTRY in places,
                source=policy.source if ProofsIn.GITHUB in places else None,
            )
            subject = Subject(
                release=Release(image=policy.image, tag=tag, digest=artifact.digest),
                artifact=artifact,
                proven=proven(found, rules) if found is not None else None,
                checked=None,
                now=self.now,
            )
            verdicts += judge_artifact(rules, subject)
        return verdicts


def _judge(check: str, tag: str, verdicts: Sequence[Verdict]) -> list[Finding]:
    against = [one for one in verdicts if one.kind is not VerdictKind.HEALTHY]
    if not against:
        return [ok(check, f"{tag} is proven: {'; '.join(f'{one.gate}: {one.reason}' for one in verdicts)}")]
    # What runs now may be older than the policy: that is no fault, but the next release would wait for the same.
    return [warning(check, f"{tag}: {one.gate}: {one.reason}", _REMEDY) for one in against]
