"""Read fields of Argo CD's JSON whose types nobody vouches for: what is absent is empty, what is wrong is an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

Json = Mapping[str, object]


class MalformedItem(ValueError):
    """An entry has a field of a type that Argo CD never sends."""


def object_at(parent: Json, key: str) -> Json:
    """Return an object; an absent one is empty."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedItem(f"{key} is no object")
    return value


def objects_at(parent: Json, key: str) -> tuple[Json, ...]:
    """Return a list of objects; an absent one is empty."""
    value = parent.get(key)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(entry, dict) for entry in value):
        raise MalformedItem(f"{key} is no list of objects")
    return tuple(value)


def text_at(parent: Json, key: str) -> str:
    """Return a text; an absent one is empty."""
    value = parent.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedItem(f"{key} is no text")
    return value


def texts_at(parent: Json, key: str) -> tuple[str, ...]:
    """Return a list of texts; an absent one is empty."""
    value = parent.get(key)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise MalformedItem(f"{key} is no list of texts")
    return tuple(value)


def count_at(parent: Json, key: str) -> int:
    """Return a number of things; an absent one is none. gRPC's JSON writes large ones as texts."""
    value = parent.get(key)
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MalformedItem(f"{key} is no count")
    return value


def instant(parent: Json, key: str) -> datetime | None:
    """Return an instant in UTC; None where there is none."""
    text = text_at(parent, key)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        # Out of range where the offset leads before year 1 or past year 9999.
        utc = found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedItem(f"{key} is no instant") from error
    if found.tzinfo is None:
        raise MalformedItem(f"{key} has no time zone")
    return utc
