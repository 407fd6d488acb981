"""Who has approved a release, who does not count and why, and how many more it takes."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals import Approver, Discounted, Tally, clauses_of, has_of, needs_of
from bot.domain.text import in_words, join_words, one_line
from bot.render.escape import code, for_commit, plain
from bot.render.people import named

_MOST_LISTED = 10
_LONGEST_NAME = 60


def approval_section(tally: Tally | None) -> str:
    """Return how many approvals there are and whose, and a line for each that does not count; empty for none asked."""
    if tally is None:
        return ""
    whose = f": {', '.join(map(_given, tally.given[:_MOST_LISTED]))}" if tally.given else ""
    more = len(tally.given) - _MOST_LISTED
    rest = f" and {more} more" if more > 0 else ""
    head = f"**Approvals:** {len(tally.given)} of {tally.required}{whose}{rest}.{_needs(tally)}"
    lines = [*map(_discounted, tally.others[:_MOST_LISTED]), *_unknown(tally)]
    left = len(tally.others) - _MOST_LISTED
    lines += [f"- {in_words(left)} more {'does' if left == 1 else 'do'} not count"] if left > 0 else []
    lines += [f"- not known: {plain(tally.trouble)}"] if tally.trouble else []
    return "\n".join([head, "", *lines]) if lines else head


def approvals_in_short(tally: Tally) -> str:
    """Return how it stands as one short sentence; the section tells the rest."""
    count = len(tally.others)
    more = f"; {in_words(count)} more {'does' if count == 1 else 'do'} not count, as told below" if count else ""
    unclear = "; not all of it could be found out, as told below" if tally.trouble else more
    return f"It has {plain(has_of(tally))}{unclear}."


def _given(one: Approver) -> str:
    return f"{code(one.login)} ({' and '.join(one.ways)})"


def _needs(tally: Tally) -> str:
    more = f"{in_words(tally.missing)}{' more' if tally.given else ''}"
    return f" It needs {more} from {whoever_is_asked(tally)}." if tally.missing else ""


def whoever_is_asked(tally: Tally) -> str:
    """Name those from whom approvals are wanted, as code spans, who are not notified by that."""
    return named(tally.people) if tally.people else "people who may write in this repository"


def _discounted(one: Discounted) -> str:
    return f"- {code(one.login)} {plain(one.why)} and does not count"


def _unknown(tally: Tally) -> list[str]:
    if not tally.unknown:
        return []
    count = len(tally.unknown)
    among, are = ("one of", "one more is") if count == 1 else ("among", f"{in_words(count)} more are")
    wrote = f"{named(tally.unknown)} wrote source commits without a known account"
    return [f"- {wrote} and may be {among} those who approve, so {are} needed"]


def approval_lines(tally: Tally | None) -> Sequence[str]:
    """Return the same as plain lines; none where no approvals are asked for."""
    if tally is None:
        return ()
    said = [f"has {has_of(tally)}", *clauses_of(tally, _MOST_LISTED)]
    said += [tally.trouble] if tally.trouble else []
    said += [needs_of(tally)] if tally.missing else []
    return [f"approvals: {one_line(line, limit=400)}" for line in said]


def approved_by(tally: Tally | None) -> str:
    """Return who approved as a sentence of a commit message; empty where nobody had to."""
    if tally is None or not tally.given:
        return ""
    who = [f"{one_line(one.login, limit=_LONGEST_NAME)} ({' and '.join(one.ways)})" for one in tally.given]
    return for_commit(f"Approved by {join_words(who)}.")
