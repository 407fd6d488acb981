"""A rollback's pull request: why, and what it brings back."""

from __future__ import annotations

from bot.render.commits import promotion_subject
from bot.render.escape import code, for_title, plain
from bot.render.moves import edit_lines
from bot.render.room import Room, fit
from bot.render.sections import evidence_of, judged_by
from bot.render.views import RevertView


def revert_title(view: RevertView) -> str:
    """Return the title of a rollback's pull request."""
    return for_title(f'Revert "{promotion_subject(view).replace(" -> ", " → ")}"')


def revert_body(view: RevertView) -> str:
    """Return the body of a rollback's pull request."""
    return fit(lambda room: _parts(view, room))


def _parts(view: RevertView, room: Room) -> list[str]:
    release = code(view.release.tag)
    why = plain(view.judgement.reason)
    lines = "\n".join(
        [
            f"- **Why:** {why}.",
            f"- **Who must act:** Nobody. To keep {release}, close this pull request.",
            "- **Moves by itself:** Liftlock merges this as soon as its checks are green.",
        ]
    )
    effect = (
        f"It brings back {code(view.back_to.tag)} by reverting commit {view.promotion}. "
        f"{release} is quarantined then: only a person may move it there again."
    )
    return [
        f"<!-- liftlock:rollback {view.policy.service}/{view.stage.name} -->",
        f"**Rollback.** {release} is taken out of {code(view.stage.name)}. You may merge this.\n\n{lines}",
        f"{effect}\n\n{edit_lines(view.changes)}",
        *evidence_of(view.stage, view.judgement, room),
        judged_by(view.policy, ""),
    ]
