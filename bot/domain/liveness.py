"""Judge whether a release is live in a stage, and since when (DESIGN.md, section 5).

In goes what Git and Argo CD said; out comes a stance and a reason for each application, and the worst of them for the
stage. All applications must be live; the window starts with the last one, and anew when their number changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from bot.domain.argo import (
    Ancestry,
    Application,
    HealthSpell,
    Memory,
    NoApplication,
)
from bot.domain.ladder import judge_application
from bot.domain.model import Sha, Trouble
from bot.domain.stance import BADNESS, NO_PROOF, ApplicationStance, Expected, Stance
from bot.domain.syncs import is_fresh
from bot.domain.text import format_instant, join_words

Seen = Application | NoApplication | Trouble

_CLOCKS_APART = timedelta(minutes=5)
"""How far Argo CD's clock may be behind that of whoever committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """A stage's stance. Instants are None until they have come.

    `deployed_at`: every application has synced the release, each for the first time: a later sync of the same release
    moves nothing. `reached_at`: the first of them has; `came_at`: the sync that did it, or any other, first began, None
    where that is not known. `first_live`: since then all were live for the first time. `proof_since`: as `first_live`,
    but later if an application was ill in between: proof must be continuous. `notes` are sentences that hold beside
    the stance, such as a change of the applications.
    """

    stance: Stance
    reason: str
    applications: tuple[ApplicationStance, ...]
    deployed_at: datetime | None = None
    reached_at: datetime | None = None
    came_at: datetime | None = None
    healthy_at: datetime | None = None
    first_live: datetime | None = None
    proof_since: datetime | None = None
    notes: tuple[str, ...] = ()


_NO_MEMORY = Memory()


def judge_liveness(
    applications: Sequence[Seen], expected: Expected, ancestry: Ancestry, now: datetime, memory: Memory = _NO_MEMORY
) -> Liveness:
    """Judge the release that Git says should run. Total; the order of the applications does not matter."""
    if not applications:
        return Liveness(stance=Stance.CANNOT_TELL, reason="no Argo CD application was looked at", applications=())
    ordered = sorted(applications, key=_by_name)
    stances = tuple(judge_application(item, expected, ancestry, now, memory) for item in ordered)
    worst = min(stances, key=lambda item: BADNESS.index(item.stance))
    deployed = [item.deployed_at for item in stances if item.deployed_at is not None]
    began = [item.began_at for item in stances if item.deployed_at is not None]
    found = Liveness(
        stance=worst.stance,
        reason=worst.reason,
        applications=stances,
        reached_at=min(deployed, default=None),
        came_at=None if None in began else min((at for at in began if at is not None), default=None),
        notes=_notes(ordered, memory),
    )
    if len(deployed) < len(stances):
        return found
    found = replace(found, deployed_at=max(deployed))
    if not all(item.runs_release for item in stances):
        return found
    return _with_live_instants(found, ordered, memory, max(deployed), now)


def reported_revisions(app: Application, since: datetime) -> Iterable[Sha]:
    """Yield every revision that matters for a release of `since`: compared, synced last, or deployed from then on."""
    yield from app.revisions
    if app.operation is not None:
        yield from app.operation.revisions
    for deployed in reversed(app.history):
        yield from deployed.revisions
        # The newest one of before tells that something else ran; older ones tell nothing more.
        if deployed.at < since - _CLOCKS_APART:
            return


def _by_name(seen: Seen) -> tuple[str, str]:
    return (seen.system, seen.sentence) if isinstance(seen, Trouble) else (seen.name, "")


# --- since when the stage is live ------------------------------------------------------------------------------------


def _with_live_instants(
    found: Liveness, seen: Sequence[Seen], memory: Memory, deployed_at: datetime, now: datetime
) -> Liveness:
    applications = [app for app in seen if isinstance(app, Application)]
    healthy_at = _all_healthy_since(applications, memory, deployed_at, found.stance, now)
    if healthy_at is None:
        return found
    found = replace(found, healthy_at=healthy_at)
    # Who joins or leaves makes it another proof: it begins when the present ones were first seen together.
    first = max(healthy_at, memory.members_since or healthy_at)
    # Unknown is no illness, but no proof either; nor is time that nobody looked at.
    ill = [one.last_seen for one in memory.spells if one.health in NO_PROOF and one.last_seen > first]
    ill += [end for app in applications for end in _unseen(app, memory, first)]
    if not ill:
        return replace(found, first_live=first, proof_since=first)
    recovered = _all_healthy_since(applications, memory, max(ill), found.stance, now)
    return replace(found, first_live=first, proof_since=recovered)


def _all_healthy_since(
    applications: Sequence[Application], memory: Memory, after: datetime, stance: Stance, now: datetime
) -> datetime | None:
    """Return the first instant from `after` on at which the last application was Healthy; None if one was not since."""
    instants = [_healthy_since(app, memory.spells, after, stance, now) for app in applications]
    known = [at for at in instants if at is not None]
    return max(known) if len(known) == len(applications) else None


def _unseen(app: Application, memory: Memory, first: datetime) -> Iterable[datetime]:
    """Yield the ends of pauses between looks in which an application may have been ill, while the bot was down, say.

    Argo CD says since when it is Healthy: where that reaches back over a pause, nothing happened in it.
    """
    if memory.gap is None:
        return
    spells = sorted(
        (one for one in memory.spells if one.application == app.name), key=lambda one: (one.first_seen, one.last_seen)
    )
    for before, after in pairwise(spells):
        if after.first_seen - before.last_seen <= memory.gap or after.first_seen <= first:
            continue
        since = app.health_since if app.health == "Healthy" else None
        if since is None or since > max(before.last_seen, first):
            yield after.first_seen


def _healthy_since(
    app: Application, spells: Iterable[HealthSpell], after: datetime, stance: Stance, now: datetime
) -> datetime | None:
    """Return the first instant from `after` on at which `app` was Healthy, None if it was not since.

    The ledger's spells know of a Healthy time that a later blip of Progressing (autoscaling) has ended; Argo CD's own
    timestamp knows when the present one began. Where neither is there the answer is now: later is always safe.
    """
    known = [
        max(spell.first_seen, after)
        for spell in spells
        if spell.application == app.name and spell.health == "Healthy" and spell.last_seen >= after
    ]
    if app.health == "Healthy" and app.health_since is not None and is_fresh(app):
        known.append(max(app.health_since, after))
    if not known and stance is Stance.LIVE:
        return now
    return min(known, default=None)


def _notes(seen: Sequence[Seen], memory: Memory) -> tuple[str, ...]:
    is_blind = any(isinstance(item, Trouble) for item in seen)
    if memory.members_since is None or not memory.members_before or is_blind:
        return ()
    now_there = {app.name for app in seen if isinstance(app, Application)}
    joined = sorted(now_there - set(memory.members_before))
    left = sorted(set(memory.members_before) - now_there)
    changes = [f"{join_words(joined)} joined"] if joined else []
    changes += [f"{join_words(left)} left"] if left else []
    if not changes:
        return ()
    when = format_instant(memory.members_since)
    return (f"the stage's applications changed at {when}: {' and '.join(changes)}; the window starts anew",)
