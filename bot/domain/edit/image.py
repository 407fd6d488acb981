"""Read and set the version of an image in a file, and take an earlier setting back, whatever the kind of file.

Enters the file's text and what its edit says; leaves what is written there, or the text with exactly that changed.
Nothing here guesses: what cannot be read or written with certainty raises EditRefused with a sentence for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from bot.domain.edit.argo_application import open_application
from bot.domain.edit.change import Edited, taken_back
from bot.domain.edit.helm import open_path, open_values
from bot.domain.edit.kinds import (
    ArgoApplicationEdit,
    Edit,
    HelmEdit,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    RegexEdit,
)
from bot.domain.edit.kustomize import open_kustomization
from bot.domain.edit.manifest import open_manifest
from bot.domain.edit.pattern import open_pattern
from bot.domain.edit.places import (
    Form,
    Place,
    Said,
    Setting,
    Sheet,
    read_place,
    reference_at,
    refusal,
    with_reference,
)
from bot.domain.edit.reference import ImageReference, is_digest, parse_reference
from bot.domain.edit.refusal import EditRefused, NothingWritten, quoted
from bot.domain.edit.stream import Reading
from bot.domain.tags import is_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a file says of an image: the tag, the digest if it pins one, the image's name if it says that."""

    tag: str
    digest: str | None = None
    name: str | None = None

    @property
    def shown(self) -> str:
        """The version as messages show it: the tag, with the digest where one is pinned."""
        return f"{self.tag}@{self.digest}" if self.digest else self.tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a file shall say. The digest is written where the file or the edit pins one, the name where it is given."""

    tag: str
    digest: str | None = None
    name: str | None = None


def read_image(edit: Edit, image: str, text: str, *, reading: Reading | None = None) -> Written:
    """Return what a file says of `image`; raise EditRefused if that is not one tag that every reader agrees on.

    An unquoted `1.10` is refused: Helm and kustomize read the number 1.1 there.
    """
    sheet = _open(edit, image, text, reading)
    said = [(place, _read_certain(place, edit.file)) for place in sheet.places if place.is_set or _holds_tag(place)]
    _check_one_digest(edit, sheet, said)
    tag = _agreed("tag", [(place, one.tag) for place, one in said], edit.file)
    if tag is None:
        raise _no_tag(edit, sheet)
    return Written(
        tag=tag,
        digest=_agreed("digest", [(place, one.digest) for place, one in said], edit.file),
        name=_agreed("name", [(place, one.name) for place, one in said], edit.file),
    )


def read_tag(edit: Edit, image: str, text: str, *, reading: Reading | None = None) -> str:
    """Return the tag that a file says; raise EditRefused as `read_image` does."""
    return read_image(edit, image, text, reading=reading).tag


def write_image(edit: Edit, image: str, text: str, wanted: Wanted, *, reading: Reading | None = None) -> Edited:
    """Return a file's text with the version of `image` set, and nothing else changed; raise EditRefused if not.

    Styles are kept; a plain value gets quotes where it would be read as something else than a text. What is replaced
    must be a tag, a digest, an image, or nothing: a template or a block of lines is not overwritten.
    """
    _check_wanted(edit, wanted)
    sheet = _open(edit, image, text, reading)
    old = [(place, read_place(place, file=edit.file) if place.is_set else Said()) for place in sheet.places]
    _check_one_digest(edit, sheet, old)
    has_tag = Form.TAG in sheet.gaps or any(_holds_tag(place) for place, _ in old)
    if not has_tag and not isinstance(edit, PathEdit):
        raise _no_tag(edit, sheet)
    is_pinned = edit.pin or any(said.digest for _, said in old)
    if is_pinned and wanted.digest is None:
        raise _no_digest(edit, old)
    if not is_pinned:
        wanted = replace(wanted, digest=None)
    added = _gaps_to_fill(sheet, wanted)
    forms = {place.form for place in sheet.places} | added.keys()
    unasked = {Form.NAME: wanted.name is None, Form.DIGEST: wanted.digest is None}
    settings = tuple(
        Setting(place=place, value=_new_value(edit, image, place, said, wanted, forms))
        for place, said in old
        if not unasked.get(place.form, False)
    )
    return sheet.edit(settings, added)


def write_tag(edit: Edit, image: str, text: str, tag: str, *, reading: Reading | None = None) -> str:
    """Return a file's text with the tag of `image` set to `tag`; raise EditRefused as `write_image` does."""
    return write_image(edit, image, text, Wanted(tag=tag), reading=reading).text


def undo_image(edit: Edit, image: str, *, before: str, after: str, now: str, reading: Reading | None = None) -> Edited:
    """Take back in `now` what the change from `before` to `after` did to `image`, whatever else changed since.

    Values return as they were written before, quotes and all, where that fits still. Raise EditRefused if one of them
    is not as that change left it, or if it had added what was not there.
    """
    sheets = [_open(edit, image, text, reading) for text in (before, after, now)]
    was, became, stands = ({place.key: place for place in sheet.places} for sheet in sheets)
    if now == after:
        made_here = _made_here(sheets[0], was, became, after)
        if made_here is not None:
            return taken_back(before, made_here.changes)
    if became.keys() - was.keys():
        reason = "the change to be undone added this entry, and more was changed with it or since; remove it by hand"
        raise refusal(became[next(iter(became.keys() - was.keys()))], edit.file, reason)
    for key, place in became.items():
        here = stands.get(key)
        if here is None or here.value != place.value:
            found = quoted(here.value) if here else "no longer there"
            reason = f"the value is {found}, not {quoted(place.value)} as the change to be undone left it"
            raise refusal(here or place, edit.file, reason)
    if not all(place.is_alone for place in became.values()):
        reason = "several places are called the same here, so it is not certain which one was changed"
        raise refusal(next(place for place in became.values() if not place.is_alone), edit.file, reason)
    moved = [(stands[key], became[key], was[key]) for key in became if was[key].value != became[key].value]
    # What is around a value in its own characters, such as a block's header, is somebody else's if it is another one.
    as_written = tuple(
        Setting(place=here, value=old.value, raw=old.raw if here.raw == new.raw else None) for here, new, old in moved
    )
    try:
        return sheets[2].edit(as_written, {})
    except EditRefused:
        # The file's style changed around the value since, so it is written as it fits now.
        return sheets[2].edit(tuple(replace(setting, raw=None) for setting in as_written), {})


def _made_here(sheet: Sheet, was: Mapping[object, Place], became: Mapping[object, Place], after: str) -> Edited | None:
    """Return the edit that made `after`, if it is one that is made here, and nothing else was changed with it."""
    settings = tuple(
        Setting(place=was[key], value=place.value)
        for key, place in became.items()
        if key in was and was[key].value != place.value
    )
    added = {place.form: place.value for key, place in became.items() if key not in was}
    if not added.keys() <= sheet.gaps:
        return None
    try:
        edited = sheet.edit(settings, added)
    except EditRefused:
        return None
    return edited if edited.text == after else None


def _open(edit: Edit, image: str, text: str, reading: Reading | None) -> Sheet:
    reading = replace(reading or Reading(), is_json=edit.file.endswith(".json"))
    match edit:
        case KustomizeEdit():
            return open_kustomization(edit, image, text, reading)
        case HelmEdit():
            return open_values(edit, text, reading)
        case ManifestEdit():
            return open_manifest(edit, image, text, reading)
        case ArgoApplicationEdit():
            return open_application(edit, image, text, reading)
        case PathEdit():
            return open_path(edit, image, text, reading)
        case RegexEdit():
            return open_pattern(edit, text, reading)
        case _:
            assert_never(edit)


# --- reading ---


def _holds_tag(place: Place) -> bool:
    return place.form in (Form.TAG, Form.PARAMETER, Form.IMAGE, Form.RENAMED_IMAGE)


def _read_certain(place: Place, file: str) -> Said:
    if not place.is_set:
        raise refusal(place, file, "no tag is set here")
    said = read_place(place, file=file)
    if _holds_tag(place) and said.tag is None:
        raise refusal(place, file, f"the image {quoted(place.value)} has no tag")
    if not place.is_certain:
        raise refusal(place, file, f"YAML readers do not agree that {place.value} is a text; put it in quotes")
    return said


def _agreed(what: str, said: Sequence[tuple[Place, str | None]], file: str) -> str | None:
    """Return what all places that say something say; raise EditRefused if two say different things."""
    heard = [(place, value) for place, value in said if value is not None]
    for place, value in heard[1:]:
        if value != heard[0][1]:
            first = heard[0]
            reason = f"the {what} {quoted(value)} here is not the {quoted(first[1])} of line {first[0].line}"
            raise refusal(place, file, reason)
    return heard[0][1] if heard else None


def _no_tag(edit: Edit, sheet: Sheet) -> EditRefused:
    if Form.TAG in sheet.gaps and not sheet.places:
        return NothingWritten(file=edit.file, path="", reason="no tag is set in this file yet")
    place = sheet.places[0]
    return refusal(
        place, edit.file, "a digest is pinned here without a tag beside it, so it is not known which tag runs"
    )


# --- writing ---


def _check_wanted(edit: Edit, wanted: Wanted) -> None:
    checks = (
        (wanted.tag, is_tag, "a valid image tag"),
        (wanted.digest, is_digest, "a digest such as sha256:…"),
        (wanted.name, _is_name, "an image's name"),
    )
    for value, is_valid, expected in checks:
        if value is not None and not is_valid(value):
            raise EditRefused(file=edit.file, line=0, path="", reason=f"{quoted(value)} is not {expected}")


def _is_name(text: str) -> bool:
    reference = parse_reference(text)
    return reference is not None and reference.name == text


def _no_digest(edit: Edit, old: Sequence[tuple[Place, Said]]) -> EditRefused:
    pinned = next((place for place, said in old if said.digest), None)
    if pinned is None:
        reason = "the edit pins digests, and the new one is not known"
        return EditRefused(file=edit.file, line=0, path="", reason=reason)
    reason = "a digest is pinned here, so a new tag alone would not decide what runs; the new digest must be known too"
    return refusal(pinned, edit.file, reason)


def _gaps_to_fill(sheet: Sheet, wanted: Wanted) -> dict[Form, str]:
    values = {Form.TAG: wanted.tag, Form.DIGEST: wanted.digest, Form.NAME: wanted.name}
    return {form: value for form, value in values.items() if form in sheet.gaps and value is not None}


def _check_one_digest(edit: Edit, sheet: Sheet, said: Sequence[tuple[Place, Said]]) -> None:
    """Refuse a digest behind a tag where the digest has a place of its own: both together are no image."""
    forms = {place.form for place in sheet.places} | sheet.gaps
    for place, one in said:
        if place.form is Form.TAG and one.digest is not None and Form.DIGEST in forms:
            raise refusal(place, edit.file, "the tag holds a digest, which has a place of its own; take it out here")


def _new_value(edit: Edit, image: str, place: Place, said: Said, wanted: Wanted, forms: set[Form]) -> str:
    if place.form is Form.PARAMETER and wanted.tag.lower() == "null":
        raise refusal(place, edit.file, "Helm reads the parameter null as no value, so the tag null cannot be set here")
    if place.form in (Form.TAG, Form.PARAMETER):
        digest = wanted.digest if said.digest or Form.DIGEST not in forms else None
        return f"{wanted.tag}@{digest}" if digest else wanted.tag
    if place.form is Form.DIGEST:
        return wanted.digest or ""
    if place.form is Form.NAME:
        return wanted.name or ""
    old = reference_at(place)
    name = wanted.name or (old.name if old else image)
    if not name:
        raise refusal(place, edit.file, "no image is set here, and none is named")
    return with_reference(place, ImageReference(name=name, tag=wanted.tag, digest=wanted.digest))
