"""From a policy's text to the tree that is parsed, by steps from tree to tree: read it, then put in what it inherits.

A policy that says `extends: defaults.yaml` inherits from the file of that name beside it. What the policy says itself
comes first, then what the defaults say of a stage of its name, then what they say of every stage. Each value goes on
knowing the file and the place it came from, so that a fault is told where it can be mended.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bot.domain.intake import REGISTRY
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.grammar import NAME
from bot.policy.promoting import ONLY_PULL_REQUESTS
from bot.policy.reading import Faults, shown
from bot.policy.shaping import Weight, below, count, without
from bot.policy.tree import MAX_BYTES, MAX_NODES, Place, Value, read_tree
from bot.policy.waves import expand_waves

DEFAULTS = "defaults.yaml"
"""The only file that a policy can extend."""
EXTENDS = "extends"
ONLY_WITH_FROM = ("promote", "rollback", "calendar")
"""What only a stage with `from` can have."""
WHOLE = frozenset({"edit", "argocd", "releases", "signer"})
"""Mappings that are a choice of one kind: half of one and half of another would be neither."""
_WORDS = ("{service}", "{stage}")
_PLACES = re.compile(r"\{(service|stage)\}")
_TITLE = ("promote", "title")
"""Where `{service}` and `{stage}` stay, since they mean the same there."""
_UNKNOWN = "x"
"""Stands for a name that is missing or wrong: that is told, and nothing more because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What `defaults.yaml` says: fields of the service, of every stage, and of stages by their names.

    `homes` tell for the places of stages' fields which of these they belong to, as a path; `weights` how large these
    are, by the same paths, that of the service by none.
    """

    text: str
    service: Value
    stage: Value
    stages: Mapping[str, Value]
    homes: Mapping[Place, str]
    weights: Mapping[str, Weight]

    @classmethod
    def of(cls, text: str, *, service: Value, stage: Value, stages: Mapping[str, Value]) -> Defaults:
        """Return them, with the places worked out."""
        by_path = {"stage": stage, **{f"stages.{name}": value for name, value in stages.items()}}
        homes = {place: path for path, value in by_path.items() for place in _places(value)}
        weights = {path: Weight.of(value, *_WORDS) for path, value in {"": service, **by_path}.items()}
        return cls(text=text, service=service, stage=stage, stages=stages, homes=homes, weights=weights)

    def in_own_words(self, fault: PolicyFault) -> PolicyFault:
        """Return a fault of the defaults with the path that they have for it, the same for every policy."""
        home = self.homes.get(Place(fault.file, fault.line, fault.column))
        return fault if home is None else replace(fault, path=re.sub(r"^stages\[\d+\]", home, fault.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What there is to inherit: the defaults, or what is wrong with them; neither where there is no such file."""

    defaults: Defaults | None = None
    error: PolicyError | None = None

    @property
    def basis(self) -> str:
        """A text that changes whenever something else would be inherited."""
        return self.defaults.text if self.defaults is not None else f"\x00{self.error or ''}"


NOTHING = Inherited()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A policy's tree with all that it inherits, the faults so far, and the `version` that the policy will have.

    `extends` are the defaults that it inherits from, None for none.
    """

    tree: Value
    faults: Faults
    version: str
    extends: Defaults | None = None


def resolve(text: str, *, file: str, inherited: Inherited = NOTHING) -> Resolved:
    """Read a policy's text, and return the tree that is to be parsed.

    Raise PolicyError for what leaves no such tree: no YAML, and defaults that are extended but missing or broken.
    """
    faults = Faults(file=file)
    tree = read_tree(text, file=file, faults=faults.found)
    version = _hash(text)
    defaults = _extended(tree, inherited, faults)
    if defaults is None:
        return Resolved(tree=expand_waves(tree, faults), faults=faults, version=version)
    faults.told_as = defaults.in_own_words
    version = _hash(version + _hash(defaults.text))
    whole = expand_waves(inherit(tree, defaults), faults)
    return Resolved(tree=whole, faults=faults, version=version, extends=defaults)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _extended(tree: Value, inherited: Inherited, faults: Faults) -> Defaults | None:
    """Return the defaults that a policy extends; raise PolicyError where it should and cannot."""
    said = (tree.entries or {}).get(EXTENDS)
    if said is None or said.kind == "nothing":
        return None
    defaults = inherited.defaults
    if said.text != DEFAULTS:
        faults.note(said, EXTENDS, shown(said), DEFAULTS)
    elif defaults is None and inherited.error is None:
        faults.note(said, EXTENDS, f"{shown(said)}, which is not there", f"a file {DEFAULTS} beside the policy")
    elif defaults is not None:
        too_large = _too_large(tree, defaults)
        if too_large is None:
            return defaults
        faults.note(said, EXTENDS, "a larger structure with what it inherits", too_large)
    raise PolicyError([*faults.found, *(inherited.error.faults if inherited.error is not None else ())])


# --- how large it gets -----------------------------------------------------------------------------------------------


def _too_large(tree: Value, defaults: Defaults) -> str | None:
    """Return how large a policy may be, where it is larger with what it inherits: it must not grow without bounds."""
    service = _name_of(tree, "service")
    names = [_name_of(stage, "name") for stage in _stages(tree)]
    found = [(defaults.weights[""], _UNKNOWN), *((defaults.weights["stage"], name) for name in names)]
    paths = ((f"stages.{name}", name) for name in names)
    found += [(defaults.weights[path], name) for path, name in paths if path in defaults.weights]
    if count(tree) + sum(weight.values for weight, _ in found) > MAX_NODES:
        return f"at most {MAX_NODES:,} values"
    if sum(weight.filled(service, name) for weight, name in found) > MAX_BYTES:
        return f"at most {MAX_BYTES:,} characters inherited"
    return None


def _places(value: Value) -> Iterator[Place]:
    """Give the places of all values and keys below a value, and its own."""
    for one in below(value):
        yield one.place
        yield from (one.keys or {}).values()


# --- inheriting ------------------------------------------------------------------------------------------------------


def inherit(tree: Value, defaults: Defaults) -> Value:
    """Return a policy's tree with what it inherits from defaults, and without `extends`.

    Only stages that the policy names are there: defaults never add one.
    """
    service = _name_of(tree, "service")
    own = without(tree, (EXTENDS,))
    merged = _merged(own, _filled(defaults.service, {"service": service}))
    stages = (merged.entries or {}).get("stages")
    if stages is None or stages.kind != "list":
        return merged
    items = tuple(_stage(item, defaults, service) if item.kind == "mapping" else item for item in stages.items)
    # The stages last, as people write them.
    entries = {key: value for key, value in (merged.entries or {}).items() if key != "stages"}
    return replace(merged, entries={**entries, "stages": replace(stages, items=items)})


def _stage(own: Value, defaults: Defaults, service: str) -> Value:
    name = _name_of(own, "name")
    words = {"service": service, "stage": name}
    named = defaults.stages.get(name)
    merged = own if named is None else _merged(own, _fitting(own, _filled(named, words)))
    of_all = without(_filled(defaults.stage, words), _misplaced(merged, defaults))
    return _merged(merged, _fitting(merged, of_all))


def _misplaced(stage: Value, defaults: Defaults) -> tuple[str, ...]:
    """Return what a stage does not inherit from that which every stage does, since it cannot stand there."""
    source = (stage.entries or {}).get("from") or (defaults.stage.entries or {}).get("from")
    if source is None:
        return (*ONLY_WITH_FROM, "releases")
    return () if source.text == REGISTRY else ("releases",)


def _fitting(own: Value, other: Value) -> Value:
    """Return what a stage may inherit: nothing about pull requests where its promotions are commits."""
    said, inherited = (own.entries or {}).get("promote"), (other.entries or {}).get("promote")
    by = (said.entries or {}).get("by") if said is not None else None
    if inherited is None or inherited.kind != "mapping" or by is None or by.text != "commit":
        return other
    return replace(other, entries={**(other.entries or {}), "promote": without(inherited, ONLY_PULL_REQUESTS)})


def _merged(own: Value, other: Value) -> Value:
    """Return a value with what another one adds: mappings key by key, and of anything else only the first."""
    if own.kind != "mapping" or other.kind != "mapping":
        return own
    entries, keys = dict(own.entries or {}), dict(own.keys or {})
    for key, value in (other.entries or {}).items():
        if key not in entries:
            entries[key], keys[key] = value, (other.keys or {})[key]
        elif key not in WHOLE:
            entries[key] = _merged(entries[key], value)
    return replace(own, entries=entries, keys=keys)


def _name_of(value: Value, key: str) -> str:
    """Return the name that a policy or stage has; another one where it has none, so that this is told alone."""
    name = (value.entries or {}).get(key)
    return name.text if name is not None and re.fullmatch(NAME, name.text) is not None else _UNKNOWN


def _stages(tree: Value) -> Iterator[Value]:
    stages = (tree.entries or {}).get("stages")
    yield from (stages.items if stages is not None else ())


def _filled(value: Value, words: Mapping[str, str], path: tuple[str, ...] = ()) -> Value:
    """Return a value of the defaults with the names of a service and a stage in its texts; other braces stay."""
    if value.kind == "text":
        if "{" not in value.text or path[-2:] == _TITLE:
            return value
        return replace(value, text=_PLACES.sub(lambda place: words.get(place[1], place[0]), value.text))
    if value.kind == "list":
        return replace(value, items=tuple(_filled(item, words, path) for item in value.items))
    if value.kind == "nothing":
        return value
    entries = {key: _filled(one, words, (*path, key)) for key, one in (value.entries or {}).items()}
    return replace(value, entries=entries)
