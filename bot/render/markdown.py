"""What a pull request shows: may I merge, why, who must act, does it move by itself. Pure; outside text is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.decision import Judgement, State
from bot.domain.model import Release
from bot.domain.text import format_duration, format_instant
from bot.render.commits import promotion_subject
from bot.render.escape import code, plain
from bot.render.evidence import data_quality, evidence_table, exact_queries
from bot.render.views import CommentView, MoveView, RevertView

_LONGEST = 60_000
_SHORT = 12


def promotion_title(view: MoveView) -> str:
    """Return the pull request's title."""
    return promotion_subject(view).replace(" -> ", " → ")


def promotion_body(view: MoveView) -> str:
    """Return the pull request's body: the first screen answers, the rest is evidence."""
    parts = [
        f"<!-- liftlock:promotion {view.policy.service}/{view.stage.name} -->",
        _answer(view),
        _what_moves(view),
        f"### Why now\n\n{_why(view)}\n\n{evidence_table(view.judgement.verdicts)}",
        data_quality(view.judgement.verdicts),
        exact_queries(view.judgement.verdicts),
        _what_next(view),
        _judged_by(view.policy.file, view.policy.version),
    ]
    return _cut(parts)


def _answer(view: MoveView) -> str:
    release, source = code(view.release.tag), code(view.source.name)
    if view.is_automatic:
        return (
            f"**Ready.** {release} has proven itself in {source}. "
            "Liftlock merges this by itself as soon as the checks are green; nobody has to act. "
            "To stop it, close this pull request or request changes."
        )
    return (
        f"**Ready for your review.** {release} has proven itself in {source}. "
        "Liftlock does not merge this: a person with write access does."
    )


def _what_moves(view: MoveView) -> str:
    rows = [
        ("image", code(view.release.image), ""),
        ("tag", code(view.replaces.tag), code(view.release.tag)),
        ("digest", _digest(view.replaces), _digest(view.release)),
        ("source commit", _revision(view, view.replaces), _revision(view, view.release)),
    ]
    table = "\n".join(f"| {name} | {before} | {after} |" for name, before, after in rows)
    compare = _compare(view)
    link = f"\n\n[Commits between the two releases]({compare})" if compare else ""
    return f"### What moves\n\n| | now | after the merge |\n|---|---|---|\n{table}{link}"


def _digest(release: Release) -> str:
    return code(release.digest) if release.digest else "not known"


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


def _why(view: MoveView) -> str:
    reason = view.judgement.reason
    return f"{plain(reason[:1].upper() + reason[1:])} in {code(view.source.name)}."


def _what_next(view: MoveView) -> str:
    applications = ", ".join(code(name) for name in view.stage.applications)
    lines = [f"- Merge: Argo CD brings it to {applications}."]
    rollback = view.stage.rollback
    if rollback is not None:
        triggers = ", ".join(code(trigger.name) for trigger in rollback.triggers)
        lines.append(
            f"- Then Liftlock watches for {format_duration(rollback.watch)} ({triggers}) "
            f"and takes the release back by {rollback.by} if one fires."
        )
    lines.append("- Close without merging: the release is rejected here, and Liftlock does not propose it again.")
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
        f"**Rollback.** {plain(view.judgement.reason)}. "
        f"This takes {code(view.release.tag)} back to {code(view.back_to.tag)}. "
        "Liftlock merges it by itself as soon as the checks are green; to stop it, close it."
    )
    parts = [
        f"<!-- liftlock:rollback {view.policy.service}/{view.stage.name} -->",
        answer,
        f"It reverts commit {view.promotion}.",
        evidence_table(view.judgement.verdicts),
        data_quality(view.judgement.verdicts),
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
        parts.append(f"### In {code(view.stage.name)}\n\n{evidence_table(view.running.verdicts)}")
        parts += [data_quality(view.running.verdicts), exact_queries(view.running.verdicts)]
    if view.source is not None and view.source.verdicts:
        parts.append(f"### In {code(view.source.stage)}\n\n{evidence_table(view.source.verdicts)}")
        parts += [data_quality(view.source.verdicts), exact_queries(view.source.verdicts)]
    parts.append(_judged_by(view.policy.file, view.policy.version))
    return _cut(parts)


def _headline(view: CommentView) -> str:
    release, stage = code(view.release.tag), code(view.stage.name)
    if view.reverted_by is not None:
        link = f"{view.forge_url}/{view.policy.gitops.repository}/commit/{view.reverted_by}"
        at = f" at {format_instant(view.reverted_at)}" if view.reverted_at else ""
        why = f" Why: {plain(view.reverted_why)}." if view.reverted_why else ""
        return (
            f"**Rolled back.** {release} was taken out of {stage} by [{code(view.reverted_by[:_SHORT])}]({link}){at}."
            f"{why} It is quarantined: only a person may move it there again."
        )
    judgement = view.running or view.candidate
    if judgement is None:
        return f"**{release}** on its way to {stage}."
    return f"**{_word(judgement)}.** {release} in {stage}: {plain(judgement.reason)}."


def _word(judgement: Judgement) -> str:
    return "Settled" if judgement.state is State.SETTLED else str(judgement.state).capitalize()


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
