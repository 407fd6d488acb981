"""What the registry says of a stage that takes its releases from there: is any of the image's tags one?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from bot.adapters.registry import OciRegistry
from bot.domain.intake import FollowRule, PatternRule, SemverRule, TagRule, admits, describe, ranked
from bot.domain.policy import Stage
from bot.domain.text import count_of, one_line
from bot.live_check.subject import REGISTRY, Look, Subject, World
from bot.policy.findings import Finding

_RULE = "live-releases"
_MOST = 3


def looks(world: World, subject: Subject) -> Iterator[Look]:
    """Give what is asked about the releases of a policy."""
    for number, stage in enumerate(subject.policy.stages):
        if stage.intake is not None:
            path = f"stages[{number}].releases.{_key(stage.intake.rule)}"
            ask = partial(_look, world, subject, stage, stage.intake.rule, path)
            yield Look(subject=subject, path=path, ask=ask)


def _key(rule: TagRule) -> str:
    return {SemverRule: "semver", PatternRule: "pattern", FollowRule: "follow"}.get(type(rule), "newest")


def _look(world: World, subject: Subject, stage: Stage, rule: TagRule, path: str) -> Iterator[Finding]:
    image = subject.policy.image
    host = image.partition("/")[0]
    if host not in world.patient.registries:
        expected = f'[registries."{host}"] in the settings'
        yield subject.fault(
            _RULE, path, f"a registry {host} that {stage.name} cannot be offered releases from", expected
        )
        return
    tags = world.reach.ask(REGISTRY, ("tags", image), partial(_tags, world, image))
    fitting = [tag for tag in tags if admits(rule, tag)]
    if isinstance(rule, FollowRule):
        fitting = [tag for tag in fitting if tag == rule.tag]
    if not fitting:
        newest = [one_line(tag, limit=60) for tag in tags[-_MOST:]]
        there = f"; it has {', '.join(newest)}" if newest else ""
        found = f"no release among the {count_of(len(tags), 'tag')} of {image}"
        yield subject.warning(_RULE, path, found, f"{describe(rule)}{there}")
        return
    best = ranked(rule, fitting)
    said = f", of which {best[0]} comes first" if best else ""
    yield subject.note(_RULE, path, f"{len(fitting)} of {count_of(len(tags), 'tag')} of {image}{said}")


def _tags(world: World, image: str) -> Sequence[str]:
    with OciRegistry(world.patient.registries, access=world.patient.registry_access) as registry:
        return registry.list_tags(image)
