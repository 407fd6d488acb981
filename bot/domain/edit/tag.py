"""Read and write the image tag of a stage, where its policy says that it stands.

`kustomize`: `newTag` of the entry of `images` for the image. Kustomize knows an image by two names: `name`, as the
manifests call it, and `newName`, by which it is replaced. The entry counts if either is the service's image, since
the first is how most files are written, and the second is what runs where a registry is swapped; an image that two
entries name is refused. An entry with a `digest` is refused, whatever its `newTag`: the digest decides what runs.

`helm`: the scalar at the policy's path in a values file.

Enters the file's text; leaves a tag, or the text with exactly that tag changed. Nothing here guesses: what cannot be
read or written with certainty raises EditRefused with a sentence for people.
"""

from __future__ import annotations

from typing import assert_never

from bot.domain.edit.locate import Scalar, Style, find, scalar_at, value_of
from bot.domain.edit.path import EntryWhere, Step, parse_path, render_path
from bot.domain.edit.plain import reads_as_written
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.replace import replace_nodes
from bot.domain.edit.stream import Reading, Stream, read_stream
from bot.domain.policy import Edit, HelmEdit, KustomizeEdit
from bot.domain.tags import is_tag

_NOT_SET = ("", "~")


def read_tag(edit: Edit, image: str, text: str, *, reading: Reading | None = None) -> str:
    """Return the tag of `image` in a file's text; raise EditRefused if there is no tag that every reader agrees on.

    An unquoted `1.10` is refused: Helm and kustomize read the number 1.1 there.
    """
    stream = read_stream(text, file=edit.file, reading=reading)
    path = _path_of(edit, image)
    node = _find_tag(stream, edit, path)
    scalar = scalar_at(stream, node, path)
    _check_is_tag(stream, node, path, scalar)
    if scalar.style is Style.PLAIN and not reads_as_written(scalar.value):
        reason = f"YAML readers do not agree that {scalar.value} is a text; put it in quotes"
        stream.refuse(node, path, reason)
    return scalar.value


def write_tag(edit: Edit, image: str, text: str, tag: str, *, reading: Reading | None = None) -> str:
    """Return a file's text with the tag of `image` set to `tag`, and nothing else changed; raise EditRefused if not.

    The style is kept; a plain tag gets quotes where it would be read as something else than a text. The old value must
    be a tag, or empty: a template, a block of lines, or a tag with a digest is not overwritten.
    """
    path = _path_of(edit, image)
    if not is_tag(tag):
        raise EditRefused(
            file=edit.file, line=0, path=render_path(path), reason=f"{quoted(tag)} is not a valid image tag"
        )
    stream = read_stream(text, file=edit.file, reading=reading)
    node = _find_tag(stream, edit, path)
    scalar = scalar_at(stream, node, path)
    if scalar.value not in _NOT_SET:
        _check_is_tag(stream, node, path, scalar)
    return replace_nodes(stream, {node: tag}, path=path)


def _path_of(edit: Edit, image: str) -> tuple[Step, ...]:
    match edit:
        case KustomizeEdit():
            return ("images", EntryWhere(fields=("name", "newName"), value=image), "newTag")
        case HelmEdit():
            return parse_path(edit.tag, file=edit.file)
        case _:
            assert_never(edit)


def _find_tag(stream: Stream, edit: Edit, path: tuple[Step, ...]) -> int:
    if isinstance(edit, KustomizeEdit):
        _check_no_digest(stream, path[:-1])
    return find(stream, path)


def _check_no_digest(stream: Stream, path: tuple[Step, ...]) -> None:
    entry = find(stream, path)
    digest = value_of(stream, entry, "digest", path)
    if digest is not None:
        reason = "the entry pins a digest, so a newTag would not decide what runs; remove the digest to let tags move"
        stream.refuse(digest, (*path, "digest"), reason)


def _check_is_tag(stream: Stream, node: int, path: tuple[Step, ...], scalar: Scalar) -> None:
    if scalar.value in _NOT_SET:
        stream.refuse(node, path, "no tag is set here")
    if "{{" in scalar.value:
        stream.refuse(node, path, f"the value is a template, {quoted(scalar.value)}, not a tag")
    if not is_tag(scalar.value):
        stream.refuse(node, path, f"the value {quoted(scalar.value)} is not an image tag")
