"""Read JSON that anybody may have written: within limits, without ambiguity, frozen.

What two readers may take differently is refused: a name that is used twice, numbers that are none, half a character.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode
from collections.abc import Mapping
from types import MappingProxyType

from bot.adapters.sigstore.refusals import MALFORMED, NO_JSON, TOO_DEEP, TOO_LARGE, Refused
from bot.domain.proofs import Json

MOST_BYTES = 8 * 1024 * 1024
"""A bill of materials of ten thousand packages is some 5 MB as a statement, and a third more in its envelope."""
MOST_LEVELS = 64
"""Statements are some ten levels deep."""


def parse_object(content: bytes | str) -> Mapping[str, Json]:
    """Parse a JSON object of at most `MOST_BYTES` and `MOST_LEVELS`; raise `Refused` for anything else."""
    if len(content) > MOST_BYTES:
        raise Refused(TOO_LARGE)
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        value: object = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise Refused(TOO_DEEP) from error
    except ValueError as error:
        raise Refused(NO_JSON) from error
    frozen = _freeze(value, MOST_LEVELS)
    if not isinstance(frozen, Mapping):
        raise Refused(NO_JSON)
    return frozen


def mapping_at(value: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    """Return the object of a name; raise `Refused` where there is none."""
    found = value.get(name)
    if not isinstance(found, Mapping):
        raise Refused(MALFORMED)
    return found


def text_at(value: Mapping[str, Json], name: str) -> str:
    """Return the text of a name; raise `Refused` where there is none."""
    found = value.get(name)
    if not isinstance(found, str):
        raise Refused(MALFORMED)
    return found


def whole_number_at(value: Mapping[str, Json], name: str) -> int:
    """Return the whole number of a name, which is not negative; raise `Refused` where there is none."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise Refused(MALFORMED)
    return found


def bytes_at(value: Mapping[str, Json], name: str) -> bytes:
    """Return the bytes that a name has in base64; raise `Refused` where there are none."""
    return parse_base64(text_at(value, name))


def parse_base64(text: str) -> bytes:
    """Decode base64 strictly; raise `Refused` for anything else."""
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(MALFORMED) from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is used twice")
    return found


def _refuse_constant(_name: str) -> object:
    raise ValueError("not a number")


def _freeze(value: object, levels: int) -> Json:
    if isinstance(value, dict | list) and levels == 0:
        raise Refused(TOO_DEEP)
    if isinstance(value, dict):
        return MappingProxyType({_whole(name): _freeze(one, levels - 1) for name, one in value.items()})
    if isinstance(value, list):
        return tuple(_freeze(one, levels - 1) for one in value)
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(NO_JSON)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise Refused(NO_JSON)


def _whole(text: str) -> str:
    """Half of a pair that stands for one character cannot be written anywhere again."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refused(NO_JSON) from error
    return text
