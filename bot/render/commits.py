"""Commit messages of promotions and rollbacks: git's own convention, one reason, and the trailers that safety reads."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import TextWrapper

from bot.domain.edit import Change
from bot.domain.evidence import evidence_hash
from bot.domain.model import Trailers
from bot.domain.text import join_words
from bot.domain.trailers import render_trailers
from bot.render.approvals import approved_by
from bot.render.escape import for_commit
from bot.render.views import MoveView, RevertView

# Names such as http-errors stay whole, so that a search in the log finds them.
_MOST_CHANGES = 10
_LINES = TextWrapper(72, break_on_hyphens=False, break_long_words=False)


def promotion_subject(view: MoveView | RevertView) -> str:
    """Return `Promote checkout to production: 1.8.2 -> 1.9.0`, of a rollback the one of the promotion."""
    before = view.replaces if isinstance(view, MoveView) else view.back_to
    tags = f"{for_commit(before.tag) or 'nothing'} -> {for_commit(view.release.tag)}"
    return f"Promote {view.policy.service} to {view.stage.name}: {tags}"


def promotion_commit(view: MoveView, why: str = "") -> str:
    """Return the message of a promotion's commit.

    `why` says why it moves where the stage before has not proven it by itself: a person overrode a gate, or the pull
    request was opened early. Who approved it is named where the view tells.
    """
    trailers = Trailers(
        service=view.policy.service,
        stage=view.stage.name,
        release=view.release.name,
        promotes=f"{', '.join(view.come_from)} -> {view.stage.name}",
        evidence=evidence_hash(view.proof),
        summary=view.summary.digest if view.summary is not None else None,
    )
    reasons = "; ".join(dict.fromkeys(one.reason for one in view.sources))
    passed = f"has passed {join_words(view.come_from)}: {for_commit(reasons)}."
    said = f"{for_commit(view.release.tag)} {for_commit(why) if why else passed}"
    approved = approved_by(view.approvals)
    paragraphs = [_LINES.fill(text) for text in (said, approved) if text]
    body = "\n\n".join([*paragraphs, _changed(view.changes)])
    return f"{promotion_subject(view)}\n\n{body}{render_trailers(trailers)}\n"


def revert_commit(view: RevertView) -> str:
    """Return the message of the commit that takes a promotion back."""
    trailers = Trailers(
        service=view.policy.service,
        stage=view.stage.name,
        release=view.release.name,
        reverts=view.promotion,
        evidence=evidence_hash(view.judgement.verdicts),
    )
    why = _LINES.fill(f"{for_commit(view.judgement.reason)}.")
    then = _LINES.fill(f"The release {for_commit(view.release.tag)} is quarantined: it does not move again by itself.")
    body = f"This reverts commit {view.promotion}.\n\n{why}\n\n{then}\n\n{_changed(view.changes)}"
    return f'Revert "{promotion_subject(view)}"\n\n{body}{render_trailers(trailers)}\n'


def _changed(changes: Sequence[Change]) -> str:
    """Return a paragraph that names each value that changed, empty if there is none."""
    shown, lines, file = changes[:_MOST_CHANGES], [], None
    for change in shown:
        if change.file != file:
            file = change.file
            lines.append(f"Changed in {for_commit(file)}:")
        old, new = (for_commit(value) if value else "(nothing)" for value in (change.old, change.new))
        lines.append(f"- {for_commit(change.path)}: {old} -> {new}")
    if len(changes) > _MOST_CHANGES:
        lines.append(f"- and {len(changes) - _MOST_CHANGES} more")
    return "\n".join(lines) + "\n\n" if changes else ""
