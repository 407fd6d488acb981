"""Send samples to a Prometheus by remote write: native histograms, and months of counters.

promtool cannot write the first, and reads the whole text again for every two hours of the second, which takes minutes
for two months. The few messages of `prometheus/prompb` that this needs are encoded by hand; the snappy block has
literals only.
"""

from __future__ import annotations

import struct
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeHistogram:
    """A native histogram of schema 0 at an instant: how many observations lie in (2**(n-1), 2**n], by n."""

    at: datetime
    buckets: Mapping[int, int]


def write_histograms(
    url: str, name: str, series: Sequence[tuple[Mapping[str, str], Sequence[NativeHistogram]]]
) -> None:
    """Send series of histograms to a server's `/api/v1/write`; raise what urllib raises where it refuses them."""
    _send(url, [_series({**labels, "__name__": name}, some) for labels, some in series])


def write_samples(url: str, series: Sequence[tuple[Mapping[str, str], Sequence[tuple[int, float]]]]) -> None:
    """Send series of samples, each of a time in milliseconds and a value. Times must not go back between two calls."""
    _send(url, [_labels(labels) + b"".join(_field(2, _sample(*one)) for one in some) for labels, some in series])


def _send(url: str, series: Sequence[bytes]) -> None:
    request = urllib.request.Request(  # noqa: S310 - our own http address
        f"{url}/api/v1/write",
        data=_snappy(b"".join(_field(1, one) for one in series)),
        headers={
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
    )
    with urllib.request.urlopen(request, timeout=20):  # noqa: S310 - our own http address
        pass


def _series(labels: Mapping[str, str], histograms: Iterable[NativeHistogram]) -> bytes:
    """Encode a `TimeSeries`: its labels, and histograms = 4."""
    return b"".join([_labels(labels), *(_field(4, _histogram(one)) for one in histograms)])


def _labels(labels: Mapping[str, str]) -> bytes:
    """Encode labels = 1 of a `TimeSeries`, each with name = 1 and value = 2."""
    pairs = (_field(1, key.encode()) + _field(2, value.encode()) for key, value in sorted(labels.items()))
    return b"".join(_field(1, pair) for pair in pairs)


def _sample(at: int, value: float) -> bytes:
    """Encode a `Sample`: its value, and its time in milliseconds."""
    return _double(1, value) + _number(2, at)


def _histogram(histogram: NativeHistogram) -> bytes:
    """Encode a `Histogram`: its count, sum, schema, zero bucket, positive buckets, timestamp.

    There is one span from the first bucket to the last one; counts are deltas from bucket to bucket.
    """
    first, last = min(histogram.buckets), max(histogram.buckets)
    counts = [histogram.buckets.get(n, 0) for n in range(first, last + 1)]
    deltas = [count - before for before, count in zip([0, *counts], counts, strict=False)]
    total = sum(2.0**n * count for n, count in histogram.buckets.items())
    span = _number(1, _zigzag(first)) + _number(2, len(counts))
    return b"".join(
        [
            _number(1, sum(counts)),
            _double(3, total),
            _number(4, _zigzag(0)),
            _double(5, 1e-9),
            _number(6, 0),
            _field(11, span),
            _field(12, b"".join(_varint(_zigzag(delta)) for delta in deltas)),
            _number(15, round(histogram.at.timestamp() * 1000)),
        ]
    )


@lru_cache(maxsize=16_384)
def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _snappy(content: bytes) -> bytes:
    """Write a snappy block of literals, each of at most 65,536 bytes (tag 61: two bytes of length minus one)."""
    pieces = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
    literals = (b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces)
    return _varint(len(content)) + b"".join(literals)
