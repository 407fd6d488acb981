"""Sections that several texts share: the evidence of a stage, and by what it was judged."""

from __future__ import annotations

from bot.domain.decision import Judgement
from bot.domain.policy import Policy, Stage
from bot.render.course import charts
from bot.render.escape import code
from bot.render.evidence import data_quality, evidence_table, exact_queries
from bot.render.links import origin_link
from bot.render.room import Room
from bot.render.timeline import timeline_table

_SHORT = 12


def evidence_of(stage: Stage, judgement: Judgement, room: Room) -> list[str]:
    """Return the numbers of a stage: table, data quality, and folded away the charts, queries and steps."""
    verdicts = judgement.verdicts
    if not verdicts:
        return [timeline_table(judgement.timeline)]
    return [
        f"### Evidence from {code(stage.name)}\n\n{evidence_table(stage, verdicts, room.rows)}",
        data_quality(verdicts),
        charts(verdicts) if room.charts else "",
        exact_queries(verdicts) if room.queries else "",
        timeline_table(judgement.timeline),
    ]


def judged_by(policy: Policy, forge_url: str) -> str:
    """Return which policy judged: its file at a commit of the policies' repository, or its version."""
    if policy.origin is None:
        return f"Judged by policy {code(policy.file)}, version {code(policy.version[:_SHORT])}."
    return f"Judged by policy {code(policy.file)} at {origin_link(forge_url, policy.origin)}."
