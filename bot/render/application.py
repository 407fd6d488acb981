"""One Argo CD application for the terminal: the verdict in a sentence, and the facts that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.domain.argo import Application
from bot.domain.liveness import Liveness
from bot.domain.text import format_date_instant, one_line
from bot.domain.timeline import Milestone
from bot.render.timeline import timeline_lines

_SHORT = 7


def liveness_lines(
    liveness: Liveness, applications: Sequence[Application], timeline: Sequence[Milestone] = ()
) -> list[str]:
    """Return the stage's answer where there are several, then each application with its facts, then the timeline."""
    lines = []
    if len(liveness.applications) > 1:
        lines.append(f"all together: {liveness.stance}: {one_line(liveness.reason, limit=600)}")
    by_name = {app.name: app for app in applications}
    for stance in liveness.applications:
        lines.append(f"{stance.stance}: {one_line(stance.reason, limit=600)}")
        app = by_name.get(stance.name)
        lines += [f"  {name:<11} {one_line(said, limit=400)}" for name, said in _facts(app)] if app else []
    lines += list(liveness.notes)
    return [*lines, *([""] if timeline else []), *timeline_lines(timeline)]


def _facts(app: Application) -> Iterator[tuple[str, str]]:
    follows = f", follows {', '.join(target or 'HEAD' for target in app.targets)}" if app.targets else ""
    yield "sync", f"{app.sync} at {_names(app.revisions)}{follows}; auto-sync {'on' if app.automated else 'off'}"
    if app.hydration is not None:
        dry = app.hydration.dry[:_SHORT] if app.hydration.dry else "nothing yet"
        yield "hydration", f"{app.hydration.phase or 'never done'}, of {dry}"
    operation = app.operation
    if operation is not None:
        began, ended = _at("began", operation.started_at), _at("ended", operation.finished_at)
        yield "operation", f"{operation.phase} of {_names(operation.revisions)}, {began}, {ended}"
    yield "health", f"{app.health}{', ' + _at('since', app.health_since) if app.health_since else ''}"
    yield "looked at", _at("last", app.reconciled_at)
    if app.blocked:
        yield "window", app.blocked


def _names(revisions: Sequence[str]) -> str:
    return ", ".join(revision[:_SHORT] for revision in revisions) or "no commit"


def _at(word: str, instant: datetime | None) -> str:
    return f"{word} {format_date_instant(instant)}" if instant is not None else f"{word} unknown"
