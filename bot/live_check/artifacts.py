"""What the registry says: is the newest image, which the first stage has, proven as each stage asks?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from bot.adapters.registry import OciRegistry
from bot.doctor.artifacts import ArtifactExaminer, signed_rules
from bot.domain.policy import Policy, Stage
from bot.domain.verdicts import ArtifactEvidence, Verdict, VerdictKind
from bot.live_check.gitops import tag_of
from bot.live_check.subject import REGISTRY, Look, Subject, World
from bot.policy.findings import Finding
from bot.ports import Permanent

_RULE = "live-artifact"


def looks(world: World, subject: Subject) -> Iterator[Look]:
    """Give what is asked about the artifact of a policy."""
    for number, stage in enumerate(subject.policy.stages):
        if signed_rules(replace(subject.policy, stages=(stage,))):
            path = f"stages[{number}].artifact"
            ask = partial(_look, world, subject, stage, path)
            yield Look(subject=subject, path=path, ask=ask)


def _look(world: World, subject: Subject, stage: Stage, path: str) -> Iterator[Finding]:
    first = subject.policy.stages[0]
    tag = tag_of(world, subject.policy, first)
    if tag is None:
        yield subject.note(_RULE, path, f"nothing to verify: {first.name} has no tag of {subject.policy.image} yet")
        return
    alone = replace(subject.policy, stages=(stage,))
    key = ("artifact", subject.policy.image, tag, signed_rules(alone), stage.proofs_in)
    verdicts = world.reach.ask(REGISTRY, key, lambda: _verdicts(world, alone, tag))
    if verdicts is None:
        host = subject.policy.image.partition("/")[0]
        found = f"an image of {host}, where nothing can be verified"
        yield subject.warning(_RULE, path, found, f'[registries."{host}"] in the settings')
        return
    places = {rule.name: f"{path}.require[{number}]" for number, rule in enumerate(stage.artifact)}
    for verdict in verdicts:
        yield _finding(subject, places.get(verdict.gate, path), tag, verdict)


def _verdicts(world: World, policy: Policy, tag: str) -> list[Verdict] | None:
    patient = world.patient
    with OciRegistry(patient.registries, access=patient.registry_access) as registry:
        examiner = ArtifactExaminer(
            registry=registry,
            attestations=patient.attestations,
            settings=patient.settings,
            now=patient.clock.now(),
        )
        return examiner.verdicts(policy, tag)


def _finding(subject: Subject, path: str, tag: str, verdict: Verdict) -> Finding:
    if verdict.kind is VerdictKind.CANNOT_TELL:
        raise Permanent(REGISTRY, f"{tag}: {verdict.reason}")
    if verdict.kind is VerdictKind.HEALTHY:
        return subject.note(_RULE, path, f"{tag} with its proof: {verdict.reason}")
    # What runs may be older than the policy, so this is no fault: but the next release would wait for the same.
    evidence = verdict.evidence
    expected = evidence.expected if isinstance(evidence, ArtifactEvidence) else ()
    return subject.warning(_RULE, path, f"{tag}, of which {verdict.reason}", f"it proven by {'; '.join(expected)}")
