"""Gate templates: named PromQL with parameters, from `policies/gates/*.yaml`: what a rule of a policy asks.

Only what fits Prometheus' grammar gets into a query: label names and metric names are checked, values are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from types import MappingProxyType

from bot.domain.queries import Labels, Query, quote
from bot.domain.rules import Counts, Side
from bot.domain.text import one_line, parse_duration
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.grammar import A_COUNT, A_NUMBER, A_TILES, NAME, parse_count, parse_number, parse_tiles
from bot.policy.reading import Faults, Section, matching, one_of, parsed
from bot.policy.tree import Value, read_tree

METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
_TYPES = ("metric", "label", "text", "duration", "promql")
_OWN = ("selector", "key", "tile")
BUILT_IN = ("argocd-healthy", "argocd-degraded", "argocd-sync-failed", "soak")
_OPTIONS = (
    "use", "name", "mode", "labels", "metrics_from", "limit", "floor", "accept", "against", "times", "points",
    "objective", "windows", "least_bad", "above", "below", "tiles", "hard", "at_most", "absent",
)  # fmt: skip
_TAKEN = (*_OWN, *_OPTIONS)
_FORMS = ("bucket", "bucket_ms", "seconds")
"""How a duration may stand in a query, beside PromQL's own way."""
_PLACE = "\x00"
"""Stands for the label matchers while a query is filled in; no text of a policy or template can have it."""


class TemplateKind(StrEnum):
    """What a template measures: a share of events, a value, or events that should not happen."""

    SHARE = "share"
    VALUE = "value"
    EVENTS = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a template: its type (`metric`, `label`, `text`, `duration`, `promql`) and its default, if any."""

    name: str
    type: str
    description: str
    default: str | None = None

    @property
    def forms(self) -> tuple[str, ...]:
        """The names under which it may stand in a query."""
        durations = [f"{self.name}_{form}" for form in _FORMS] if self.type == "duration" else []
        return (self.name, *durations)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTemplate:
    """A kind of question. Of a share, `query` counts what `counts` says and `total` all; `buckets` is the histogram.

    Of a value or of events, `alive` has data whenever the source is measured. `bound`, `side` and `tiles` are what a
    policy may leave out. `is_joint` promises that a stage's number comes from its own series only, also where the query
    asks for those of many stages at once; one that does not is asked for each stage alone.
    """

    name: str
    kind: TemplateKind
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    query: str
    counts: Counts = Counts.BAD
    total: str | None = None
    buckets: str | None = None
    alive: str | None = None
    bound: float | None = None
    side: Side = Side.ABOVE
    tiles: tuple[int, int] = (3, 5)
    is_joint: bool = False

    def say(self, words: Mapping[str, str]) -> str:
        """Return the title with the parameters' words in it."""
        return Template(self.title).safe_substitute(words)

    def fill(self, text: str, words: Mapping[str, str], labels: Labels, *, is_count: bool) -> Query:
        """Fill one of the template's texts with words that are ready for PromQL; the label matchers stay open."""
        key = ", ".join(name for name, _ in labels)
        brought = tuple(item.name for item in self.parameters if item.type == "promql")
        parts = _parts(text, tuple(words.items()), key, brought)
        is_shared = self.is_joint and not brought and "key" in _identifiers(text)
        return Query(parts=parts, labels=labels, is_shared=is_shared, is_count=is_count)


@lru_cache(maxsize=4_096)
def _parts(text: str, words: Sequence[tuple[str, str]], key: str, brought: Sequence[str]) -> tuple[str, ...]:
    """Fill a text, and cut it where the label matchers belong. Thousands of policies ask for the same."""
    given = dict(words)
    own = {"selector": _PLACE, "key": key, "tile": given["tile"]}
    # Only what is PromQL by its type has places of its own; a text with a $ in it stays as it is.
    inner = {name: Template(given[name]).substitute(own) for name in brought}
    return tuple(Template(text).substitute({**given, **inner, **own}).split(_PLACE))


@lru_cache(maxsize=4_096)
def _identifiers(text: str) -> frozenset[str]:
    return frozenset(Template(text).get_identifiers())


GateTemplates = Mapping[str, GateTemplate]


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
                f"{parameter.name}_seconds": f"{milliseconds / 1000:.3f}",
            }
        case "promql":
            return {parameter.name: _promql(text)}
        case _:
            return {parameter.name: quote(text)}


def _promql(text: str) -> str:
    """Take PromQL as it is written; only the places that every query has may stand in it."""
    template = Template(text)
    if not text.strip() or not template.is_valid() or set(template.get_identifiers()) - set(_OWN):
        raise ValueError(text)
    # A comment at its end must not take the parenthesis with it.
    return f"({text}\n)"


@cache
def shipped_gate_templates() -> GateTemplates:
    """Return the templates that come with Liftlock, from a checkout or from an installed wheel; read once."""
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
    return read_template(read_tree(text, file=file, faults=faults.found), faults)


def read_template(tree: Value, faults: Faults) -> GateTemplate:
    """Read the template of a tree, as `parse_template` does; `faults` are those that the tree has already."""
    section = Section.of(tree, "", faults)
    template = _template(section, faults) if section is not None else None
    if template is None or faults.found:
        raise PolicyError(faults.found)
    return template


def _template(section: Section, faults: Faults) -> GateTemplate | None:
    name = section.read("name", _template_name, "a name of a-z, 0-9 and -, other than the built-in ones")
    description = section.read("description", str, "one line on what it measures")
    kind = section.read("kind", TemplateKind, "share, value or events", default=TemplateKind.SHARE)
    parameters = tuple(_parameters(section.section("parameters"), faults))
    joint = section.read("joint", one_of(("true", "false")), "true or false", default="false")
    title = _pattern(section, "title", "a short phrase", parameters, own=("tile",))
    query = _pattern(section, "query", "PromQL", parameters)
    if kind is None:
        # What else it must have depends on its kind.
        return None
    read = {TemplateKind.VALUE: _value, TemplateKind.EVENTS: _events}.get(kind, _share)
    template = read(
        section,
        GateTemplate(
            name=name or "",
            kind=kind,
            title=title or "",
            description=description or "",
            parameters=parameters,
            query=query or "",
            is_joint=joint == "true",
        ),
    )
    section.finish()
    return template


def _share(section: Section, template: GateTemplate) -> GateTemplate:
    counts = section.read("counts", one_of(("bad", "good")), "bad or good")
    return replace(
        template,
        counts=Counts(counts or "bad"),
        total=_pattern(section, "total", "PromQL", template.parameters),
        buckets=_optional(section, "buckets", template),
    )


def _value(section: Section, template: GateTemplate) -> GateTemplate:
    bound, side = read_bound(section)
    tiles = section.read("tiles", parse_tiles, A_TILES, default=template.tiles)
    alive = _optional(section, "alive", template)
    return replace(template, bound=bound, side=side, tiles=tiles or template.tiles, alive=alive)


def _events(section: Section, template: GateTemplate) -> GateTemplate:
    alive = _optional(section, "alive", template)
    bound = section.read("at_most", parse_count, A_COUNT, default=0.0)
    return replace(template, bound=bound, alive=alive)


def _optional(section: Section, key: str, template: GateTemplate) -> str | None:
    return None if section.get(key) is None else _pattern(section, key, "PromQL", template.parameters)


def read_bound(section: Section) -> tuple[float | None, Side]:
    """Read `above` or `below`, not both; None where there is neither."""
    above, below = section.get("above"), section.get("below")
    if above is not None and below is not None:
        section.faults.note(below, section.at("below"), "a second bound", "above or below")
    key = "below" if above is None and below is not None else "above"
    bound = None if above is None and below is None else section.read(key, parse_number, A_NUMBER)
    return bound, Side(key)


def _parameters(section: Section | None, faults: Faults) -> list[Parameter]:
    if section is None:
        return []
    found: list[Parameter] = []
    forms: set[str] = set()
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
        if not forms.isdisjoint(parameter.forms):
            both = ", ".join(f"${form}" for form in parameter.forms if form in forms)
            faults.note(inner.value, inner.path, f"a second {both}", "a name that no other parameter fills in")
        forms.update(parameter.forms)
        found.append(parameter if default is None else _with_default(parameter, default, inner))
    return found


def _with_default(parameter: Parameter, default: Value, section: Section) -> Parameter:
    def parse(text: str) -> str:
        parameter_words(parameter, text)
        return text

    text = parsed(default, section.at("default"), section.faults, parse, f"a {parameter.type}")
    return replace(parameter, default=text)


def _template_name(text: str) -> str:
    if text in BUILT_IN:
        raise ValueError(text)
    return matching(NAME)(text)


def _pattern(
    section: Section, key: str, expected: str, parameters: tuple[Parameter, ...], *, own: tuple[str, ...] = _OWN
) -> str | None:
    """Read a text with places to fill; each `$name` in it must be one that will be filled in."""
    text = section.read(key, str, expected)
    if text is None:
        return None
    known = {*own, *(form for item in parameters for form in item.forms)}
    template = Template(text)
    unknown = sorted(set(template.get_identifiers()) - known)
    if unknown or not template.is_valid():
        found = ", ".join(f"${name}" for name in unknown) or "a $ that begins no name"
        names = ", ".join(f"${name}" for name in sorted(known))
        section.faults.note(section.entries[key], section.at(key), found, f"only {names}")
    elif "selector" in own and not _selects(template, parameters):
        expected = "$selector, which selects the series of one stage"
        section.faults.note(section.entries[key], section.at(key), "no $selector", expected)
    return text


def _selects(template: Template, parameters: tuple[Parameter, ...]) -> bool:
    """Say whether a query is about a stage; what a policy brings in as PromQL is its own matter."""
    selecting = {"selector", *(item.name for item in parameters if item.type == "promql")}
    return bool(selecting & set(template.get_identifiers()))
