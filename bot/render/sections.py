"""Sections that several texts share: the evidence of a stage, and by what it was judged."""

from __future__ import annotations

from bot.domain.decision import Judgement
from bot.domain.model import Sha
from bot.domain.policy import Policy, Stage
from bot.render.course import charts
from bot.render.escape import code
from bot.render.evidence import data_quality, evidence_table, exact_queries
from bot.render.links import commit_link
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


def judged_by(policy: Policy, commit: Sha | None, forge_url: str) -> str:
    """Return which policy judged: its file, version, and the commit where that is known."""
    at = f", at {commit_link(forge_url, policy.gitops.repository, commit)}" if commit is not None else ""
    return f"Judged by policy {code(policy.file)}, version {code(policy.version[:_SHORT])}{at}."
