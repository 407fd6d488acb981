"""A test file to its values, or all that is wrong with it: file, line, column, path, found, expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.domain.policy import Policy
from bot.domain.text import count_of, format_duration, parse_instant
from bot.domain.verdicts import SCRAPES_IN_A_TILE
from bot.policy import PolicyError, parse_policy, shipped_gate_templates
from bot.policy.defaults import read_inherited
from bot.policy.files import fault_of, read_text
from bot.policy.grammar import A_DURATION
from bot.policy.own_templates import read_own_templates
from bot.policy.reading import Faults, Section, positive_duration, shown
from bot.policy.tree import Place, Value, read_tree
from bot.trial.cases import Case, TrialFile
from bot.trial.expectations import read_expectation
from bot.trial.files import policy_beside
from bot.trial.given import Given
from bot.trial.happenings import read_event
from bot.trial.names import Names
from bot.trial.people import read_people, read_teams

MOST_TESTS = 200
MOST_LOOKS = 5_000
_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
_EARLIEST, _LATEST = datetime(2001, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
_INTERVAL, _LOOKS = timedelta(seconds=15), timedelta(minutes=1)
_A_START = "a time with its offset from UTC, from 2001 to 2089, such as 2026-11-02T09:00:00Z"
_LONGEST_NAME = 200


def read_trial(path: Path) -> TrialFile:
    """Read a test file and its policy. Raise PolicyError with every fault of the file, or of its policy."""
    file = str(path)
    text = read_text(path, file=file)
    if not text.strip():
        raise PolicyError([fault_of(file, "an empty file", "tests of a policy")])
    faults = Faults(file=file)
    top = Section.of(read_tree(text, file=file, faults=faults.found), "", faults)
    policy = _policy(top, path) if top is not None else None
    found = _Reader(faults=faults, policy=policy, names=Names.of(policy)).file(top) if top and policy else None
    if found is None or faults.found:
        raise PolicyError(faults.found)
    return found


def _policy(top: Section, path: Path) -> Policy | None:
    """Read the policy as the bot does; its faults end it here, since nothing can be tested by it."""
    named = top.get("policy")
    if named is not None and named.kind != "text":
        top.faults.note(named, "policy", shown(named), "the path of a policy, from this file")
        return None
    place = policy_beside(path) if named is None else path.parent / named.text
    if not _is_there(place):
        where = named.place if named is not None else Place(str(path), 0, 0)
        expected = "a policy beside its tests, or its path under policy"
        top.faults.note_at(where, "policy", f"no file {place}", expected)
        return None
    own = read_own_templates(place.parent)
    templates = {**shipped_gate_templates(), **own.templates}
    text = read_text(place, file=str(place))
    inherited = read_inherited(place.parent)
    return parse_policy(text, file=str(place), templates=templates, broken=own.broken, inherited=inherited)


def _is_there(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError:
        # A name that is too long for any file.
        return False


def _parse_start(text: str) -> datetime:
    found = parse_instant(text)
    if found is None or not _EARLIEST <= found < _LATEST:
        raise ValueError(text)
    return found.astimezone(UTC)


def _parse_name(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_NAME or "\n" in text:
        raise ValueError(text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usual:
    """What holds for every test of a file that says nothing else."""

    at: datetime
    looks: timedelta
    given: Given


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads one file. The names are those of its policy."""

    faults: Faults
    policy: Policy
    names: Names

    def file(self, top: Section) -> TrialFile | None:
        interval = top.read("interval", positive_duration, A_DURATION, default=_INTERVAL)
        people, teams = read_people(top), read_teams(top)
        usual = _Usual(
            at=top.read("at", _parse_start, _A_START, default=_START) or _START,
            looks=top.read("looks", positive_duration, A_DURATION, default=_LOOKS) or _LOOKS,
            given=Given.nothing(self.names).and_of(top),
        )
        listed = [self._case(path, value, usual) for path, value in top.items("tests", required=True)]
        cases = [case for case in listed if case is not None]
        self._check_tests(top, cases)
        top.finish()
        if interval is None:
            return None
        self._check_interval(top, interval)
        return TrialFile(
            file=self.faults.file,
            policy=self.policy,
            interval=interval,
            people=people,
            teams=teams,
            cases=tuple(cases),
        )

    def _check_interval(self, top: Section, interval: timedelta) -> None:
        least = min((rule.tile for rule in self.names.measured), default=None)
        if least is None or interval * SCRAPES_IN_A_TILE <= least:
            return
        found = f"{format_duration(interval)} from sample to sample"
        most = format_duration(least / SCRAPES_IN_A_TILE)
        expected = f"at most {most}: a tile of the policy, {format_duration(least)}, is to hold four"
        self.faults.note(top.get("interval") or top.value, "interval", found, expected)

    def _check_tests(self, top: Section, cases: Sequence[Case]) -> None:
        value = top.get("tests")
        if value is None or value.kind != "list":
            return
        if not 0 < len(value.items) <= MOST_TESTS:
            self.faults.note(value, "tests", count_of(len(value.items), "test"), f"1 to {MOST_TESTS}")
        names = [case.name for case in cases]
        for twice in sorted({name for name in names if names.count(name) > 1}):
            self.faults.note(value, "tests", f'the name "{twice}" twice', "a name of its own for each test")

    # --- one test ---

    def _case(self, path: str, value: Value, usual: _Usual) -> Case | None:
        section = Section.of(value, path, self.faults)
        if section is None:
            return None
        before = len(self.faults.found)
        name = section.read("name", _parse_name, "in one line of at most 200 characters what the test shows")
        at = section.read("at", _parse_start, _A_START, default=usual.at)
        looks = section.read("looks", positive_duration, A_DURATION, default=usual.looks)
        given = usual.given.and_of(section)
        timeline = [read_event(where, one, self.faults, self.names) for where, one in section.items("timeline")]
        listed = section.items("expect", required=True)
        expected = [read_expectation(where, one, self.faults, self.names) for where, one in listed]
        section.finish()
        if len(self.faults.found) > before or name is None or at is None or looks is None:
            return None
        if not expected:
            self.faults.note(section.entries["expect"], section.at("expect"), "an empty list", "what is expected")
            return None
        case = Case(
            name=name,
            line=value.line,
            at=at,
            looks=looks,
            tags=given.tags,
            series=given.series,
            timeline=tuple(sorted((one for one in timeline if one is not None), key=lambda one: one.at)),
            expectations=tuple(one for one in expected if one is not None),
        )
        self._check_end(section, case)
        return case

    def _check_end(self, section: Section, case: Case) -> None:
        """Refuse what would take for ever, and what nobody would see."""
        end = format_duration(case.end)
        if case.end // case.looks > MOST_LOOKS:
            expected = f"at most {MOST_LOOKS:,} in a test: expect something earlier, or let the bot look less often"
            self.faults.note(
                section.value, section.at("expect"), f"{case.end // case.looks:,} looks in {end}", expected
            )
        for event in case.timeline:
            if event.at > case.end:
                found = f"something at {format_duration(event.at)}, when nothing is expected any more"
                place, path = Place(self.faults.file, event.line, event.column), section.at("timeline")
                self.faults.note_at(place, path, found, f"at most {end}, the last of expect")
