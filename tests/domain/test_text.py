from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("0s", timedelta(0)),
        ("30s", timedelta(seconds=30)),
        ("30m", timedelta(minutes=30)),
        ("90m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("6h", timedelta(hours=6)),
        ("2d", timedelta(days=2)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("366d", timedelta(days=366)),
    ],
)
def test_duration_is_read(written: str, meant: timedelta) -> None:
    assert text.parse_duration(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "30",
        "m",
        "30 m",
        "-30m",
        "1.5h",
        "30m1h",
        "1h1h",
        "30M",
        "1h  30m",
        "1h ",
        " 1h",
        "1h\n",
        "٣m",
        "1w",
        "1y",
    ],
)
def test_what_is_no_duration_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match=r"such as 500ms, 30s, 30m, 1h30m, 6h or 2d"):
        text.parse_duration(written)


@pytest.mark.parametrize("written", ["367d", "999999999d", "366d1ms"])
def test_duration_beyond_a_year_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="at most 366d"):
        text.parse_duration(written)


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(minutes=90), "1h 30m"),
        (timedelta(days=2), "2d"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(seconds=1, milliseconds=5), "1s 5ms"),
        (timedelta(0), "0s"),
        (timedelta(microseconds=999), "0s"),
        (timedelta(microseconds=-999), "0s"),
        (timedelta(minutes=-90), "-1h 30m"),
    ],
)
def test_duration_is_written(duration: timedelta, shown: str) -> None:
    assert text.format_duration(duration) == shown


@given(st.integers(min_value=0, max_value=366 * 86_400_000).map(lambda n: timedelta(milliseconds=n)))
def test_written_duration_is_read_back(duration: timedelta) -> None:
    written = text.format_duration(duration)
    assert text.parse_duration(written) == duration
    assert text.parse_duration(written.replace(" ", "")) == duration


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_a_value_error(written: str) -> None:
    try:
        duration = text.parse_duration(written)
    except ValueError:
        return
    assert timedelta(0) <= duration <= text.LONGEST_DURATION


@pytest.mark.parametrize(
    ("written", "share"),
    [("1%", 0.01), ("1 %", 0.01), ("0.5%", 0.005), ("0.01", 0.01), ("99.999%", 0.99999), ("0.000001", 1e-6)],
)
def test_share_is_read(written: str, share: float) -> None:
    assert text.parse_share(written) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize(
    "written", ["", "1 percent", "%", "1%%", "-1%", "1e-2", ".5", "1.", "nan", "inf", "0x1", "1%\n", "١%"]
)
def test_what_is_no_share_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match=r"expected a percentage such as 1% or a share such as 0\.01"):
        text.parse_share(written)


@pytest.mark.parametrize("written", ["0", "0%", "0.0", "1", "1.0", "100%", "150%", "5"])
def test_share_at_or_outside_the_bounds_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="more than 0% and less than 100%"):
        text.parse_share(written)


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0123, "1.2 %"),
        (0.01, "1 %"),
        (0.005, "0.5 %"),
        (0.00012, "0.012 %"),
        (0.375, "37.5 %"),
        (0.0999, "10 %"),
        (0.0, "0 %"),
        (-0.0, "0 %"),
        (1.0, "100 %"),
        (0.99949, "99.9 %"),
        (0.99999, ">99.9 %"),
        (0.000000001, "<0.001 %"),
        (-0.000000001, ">-0.001 %"),
        (12.5, "1,250 %"),
        (float("nan"), "unknown"),
        (float("inf"), "unknown"),
    ],
)
def test_share_is_written(share: float, shown: str) -> None:
    assert text.format_share(share) == shown


@given(st.floats(min_value=0, max_value=1))
def test_rounding_never_makes_some_none_or_almost_all_all(share: float) -> None:
    shown = text.format_share(share)
    assert (shown == "0 %") == (share * 100 == 0)
    assert shown != "100 %" or share * 100 == 100


@pytest.mark.parametrize(("share", "shown"), [(0.01, "1 %"), (0.0125, "1.25 %"), (0.1, "10 %"), (0.00125, "0.125 %")])
def test_limit_is_written_in_full(share: float, shown: str) -> None:
    assert text.format_limit(share) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1234567.4, "1,234,567"),
        (0, "0"),
        (-0.0, "0"),
        (3, "3"),
        (3.7, "3.7"),
        (4.02, "4"),
        (0.01, "<0.1"),
        (9.94, "9.9"),
        (9.96, "10"),
        (1000, "1,000"),
        (float("nan"), "unknown"),
        (float("-inf"), "unknown"),
    ],
)
def test_count_is_written(count: float, shown: str) -> None:
    assert text.format_count(count) == shown


def test_instants_are_written_in_utc() -> None:
    instant = datetime(2025, 3, 1, 16, 32, 5, tzinfo=timezone(timedelta(hours=2)))
    assert text.format_instant(instant) == "14:32:05 UTC"
    assert text.format_date_instant(instant) == "2025-03-01 14:32:05 UTC"
    assert text.format_instant(datetime(2025, 3, 1, tzinfo=UTC)) == "00:00:00 UTC"


@pytest.mark.parametrize(
    ("number", "shown"), [(1, "1 request"), (0, "0 requests"), (1200, "1,200 requests"), (0.5, "0.5 requests")]
)
def test_nouns_follow_their_count(number: float, shown: str) -> None:
    assert text.count_of(number, "request") == shown


def test_irregular_plurals_are_given() -> None:
    assert text.count_of(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("words", "shown"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_words_are_joined_as_prose(words: tuple[str, ...], shown: str) -> None:
    assert text.join_words(words) == shown


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("plain", "plain"),
        ("a\r\n\tb", "a b"),
        ("a\x1b[31mb\x00", "a[31mb"),
        ("a\u202eb\u200bc\ufeffd", "abcd"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("x" + " " * 5_000_000 + "y", "x…"),
    ],
    ids=["plain", "line breaks", "control", "bidi and zero-width", "just fits", "too long", "megabytes"],
)
def test_outside_text_becomes_one_harmless_line(outside: str, shown: str) -> None:
    assert text.one_line(outside) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (7.0, "7"),
        (-3.0, "-3"),
        (12_345.0, "12,345"),
        (123.456, "123"),
        (14.4, "14.4"),
        (1.23456, "1.23"),
        (0.5, "0.5"),
        (0.012345, "0.0123"),
        (0.000123, "0.00012"),
        (math.nan, "unknown"),
        (-math.inf, "unknown"),
    ],
)
def test_a_measured_value_has_three_digits_and_a_whole_one_all(value: float, shown: str) -> None:
    assert text.format_number(value) == shown
