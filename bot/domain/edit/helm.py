"""The version in a Helm values file, or in any YAML or JSON file: scalars at paths that the policy names."""

from __future__ import annotations

from bot.domain.edit.kinds import HelmEdit, PathEdit
from bot.domain.edit.locate import find, scalar_at
from bot.domain.edit.path import parse_path
from bot.domain.edit.places import Form
from bot.domain.edit.reference import is_digest, is_same_image, parse_reference
from bot.domain.edit.sheet import YamlSheet, chosen_roots, only_root, spot_at
from bot.domain.edit.stream import Reading, read_stream


def open_values(edit: HelmEdit, text: str, reading: Reading) -> YamlSheet:
    """Open a values file at the paths of the policy; raise EditRefused if one of them is not there for certain."""
    named = ((edit.tag, Form.TAG), (edit.image, Form.IMAGE), (edit.digest, Form.DIGEST), (edit.repository, Form.NAME))
    paths = [(parse_path(path, file=edit.file), form) for path, form in named if path is not None]
    stream = read_stream(text, file=edit.file, reading=reading)
    roots = only_root(stream, edit.document, "Helm")
    return YamlSheet(stream=stream, spots=tuple(spot_at(stream, steps, form, roots=roots) for steps, form in paths))


def open_path(edit: PathEdit, image: str, text: str, reading: Reading) -> YamlSheet:
    """Open a file at one path. What stands there tells what it is: a tag, a digest, or a whole image reference."""
    steps = parse_path(edit.path, file=edit.file)
    stream = read_stream(text, file=edit.file, reading=reading)
    roots = chosen_roots(stream, edit.document)
    value = scalar_at(stream, find(stream, steps, roots=roots), steps).value
    return YamlSheet(stream=stream, spots=(spot_at(stream, steps, _form_of(value, image), roots=roots),))


def _form_of(value: str, image: str) -> Form:
    if is_digest(value):
        return Form.DIGEST
    reference = parse_reference(value)
    if reference is None or str(reference) == reference.name:
        return Form.TAG
    # `v1@sha256:…` is a tag with a digest, although it might be an image called v1.
    is_whole = reference.tag is not None or "/" in reference.name
    return Form.IMAGE if is_whole or is_same_image(reference.name, image) else Form.TAG
