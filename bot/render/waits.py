"""The first screen of a release that waits: for its window, for checks, for a review, for a person, for its turn."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.policy import Merge
from bot.domain.pulls import Checks
from bot.domain.text import count_of
from bot.domain.timeline import Step
from bot.domain.verdicts import MeasuredEvidence
from bot.render.approvals import approvals_in_short, whoever_is_asked
from bot.render.escape import code, plain
from bot.render.people import named, whoever_may, whoever_overrides
from bot.render.views import CommentView
from bot.render.words import (
    MINUTE,
    NEVER,
    NOBODY,
    Screen,
    capital,
    ceil,
    clock,
    move_of,
    once,
    person,
    proven,
    source_of,
)


def not_yet(view: CommentView, judgement: Judgement) -> Screen:
    """It has not proven itself, or who has approved it cannot be told."""
    if judgement.waits_on is WaitsOn.HUMAN and judgement.approvals is not None and judgement.approvals.trouble:
        return for_a_review(view, judgement)
    lead = _observed(view) if judgement.state is State.OBSERVING else f"{move_of(view)} has not proven itself."
    if judgement.state is State.WAITING_FOR_ROLLOUT:
        lead = f"{code(view.release.tag)} is not live in {source_of(view)} yet."
    if judgement.state is State.CANNOT_TELL:
        lead = f"Liftlock cannot tell whether {code(view.release.tag)} may move to {code(view.stage.name)}."
    waits = judgement.waits_on is WaitsOn.HUMAN
    return Screen(
        word="Not yet.",
        lead=lead,
        why=f"{plain(judgement.reason)}.",
        who=person(view) if waits else NOBODY,
        when=NEVER if waits else _then(view),
    )


def _observed(view: CommentView) -> str:
    """Say since when it is live and how much of the window is left, where that is known."""
    source, now = view.source, view.circumstances.now
    began = next((one.at for one in source.timeline if one.step is Step.LIVE), None) if source else None
    since = f" since {clock(began, now)}" if began else ""
    ends, length = _window_end(view), _length(view)
    left = ""
    if ends is not None and length is not None and now is not None and now < ends and length >= MINUTE:
        minutes = min(-((now - ends) // MINUTE), length // MINUTE)
        left = f" and has {minutes} of {count_of(length // MINUTE, 'minute')} left"
    return f"{code(view.release.tag)} is live in {source_of(view)}{since}{left}."


def _then(view: CommentView) -> str:
    ends, now = _window_end(view), view.circumstances.now
    early = f", not before {clock(ceil(ends), now)}" if ends is not None and (now is None or now < ends) else ""
    pull = view.circumstances.pull
    if pull is not None and pull.draft and pull.draft_by is None:
        return f"Liftlock marks this ready when the window has passed{early}."
    if view.stage.merge is Merge.AUTO:
        return f"Liftlock merges this when every gate is healthy{early}."
    return f"{NEVER} When every gate is healthy{early}, a person may merge it."


def _window_end(view: CommentView) -> datetime | None:
    """Return when the source's window is over at the earliest: what was measured knows of a window begun anew."""
    if view.source is None or view.source.state not in {State.OBSERVING, State.CANNOT_TELL}:
        return None
    evidence = [verdict.evidence for verdict in view.source.verdicts]
    ends = [found.measured.window_end for found in evidence if isinstance(found, MeasuredEvidence)]
    if ends:
        return max(ends)
    window = view.policy.stage(view.source.stage).window
    began = next((one.at for one in view.source.timeline if one.step is Step.LIVE), None)
    return None if window is None or began is None else began + window.warmup + window.length


def _length(view: CommentView) -> timedelta | None:
    window = view.policy.stage(view.source.stage).window if view.source is not None else None
    return window.length if window is not None else None


def for_the_build(view: CommentView, judgement: Judgement) -> Screen:
    """Something that the policy wants to be proven of the artifact is not there yet."""
    return Screen(
        word="Waits for its build.",
        lead=f"{proven(view)} Do not merge this before its artifact is verified.",
        why=f"{plain(judgement.reason)}.",
        who="Nobody, if its pipeline is still at it; else whoever looks after that.",
        when=once(view, "it is verified"),
    )


def for_checks(view: CommentView, judgement: Judgement) -> Screen:
    """Checks are not green."""
    pull = view.circumstances.pull
    checks = pull.checks if pull is not None else Checks()
    lists = [("failed", checks.failed), ("not done", checks.pending), ("missing", checks.missing)]
    said = "; ".join(f"{word}: {named(names)}" for word, names in lists if names)
    who = NOBODY
    if checks.failed or checks.missing:
        who = f"Whoever looks after {named((*checks.failed, *checks.missing), most=3)}."
    return Screen(
        word="Waits for checks.",
        lead=f"{proven(view)} Do not merge this before its checks are green.",
        why=f"{capital(said)}." if said else f"{plain(judgement.reason)}.",
        who=who,
        when=once(view, "its checks are green"),
    )


def for_a_review(view: CommentView, judgement: Judgement) -> Screen:
    """The policy asks for more approvals, or the branch for more reviews."""
    tally = judgement.approvals
    if tally is not None and tally.missing:
        return Screen(
            word="Waits for approvals.",
            lead=f"{proven(view)} Do not merge this before enough people have approved it.",
            why=approvals_in_short(tally),
            who=f"{capital(whoever_is_asked(tally))}: approve it in a review, or comment `/liftlock approve`.",
            when=once(view, "it is approved"),
        )
    circumstances = view.circumstances
    pull, wanted = circumstances.pull, circumstances.rules.approvals
    given = named(pull.reviews.approved_by) if pull is not None and pull.reviews.approved_by else "nobody"
    demand = f"the branch asks for {count_of(wanted, 'approving review')}" if wanted else "the branch asks for more"
    return Screen(
        word="Waits for a review.",
        lead=f"{proven(view)} You may approve it.",
        why=f"Approved by {given}; {demand}.",
        who=f"A reviewer: {whoever_may(view)}.",
        when=once(view, "it is approved"),
    )


def for_a_person(view: CommentView, judgement: Judgement) -> Screen:
    """The policy, or somebody who asked for changes, leaves it to a person."""
    pull = view.circumstances.pull
    changes = pull.reviews.changes_requested_by if pull is not None else ()
    if changes:
        asked = f"{named(changes)} asked for changes."
        who = "They, or whoever may dismiss their review."
        when = once(view, "that is taken back")
        return Screen(word="Waits for a review.", lead=proven(view), why=asked, who=who, when=when)
    reason = judgement.reason if judgement is view.candidate else f"{judgement.stage}: {judgement.reason}"
    return Screen(
        word="Needs a person.",
        lead=f"{proven(view)} You may merge this once its checks are green.",
        why=f"{plain(reason)}.",
        who=f"{capital(whoever_may(view))}: merge it, or comment `/liftlock approve`; close it to reject the release.",
        when=NEVER,
    )


def for_a_cool_down(view: CommentView, judgement: Judgement) -> Screen:
    """A release was taken out of the stage a short while ago."""
    return Screen(
        word="Cools down.",
        lead=f"{proven(view)} Look before you merge it: the last release had proven itself there, too.",
        why=f"{plain(judgement.reason)}.",
        who=f"{NOBODY} To merge it before, {whoever_may(view)}: comment `/liftlock approve`.",
        when=once(view, "that is over"),
    )


def for_a_pause(view: CommentView, judgement: Judgement) -> Screen:
    """The policy wants some time between two stages."""
    return Screen(
        word="Pauses.",
        lead=f"{proven(view)} The policy wants a pause before {code(view.stage.name)}.",
        why=f"{plain(judgement.reason)}.",
        who=f"{NOBODY} To merge it before, {whoever_may(view)}: comment `/liftlock approve`.",
        when=once(view, "that is over"),
    )


def for_the_calendar(view: CommentView, judgement: Judgement) -> Screen:
    """The calendar of the policy lets nothing move now."""
    return Screen(
        word="Not now.",
        lead=f"{proven(view)} Do not merge this before the calendar opens.",
        why=f"{capital(plain(judgement.reason))}.",
        who=f"{NOBODY} In an emergency, {whoever_overrides(view)}: `/liftlock promote --override calendar REASON`.",
        when=once(view, "the calendar opens"),
    )


def for_its_turn(view: CommentView, judgement: Judgement) -> Screen:
    """Liftlock merges it."""
    now = "Liftlock merges it now." if judgement.state is State.READY_TO_MERGE else once(view, "its checks are green")
    return Screen(
        word="Merges by itself.",
        lead=f"{proven(view)} You may merge it, too.",
        why=f"{plain(judgement.reason)}.",
        who=f"{NOBODY} To stop it, comment `/liftlock hold REASON`, or close it.",
        when=now,
    )


def for_the_forge(view: CommentView, judgement: Judgement) -> Screen:
    """The forge merges it by itself."""
    return Screen(
        word="Being merged.",
        lead=f"{proven(view)} GitHub merges it.",
        why=f"{plain(judgement.reason)}.",
        who=f"{NOBODY} To stop it, comment `/liftlock hold REASON`, or close it.",
        when="GitHub merges it when all that the branch demands is there.",
    )


def to_be_proposed(view: CommentView, judgement: Judgement) -> Screen:
    """It is proposed, or its draft made ready, now."""
    when = "Liftlock marks this ready now." if view.circumstances.pull is not None else "Liftlock opens it in its turn."
    return Screen(word="Ready.", lead=proven(view), why=f"{plain(judgement.reason)}.", who=NOBODY, when=when)
