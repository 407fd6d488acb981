"""Compare what is expected at a look with what the bot said and did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.decision import Action, Decision, Judgement, Wait
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.domain.pulls import Pull, PullState
from bot.domain.text import join_words
from bot.domain.verdicts import MeasuredEvidence, Verdict, VerdictKind
from bot.render.terminal import verdict_lines
from bot.trial.cases import Expectation
from bot.trial.triggers import gate_verdicts, trigger_verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What can be looked at when something is expected of a stage: all of it is as it is after the look.

    `tag` stands in Git, `pull` is the newest pull request into the stage, `deeds` are what the bot has done there.
    """

    policy: Policy
    decision: Decision
    observation: Observation
    tag: str
    pull: Pull | None
    deeds: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it was expected."""

    key: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is wrong with one expectation, by its line in the file; `said` is what the bot said then, line by line."""

    line: int
    at: timedelta
    about: str
    differences: tuple[Difference, ...] = ()
    said: tuple[str, ...] = ()


def judge(expected: Expectation, sight: Sight) -> Iterator[Failure]:
    """Give a failure if anything is not as it was expected."""
    differences, said = _of_rule(expected, sight) if expected.rule is not None else _of_stage(expected, sight)
    if differences:
        yield Failure(
            line=expected.line,
            at=expected.at,
            about=_about(expected),
            differences=tuple(differences),
            said=tuple(said),
        )


def _about(expected: Expectation) -> str:
    if expected.rule is None:
        return f"{expected.stage}, {expected.release}" if expected.release is not None else expected.stage
    return f"{expected.stage}, {'trigger' if expected.is_trigger else 'gate'} {expected.rule}"


# --- a gate or trigger -----------------------------------------------------------------------------------------------


def _of_rule(expected: Expectation, sight: Sight) -> tuple[list[Difference], Sequence[str]]:
    stage = sight.policy.stage(expected.stage)
    if expected.is_trigger:
        verdicts = trigger_verdicts(sight.policy, stage, sight.observation)
    else:
        verdicts = gate_verdicts(sight.policy, stage, sight.observation, sight.decision)
    verdict = next((one for one in verdicts if one.gate == expected.rule), None)
    if verdict is None:
        why = "the release is not watched" if expected.is_trigger else "no release is being judged here"
        return [_difference("verdict", expected.verdict or "any", f"none: {why}")], _all_said(expected.stage, sight)
    found = []
    if expected.verdict is not None and verdict.kind != expected.verdict:
        found.append(_difference("verdict", expected.verdict, verdict.kind))
    found += _reason(expected, verdict.reason)
    return found, _said_of(verdict)


def _said_of(verdict: Verdict) -> Sequence[str]:
    """Return what a verdict rests on; where it found nothing, what was asked."""
    lines = [f"{verdict.kind}: {verdict.reason}"]
    evidence = verdict.evidence
    if isinstance(evidence, MeasuredEvidence) and verdict.kind in {VerdictKind.NO_DATA, VerdictKind.CANNOT_TELL}:
        lines += [f"asked: {query}" for query in evidence.measured.queries]
    return lines


# --- a stage ---------------------------------------------------------------------------------------------------------


def _of_stage(expected: Expectation, sight: Sight) -> tuple[list[Difference], Sequence[str]]:
    found = [*_tag(expected, sight), *_pull(expected, sight), *_deeds(expected, sight)]
    if expected.state is None and expected.waits_on is None and expected.reason is None:
        return found, _all_said(expected.stage, sight)
    judgement = _chosen(expected, sight)
    if judgement is None:
        there = [f"{one.release.tag} ({one.state})" for one in _judgements(expected.stage, sight) if one.release]
        found.append(_difference("release", expected.release or "any", join_words(there) or "none"))
        return found, _all_said(expected.stage, sight)
    if expected.state is not None and judgement.state != expected.state:
        found.append(_difference("state", expected.state, judgement.state))
    if expected.waits_on is not None and judgement.waits_on != expected.waits_on:
        found.append(_difference("waits_on", expected.waits_on, judgement.waits_on))
    found += _reason(expected, judgement.reason)
    return found, _all_said(expected.stage, sight)


def _judgements(stage: str, sight: Sight) -> Sequence[Judgement]:
    """Return the judgements of a stage, that of a release on its way first."""
    mine = [one for one in sight.decision.judgements if one.stage == stage]
    return sorted(mine, key=lambda one: one.role != "candidate")


def _chosen(expected: Expectation, sight: Sight) -> Judgement | None:
    """Return the judgement that is meant: of the release that is named, else of one on its way, else of what runs."""
    for judgement in _judgements(expected.stage, sight):
        tag = judgement.release.tag if judgement.release is not None else None
        if expected.release in (None, tag):
            return judgement
    return None


def _all_said(stage: str, sight: Sight) -> Sequence[str]:
    return verdict_lines(sight.decision, _judgements(stage, sight))


def _tag(expected: Expectation, sight: Sight) -> Iterator[Difference]:
    if expected.tag is not None and sight.tag != expected.tag:
        yield _difference("tag", expected.tag, sight.tag)


def _pull(expected: Expectation, sight: Sight) -> Iterator[Difference]:
    if expected.pull_request is not None and _shown(sight.pull) != expected.pull_request:
        yield _difference("pull_request", expected.pull_request, _shown(sight.pull))


def _shown(pull: Pull | None) -> str:
    if pull is None:
        return "none"
    return "draft" if pull.draft and pull.state is PullState.OPEN else pull.state


def _deeds(expected: Expectation, sight: Sight) -> Iterator[Difference]:
    done = list(dict.fromkeys(action.kind for action in sight.deeds if not isinstance(action, Wait)))
    for deed in expected.did:
        if deed not in done:
            yield _difference("did", deed, join_words([*done]) or "nothing yet")
    for deed in expected.did_not:
        if deed in done:
            yield _difference("did_not", deed, "that it did")


# --- both ------------------------------------------------------------------------------------------------------------


def _reason(expected: Expectation, found: str) -> Iterator[Difference]:
    """Compare without regard to case and white space: a sentence may be folded in the file."""
    if expected.reason is not None and _plain(expected.reason) not in _plain(found):
        yield _difference("reason", f"… {' '.join(expected.reason.split())} …", found)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _difference(key: str, expected: str, found: str) -> Difference:
    return Difference(key=key, expected=str(expected), found=str(found))
