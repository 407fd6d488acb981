"""A stage in waves: one stage of a file that stands for several regions, tree to tree.

A stage with `waves` becomes a stage for each region, `STAGE-REGION`. The regions of a wave get a release together, and
each wave gets it from all regions of the wave before. All that reads a policy afterwards knows stages only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from bot.policy.grammar import NAME
from bot.policy.reading import Faults, Section, matching, one_of, parsed, shown
from bot.policy.shaping import Weight, without
from bot.policy.tree import MAX_BYTES, Value

PLACE = "{region}"
"""What stands for the region in the texts of a stage in waves."""
_A_REGION = "a name of a-z, 0-9 and -"
MOST_REGIONS = 100
MOST_STAGES = 200
_MOST_VALUES = 20_000
"""How large all stages may get with all their regions: a small file must not grow without bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region(Value):
    """A stage that was made of one in waves; `region_of` is the name of that."""

    region_of: str

    @classmethod
    def of(cls, stage: Value, name: str) -> Region:
        """Return a stage as one of a region."""
        return cls(**{field.name: getattr(stage, field.name) for field in fields(stage)}, region_of=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waves:
    """What `waves` of a stage says, and where it stands."""

    value: Value
    regions: Sequence[Sequence[str]]
    pause: Value | None
    is_together: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """A stage in waves, as it is in the file, and the names of its stages, wave by wave."""

    stage: Value
    name: str
    waves: _Waves

    @property
    def names(self) -> list[list[str]]:
        return [[f"{self.name}-{region}" for region in wave] for wave in self.waves.regions]

    @property
    def all_names(self) -> list[str]:
        return [name for wave in self.names for name in wave]


def expand_waves(tree: Value, faults: Faults) -> Value:
    """Return the tree with a stage for each region; faults of `waves` are noted, and such a stage is left as it is.

    Raise PolicyError for more or larger stages than there may be.
    """
    stages = (tree.entries or {}).get("stages")
    if stages is None or stages.kind != "list":
        return tree
    if len(stages.items) > MOST_STAGES:
        faults.note(stages, "stages", f"{len(stages.items):,} stages", f"at most {MOST_STAGES}")
        raise faults.error()
    if not any(_has_waves(stage) for stage in stages.items):
        return tree
    spread = {
        index: found
        for index, stage in enumerate(stages.items)
        if _has_waves(stage) and (found := _read(stage, f"stages[{index}]", faults)) is not None
    }
    _check_size(stages, spread, faults)
    by_name = {one.name: one for one in spread.values()}
    items: list[Value] = []
    for index, stage in enumerate(stages.items):
        one = spread.get(index)
        made = [stage] if one is None else list(_stages_of(one))
        items += [_referring(replace(item, index=index), by_name, f"stages[{index}]", faults) for item in made]
    return _with(tree, "stages", replace(stages, items=tuple(items)))


def _check_size(stages: Value, spread: Mapping[int, _Spread], faults: Faults) -> None:
    """Raise where there were too many stages, or too large ones together, with all regions; nothing is built yet."""
    many = len(stages.items) - len(spread)
    values = characters = 0
    for index, one in spread.items():
        weight = Weight.of(without(one.stage, ("waves",)), PLACE)
        regions = [region for wave in one.waves.regions for region in wave]
        many += len(regions)
        values += weight.values * len(regions)
        characters += sum(weight.filled(region) for region in regions)
        sizes = ((many, MOST_STAGES, "stages"), (values, _MOST_VALUES, "values"), (characters, MAX_BYTES, "characters"))
        over = next((f"at most {most:,} {what}" for size, most, what in sizes if size > most), None)
        if over is not None:
            found = "a larger structure with all its regions"
            faults.note(one.waves.value, f"stages[{index}].waves", found, over)
            raise faults.error()


def _has_waves(stage: Value) -> bool:
    return stage.kind == "mapping" and "waves" in (stage.entries or {})


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(stage: Value, path: str, faults: Faults) -> _Spread | None:
    outer = Section(value=stage, path=path, faults=faults)
    name, section = outer.get("name"), outer.section("waves", required=True)
    if section is None:
        return None
    before = len(faults.found)
    waves = [wave for at, item in section.items("regions", required=True) if (wave := _wave(at, item, faults))]
    pause = section.get("pause")
    together = section.read("together", one_of(("true", "false")), "true or false", default="false")
    section.finish()
    regions = [region for wave in waves for region in wave]
    twice = sorted(region for region, many in Counter(regions).items() if many > 1)
    if twice:
        faults.note(section.value, section.at("regions"), f"{', '.join(twice)} twice", "each region once")
    if len(regions) > MOST_REGIONS:
        faults.note(section.value, section.at("regions"), f"{len(regions):,} regions", f"at most {MOST_REGIONS}")
    if not regions and len(faults.found) == before:
        faults.note(section.value, section.at("regions"), "an empty list", "at least one wave of regions")
    if "from" not in outer.entries:
        faults.note(section.value, section.path, "waves in a first stage", "waves only in a stage with from")
    if len(faults.found) > before or name is None or name.kind != "text":
        return None
    found = _Waves(value=section.value, regions=waves, pause=pause, is_together=together == "true")
    return _Spread(stage=stage, name=name.text, waves=found)


def _wave(path: str, item: Value, faults: Faults) -> list[str]:
    items = [(path, item)] if item.kind == "text" else [(f"{path}[{n}]", one) for n, one in enumerate(item.items)]
    if not items:
        faults.note(item, path, shown(item), "a region, or a list of regions that get a release together")
    names = [parsed(one, at, faults, matching(NAME), _A_REGION) for at, one in items]
    return [name for name in names if name is not None]


# --- making stages ---------------------------------------------------------------------------------------------------


def _stages_of(one: _Spread) -> Iterator[Value]:
    for number, wave in enumerate(one.waves.regions):
        before = one.names[number - 1] if number else []
        done = [name for names in one.names[:number] for name in names]
        for region, name in zip(wave, one.names[number], strict=True):
            stage = without(_filled(one.stage, region), ("waves",))
            stage = _with(stage, "name", replace(stage.entries["name"], text=name))  # type: ignore[index]
            if before:
                stage = _with(stage, "from", _origin(one.waves.value, before))
                stage = _with_pause(stage, one.waves)
            stage = Region.of(stage, one.name)
            beside = [other for other in one.names[number] if other != name]
            yield _with_also(stage, [*done, *beside]) if one.waves.is_together else stage


def _filled(value: Value, region: str) -> Value:
    """Put the region into every text. Keys stay as they are."""
    if value.kind == "text":
        return replace(value, text=value.text.replace(PLACE, region)) if PLACE in value.text else value
    entries = {key: _filled(inner, region) for key, inner in (value.entries or {}).items()}
    items = tuple(_filled(item, region) for item in value.items)
    return replace(value, entries=entries if value.entries is not None else None, items=items)


def _with_pause(stage: Value, waves: _Waves) -> Value:
    """Between two waves the pause of the waves counts; the stage's own is before the first of them."""
    if waves.pause is None:
        return stage
    entries = stage.entries or {}
    promote = entries.get("promote") or replace(waves.value, kind="mapping", entries={}, keys={}, items=())
    return _with(stage, "promote", _with(promote, "pause", waves.pause))


def _with_also(stage: Value, names: Sequence[str]) -> Value:
    rollback = (stage.entries or {}).get("rollback")
    if rollback is None or rollback.kind != "mapping" or not names:
        return stage
    also = (rollback.entries or {}).get("also")
    said = [item.text for item in also.items] if also is not None else []
    at = also or rollback
    return _with(stage, "rollback", _with(rollback, "also", _names(at, list(dict.fromkeys([*said, *names])))))


# --- what refers to them ---------------------------------------------------------------------------------------------


def _referring(stage: Value, spread: Mapping[str, _Spread], path: str, faults: Faults) -> Value:
    """Let `from` and `also` name the regions where they name a stage in waves: the last wave, and all of them."""
    entries = stage.entries or {}
    source, rollback = entries.get("from"), entries.get("rollback")
    if source is not None:
        stage = _with(stage, "from", _from(source, spread, f"{path}.from", faults))
    also = (rollback.entries or {}).get("also") if rollback is not None else None
    if rollback is not None and also is not None and any(item.text in spread for item in also.items):
        names = [name for item in also.items for name in _all_of(item.text, spread)]
        stage = _with(stage, "rollback", _with(rollback, "also", _names(also, names)))
    return stage


def _from(source: Value, spread: Mapping[str, _Spread], path: str, faults: Faults) -> Value:
    if source.text in spread:
        return _origin(source, spread[source.text].names[-1])
    if source.kind == "list" and any(item.text in spread for item in source.items):
        return _names(source, [name for item in source.items for name in _last_of(item.text, spread)])
    for join, listed in (source.entries or {}).items():
        waves = [item.text for item in listed.items if item.text in spread]
        if waves and join == "any":
            expected = "stages without waves: of a stage in waves all regions of the last one count"
            faults.note(listed, f"{path}.any", f'"{waves[0]}" with waves', expected)
        elif waves:
            names = [name for item in listed.items for name in _last_of(item.text, spread)]
            source = _with(source, join, _names(listed, names))
    return source


def _origin(at: Value, names: Sequence[str]) -> Value:
    listed = _names(at, names)
    return listed.items[0] if len(names) == 1 else listed


def _last_of(name: str, spread: Mapping[str, _Spread]) -> list[str]:
    return spread[name].names[-1] if name in spread else [name]


def _all_of(name: str, spread: Mapping[str, _Spread]) -> list[str]:
    return spread[name].all_names if name in spread else [name]


# --- trees -----------------------------------------------------------------------------------------------------------


def _names(at: Value, names: Sequence[str]) -> Value:
    """Return a list of names that stands where another value does."""
    file, line, column = at.place
    items = tuple(Value(kind="text", file=file, line=line, column=column, text=name) for name in names)
    return Value(kind="list", file=file, line=line, column=column, items=items)


def _with(value: Value, key: str, inner: Value) -> Value:
    keys = {key: inner.place, **(value.keys or {})}
    return replace(value, entries={**(value.entries or {}), key: inner}, keys=keys)
