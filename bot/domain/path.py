"""The whole way of a release from its build to a stage, and where on it the release stands.

built → verified → signed → in the stage before → observed there → in the stage. Told of a release on its way, by the
judgements of one decision; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.decision import Judgement, State
from bot.domain.intake import REGISTRY
from bot.domain.timeline import Step
from bot.domain.verdicts import ArtifactEvidence, Verdict, VerdictKind, combine, deciding


class Mark(StrEnum):
    """How far a release is with one part of its way."""

    DONE = "done"
    HERE = "here"
    STOPPED = "stopped"
    AHEAD = "ahead"
    NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the way."""

    name: str
    mark: Mark


_ARTIFACT = {
    "built": frozenset({"build"}),
    "verified": frozenset({"provenance", "attestation"}),
    "signed": frozenset({"signature"}),
}
"""Which rules on the artifact tell of each of its parts. What is in a registry was built, if no check counts, too."""


def path_of(candidate: Judgement, judgements: Sequence[Judgement]) -> tuple[Part, ...]:
    """Return the way of a release that waits before a stage; the first part that is not done is where it stands.

    `judgements` are all of the decision: the stages before are those that it comes from, or else the first in which it
    runs.
    """
    before = _running(candidate, judgements)
    verdicts = _of_artifact(candidate, before)
    parts = [Part(name=name, mark=_verified(name, verdicts)) for name in _ARTIFACT]
    for one in before:
        is_live = any(step.step is Step.LIVE for step in one.timeline)
        parts.append(Part(name=one.stage, mark=Mark.DONE if is_live else Mark.HERE))
    if before:
        parts.append(Part(name="observed", mark=min((_observed(one) for one in before), key=_LEAST.index)))
    stopped = candidate.state in _STOPPED
    parts.append(Part(name=candidate.stage, mark=Mark.STOPPED if stopped else Mark.HERE))
    return (*_in_order(parts), *_later(candidate, judgements))


def _later(candidate: Judgement, judgements: Sequence[Judgement]) -> Iterable[Part]:
    """Return what lies ahead of a release that has only left the registry."""
    names = [one.stage for one in judgements if one.role == "running"]
    if REGISTRY not in names or candidate.stage != next((name for name in names if name != REGISTRY), None):
        return
    yield Part(name="observed", mark=Mark.AHEAD)
    for name in names:
        if name not in (REGISTRY, candidate.stage):
            yield Part(name=name, mark=Mark.AHEAD)


_STOPPED = frozenset({State.QUARANTINED, State.REJECTED_BY_HUMAN, State.HELD_BY_HUMAN, State.HALTED})


_LEAST = (Mark.STOPPED, Mark.HERE, Mark.AHEAD, Mark.DONE)
"""What of several stages is told of all: the least."""


def _running(candidate: Judgement, judgements: Sequence[Judgement]) -> Sequence[Judgement]:
    tag = candidate.release.tag if candidate.release is not None else None
    running = [one for one in judgements if one.role == "running" and one.stage not in (candidate.stage, REGISTRY)]
    same = [one for one in running if one.release is not None and one.release.tag == tag]
    return [one for one in same if one.stage in candidate.sources] or same[:1]


def _of_artifact(candidate: Judgement, before: Sequence[Judgement]) -> tuple[Verdict, ...]:
    """A candidate's verdicts are all on its artifact; those of a first stage stand among its gates."""
    found = [verdict for one in before for verdict in one.verdicts]
    return (*candidate.verdicts, *(one for one in found if isinstance(one.evidence, ArtifactEvidence)))


def _verified(part: str, verdicts: Sequence[Verdict]) -> Mark:
    rules = _ARTIFACT[part]
    asked = [one for one in verdicts if isinstance(one.evidence, ArtifactEvidence) and one.evidence.rule in rules]
    if not deciding(asked):
        return Mark.DONE if part == "built" else Mark.NOT_ASKED
    marks = {VerdictKind.HEALTHY: Mark.DONE, VerdictKind.UNHEALTHY: Mark.STOPPED}
    return marks.get(combine(asked), Mark.HERE)


def _observed(before: Judgement) -> Mark:
    if before.state in {State.PROVEN, State.LET_PASS}:
        return Mark.DONE
    if before.state in {State.UNHEALTHY, State.DEADLINE_PASSED}:
        return Mark.STOPPED
    # Where there is nothing to decide, as of what was taken back, nobody observes it.
    return Mark.HERE if before.state in _UNDER_WAY else Mark.AHEAD


_UNDER_WAY = frozenset({State.WAITING_FOR_ROLLOUT, State.OBSERVING, State.CANNOT_TELL})


def _in_order(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Let only the first part that is not done be where the release stands; what is behind it lies ahead.

    Verifying goes on beside the observation: a release may wait in both.
    """
    found: list[Part] = []
    is_over = False
    for part in parts:
        waits = part.mark in {Mark.HERE, Mark.STOPPED}
        found.append(Part(name=part.name, mark=Mark.AHEAD) if is_over and part.mark is Mark.HERE else part)
        is_over = is_over or (waits and part.name not in _ARTIFACT)
    if any(part.name in _ARTIFACT and part.mark in {Mark.HERE, Mark.STOPPED} for part in found):
        last = found[-1]
        found[-1] = last if last.mark is Mark.STOPPED else Part(name=last.name, mark=Mark.AHEAD)
    return tuple(found)
