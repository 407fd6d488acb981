"""Why a query has no series: the first of its selectors that has none is told, and what a server says stays text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus_access import Access
from bot.adapters.prometheus_series import SeriesReader
from bot.live_check.series import Blame, Values, blame
from tests.adapters.scripted import Scripted, an_answer, serving


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def series(server: Scripted) -> Iterator[SeriesReader]:
    with SeriesReader(Endpoint(system="Prometheus", url=server.url), Access()) as reader:
        yield reader


def counting(counts: Mapping[str, int]) -> Values:
    """Answer `count(…)` of selectors; those that are not named have no series."""

    def values(query: str) -> Sequence[float]:
        found = counts.get(query.removeprefix("count(").removesuffix(")"))
        return () if found is None else (float(found),)

    return values


def told(server: Scripted, values: Sequence[str], label: str = "ns") -> None:
    server.plan(f"/api/v1/label/{label}/values", an_answer({"status": "success", "data": list(values)}))


def test_what_a_server_calls_its_values_can_neither_command_a_terminal_nor_fill_it(
    server: Scripted, series: SeriesReader
) -> None:
    told(server, ["shop\x1b[31m\nred", "shop" + "p" * 500, "shop\u202e"])
    found = blame(counting({"up": 3}), series, 'up{ns="shop"}')
    assert found.label == "ns"
    assert all(character.isprintable() for character in found.expected)
    assert len(found.expected) < 300


def test_of_two_selectors_the_one_without_series_is_to_blame(server: Scripted, series: SeriesReader) -> None:
    told(server, ["shop"])
    found = blame(counting({'a{ns="shop"}': 1, "b": 2}), series, 'a{ns="shop"} / on (ns) b{ns="shpo"}')
    assert found == Blame(
        found='no series of b with ns="shpo"',
        expected="a value of ns that has some: shop; without this condition there are 2 series",
        label="ns",
    )


def test_where_no_value_is_near_some_are_named(server: Scripted, series: SeriesReader) -> None:
    told(server, ["eins", "zwei", "drei", "vier"])
    found = blame(counting({"b": 4}), series, 'b{ns="shop"}')
    assert "that has some: drei, eins, vier and 1 more" in found.expected


def test_where_all_selectors_have_series_nothing_of_them_is_blamed(series: SeriesReader) -> None:
    found = blame(counting({"a": 1, "b": 1}), series, "a * on (x) b")
    assert (found.found, found.label) == ("no series, though there are some of all that it selects", None)


def test_a_selector_without_a_metric_is_looked_into_as_any_other(server: Scripted, series: SeriesReader) -> None:
    told(server, ["shop"])
    found = blame(counting({'{__name__=~".+",job!=""}': 5}), series, '{ns="shpo",job!=""}')
    assert found.found == 'no series of any metric with ns="shpo"'


def test_a_metric_that_nothing_is_like_is_told_without_a_guess(server: Scripted, series: SeriesReader) -> None:
    told(server, ["zzz"], label="__name__")
    found = blame(counting({}), series, "http_requests_total")
    assert found == Blame(found="no series of a metric http_requests_total", expected="a metric that is there")
