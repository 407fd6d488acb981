"""Check the PromQL of policies and of a team's own templates: what goes to Prometheus later, with its places filled.

A place of a template is filled with a sample as long as itself, so that a place in the filled query is one in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from string import Template

from bot.policy.faults import PolicyFault
from bot.policy.findings import Finding, Severity
from bot.policy.places import place_inside
from bot.policy.promql import Flaw, judge_promql
from bot.policy.templates import GateTemplate, GateTemplates, Parameter, parameter_words
from bot.policy.tree import Value

_QUERIES = ("query", "total", "buckets", "alive")
_A_DURATION = "1m"
_LABELS = (("s", "x"),)
_SAMPLES: Mapping[str, Callable[[int], str]] = {
    "selector": lambda width: f's="{"x" * (width - 4)}"',
    "key": lambda width: "k" * width,
    "tile": lambda width: f"1{'0' * (width - 2)}s",
    "metric": lambda width: "m" * width,
    "label": lambda width: "m" * width,
    "text": lambda width: f'"{"x" * (width - 2)}"',
    "duration": lambda width: f"1{'0' * (width - 2)}s",
    "bucket": lambda width: f'le="{"x" * (width - 5)}"',
    "seconds": lambda width: "1" * width,
    "promql": lambda width: "x" * width,
}
"""What stands for a place of so many characters, its $ counted, by what it is."""
_OWN = {"selector": "selector", "key": "key", "tile": "tile"}
_OF_DURATIONS = {"_bucket": "bucket", "_bucket_ms": "bucket", "_seconds": "seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The lines of the files whose queries are checked, by the files' names; `told_as` words faults of another file."""

    of: Mapping[str, Sequence[str]]
    told_as: Callable[[PolicyFault], PolicyFault] = lambda fault: fault

    def finding(self, value: Value, path: str, flaw: Flaw) -> Finding:
        """Return what is found at a value; at the very character, where that can be told."""
        inside = None if flaw.at is None else place_inside(value, flaw.at, self.of[value.file])
        line, column = inside or (value.line, value.column)
        hint = f'; did you mean "{flaw.near}"?' if flaw.near else ""
        expected = f"PromQL{hint}" if flaw.is_certain else "PromQL, unless it is meant for VictoriaMetrics"
        where = "" if flaw.at is None else _where(value.text, flaw.at)
        found = f"a query that goes wrong{where}: {flaw.reason}"
        fault = PolicyFault(
            file=value.file, line=value.line, column=value.column, path=path, found=found, expected=expected
        )
        return Finding(
            # How it is told goes by where its value begins.
            fault=replace(self.told_as(fault), line=line, column=column),
            rule="promql" if flaw.is_certain else "promql-dialect",
            severity=Severity.FAULT if flaw.is_certain else Severity.WARNING,
        )


def _where(text: str, at: int) -> str:
    return " at its end" if at >= len(text.rstrip()) else f" at character {at + 1}"


# --- templates -------------------------------------------------------------------------------------------------------


def check_template(tree: Value, template: GateTemplate, lines: Lines) -> Iterator[Finding]:
    """Check the queries of a template's file by themselves."""
    for key in _QUERIES:
        value = (tree.entries or {}).get(key)
        if value is None:
            continue
        flaw = _flaw_of(value.text, template)
        if flaw is not None:
            yield lines.finding(value, key, flaw)


def _flaw_of(query: str, template: GateTemplate) -> Flaw | None:
    flaw = judge_promql(_filled(query, _kinds(template.parameters)))
    brings = any(parameter.type == "promql" for parameter in template.parameters)
    # Of which type a policy's own PromQL will be, nobody knows.
    return None if flaw is not None and brings and not flaw.is_certain else flaw


def _kinds(parameters: Sequence[Parameter]) -> Mapping[str, str]:
    kinds = dict(_OWN)
    for parameter in parameters:
        for form in parameter.forms:
            kinds[form] = _OF_DURATIONS.get(form.removeprefix(parameter.name), parameter.type)
    return kinds


def _filled(query: str, kinds: Mapping[str, str]) -> str:
    """Fill each place that is known with a sample of its own length."""

    def sample(found: re.Match[str]) -> str:
        kind = kinds.get(found["named"] or found["braced"] or "")
        return found.group() if kind is None else _SAMPLES[kind](len(found.group()))

    return Template.pattern.sub(sample, query)


# --- entries of policies ---------------------------------------------------------------------------------------------


def check_entries(tree: Value, templates: GateTemplates, lines: Lines) -> Iterator[Finding]:
    """Check the queries that a policy's gates and triggers come to; what else is wrong with them is told elsewhere."""
    for path, entry in _entries(tree):
        use = (entry.entries or {}).get("use")
        template = templates.get(use.text) if use is not None else None
        if template is not None:
            yield from _check_entry(entry, path, template, lines)


def _entries(tree: Value) -> Iterator[tuple[str, Value]]:
    """Give all gates and triggers with their paths."""
    for number, stage in enumerate(_items(tree, "stages")):
        rollback = (stage.entries or {}).get("rollback")
        lists = [("gates", stage), ("rollback.triggers", rollback)]
        for name, holder in lists:
            found = _items(holder, name.rpartition(".")[2]) if holder is not None else ()
            index = number if stage.index is None else stage.index
            yield from ((f"stages[{index}].{name}[{at}]", entry) for at, entry in enumerate(found))


def _items(holder: Value, key: str) -> Sequence[Value]:
    value = (holder.entries or {}).get(key)
    return () if value is None else value.items


def _check_entry(entry: Value, path: str, template: GateTemplate, lines: Lines) -> Iterator[Finding]:
    given = entry.entries or {}
    names = [item.name for item in template.parameters if item.type == "promql"]
    brought = [name for name in names if name in given and given[name].kind == "text"]
    flaws = {name: judge_promql(_filled(given[name].text, _OWN)) for name in brought}
    for name, flaw in flaws.items():
        if flaw is not None:
            yield lines.finding(given[name], f"{path}.{name}", flaw)
    flaw = None if any(flaws.values()) else _flaw_together(template, given)
    if flaw is not None:
        blamed = next((name for name, value in given.items() if value.text and value.text in flaw.reason), None)
        value, at = (entry, path) if blamed is None else (given[blamed], f"{path}.{blamed}")
        yield lines.finding(value, at, flaw)


def _flaw_together(template: GateTemplate, given: Mapping[str, Value]) -> Flaw | None:
    """Return what is wrong with a template's queries only when an entry's parameters stand in them."""
    words = _words(template, given)
    return None if words is None else _flaw_filled(template, tuple(words.items()))


@lru_cache(maxsize=4_096)
def _flaw_filled(template: GateTemplate, words: Sequence[tuple[str, str]]) -> Flaw | None:
    """Return what is wrong with queries whose places are filled. Of thousands of entries most say the same."""
    queries = [query for key in _QUERIES if (query := getattr(template, key)) is not None]
    whole = [query for query in queries if _flaw_of(query, template) is None]
    flaws = (judge_promql(template.fill(query, dict(words), _LABELS, is_count=False).text) for query in whole)
    found = next((flaw for flaw in flaws if flaw is not None), None)
    # The place is one in the filled query, which stands in no file.
    return None if found is None else replace(found, at=None)


def _words(template: GateTemplate, given: Mapping[str, Value]) -> Mapping[str, str] | None:
    """Return what the parameters put into queries; None where one is missing or is none."""
    words = {"tile": _A_DURATION}
    for parameter in template.parameters:
        value = given.get(parameter.name)
        said = parameter.default if value is None else value.text
        try:
            words |= parameter_words(parameter, said or "")
        except ValueError:
            return None
    return words
