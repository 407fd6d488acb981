"""What the accounts at the forge have used of its limits, as gauges: one number for all of them."""

from __future__ import annotations

from collections.abc import Mapping

_LEFT = ("requests_remaining", "points_remaining")


def forge_gauges(costs: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """Return `liftlock_github_…`: the smallest of what is left, the sum of all else. Accounts are no labels."""
    found: dict[str, float] = {}
    for numbers in costs.values():
        for name, value in numbers.items():
            gauge = f"liftlock_github_{name}"
            before = found.get(gauge)
            if before is None:
                found[gauge] = value
            else:
                found[gauge] = min(before, value) if name in _LEFT else before + value
    return found
