"""Send series to a Prometheus by remote write, as it takes them with `--web.enable-remote-write-receiver`.

The few messages of `prometheus/prompb` that this needs are encoded by hand; the snappy block has literals only. What is
sent here are made-up histories for a server of our own: nothing of the bot's is ever written to anybody's Prometheus.
"""

from __future__ import annotations

import math
import struct
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.adapters.http import quote
from bot.ports import Permanent, Transient

_STALE = struct.pack("<Q", 0x7FF0000000000002)
"""The one NaN by which Prometheus marks the end of a series."""
_PIECE = 65_536
_DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A value at an instant in milliseconds since 1970; None is a staleness marker: the series ends here."""

    at: int
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series by its labels, `__name__` among them, with its samples in the order of time."""

    labels: Mapping[str, str]
    samples: Sequence[Sample]


def write_series(url: str, series: Iterable[Series]) -> None:
    """Send series to a server, all at once; raise OutsideError where it does not take them."""
    # The first sample that a new server sees says how old the others may be.
    ordered = sorted(series, key=lambda one: one.samples[0].at if one.samples else 0)
    send_messages(url, [labelled(one.labels, b"".join(_sample(sample) for sample in one.samples)) for one in ordered])


def send_messages(url: str, messages: Iterable[bytes]) -> None:
    """Send encoded `TimeSeries` as one write request; raise OutsideError where the server does not take them."""
    request = urllib.request.Request(  # noqa: S310 - our own http address
        f"{url}/api/v1/write",
        data=_snappy(b"".join(field_of(1, message) for message in messages)),
        headers={
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=_DEADLINE_SECONDS):  # noqa: S310 - our own http address
            pass
    except urllib.error.HTTPError as error:
        said = error.read(1000).decode("utf-8", "replace")
        raise Permanent("Prometheus", f"does not take the series (HTTP {error.code}): {quote(said)}") from error
    except OSError as error:
        raise Transient("Prometheus", f"could not be sent the series: {quote(str(error))}") from error


def labelled(labels: Mapping[str, str], content: bytes) -> bytes:
    """Encode a `TimeSeries`: labels = 1 (name = 1, value = 2), before its encoded samples."""
    pairs = (field_of(1, key.encode()) + field_of(2, value.encode()) for key, value in sorted(labels.items()))
    return b"".join([*(field_of(1, pair) for pair in pairs), content])


def _sample(sample: Sample) -> bytes:
    """Encode the field samples = 2 of a `TimeSeries`: value = 1, timestamp = 2."""
    return field_of(2, double_of(1, sample.value) + number_of(2, sample.at))


# --- protobuf --------------------------------------------------------------------------------------------------------


def number_of(number: int, value: int) -> bytes:
    """Encode a field with a whole number."""
    return varint(number << 3) + varint(value)


def double_of(number: int, value: float | None) -> bytes:
    """Encode a field with a double; None is the staleness marker, and any other NaN the usual one."""
    plain = math.nan if value is not None and math.isnan(value) else value
    return varint(number << 3 | 1) + (_STALE if plain is None else struct.pack("<d", plain))


def field_of(number: int, content: bytes) -> bytes:
    """Encode a field with bytes: a text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Encode a whole number that is not below 0."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _snappy(content: bytes) -> bytes:
    """Write a snappy block of literals, each of at most 65,536 bytes (tag 61: two bytes of length minus one)."""
    pieces = [content[at : at + _PIECE] for at in range(0, len(content), _PIECE)]
    literals = (b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces)
    return varint(len(content)) + b"".join(literals)
