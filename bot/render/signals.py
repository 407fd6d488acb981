"""Signals where people work: the check on the proposal, statuses and deployments of the source commit, a last word.

| state of the candidate                                   | check   |
|----------------------------------------------------------|---------|
| on its way, and every gate healthy or overridden (I1)    | passed  |
| the same, but it lacks approvals that the policy wants   | waiting |
| unhealthy, quarantined, rejected, held, halted, replaced | failed  |
| anything else: observing, cannot tell, no verdict, …     | waiting |

A gate in the shadow counts for nothing. A release that was not measured at all is never passed (I5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.model import NOT_SET
from bot.domain.naming import check_name
from bot.domain.policy import Policy
from bot.domain.text import count_of, format_instant
from bot.domain.verdicts import MeasuredEvidence, VerdictKind, deciding
from bot.forge import CheckState, CheckText, DeploymentState, DeploymentText, StatusState, StatusText
from bot.render.answers import override_lines
from bot.render.approvals import approval_section
from bot.render.artifact import artifact_table
from bot.render.escape import code, for_status, plain
from bot.render.links import commit_link, pull_link
from bot.render.room import Room, fit
from bot.render.screen import first_screen
from bot.render.sections import evidence_of, judged_by
from bot.render.views import CommentView

_LONGEST_STATUS = 140
_LONGEST_CHECK = 200
_MINUTE = timedelta(minutes=1)
_FAILED = frozenset(
    {
        State.UNHEALTHY,
        State.NOT_TRUSTED,
        State.QUARANTINED,
        State.REJECTED_BY_HUMAN,
        State.HELD_BY_HUMAN,
        State.ROLLING_BACK,
    }
)
_BEFORE = frozenset({State.OBSERVING, State.WAITING_FOR_ROLLOUT, State.CANNOT_TELL})
"""What a candidate has of the stage before, and that would sound as if it were said of its own."""
_ON_ITS_WAY = frozenset(
    {
        State.READY_TO_PROPOSE,
        State.READY_TO_MERGE,
        State.WAITING_FOR_HUMAN,
        State.WAITING_FOR_CHECKS,
        State.WAITING_FOR_REVIEW,
        State.WAITING_TO_BE_MERGED,
        State.COOLING_DOWN,
    }
)


# --- the check on the proposal ---------------------------------------------------------------------------------------


def check_text(view: CommentView, started_at: datetime, url: str = "") -> CheckText:
    """Return the check `liftlock/STAGE` on an open proposal's head: its verdict, and the evidence it rests on."""
    screen = first_screen(view)
    judgement = view.candidate or view.source
    reason = for_status(judgement.reason, _LONGEST_CHECK) if judgement is not None else "it was not judged yet"
    return CheckText(
        name=check_name(view.stage.name),
        state=check_state(view),
        title=for_status(f"{screen.word.rstrip('.')}: {reason}", _LONGEST_CHECK),
        summary=fit(lambda room: _summary(view, room)),
        started_at=started_at,
        url=url,
    )


def bystander_text(name: str, started_at: datetime, *, is_rollback: bool) -> CheckText:
    """Return the check on a pull request in which there is nothing to judge."""
    what = "This takes a release back" if is_rollback else "This is no promotion of Liftlock's"
    title = f"{what}: there is nothing to wait for"
    return CheckText(name=name, state="passed", title=title, summary=f"{title}.", started_at=started_at)


def withdrawn_text(name: str, reason: str, started_at: datetime) -> CheckText:
    """Return the check on a pull request that the bot has withdrawn."""
    title = for_status(f"Withdrawn: {reason}", _LONGEST_CHECK)
    summary = f"Withdrawn: {plain(reason)}."
    return CheckText(name=name, state="failed", title=title, summary=summary, started_at=started_at)


def check_state(view: CommentView) -> CheckState:
    """Return the state of the check, by the table above."""
    judgement = view.candidate
    if view.circumstances.superseded_by is not None:
        return "failed"
    if judgement is None:
        return "waiting"
    if judgement.state in _FAILED or (judgement.state is State.HALTED and judgement.waits_on is WaitsOn.HUMAN):
        return "failed"
    is_approved = judgement.approvals is None or judgement.approvals.is_enough
    return "passed" if judgement.state in _ON_ITS_WAY and is_approved and _is_cleared(view) else "waiting"


def _is_cleared(view: CommentView) -> bool:
    verdicts = tuple(verdict for one in view.sources for verdict in deciding(one.verdicts))
    verdicts += view.candidate.verdicts if view.candidate is not None else ()
    if not verdicts and view.source is not None and view.source.state is State.OFFERED:
        # The policy asks for nothing of what comes from the registry.
        return True
    overridden = {one.gate for one in view.circumstances.overrides}
    return bool(verdicts) and all(one.kind is VerdictKind.HEALTHY or one.gate in overridden for one in verdicts)


def _summary(view: CommentView, room: Room) -> list[str]:
    return [
        first_screen(view).text,
        override_lines(view.circumstances.overrides),
        approval_section(view.candidate.approvals if view.candidate is not None else None),
        *(part for one in view.sources for part in evidence_of(view.policy.stage(one.stage), one, room)),
        artifact_table(view.candidate.verdicts) if view.candidate is not None and view.candidate.verdicts else "",
        judged_by(view.policy, view.forge_url),
    ]


# --- statuses and deployments of the source commit -------------------------------------------------------------------

_STATUSES: dict[State, StatusState] = {
    State.PROVEN: "success",
    State.LET_PASS: "success",
    State.SETTLED: "success",
    State.ROLLED_BACK: "success",
    State.UNHEALTHY: "failure",
    State.NOT_TRUSTED: "failure",
    State.ROLLING_BACK: "failure",
    State.QUARANTINED: "failure",
    State.REJECTED_BY_HUMAN: "failure",
    State.HALTED: "error",
    State.DEADLINE_PASSED: "error",
}
"""All others are pending. `rolled back` is said of the release that came back, which is well."""


def status_text(policy: Policy, judgement: Judgement, now: datetime, url: str = "") -> StatusText:
    """Return the status of a release's source commit for one stage, as `liftlock/SERVICE/STAGE`."""
    return StatusText(
        context=f"liftlock/{policy.service}/{judgement.stage}",
        state=_STATUSES.get(judgement.state, "pending"),
        description=for_status(f"{judgement.stage}: {_described(judgement, now)}", _LONGEST_STATUS),
        url=url,
    )


def _described(judgement: Judgement, now: datetime) -> str:
    said = [str(judgement.state)]
    if judgement.role == "candidate":
        word = "not there yet" if judgement.state in _BEFORE else said[0]
        return f"{word}: {judgement.reason}"
    window = _window(judgement)
    if window is not None and judgement.state in {State.OBSERVING, State.WATCHING}:
        start, length = window
        passed = min(max(now - start, timedelta(0)), length)
        said.append(f"{passed // _MINUTE} of {length // _MINUTE} min")
    verdicts = deciding(judgement.verdicts)
    if not verdicts:
        return f"{said[0]}: {judgement.reason}"
    bad = sum(verdict.kind is VerdictKind.UNHEALTHY for verdict in verdicts)
    return ", ".join([*said, f"{bad} of {count_of(len(verdicts), 'gate')} unhealthy"])


def _window(judgement: Judgement) -> tuple[datetime, timedelta] | None:
    evidence = [verdict.evidence for verdict in judgement.verdicts]
    found = [one.measured for one in evidence if isinstance(one, MeasuredEvidence)]
    if not found:
        return None
    last = max(found, key=lambda one: one.window_end)
    return last.window_start, last.window_end - last.window_start


_DEPLOYED: dict[State, DeploymentState] = {
    State.PROVEN: "success",
    State.LET_PASS: "success",
    State.SETTLED: "success",
    State.ROLLED_BACK: "success",
    State.UNHEALTHY: "failure",
    State.ROLLING_BACK: "failure",
    State.HALTED: "failure",
    State.DEADLINE_PASSED: "failure",
}


def deployment_text(policy: Policy, judgement: Judgement, now: datetime, url: str = "") -> DeploymentText | None:
    """Return the deployment of a release's source commit to a stage; None where it is not there, or has no commit.

    A release that was taken back is `inactive`.
    """
    release = judgement.release
    if release is None or release.revision is None or release.tag == NOT_SET:
        return None
    is_taken_back = judgement.role == "candidate" and judgement.state is State.QUARANTINED
    if judgement.role == "candidate" and not is_taken_back:
        return None
    stage = policy.stage(judgement.stage)
    return DeploymentText(
        environment=f"{policy.service}/{stage.name}",
        ref=release.revision,
        state="inactive" if is_taken_back else _DEPLOYED.get(judgement.state, "in_progress"),
        description=for_status(f"{release.tag}: {_described(judgement, now)}", _LONGEST_STATUS),
        is_production=not policy.targets_of(stage),
        log_url=url,
    )


# --- the last word on the source pull request ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What became of a release in a stage: by which promotion it came, when it was live, or what took it back."""

    number: int | None = None
    at: datetime | None = None


def source_comment(view: CommentView, arrived: Arrived) -> str | None:
    """Return what is told on the source pull request: it is live there, or it was taken back; None if neither is so."""
    service, release, stage = code(view.policy.service), code(view.release.tag), code(view.stage.name)
    repository = view.policy.gitops.repository
    by = f" by {pull_link(view.forge_url, repository, arrived.number)}" if arrived.number is not None else ""
    if view.reverted_by is not None:
        commit = commit_link(view.forge_url, repository, view.reverted_by)
        why = f" Why: {plain(view.reverted_why)}." if view.reverted_why else ""
        quarantined = "It is quarantined: only a person may move it there again."
        return f"{service} {release}, which has this change, was taken out of {stage} by {commit}.{why} {quarantined}"
    if view.running is None or arrived.at is None:
        return None
    at = f" at {arrived.at:%Y-%m-%d} {format_instant(arrived.at)}"
    return f"{service} {release}, which has this change, reached {stage}{at}{by}."
