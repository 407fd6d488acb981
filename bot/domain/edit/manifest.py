"""The version in Kubernetes manifests: `image` of the containers that run the service's image.

Containers are looked for wherever a document has `containers`, `initContainers` or `ephemeralContainers`: in Pods, in
every workload with a Pod template, CronJobs, Argo Rollouts and kinds that nobody has thought of yet, and in Lists of
them. All that run the image are read and set together; two that say different things are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bot.domain.edit.kinds import ManifestEdit
from bot.domain.edit.locate import value_of
from bot.domain.edit.path import EntryWhere, Step
from bot.domain.edit.places import Form, scalar_place
from bot.domain.edit.reference import is_same_image, parse_reference
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.sheet import Spot, YamlSheet, chosen_roots, text_of
from bot.domain.edit.stream import Reading, Stream, read_stream

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def open_manifest(edit: ManifestEdit, image: str, text: str, reading: Reading) -> YamlSheet:
    """Open manifests at every container that runs the image; raise EditRefused if none does for certain."""
    stream = read_stream(text, file=edit.file, reading=reading)
    finder = _Finder(stream=stream, image=image, container=edit.container)
    for root in chosen_roots(stream, edit.document):
        finder.look(root)
    finder.check_borrowed()
    if not finder.spots:
        raise EditRefused(file=edit.file, line=1, path="", reason=_nothing(edit, image))
    return YamlSheet(stream=stream, spots=finder.spots_apart())


@dataclass(slots=True, kw_only=True)
class _Finder:
    """Looks for the containers of one file. `borrowed` are aliases in the places of containers and images."""

    stream: Stream
    image: str
    container: str | None
    spots: list[Spot] = field(default_factory=list)
    borrowed: list[tuple[int, tuple[Step, ...]]] = field(default_factory=list)

    def look(self, root: int) -> None:
        """Find the containers of one document."""
        identity = _identity(self.stream, root)
        for container, steps in self._containers(root, ()):
            if self.container is None or text_of(self.stream, container, "name") == self.container:
                self._take(container, steps, identity)

    def _take(self, container: int, steps: tuple[Step, ...], identity: object) -> None:
        stream, steps = self.stream, (*steps, "image")
        node = value_of(stream, container, "image", steps)
        if node is None:
            merged = value_of(stream, container, "<<", steps)
            self.borrowed += [(merged, steps)] if merged is not None else []
        elif stream.is_alias(node):
            self.borrowed.append((node, steps))
        elif stream.is_scalar(node) and _is_image(stream.value(node), self.image):
            place = scalar_place(stream, node, steps, Form.IMAGE, is_typed=True)
            place = replace(place, key=(identity, place.path))
            self.spots.append(Spot(place=place, node=node, steps=steps))

    def _containers(self, node: int, steps: tuple[Step, ...]) -> Iterator[tuple[int, tuple[Step, ...]]]:
        """Give each container below a node, with its path."""
        stream = self.stream
        if stream.is_mapping(node):
            for key, value in stream.pairs(node):
                name = stream.value(key) if stream.is_scalar(key) else ""
                below = (*steps, name)
                if name in _CONTAINERS and stream.is_list(value):
                    yield from self._entries(value, below)
                elif name in _CONTAINERS and stream.is_alias(value):
                    self.borrowed.append((value, below))
                else:
                    yield from self._containers(value, below)
        elif stream.is_list(node):
            for index, entry in enumerate(stream.children(node)):
                yield from self._containers(entry, (*steps, index))

    def _entries(self, containers: int, steps: tuple[Step, ...]) -> Iterator[tuple[int, tuple[Step, ...]]]:
        stream = self.stream
        for index, entry in enumerate(stream.children(containers)):
            if stream.is_alias(entry):
                self.borrowed.append((entry, (*steps, index)))
            elif stream.is_mapping(entry):
                name = text_of(stream, entry, "name")
                yield entry, (*steps, EntryWhere(fields=("name",), value=name) if name else index)

    def check_borrowed(self) -> None:
        """Refuse an alias that brings the image from elsewhere, unless the place it stands at is set as well."""
        chosen = {spot.node for spot in self.spots}
        for node, steps in self.borrowed:
            found = next((at for at in self._meant(node) if at not in chosen), None)
            if found is not None:
                line = self.stream.line(found)
                reason = f"this takes the image from line {line} by an alias; write the value out here"
                self.stream.refuse(node, steps, reason)

    def _meant(self, node: int) -> Iterator[int]:
        """Give the scalars that name the image among those that a node brings by its aliases, one level deep."""
        stream = self.stream
        aliases = [at for at in range(node, stream.end(node)) if stream.is_alias(at)]
        for target in filter(None, map(stream.target, aliases)):
            scalars = (at for at in range(target, stream.end(target)) if stream.is_scalar(at))
            yield from (at for at in scalars if _is_image(stream.value(at), self.image))

    def spots_apart(self) -> tuple[Spot, ...]:
        """Return the spots with a key each: those that are called the same get a number, and are not alone."""
        counts = Counter(spot.place.key for spot in self.spots)
        seen: Counter[object] = Counter()
        apart = []
        for spot in self.spots:
            key = spot.place.key
            seen[key] += 1
            is_alone = spot.place.is_alone and counts[key] == 1
            apart.append(replace(spot, place=replace(spot.place, key=(key, seen[key]), is_alone=is_alone)))
        return tuple(apart)


def _identity(stream: Stream, root: int) -> object:
    """Return what a document is called."""
    metadata = value_of(stream, root, "metadata", ("metadata",)) if stream.is_mapping(root) else None
    named = (text_of(stream, metadata, key) for key in ("namespace", "name")) if metadata is not None else ()
    return tuple(text_of(stream, root, key) for key in ("kind", "apiVersion")), tuple(named)


def _is_image(value: str, image: str) -> bool:
    reference = parse_reference(value)
    # A template that begins with the image's name is meant, and then refused with its reason.
    name = reference.name if reference else value.partition("{{")[0].rstrip(":@")
    return bool(name) and is_same_image(name, image)


def _nothing(edit: ManifestEdit, image: str) -> str:
    which = f"container called {quoted(edit.container)}" if edit.container else "container"
    return f"no {which} of the file runs the image {quoted(image)}"
