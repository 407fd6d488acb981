"""A YAML or JSON file opened at its places: what every kind of edit but the pattern works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.edit.change import Edited
from bot.domain.edit.insert import Gap, plan_gaps
from bot.domain.edit.kinds import ANY_DOCUMENT, DocumentWhere
from bot.domain.edit.locate import find, value_of
from bot.domain.edit.nested import Nested, plan_nested
from bot.domain.edit.path import Step
from bot.domain.edit.places import Form, Place, Setting, scalar_place
from bot.domain.edit.refusal import EditRefused
from bot.domain.edit.replace import Plan, Splice, make_edit, plan_scalar
from bot.domain.edit.stream import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a place is: a scalar of the stream, or one inside a text that a scalar of the stream holds."""

    place: Place
    node: int
    steps: tuple[Step, ...]
    nested: Nested | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlSheet:
    """The spots of one stream, and what could be added to it, in one insertion for all forms together."""

    stream: Stream
    spots: tuple[Spot, ...]
    missing: Mapping[Form, Gap] = field(default_factory=dict)

    @property
    def places(self) -> tuple[Place, ...]:
        """The places that the file has, in the order of the text."""
        return tuple(spot.place for spot in sorted(self.spots, key=lambda spot: spot.node))

    @property
    def gaps(self) -> frozenset[Form]:
        """What the file does not say, and may be made to."""
        return frozenset(self.missing)

    def edit(self, settings: tuple[Setting, ...], added: dict[Form, str]) -> Edited:
        """Set places, fill gaps, and prove that nothing else changed."""
        values: dict[int, str] = {}
        as_before = {spot.node for spot, setting in self._chosen(settings) if setting.raw is not None}
        splices: list[Splice] = []
        for spot, setting in self._chosen(settings):
            if spot.nested is None:
                splice = plan_scalar(self.stream, spot.node, setting.value, spot.steps, raw=setting.raw)
                if splice is not None:
                    splices.append(splice)
                    values[spot.node] = setting.value
        for outer, group in self._nested(settings).items():
            planned = plan_nested(self.stream, outer, group)
            if planned is not None:
                splices += planned.splices
                values[outer] = planned.value
        gaps = plan_gaps(self.stream, {form: self.missing[form] for form in added}, added)
        plan = Plan(splices=(*splices, *gaps.splices), values=values, as_before=frozenset(as_before), added=gaps.added)
        return make_edit(self.stream, plan)

    def _chosen(self, settings: Sequence[Setting]) -> list[tuple[Spot, Setting]]:
        spots = {spot.place.key: spot for spot in self.spots}
        return [(spots[setting.place.key], setting) for setting in settings]

    def _nested(self, settings: Sequence[Setting]) -> dict[int, list[tuple[Nested, Setting]]]:
        groups: dict[int, list[tuple[Nested, Setting]]] = {}
        for spot, setting in self._chosen(settings):
            if spot.nested is not None:
                groups.setdefault(spot.node, []).append((spot.nested, setting))
        return groups


def spot_at(stream: Stream, steps: tuple[Step, ...], form: Form, *, roots: Sequence[int]) -> Spot:
    """Find the one scalar at a path below these roots; raise EditRefused if it is not there for certain."""
    node = find(stream, steps, roots=roots)
    return Spot(place=scalar_place(stream, node, steps, form), node=node, steps=steps)


def chosen_roots(stream: Stream, where: DocumentWhere) -> tuple[int, ...]:
    """Return the root nodes of the documents that are meant; raise EditRefused if the file has none of them."""
    roots = [root for root in stream.roots() if not _is_nothing(stream, root)]
    found = tuple(root for index, root in enumerate(roots) if _is_meant(stream, root, index, where))
    if roots and not found:
        reason = f"the file has no document with {describe(where)}, of {len(roots)}"
        raise EditRefused(file=stream.file, line=1, path="", reason=reason)
    return found


def only_root(stream: Stream, where: DocumentWhere, reader: str) -> tuple[int, ...]:
    """Return the roots that a tool reads which stops after the first document, unless others are asked for.

    Raise EditRefused if there is anything in a later one: whoever wrote it there thought that it counts.
    """
    if where != ANY_DOCUMENT:
        return chosen_roots(stream, where)
    roots = tuple(stream.roots())
    later = next((root for root in roots[1:] if not _is_nothing(stream, root)), None)
    if later is not None:
        reason = f"{reader} reads the first document of a file only; say which document is meant, or split the file"
        stream.refuse(later, (), reason)
    return roots[:1]


def describe(where: DocumentWhere) -> str:
    """Say in words which documents are meant."""
    said = {"kind": where.kind, "name": where.name, "namespace": where.namespace, "index": where.index}
    return ", ".join(f"the {what} {value}" for what, value in said.items() if value is not None)


def text_of(stream: Stream, mapping: int, key: str) -> str | None:
    """Return the text at a key of a mapping; None if there is no such key, no text, or no mapping."""
    node = value_of(stream, mapping, key, (key,)) if stream.is_mapping(mapping) else None
    return stream.value(node) if node is not None and stream.is_scalar(node) else None


def _is_nothing(stream: Stream, root: int) -> bool:
    """Say whether a document is empty: a `---` with nothing behind it."""
    return stream.is_scalar(root) and stream.value(root) == "" and not stream.style(root)


def _is_meant(stream: Stream, root: int, index: int, where: DocumentWhere) -> bool:
    if where.index not in (None, index):
        return False
    if where.kind is not None and text_of(stream, root, "kind") != where.kind:
        return False
    if where.name is None and where.namespace is None:
        return True
    metadata = value_of(stream, root, "metadata", ("metadata",)) if stream.is_mapping(root) else None
    if metadata is None:
        return False
    said = (("name", where.name), ("namespace", where.namespace))
    return all(wanted is None or text_of(stream, metadata, key) == wanted for key, wanted in said)
