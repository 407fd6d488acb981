"""Builders with defaults: a test names only what matters to it.

The world they describe: checkout moves from staging to production; 1.8.2 runs in production, 1.9.0 in staging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.argo import (
    Ancestry,
    Application,
    HealthSpell,
    Mark,
    Membership,
    Memory,
    NamedApplication,
    NoApplication,
    Operation,
)
from bot.domain.edit import HelmEdit, KustomizeEdit
from bot.domain.liveness import Liveness
from bot.domain.model import Artifact, Carries, Release, Samples, Sha, TagChange, TagHistory, Trailers, Trouble
from bot.domain.naming import release_branch, revert_branch
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import stage_liveness
from bot.domain.policy import AtDeadline, GitOps, HealthWindow, Merge, Opens, Policy, Proposing, Road, Rollback, Stage
from bot.domain.pulls import Checks, Proposal, Pull, PullState, Reviews
from bot.domain.queries import Query
from bot.domain.rules import (
    ArgoHealthyGate,
    BaselineGate,
    BurnRateGate,
    BurnWindow,
    CountGate,
    Counts,
    DegradedTrigger,
    Gate,
    Side,
    Trigger,
    ValueGate,
)
from bot.domain.text import format_limit
from bot.domain.verdicts import Measured

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
IMAGE = "ghcr.io/acme/checkout"
OLD, NEW = "1.8.2", "1.9.0"
MINUTE = timedelta(minutes=1)


def sha(text: str) -> Sha:
    """A full object name that starts with the hexadecimal digits of `text`, so that tests can tell them apart."""
    return Sha((text.encode().hex() + "0" * 40)[:40])


STAGING_COMMIT, PRODUCTION_COMMIT, HEAD = sha("stg"), sha("prd"), sha("head")
PROMOTION_COMMIT, REVERT_COMMIT = sha("promo"), sha("revert")


def a_count_gate(*, name: str = "http-errors", limit: float = 0.01, tile: timedelta = MINUTE) -> CountGate:
    return CountGate(
        name=name,
        template=name,
        title="HTTP errors below 1 %",
        limit=limit,
        counts=Counts.BAD,
        query=Query.plain(f"bad-{name}"),
        total=Query.plain(f"total-{name}"),
        tile=tile,
    )


def a_value_gate(*, name: str = "lag", title: str = "lag not above 10", bound: float = 10.0) -> ValueGate:
    """Bad is what is above `bound` in three of five tiles; the query is the name."""
    return ValueGate(
        name=name,
        template="kafka-lag",
        title=title,
        query=Query.plain(name, is_count=False),
        bound=bound,
        side=Side.ABOVE,
        tile=MINUTE,
    )


def a_baseline_gate(
    *, name: str = "not-worse", past: timedelta = timedelta(0), stage: str | None = None
) -> BaselineGate:
    """The queries are `bad` and `total`, and `base bad` and `base total` of production."""
    return BaselineGate(
        name=name,
        template="http-errors",
        title="HTTP errors, no worse than production",
        counts=Counts.BAD,
        query=Query.plain("bad"),
        total=Query.plain("total"),
        base_query=Query.plain("base bad"),
        base_total=Query.plain("base total"),
        base="production",
        base_stage=stage,
        tile=MINUTE,
        past=past,
    )


def a_burn_gate(*, name: str = "budget", objective: float = 0.99, window: BurnWindow | None = None) -> BurnRateGate:
    """The queries are `bad` and `total`; ten times too fast over ten minutes and over two."""
    return BurnRateGate(
        name=name,
        template="http-errors",
        title=f"HTTP errors within an objective of {format_limit(objective)}",
        objective=objective,
        counts=Counts.BAD,
        query=Query.plain("bad"),
        total=Query.plain("total"),
        tile=MINUTE,
        windows=(window or BurnWindow(long=10 * MINUTE, short=2 * MINUTE, factor=10.0),),
    )


def a_window(
    *,
    length: timedelta = 30 * MINUTE,
    warmup: timedelta = 2 * MINUTE,
    deadline: timedelta = timedelta(hours=6),
    at_deadline: AtDeadline = AtDeadline.ASK,
) -> HealthWindow:
    return HealthWindow(length=length, warmup=warmup, deadline=deadline, tile=MINUTE, at_deadline=at_deadline)


def a_rollback(
    *,
    by: Road = Road.COMMIT,
    triggers: Sequence[Trigger] | None = None,
    cool_down: timedelta = timedelta(0),
    also: tuple[str, ...] = (),
) -> Rollback:
    default = (a_count_gate(limit=0.02), DegradedTrigger(name="argocd-degraded", lasting=3 * MINUTE))
    chosen = tuple(triggers) if triggers is not None else default
    return Rollback(watch=60 * MINUTE, by=by, triggers=chosen, cool_down=cool_down, also=also)


def a_policy(
    *,
    gates: Sequence[Gate] | None = None,
    window: HealthWindow | None = None,
    merge: Merge = Merge.AUTO,
    rollback: Rollback | None = None,
    proposing: Proposing | None = None,
) -> Policy:
    staging = Stage(
        name="staging",
        source=None,
        edit=KustomizeEdit(file="apps/checkout/staging/kustomization.yaml"),
        applications=(NamedApplication(name="checkout-staging"),),
        window=window or a_window(),
        gates=tuple(gates) if gates is not None else (a_count_gate(), ArgoHealthyGate(name="argocd-healthy")),
        merge=Merge.HUMAN,
        rollback=None,
    )
    production = Stage(
        name="production",
        source="staging",
        edit=HelmEdit(file="apps/checkout/production/values.yaml", tag="image.tag"),
        applications=(NamedApplication(name="checkout-production"),),
        window=None,
        gates=(),
        merge=merge,
        rollback=rollback if rollback is not None else a_rollback(),
        proposing=proposing or Proposing(opens=Opens.ON_PASS),
    )
    return Policy(
        service="checkout",
        image=IMAGE,
        source="acme/checkout",
        gitops=GitOps(repository="acme/deploy", branch="main"),
        stages=(staging, production),
        file="checkout.yaml",
        version="f" * 64,
    )


def a_change(
    new: str,
    *,
    old: str | None = None,
    commit: Sha = STAGING_COMMIT,
    at: datetime = NOON,
    trailers: Trailers | None = None,
) -> TagChange:
    return TagChange(commit=commit, at=at, author="alice", old=old, new=new, trailers=trailers)


def promoted(tag: str, *, old: str | None = OLD, at: datetime = NOON, commit: Sha = PROMOTION_COMMIT) -> TagChange:
    trailers = Trailers(
        service="checkout", stage="production", release=f"{IMAGE}:{tag}", promotes="staging -> production"
    )
    return a_change(tag, old=old, commit=commit, at=at, trailers=trailers)


def reverted(bad: str, *, back_to: str = OLD, at: datetime = NOON, commit: Sha = REVERT_COMMIT) -> TagChange:
    trailers = Trailers(service="checkout", stage="production", release=f"{IMAGE}:{bad}", reverts=PROMOTION_COMMIT)
    return a_change(back_to, old=bad, commit=commit, at=at, trailers=trailers)


def tags(*changes: TagChange, complete: bool = True) -> TagHistory:
    return TagHistory(head=HEAD, tag=changes[0].new, changes=changes, complete=complete)


def an_application(
    name: str = "checkout-staging",
    *,
    tag: str = NEW,
    revision: Sha = HEAD,
    health: str = "Healthy",
    sync: str = "Synced",
    phase: str = "Succeeded",
    finished_at: datetime | None = NOON,
    reconciled_at: datetime | None = NOON + timedelta(seconds=10),
    health_since: datetime | None = NOON + timedelta(seconds=5),
) -> Application:
    operation = Operation(phase=phase, revisions=(revision,), started_at=NOON, finished_at=finished_at)
    return Application(
        name=name,
        sync=sync,
        health=health,
        revisions=(revision,),
        operation=operation,
        reconciled_at=reconciled_at,
        health_since=health_since,
        images=(f"{IMAGE}:{tag}",),
    )


def samples(
    *counts: tuple[float, float] | None, start: datetime = NOON + 3 * MINUTE, width: timedelta = MINUTE
) -> Samples:
    """Tiles of (bad, total), oldest first; None is a tile without any series."""
    return Samples(
        start=start,
        end=start + len(counts) * width,
        width=width,
        numbers={
            "counted": tuple(None if count is None else count[0] for count in counts),
            "total": tuple(None if count is None else count[1] for count in counts),
        },
        queries=("bad", "total"),
        backend="Prometheus",
        lag=timedelta(seconds=15),
    )


def a_measured(
    *, present: int = 18, expected: int = 20, queries: tuple[str, ...] = ("sum(bad)", "sum(total)")
) -> Measured:
    """What a measurement of half an hour says of itself after twenty minutes."""
    return Measured(
        window_start=NOON,
        window_end=NOON + 30 * MINUTE,
        seen_until=NOON + 20 * MINUTE,
        tile=MINUTE,
        tiles_present=present,
        tiles_expected=expected,
        newest_present=present,
        newest_expected=expected,
        lately_absent=0,
        queries=queries,
        backend="Prometheus",
        lag=timedelta(seconds=15),
    )


def a_stage(
    stage: str,
    tag_history: TagHistory | Trouble,
    *,
    applications: Sequence[Application | NoApplication | Trouble] | None = None,
    carries: Mapping[Sha, Carries] | None = None,
    behind: Mapping[Sha, int] | None = None,
    spells: Sequence[HealthSpell] = (),
    marks: Sequence[Mark] = (),
    memberships: Sequence[Membership] = (),
    sampled: Mapping[str, Samples | Trouble] | None = None,
    artifact: Artifact | Trouble | None = None,
    promotion: Proposal | Trouble | None = None,
    arrival: Proposal | Trouble | None = None,
    revert: Proposal | Trouble | None = None,
    superseded: Sequence[Pull] = (),
) -> StageObservation:
    running = NEW if isinstance(tag_history, Trouble) else tag_history.tag
    default = (an_application(f"checkout-{stage}", tag=running),)
    return StageObservation(
        stage=stage,
        tags=tag_history,
        applications=default if applications is None else tuple(applications),
        ancestry=Ancestry(carries={HEAD: Carries.YES} if carries is None else carries, behind=behind or {}),
        memory=Memory(spells=tuple(spells), marks=tuple(marks), memberships=tuple(memberships)),
        samples=sampled or {},
        artifact=artifact,
        promotion=promotion,
        arrival=arrival,
        revert=revert,
        superseded=tuple(superseded),
    )


def liveness_of(seen: StageObservation, history: TagHistory, now: datetime) -> Liveness:
    """How live the release is that Git says should run in the stage."""
    policy = a_policy()
    return stage_liveness(policy, policy.stage(seen.stage), seen, history, now)


def a_pull(
    number: int = 7,
    *,
    tag: str = NEW,
    state: PullState = PullState.OPEN,
    head: Sha = HEAD,
    base: str = "main",
    draft: bool = False,
    mergeable: bool | None = True,
    closed_by: str | None = None,
    closed_by_bot: bool = False,
    checks: Checks | None = None,
    reviews: Reviews | None = None,
) -> Pull:
    return Pull(
        number=number,
        url=f"https://github.example/acme/deploy/pull/{number}",
        branch=release_branch("checkout", "production", Release(image=IMAGE, tag=tag)),
        base=base,
        head=head,
        state=state,
        draft=draft,
        mergeable=mergeable,
        closed_by=closed_by,
        closed_by_bot=closed_by_bot,
        checks=checks or Checks(),
        reviews=reviews or Reviews(),
    )


def a_proposal(
    pull: Pull | None = None,
    *,
    tag: str = NEW,
    branch_head: Sha | None = HEAD,
    deviation: str | None = None,
    release: str | None = f"{IMAGE}:{NEW}",
) -> Proposal:
    branch = release_branch("checkout", "production", Release(image=IMAGE, tag=tag))
    return Proposal(branch=branch, pull=pull, branch_head=branch_head, deviation=deviation, release=release)


def nothing_proposed() -> Proposal:
    return a_proposal(None, branch_head=None, release=None)


def a_revert_proposal(pull: Pull | None = None, *, deviation: str | None = None) -> Proposal:
    branch = revert_branch("checkout", "production", Release(image=IMAGE, tag=NEW))
    return Proposal(branch=branch, pull=pull, branch_head=HEAD, deviation=deviation)


def an_observation(
    staging: StageObservation | None = None,
    production: StageObservation | None = None,
    *,
    at: datetime = NOON + 40 * MINUTE,
    policy_since: datetime | None = None,
) -> Observation:
    """By default: 1.9.0 has proven itself in staging for a whole window, production still runs 1.8.2."""
    stages = (staging or proven_staging(), production or old_production())
    return Observation(service="checkout", at=at, policy_since=policy_since, stages=stages)


def proven_staging() -> StageObservation:
    good = samples(*[(0.0, 100.0)] * 36)
    return a_stage("staging", tags(a_change(NEW, old=OLD)), sampled={"gate:http-errors": good})


def old_production(*, promotion: Proposal | Trouble | None = None) -> StageObservation:
    history = tags(a_change(OLD, old="1.8.1", commit=PRODUCTION_COMMIT, at=NOON - timedelta(days=3)))
    return a_stage("production", history, promotion=promotion or nothing_proposed())


def new_production(
    *,
    sampled: Mapping[str, Samples | Trouble] | None = None,
    applications: Sequence[Application | NoApplication | Trouble] | None = None,
    revert: Proposal | Trouble | None = None,
    old: str | None = OLD,
) -> StageObservation:
    """Production runs 1.9.0, promoted at noon by Liftlock."""
    history = tags(promoted(NEW, old=old), a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3)))
    return a_stage("production", history, sampled=sampled, applications=applications, revert=revert)
