"""Read what is expected in a test: one mapping of its list `expect`."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from bot.domain.decision import Action, State, WaitsOn
from bot.domain.text import parse_duration
from bot.domain.verdicts import VerdictKind
from bot.policy.grammar import A_DURATION
from bot.policy.reading import Faults, Section, matching, one_of, parsed, shown
from bot.policy.tree import Value
from bot.trial.cases import Expectation, PullRequestIs
from bot.trial.names import A_TAG, TAG, Names, read_name, read_optional, read_stage

DEEDS = tuple(
    kind for action in get_args(Action) for kind in [action.__dataclass_fields__["kind"].default] if kind != "wait"
)
"""What the bot can do, in the words of its actions."""
PULL_REQUEST: tuple[str, ...] = get_args(PullRequestIs)
_OF_RULE = ("verdict", "reason")
_OF_STAGE = ("state", "waits_on", "reason", "tag", "pull_request", "did", "did_not")


def read_expectation(path: str, value: Value, faults: Faults, names: Names) -> Expectation | None:
    """Read one thing that is expected; note what is wrong with it."""
    section = Section.of(value, path, faults)
    if section is None:
        return None
    before = len(faults.found)
    at = section.read("at", parse_duration, f"{A_DURATION}, from the start of the test")
    stage = read_stage(section, "stage", names.stages, usual=names.stages)
    rules = [key for key in ("gate", "trigger") if key in section.entries]
    if len(rules) == 2:
        faults.note(value, path, "a gate and a trigger", "one of the two")
        return None
    found = None
    if at is not None and stage is not None:
        found = _of_rule(section, names, at, stage, rules[0]) if rules else _of_stage(section, at, stage)
    else:
        section.asked.update(section.entries)
    section.finish()
    return found if len(faults.found) == before else None


def _of_rule(section: Section, names: Names, at: timedelta, stage: str, key: str) -> Expectation | None:
    known = names.gates[stage] if key == "gate" else names.triggers[stage]
    rule = read_name(section, key, known, f"a {key} of {stage}")
    verdict = read_optional(section, "verdict", VerdictKind, f"one of {', '.join(VerdictKind)}")
    reason = _reason(section)
    _require(section, _OF_RULE)
    return Expectation(
        at=at,
        line=section.value.line,
        stage=stage,
        rule=rule,
        is_trigger=key == "trigger",
        verdict=verdict,
        reason=reason,
    )


def _of_stage(section: Section, at: timedelta, stage: str) -> Expectation | None:
    state = read_optional(section, "state", State, f"one of {', '.join(State)}")
    waits_on = read_optional(section, "waits_on", WaitsOn, f"one of {', '.join(WaitsOn)}")
    tag = read_optional(section, "tag", matching(TAG), A_TAG)
    release = read_optional(section, "release", matching(TAG), A_TAG)
    pull = read_optional(section, "pull_request", one_of(PULL_REQUEST), f"one of {', '.join(PULL_REQUEST)}")
    reason = _reason(section)
    did, did_not = _deeds(section, "did"), _deeds(section, "did_not")
    _require(section, _OF_STAGE)
    if release is not None and not section.entries.keys() & {"state", "waits_on", "reason"}:
        expected = "state, waits_on or reason beside it: the rest is not of one release"
        section.faults.note(section.entries["release"], section.at("release"), "it alone", expected)
    return Expectation(
        at=at,
        line=section.value.line,
        stage=stage,
        state=state,
        waits_on=waits_on,
        reason=reason,
        release=release,
        tag=tag,
        pull_request=pull,
        did=did,
        did_not=did_not,
    )


def _reason(section: Section) -> str | None:
    found = section.get("reason")
    if found is not None and (found.kind != "text" or not found.text.strip()):
        section.faults.note(found, section.at("reason"), shown(found), "text that stands in the reason")
        return None
    return found.text if found is not None else None


def _deeds(section: Section, key: str) -> tuple[str, ...]:
    """Read one thing that the bot can do, or a list of some."""
    found = section.get(key)
    if found is None:
        return ()
    items = [(section.at(key), found)]
    if found.kind == "list":
        items = [(f"{section.at(key)}[{number}]", one) for number, one in enumerate(found.items)]
    expected = f"one of {', '.join(DEEDS)}"
    read = [parsed(one, path, section.faults, one_of(DEEDS), expected) for path, one in items]
    return tuple(one for one in read if one is not None)


def _require(section: Section, keys: tuple[str, ...]) -> None:
    """Note that nothing is expected; not where a key that nobody knows was meant to say it, which is told anyway."""
    if not section.entries.keys() & set(keys) and section.entries.keys() <= section.asked:
        section.faults.note(
            section.value, section.path, "nothing that is expected", f"one or more of {', '.join(keys)}"
        )
