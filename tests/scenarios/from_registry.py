"""A world whose staging takes its releases from the registry, and what pipelines do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.intake import REGISTRY, Intake, SemverRule, TagRule
from bot.domain.model import Artifact, Digest, ImageFacts, Trailers
from bot.domain.policy import Merge, Proposing, Road
from bot.domain.proofs import Proofs
from bot.domain.trailers import parse_trailers
from bot.domain.trust import TrustRule
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import STAGING_FILE, FakeWorld, kustomization
from tests.trusted import DIGEST, REVISION, a_signature

SEMVER = SemverRule(constraint=">=1.0 <2")
SIGNED = Proofs(digest=DIGEST, signatures=(a_signature(),))
STRANGE = Proofs(digest=DIGEST, signatures=(a_signature(issuer="https://gitlab.com"),))


def digest_of(tag: str) -> Digest:
    return DIGEST if tag == NEW else Digest(f"sha256:{tag.encode().hex():0>64}")


def a_world(*rules: TrustRule, rule: TagRule = SEMVER, by: Road = Road.COMMIT, dated: bool = True) -> FakeWorld:
    """Both stages run 1.8.2; the registry has 1.7.0 and 1.8.2."""
    policy = a_policy()
    first, second = policy.stages
    first = replace(
        first,
        source=REGISTRY,
        intake=Intake(rule=rule, every=timedelta(minutes=1)),
        artifact=rules,
        merge=Merge.AUTO,
        proposing=Proposing(by=by),
    )
    world = FakeWorld(policy=replace(policy, stages=(first, second)))
    world.proving.is_configured = True
    push(world, "1.7.0", dated=dated)
    world.pass_time(1)
    push(world, OLD, dated=dated)
    # What it finds at its first look was there before it.
    world.sweep()
    return world


def push(world: FakeWorld, tag: str, *, dated: bool = True) -> None:
    """A pipeline pushes an image, which says when it was created."""
    if dated:
        world.registry.facts[digest_of(tag)] = ImageFacts(created=world.clock.now())
    world.registry.artifacts[f"{IMAGE}:{tag}"] = Artifact(digest=digest_of(tag), revision=REVISION)


def staged(world: FakeWorld, tag: str = NEW) -> bool:
    return world.tag_in(STAGING_FILE) == kustomization(tag)


def says(world: FakeWorld, stage: str = "staging", role: str = "candidate") -> str:
    decision = world.sweep()
    return next(one.reason for one in decision.judgements if (one.stage, one.role) == (stage, role))


def trailers_of(world: FakeWorld, stage: str) -> Trailers:
    parsed = [parse_trailers(commit.message) for commit in world.repositories.line(world.head)]
    return next(one for one in parsed if one is not None and one.stage == stage)
