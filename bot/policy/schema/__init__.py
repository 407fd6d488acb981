"""The policy's format as JSON Schema (2020-12), by which editors complete and validate.

The fields are described here once more beside the parser, which decides. The tests hold the two and docs/policy.md
against each other: the same keys, the same sentences, and nothing that the parser takes is refused.
"""

from __future__ import annotations

from bot.policy.schema.entries import entry_shapes
from bot.policy.schema.service import A_POLICY
from bot.policy.schema.shapes import Shape
from bot.policy.templates import GateTemplates

__all__ = ["policy_schema"]


def policy_schema(templates: GateTemplates) -> Shape:
    """Return the schema of a policy whose gates and triggers use these templates."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Liftlock policy",
        **A_POLICY,
        "$defs": entry_shapes(templates),
    }
