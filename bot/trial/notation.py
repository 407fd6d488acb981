"""Series as promtool's unit tests write them: a selector and its values, to labels and samples.

`0+10x3` is 0 10 20 30, `10-2x2` is 10 8 6, `5x2` is 5 5 5; `_` is a sample that is missing, `_x3` three of them;
`stale` ends the series as a target that vanished does. Values stand apart by spaces. Native histograms are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum

import promql_parser

from bot.policy.promql import judge_promql

MOST_SAMPLES = 200_000
"""How many samples one series may have."""
_LONGEST = 10_000
"""How many characters a selector may have."""
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[iI][nN][fF]|[nN][aA][nN])"
_ITEM = re.compile(
    rf"(?P<missing>_)(?:x(?P<often>[0-9]{{1,9}}))?"
    rf"|(?P<stale>stale)"
    rf"|(?P<first>[+-]?{_NUMBER})(?P<step>[+-]{_NUMBER})?(?:x(?P<times>[0-9]{{1,9}}))?"
)


class Special(Enum):
    """What may stand for a number."""

    MISSING = "_"
    STALE = "stale"


Value = float | Special


class NotationError(ValueError):
    """What was found is no series; `found` and `expected` are for a message."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


# --- which series ----------------------------------------------------------------------------------------------------

_A_SERIES = 'one series, such as http_requests_total{namespace="checkout-staging",code="200"}'


def parse_series(text: str) -> Mapping[str, str]:
    """Read the labels of a series, its name as `__name__`. Raise NotationError for anything else."""
    if len(text) > _LONGEST:
        raise NotationError(f"more than {_LONGEST:,} characters", _A_SERIES)
    # It also sees that nothing comes before the parser that is too deep for it.
    flaw = judge_promql(text)
    if flaw is not None:
        raise NotationError(f"no PromQL ({flaw.reason})", _A_SERIES)
    parsed = promql_parser.parse(text)
    if not isinstance(parsed, promql_parser.VectorSelector) or parsed.offset is not None or parsed.at is not None:
        raise NotationError("something that is no series", _A_SERIES)
    pairs = [("__name__", parsed.name)] if parsed.name is not None else []
    matchers = parsed.matchers
    if matchers.or_matchers or any(one.op != promql_parser.MatchOp.Equal for one in matchers.matchers):
        raise NotationError("a matcher other than =", "the labels of one series, each with =")
    pairs += [(one.name, one.value) for one in matchers.matchers]
    labels = dict(pairs)
    if len(labels) < len(pairs):
        raise NotationError("a label twice", "each label once")
    if not labels.get("__name__"):
        raise NotationError("a series without a name", _A_SERIES)
    # An empty label is none at all to Prometheus.
    return {name: value for name, value in labels.items() if value}


# --- its values ------------------------------------------------------------------------------------------------------


def parse_values(text: str) -> tuple[Value, ...]:
    """Read the values of a series, one for each interval. Raise NotationError with the first item that is none."""
    found: list[Value] = []
    for item in text.split():
        if item.startswith("{{"):
            raise NotationError("a native histogram", "numbers: native histograms cannot be written here")
        for value in _values_of(item):
            if len(found) >= MOST_SAMPLES:
                raise NotationError(f"more than {MOST_SAMPLES:,} samples", f"at most {MOST_SAMPLES:,} in a series")
            found.append(value)
    return tuple(found)


def _values_of(item: str) -> Iterator[Value]:
    parts = _ITEM.fullmatch(item)
    if parts is None:
        raise NotationError(f'"{item[:60]}"', "values such as 0+10x60, 5x10, 10-1x9, 3.5, _x5 or stale")
    if parts["stale"] is not None:
        yield Special.STALE
    elif parts["missing"] is not None:
        yield from (Special.MISSING for _ in range(int(parts["often"] or 1)))
    else:
        yield from _numbers(parts)


def _numbers(parts: re.Match[str]) -> Iterator[float]:
    """Give the numbers of an item: one more than `x` says, each by the step from the last, as promtool adds them."""
    value, step = float(parts["first"]), float(parts["step"] or 0)
    if parts["step"] is not None and parts["times"] is None:
        raise NotationError(f'"{parts.string[:60]}"', "how often after the step, such as 0+10x60")
    for _ in range(int(parts["times"] or 0) + 1):
        yield value
        value += step
