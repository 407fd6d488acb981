"""The demo's stories: what is released, how it behaves where, and how each story must end.

A story ends by what the world shows (Git, pull requests, the bot's judgements), not by what the script hopes for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.decision import Decision, Judgement, State
from bot.domain.trailers import parse_trailers
from bot.lab.cluster import Behaviour
from bot.lab.world import Lab

_TRAFFIC = 100.0
GOOD = Behaviour(requests_per_second=_TRAFFIC, error_ratio=0.001, slow_ratio=0.004)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One release of one service. `ended` is asked after each sweep; it returns the sentence of the end, or None."""

    letter: str
    title: str
    service: str
    before: str
    release: str
    in_staging: Behaviour
    in_production: Behaviour
    ended: Callable[[Lab, Story, Decision], str | None]


def _find(decision: Decision, role: str) -> Judgement | None:
    found = (item for item in decision.judgements if (item.stage, item.role) == ("production", role))
    return next(found, None)


def _promoted(lab: Lab, story: Story, decision: Decision) -> str | None:
    """End (a): production runs the release by a merged pull request, and the watch ended without a trigger."""
    running = _find(decision, "running")
    if running is None or running.release is None or running.release.tag != story.release:
        return None
    if running.state is not State.SETTLED or not lab.has_tag(story.service, "production", story.release):
        return None
    merged = [pull for pull in lab.pulls(story.service) if pull.merged_at]
    if len(merged) != 1:
        return None
    return f"{story.release} runs in production by #{merged[0].number}, and its watch ended quietly"


def _stays_a_draft(lab: Lab, story: Story, decision: Decision) -> str | None:
    """End (b): staging's gates said unhealthy; the draft that showed it was never made ready."""
    waiting = _find(decision, "candidate")
    if waiting is None or waiting.state is not State.UNHEALTHY:
        return None
    pulls = lab.pulls(story.service)
    if len(pulls) != 1 or not pulls[0].draft or not lab.has_tag(story.service, "production", story.before):
        return None
    return f"{story.release} stays in staging, its #{pulls[0].number} a draft that says why; {story.before} stays"


def _rolled_back(lab: Lab, story: Story, decision: Decision) -> str | None:
    """End (c): exactly one revert commit with its trailers, production back, and the release quarantined."""
    waiting = _find(decision, "candidate")
    if waiting is None or waiting.state is not State.QUARANTINED:
        return None
    trailers = [parse_trailers(message) for message in lab.messages()]
    reverts = [item for item in trailers if item is not None and item.service == story.service and item.reverts]
    if len(reverts) != 1 or not lab.has_tag(story.service, "production", story.before):
        return None
    return f"{story.release} was taken back to {story.before} by one revert commit, and is quarantined"


STORIES = (
    Story(
        letter="a",
        title="a good release passes and is promoted",
        service="checkout",
        before="1.8.2",
        release="1.9.0",
        in_staging=GOOD,
        in_production=GOOD,
        ended=_promoted,
    ),
    Story(
        letter="b",
        title="a release that fails in staging stays a draft",
        service="search",
        before="4.1.0",
        release="4.2.0",
        in_staging=Behaviour(requests_per_second=_TRAFFIC, error_ratio=0.08),
        in_production=GOOD,
        ended=_stays_a_draft,
    ),
    Story(
        letter="c",
        title="a release that fails in production is rolled back and quarantined",
        service="payments",
        before="2.0.1",
        release="2.1.0",
        in_staging=GOOD,
        in_production=Behaviour(requests_per_second=_TRAFFIC, error_ratio=0.2),
        ended=_rolled_back,
    ),
)
