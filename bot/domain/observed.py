"""Which releases are under observation, and which tiles each of their gates needs.

Shared by the shell, which must know what to ask Prometheus for, and by the decision, which must judge exactly that:
one rule in one place, so that what is read and what is judged cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.domain.argo import Application
from bot.domain.calendar import HORIZON, Calendar, Closed, judge_calendar
from bot.domain.liveness import Liveness, judge_liveness
from bot.domain.model import NOT_SET, Offer, Release, Sha, TagChange, TagHistory, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.orders import lifted_tags
from bot.domain.policy import Policy, Rollback, Stage, SyncBy
from bot.domain.rules import ArgoHealthyGate, Asks, MeasuredRule
from bot.domain.stance import Expected
from bot.domain.syncs import Before
from bot.domain.tiles import MeasuringWindow, before_release, measuring_window
from bot.domain.way_back import WayBack, way_back

_EVER = datetime.min.replace(tzinfo=UTC)
ROLLOUT_GRACE = timedelta(minutes=5)
"""How long after its first sync a release is given to become live before its triggers count all the same."""
OPENED_FOR = timedelta(minutes=30)
"""For how long at most a calendar must have been open again before a watch ends that keeps rollbacks for then."""


Measured = MeasuredRule | ArgoHealthyGate
"""The rules that ask Prometheus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A rule that is measured, the key of its samples in the observation, its window, and what it asks by role."""

    key: str
    rule: Measured
    window: MeasuringWindow
    asks: Asks


def waiting_tag(stage: Stage, seen: Observation) -> str | None:
    """Return the tag of the stage before, or the one that the registry offers; None where that is not known.

    It may be in the stage itself already.
    """
    if stage.intake is not None:
        return seen.offer.tag if isinstance(seen.offer, Offer) else None
    before = [seen.stage(name).tags for name in stage.sources]
    known = [tags for tags in before if isinstance(tags, TagHistory)]
    if not known or len(known) < len(before):
        return None
    return known[0].tag if len(known) == 1 else _newest(known, seen.stage(stage.name).tags, seen)


def _newest(before: Sequence[TagHistory], there: TagHistory | Trouble, seen: Observation) -> str:
    """Choose by Git alone which of several stages' releases waits: the one that was set last, after that of the stage.

    So a stage that lags behind, or was taken back, moves nothing backwards, and what the stage had before does not come
    again by itself; what all of them run always waits. What is quarantined waits only where there is nothing else.
    """
    if isinstance(there, Trouble):
        return max(before, key=_set_at).tag
    present, barred = there.tag, quarantined_tags(seen)
    had = {change.new for change in there.changes} - set(reverts_of(there))
    came = [next((change.at for change in tags.changes if change.new == present), None) for tags in before]
    since = min((at for at in came if at is not None), default=_EVER)
    is_one = len({tags.tag for tags in before}) == 1

    def is_news(tags: TagHistory) -> bool:
        # Git's times are whole seconds: within a stage, the order of the commits tells.
        is_after = _set_at(tags) > since or any(change.new == present for change in tags.changes)
        return is_after and tags.tag not in had and not (tags.changes and is_revert(tags.introduced))

    def may_wait(tags: TagHistory) -> bool:
        return tags.tag not in (NOT_SET, present) and (is_one or is_news(tags))

    waiting = [tags for tags in before if may_wait(tags)]
    return max(waiting, key=lambda tags: (tags.tag not in barred, _set_at(tags))).tag if waiting else present


def _set_at(tags: TagHistory) -> datetime:
    return tags.introduced.at if tags.changes else _EVER


def carriers(stage: Stage, seen: Observation) -> tuple[str, ...]:
    """Return the stages before it that run the release which waits, in the policy's order."""
    tag = waiting_tag(stage, seen)
    found = ((name, seen.stage(name).tags) for name in stage.sources if stage.intake is None)
    return tuple(name for name, tags in found if isinstance(tags, TagHistory) and tags.tag == tag)


def expected_release(policy: Policy, stage: Stage, tags: TagHistory, *, barred: str = "") -> Expected:
    """Return the release that Git says should run in a stage; `barred` is why the bot must not sync to it."""
    return Expected(
        image=policy.image,
        tag=tags.tag,
        commit=tags.introduced.commit,
        since=tags.introduced.at,
        branch=policy.gitops.branch,
        authority=f"{policy.service}:{stage.name}" if stage.sync is SyncBy.BOT else "",
        barred=barred,
        together=tuple(dict.fromkeys(place.image for place in stage.together if place.image != policy.image)),
    )


def running_release(policy: Policy, tags: TagHistory) -> Release:
    """Return the release that is set in a stage, with its digest where the commit that brought it names one."""
    plain = Release(image=policy.image, tag=tags.tag)
    trailers = tags.introduced.trailers if tags.changes else None
    named = Release.parse(trailers.release) if trailers is not None else None
    return named if named is not None and (named.image, named.tag) == (plain.image, plain.tag) else plain


def why_barred(tags: TagHistory, seen: Observation) -> str:
    """Return why the bot must not sync a release: it is quarantined, whoever put its tag back (I3). Empty if not."""
    quarantined = quarantined_tags(seen).get(tags.tag)
    if quarantined is None:
        return ""
    stage, commit = quarantined
    return f"{tags.tag} was rolled back in {stage} by {commit[:7]}"


def stage_liveness(policy: Policy, stage: Stage, seen: StageObservation, tags: TagHistory, now: datetime) -> Liveness:
    """Judge whether the release that Git says should run in a stage is live there."""
    return liveness_of(seen, expected_release(policy, stage, tags), now)


def liveness_of(seen: StageObservation, expected: Expected, now: datetime) -> Liveness:
    """Judge whether a release is live in a stage, by all that was seen there."""
    return judge_liveness(seen.applications, expected, seen.ancestry, now, seen.memory)


def is_candidate_pending(stage: Stage, target: Stage, seen: Observation) -> bool:
    """Say whether the release that runs in `stage` may still have to move into `target`."""
    here, there = seen.stage(stage.name).tags, seen.stage(target.name).tags
    if isinstance(here, Trouble) or isinstance(there, Trouble):
        return False
    return here.tag not in (NOT_SET, there.tag) and here.tag not in quarantined_tags(seen)


def is_under_observation(policy: Policy, stage: Stage, seen: Observation) -> bool:
    """Say whether the gates of `stage` have anything to decide: a next stage that does not have its release."""
    return any(is_candidate_pending(stage, target, seen) for target in policy.targets_of(stage))


def is_revert(change: TagChange) -> bool:
    """Say whether a change of the tag is a rollback of Liftlock's."""
    return change.trailers is not None and change.trailers.reverts is not None


def reverts_of(tags: TagHistory) -> dict[str, TagChange]:
    """Return the newest rollback of Liftlock's for each tag that it took out of the stage.

    Only what the trailers say counts, and only of commits that changed this stage's tag: quarantine stands in Git.
    """
    found: dict[str, TagChange] = {}
    for change in tags.changes:
        if is_revert(change) and change.old is not None:
            found.setdefault(change.old, change)
    return found


def quarantined_tags(seen: Observation) -> dict[str, tuple[str, str]]:
    """Return the quarantined tags, each with the stage and commit of its rollback: bad in one, bad in all.

    A person may have lifted it since. If that is forgotten with the ledger, it is barred again, which is safe.
    """
    lifted = lifted_tags(seen.orders, seen.service)
    found: dict[str, tuple[str, str]] = {}
    for stage in seen.stages:
        if isinstance(stage.tags, TagHistory):
            for tag, revert in reverts_of(stage.tags).items():
                if tag not in lifted or lifted[tag] <= revert.at:
                    found.setdefault(tag, (stage.stage, revert.commit))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAlong:
    """A release is to leave a stage since a later one was taken back to another: by that one's `rollback`."""

    rollback: Rollback
    stage: str
    commit: Sha


def taken_along(policy: Policy, stage: Stage, tags: TagHistory, seen: Observation) -> TakenAlong | None:
    """Say whether a later stage takes the release out of this one, too; not where it was set here again since."""
    quarantined = quarantined_tags(seen)
    for later in policy.stages:
        there = seen.stage(later.name).tags
        if later.rollback is None or stage.name not in later.rollback.also or isinstance(there, Trouble):
            continue
        revert = reverts_of(there).get(tags.tag)
        if revert is None or tags.tag not in quarantined or is_revert(tags.introduced):
            continue
        came = tags.introduced
        # What the bot itself still merged a moment later was decided before; a person's change or a lift is not that.
        if came.at <= revert.at or (came.trailers is not None and came.trailers.promotes is not None):
            return TakenAlong(rollback=later.rollback, stage=later.name, commit=revert.commit)
    return None


def way_back_of(stage: Stage, tags: TagHistory, seen: Observation) -> WayBack:
    """Return which release the present one of a stage is taken back to. A stage that is not watched has no watch."""
    watch = stage.rollback.watch if stage.rollback is not None else timedelta(0)
    return way_back(stage.name, tags, watch, quarantined_tags(seen))


def is_watched(
    rollback: Rollback, tags: TagHistory, liveness: Liveness, now: datetime, calendars: Sequence[Calendar]
) -> bool:
    """Say whether the running release came by a promotion of Liftlock's whose watch has not ended.

    `calendars` are those of the stage.
    """
    trailers = tags.introduced.trailers
    if trailers is None or trailers.promotes is None:
        return False
    end = watch_end(rollback, tags, liveness)
    return now < end or now < past_freeze(rollback, end, calendars)


def is_restored(rollback: Rollback, tags: TagHistory, liveness: Liveness, now: datetime) -> bool:
    """Say whether the running release came back by a rollback, and it is still to be seen whether that has helped."""
    return is_revert(tags.introduced) and now < watch_end(rollback, tags, liveness)


def watch_end(rollback: Rollback, tags: TagHistory, liveness: Liveness) -> datetime:
    """Return when the watch ends: `watch` after the release came, or after its commit where that is not known.

    An application that comes to the release while it is watched makes the watch longer; one that comes when it is over,
    as a new cluster does, does not begin it again: by then the release has proven itself elsewhere. Nor does one of
    which it is not known since when it runs the release, or that was made anew.
    """
    deployed = [item for item in liveness.applications if item.deployed_at is not None]
    came = [item.came_at for item in deployed if item.came_at is not None]
    is_forgotten = any(item.came_at is None and item.before is not Before.NOTHING for item in deployed)
    end = (min(came) if came and not is_forgotten else tags.introduced.at) + rollback.watch
    for at in sorted(at for item in deployed if (at := item.came_at or item.deployed_at) is not None):
        end = max(end, at + rollback.watch) if at <= end else end
    return end


def past_freeze(rollback: Rollback, end: datetime, calendars: Sequence[Calendar]) -> datetime:
    """Return when a watch that would end at `end` does, where rollbacks wait for the calendar: after it has opened.

    For as long as the watch, but no longer than `OPENED_FOR`, it must have been open by then: what a trigger calls for
    while it is closed is done when it opens, and the bot must have had the time to do it.
    """
    if rollback.during_freeze:
        return end
    opened_for = min(rollback.watch, OPENED_FOR)
    ends = [end]
    for at in (end - opened_for, end):
        found = judge_calendar(calendars, at)
        if isinstance(found, Closed):
            ends.append((found.until or at + HORIZON) + opened_for)
    return max(ends)


def gate_measurements(stage: Stage, tags: TagHistory, liveness: Liveness, seen: Observation) -> tuple[Measurement, ...]:
    """Return what the stage's gates must measure; nothing before the release was live for the first time."""
    if stage.window is None or liveness.first_live is None:
        return ()
    first = liveness.first_live
    proof_since = liveness.proof_since or seen.at
    if seen.policy_since is not None:
        first, proof_since = max(first, seen.policy_since), max(proof_since, seen.policy_since)
    length, warmup = stage.window.length, stage.window.warmup

    def window(gate: Measured) -> MeasuringWindow:
        return measuring_window(
            first=first,
            proof_since=proof_since,
            # Argo CD needs no time to warm up: an illness counts from the first instant on.
            warmup=timedelta(0) if isinstance(gate, ArgoHealthyGate) else warmup,
            length=length,
            width=gate.tile,
            before=before_release(_came_at(tags, liveness), gate.reach, gate.tile),
        )

    present = [app for app in seen.stage(stage.name).applications if isinstance(app, Application)]
    members = [app.name.rpartition(":")[2].rpartition("/")[2] for app in present]
    asking = [gate.with_members(members) if isinstance(gate, ArgoHealthyGate) else gate for gate in stage.gates]
    gates = [gate for gate in asking if isinstance(gate, Measured) and gate.asks]
    return tuple(_measurement(f"gate:{gate.name}", gate, window(gate), tags.tag) for gate in gates)


def trigger_measurements(stage: Stage, tags: TagHistory, liveness: Liveness) -> tuple[Measurement, ...]:
    """Return what the stage's triggers must measure: from when the release is live, or some time after its sync.

    While old pods are still being replaced their errors are not the release's; but one that never becomes live, or
    not everywhere, is judged all the same after `ROLLOUT_GRACE`.
    """
    reached, rollback = liveness.reached_at, stage.rollback
    if rollback is None or reached is None:
        return ()
    late = reached + ROLLOUT_GRACE
    since = min(liveness.first_live or late, late)

    def window(trigger: Measured) -> MeasuringWindow:
        return measuring_window(
            first=since,
            proof_since=since,
            warmup=timedelta(0),
            length=rollback.watch,
            width=trigger.tile,
            before=before_release(_came_at(tags, liveness), trigger.reach, trigger.tile),
        )

    triggers = [trigger for trigger in rollback.triggers if isinstance(trigger, MeasuredRule)]
    return tuple(_measurement(f"trigger:{one.name}", one, window(one), tags.tag) for one in triggers)


def _came_at(tags: TagHistory, liveness: Liveness) -> datetime:
    """Return until when nothing of the release ran: it may be committed long before anyone syncs it."""
    return max(tags.introduced.at, liveness.came_at or tags.introduced.at)


def _measurement(key: str, rule: Measured, window: MeasuringWindow, tag: str) -> Measurement:
    asks = {role: replace(ask, query=ask.query.of_release(tag)) for role, ask in rule.asks.items()}
    return Measurement(key=key, rule=rule, window=window, asks=asks)


def measurements(policy: Policy, stage: Stage, liveness: Liveness, seen: Observation) -> tuple[Measurement, ...]:
    """Return all that must be measured of a stage now: of releases under observation or watched, of no others."""
    tags = stage_tags(seen.stage(stage.name))
    if tags is None:
        return ()
    wanted: tuple[Measurement, ...] = ()
    if is_under_observation(policy, stage, seen):
        wanted += gate_measurements(stage, tags, liveness, seen)
    rollback = stage.rollback
    if rollback is not None and (
        is_watched(rollback, tags, liveness, seen.at, policy.calendars_of(stage))
        or is_restored(rollback, tags, liveness, seen.at)
    ):
        wanted += trigger_measurements(stage, tags, liveness)
    return wanted


def stage_tags(stage: StageObservation) -> TagHistory | None:
    """Return the stage's tag history if Git could be read."""
    return None if isinstance(stage.tags, Trouble) else stage.tags
