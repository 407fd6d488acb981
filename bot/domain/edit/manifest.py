"""The version in Kubernetes manifests: `image` of the containers that run the service's image.

Containers are looked for wherever a document has `containers`, `initContainers` or `ephemeralContainers`: in Pods, in
every workload with a Pod template, CronJobs, Argo Rollouts and kinds that nobody has thought of yet, and in Lists of
them. All that run the image are read and set together; two that say different things are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.edit.kinds import ManifestEdit
from bot.domain.edit.locate import value_of
from bot.domain.edit.path import EntryWhere, Step, render_path
from bot.domain.edit.places import Form, scalar_place
from bot.domain.edit.reference import is_same_image, parse_reference
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.sheet import Spot, YamlSheet, chosen_roots, text_of
from bot.domain.edit.stream import Reading, Stream, read_stream

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def open_manifest(edit: ManifestEdit, image: str, text: str, reading: Reading) -> YamlSheet:
    """Open manifests at every container that runs the image; raise EditRefused if none does for certain."""
    stream = read_stream(text, file=edit.file, reading=reading)
    spots: list[Spot] = []
    aliases: list[tuple[int, tuple[Step, ...]]] = []
    for root in chosen_roots(stream, edit.document):
        for container, steps in _containers(stream, root, ()):
            if edit.container is not None and text_of(stream, container, "name") != edit.container:
                continue
            node = value_of(stream, container, "image", (*steps, "image"))
            if node is not None and stream.is_alias(node):
                aliases.append((node, (*steps, "image")))
            elif node is not None and stream.is_scalar(node) and _is_image(stream.value(node), image):
                spots.append(_spot(stream, root, node, (*steps, "image")))
    _check_aliases(stream, image, aliases, spots)
    if not spots:
        raise EditRefused(file=edit.file, line=1, path="", reason=_nothing(edit, image))
    return YamlSheet(stream=stream, spots=tuple(spots))


def _spot(stream: Stream, root: int, node: int, steps: tuple[Step, ...]) -> Spot:
    document = tuple(text_of(stream, root, key) for key in ("kind", "apiVersion"))
    metadata = value_of(stream, root, "metadata", ("metadata",)) if stream.is_mapping(root) else None
    names = tuple(text_of(stream, metadata, key) for key in ("namespace", "name")) if metadata is not None else ()
    key = (Form.IMAGE, document, names, render_path(steps))
    return Spot(place=scalar_place(stream, node, steps, Form.IMAGE, key=key), node=node, steps=steps)


def _containers(stream: Stream, node: int, steps: tuple[Step, ...]) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """Give each container below a node, with its path."""
    if stream.is_mapping(node):
        for key, value in stream.pairs(node):
            if not stream.is_scalar(key):
                continue
            name = stream.value(key)
            below = (*steps, name)
            if name in _CONTAINERS and stream.is_list(value):
                yield from _entries(stream, value, below)
            else:
                yield from _containers(stream, value, below)
    elif stream.is_list(node):
        for index, entry in enumerate(stream.children(node)):
            yield from _containers(stream, entry, (*steps, index))


def _entries(stream: Stream, containers: int, steps: tuple[Step, ...]) -> Iterator[tuple[int, tuple[Step, ...]]]:
    for index, entry in enumerate(stream.children(containers)):
        if stream.is_mapping(entry):
            name = text_of(stream, entry, "name")
            yield entry, (*steps, EntryWhere(fields=("name",), value=name) if name else index)


def _is_image(value: str, image: str) -> bool:
    reference = parse_reference(value)
    # A template that begins with the image's name is meant, and then refused with its reason.
    name = reference.name if reference else value.partition("{{")[0].rstrip(":@")
    return bool(name) and is_same_image(name, image)


def _check_aliases(stream: Stream, image: str, aliases: list[tuple[int, tuple[Step, ...]]], spots: list[Spot]) -> None:
    """Refuse a container whose image is an alias of the service's image, unless its anchor is set as well."""
    chosen = {spot.node for spot in spots}
    for alias, steps in aliases:
        anchor = stream.anchor(alias)
        target = max((at for at in _anchored(stream, anchor) if at < alias), default=None)
        if target is None or not stream.is_scalar(target) or not _is_image(stream.value(target), image):
            continue
        if target not in chosen:
            reason = f"this is an alias (*{anchor}) of a value on line {stream.line(target)}; write the value out here"
            stream.refuse(alias, steps, reason)


def _anchored(stream: Stream, anchor: str | None) -> Iterator[int]:
    nodes = (at for at, shape in enumerate(stream.shapes) if shape is not None and not stream.is_alias(at))
    return (at for at in nodes if (stream.is_scalar(at) or at in stream.ends) and stream.anchor(at) == anchor)


def _nothing(edit: ManifestEdit, image: str) -> str:
    which = f"container called {quoted(edit.container)}" if edit.container else "container"
    return f"no {which} of the file runs the image {quoted(image)}"
