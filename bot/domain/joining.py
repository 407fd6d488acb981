"""Several stages before one: which of them speak for the release that waits, and what they come to together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.model import Release
from bot.domain.observation import Observation
from bot.domain.observed import carriers
from bot.domain.policy import Join, Stage
from bot.domain.running import Running
from bot.domain.text import join_words

_PROVEN = (State.LET_PASS, State.PROVEN)
_WORST_FIRST = (
    *(State.ROLLING_BACK, State.HALTED, State.UNHEALTHY, State.DEADLINE_PASSED, State.CANNOT_TELL),
    *(State.WAITING_FOR_ROLLOUT, State.OBSERVING, State.WATCHING, State.SETTLED, State.ROLLED_BACK),
    *_PROVEN,
)
"""How far from a proof a stage before is, all of those that a running release can be in."""
_STOPS = (State.ROLLING_BACK, State.HALTED, State.UNHEALTHY)


def source_of(target: Stage, observation: Observation, running: Mapping[str, Running]) -> Running:
    """Return what speaks for the release that waits before `target`, which is no first stage.

    That is the stage before; of several the one that has come furthest where any will do, else all of them as one: the
    worst of them counts, and one that runs another release is waited for.
    """
    before = [running[name] for name in target.sources]
    if len(before) == 1:
        return before[0]
    names = carriers(target, observation)
    if not names:
        # One of them could not be read: nobody knows what waits.
        return next(run for run in before if run.judgement.release is None)
    here = [running[name] for name in names]
    if target.join is Join.ANY:
        return max(here, key=lambda run: _rank(run.judgement))
    return _together(target, here, [run for run in before if run.judgement.stage not in names])


def any_of(target: Stage, running: Mapping[str, Running]) -> Sequence[Running]:
    """Return the stages before of which any one will do; none where there is one only, or all must."""
    is_any = target.join is Join.ANY and len(target.sources) > 1
    return [running[name] for name in target.sources] if is_any else []


def told_of(target: Stage, release: Release, running: Iterable[Judgement]) -> tuple[Judgement, ...]:
    """Return the judgements that a move of `release` into `target` rests on: of each stage before that runs it.

    The one that it waits for longest comes first; where any will do, there is only the one that has come furthest.
    """
    found = [one for one in running if one.role == "running" and one.stage in target.sources]
    if len(target.sources) == 1:
        return tuple(found)
    here = [one for one in found if one.release is not None and one.release.tag == release.tag]
    if target.join is Join.ANY:
        return (max(here, key=_rank),) if here else ()
    return tuple(sorted(here, key=_rank))


def _rank(judgement: Judgement) -> int:
    return _WORST_FIRST.index(judgement.state) if judgement.state in _WORST_FIRST else 0


def _together(target: Stage, here: Sequence[Running], others: Sequence[Running]) -> Running:
    worst = min((run.judgement for run in here), key=_rank)
    releases = [one for run in here if (one := run.judgement.release) is not None]
    judgement = replace(
        worst,
        release=next((one for one in releases if one.digest is not None), worst.release),
        verdicts=tuple(verdict for run in here for verdict in run.judgement.verdicts),
    )
    if others and worst.state not in _STOPS:
        judgement = replace(judgement, stage=others[0].judgement.stage, reason=_runs_another(others[0]))
        judgement = replace(judgement, state=State.OBSERVING, waits_on=WaitsOn.PROMOTION)
    elif worst.state in _PROVEN:
        reasons = dict.fromkeys(run.judgement.reason for run in here)
        judgement = replace(judgement, stage=join_words(target.sources), reason="; ".join(reasons))
    ends = [run.window_end for run in here if run.window_end is not None]
    return Running(
        judgement=judgement,
        is_live=not others and all(run.is_live for run in here),
        window_end=max(ends, default=None),
        parts=tuple(run.judgement for run in here),
    )


def _runs_another(run: Running) -> str:
    release = run.judgement.release
    return f"it still runs {release.tag}" if release is not None else run.judgement.reason
