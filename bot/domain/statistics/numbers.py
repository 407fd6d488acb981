"""What keeps the arithmetic of the other modules finite."""

from __future__ import annotations

import math
from collections.abc import Sequence

NO_EVENT = 1e-6
"""Less than this of an event is a rounding error of an extrapolated count."""

LARGEST_COUNT = 1e300
"""Sums and products with logarithms stay finite up to here."""

LARGEST_LOG = 700.0
"""Just below the largest exponent of a float: evidence beyond this is the same to everyone, and stays finite."""


def log_mean(logs: Sequence[float]) -> float:
    """Return the logarithm of the mean of numbers that are given by their logarithms."""
    # Taking out the largest keeps the sum of exponentials from overflowing.
    largest = max(logs)
    return largest + math.log(sum(math.exp(log - largest) for log in logs) / len(logs))
