"""Judge whether a release proves itself in a stage before it may move on: its gates, its artifact, its deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.gates.artifact import judge_artifact, subject_of, subject_with
from bot.domain.gates.judging import judge_gates
from bot.domain.policy import AtDeadline, HealthWindow
from bot.domain.rules import Accept, CountGate
from bot.domain.running_case import RunningCase, because
from bot.domain.stance import Stance
from bot.domain.text import format_duration
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind, combine, deciding, worst


def judge_observed(case: RunningCase, window: HealthWindow) -> Judgement:
    """Judge by the gates of the stage, and where releases begin by what is proven of the artifact, too."""
    gates = judge_gates(case.stage, window, case.tags, case.liveness, case.observation, case.now)
    of_artifact = _of_the_artifact(case)
    verdicts = (*gates, *of_artifact)
    kind = combine(verdicts)
    if kind is VerdictKind.UNHEALTHY:
        return case.judge(State.UNHEALTHY, WaitsOn.HUMAN, because(worst(verdicts)), verdicts)
    is_live = case.liveness.stance is Stance.LIVE
    # Whatever the gates say: what is not live now is not what they have measured (DESIGN.md, section 5).
    if kind is VerdictKind.HEALTHY and is_live:
        words = {1: "its gate is", 2: "both gates are"}
        count = len(deciding(verdicts))
        reason = f"{words.get(count, f'all {count} gates are')} healthy"
        return case.judge(State.PROVEN, WaitsOn.PROMOTION, reason, verdicts)
    late = None if _only_blips(case, window, kind, verdicts) else _lateness(case, window)
    why = because(worst(verdicts)) if kind is not VerdictKind.HEALTHY else case.liveness.reason
    if late is not None:
        return _at_deadline(case, window, f"{late}: {why}", verdicts)
    if case.liveness.first_live is None:
        state = State.CANNOT_TELL if case.is_unclear else State.WAITING_FOR_ROLLOUT
        return case.judge(state, WaitsOn.RUNTIME, case.liveness.reason, verdicts)
    is_unclear = kind is VerdictKind.CANNOT_TELL or (kind is VerdictKind.HEALTHY and case.is_unclear)
    waits_on = WaitsOn.BUILD if worst(verdicts) in of_artifact else WaitsOn.RUNTIME
    return case.judge(State.CANNOT_TELL if is_unclear else State.OBSERVING, waits_on, why, verdicts)


def window_end(case: RunningCase, window: HealthWindow) -> datetime | None:
    """Return when the window is over, if nothing begins it anew; None where the release is not known to be live."""
    began = case.liveness.proof_since
    if began is None:
        return None
    return max(began, case.observation.policy_since or began) + window.warmup + window.length


def _of_the_artifact(case: RunningCase) -> tuple[Verdict, ...]:
    """Judge what may have come by hand: nothing was asked of it before it came."""
    stage = case.stage
    if stage.intake is not None:
        return judge_artifact(stage.artifact, subject_with(case.seen.set_there, case.release, case.now))
    if stage.source is not None:
        return ()
    return judge_artifact(stage.artifact, subject_of(case.seen, case.release, case.now))


def _at_deadline(case: RunningCase, window: HealthWindow, why: str, verdicts: tuple[Verdict, ...]) -> Judgement:
    """Ask a person; or do what the policy says instead, where nothing is missing but more of what was measured."""
    if window.at_deadline is AtDeadline.HOLD:
        reason = f"{why}; the policy lets it wait"
        return case.judge(State.DEADLINE_PASSED, WaitsOn.RUNTIME, reason, verdicts)
    if window.at_deadline is AtDeadline.PROMOTE:
        lenient = _leniently(case, window)
        if case.liveness.stance is Stance.LIVE and combine(lenient) is VerdictKind.HEALTHY:
            reason = f"{why}; the policy promotes it then"
            return case.judge(State.LET_PASS, WaitsOn.PROMOTION, reason, lenient)
        why = f"{why}; the policy promotes at the deadline, but not without measurements"
    return case.judge(State.DEADLINE_PASSED, WaitsOn.HUMAN, why, verdicts)


def _leniently(case: RunningCase, window: HealthWindow) -> tuple[Verdict, ...]:
    """Judge as if every gate that counts accepted what is not shown to be bad; the others know no such thing."""
    gates = tuple(
        replace(gate, accept=Accept.NOT_SHOWN_BAD) if isinstance(gate, CountGate) else gate for gate in case.stage.gates
    )
    stage = replace(case.stage, gates=gates)
    gates_again = judge_gates(stage, window, case.tags, case.liveness, case.observation, case.now)
    return (*gates_again, *_of_the_artifact(case))


def _only_blips(case: RunningCase, window: HealthWindow, kind: VerdictKind, verdicts: tuple[Verdict, ...]) -> bool:
    """Say whether all was proven, and the applications are only not live at this moment, as an autoscaler makes them.

    Nobody needs to be called for that: it passes, or becomes something else.
    """
    since = case.liveness.proof_since
    if case.liveness.stance is not Stance.WAITING or since is None:
        return kind is VerdictKind.HEALTHY
    others = [one for one in deciding(verdicts) if not isinstance(one.evidence, ApplicationEvidence)]
    is_proven = case.now >= since + window.warmup + window.length
    return is_proven and all(one.kind is VerdictKind.HEALTHY for one in others)


def _lateness(case: RunningCase, window: HealthWindow) -> str | None:
    began = case.liveness.first_live or case.tags.introduced.at
    if case.now < began + window.deadline:
        return None
    since = "live" if case.liveness.first_live else "in Git"
    return f"no verdict {format_duration(window.deadline)} after it was {since}"
