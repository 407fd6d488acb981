"""Where a file says which image runs: the places that hold its tag, its digest, its name, or all in one text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.edit.change import Edited
from bot.domain.edit.locate import Style, scalar_at
from bot.domain.edit.path import Step, render_path
from bot.domain.edit.plain import is_text, reads_as_written
from bot.domain.edit.reference import ImageReference, is_digest, parse_reference, parse_tag_and_digest
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.stream import Stream

_NOTHING = ("~", "null", "Null", "NULL")


class Form(StrEnum):
    """What the text at a place is."""

    TAG = "tag"
    PARAMETER = "parameter"
    """A tag that Helm reads as `--set` does: `null` takes the value away."""
    DIGEST = "digest"
    NAME = "name"
    IMAGE = "image"
    """`name:tag@digest`."""
    RENAMED_IMAGE = "renamed image"
    """`name:tag@digest`, or `old=name:tag@digest`, as kustomize's command line and Argo CD write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place: `value` is its text, `raw` how that is written, `path` what it is called in messages.

    `key` finds it again in another version of the file, for certain if `is_alone`: else other places are called the
    same, or only its index tells. `is_set` says that something is written there, `is_certain` that every reader reads
    the same text.
    """

    form: Form
    path: str
    line: int
    value: str
    raw: str
    is_set: bool
    is_certain: bool
    key: object
    is_alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a place shall say; `raw` is how to write it, where that is known from an older version of the file."""

    place: Place
    value: str
    raw: str | None = None


class Sheet(Protocol):
    """A file's text, opened at the places that an edit names. Opening refuses what is not certain."""

    @property
    def places(self) -> tuple[Place, ...]:
        """The places that the file has, in the order of the text."""
        ...

    @property
    def gaps(self) -> frozenset[Form]:
        """What the file does not say, and could be made to."""
        ...

    def edit(self, settings: tuple[Setting, ...], added: dict[Form, str]) -> Edited:
        """Set places, fill gaps, and prove that nothing else changed."""
        ...


def scalar_place(
    stream: Stream,
    node: int,
    steps: tuple[Step, ...],
    form: Form,
    *,
    is_typed: bool = False,
) -> Place:
    """Describe a scalar of a stream as a place; raise EditRefused if it is no scalar.

    `is_typed` says that its reader takes a text only, and fails at a number.
    """
    scalar = scalar_at(stream, node, steps)
    return Place(
        form=form,
        path=render_path(steps),
        line=scalar.line,
        value=scalar.value,
        raw=stream.text[slice(*scalar.span)],
        is_set=scalar.value != "" and (scalar.style is not Style.PLAIN or scalar.value not in _NOTHING),
        is_certain=scalar.style is not Style.PLAIN
        or (is_text(scalar.value) if is_typed else reads_as_written(scalar.value)),
        key=(form, render_path(steps)),
        is_alone=not any(isinstance(step, int) for step in steps),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one place says of the image; None for what it does not say."""

    name: str | None = None
    tag: str | None = None
    digest: str | None = None


def read_place(place: Place, *, file: str) -> Said:
    """Take a place's text apart; raise EditRefused if it is not what the form allows."""
    if "{{" in place.value:
        raise refusal(place, file, f"the value is a template, {quoted(place.value)}, not {_expected(place.form)}")
    said = _take_apart(place)
    if said is None:
        raise refusal(place, file, f"the value {quoted(place.value)} is not {_expected(place.form)}")
    return said


def _take_apart(place: Place) -> Said | None:
    if place.form is Form.PARAMETER and place.value.lower() == "null":
        return None
    if place.form in (Form.TAG, Form.PARAMETER):
        found = parse_tag_and_digest(place.value)
        return Said(tag=found[0], digest=found[1]) if found else None
    if place.form is Form.DIGEST:
        return Said(digest=place.value) if is_digest(place.value) else None
    if place.form is Form.NAME:
        reference = parse_reference(place.value)
        return Said(name=place.value) if reference and str(reference) == reference.name else None
    reference = reference_at(place)
    return Said(name=reference.name, tag=reference.tag, digest=reference.digest) if reference else None


def reference_at(place: Place) -> ImageReference | None:
    """Return the image reference at a place that holds a whole one."""
    return parse_reference(place.value.rpartition("=")[2] if place.form is Form.RENAMED_IMAGE else place.value)


def with_reference(place: Place, reference: ImageReference) -> str:
    """Write an image reference as a place has it: behind the old name, where there is one."""
    renamed, sign, _ = place.value.rpartition("=") if place.form is Form.RENAMED_IMAGE else ("", "", "")
    return f"{renamed}{sign}{reference}"


def refusal(place: Place, file: str, reason: str) -> EditRefused:
    """Make the refusal for a place."""
    return EditRefused(file=file, line=place.line, path=place.path, reason=reason)


def _expected(form: Form) -> str:
    named = {
        Form.TAG: "an image tag",
        Form.PARAMETER: "an image tag (a parameter null takes the value away)",
        Form.DIGEST: "a digest such as sha256:…",
        Form.NAME: "an image's name",
    }
    return named.get(form, "an image such as ghcr.io/acme/checkout:v1")
