"""The policy's format as JSON Schema (2020-12), by which editors complete and validate.

The fields are described here once more beside the parser, which decides. The tests hold the two and docs/policy.md
against each other: the same keys, the same sentences, and nothing that the parser takes is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.policy.schema.entries import entry_shapes
from bot.policy.schema.inheriting import defaults_shape, either_way, with_places
from bot.policy.schema.service import A_POLICY, POLICY_FIELDS
from bot.policy.schema.shapes import Shape
from bot.policy.schema.stages import STAGE_FIELDS
from bot.policy.templates import GateTemplates

__all__ = ["defaults_schema", "policy_schema"]

_VERSION = "https://json-schema.org/draft/2020-12/schema"


def policy_schema(templates: GateTemplates) -> Shape:
    """Return the schema of a policy whose gates and triggers use these templates."""
    return {
        "$schema": _VERSION,
        "title": "Liftlock policy",
        **either_way(A_POLICY),
        "$defs": entry_shapes(templates),
    }


def defaults_schema(templates: GateTemplates) -> Shape:
    """Return the schema of `defaults.yaml`, from which such policies inherit."""
    shape = with_places({**defaults_shape(POLICY_FIELDS, STAGE_FIELDS), "$defs": entry_shapes(templates)})
    return {"$schema": _VERSION, "title": "Liftlock defaults", **(shape if isinstance(shape, Mapping) else {})}
