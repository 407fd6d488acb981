"""What inheritance makes of the schema: nothing is required of a policy that extends defaults, nor of the defaults.

Lists and mappings that are a choice of one kind are taken whole from one file, so they stay as strict as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.policy.resolving import EXTENDS, WHOLE
from bot.policy.schema.shapes import A_NAME, Field, Fields, Shape, mapping

_RULES = ("required", "dependentRequired", "minProperties", "if", "then", "else", "oneOf", "anyOf", "allOf")
"""What says how the keys of a mapping go together. With inheritance that shows only behind the merge."""
_A_PLACE = r"\{(?:service|stage)\}"


def either_way(policy: Shape) -> Shape:
    """Return the shape of a policy that extends defaults, or of one that says everything itself."""
    extends = {"required": [EXTENDS]}
    return {"type": "object", "if": {"not": extends}, "then": policy, "else": partial(policy)}


def partial(shape: Shape) -> Shape:
    """Return the shape of a part of a mapping, whose rest is inherited."""
    if shape.get("type") != "object":
        return shape
    kept = {key: value for key, value in shape.items() if key not in _RULES}
    properties = shape.get("properties")
    if isinstance(properties, Mapping):
        kept["properties"] = {key: _partial_field(key, value) for key, value in properties.items()}
    return kept


def _partial_field(key: str, shape: Shape) -> Shape:
    items = shape.get("items")
    if key == "stages" and isinstance(items, Mapping):
        return {**shape, "items": partial(items)}
    return shape if key in WHOLE else partial(shape)


def defaults_shape(policy: Fields, stage: Fields) -> Shape:
    """Return the shape of `defaults.yaml`, from the fields of a policy and of a stage."""
    left_out = (EXTENDS, "service", "stages")
    of_stage = partial(mapping({key: one for key, one in stage.items() if key != "name"}))
    fields = {key: one for key, one in policy.items() if key not in left_out}
    every = Field(shape=of_stage, meaning="What every stage inherits.")
    named = {"type": "object", "propertyNames": A_NAME, "additionalProperties": of_stage}
    by_name = Field(shape=named, meaning="What the stage of a name inherits, before what every stage does.")
    shape = partial(mapping({**fields, "stage": every, "stages": by_name}))
    return {**shape, "required": ["apiVersion"]}


def with_places(shape: object) -> object:
    """Return a shape whose texts may have `{service}` and `{stage}` in them, whatever they must be in the end."""
    if isinstance(shape, Mapping):
        found = {key: with_places(value) for key, value in shape.items()}
        pattern = found.get("pattern")
        return {**found, "pattern": f"{pattern}|{_A_PLACE}"} if isinstance(pattern, str) else found
    return [with_places(one) for one in shape] if isinstance(shape, list) else shape
