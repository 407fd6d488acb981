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
from bot.domain.edit.locate import find, find_all, has_merge, value_of
from bot.domain.edit.path import EntryWhere, Step
from bot.domain.edit.pattern import matches_whole
from bot.domain.edit.places import Form, scalar_place
from bot.domain.edit.refusal import quoted
from bot.domain.edit.sheet import Spot, YamlSheet, only_root, text_of
from bot.domain.edit.stream import Reading, Stream, read_stream

_FORMS = (("newTag", Form.TAG), ("digest", Form.DIGEST), ("newName", Form.NAME))


def open_kustomization(edit: KustomizeEdit, image: str, text: str, reading: Reading) -> YamlSheet:
    """Open a kustomization at the entry for the image; raise EditRefused if it has none and may not get one."""
    stream = read_stream(text, file=edit.file, reading=reading)
    roots = only_root(stream, edit.document, "kustomize")
    for root in roots:
        _check_spelling(stream, root, ("images",), ())
    name = edit.name or image
    step = EntryWhere(fields=("name",) if edit.name else ("name", "newName"), value=name)
    if edit.create and not find_all(stream, ("images", step), roots=roots):
        return _without_entry(stream, name, roots)
    entry = find(stream, ("images", step), roots=roots)
    if not edit.create and value_of(stream, entry, "digest", ("images", step, "digest")) is None:
        # Asking for the tag itself names what is missing most precisely.
        find(stream, ("images", step, "newTag"), roots=roots)
    _check_entry(stream, entry, step, {name, image}, roots=roots)
    return _open_entry(edit, stream, entry, step)


def _check_entry(stream: Stream, entry: int, step: EntryWhere, names: set[str], *, roots: Sequence[int]) -> None:
    """Refuse an entry that kustomize reads otherwise than it looks, and one that others have a say in."""
    steps = ("images", step)
    if has_merge(stream, entry, steps):
        stream.refuse(entry, steps, "the entry takes keys from elsewhere (<<); write them out here")
    _check_spelling(stream, entry, ("name", *(key for key, _ in _FORMS)), steps)
    suffix = value_of(stream, entry, "tagSuffix", steps)
    if suffix is not None:
        stream.refuse(suffix, (*steps, "tagSuffix"), "the entry has a tagSuffix, so that another tag runs than newTag")
    names = names | {text for key in ("name", "newName") if (text := text_of(stream, entry, key))}
    siblings = [other for node in find_all(stream, ("images",), roots=roots) for other in stream.children(node)]
    for other in siblings if entry in siblings else ():
        pattern = text_of(stream, other, "name")
        if other != entry and pattern is not None and _fits(pattern, names):
            reason = f"kustomize applies this entry to the image as well as the one on line {stream.line(entry)}"
            stream.refuse(other, ("images", image_step(pattern)), reason)


def _fits(pattern: str, names: set[str]) -> bool:
    """Say whether kustomize takes an entry's name, which is a regular expression to it, for one of the names."""
    return pattern in names or any(matches_whole(pattern, name) for name in names)


def _check_spelling(stream: Stream, mapping: int, keys: tuple[str, ...], steps: tuple[Step, ...]) -> None:
    """Refuse a key that differs from a known one by its case only: kustomize takes it for the known one."""
    if not stream.is_mapping(mapping):
        return
    for node, _ in stream.pairs(mapping):
        key = stream.value(node) if stream.is_scalar(node) else ""
        if key not in keys and key.lower() in {known.lower() for known in keys}:
            stream.refuse(node, steps, f"kustomize reads the key {quoted(key)} whatever its case; spell it as usual")


def _open_entry(edit: KustomizeEdit, stream: Stream, entry: int, step: EntryWhere) -> YamlSheet:
    spots, missing = [], {}
    for key, form in _FORMS:
        steps = ("images", step, key)
        node = value_of(stream, entry, key, steps)
        if node is not None:
            spots.append(Spot(place=scalar_place(stream, node, steps, form, is_typed=True), node=node, steps=steps))
        elif edit.create or (form is Form.DIGEST and edit.pin):
            missing[form] = Gap(node=entry, steps=("images", step))
    return YamlSheet(stream=stream, spots=tuple(spots), missing=missing)


def _without_entry(stream: Stream, name: str, roots: Sequence[int]) -> YamlSheet:
    lists = find_all(stream, ("images",), roots=roots)
    if len(roots) != 1 or not stream.is_mapping(roots[0]):
        find(stream, ("images", image_step(name)), roots=roots)
    node = lists[0] if lists else roots[0]
    if lists and not stream.is_list(node):
        reason = "images is empty or no list, so no entry can be added to it; write images: [], or take the key away"
        stream.refuse(node, ("images",), reason)
    gap = Gap(node=node, steps=("images", image_step(name)), name=name)
    return YamlSheet(stream=stream, spots=(), missing=dict.fromkeys((Form.TAG, Form.DIGEST, Form.NAME), gap))
