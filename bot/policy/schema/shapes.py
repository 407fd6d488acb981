"""What a value of a policy may look like, as JSON Schema: the shapes that fields are described with.

An editor reads YAML with types, and the bot takes every plain value as text. So a text may be a number or a boolean
to the schema, and a number a text. A shape never refuses what the bot takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.policy.grammar import HANDLE, IMAGE, NAME, NUMBER, OWNER_AND_NAME
from bot.policy.templates import LABEL, METRIC

Shape = Mapping[str, object]
"""A JSON Schema."""

_SCALAR = ("string", "number", "boolean")
_UNIT = r"[0-9]{1,9}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What may stand under a key, and what it means, word for word as in docs/policy.md."""

    shape: Shape
    meaning: str = ""
    required: bool = False
    default: object = None

    def as_shape(self) -> Shape:
        """Return the shape with what an editor shows beside it."""
        told = {"description": self.meaning} if self.meaning else {}
        usual = {} if self.default is None else {"default": self.default}
        return {**self.shape, **told, **usual}


Fields = Mapping[str, Field]


def field(shape: Shape, meaning: str = "", *, required: bool = False, default: object = None) -> Field:
    """Return a field of a mapping."""
    return Field(shape=shape, meaning=meaning, required=required, default=default)


def mapping(fields: Fields, **rules: object) -> Shape:
    """Return the shape of a mapping with these keys and no others; `rules` say how they go together."""
    required = [key for key, one in fields.items() if one.required]
    return {
        "type": "object",
        "properties": {key: one.as_shape() for key, one in fields.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
        **rules,
    }


def mapping_by(key: str, kinds: Mapping[str, Shape], meaning: str) -> Shape:
    """Return the shape of a mapping whose kind the word under `key` says."""
    return {
        "type": "object",
        "required": [key],
        "properties": {key: {"enum": list(kinds), "description": meaning}},
        "allOf": [where(key, kind, shape) for kind, shape in kinds.items()],
    }


def where(key: str, word: str, then: Shape, otherwise: Shape | None = None) -> Shape:
    """Return what holds for a mapping that has this word under a key, and what for others."""
    condition = {"properties": {key: {"const": word}}, "required": [key]}
    return {"if": condition, "then": then, **({} if otherwise is None else {"else": otherwise})}


def without(*keys: str) -> Shape:
    """Return the shape of a mapping that has none of these keys."""
    return {"properties": dict.fromkeys(keys, False)}


def one_of_keys(*keys: str) -> Shape:
    """Return the shape of a mapping that has exactly one of these keys."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def list_of(shape: Shape, *, least: int = 0, most: int | None = None) -> Shape:
    """Return the shape of a list."""
    bounds = {"minItems": least} if least else {}
    return {"type": "array", "items": shape, **bounds, **({} if most is None else {"maxItems": most})}


def either(*shapes: Shape) -> Shape:
    """Return a shape that takes what any of these takes."""
    return {"anyOf": list(shapes)}


def words(*known: str) -> Shape:
    """Return the shape of one of some words."""
    return {"enum": list(known)}


def text(pattern: str | None = None) -> Shape:
    """Return the shape of a text, which a pattern of the parser's must match as a whole."""
    return {"type": list(_SCALAR), **({} if pattern is None else {"pattern": f"^(?:{pattern})$"})}


def whole(least: int, most: int | None = None) -> Shape:
    """Return the shape of a whole number."""
    bounds = {"minimum": least, **({} if most is None else {"maximum": most})}
    return {"type": ["integer", "string"], **bounds, "pattern": "^[0-9]+$"}


def number(**bounds: float) -> Shape:
    """Return the shape of a number, also as a percentage or a size."""
    return {"type": ["number", "string"], "pattern": f"^{NUMBER}$", **bounds}


TEXT = text()
ANYTHING: Shape = {"type": [*_SCALAR, "null"]}
FLAG: Shape = {"enum": [True, False, "true", "false"]}
A_NAME = text(NAME)
REPOSITORY = text(OWNER_AND_NAME)
AN_IMAGE = text(IMAGE)
A_METRIC = text(METRIC)
A_LABEL = text(LABEL)
HANDLES = list_of(text(HANDLE))
SHARE: Shape = {
    "type": ["number", "string"],
    "exclusiveMinimum": 0,
    "exclusiveMaximum": 1,
    "pattern": r"^[0-9]{1,9}(?:\.[0-9]{1,12})? ?%?$",
}
DURATION: Shape = {
    "type": "string",
    "pattern": (rf"^(?=.)(?:{_UNIT}d ?)?(?:{_UNIT}h ?)?(?:{_UNIT}m(?!s) ?)?(?:{_UNIT}s ?)?(?:{_UNIT}ms)?$"),
}
LABELS: Shape = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": f"^(?!__)(?:{LABEL})$"},
    "additionalProperties": {"type": list(_SCALAR), "minLength": 1},
}
"""Label values that select series."""
