"""Small values as people write and read them: durations, shares, counts, instants.

Parsers raise `ValueError` with a sentence that says what was expected. Formatters are total: whatever number comes in,
a short text comes out, and rounding never turns "almost none" into "none" or "almost all" into "all".
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta

EXPECTED_DURATION = "a duration such as 500ms, 30s, 30m, 1h30m, 6h or 2d"
EXPECTED_SHARE = "a percentage such as 1% or a share such as 0.01"

LONGEST_DURATION = timedelta(days=366)
"""Nothing in a release's life lasts longer; the bound keeps sums of durations far from overflow."""

_DURATION = re.compile(
    r"(?:(?P<days>\d{1,9})d ?)?(?:(?P<hours>\d{1,9})h ?)?(?:(?P<minutes>\d{1,9})m(?!s) ?)?"
    r"(?:(?P<seconds>\d{1,9})s ?)?(?:(?P<milliseconds>\d{1,9})ms)?",
    re.ASCII,
)
_SHARE = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,12})?) ?(?P<percent>%)?", re.ASCII)
_FEW_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def parse_duration(text: str) -> timedelta:
    """Read `30s`, `30m`, `1h30m`, `6h`, `2d`, `500ms`: units from large to small, each at most once.

    Raise ValueError for anything else, and for more than 366 days. `0s` is a duration.
    """
    found = _DURATION.fullmatch(text)
    parts = {unit: int(digits) for unit, digits in (found.groupdict() if found else {}).items() if digits is not None}
    if not parts or text != text.strip():
        raise ValueError(f"expected {EXPECTED_DURATION}")
    duration = timedelta(**parts)
    if duration > LONGEST_DURATION:
        raise ValueError("expected a duration of at most 366d")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write `1h 30m`, `2d`, `500ms`, `0s`; what is shorter than a millisecond is dropped.

    `parse_duration` reads every text that this writes for whole milliseconds up to 366 days.
    """
    milliseconds = abs(duration) // timedelta(milliseconds=1)
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        number, milliseconds = divmod(milliseconds, size)
        if number:
            parts.append(f"{number}{unit}")
    sign = "-" if parts and duration < timedelta(0) else ""
    return sign + (" ".join(parts) or "0s")


def parse_share(text: str) -> float:
    """Read `1%`, `0.5%` or `0.01` as a share of 1; raise ValueError unless it lies strictly between 0 and 1."""
    found = _SHARE.fullmatch(text)
    if not found:
        raise ValueError(f"expected {EXPECTED_SHARE}")
    share = float(found["number"]) / (100 if found["percent"] else 1)
    if not 0 < share < 1:
        raise ValueError("expected more than 0% and less than 100%, as a percentage such as 1% or a share such as 0.01")
    return share


def format_share(share: float) -> str:
    """Write a measured share of 1 with two significant digits: `1.2 %`, `0.012 %`, `37.5 %`, `<0.001 %`."""
    percent = share * 100
    if not math.isfinite(percent):
        return "unknown"
    if 0 < abs(percent) < 0.001:
        return "<0.001 %" if percent > 0 else ">-0.001 %"
    if 99.95 <= percent < 100:
        return ">99.9 %"
    if percent == 0 or abs(percent) >= 10:
        return f"{_trim(f'{percent:,.1f}')} %"
    decimals = 1 - math.floor(math.log10(abs(percent)))
    return f"{_trim(f'{percent:.{decimals}f}')} %"


def format_limit(share: float) -> str:
    """Write a share that a person chose, in full: `1 %`, `1.25 %`, `0.125 %`."""
    return f"{_trim(f'{share * 100:.10f}')} %"


def format_count(count: float) -> str:
    """Write `1,234,567`; below 10 with one decimal where there is a fraction, since increases are extrapolated."""
    if not math.isfinite(count):
        return "unknown"
    if 0 < abs(count) < 0.05:
        return "<0.1"
    if abs(count) < 9.95:
        return _trim(f"{count:.1f}")
    return f"{count:,.0f}"


def format_number(value: float) -> str:
    """Write any measured value with three significant digits, and whole ones in full: `0.0123`, `14.4`, `12,345`."""
    if not math.isfinite(value):
        return "unknown"
    if value == round(value) or abs(value) >= 100:
        return f"{value + 0.0:,.0f}"
    if abs(value) < 0.001:
        return f"{value:.2g}"
    return _trim(f"{value:.{2 - math.floor(math.log10(abs(value)))}f}")


def format_instant(instant: datetime) -> str:
    """Write the time of day in UTC: `14:32:05 UTC`."""
    return f"{instant.astimezone(UTC):%H:%M:%S} UTC"


def format_date_instant(instant: datetime) -> str:
    """Write date and time in UTC: `2025-03-01 14:32:05 UTC`."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def parse_instant(text: str) -> datetime | None:
    """Read an instant with its offset from UTC, as RFC 3339 writes it; None for anything else."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def count_of(number: float, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun: `1 request`, `1,200 requests`, `2 entries` (with `plural="entries"`)."""
    count = format_count(number)
    return f"{count} {noun if count == '1' else plural or noun + 's'}"


def in_words(number: int) -> str:
    """Write a small number as prose does: `no`, `one` … `nine`, then digits."""
    return _FEW_WORDS[number] if 0 <= number < len(_FEW_WORDS) else str(number)


def times(number: int) -> str:
    """Write how often: `once`, `twice`, `three times`, `12 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{in_words(number)} times")


def join_words(words: tuple[str, ...] | list[str], conjunction: str = "and") -> str:
    """Write a list as prose: `a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def one_line(text: str, *, limit: int = 200) -> str:
    """Make outside text fit for one line of a message: no control, bidi or zero-width characters, at most `limit` long.

    Runs of white space become one space. The result is plain text; Markdown and HTML need their own escaping.
    """
    # A text of megabytes is not walked for the sake of its first 200 characters.
    head = " ".join(text[: limit * 4].split())
    shown = "".join(character for character in head if unicodedata.category(character) not in _INVISIBLE)
    if len(shown) > limit or len(text) > limit * 4:
        return shown[: limit - 1] + "…"
    return shown


def _trim(number: str) -> str:
    """Drop zeros after the decimal point, and the sign of a zero."""
    trimmed = number.rstrip("0").rstrip(".") if "." in number else number
    return "0" if trimmed == "-0" else trimmed
