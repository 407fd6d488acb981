"""What the body of a webhook says: JSON of anybody's making. Names are taken from it, each by its grammar. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeGuard

from bot.adapters.registry import parse_image
from bot.ports import Permanent


def parse_object(body: bytes) -> Mapping[str, object] | None:
    """Return the JSON object that a body is; None where it is none, or is nested too deep."""
    try:
        content = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def value_at(content: object, *keys: str) -> object:
    """Return what objects in objects hold under these keys; None where one of them is missing."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def is_image_repository(name: object) -> TypeGuard[str]:
    """Say whether this is the name of an image's repository, by the grammar of the OCI distribution specification."""
    if not isinstance(name, str):
        return False
    try:
        # Behind a host nothing of the name can pass for one.
        parse_image(f"localhost/{name}")
    except Permanent:
        return False
    return True
