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
    """One release of one service. `ended` is asked after each sweep; it returns the sentence of the end, or None.

    With `signed_by`, a workflow of the service's repository, the bot finds it in the registry; without, a developer
    sets its tag in staging.
    """

    letter: str
    title: str
    service: str
    before: str
    release: str
    in_staging: Behaviour
    in_production: Behaviour
    ended: Callable[[Lab, Story, Decision], str | None]
    signed_by: str | None = None

    def set_up(self, lab: Lab) -> None:
        """Let the release before run in both stages."""
        lab.add_service(self.service, self.before, from_registry=self.signed_by is not None)

    def begin(self, lab: Lab) -> str:
        """Release it, and return how that was done."""
        behaviour = {"in_staging": self.in_staging, "in_production": self.in_production}
        if self.signed_by is None:
            commit = lab.release(self.service, self.release, **behaviour)
            return f"{self.release} is released to staging by its developer ({commit[:7]})"
        digest = lab.build(self.service, self.release, **behaviour)
        lab.sign(self.service, self.release, digest, workflow=self.signed_by)
        return f"{self.release} is pushed to the registry, signed by the workflow {self.signed_by}"


def _find(decision: Decision, role: str, stage: str = "production") -> Judgement | None:
    found = (item for item in decision.judgements if (item.stage, item.role) == (stage, role))
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


def _stays_out(lab: Lab, story: Story, decision: Decision) -> str | None:
    """End (d): the signature is not the one that the policy asks for; no commit and no pull request came of it."""
    waiting = _find(decision, "candidate", "staging")
    if waiting is None or waiting.state is not State.NOT_TRUSTED or lab.pulls(story.service):
        return None
    if not all(lab.has_tag(story.service, stage, story.before) for stage in ("staging", "production")):
        return None
    return f"{story.release} never reaches staging, since another workflow signed it; {story.before} stays"


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
    Story(
        letter="d",
        title="a release signed by the wrong workflow never reaches staging",
        service="invoices",
        before="3.0.0",
        release="3.1.0",
        in_staging=GOOD,
        in_production=GOOD,
        ended=_stays_out,
        signed_by="pull-request.yml",
    ),
)
