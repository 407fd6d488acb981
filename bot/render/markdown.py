"""What a pull request shows: may I merge, why, who must act, does it move by itself. Pure; outside text is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.edit import Change
from bot.domain.model import Release
from bot.domain.policy import Merge, Road, Stage
from bot.domain.text import format_date_instant, format_duration
from bot.render.commits import promotion_subject
from bot.render.course import charts
from bot.render.escape import code, plain
from bot.render.evidence import data_quality, evidence_table, exact_queries
from bot.render.timeline import timeline_table
from bot.render.views import CommentView, MoveView, RevertView

_LONGEST = 60_000
_SHORT = 12
_MOST_CHANGES = 10
_ROADS = {Road.COMMIT: "a commit", Road.PULL_REQUEST: "a pull request"}


def promotion_title(view: MoveView) -> str:
    """Return the pull request's title."""
    return promotion_subject(view).replace(" -> ", " → ")


def promotion_body(view: MoveView) -> str:
    """Return the pull request's body: the first screen answers, the rest is evidence."""
    parts = [
        f"<!-- liftlock:promotion {view.policy.service}/{view.stage.name} -->",
        _answer(view),
        _what_moves(view),
        f"### Evidence from {code(view.source.name)}\n\n{evidence_table(view.source, view.judgement.verdicts)}",
        data_quality(view.judgement.verdicts),
        charts(view.judgement.verdicts),
        exact_queries(view.judgement.verdicts),
        _what_next(view),
        _judged_by(view.policy.file, view.policy.version),
    ]
    return _cut(parts)


def _answer(view: MoveView) -> str:
    release, source = code(view.release.tag), code(view.source.name)
    reason = plain(view.judgement.reason)
    if view.judgement.state is not State.PROVEN:
        return f"**Not ready.** {release} has not proven itself in {source}: {reason}. Do not merge this."
    proven = f"{release} has proven itself in {source}: {reason}."
    now = "How it stands now is in Liftlock's comment below."
    if view.is_automatic:
        return (
            f"**Merges by itself.** {proven} Liftlock merges this as soon as its checks are green; nobody has to act. "
            f"To stop it, close this pull request or request changes. {now}"
        )
    return (
        f"**Needs a person.** {proven} You may merge this as soon as its checks are green; "
        f"Liftlock does not. To reject the release, close this pull request. {now}"
    )


def _what_moves(view: MoveView) -> str:
    rows = [
        ("tag", code(view.replaces.tag) if view.replaces.tag else "nothing", code(view.release.tag)),
        ("digest", _digest(view.replaces), _digest(view.release)),
        ("source commit", _revision(view, view.replaces), _revision(view, view.release)),
    ]
    table = "\n".join(f"| {name} | {before} | {after} |" for name, before, after in rows)
    compare = _compare(view)
    link = f"\n\n[Commits between the two releases]({compare})" if compare else ""
    where = f"{code(view.release.image)} in {code(view.stage.edit.file)}:"
    edit = edit_lines(view.changes)
    return f"### What moves\n\n{where}\n\n| | now | after the merge |\n|---|---|---|\n{table}{edit}{link}"


def edit_lines(changes: Sequence[Change]) -> str:
    """Return a list of the values that the commit changes, each with its line in the file."""
    if not changes:
        return ""
    shown = []
    for change in changes[:_MOST_CHANGES]:
        old = code(change.old) if change.old else "nothing"
        shown.append(f"- line {change.line}, {code(change.path)}: {old} → {code(change.new)}")
    if len(changes) > _MOST_CHANGES:
        shown.append(f"- and {len(changes) - _MOST_CHANGES} more")
    return "\n\nThe commit changes this and nothing else:\n\n" + "\n".join(shown)


def _digest(release: Release) -> str:
    return code(release.digest[: len("sha256:") + _SHORT]) if release.digest else "not known"


def _revision(view: MoveView, release: Release) -> str:
    if release.revision is None:
        return "not known"
    if view.policy.source is None:
        return code(release.revision[:_SHORT])
    url = f"{view.forge_url}/{view.policy.source}/commit/{release.revision}"
    return f"[{code(release.revision[:_SHORT])}]({url})"


def _compare(view: MoveView) -> str | None:
    before, after = view.replaces.revision, view.release.revision
    if view.policy.source is None or before is None or after is None:
        return None
    return f"{view.forge_url}/{view.policy.source}/compare/{before}...{after}"


def _what_next(view: MoveView) -> str:
    applications = ", ".join(code(target.shown) for target in view.stage.applications)
    lines = [f"- Merge: Argo CD brings it to {applications}."]
    rollback = view.stage.rollback
    if rollback is not None:
        triggers = ", ".join(code(trigger.name) for trigger in rollback.triggers)
        lines.append(
            f"- Then Liftlock watches for {format_duration(rollback.watch)} ({triggers}) "
            f"and takes the release back by {_ROADS[rollback.by]} if one fires."
        )
    lines.append("- Close without merging: the release is rejected, and Liftlock does not propose it here again.")
    lines.append("- Push anything else to the branch: Liftlock leaves the merge to you.")
    return "### What happens next\n\n" + "\n".join(lines)


def _judged_by(file: str, version: str) -> str:
    return f"Judged by policy {code(file)}, version {code(version[:_SHORT])}."


def revert_title(view: RevertView) -> str:
    """Return the title of a rollback's pull request."""
    return f'Revert "{promotion_subject(view).replace(" -> ", " → ")}"'


def revert_body(view: RevertView) -> str:
    """Return the body of a rollback's pull request."""
    answer = (
        f"**Rollback.** {code(view.release.tag)} in {code(view.stage.name)}: {plain(view.judgement.reason)}. "
        f"Liftlock merges this as soon as its checks are green; nobody has to act. To keep "
        f"{code(view.release.tag)}, close this pull request."
    )
    effect = (
        f"It brings back {code(view.back_to.tag)} by reverting commit {view.promotion}. "
        f"{code(view.release.tag)} is quarantined then: only a person may move it there again."
    )
    parts = [
        f"<!-- liftlock:rollback {view.policy.service}/{view.stage.name} -->",
        answer,
        effect + edit_lines(view.changes),
        evidence_table(view.stage, view.judgement.verdicts),
        data_quality(view.judgement.verdicts),
        charts(view.judgement.verdicts),
        exact_queries(view.judgement.verdicts),
        _judged_by(view.policy.file, view.policy.version),
    ]
    return _cut(parts)


def closing_comment(reason: str) -> str:
    """Return what is said on a pull request that the bot withdraws."""
    return f"**Withdrawn.** {plain(reason)}."


def evidence_comment(view: CommentView) -> str:
    """Return the one comment that is edited in place. It has no time of its own, so it changes only with the facts."""
    parts = [_headline(view)]
    if view.running is not None and view.running.verdicts:
        parts.append(f"### In {code(view.stage.name)}\n\n{evidence_table(view.stage, view.running.verdicts)}")
        verdicts = view.running.verdicts
        parts += [data_quality(verdicts), charts(verdicts), exact_queries(verdicts)]
    if view.running is not None:
        parts.append(timeline_table(view.running.timeline))
    if view.source is not None and view.source.verdicts:
        source = view.policy.stage(view.source.stage)
        parts.append(f"### In {code(source.name)}\n\n{evidence_table(source, view.source.verdicts)}")
        verdicts = view.source.verdicts
        parts += [data_quality(verdicts), charts(verdicts), exact_queries(verdicts)]
        parts.append(timeline_table(view.source.timeline))
    parts.append(_judged_by(view.policy.file, view.policy.version))
    return _cut(parts)


def _headline(view: CommentView) -> str:
    release, stage = code(view.release.tag), code(view.stage.name)
    if view.reverted_by is not None:
        link = f"{view.forge_url}/{view.policy.gitops.repository}/commit/{view.reverted_by}"
        at = f" at {format_date_instant(view.reverted_at)}" if view.reverted_at else ""
        why = f" Why: {plain(view.reverted_why)}." if view.reverted_why else ""
        return (
            f"**Rolled back.** {release} was taken out of {stage} by [{code(view.reverted_by[:_SHORT])}]({link}){at}."
            f"{why} It is quarantined: only a person may move it there again."
        )
    judgement = view.running or view.candidate
    if judgement is None:
        return f"**{release}** on its way to {stage}."
    where = f"{release} in {stage}" if judgement.role == "running" else f"{release} waits to enter {stage}"
    said = f"**{str(judgement.state).capitalize()}.** {where}: {plain(judgement.reason)}."
    return " ".join(part for part in (said, _who_acts(view.stage, judgement)) if part)


def _who_acts(stage: Stage, judgement: Judgement) -> str:
    """Say whether it moves by itself. Red checks stop it as well as missing ones, so it is never said too surely."""
    if judgement.waits_on is WaitsOn.HUMAN:
        return "A person has to act."
    if judgement.state is State.WATCHING and stage.rollback is not None:
        return f"If one fires, Liftlock takes it back by {_ROADS[stage.rollback.by]}; nobody has to act."
    if judgement.role == "running":
        return ""
    if stage.merge is Merge.HUMAN:
        return "Once it is ready, a person merges it."
    if judgement.state is State.READY_TO_MERGE:
        return "Liftlock merges it now; nobody has to act."
    return "Liftlock merges it by itself once nothing stands against it."


def _cut(parts: Sequence[str]) -> str:
    """Keep within GitHub's limit: the folded queries go first, then the end; verdict and table come before it.

    What is left without them has no block that spans lines, so that a cut at a line's end breaks no markup.
    """
    text = "\n\n".join(part for part in parts if part)
    if len(text) <= _LONGEST:
        return text
    text = "\n\n".join(part for part in parts if part and not part.startswith("<details>"))
    kept = text if len(text) <= _LONGEST else text[: text.rindex("\n", 0, _LONGEST)]
    return f"{kept}\n\n…cut: the rest is in `liftlock status --json`."
