"""Looks put together into one query, and its answer taken apart again: no number of one service is ever another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.prometheus_answer import UnusableAnswer, expected_instants
from bot.adapters.prometheus_batch import Batch, numbers_of, plan, points_of, sort_series
from bot.domain.queries import Query
from bot.ports import Look

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PARTS = ("sum by (service) (increase(requests_total{", "}[1m]))")


def a_query(service: str = "a", **more: str) -> Query:
    return Query(parts=PARTS, labels=tuple(sorted({"service": service, **more}.items())), is_shared=True)


def a_look(query: Query | str = "a", *, tiles: int = 4, end: int = 60, width: timedelta = MINUTE) -> Look:
    asked = a_query(query) if isinstance(query, str) else query
    return Look(query=asked, start=NOON + end * MINUTE - tiles * width, end=NOON + end * MINUTE, width=width)


def numbers(batches: Sequence[Batch]) -> list[list[int]]:
    """Return the places of the looks in each batch."""
    return [[number for number, _ in batch.members] for batch in batches]


def a_series(values: Mapping[int, str], **labels: str) -> dict[str, object]:
    """One series of an answer, with values at minutes after noon."""
    points = [[(NOON + minute * MINUTE).timestamp(), value] for minute, value in values.items()]
    return {"metric": labels, "values": points}


def test_fewer_go_together_the_further_they_look_back() -> None:
    looks = [a_look(f"s{n}", tiles=5000, end=5000) for n in range(250)]
    assert [len(batch.members) for batch in plan(looks, most=1000)] == [100, 100, 50]
    longer = [a_look(f"s{n}", tiles=50_000, end=50_000) for n in range(250)]
    assert [len(batch.members) for batch in plan(longer, most=1000)] == [100, 100, 50]


# --- what goes together -----------------------------------------------------------------------------------------------


def test_looks_of_one_shape_width_and_end_are_one_query() -> None:
    (batch,) = plan([a_look("a"), a_look("b"), a_look("c")], most=10)
    assert batch.text == 'sum by (service) (increase(requests_total{service=~"a|b|c"}[1m]))'
    assert numbers([batch]) == [[0, 1, 2]]
    assert (batch.look.start, batch.look.end) == (NOON + 56 * MINUTE, NOON + 60 * MINUTE)


@pytest.mark.parametrize(
    "other",
    [
        a_look("b", end=59),
        replace(a_look("b"), width=2 * MINUTE),
        a_look(replace(a_query("b"), parts=(PARTS[0], "}[5m]))"))),
        a_look(replace(a_query("b"), is_count=False)),
        a_look(a_query("b", namespace="x")),
        a_look(replace(a_query("b"), is_shared=False)),
        a_look(Query.plain("vector(1)")),
    ],
    ids=["another end", "another width", "another question", "no count", "another label", "not shared", "plain"],
)
def test_looks_that_differ_in_more_than_their_labels_values_are_asked_apart(other: Look) -> None:
    assert numbers(plan([a_look("a"), other], most=10)) == [[0], [1]]


def test_the_same_query_that_cannot_be_shared_is_asked_once() -> None:
    plain = a_look(Query.plain("vector(1)"))
    assert numbers(plan([plain, plain], most=10)) == [[0, 1]]
    assert numbers(plan([a_look("a"), a_look("a")], most=10)) == [[0, 1]]


def test_services_with_the_same_labels_share_one_value() -> None:
    (batch,) = plan([a_look("a"), a_look("a"), a_look("b")], most=10)
    assert batch.text.count("a|b") == 1
    assert len(batch.queries) == 2


@pytest.mark.parametrize(
    ("tiles", "together"),
    [((4, 7), True), ((7, 8), False), ((1, 2), False), ((2, 3), True), ((60, 1000), False)],
)
def test_ranges_are_joined_only_within_a_factor_of_two(tiles: tuple[int, int], *, together: bool) -> None:
    batches = plan([a_look("a", tiles=tiles[0]), a_look("b", tiles=tiles[1])], most=10)
    assert numbers(batches) == ([[0, 1]] if together else [[0], [1]])


def test_a_batch_asks_for_as_many_stages_as_are_allowed_and_no_more() -> None:
    batches = plan([a_look(f"s{n}") for n in range(7)], most=3)
    assert numbers(batches) == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_look_that_asks_for_nothing_is_in_no_batch() -> None:
    assert plan([a_look(tiles=0), replace(a_look(), end=NOON)], most=10) == []


some_looks = st.lists(
    st.builds(
        a_look,
        st.sampled_from([*(a_query(name) for name in "abc"), a_query("a", zone="z"), Query.plain("vector(1)")]),
        tiles=st.integers(0, 40),
        end=st.integers(50, 52),
        width=st.sampled_from([MINUTE, MINUTE / 2]),
    ),
    max_size=20,
)


@given(looks=some_looks, most=st.integers(1, 5))
def test_every_look_that_asks_for_anything_is_in_exactly_one_batch_that_covers_it(looks: list[Look], most: int) -> None:
    batches = plan(looks, most=most)
    asked = [number for number, look in enumerate(looks) if expected_instants(look)]
    assert sorted(number for some in numbers(batches) for number in some) == asked
    for batch in batches:
        assert len(batch.queries) <= most
        for number, look in batch.members:
            assert looks[number] == look
            assert set(expected_instants(look)) <= set(expected_instants(batch.look))
            assert len(expected_instants(batch.look)) <= 2 * len(expected_instants(look))


@given(looks=some_looks)
def test_halves_have_all_looks_of_their_batch_and_no_query_in_common(looks: list[Look]) -> None:
    for batch in plan(looks, most=100):
        halves = batch.halves()
        if halves is None:
            assert len(batch.queries) == 1
        else:
            first, second = halves
            assert sorted((*first.members, *second.members), key=lambda item: item[0]) == list(batch.members)
            assert set(first.queries).isdisjoint(second.queries)
            assert abs(len(first.queries) - len(second.queries)) <= 1


# --- hostile values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "matcher"),
    [
        (["a.b", "axb"], r'service=~"a\\.b|axb"'),
        (["a|b", "c"], r'service=~"a\\|b|c"'),
        (["c+d", "(x)"], r'service=~"\\(x\\)|c\\+d"'),
        (["ü", "z"], 'service=~"z|ü"'),
        (['q"q', "z"], r'service=~"q\"q|z"'),
        (["b\\b", "z"], r'service=~"b\\\\b|z"'),
        (["l\nl", "z"], r'service=~"l\nl|z"'),
        ([".*", "$^"], r'service=~"\\$\\^|\\.\\*"'),
    ],
)
def test_values_that_mean_more_in_a_regular_expression_stand_for_themselves(values: list[str], matcher: str) -> None:
    (batch,) = plan([a_look(value) for value in values], most=10)
    assert batch.text == matcher.join(PARTS)


def test_a_value_that_all_have_is_matched_exactly() -> None:
    looks = [a_look(a_query(name, zone="a.b")) for name in "xy"]
    (batch,) = plan(looks, most=10)
    assert batch.text == 'service=~"x|y",zone="a.b"'.join(PARTS)


# --- an answer is taken apart -----------------------------------------------------------------------------------------


def read(looks: Sequence[Look], *series: dict[str, object]) -> list[tuple[float | None, ...]]:
    """Return the numbers of each look out of the answer to all of them."""
    (batch,) = plan(looks, most=100)
    found = sort_series(batch, series)
    return [numbers_of(look, points_of(found.get(look.query.labels, ()), look, batch)) for look in looks]


def test_each_look_gets_the_points_of_its_own_key() -> None:
    looks = [a_look("a", tiles=2), a_look("b", tiles=3), a_look("none", tiles=2), a_look("a", tiles=3)]
    a, b = a_series({58: "1", 59: "2", 60: "3"}, service="a"), a_series({58: "7", 60: "9"}, service="b")
    assert read(looks, b, a) == [(2.0, 3.0), (7.0, None, 9.0), (None, None), (1.0, 2.0, 3.0)]


def test_keys_of_several_labels_that_nobody_asked_for_are_left_out() -> None:
    looks = [a_look(a_query("a", zone="x"), tiles=1), a_look(a_query("b", zone="y"), tiles=1)]
    combinations = [
        a_series({60: str(number)}, service=service, zone=zone)
        for number, (service, zone) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")])
    ]
    assert read(looks, *combinations) == [(0.0,), (3.0,)]


@pytest.mark.parametrize("series", [{"values": []}, {"metric": {"zone": "z"}, "values": []}, {"metric": 7}])
def test_a_series_without_the_key_makes_the_whole_answer_unusable(series: dict[str, object]) -> None:
    (batch,) = plan([a_look("a"), a_look("b")], most=10)
    with pytest.raises(UnusableAnswer, match="lacks one of the labels service; group the query by them") as caught:
        sort_series(batch, [a_series({60: "1"}, service="a"), series])
    assert caught.value.lasting


def test_a_look_that_is_asked_alone_needs_no_key() -> None:
    assert read([a_look("a", tiles=1)], a_series({60: "4"})) == [(4.0,)]


TWO = (a_series({60: "1"}, service="a", pod="p1"), a_series({60: "2"}, service="a", pod="p2"))


@pytest.mark.parametrize(
    ("faulty", "found"),
    [
        (TWO, 'has 2 series for .*service="a".*p1.*p2.*sum them'),
        ((a_series({60: "NaN"}, service="a"),), "nan, which is no count"),
        ((a_series({60: "-1"}, service="a"),), "never below 0"),
    ],
    ids=["two series", "no number", "negative"],
)
def test_what_is_wrong_with_one_key_is_an_error_of_that_key_only(
    faulty: Sequence[dict[str, object]], found: str
) -> None:
    looks = [a_look("a", tiles=1), a_look("b", tiles=1)]
    (batch,) = plan(looks, most=10)
    sorted_ = sort_series(batch, [*faulty, a_series({60: "5"}, service="b")])
    with pytest.raises(UnusableAnswer, match=found):
        points_of(sorted_[looks[0].query.labels], looks[0], batch)
    assert numbers_of(looks[1], points_of(sorted_[looks[1].query.labels], looks[1], batch)) == (5.0,)
