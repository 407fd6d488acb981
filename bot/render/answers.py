"""What people commanded and what came of it, the answers to their questions, and how the state changed."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.commands import Verb
from bot.domain.text import format_date_instant
from bot.domain.verdicts import Verdict
from bot.render.escape import code, plain
from bot.render.evidence import verdict_word
from bot.render.people import command_table
from bot.render.views import AnswerView, ChangeView, CommentView, OverrideView

_MOST_EXPLAINED = 20


def newest_answer(view: CommentView) -> str:
    """Return what came of the newest command as one line; empty if there was none."""
    answers = view.circumstances.answers
    return "" if not answers else f"> {_answered(answers[0])}"


def command_section(view: CommentView, most: int) -> str:
    """Return the newest commands, folded away, with the long answers to those that asked; empty if there was none."""
    answers = view.circumstances.answers
    if not answers or not most:
        return ""
    rows = "\n".join(_row(answer) for answer in answers[:most])
    table = f"| when | who | comment | answer |\n|---|---|---|---|\n{rows}"
    left = len(answers) - most
    more = f"and {left} earlier" if left > 0 else ""
    parts = [
        "<details><summary>Commands that were given</summary>",
        table,
        more,
        *_long_answers(view, answers[:most]),
        "</details>",
    ]
    return "\n\n".join(part for part in parts if part)


def history_section(history: Sequence[ChangeView], most: int) -> str:
    """Return the changes of state, newest first and folded away; empty if there is none."""
    if not history or not most:
        return ""
    rows = "\n".join(
        f"| {format_date_instant(one.at)} | {plain(one.state)} | {plain(one.reason)} |" for one in history[:most]
    )
    left = len(history) - most
    more = f"and {left} earlier" if left > 0 else ""
    table = f"| when | state | why |\n|---|---|---|\n{rows}"
    parts = ["<details><summary>How it went</summary>", table, more, "</details>"]
    return "\n\n".join(part for part in parts if part)


def override_lines(overrides: Sequence[OverrideView]) -> str:
    """Return who overrode which gate and why; empty if nobody did."""
    shown = [f"**Overridden:** {code(one.gate)} by {code(one.by)}: {plain(one.reason)}" for one in overrides[:5]]
    more = [f"and {len(overrides) - 5} more"] if len(overrides) > 5 else []
    return "\n\n".join([*shown, *more])


def _answered(answer: AnswerView) -> str:
    word = "accepted" if answer.is_accepted else "refused"
    return f"{code(answer.order)} by {code(answer.by)} was {word}: {_effect(answer)}"


def _effect(answer: AnswerView) -> str:
    # The sentence may name a command between backticks, which would only be shown as such.
    return plain(answer.effect.replace("`", ""))


def _row(answer: AnswerView) -> str:
    word = "✅" if answer.is_accepted else "🚫 refused:"
    at = format_date_instant(answer.at)
    return f"| {at} | {code(answer.by)} | {code(answer.order)} | {word} {_effect(answer)} |"


def _long_answers(view: CommentView, answers: Sequence[AnswerView]) -> list[str]:
    """Answer what was asked from the present facts, once, however often it was asked."""
    asked = {word for answer in answers if answer.is_accepted for word in answer.order.split()[1:2]}
    explained = _explained(view) if Verb.EXPLAIN in asked else ""
    return [part for part in (explained, command_table(view.stage) if Verb.HELP in asked else "") if part]


def _explained(view: CommentView) -> str:
    judgement = view.running or view.source
    verdicts = judgement.verdicts if judgement is not None else ()
    if judgement is None or not verdicts:
        return ""
    lines = [_explanation(verdict) for verdict in verdicts[:_MOST_EXPLAINED]]
    if len(verdicts) > _MOST_EXPLAINED:
        lines.append(f"- and {len(verdicts) - _MOST_EXPLAINED} more")
    return f"Explained, in {code(judgement.stage)}:\n\n" + "\n".join(lines)


def _explanation(verdict: Verdict) -> str:
    change = "" if verdict.would_change in verdict.reason else f" What would change it: {plain(verdict.would_change)}."
    return f"- {code(verdict.gate)} {verdict_word(verdict)}: {plain(verdict.reason)}.{change}"
