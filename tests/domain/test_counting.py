"""Two counts of a tile become bad and total: what is absent is never taken for a count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.gates.measuring import count_tiles, has_no_bucket
from bot.domain.model import Numbers, Samples, Tile
from bot.domain.rules import Counts
from tests.builders import MINUTE, NOON


def some_samples(counted: Numbers, total: Numbers, *, base: str = "") -> Samples:
    return Samples(
        start=NOON,
        end=NOON + len(total) * MINUTE,
        width=MINUTE,
        numbers={f"{base}counted": counted, f"{base}total": total},
        queries=(),
        backend="Prometheus",
    )


# | total  | counted | counts bad                | counts good                               |
# |--------|---------|---------------------------|-------------------------------------------|
# | absent | any     | no tile                   | no tile                                   |
# | t      | b       | min(b, t)                 | max(0, t - b)                             |
# | t      | absent  | 0: there is no such error | t = 0: 0; else no tile: the bucket is lost |
@pytest.mark.parametrize(
    ("counts", "counted", "total", "expected"),
    [
        (Counts.BAD, None, None, (None, None)),
        (Counts.BAD, 3.0, None, (None, None)),
        (Counts.BAD, None, 10.0, (10.0, 0.0)),
        (Counts.BAD, None, 0.0, (0.0, 0.0)),
        (Counts.BAD, 3.0, 10.0, (10.0, 3.0)),
        (Counts.BAD, 10.4, 10.0, (10.0, 10.0)),
        (Counts.GOOD, None, None, (None, None)),
        (Counts.GOOD, 8.0, None, (None, None)),
        (Counts.GOOD, None, 0.0, (0.0, 0.0)),
        (Counts.GOOD, None, 10.0, (None, None)),
        (Counts.GOOD, 8.0, 10.0, (10.0, 2.0)),
        (Counts.GOOD, 10.4, 10.0, (10.0, 0.0)),
    ],
)
def test_the_table_of_joining(
    counts: Counts, counted: float | None, total: float | None, expected: tuple[float | None, float | None]
) -> None:
    (tile,) = count_tiles(some_samples((counted,), (total,)), counts)
    assert tile == Tile(start=NOON, width=MINUTE, total=expected[0], bad=expected[1])


def test_tiles_stand_one_after_the_other_from_the_start() -> None:
    tiles = count_tiles(some_samples((1.0, None, 3.0), (10.0, None, 30.0)), Counts.BAD)
    assert [tile.start for tile in tiles] == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]
    assert [(tile.total, tile.bad) for tile in tiles] == [(10.0, 1.0), (None, None), (30.0, 3.0)]


def test_the_counts_of_a_baseline_are_joined_by_their_prefix() -> None:
    (tile,) = count_tiles(some_samples((2.0,), (8.0,), base="base "), Counts.GOOD, base="base ")
    assert (tile.total, tile.bad) == (8.0, 6.0)


def test_good_events_that_are_absent_under_traffic_are_a_wrong_bucket_not_slowness() -> None:
    assert has_no_bucket((None, None), (0.0, 1.0))


@pytest.mark.parametrize(
    ("counted", "totals"),
    [((None, None), (0.0, None)), ((None, 0.0), (5.0, 5.0)), ((), ())],
    ids=["no traffic", "one tile has the bucket", "no tiles"],
)
def test_good_events_that_are_absent_otherwise_are_no_wrong_bucket(counted: Numbers, totals: Numbers) -> None:
    assert not has_no_bucket(counted, totals)


a_count = st.none() | st.floats(0, 1e9)


@given(pairs=st.lists(st.tuples(a_count, a_count), max_size=5), counts=st.sampled_from(Counts))
def test_bad_is_never_below_zero_nor_above_total_and_absence_is_never_a_count(
    pairs: list[tuple[float | None, float | None]], counts: Counts
) -> None:
    counted, totals = tuple(one for one, _ in pairs), tuple(total for _, total in pairs)
    for tile, total, one in zip(count_tiles(some_samples(counted, totals), counts), totals, counted, strict=True):
        is_lost = counts is Counts.GOOD and one is None and total != 0
        assert (tile.total is None) == (tile.bad is None) == (total is None or is_lost)
        assert tile.total is None or (tile.bad is not None and 0 <= tile.bad <= tile.total == total)
