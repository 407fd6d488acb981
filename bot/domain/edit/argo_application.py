"""The version in an Argo CD Application, or in an ApplicationSet's template.

Helm values count in Argo CD's own order: parameters before `valuesObject` before `values`. A value that stands in two
of them is refused, since the weaker one would be changed without effect, or silently left behind. So is one that two
sources have, unless the policy says which source is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bot.domain.edit.kinds import ArgoApplicationEdit, DocumentWhere, Holds
from bot.domain.edit.locate import find_all, has_merge, value_of
from bot.domain.edit.nested import nested_place, open_nested
from bot.domain.edit.path import EntryWhere, Step, parse_path, render_path
from bot.domain.edit.places import Form, scalar_place
from bot.domain.edit.reference import is_same_image, parse_reference
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.sheet import Spot, YamlSheet, chosen_roots, text_of
from bot.domain.edit.stream import Reading, Stream, read_stream

_SPECS: dict[str, tuple[Step, ...]] = {"Application": ("spec",), "ApplicationSet": ("spec", "template", "spec")}
_NAMES = ("name", "ref", "chart", "path", "repoURL")


def open_application(edit: ArgoApplicationEdit, image: str, text: str, reading: Reading) -> YamlSheet:
    """Open an Application at the value of the policy; raise EditRefused if it is not there once, for certain."""
    stream = read_stream(text, file=edit.file, reading=reading)
    look = _look(edit, stream, image)
    sources = [source for root in _roots(edit, stream) for source in _sources(edit, stream, root)]
    spots = [spot for source, steps in sources for spot in look(source, steps)]
    if not spots:
        raise EditRefused(file=edit.file, line=1, path="", reason=_nothing(edit, image))
    if len(spots) > 1:
        where = " and ".join(f"{spot.place.path} (line {spot.place.line})" for spot in spots[:2])
        reason = f"the version stands in several places: {where}; say which is meant"
        stream.refuse(spots[0].node, spots[0].steps, reason)
    return YamlSheet(stream=stream, spots=tuple(spots))


_Look = Callable[[int, tuple[Step, ...]], Iterator[Spot]]


def _look(edit: ArgoApplicationEdit, stream: Stream, image: str) -> _Look:
    if edit.holds is Holds.KUSTOMIZE:
        return partial(_kustomize_images, stream, image)
    if edit.holds is Holds.TARGET_REVISION:
        return partial(_target_revision, stream)
    return partial(_helm_values, stream, parse_path(edit.path or "", file=edit.file))


def _roots(edit: ArgoApplicationEdit, stream: Stream) -> list[int]:
    roots = chosen_roots(stream, DocumentWhere(name=edit.application))
    found = [root for root in roots if (text_of(stream, root, "kind") or "") in _SPECS]
    for root in found:
        _check_set(stream, root)
    return found


def _check_set(stream: Stream, root: int) -> None:
    """Refuse an ApplicationSet whose template is not all there is: a patch or a generator may say otherwise."""
    for node in find_all(stream, ("spec", "templatePatch"), roots=(root,)):
        stream.refuse(node, ("spec", "templatePatch"), "the templatePatch may set another version than the template")
    for generators in find_all(stream, ("spec", "generators"), roots=(root,)):
        for node in range(generators, stream.end(generators)):
            if stream.is_mapping(node) and value_of(stream, node, "template", ("spec", "generators")) is not None:
                stream.refuse(
                    node, ("spec", "generators"), "a generator has a template of its own, which overrides this one"
                )


def _sources(edit: ArgoApplicationEdit, stream: Stream, root: int) -> list[tuple[int, tuple[Step, ...]]]:
    """Return the sources of an application that are meant, each with its path."""
    above = _SPECS[text_of(stream, root, "kind") or ""]
    found: list[tuple[int, tuple[Step, ...]]] = []
    for node in find_all(stream, (*above, "sources"), roots=(root,)):
        entries = stream.children(node) if stream.is_list(node) else []
        found += [(source, (*above, "sources", index)) for index, source in enumerate(entries)]
    if not found:
        # Argo CD reads `source` only where `sources` has none.
        found = [(node, (*above, "source")) for node in find_all(stream, (*above, "source"), roots=(root,))]
    return [(node, steps) for node, steps in found if edit.source is None or _is_called(stream, node, edit.source)]


def _is_called(stream: Stream, source: int, name: str) -> bool:
    return any(text_of(stream, source, key) == name for key in _NAMES)


def _target_revision(stream: Stream, source: int, above: tuple[Step, ...]) -> Iterator[Spot]:
    for node in find_all(stream, ("targetRevision",), roots=(source,)):
        yield _spot(stream, node, (*above, "targetRevision"), Form.TAG)


def _kustomize_images(stream: Stream, image: str, source: int, above: tuple[Step, ...]) -> Iterator[Spot]:
    for node in find_all(stream, ("kustomize", "images"), roots=(source,)):
        for index, entry in enumerate(stream.children(node) if stream.is_list(node) else ()):
            if stream.is_scalar(entry) and _names(stream.value(entry), image):
                steps = (*above, "kustomize", "images", index)
                yield _spot(stream, entry, steps, Form.RENAMED_IMAGE)


def _names(value: str, image: str) -> bool:
    """Say whether an override is for the image: by the name it replaces, or by the name it puts there."""
    replaced, _, put = value.rpartition("=")
    reference = parse_reference(put)
    names = [name for name in (replaced, reference.name if reference else "") if name]
    return any(is_same_image(name, image) for name in names)


def _helm_values(stream: Stream, path: tuple[Step, ...], source: int, above: tuple[Step, ...]) -> Iterator[Spot]:
    helm = (*above, "helm")
    for node in find_all(stream, ("helm",), roots=(source,)):
        if stream.is_mapping(node):
            if has_merge(stream, node, helm):
                stream.refuse(node, helm, "helm takes keys from elsewhere (<<); write them out here")
            yield from _parameters(stream, path, node, helm)
            yield from _values_object(stream, path, node, helm)
            yield from _values(stream, path, node, helm)


def _parameters(stream: Stream, path: tuple[Step, ...], helm: int, above: tuple[Step, ...]) -> Iterator[Spot]:
    entry = EntryWhere(fields=("name",), value=render_path(path))
    for node in find_all(stream, ("fileParameters", entry), roots=(helm,)):
        stream.refuse(node, (*above, "fileParameters", entry), "the value is taken from a file here")
    for node in find_all(stream, ("parameters", entry, "value"), roots=(helm,)):
        steps: tuple[Step, ...] = (*above, "parameters", entry, "value")
        yield _spot(stream, node, steps, Form.PARAMETER)


def _values_object(stream: Stream, path: tuple[Step, ...], helm: int, above: tuple[Step, ...]) -> Iterator[Spot]:
    for node in find_all(stream, ("valuesObject", *path), roots=(helm,)):
        yield _spot(stream, node, (*above, "valuesObject", *path), Form.TAG)


def _values(stream: Stream, path: tuple[Step, ...], helm: int, above: tuple[Step, ...]) -> Iterator[Spot]:
    steps: tuple[Step, ...] = (*above, "values")
    (outer,) = find_all(stream, ("values",), roots=(helm,)) or (None,)
    if outer is None or not stream.is_scalar(outer):
        return
    nested = open_nested(stream, outer, path, outer_steps=steps)
    if nested is None:
        return
    for stronger in find_all(stream, ("valuesObject",), roots=(helm,)):
        if not (stream.is_scalar(stronger) and stream.value(stronger) in ("", "~", "null")):
            stream.refuse(
                outer, steps, f"Argo CD ignores values, since there is a valuesObject on line {stream.line(stronger)}"
            )
    place = nested_place(stream, outer, nested, outer_steps=steps, form=Form.TAG)
    yield Spot(place=place, node=outer, steps=steps, nested=nested)


def _spot(stream: Stream, node: int, steps: tuple[Step, ...], form: Form) -> Spot:
    place = scalar_place(stream, node, steps, form, is_typed=form is not Form.TAG)
    return Spot(place=place, node=node, steps=steps)


def _nothing(edit: ArgoApplicationEdit, image: str) -> str:
    where = f"the application {quoted(edit.application)}" if edit.application else "an Application of the file"
    what = {
        Holds.HELM: f"a Helm value {quoted(edit.path or '')} in parameters, valuesObject or values",
        Holds.KUSTOMIZE: f"an entry of kustomize.images for {quoted(image)}",
        Holds.TARGET_REVISION: "a targetRevision",
    }[edit.holds]
    return f"no source of {where} has {what}"
