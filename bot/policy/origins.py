"""Where the releases of a stage come from: `from` of a stage, and whether the stages together make a way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.intake import REGISTRY
from bot.domain.policy import Join, Stage
from bot.domain.rules import SoakGate
from bot.policy.grammar import NAME
from bot.policy.reading import Faults, Section, matching, parsed
from bot.policy.resolving import ONLY_WITH_FROM
from bot.policy.shaping import below
from bot.policy.tree import Value

_A_STAGE = "the name of another stage, or registry"
_STAGES = "a list of at least two stages"
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The stages that releases come from: the first, the others beside it, and in how many they must prove themselves.

    `source` None is a first stage, or one whose `from` has a fault.
    """

    source: str | None = None
    beside: tuple[str, ...] = ()
    join: Join = Join.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class StageText:
    """What the stages' references are checked by: the stage, and where it and its `from` stand."""

    stage: Stage
    value: Value
    path: str
    source_at: Value | None


def read_origin(section: Section) -> Origin:
    """Read `from`: a stage, a list of stages of which all count, or a mapping of `all` or `any` to such a list."""
    found = section.get("from")
    if found is None:
        _refuse_in_first_stage(section)
        return Origin()
    if found.kind == "text":
        return Origin(source=section.read("from", matching(NAME), _A_STAGE))
    if found.kind == "list":
        return _of_list(section, "from", Join.ALL)
    inner = Section(value=found, path=section.at("from"), faults=section.faults)
    given = [join for join in Join if inner.get(join) is not None]
    inner.finish()
    if len(given) == 1:
        return _of_list(inner, given[0], given[0])
    section.faults.note(found, section.at("from"), "both" if given else "neither", "one of all and any")
    return Origin()


def _of_list(section: Section, key: str, join: Join) -> Origin:
    value, faults = section.entries[key], section.faults
    if value.kind == "list" and len(value.items) < 2:
        expected = f"{_STAGES}, or the name of one" if key == "from" else _STAGES
        faults.note(value, section.at(key), "one" if value.items else "an empty list", expected)
        return Origin()
    items = [(path, item, parsed(item, path, faults, matching(NAME), _A_STAGE)) for path, item in section.items(key)]
    seen: dict[str, None] = {}
    for path, item, name in items:
        if name == REGISTRY:
            faults.note(item, path, f'"{REGISTRY}" among others', "it alone, or stages only")
        elif name in seen:
            faults.note(item, path, f'"{name}" twice', "each stage once")
        elif name is not None:
            seen[name] = None
    names = tuple(seen)
    return Origin(source=names[0], beside=names[1:], join=join) if names else Origin()


def check_pause(section: Section, origin: Origin) -> None:
    """A pause counts from the end of the window before; in the registry there is none."""
    promote = section.entries.get("promote")
    pause = (promote.entries or {}).get("pause") if promote is not None else None
    if pause is not None and origin.source == REGISTRY:
        expected = "a pause only after a stage, since it begins when a window there is over"
        section.faults.note(pause, f"{section.path}.promote.pause", "a pause behind the registry", expected)


def _refuse_in_first_stage(section: Section) -> None:
    """Nothing is promoted into a first stage, so nothing there is ever merged or rolled back by the bot."""
    for key in ONLY_WITH_FROM:
        value = section.get(key)
        if value is not None:
            section.faults.note(value, section.at(key), "it in a first stage", "it only in a stage with from")


# --- the stages together ---------------------------------------------------------------------------------------------


def check_origins(stages: Value, texts: Sequence[StageText], faults: Faults) -> None:
    """Note what is wrong between the stages: unknown ones, circles, what proves nothing; `stages` is their list."""
    by_name = {item.stage.name: item.stage for item in texts}
    for item in texts:
        _check_sources(item, by_name, faults)
    if texts and all(item.stage.source not in (None, REGISTRY) for item in texts):
        faults.note(stages, "stages", "from in every stage", "a first stage without from, or with from: registry")
    sources = {name for item in texts for name in item.stage.sources}
    for item in texts:
        _check_proof(item, sources, faults)
        _check_also(item, by_name, faults)


def _check_sources(item: StageText, by_name: Mapping[str, Stage], faults: Faults) -> None:
    if item.source_at is None or item.stage.source == REGISTRY:
        return
    unknown = [name for name in item.stage.sources if name not in by_name or name == item.stage.name]
    others = [name for name in by_name if name != item.stage.name]
    places = {one.text: one for one in reversed(list(below(item.source_at)))}
    for name in unknown:
        near = faults.hint(name, [*others, REGISTRY])
        expected = f"another stage: {faults.listed(others) or 'none yet'}; or registry{near}"
        faults.note(places.get(name, item.source_at), f"{item.path}.from", f'"{name}"', expected)
    if not unknown and item.stage.name in _before(item.stage, by_name):
        circle = _circle(item.stage, by_name)
        faults.note(item.source_at, f"{item.path}.from", f"a circle, {circle}", "a chain that begins somewhere")


def _circle(stage: Stage, by_name: Mapping[str, Stage]) -> str:
    """Return the shortest way from a stage in a circle back to it, as `a from b from a`; a long one without its middle.

    Each step is one stage before, so that as many are enough as there are.
    """
    ways: list[tuple[str, ...]] = [(stage.name,)]
    seen = {stage.name}
    while all(stage.name not in by_name[way[-1]].sources for way in ways):
        steps = [(*way, name) for way in ways for name in by_name[way[-1]].sources if name in by_name]
        ways = list({way[-1]: way for way in reversed(steps) if way[-1] not in seen}.values())
        seen |= {way[-1] for way in ways}
    way = next(way for way in ways if stage.name in by_name[way[-1]].sources)
    shown = way if len(way) <= _MOST_SHOWN else (*way[: _MOST_SHOWN - 1], "…", way[-1])
    return " from ".join((*shown, stage.name))


def _check_proof(item: StageText, sources: Collection[str], faults: Faults) -> None:
    """Plain time proves nothing: a release that only waited was not looked at."""
    has_faults = any(fault.path.startswith(f"{item.path}.") for fault in faults.found)
    decides = any(not gate.is_shadow and not isinstance(gate, SoakGate) for gate in item.stage.gates)
    if item.stage.name in sources and not has_faults and (item.stage.window is None or not decides):
        expected = "a window and at least one gate that decides by looking, since a release moves on from here"
        faults.note(item.value, item.path, "a stage without them", expected)


def _check_also(item: StageText, by_name: Mapping[str, Stage], faults: Faults) -> None:
    """A release may be taken along out of what it passed before, and out of the stages that get it with this one."""
    rollback, stage = item.stage.rollback, item.stage
    if rollback is None or not rollback.also:
        return
    before = [name for name in _before(stage, by_name) if name != stage.name]
    level = [one.name for one in by_name.values() if one.name != stage.name and set(one.sources) == set(stage.sources)]
    for name in rollback.also:
        if name not in (*before, *level):
            known = [*before, *level]
            where = f"pass before {stage.name}{', or enter with it' if level else ''}"
            expected = f"a stage that releases {where}: {faults.listed(known) or 'none'}{faults.hint(name, known)}"
            faults.note(item.value, f"{item.path}.rollback.also", f'"{name}"', expected)


def _before(stage: Stage, by_name: Mapping[str, Stage]) -> list[str]:
    """Return the stages that a release may pass before this one, the nearest first; itself too in a circle."""
    return list(dict.fromkeys(_walk(stage, by_name)))


def _walk(stage: Stage, by_name: Mapping[str, Stage]) -> Iterator[str]:
    seen: set[str] = set()
    level = [stage]
    while level:
        names = [name for one in level for name in one.sources if name in by_name and name not in seen]
        yield from names
        seen |= set(names)
        level = [by_name[name] for name in dict.fromkeys(names)]
