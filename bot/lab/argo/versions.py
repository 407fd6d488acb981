"""Ranges of versions as a `targetRevision` may be: `1.x`, `>=1.2.0 <2`, `~1.2`, `^1.2 || ^3`. For the lab only."""

from __future__ import annotations

import re
from collections.abc import Iterable

_Version = tuple[int, int, int]

_START: _Version = (0, 0, 0)
_NO_END: _Version = (1_000_000_000, 0, 0)
_EXACT = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\+[\w.-]+)?")
_LIMIT = re.compile(r"(?P<operator>>=|<=|!=|[><=~^])?\s*v?(?P<parts>(?:\d+|[xX*])(?:\.(?:\d+|[xX*])){0,2})")
_BETWEEN_LIMITS = re.compile(r"\s*,\s*|\s+(?=[<>=!~^\dvxX*])")
_AFTER_OPERATOR = re.compile(r"([<>=~^])\s+")


def is_range(text: str) -> bool:
    """Say whether a text is a range, and no plain version (which names the tag of that name)."""
    alternatives = [_limits(part) for part in text.split("||")]
    return _EXACT.fullmatch(text) is None and all(alternatives)


def best_version(text: str, offered: Iterable[str]) -> str | None:
    """Return the highest offered version within a range, as it is written; versions with a suffix do not count."""
    alternatives = [_limits(part) for part in text.split("||")]
    known = [(version, name) for name in offered if (version := _parse(name)) is not None]
    fitting = [one for one in known if any(_within(one[0], limits) for limits in alternatives)]
    return max(fitting, default=(_START, None))[1]


def _parse(text: str) -> _Version | None:
    found = _EXACT.fullmatch(text)
    if found is None:
        return None
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major, minor, patch


def _limits(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Return the limits that all must hold; none if the text has a part that is no limit."""
    parts = _BETWEEN_LIMITS.split(_AFTER_OPERATOR.sub(r"\1", text.strip()))
    found = [_LIMIT.fullmatch(part) for part in parts]
    known = [one for one in found if one is not None]
    return [(one["operator"] or "=", _numbers(one["parts"])) for one in known] if len(known) == len(found) else []


def _numbers(parts: str) -> tuple[int, ...]:
    """Return the numbers before the first wildcard: `1.x` is `1`, and `*` is nothing."""
    numbers: list[int] = []
    for part in parts.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _within(version: _Version, limits: Iterable[tuple[str, tuple[int, ...]]]) -> bool:
    return all(_holds(version, operator, numbers) for operator, numbers in limits)


def _holds(version: _Version, operator: str, numbers: tuple[int, ...]) -> bool:
    if operator == "!=":
        return not _holds(version, "=", numbers)
    low, above = _span(operator, numbers)
    return low <= version < above


def _span(operator: str, numbers: tuple[int, ...]) -> tuple[_Version, _Version]:
    """Return the first version within a limit, and the first beyond it."""
    start, after = _padded(numbers), _after(numbers)
    spans = {
        "=": (start, after),
        ">=": (start, _NO_END),
        ">": (after, _NO_END),
        "<": (_START, start),
        "<=": (_START, after),
        "~": (start, _after(numbers[:2])),
        "^": (start, _after(_up_to_the_first_that_counts(numbers))),
    }
    return spans[operator]


def _padded(numbers: tuple[int, ...]) -> _Version:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def _after(numbers: tuple[int, ...]) -> _Version:
    """Return the first version that does not begin with these numbers."""
    if not numbers:
        return _NO_END
    return _padded((*numbers[:-1], numbers[-1] + 1))


def _up_to_the_first_that_counts(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers that `^` holds fast: up to the first that is not zero."""
    counts = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return numbers[: counts + 1]
