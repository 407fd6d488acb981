"""Look at the artifacts that a policy asks to be verified: what lies beside them, and how their source's checks ended.

Looked at anew in each sweep, and so in the one that merges; what a proof says is verified once, as its bytes never
change. Nothing is judged here but whose word on the source commit is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.gates.artifact import signed_commit, subject_with
from bot.domain.model import NOT_SET, Artifact, Checked, Release, Sha, TagHistory, Trouble
from bot.domain.observation import ArtifactFacts, Observation, StageObservation
from bot.domain.observed import is_under_observation, waiting_tag
from bot.domain.policy import Policy, ProofsIn, Stage
from bot.domain.proofs import Proven
from bot.domain.trust import BuildRule, proven
from bot.observe import World
from bot.ports import OutsideError


def with_proofs(world: World, policy: Policy, seen: Observation) -> Observation:
    """Add what is proven of each release that is on its way into a stage with requirements, or waits in a first one."""
    if not any(stage.artifact for stage in policy.stages):
        return seen
    stages = tuple(
        _Look(world=world, policy=policy, stage=policy.stage(one.stage)).verified(one, seen) for one in seen.stages
    )
    return replace(seen, stages=stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The look at one stage's artifact."""

    world: World
    policy: Policy
    stage: Stage

    def verified(self, here: StageObservation, seen: Observation) -> StageObservation:
        if not self.stage.artifact:
            return here
        if self.stage.source is None:
            facts = self._of_set(here, seen)
            return here if facts is None else _with_facts(here, facts)
        if self.stage.intake is not None:
            here = replace(here, set_there=self._of_set(here, seen))
        tag = waiting_tag(self.stage, seen)
        # Only with a candidate was the registry asked for what its tag means.
        if tag is None or tag == NOT_SET or here.promotion is None:
            return here
        return _with_facts(here, self._facts(Release(image=self.policy.image, tag=tag), here.artifact, seen))

    def _of_set(self, here: StageObservation, seen: Observation) -> ArtifactFacts | None:
        """Look at the release that is set here, by whomever, while it proves itself."""
        tags = here.tags
        if not isinstance(tags, TagHistory) or tags.tag == NOT_SET:
            return None
        if not is_under_observation(self.policy, self.stage, seen):
            return None
        release = Release(image=self.policy.image, tag=tags.tag)
        return self._facts(release, self._artifact(release), seen)

    def _facts(self, release: Release, artifact: Artifact | Trouble | None, seen: Observation) -> ArtifactFacts:
        facts = ArtifactFacts(artifact=artifact, proven=self._proven(artifact))
        return replace(facts, checked=self._checked(facts, release, seen))

    def _artifact(self, release: Release) -> Artifact | Trouble | None:
        try:
            return self.world.registry.find_artifact(release.image, release.tag)
        except OutsideError as error:
            return error.as_trouble()

    def _proven(self, artifact: Artifact | Trouble | None) -> Proven | Trouble | None:
        if not isinstance(artifact, Artifact):
            return None
        places, source = self.stage.proofs_in, self.policy.source
        try:
            found = self.world.proving.proofs_of(
                self.policy.image,
                artifact.digest,
                in_registry=ProofsIn.REGISTRY in places,
                source=source if ProofsIn.GITHUB in places else None,
            )
        except OutsideError as error:
            return error.as_trouble()
        return None if found is None else proven(found, self.stage.artifact)

    # --- the build ---

    def _checked(self, facts: ArtifactFacts, release: Release, seen: Observation) -> Checked | Trouble | None:
        rules = [rule for rule in self.stage.artifact if isinstance(rule, BuildRule)]
        source = self.policy.source
        commit = signed_commit(self.stage.artifact, subject_with(facts, release, seen.at))
        if not rules or source is None or commit is None:
            return None
        try:
            outcomes = self._outcomes(source, commit, rules)
        except OutsideError as error:
            return error.as_trouble()
        return Checked(commit=commit, outcomes=outcomes)

    def _outcomes(self, source: str, commit: Sha, rules: list[BuildRule]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for rule in rules:
            told = self.world.signals.checks_of(source, commit, rule.checks, app=rule.app)
            found |= {f"{rule.name}/{name}": outcome for name, outcome in told.items()}
        return found


def _with_facts(here: StageObservation, facts: ArtifactFacts) -> StageObservation:
    return replace(here, artifact=facts.artifact, proven=facts.proven, checked=facts.checked)
