"""Gates and triggers that a floor asks for: read in the words that a policy has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.rules import (
    BURN_WINDOWS,
    Accept,
    BaselineGate,
    BurnRateGate,
    CountGate,
    DegradedTrigger,
    Side,
    SyncFailedTrigger,
    ValueGate,
)
from bot.policy.filling import at_least_one, some_events
from bot.policy.floor.model import Entry
from bot.policy.grammar import (
    A_COUNT,
    A_DURATION,
    A_LIMIT,
    A_NUMBER,
    A_TILES,
    NAME,
    parse_count,
    parse_number,
    parse_tiles,
)
from bot.policy.reading import Section, matching, one_of, one_of_these, parsed, positive_duration, share, shown
from bot.policy.templates import GateTemplates, Parameter, parameter_words

_OF_GATES = ("argocd-healthy", "soak")
_OF_TRIGGERS = ("argocd-degraded", "argocd-sync-failed")


def read_entries(section: Section, key: str, templates: GateTemplates, *, is_trigger: bool) -> tuple[Entry, ...]:
    """Read the gates or triggers of a list; an empty list is a fault."""
    listed = section.get(key)
    if listed is not None and listed.kind == "list" and not listed.items:
        section.faults.note(listed, section.at(key), "an empty list", "at least one entry with use")
    items = (Section.of(value, path, section.faults) for path, value in section.items(key))
    built_in = _OF_TRIGGERS if is_trigger else _OF_GATES
    found = [_entry(item, templates, built_in) for item in items if item is not None]
    return tuple(entry for entry in found if entry is not None)


def _entry(section: Section, templates: GateTemplates, built_in: Sequence[str]) -> Entry | None:
    own = section.read("own", one_of(("true", "false")), "true or false", default="false") == "true"
    uses = tuple(_uses(section, None if own else [*templates, *built_in]))
    kinds, bounds = _bounds(section)
    accept = section.read("accept", Accept, "proven or not-shown-bad", default=Accept.PROVEN)
    parameters = _parameters(section, uses, templates)
    section.finish()
    if not uses:
        return None
    return Entry(
        uses=uses,
        place=f"{section.faults.file}:{section.value.line}:{section.value.column}",
        asked=tuple(key for key in _BOUNDS if section.get(key) is not None),
        kinds=kinds,
        bounds=bounds,
        accept=accept or Accept.PROVEN,
        parameters=parameters,
        own=own,
    )


def _uses(section: Section, known: Sequence[str] | None) -> Iterator[str]:
    """Give the names that an entry may use, one or a list of them. `known` are all that there are, None for any."""
    value = section.need("use", "the name of a gate template, or a list of them")
    if value is None:
        return
    items = [(section.at("use"), value)] if value.kind != "list" else list(section.items("use"))
    if not items:
        section.faults.note(value, section.at("use"), "an empty list", "at least one name")
    for path, item in items:
        name = parsed(item, path, section.faults, matching(NAME), "the name of a gate template")
        if name is not None and known is not None and name not in known:
            expected = f"{one_of_these(name, known)}; a template of teams' own only with own: true"
            section.faults.note(item, path, shown(item), expected)
        elif name is not None:
            yield name


# --- bounds ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """A field of an entry: the kinds of rule that have it, and `of` which of their fields it is; `also` are others."""

    kinds: tuple[type, ...]
    of: str
    parse: Callable[[str], object]
    expected: str
    also: Mapping[str, object] = field(default_factory=dict)


_AT_LEAST_ONE = "a number of at least 1, such as 1.5"
_VALUE, _OF_ARGOCD = (ValueGate,), (DegradedTrigger, SyncFailedTrigger)
_BOUNDS: Mapping[str, _Bound] = {
    "limit": _Bound(kinds=(CountGate,), of="limit", parse=share, expected=A_LIMIT),
    "floor": _Bound(kinds=(CountGate,), of="floor", parse=some_events, expected=A_COUNT),
    # Windows that never burn would make any objective an easy one.
    "objective": _Bound(
        kinds=(BurnRateGate,), of="objective", parse=share, expected=A_LIMIT, also={"windows": BURN_WINDOWS}
    ),
    "least_bad": _Bound(kinds=(BurnRateGate,), of="least_bad", parse=some_events, expected=A_COUNT),
    "times": _Bound(kinds=(BaselineGate,), of="times", parse=at_least_one, expected=_AT_LEAST_ONE),
    "points": _Bound(kinds=(BaselineGate,), of="points", parse=share, expected=A_LIMIT),
    "above": _Bound(
        kinds=_VALUE, of="bound", parse=parse_number, expected=A_NUMBER, also={"side": Side.ABOVE, "is_sum": False}
    ),
    "below": _Bound(
        kinds=_VALUE, of="bound", parse=parse_number, expected=A_NUMBER, also={"side": Side.BELOW, "is_sum": False}
    ),
    "at_most": _Bound(kinds=_VALUE, of="bound", parse=parse_count, expected=A_COUNT, also={"is_sum": True}),
    "tiles": _Bound(kinds=_VALUE, of="tiles", parse=parse_tiles, expected=A_TILES, also={"is_sum": False}),
    "for": _Bound(kinds=_OF_ARGOCD, of="lasting", parse=positive_duration, expected=A_DURATION),
}


def _bounds(section: Section) -> tuple[tuple[type, ...], Mapping[str, object]]:
    """Return the kinds of rule that the bounds of an entry belong to, any for none, and the bounds by their fields."""
    kinds: tuple[type, ...] = ()
    found: dict[str, object] = {}
    first = ""
    for key, bound in _BOUNDS.items():
        value = section.get(key)
        if value is None:
            continue
        is_other = any(found.get(name, one) != one for name, one in bound.also.items())
        if kinds not in ((), bound.kinds) or bound.of in found or is_other:
            section.faults.note(value, section.at(key), f"{key} beside {first}", "bounds of one kind of rule")
        kinds, first = bound.kinds, first or key
        found |= {bound.of: section.read(key, bound.parse, bound.expected), **bound.also}
    return kinds, found


# --- parameters ------------------------------------------------------------------------------------------------------


def _parameters(section: Section, uses: Sequence[str], templates: GateTemplates) -> Mapping[str, str]:
    """Read parameters of the one shipped template that an entry uses."""
    inner = section.section("parameters")
    if inner is None:
        return {}
    template = templates.get(uses[0]) if len(uses) == 1 else None
    if template is None:
        expected = "them only beside the name of one shipped template"
        section.faults.note(inner.value, inner.path, "parameters", expected)
        return {}
    words: dict[str, str] = {}
    for parameter in template.parameters:
        if inner.get(parameter.name) is not None:
            text = inner.read(parameter.name, _of_type(parameter), f"a {parameter.type}: {parameter.description}")
            words |= {} if text is None else {parameter.name: text}
    inner.finish()
    return words


def _of_type(parameter: Parameter) -> Callable[[str], str]:
    def parse(text: str) -> str:
        parameter_words(parameter, text)
        return text

    return parse
