"""The tag in a kustomization file: `newTag` of the entry of `images` for the image, with `digest` and `newName`.

Kustomize knows an image by two names: `name`, as the manifests call it, and `newName`, by which it is replaced. The
entry counts if either is the service's image, since the first is how most files are written, and the second is what
runs where a registry is swapped; an image that two entries name is refused. Where the policy gives the entry's name,
that alone counts. A digest decides what runs, whatever the tag: an entry that has one is always set whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.edit.insert import Gap, image_step
from bot.domain.edit.kinds import KustomizeEdit
from bot.domain.edit.locate import find, find_all, value_of
from bot.domain.edit.path import EntryWhere
from bot.domain.edit.places import Form, scalar_place
from bot.domain.edit.sheet import Spot, YamlSheet, chosen_roots
from bot.domain.edit.stream import Reading, Stream, read_stream

_FORMS = (("newTag", Form.TAG), ("digest", Form.DIGEST), ("newName", Form.NAME))


def open_kustomization(edit: KustomizeEdit, image: str, text: str, reading: Reading) -> YamlSheet:
    """Open a kustomization at the entry for the image; raise EditRefused if it has none and may not get one."""
    stream = read_stream(text, file=edit.file, reading=reading)
    roots = chosen_roots(stream, edit.document)
    name = edit.name or image
    step = EntryWhere(fields=("name",) if edit.name else ("name", "newName"), value=name)
    if edit.create and not find_all(stream, ("images", step), roots=roots):
        return _without_entry(stream, name, roots)
    entry = find(stream, ("images", step), roots=roots)
    if not edit.create and value_of(stream, entry, "digest", ("images", step, "digest")) is None:
        # Asking for the tag itself names what is missing most precisely.
        find(stream, ("images", step, "newTag"), roots=roots)
    return _open_entry(edit, stream, entry, step)


def _open_entry(edit: KustomizeEdit, stream: Stream, entry: int, step: EntryWhere) -> YamlSheet:
    spots, missing = [], {}
    for key, form in _FORMS:
        steps = ("images", step, key)
        node = value_of(stream, entry, key, steps)
        if node is not None:
            spots.append(Spot(place=scalar_place(stream, node, steps, form), node=node, steps=steps))
        elif edit.create or (form is Form.DIGEST and edit.pin):
            missing[form] = Gap(node=entry, steps=("images", step))
    return YamlSheet(stream=stream, spots=tuple(spots), missing=missing)


def _without_entry(stream: Stream, name: str, roots: Sequence[int]) -> YamlSheet:
    lists = find_all(stream, ("images",), roots=roots)
    if len(roots) != 1 or not stream.is_mapping(roots[0]):
        find(stream, ("images", image_step(name)), roots=roots)
    node = lists[0] if lists else roots[0]
    if lists and not stream.is_list(node):
        stream.refuse(node, ("images",), "images is not a list, so no entry can be added to it")
    gap = Gap(node=node, steps=("images", image_step(name)), name=name)
    return YamlSheet(stream=stream, spots=(), missing=dict.fromkeys((Form.TAG, Form.DIGEST, Form.NAME), gap))
