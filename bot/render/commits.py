"""Commit messages of promotions and rollbacks: git's own convention, one reason, and the trailers that safety reads."""

from __future__ import annotations

from textwrap import TextWrapper

from bot.domain.evidence import evidence_hash
from bot.domain.model import Trailers
from bot.domain.trailers import render_trailers
from bot.render.escape import for_commit
from bot.render.views import MoveView, RevertView

# Names such as http-errors stay whole, so that a search in the log finds them.
_LINES = TextWrapper(72, break_on_hyphens=False, break_long_words=False)


def promotion_subject(view: MoveView | RevertView) -> str:
    """Return `Promote checkout to production: 1.8.2 -> 1.9.0`, of a rollback the one of the promotion."""
    before = view.replaces if isinstance(view, MoveView) else view.back_to
    tags = f"{for_commit(before.tag)} -> {for_commit(view.release.tag)}"
    return f"Promote {view.policy.service} to {view.stage.name}: {tags}"


def promotion_commit(view: MoveView) -> str:
    """Return the message of a promotion's commit."""
    trailers = Trailers(
        service=view.policy.service,
        stage=view.stage.name,
        release=view.release.name,
        promotes=f"{view.source.name} -> {view.stage.name}",
        evidence=evidence_hash(view.judgement.verdicts),
    )
    why = f"{for_commit(view.release.tag)} has passed {view.source.name}: {for_commit(view.judgement.reason)}."
    return f"{promotion_subject(view)}\n\n{_LINES.fill(why)}\n\n{render_trailers(trailers)}\n"


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
    body = f"This reverts commit {view.promotion}.\n\n{why}\n\n{then}"
    return f'Revert "{promotion_subject(view)}"\n\n{body}\n\n{render_trailers(trailers)}\n'
