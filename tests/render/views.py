"""Views for tests of the texts: 1.9.0 of checkout on its way from staging to production, in each state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals import Approver, Discounted, Tally, sentence_of
from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.edit import Change
from bot.domain.gates.artifact import judge_artifact
from bot.domain.model import Digest, Release, Sha
from bot.domain.policy import EvidenceIn, Merge, Policy, Proposing, Stage
from bot.domain.proofs import Proven
from bot.domain.pulls import Checks, MergeRules, PullState, Reviews
from bot.domain.timeline import Milestone, Step
from bot.domain.verdicts import CountEvidence, Slice, Verdict, VerdictKind
from bot.forge import SourceCommit, Span
from bot.render.views import (
    AnswerView,
    ChangeView,
    Circumstances,
    CommentView,
    MoveView,
    OverrideView,
    RevertView,
    SupersededView,
)
from tests.builders import IMAGE, MINUTE, NEW, NOON, OLD, a_measured, a_policy, a_pull, sha
from tests.trusted import WORKFLOW, a_signature, a_signature_rule, a_subject, proven_of

FORGE = "https://github.example"
POLICY = a_policy()
STAGING, PRODUCTION = POLICY.stages
BEFORE = Release(image=IMAGE, tag=OLD, digest=Digest(f"sha256:{'1' * 64}"), revision=Sha("a" * 40))
AFTER = Release(image=IMAGE, tag=NEW, digest=Digest(f"sha256:{'2' * 64}"), revision=Sha("b" * 40))
NOW = NOON + 12 * MINUTE
APPROVERS = ("@dana", "@acme/release")


def slices(*bad: float) -> tuple[Slice, ...]:
    return tuple(
        Slice(start=NOON + n * MINUTE, end=NOON + (n + 1) * MINUTE, bad=one, total=100.0) for n, one in enumerate(bad)
    )


def a_verdict(
    kind: VerdictKind = VerdictKind.HEALTHY,
    *,
    gate: str = "http-errors",
    reason: str = "3 of 2,000 bad (0.15 %), limit 1 %",
    would_change: str = "200 more requests",
    bad: float = 3.0,
) -> Verdict:
    found = CountEvidence(
        measured=a_measured(),
        bad=bad,
        total=2000.0,
        limit=0.01,
        floor=300,
        upper_bound=0.004,
        e_value=0.5,
        alarm=20,
        dispersion=1,
        course=slices(0.0, 1.0, 0.0, 2.0, bad / 10),
    )
    return Verdict(gate=gate, kind=kind, reason=reason, would_change=would_change, evidence=found)


TIMELINE = (
    Milestone(step=Step.MERGED, at=NOON, source="Git: the committer's time of the branch's commit"),
    Milestone(step=Step.LIVE, at=NOON + timedelta(seconds=65), source="the last of these, of every application"),
)


def judged(
    state: State,
    reason: str,
    *verdicts: Verdict,
    stage: str = "staging",
    waits_on: WaitsOn = WaitsOn.RUNTIME,
    pull: int | None = None,
) -> Judgement:
    return Judgement(
        stage=stage,
        role="candidate" if pull is not None else "running",
        release=AFTER,
        state=state,
        waits_on=waits_on,
        reason=reason,
        verdicts=verdicts,
        timeline=TIMELINE if pull is None else (),
        pull=pull,
    )


def candidate(state: State, reason: str, waits_on: WaitsOn = WaitsOn.PROMOTION) -> Judgement:
    return judged(state, reason, stage="production", waits_on=waits_on, pull=7)


OBSERVING = judged(
    State.OBSERVING, "http-errors: window ends 12:30:00 UTC", a_verdict(VerdictKind.NOT_YET, would_change="18 minutes")
)
PROVEN = judged(State.PROVEN, "both gates are healthy", a_verdict(), a_verdict(gate="latency"))
BAD = judged(
    State.UNHEALTHY,
    "http-errors: 240 of 2,000 bad (12 %), limit 1 %",
    a_verdict(VerdictKind.UNHEALTHY, bad=240.0),
    a_verdict(gate="latency"),
    waits_on=WaitsOn.HUMAN,
)


def a_comment(**changes: object) -> CommentView:
    view = CommentView(policy=POLICY, stage=PRODUCTION, release=AFTER, forge_url=FORGE)
    return replace(view, **changes)  # type: ignore[arg-type]  # a test names only what it changes


CHANGE = Change(
    file=PRODUCTION.edit.file, path="image.tag", line=3, old=OLD, new=NEW, at=0, was=f'"{OLD}"', now=f'"{NEW}"'
)
COMMITS = (
    SourceCommit(sha=sha("c1"), author="alice", title="Retry a declined card once (#412)"),
    SourceCommit(sha=sha("c2"), author="bob", title="Round totals half to even"),
)


def a_move(**changes: object) -> MoveView:
    view = MoveView(
        policy=POLICY,
        source=STAGING,
        stage=PRODUCTION,
        release=AFTER,
        replaces=BEFORE,
        changes=(CHANGE,),
        forge_url=FORGE,
        judgement=PROVEN,
        span=Span(commits=COMMITS, total=2, is_forward=True),
    )
    return replace(view, **changes)  # type: ignore[arg-type]  # as above


def moved(stands: CommentView, **changes: object) -> MoveView:
    """The move whose standing the comment shows."""
    approvals = stands.candidate.approvals if stands.candidate is not None else None
    kept: dict[str, object] = {"approvals": approvals, **changes}
    judgement = stands.source or PROVEN
    return a_move(stage=stands.stage, judgement=judgement, beside=stands.beside, standing=stands, **kept)


def a_stage(merge: Merge = Merge.AUTO, evidence: EvidenceIn = EvidenceIn.COMMENT) -> Stage:
    proposing = Proposing(approvers=APPROVERS, notify=("@acme/oncall",), evidence=evidence)
    return replace(PRODUCTION, merge=merge, proposing=proposing)


def a_revert(**changes: object) -> RevertView:
    view = RevertView(
        policy=POLICY,
        stage=PRODUCTION,
        release=AFTER,
        back_to=BEFORE,
        promotion=sha("promo"),
        changes=(replace(CHANGE, old=NEW, new=OLD),),
        judgement=replace(BAD, stage="production", state=State.ROLLING_BACK, waits_on=WaitsOn.NOTHING),
    )
    return replace(view, **changes)  # type: ignore[arg-type]  # as above


HISTORY = (
    ChangeView(at=NOON + 12 * MINUTE, state="observing", reason="http-errors: window ends 12:30:00 UTC"),
    ChangeView(at=NOON + MINUTE, state="waiting for rollout", reason="checkout-staging is progressing"),
)
ANSWERS = (
    AnswerView(
        by="dana",
        order="/liftlock hold the shop is on television tonight",
        at=NOON + 10 * MINUTE,
        is_accepted=True,
        effect="Held by dana: nothing moves into production until `/liftlock resume`.",
    ),
    AnswerView(
        by="eve",
        order="/liftlock promote --override http-errors it is fine",
        at=NOON + 8 * MINUTE,
        is_accepted=False,
        effect="@eve may not override gates in production: that needs the maintain role; eve has read.",
    ),
    AnswerView(by="bob", order="/liftlock explain", at=NOON + 7 * MINUTE, is_accepted=True, effect="Answered."),
)


def _waiting(
    state: State, reason: str, waits_on: WaitsOn = WaitsOn.PROMOTION, stage: Stage | None = None, **around: object
) -> CommentView:
    around.setdefault("pull", a_pull())
    circumstances = replace(Circumstances(now=NOW), **around)  # type: ignore[arg-type]  # as above
    return a_comment(
        stage=stage or a_stage(),
        source=PROVEN,
        candidate=candidate(state, reason, waits_on),
        circumstances=circumstances,
    )


def _joined() -> CommentView:
    """A second staging stands beside the first, and has not passed its window yet."""
    us = replace(STAGING, name="staging-us")
    production = replace(a_stage(), beside=("staging-us",))
    policy = replace(POLICY, stages=(STAGING, us, production))
    return a_comment(
        policy=policy,
        stage=production,
        source=replace(OBSERVING, stage="staging-us"),
        beside=(PROVEN,),
        candidate=candidate(State.OBSERVING, "staging-us: http-errors: window ends 12:30:00 UTC", WaitsOn.RUNTIME),
        circumstances=Circumstances(now=NOW, pull=a_pull(draft=True)),
    )


def _asking(tally: Tally) -> CommentView:
    """How it stands with the approvals that the policy asks for."""
    if tally.is_enough:
        view = _waiting(State.READY_TO_MERGE, "staging: both gates are healthy")
    else:
        state = State.CANNOT_TELL if tally.trouble else State.WAITING_FOR_REVIEW
        view = _waiting(state, sentence_of(tally, 7), WaitsOn.HUMAN)
    assert view.candidate is not None
    return replace(view, candidate=replace(view.candidate, approvals=tally))


def _verified(state: State, reason: str, waits_on: WaitsOn, proven: Proven) -> CommentView:
    view = _waiting(state, reason, waits_on)
    assert view.candidate is not None
    verdicts = judge_artifact((a_signature_rule(),), a_subject(proven))
    return replace(view, candidate=replace(view.candidate, verdicts=verdicts))


def _observed(policy: Policy = POLICY, *, draft: bool = True) -> CommentView:
    return a_comment(
        policy=policy,
        stage=a_stage(),
        source=OBSERVING,
        candidate=candidate(State.OBSERVING, f"staging: {OBSERVING.reason}", WaitsOn.RUNTIME),
        circumstances=Circumstances(now=NOW, pull=a_pull(draft=draft), history=HISTORY),
    )


def _before(source: Judgement) -> CommentView:
    waits = candidate(source.state, f"staging: {source.reason}", WaitsOn.RUNTIME)
    return a_comment(
        stage=a_stage(), source=source, candidate=waits, circumstances=Circumstances(now=NOW, pull=a_pull(draft=True))
    )


def _unhealthy() -> CommentView:
    return a_comment(
        stage=a_stage(),
        source=BAD,
        candidate=candidate(State.UNHEALTHY, f"staging: {BAD.reason}", WaitsOn.HUMAN),
        circumstances=Circumstances(now=NOW, pull=a_pull(draft=True)),
    )


def _running(state: State, reason: str, waits_on: WaitsOn, *verdicts: Verdict) -> CommentView:
    running = judged(state, reason, *verdicts, stage="production", waits_on=waits_on)
    merged = replace(a_pull(state=PullState.MERGED), merged_by="dana")
    return a_comment(stage=a_stage(), running=running, circumstances=Circumstances(now=NOW, pull=merged))


RULES = MergeRules(approvals=2)
CLOSED = a_pull(state=PullState.CLOSED, closed_by="dana")
OVERRIDE = OverrideView(gate="http-errors", by="dana", reason="the errors are the load test's")
STATES: Mapping[str, Callable[[], CommentView]] = {
    "observing": _observed,
    "rolling-out": lambda: _before(
        judged(State.WAITING_FOR_ROLLOUT, "checkout-staging is Progressing", a_verdict(VerdictKind.NOT_YET))
    ),
    "cannot-tell": lambda: _before(
        judged(
            State.CANNOT_TELL,
            "http-errors: Prometheus could not be asked: 503 Service Unavailable",
            replace(a_verdict(VerdictKind.CANNOT_TELL, reason="Prometheus could not be asked"), evidence=None),
        )
    ),
    "ready": lambda: _waiting(State.READY_TO_MERGE, "staging: both gates are healthy"),
    "draft-made-ready": lambda: _waiting(
        State.READY_TO_PROPOSE, "staging: both gates are healthy", pull=a_pull(draft=True)
    ),
    "waiting-for-checks": lambda: _waiting(
        State.WAITING_FOR_CHECKS,
        "checks not done on #7: build, e2e",
        pull=a_pull(checks=Checks(failed=("lint",), pending=("build",), missing=("e2e",))),
    ),
    "waiting-for-review": lambda: _waiting(
        State.WAITING_FOR_REVIEW,
        "#7 needs an approving review",
        WaitsOn.HUMAN,
        pull=a_pull(reviews=Reviews(approved_by=("bob",), is_short=True)),
        rules=RULES,
    ),
    "waiting-for-approvals": lambda: _asking(
        Tally(
            need=2,
            people=("@acme/release",),
            given=(Approver(id=11, login="dana", ways=("command", "review")),),
            others=(
                Discounted(login="eve", why="wrote a source commit"),
                Discounted(login="bob", why="approved the earlier head 1234567"),
            ),
        )
    ),
    "approvals-cannot-be-told": lambda: _asking(
        Tally(
            need=1,
            people=(),
            others=(Discounted(login="dana", why="could not be looked up"),),
            unknown=("Dev Eloper", "Ops"),
            trouble="GitHub: it did not answer within 10 s",
        )
    ),
    "approved": lambda: _asking(
        Tally(
            need=2,
            people=("@acme/release",),
            given=(
                Approver(id=11, login="dana", ways=("review",)),
                Approver(id=12, login="erin", ways=("command",)),
            ),
        )
    ),
    "changes-requested": lambda: _waiting(
        State.WAITING_FOR_HUMAN,
        "eve asked for changes on #7",
        WaitsOn.HUMAN,
        pull=a_pull(reviews=Reviews(changes_requested_by=("eve",))),
    ),
    "needs-a-person": lambda: _waiting(
        State.WAITING_FOR_HUMAN,
        "the policy leaves the merge of #7 to a person",
        WaitsOn.HUMAN,
        stage=a_stage(Merge.HUMAN),
    ),
    "being-merged": lambda: _waiting(State.WAITING_TO_BE_MERGED, "#7 is in the merge queue"),
    "overridden": lambda: replace(
        _waiting(State.READY_TO_MERGE, "staging: overridden by a person: http-errors", overrides=(OVERRIDE,)),
        source=replace(BAD, verdicts=(a_verdict(VerdictKind.NO_DATA, reason="no traffic"), a_verdict(gate="latency"))),
    ),
    "held": lambda: _waiting(
        State.HELD_BY_HUMAN,
        "dana holds production: the shop is on television tonight",
        WaitsOn.HUMAN,
        answers=ANSWERS,
        history=HISTORY,
    ),
    "rejected": lambda: _waiting(
        State.REJECTED_BY_HUMAN,
        "#7 was closed by dana without a merge, which rejects this release",
        WaitsOn.HUMAN,
        pull=CLOSED,
    ),
    "withdrawn": lambda: _waiting(
        State.OBSERVING, "staging: a newer policy began the window anew", pull=replace(CLOSED, closed_by_bot=True)
    ),
    "unhealthy": _unhealthy,
    "quarantined": lambda: _waiting(
        State.QUARANTINED,
        "it was rolled back from production by 7265766; only a person may move it there again",
        WaitsOn.HUMAN,
    ),
    "superseded": lambda: _waiting(State.READY_TO_MERGE, "staging: both gates are healthy", superseded_by=13),
    "pushed-to": lambda: _waiting(
        State.HALTED,
        "#7 is not exactly the planned edit, so only a person may merge it: README.md differs",
        WaitsOn.HUMAN,
    ),
    "rolling-back-first": lambda: _waiting(State.HALTED, "production is being rolled back first", WaitsOn.RUNTIME),
    "no-verdict": lambda: a_comment(
        stage=a_stage(),
        source=replace(OBSERVING, state=State.DEADLINE_PASSED, waits_on=WaitsOn.HUMAN),
        candidate=candidate(
            State.DEADLINE_PASSED, "staging: no verdict 6h after it was live: http-errors: no traffic", WaitsOn.HUMAN
        ),
        circumstances=Circumstances(now=NOW, pull=a_pull(draft=True)),
    ),
    "no-verdict-held": lambda: a_comment(
        stage=a_stage(),
        source=replace(OBSERVING, state=State.DEADLINE_PASSED, waits_on=WaitsOn.RUNTIME),
        candidate=candidate(
            State.DEADLINE_PASSED,
            "staging: no verdict 6h after it was live: http-errors: no traffic; the policy lets it wait",
            WaitsOn.RUNTIME,
        ),
        circumstances=Circumstances(now=NOW, pull=a_pull(draft=True)),
    ),
    "let-pass": lambda: replace(
        _waiting(
            State.READY_TO_MERGE,
            "staging: no verdict 6h after it was live: http-errors: 0 of 36 bad: too little traffic to prove a limit "
            "this low; the policy promotes it then",
        ),
        source=judged(State.LET_PASS, "no verdict 6h after it was live", a_verdict(VerdictKind.HEALTHY)),
    ),
    "cooling-down": lambda: _waiting(
        State.COOLING_DOWN, "production cools down until 13:20:00 UTC, after the rollback of 1.9.1"
    ),
    "pausing": lambda: _waiting(State.PAUSED, "it has passed staging and pauses for 1h, until 13:20:00 UTC"),
    "joined": _joined,
    "frozen": lambda: _waiting(State.FROZEN, "frozen until 2027-01-04 00:00 Europe/Berlin: end-of-year freeze"),
    "frozen-overridden": lambda: _waiting(
        State.READY_TO_MERGE,
        "staging: both gates are healthy; overridden by a person: calendar (frozen until 2027-01-04 00:00 UTC: "
        "the year ends); dana: outage",
        overrides=(OverrideView(gate="calendar", by="dana", reason="outage"),),
    ),
    "verified": lambda: _verified(
        State.READY_TO_MERGE, "staging: both gates are healthy", WaitsOn.PROMOTION, proven_of(a_signature())
    ),
    "waiting-for-build": lambda: _verified(
        State.WAITING_FOR_BUILD,
        "artifact-signature: no signature was found beside sha256:aaaaaaaaaaaa yet",
        WaitsOn.BUILD,
        proven_of(),
    ),
    "not-trusted": lambda: _verified(
        State.NOT_TRUSTED,
        "artifact-signature: the signature does not count: its workflow's ref is refs/heads/main, not refs/tags/v1.9.0",
        WaitsOn.HUMAN,
        proven_of(a_signature(subject=f"{WORKFLOW}@refs/heads/main")),
    ),
    "merged": lambda: a_comment(
        stage=a_stage(),
        circumstances=Circumstances(now=NOW, pull=replace(a_pull(state=PullState.MERGED), merged_by="dana")),
    ),
    "watched": lambda: _running(
        State.WATCHING,
        "no trigger has fired; watched until 13:00:00 UTC",
        WaitsOn.RUNTIME,
        a_verdict(VerdictKind.NOT_YET, would_change="window ends 13:01:00 UTC"),
    ),
    "settled": lambda: _running(State.SETTLED, "live, and nothing is left to decide", WaitsOn.NOTHING),
    "rolled-back-in-vain": lambda: a_comment(
        stage=a_stage(),
        reverted_by=sha("revert"),
        reverted_at=NOW,
        reverted_why="http-errors: 240 of 2,000 bad (12 %), limit 2 %",
        did_not_help="the rollback of 1.9.0 to 1.8.2 did not help: http-errors: 180 of 900 bad (20 %), limit 2 %",
        circumstances=Circumstances(now=NOW, pull=a_pull(state=PullState.MERGED)),
    ),
    "rolled-back": lambda: a_comment(
        stage=a_stage(),
        reverted_by=sha("revert"),
        reverted_at=NOON,
        reverted_why="http-errors: 40 of 200 bad (20 %)",
        circumstances=Circumstances(now=NOW, pull=a_pull(state=PullState.MERGED)),
    ),
}
"""How a release may stand, by the name of its golden files."""

REPLACES = (SupersededView(number=12, tag="1.8.9"),)
