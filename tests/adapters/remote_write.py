"""Send to a Prometheus what promtool cannot write, or takes minutes for: native histograms, and months of counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.remote_write import (
    Sample,
    Series,
    double_of,
    field_of,
    labelled,
    number_of,
    send_messages,
    varint,
    write_series,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeHistogram:
    """A native histogram of schema 0 at an instant: how many observations lie in (2**(n-1), 2**n], by n."""

    at: datetime
    buckets: Mapping[int, int]


def write_histograms(
    url: str, name: str, series: Sequence[tuple[Mapping[str, str], Sequence[NativeHistogram]]]
) -> None:
    """Send series of histograms to a server's `/api/v1/write`; raise OutsideError where it refuses them."""
    send_messages(
        url,
        [
            labelled({**labels, "__name__": name}, b"".join(field_of(4, _histogram(one)) for one in some))
            for labels, some in series
        ],
    )


def write_samples(url: str, series: Sequence[tuple[Mapping[str, str], Sequence[tuple[int, float]]]]) -> None:
    """Send series of samples, each of a time in milliseconds and a value. Times must not go back between two calls."""
    write_series(
        url,
        [Series(labels=labels, samples=[Sample(at=at, value=value) for at, value in some]) for labels, some in series],
    )


def _histogram(histogram: NativeHistogram) -> bytes:
    """Encode a `Histogram`: its count, sum, schema, zero bucket, positive buckets, timestamp.

    There is one span from the first bucket to the last one; counts are deltas from bucket to bucket.
    """
    first, last = min(histogram.buckets), max(histogram.buckets)
    counts = [histogram.buckets.get(n, 0) for n in range(first, last + 1)]
    deltas = [count - before for before, count in zip([0, *counts], counts, strict=False)]
    total = sum(2.0**n * count for n, count in histogram.buckets.items())
    span = number_of(1, _zigzag(first)) + number_of(2, len(counts))
    return b"".join(
        [
            number_of(1, sum(counts)),
            double_of(3, total),
            number_of(4, _zigzag(0)),
            double_of(5, 1e-9),
            number_of(6, 0),
            field_of(11, span),
            field_of(12, b"".join(varint(_zigzag(delta)) for delta in deltas)),
            number_of(15, round(histogram.at.timestamp() * 1000)),
        ]
    )


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1
