"""`with` of a stage: further values that are set with that of its edit, in one commit and to one tag."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.edit import Edit, KustomizeEdit, ManifestEdit
from bot.domain.policy import Place
from bot.policy.edits import read_edit
from bot.policy.grammar import IMAGE
from bot.policy.origins import StageText
from bot.policy.reading import Faults, Section, matching

_AN_IMAGE = "an image without tag or digest, such as ghcr.io/acme/checkout"


def read_together(section: Section, image: str | None) -> tuple[Place, ...]:
    """Read `with`: a list of edits, each of the policy's `image` or of another one."""
    found: list[Place] = []
    for path, item in section.items("with"):
        opened = Section.of(item, path, section.faults)
        if opened is None:
            continue
        named = opened.read("image", matching(IMAGE), _AN_IMAGE) if opened.get("image") is not None else image
        edit = read_edit(opened.section("edit", required=True))
        opened.finish()
        if named is not None and edit is not None:
            _check_other_image(opened, named, image, edit)
            found.append(Place(image=named, edit=edit))
    value = section.entries.get("with")
    if value is not None and value.kind == "list" and not value.items:
        section.faults.note(value, section.at("with"), "an empty list", "at least one value that is set with the edit")
    return tuple(found)


def _check_other_image(section: Section, named: str, image: str | None, edit: Edit) -> None:
    """Only of the policy's own image is it known which bytes a tag means."""
    if named != image and edit.pin:
        expected = f"no pin: which digest moves is known of {image} only"
        section.faults.note(section.value, section.at("edit"), f"pin: digest for {named}", expected)


def check_values(texts: Sequence[StageText], image: str, faults: Faults) -> None:
    """Note values that two edits share, and images that would enter a stage without the proofs that are asked for."""
    owners: dict[object, tuple[str, str]] = {}
    is_proven = any(item.stage.artifact for item in texts)
    for item in texts:
        places = [(f"{item.path}.edit", Place(image=image, edit=item.stage.edit))]
        places += [(f"{item.path}.with[{number}].edit", place) for number, place in enumerate(item.stage.together)]
        for path, place in places:
            owner, stage = owners.setdefault(_value_of(place), (path, item.stage.name))
            if (owner, stage) != (path, item.stage.name):
                has = f"the value that stage {stage} has" if stage != item.stage.name else "a value that it has already"
                faults.note(item.value, path, has, "a value of its own")
            if is_proven and place.image != image:
                found = f"{place.image} beside an artifact that must be proven"
                expected = f"only {image}, whose proofs are looked at, or no artifact in any stage"
                faults.note(item.value, path, found, expected)


def _value_of(place: Place) -> object:
    """Return what two edits of one value have in common: some are found by the image, others by their place alone."""
    edit = place.edit
    is_by_image = isinstance(edit, ManifestEdit) or (isinstance(edit, KustomizeEdit) and edit.name is None)
    return (place.image, edit) if is_by_image else edit
