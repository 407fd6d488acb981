"""Write what a check of policies found: for people, programs, GitHub's workflow log, and code scanning (SARIF)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import PurePath
from urllib.parse import quote

from bot import __version__
from bot.domain.edit import visible
from bot.domain.text import count_of
from bot.policy.checking import Checked
from bot.policy.findings import RULES, Finding, Severity

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_GITHUB = {"error": "error", "warning": "warning", "note": "notice"}
_LEVELS = {Severity.FAULT: "error", Severity.WARNING: "warning", Severity.UNASKED: "warning"}
"""What SARIF calls the severities. Notes of what was seen are for people who ask, and no marks in a pull request."""
_WORDS = {"weakened": "weaker: ", "changed": "changed: ", "tightened": "stricter: "}
"""How a difference from before begins."""


class Format(StrEnum):
    """In which form findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def render_findings(checked: Checked, form: Format) -> str:
    """Return the findings in a form, without a line break at the end."""
    return _RENDER[form](checked)


# --- for people ------------------------------------------------------------------------------------------------------


def _as_text(checked: Checked) -> str:
    return "\n".join([*(_line(finding) for finding in checked.findings), summary(checked)])


def _line(finding: Finding) -> str:
    fault = finding.fault
    place = f"{fault.file}:{fault.line}:{fault.column}" if fault.line else fault.file
    is_plain = finding.severity is Severity.FAULT or finding.rule in _WORDS
    said = "" if is_plain else f"{finding.severity}: "
    return visible(f"{place}: {said}{_sentence(finding)}")


def _sentence(finding: Finding) -> str:
    fault = finding.fault
    path = f"{fault.path}: " if fault.path else ""
    expected = f", expected {fault.expected}" if fault.expected else ""
    said = finding.said or f"found {fault.found}{expected}"
    return f"{_WORDS.get(finding.rule, '')}{path}{said}"


def summary(checked: Checked) -> str:
    """Return how many files were checked, and what came of it."""
    severities = [finding.severity for finding in checked.findings]
    differences = sum(finding.rule in _WORDS and finding.severity is Severity.NOTE for finding in checked.findings)
    counted = [(severities.count(Severity.WARNING), "warning"), (differences, "note")]
    found = [count_of(severities.count(Severity.FAULT), "fault")]
    found += [count_of(number, noun) for number, noun in counted if number]
    unasked = severities.count(Severity.UNASKED)
    found += [f"{count_of(unasked, 'answer')} missing"] if unasked else []
    return f"{count_of(checked.files, 'file')} checked: {', '.join(found)}"


# --- for programs ----------------------------------------------------------------------------------------------------


def _as_json(checked: Checked) -> str:
    return json.dumps([_object(finding) for finding in checked.findings], indent=2)


def _object(finding: Finding) -> dict[str, object]:
    fault = finding.fault
    return {
        "file": fault.file,
        "line": fault.line or None,
        "column": fault.column or None,
        "path": fault.path,
        "found": fault.found,
        "expected": fault.expected,
        "severity": finding.severity,
        "rule": finding.rule,
    }


# --- for GitHub's workflow log ---------------------------------------------------------------------------------------


def _as_github(checked: Checked) -> str:
    return "\n".join([*(_command(finding) for finding in _marked(checked)), summary(checked)])


def _marked(checked: Checked) -> list[Finding]:
    """Return the findings that are marked in a pull request."""
    return [finding for finding in checked.findings if _level(finding)]


def _level(finding: Finding) -> str:
    """Return what SARIF calls a finding's severity; empty for what is no mark in a pull request."""
    return "note" if finding.rule == "tightened" else _LEVELS.get(finding.severity, "")


def _command(finding: Finding) -> str:
    """Return a workflow command; its message and properties have escapes of their own, so that no text ends them."""
    fault = finding.fault
    properties = {"file": fault.file}
    if fault.line:
        properties |= {"line": str(fault.line), "col": str(fault.column)}
    properties["title"] = f"liftlock policy: {finding.rule}"
    said = ",".join(f"{name}={_escaped(value, also=':,')}" for name, value in properties.items())
    return f"::{_GITHUB[_level(finding)]} {said}::{_escaped(_sentence(finding))}"


def _escaped(text: str, *, also: str = "") -> str:
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# --- for code scanning -----------------------------------------------------------------------------------------------


def _as_sarif(checked: Checked) -> str:
    rules = [{"id": name, "shortDescription": {"text": said}} for name, said in RULES.items()]
    run = {
        "tool": {"driver": {"name": "liftlock", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding) for finding in _marked(checked)],
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(finding: Finding) -> dict[str, object]:
    fault = finding.fault
    physical: dict[str, object] = {"artifactLocation": {"uri": _uri(fault.file)}}
    if fault.line:
        physical["region"] = {"startLine": fault.line, "startColumn": fault.column}
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(RULES).index(finding.rule),
        "level": _level(finding),
        "message": {"text": _sentence(finding)},
        "locations": [{"physicalLocation": physical}],
    }


def _uri(file: str) -> str:
    path = PurePath(file)
    # As bytes: a name of a file need not be UTF-8.
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


_RENDER: Mapping[Format, Callable[[Checked], str]] = {
    Format.TEXT: _as_text,
    Format.JSON: _as_json,
    Format.GITHUB: _as_github,
    Format.SARIF: _as_sarif,
}
