"""Verdicts as one canonical text and its hash, so that a commit can name the evidence it rests on.

The text is the same wherever and in whatever order the same verdicts are written, and differs when any number, time,
query or sentence does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

from bot.domain.verdicts import ArtifactEvidence, Verdict


def evidence_hash(verdicts: Iterable[Verdict]) -> str:
    """Return `sha256:` and the hash of the verdicts' canonical JSON; the order of the verdicts does not matter."""
    return "sha256:" + hashlib.sha256(canonical_json(verdicts).encode("ascii")).hexdigest()


def canonical_json(verdicts: Iterable[Verdict]) -> str:
    """Write verdicts as JSON in ASCII, with sorted keys, and in the order of their own texts.

    Numbers are written as Python's shortest text of the double (`1200.0`), in a string, so that infinite and undefined
    ones have a form and an integer equals its double. Instants are ISO 8601 in UTC.
    """
    return f"[{','.join(sorted(_text(_plain(verdict)) for verdict in verdicts))}]"


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _plain(value: object) -> object:
    if is_dataclass(value):
        # The kind of rule goes by the gate's name; without it evidence from before it was told has the same hash.
        told = [field.name for field in fields(value) if (type(value), field.name) != (ArtifactEvidence, "rule")]
        return {name: _plain(getattr(value, name)) for name in told}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, int | float):
        # Adding zero turns the negative zero of a rounded difference into the plain one.
        return repr(float(value) + 0.0)
    return value if value is None else str(value)
