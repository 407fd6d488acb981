"""Judge what the registry offers to the stage that takes its releases from there.

It takes the place of the running release of a stage before: what is offered may move on, if the artifact is verified.
"""

from __future__ import annotations

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.intake import REGISTRY
from bot.domain.model import Release, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.domain.running import Running


def judge_offer(policy: Policy, observation: Observation) -> Running | None:
    """Judge the offer; None where no stage takes its releases from the registry."""
    if policy.intake_stage is None:
        return None
    offer = observation.offer
    if offer is None:
        return Running(judgement=_judged(None, State.CANNOT_TELL, WaitsOn.BUILD, "the registry was not asked"))
    if isinstance(offer, Trouble):
        return Running(judgement=_judged(None, State.CANNOT_TELL, WaitsOn.BUILD, f"{offer.system}: {offer.sentence}"))
    if offer.tag is None:
        return Running(judgement=_judged(None, State.SETTLED, WaitsOn.NOTHING, offer.reason))
    release = Release(image=policy.image, tag=offer.tag)
    return Running(judgement=_judged(release, State.OFFERED, WaitsOn.NOTHING, offer.reason), is_live=True)


def _judged(release: Release | None, state: State, waits_on: WaitsOn, reason: str) -> Judgement:
    return Judgement(stage=REGISTRY, role="running", release=release, state=state, waits_on=waits_on, reason=reason)
