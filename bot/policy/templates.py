"""Gate templates: named PromQL with parameters, from `policies/gates/*.yaml`. A filled-in one is a `CountGate`.

Only what fits Prometheus' grammar gets into a query: label names and metric names are checked, values are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from types import MappingProxyType

from bot.domain.policy import Counts
from bot.domain.text import one_line, parse_duration
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.reading import Faults, Section, matching, one_of, parsed
from bot.policy.tree import Value, read_tree

METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
_TYPES = ("metric", "label", "text", "duration")
_OWN = ("selector", "key", "tile", "limit")
_BUILT_IN = ("argocd-healthy", "argocd-degraded")
_TAKEN = (*_OWN, "use", "name", "mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a template: its type (`metric`, `label`, `text`, `duration`) and its default, if any."""

    name: str
    type: str
    description: str
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTemplate:
    """A kind of count gate. `query` counts what `counts` says, `total` counts all."""

    name: str
    title: str
    description: str
    counts: Counts
    query: str
    total: str
    parameters: tuple[Parameter, ...]

    def fill(self, text: str, words: Mapping[str, str]) -> str:
        """Fill one of the template's texts with words that are ready for PromQL."""
        return Template(text).substitute(words)


GateTemplates = Mapping[str, GateTemplate]


def quote(value: str) -> str:
    """Return a PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def selector(labels: Mapping[str, str]) -> str:
    """Return label matchers, `namespace="checkout-staging"`."""
    return ",".join(f"{name}={quote(value)}" for name, value in sorted(labels.items()))


def promql_duration(duration: timedelta) -> str:
    """Return a duration in PromQL's syntax, in the largest unit that needs no fraction."""
    milliseconds = duration // timedelta(milliseconds=1)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def bucket_matcher(threshold: timedelta) -> str:
    """Return the matcher of the histogram bucket for a threshold.

    Whole seconds are written `1` by some client libraries and `1.0` by others (and by Prometheus 3), so both match.
    """
    milliseconds = threshold // timedelta(milliseconds=1)
    if milliseconds % 1000 == 0:
        return _whole_bucket(milliseconds // 1000)
    seconds = f"{milliseconds / 1000:.3f}".rstrip("0")
    return f'le="{seconds}"'


def _whole_bucket(number: int) -> str:
    return f'le=~"{number}|{number}\\\\.0"'


def parameter_words(parameter: Parameter, text: str) -> dict[str, str]:
    """Return what a parameter puts into a query. Raise ValueError if the text is not of its type."""
    match parameter.type:
        case "metric":
            return {parameter.name: matching(METRIC)(text)}
        case "label":
            return {parameter.name: matching(LABEL)(text)}
        case "duration":
            threshold = parse_duration(text)
            if threshold <= timedelta(0):
                raise ValueError(text)
            milliseconds = threshold // timedelta(milliseconds=1)
            return {
                parameter.name: promql_duration(threshold),
                f"{parameter.name}_bucket": bucket_matcher(threshold),
                # Istio and Envoy measure in milliseconds.
                f"{parameter.name}_bucket_ms": _whole_bucket(milliseconds),
            }
        case _:
            return {parameter.name: quote(text)}


def shipped_gate_templates() -> GateTemplates:
    """Return the templates that come with Liftlock, from a checkout or from an installed wheel."""
    checkout = Path(__file__).resolve().parents[2] / "policies" / "gates"
    return read_templates(checkout if checkout.is_dir() else files("bot").joinpath("shipped", "gates"))


def read_templates(place: Traversable) -> GateTemplates:
    """Return the templates of a directory. Raise PolicyError for one that is broken."""
    found = {}
    for entry in sorted(place.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".yaml"):
            template = parse_template(entry.read_text(encoding="utf-8"), file=entry.name)
            if template.name in found:
                raise PolicyError([_second(template.name, entry.name)])
            found[template.name] = template
    return MappingProxyType(found)


def _second(name: str, file: str) -> PolicyFault:
    return PolicyFault(file=file, line=0, column=0, path="", found=f"a second {name}", expected="each name once")


def parse_template(text: str, *, file: str) -> GateTemplate:
    """Read one template. Raise PolicyError with all that is wrong in it."""
    faults = Faults(file=file)
    section = Section.of(read_tree(text, file=file, faults=faults.found), "", faults)
    template = _template(section, faults) if section is not None else None
    if template is None or faults.found:
        raise PolicyError(faults.found)
    return template


def _template(section: Section, faults: Faults) -> GateTemplate | None:
    name = section.read("name", _template_name, "a name of a-z, 0-9 and -, other than the built-in ones")
    description = section.read("description", str, "one line on what it measures")
    counts = section.read("counts", one_of(("bad", "good")), "bad or good")
    parameters = tuple(_parameters(section.section("parameters"), faults))
    title = _pattern(section, "title", "a short phrase", parameters)
    query = _pattern(section, "query", "PromQL", parameters)
    total = _pattern(section, "total", "PromQL", parameters)
    section.finish()
    if not (name and title and description and counts and query and total):
        return None
    return GateTemplate(
        name=name,
        title=title,
        description=description,
        counts=Counts(counts),
        query=query,
        total=total,
        parameters=parameters,
    )


def _parameters(section: Section | None, faults: Faults) -> list[Parameter]:
    if section is None:
        return []
    found = []
    for name in section.entries:
        inner = section.section(name, required=True)
        if inner is None:
            continue
        if re.fullmatch(r"[a-z][a-z0-9_]*", name) is None or name in _TAKEN:
            expected = f"a name of a-z, 0-9 and _, none of {', '.join(_TAKEN)}"
            faults.note(inner.value, inner.path, f'the parameter "{one_line(name, limit=60)}"', expected)
        kind = inner.read("type", one_of(_TYPES), f"one of {', '.join(_TYPES)}")
        description = inner.read("description", str, "one line on what it means")
        default = inner.get("default")
        inner.finish()
        parameter = Parameter(name=name, type=kind or "text", description=description or "")
        found.append(parameter if default is None else _with_default(parameter, default, inner))
    return found


def _with_default(parameter: Parameter, default: Value, section: Section) -> Parameter:
    def parse(text: str) -> str:
        parameter_words(parameter, text)
        return text

    text = parsed(default, section.at("default"), section.faults, parse, f"a {parameter.type}")
    return replace(parameter, default=text)


def _template_name(text: str) -> str:
    if text in _BUILT_IN:
        raise ValueError(text)
    return matching(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")(text)


def _pattern(section: Section, key: str, expected: str, parameters: tuple[Parameter, ...]) -> str | None:
    """Read a text with places to fill; each `$name` in it must be one that will be filled in."""
    text = section.read(key, str, expected)
    if text is None:
        return None
    known = {*_OWN, *(item.name for item in parameters)}
    known |= {
        f"{item.name}_{kind}" for item in parameters if item.type == "duration" for kind in ("bucket", "bucket_ms")
    }
    template = Template(text)
    unknown = sorted(set(template.get_identifiers()) - known)
    if unknown or not template.is_valid():
        found = ", ".join(f"${name}" for name in unknown) or "a $ that begins no name"
        names = ", ".join(f"${name}" for name in sorted(known))
        section.faults.note(section.entries[key], section.at(key), found, f"only {names}")
    return text
