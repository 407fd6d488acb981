"""What an image says of itself in annotations, labels and its configuration. Pure.

All of it is free text that a build wrote, or anybody who can push: it says what is claimed, and proves nothing. A text
that is long, or holds characters that cannot be seen, is left out, since what is left of it would be another text.

Source: the OCI image specification's pre-defined annotation keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from bot.adapters.registry.manifest import mapping, parse_object
from bot.domain.model import ImageFacts, Sha

_KEYS = "org.opencontainers.image."
_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})\Z"
)
_LONGEST_SOURCE = 500
_LONGEST_VERSION = 128


def parse_facts(labels: Mapping[str, object]) -> ImageFacts:
    """Read annotations or labels."""
    return ImageFacts(
        revision=_revision(labels.get(_KEYS + "revision")),
        source=_text(labels.get(_KEYS + "source"), longest=_LONGEST_SOURCE),
        version=_text(labels.get(_KEYS + "version"), longest=_LONGEST_VERSION),
        created=_instant(labels.get(_KEYS + "created")),
    )


def parse_config(content: bytes) -> ImageFacts:
    """Read an image's configuration: its labels and when it was made."""
    value = parse_object(content)
    facts = parse_facts(mapping(mapping(value.get("config")).get("Labels")))
    return replace(facts, built_at=_instant(value.get("created")))


def with_more(facts: ImageFacts, other: ImageFacts) -> ImageFacts:
    """Return facts, with the other's where there are none."""
    return replace(
        facts,
        revision=facts.revision or other.revision,
        source=facts.source or other.source,
        version=facts.version or other.version,
        created=facts.created or other.created,
        built_at=facts.built_at or other.built_at,
    )


def _revision(value: object) -> Sha | None:
    """Only a whole commit name is believed."""
    if not isinstance(value, str):
        return None
    lowered = value.strip().lower()
    return Sha(lowered) if _SHA.match(lowered) else None


def _text(value: object, *, longest: int) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        return None
    return value.strip() or None


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or not _INSTANT.match(value):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
