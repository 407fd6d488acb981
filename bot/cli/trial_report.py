"""Write what came of tests of policies: for people as they end, for programs, and as JUnit writes it for CI."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import typer

from bot.domain.edit import visible
from bot.domain.text import count_of, format_duration, format_instant
from bot.policy.faults import PolicyFault

if TYPE_CHECKING:
    from bot.trial.judging import Failure
    from bot.trial.running import CaseResult


class Form(StrEnum):
    """In which form results are written."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


@dataclass(slots=True, kw_only=True)
class Tested:
    """A test file: what came of its tests, what they left out, or the faults for which none was run."""

    file: str
    faults: Sequence[PolicyFault] = ()
    results: list[CaseResult] = field(default_factory=list)
    unexercised: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Report:
    """Hears of files and tests as they end. For people it writes at once, for programs at the end."""

    form: Form
    files: list[Tested] = field(default_factory=list)

    @property
    def is_bad(self) -> bool:
        """Whether anything is not as expected."""
        return any(tested.faults or any(result.failures for result in tested.results) for tested in self.files)

    def begin(self, tested: Tested) -> None:
        """Hear that a file comes next."""
        self.files.append(tested)
        self._say([visible(tested.file)])

    def tell(self, tested: Tested, result: CaseResult) -> None:
        """Hear of a test that has ended."""
        tested.results.append(result)
        word = "FAILED" if result.failures else "ok"
        self._say([f"  {word:<7} {visible(result.case.name)}"])
        self._say(f"    {line}" for failure in result.failures for line in failure_lines(tested.file, result, failure))

    def finish(self, tested: Tested) -> None:
        """Hear that there is no more to be said of a file."""
        self._say(f"  {visible(str(fault))}" for fault in tested.faults)
        if tested.results and tested.unexercised:
            self._say([f"  not exercised: {visible('; '.join(tested.unexercised))}"])
        elif tested.results:
            self._say(["  every gate and trigger was exercised"])

    def end(self) -> None:
        """Write the end, or all of it."""
        if self.form is Form.TEXT:
            self._say(["", summary(self.files)])
        else:
            typer.echo(as_json(self.files) if self.form is Form.JSON else as_junit(self.files))

    def _say(self, lines: Iterator[str] | Sequence[str]) -> None:
        if self.form is Form.TEXT:
            for line in lines:
                typer.echo(line)


def summary(files: Sequence[Tested]) -> str:
    """Return how many tests there were, and what came of them."""
    results = [result for tested in files for result in tested.results]
    failed = sum(bool(result.failures) for result in results)
    broken = sum(bool(tested.faults) for tested in files)
    said = [f"{len(results) - failed} ok", *([f"{failed} FAILED"] if failed else [])]
    counted = f"{count_of(len(results), 'test')} in {count_of(len(files), 'file')}: {', '.join(said)}"
    if not broken:
        return counted
    unrun = f"{count_of(broken, 'file')} with faults, none of {'its' if broken == 1 else 'their'} tests was run"
    return f"{counted}; {unrun}" if results else unrun


def failure_lines(file: str, result: CaseResult, failure: Failure) -> Iterator[str]:
    """Yield where it stands, what differs, and what the bot said."""
    when = f"{format_duration(failure.at)} ({format_instant(result.case.at + failure.at)})"
    yield visible(f"{file}:{failure.line}: {failure.about}, at {when}")
    width = max((len(one.key) for one in failure.differences), default=0)
    for one in failure.differences:
        yield visible(f"  {one.key:<{width}}  expected  {one.expected}")
        yield visible(f"  {'':<{width}}  found     {one.found}")
    for line in failure.said:
        yield visible(f"  | {line}")


# --- for programs ----------------------------------------------------------------------------------------------------


def as_json(files: Sequence[Tested]) -> str:
    """Return the files as a JSON text."""
    return json.dumps({"files": [_file(tested) for tested in files]}, indent=2)


def _file(tested: Tested) -> dict[str, object]:
    return {
        "file": tested.file,
        "faults": [str(fault) for fault in tested.faults],
        "tests": [_test(result) for result in tested.results],
        "not_exercised": list(tested.unexercised),
    }


def _test(result: CaseResult) -> dict[str, object]:
    return {
        "name": result.case.name,
        "line": result.case.line,
        "ok": not result.failures,
        "looks": result.looks,
        "seconds": round(result.seconds, 3),
        "failures": [_failure(failure) for failure in result.failures],
    }


def _failure(failure: Failure) -> dict[str, object]:
    return {
        "line": failure.line,
        "at": format_duration(failure.at),
        "about": failure.about,
        "differences": [{"key": one.key, "expected": one.expected, "found": one.found} for one in failure.differences],
        "said": list(failure.said),
    }


# --- for CI ----------------------------------------------------------------------------------------------------------


def as_junit(files: Sequence[Tested]) -> str:
    """Return the files as a JUnit report, a suite each."""
    top = ET.Element("testsuites")
    for tested in files:
        failed = sum(bool(result.failures) for result in tested.results)
        suite = ET.SubElement(
            top,
            "testsuite",
            name=visible(tested.file),
            tests=str(len(tested.results) or 1),
            failures=str(failed),
            errors=str(int(bool(tested.faults))),
        )
        for result in tested.results:
            _junit_case(suite, tested.file, result)
        if tested.faults:
            case = ET.SubElement(suite, "testcase", classname=visible(tested.file), name="the file can be read")
            error = ET.SubElement(case, "error", message=count_of(len(tested.faults), "fault"))
            error.text = "\n".join(visible(str(fault)) for fault in tested.faults)
    ET.indent(top)
    return ET.tostring(top, encoding="unicode")


def _junit_case(suite: ET.Element, file: str, result: CaseResult) -> None:
    name, seconds = visible(result.case.name), f"{result.seconds:.3f}"
    case = ET.SubElement(suite, "testcase", classname=visible(file), name=name, time=seconds)
    for failure in result.failures:
        lines = list(failure_lines(file, result, failure))
        ET.SubElement(case, "failure", message=lines[0]).text = "\n".join(lines)
