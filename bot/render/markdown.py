"""All that a pull request shows, by name: may I merge, why, who must act, does it move by itself. Pure."""

from __future__ import annotations

from bot.render.body import promotion_body, promotion_title, superseding_line
from bot.render.comment import (
    attention_comment,
    attention_over_comment,
    closing_comment,
    evidence_comment,
    superseded_comment,
)
from bot.render.reverts import revert_body, revert_title

__all__ = [
    "attention_comment",
    "attention_over_comment",
    "closing_comment",
    "evidence_comment",
    "promotion_body",
    "promotion_title",
    "revert_body",
    "revert_title",
    "superseded_comment",
    "superseding_line",
]
