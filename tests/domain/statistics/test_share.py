import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.statistics.share import (
    EFFECT_TIMES,
    exceeds_effect,
    prefix_share_e_values,
    running_share_e_value,
    tolerated_share,
)

Tile = tuple[float, float, float, float]
Draw = Callable[[random.Random, int, float], int]

COUNTS = st.floats(0, 1e6) | st.integers(0, 5000).map(float)
TILES = st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), max_size=20)


def looks(tiles: Sequence[Tile], *, times: float = EFFECT_TIMES, caution: float = 1.0) -> list[float]:
    return list(prefix_share_e_values(tiles, times=times, caution=caution))


def a_single_look(tile: Tile, *, times: float = EFFECT_TIMES) -> float:
    """The e-value of one tile with nothing to deflate it."""
    return running_share_e_value([tile], times=times, caution=0)


def plain_log(tiles: Sequence[Tile], times: float = EFFECT_TIMES) -> float:
    """What the tiles say together with nothing to deflate it, by the formulas of the textbook; a logarithm."""
    products = []
    for odds in (1.5, 2, 3, 5, 10, 30):
        product = 1.0
        for new_bad, new_total, base_bad, base_total in tiles:
            w = times * new_total / (times * new_total + base_total)
            larger = odds * w / (1 - w + odds * w)
            product *= (larger / w) ** new_bad * ((1 - larger) / (1 - w)) ** base_bad
        products.append(product)
    return math.log(sum(products) / 6)


# --- the e-value ------------------------------------------------------------------------------------------------------


def test_e_value_is_the_mean_likelihood_ratio_of_larger_odds() -> None:
    w = 1.2 * 400 / (1.2 * 400 + 600)
    ratios = []
    for odds in (1.5, 2, 3, 5, 10, 30):
        larger = odds * w / (1 - w + odds * w)
        ratios.append((larger / w) ** 9 * ((1 - larger) / (1 - w)) ** 2)
    assert a_single_look((9, 400, 2, 600)) == pytest.approx(sum(ratios) / 6)
    assert plain_log([(9, 400, 2, 600)]) == pytest.approx(math.log(sum(ratios) / 6))


@pytest.mark.parametrize("times", [1.0, 1.2, 3.0])
@pytest.mark.parametrize(("new_total", "base_total"), [(100.0, 100.0), (70.0, 700.0), (900.0, 90.0)])
@pytest.mark.parametrize("bad", [1, 2, 7, 30])
def test_e_value_is_a_fair_bet_at_the_edge_whatever_the_number_of_bad_events(
    times: float, new_total: float, base_total: float, bad: int
) -> None:
    """The mean over how they can fall is 1: the condition of Ville's inequality."""
    w = times * new_total / (times * new_total + base_total)
    mean = math.fsum(
        math.comb(bad, new)
        * w**new
        * (1 - w) ** (bad - new)
        * a_single_look((new, new_total, bad - new, base_total), times=times)
        for new in range(bad + 1)
    )
    assert mean == pytest.approx(1)


@pytest.mark.parametrize("base_share", [0.01, 0.3, 0.8])
@pytest.mark.parametrize(("new_total", "base_total"), [(12, 12), (4, 24), (24, 4)])
def test_e_value_is_at_most_a_fair_bet_for_large_shares_of_whole_requests(
    base_share: float, new_total: int, base_total: int
) -> None:
    def chance(bad: int, total: int, share: float) -> float:
        return math.comb(total, bad) * share**bad * (1 - share) ** (total - bad)

    mean = math.fsum(
        chance(new, new_total, 1.2 * base_share)
        * chance(base, base_total, base_share)
        * a_single_look((new, new_total, base, base_total))
        for new in range(new_total + 1)
        for base in range(base_total + 1)
    )
    assert mean <= 1 + 1e-12


def test_twenty_errors_against_two_in_equal_traffic_alarm_and_ten_against_ten_do_not() -> None:
    assert running_share_e_value([(4, 500, 0.4, 500)] * 5) > 20
    assert running_share_e_value([(2, 500, 2, 500)] * 5) <= 1


@pytest.mark.parametrize("traffic", [(100.0, 100.0), (100.0, 1000.0), (1000.0, 100.0)])
def test_a_lone_error_never_alarms(traffic: tuple[float, float]) -> None:
    assert running_share_e_value([(1, traffic[0], 0, traffic[1])]) < 20


# --- what says nothing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "silent",
    [(0, 0, 0, 0), (3, 50, 0, 0), (0, 0, 3, 50), (0, 100, 0, 100), (1e-9, 100, 0, 100), (1, 100, 1, 1e-9)],
    ids=["no traffic", "no baseline", "no new version", "no bad event", "a rounding error", "hardly a baseline"],
)
def test_a_tile_without_a_comparison_changes_nothing(silent: Tile) -> None:
    tiles: list[Tile] = [(9, 400, 2, 600), (5, 400, 1, 600), (0, 400, 3, 600)]
    first, second, third = looks(tiles)
    assert looks([silent]) == [1.0]
    assert looks([silent, tiles[0], silent, *tiles[1:]]) == [1.0, first, first, second, third]


def test_no_tiles_say_nothing() -> None:
    assert running_share_e_value([]) == 1.0


def test_extrapolated_count_above_the_total_counts_as_all() -> None:
    assert looks([(10.3, 10, 4.2, 4)]) == looks([(10, 10, 4, 4)])
    assert exceeds_effect(10.3, 10, 10, 10) == exceeds_effect(10, 10, 10, 10)
    assert tolerated_share(10.3, 10) == tolerated_share(10, 10)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("count", [-1.0, math.nan, math.inf])
def test_impossible_counts_are_an_error(place: int, count: float) -> None:
    tile = [1.0, 10.0, 1.0, 10.0]
    tile[place] = count
    with pytest.raises(ValueError, match="counts are finite and not negative"):
        looks([(tile[0], tile[1], tile[2], tile[3])])
    with pytest.raises(ValueError, match="counts are finite and not negative"):
        exceeds_effect(tile[0], tile[1], tile[2], tile[3])


@pytest.mark.parametrize("times", [0.99, 0.0, -1.0, math.nan, math.inf])
def test_tolerating_less_than_the_baseline_is_an_error(times: float) -> None:
    with pytest.raises(ValueError, match="times is a finite number of at least 1"):
        running_share_e_value([], times=times)
    with pytest.raises(ValueError, match="times is a finite number of at least 1"):
        tolerated_share(1, 100, times=times)


# --- dispersion -------------------------------------------------------------------------------------------------------

UNEVEN: list[Tile] = [(9, 400, 2, 600), (0, 400, 4, 600), (12, 400, 0, 600), (5, 400, 1, 600), (1, 400, 3, 600)]


def test_evidence_is_divided_by_pearson_chi_squared_over_its_degrees_of_freedom() -> None:
    part = sum(tile[0] for tile in UNEVEN) / sum(tile[0] + tile[2] for tile in UNEVEN)
    chi_squared = sum(
        (new - (new + base) * part) ** 2 / ((new + base) * part * (1 - part)) for new, _, base, _ in UNEVEN
    )
    assert chi_squared / 4 > 2
    assert math.log(looks(UNEVEN, caution=0)[-1]) == pytest.approx(plain_log(UNEVEN) / (chi_squared / 4))
    assert math.log(looks(UNEVEN, caution=2)[-1]) == pytest.approx(
        plain_log(UNEVEN) / (chi_squared / 4 + 2 * math.sqrt(2 / 4))
    )


def test_errors_that_always_fall_in_the_same_way_are_not_deflated_without_caution() -> None:
    tiles: list[Tile] = [(8, 400, 2, 600)] * 6
    assert math.log(looks(tiles, caution=0)[-1]) == pytest.approx(plain_log(tiles))


def test_shares_and_traffic_that_vary_are_no_dispersion_while_the_ratio_of_the_shares_stays() -> None:
    twice: list[Tile] = [(4, 400, 3, 600), (40, 400, 30, 600), (40, 4000, 3, 600), (4, 400, 30, 6000)]
    assert math.log(looks(twice, caution=0)[-1]) == pytest.approx(plain_log(twice))


def test_with_all_errors_in_one_version_only_the_margin_deflates() -> None:
    tiles: list[Tile] = [(2, 400, 0, 600)] * 9
    assert math.log(looks(tiles)[-1]) == pytest.approx(plain_log(tiles) / (1 + math.sqrt(2 / 8)))


def test_first_tile_is_deflated_most() -> None:
    tile: Tile = (9, 400, 2, 600)
    assert math.log(looks([tile])[0]) == pytest.approx(plain_log([tile]) / (1 + math.sqrt(2)))


# --- looks ------------------------------------------------------------------------------------------------------------


def test_an_alarm_stays_an_alarm_when_errors_stop() -> None:
    tiles: list[Tile] = [*[(20.0, 500.0, 2.0, 500.0)] * 4, *[(1.0, 500.0, 9.0, 500.0)] * 60]
    values = looks(tiles)
    assert values[-1] < 1
    assert running_share_e_value(tiles) == max(values) == values[3] > 100


@given(tiles=TILES, kept=st.integers(0, 20))
@settings(max_examples=60)
def test_a_look_does_not_depend_on_what_came_later(tiles: list[Tile], kept: int) -> None:
    assert looks(tiles)[:kept] == looks(tiles[:kept])


@given(tiles=st.lists(st.tuples(*[st.floats(0, 9.99e299)] * 4), max_size=8), times=st.floats(1, 1e9))
@settings(max_examples=200)
def test_e_value_is_a_finite_number_for_every_tile_however_absurd_the_counts(tiles: list[Tile], times: float) -> None:
    values = looks(tiles, times=times)
    assert len(values) == len(tiles)
    assert all(0 <= value <= math.exp(700) for value in values)


@given(tiles=TILES, factor=st.sampled_from([0.25, 2.0, 64.0]))
@settings(max_examples=60)
def test_only_the_ratio_of_the_traffic_counts(tiles: list[Tile], factor: float) -> None:
    """Powers of two, so that floats scale exactly; good events are many, so that no bad count is cut to its total."""
    sparse = [(new % 50, 1e3 + new_total, base % 50, 1e3 + base_total) for new, new_total, base, base_total in tiles]
    scaled = [(new, new_total * factor, base, base_total * factor) for new, new_total, base, base_total in sparse]
    assert looks(scaled) == looks(sparse)


@given(tiles=TILES, low=st.floats(1, 5), high=st.floats(1, 5))
@settings(max_examples=60)
def test_tolerating_more_never_raises_the_e_value(tiles: list[Tile], low: float, high: float) -> None:
    low, high = sorted((low, high))
    for tolerant, strict in zip(looks(tiles, times=high), looks(tiles, times=low), strict=True):
        assert tolerant <= strict * (1 + 1e-6)


@given(tiles=TILES, low=st.floats(0, 3), high=st.floats(0, 3))
@settings(max_examples=60)
def test_caution_only_ever_lowers_an_alarm(tiles: list[Tile], low: float, high: float) -> None:
    low, high = sorted((low, high))
    for cautious, bold in zip(looks(tiles, caution=high), looks(tiles, caution=low), strict=True):
        assert max(1, cautious) <= max(1, bold) * (1 + 1e-9)


@given(new=st.floats(0, 50), more=st.floats(0, 50), base=st.floats(0, 50))
def test_in_one_tile_more_new_errors_raise_the_e_value_and_more_of_the_baseline_lower_it(
    new: float, more: float, base: float
) -> None:
    (value,) = looks([(new, 100, base, 300)])
    assert looks([(new + more, 100, base, 300)])[0] >= value * (1 - 1e-9) or new + base < 1e-6
    assert looks([(new, 100, base + more, 300)])[0] <= value * (1 + 1e-9)


# --- the effect -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_bad", "tolerated"),
    [(0, 0.005), (1, 0.006), (25, 0.03), (100, 0.12), (500, 0.6)],
    ids=["nothing: points", "0.1 %: points", "2.5 %: both alike", "10 %: times", "50 %: times"],
)
def test_tolerated_share_is_the_larger_of_the_two_floors(base_bad: float, tolerated: float) -> None:
    assert tolerated_share(base_bad, 1000) == pytest.approx(tolerated)


@pytest.mark.parametrize("base_bad", [84, 90, 100, 101])
def test_tolerated_share_can_always_stand_where_a_limit_is_asked_for(base_bad: float) -> None:
    assert 0.999 < tolerated_share(base_bad, 100) < 1


def test_both_versions_failing_entirely_is_no_effect() -> None:
    assert not exceeds_effect(100, 100, 100, 100)
    assert not exceeds_effect(100, 100, 90, 100)


# An effect passes both floors:
#   new share | baseline | times | points | effect
#   0.05 %    | 0.01 %   | yes   | no     | no
#   10.8 %    | 10 %     | no    | yes    | no
#   13 %      | 10 %     | yes   | yes    | yes
#   2 %       | 0        | yes   | yes    | yes
@pytest.mark.parametrize(
    ("new_bad", "base_bad", "effect"),
    [(5, 1, False), (1080, 1000, False), (1300, 1000, True), (200, 0, True), (0, 0, False), (100, 100, False)],
)
def test_an_effect_passes_both_floors(new_bad: float, base_bad: float, effect: bool) -> None:
    assert exceeds_effect(new_bad, 10_000, base_bad, 10_000) is effect


@pytest.mark.parametrize("counts", [(0, 0, 0, 100), (0, 100, 0, 0), (5, 100, 0, 0), (0, 0, 0, 0), (5, 0, 0, 100)])
def test_there_is_no_effect_where_a_version_had_no_events(counts: Tile) -> None:
    assert not exceeds_effect(*counts)


def test_a_baseline_without_events_tolerates_nothing() -> None:
    with pytest.raises(ValueError, match="a baseline without events tolerates nothing"):
        tolerated_share(0, 0)


@pytest.mark.parametrize("points", [-0.001, 1.1, math.nan])
def test_points_that_are_no_share_are_an_error(points: float) -> None:
    with pytest.raises(ValueError, match="points are a share between 0 and 1"):
        tolerated_share(1, 100, points=points)


@given(
    new=st.floats(0, 1), base=st.floats(0, 1), times=st.floats(1, 10), points=st.floats(0, 1), total=st.floats(1, 1e6)
)
def test_an_effect_is_above_the_tolerated_share_and_the_baseline(
    new: float, base: float, times: float, points: float, total: float
) -> None:
    effect = exceeds_effect(new * total, total, base * total, total, times=times, points=points)
    share, tolerated = new * total / total, tolerated_share(base * total, total, times=times, points=points)
    assert not effect or share > tolerated >= base * (1 - 1e-9)
    assert effect or share <= tolerated or tolerated > 1 - 1e-9


# --- simulations: seeded, so the same on every machine ----------------------------------------------------------------


def singly(random_: random.Random, trials: int, share: float) -> int:
    """Draw a binomial count by the gaps between events, which is fast for small shares."""
    count, at = 0, 0
    while share > 0:
        at += int(math.log(1 - random_.random()) / math.log1p(-share)) + 1
        if at > trials:
            break
        count += 1
    return count


def in_clumps_of(size: int) -> Draw:
    return lambda random_, requests, share: min(requests, size * singly(random_, requests, share / size))


def with_a_share_that_varies(correlation: float) -> Draw:
    """Beta-binomial, on its own in each version: two requests of a tile and version correlate by `correlation`."""
    weight = 1 / correlation - 1
    return lambda random_, requests, share: singly(
        random_, requests, random_.betavariate(share * weight, (1 - share) * weight)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Two versions beside each other: how many requests a minute (times 1 and 10 by `traffic`), how many bad."""

    draw: Draw = singly
    base_share: float = 0.01
    times: float = 1.0
    traffic: tuple[int, int] = (1, 1)
    requests: tuple[int, int] = (50, 200)
    minutes: int = 60

    def tiles(self, random_: random.Random) -> list[Tile]:
        tiles: list[Tile] = []
        for _ in range(self.minutes):
            requests = random_.randint(*self.requests)
            new, base = (requests * part for part in self.traffic)
            new_bad = self.draw(random_, new, self.base_share * self.times)
            tiles.append((new_bad, new, self.draw(random_, base, self.base_share), base))
        return tiles


def gated_looks(tiles: Sequence[Tile]) -> list[float]:
    """What a gate sees at each look: the e-value where there is an effect, else nothing."""
    sums, values = (0.0, 0.0, 0.0, 0.0), []
    for tile, value in zip(tiles, prefix_share_e_values(tiles), strict=True):
        sums = (sums[0] + tile[0], sums[1] + tile[1], sums[2] + tile[2], sums[3] + tile[3])
        values.append(value if exceeds_effect(*sums) else 1.0)
    return values


def alarm_shares(world: World, *, runs: int, floors: bool = True) -> tuple[float, float]:
    """Return in what share of the runs any look, one a minute, reached 20, and 100."""
    random_ = random.Random(20)
    runs_of_tiles = (world.tiles(random_) for _ in range(runs))
    peaks = [max(gated_looks(tiles)) if floors else running_share_e_value(tiles) for tiles in runs_of_tiles]
    return sum(peak >= 20 for peak in peaks) / runs, sum(peak >= 100 for peak in peaks) / runs


TRAFFIC = pytest.mark.parametrize("traffic", [(1, 1), (1, 10), (10, 1)], ids=["1:1", "1:10", "10:1"])


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
@TRAFFIC
def test_two_versions_that_are_alike_are_alarmed_in_at_most_5_and_1_percent_of_hours(
    share: float, traffic: tuple[int, int]
) -> None:
    at_20, at_100 = alarm_shares(World(base_share=share, traffic=traffic), runs=200)
    assert at_20 <= 0.05
    assert at_100 <= 0.01


# How many runs it takes to tell a rate from 1 % depends on the rate: of 10:1 at 1 %, 0.55 % of the hours reach 100
# (27,000 runs), the most of all; of 500 runs, more than 1 % would do so by chance alone every twentieth time or so.
@pytest.mark.parametrize(
    ("traffic", "share", "runs"),
    [
        ((1, 1), 0.001, 400),
        ((1, 1), 0.01, 400),
        ((1, 1), 0.05, 200),
        ((1, 10), 0.001, 400),
        ((1, 10), 0.01, 400),
        ((1, 10), 0.05, 200),
        ((10, 1), 0.001, 400),
        ((10, 1), 0.01, 2000),
        ((10, 1), 0.05, 200),
    ],
)
def test_so_are_they_if_errors_come_in_pairs(traffic: tuple[int, int], share: float, runs: int) -> None:
    at_20, at_100 = alarm_shares(World(draw=in_clumps_of(2), base_share=share, traffic=traffic), runs=runs)
    assert at_20 <= 0.05
    assert at_100 <= 0.01


@TRAFFIC
def test_so_are_they_if_errors_cluster_in_each_on_its_own(traffic: tuple[int, int]) -> None:
    """About 0.4 % of hours reach 100 (15,000 runs): it takes many runs to tell that from 1 %."""
    at_20, at_100 = alarm_shares(World(draw=with_a_share_that_varies(0.005), traffic=traffic), runs=600)
    assert at_20 <= 0.05
    assert at_100 <= 0.01


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
@TRAFFIC
def test_guarantee_holds_at_the_edge_of_what_is_tolerated_and_without_the_floors(
    share: float, traffic: tuple[int, int]
) -> None:
    world = World(base_share=share, times=EFFECT_TIMES, traffic=traffic)
    at_20, at_100 = alarm_shares(world, runs=150, floors=False)
    assert at_20 <= 0.05
    assert at_100 <= 0.01


@TRAFFIC
def test_larger_clumps_go_beyond_that_but_not_far(traffic: tuple[int, int]) -> None:
    at_20, at_100 = alarm_shares(World(draw=in_clumps_of(3), traffic=traffic), runs=300)
    assert at_20 <= 0.10
    assert at_100 <= 0.05


@pytest.mark.parametrize(
    ("draw", "at_20", "at_100"),
    [pytest.param(singly, 0.98, 0.98, id="independent"), pytest.param(in_clumps_of(2), 0.95, 0.9, id="in pairs")],
)
@TRAFFIC
def test_five_times_the_share_of_the_baseline_is_found_within_five_minutes_at_ten_requests_a_second(
    draw: Draw, at_20: float, at_100: float, traffic: tuple[int, int]
) -> None:
    world = World(draw=draw, times=5, traffic=traffic, requests=(600, 600), minutes=5)
    found = alarm_shares(world, runs=100)
    assert found[0] >= at_20
    assert found[1] >= at_100


def test_twice_the_share_of_the_baseline_is_found_within_half_an_hour_at_ten_requests_a_second() -> None:
    assert alarm_shares(World(times=2, requests=(600, 600), minutes=30), runs=100)[0] >= 0.95


def test_five_times_next_to_nothing_is_significant_and_no_effect() -> None:
    """0.05 % against 0.01 % in much traffic: shown beyond doubt, and nothing that anyone would take back."""
    world = World(base_share=0.0001, times=5, requests=(60_000, 60_000), minutes=10)
    assert alarm_shares(world, runs=20, floors=False)[0] >= 0.95
    assert alarm_shares(world, runs=20) == (0, 0)


# --- an outage of what both versions depend on ------------------------------------------------------------------------


def a_shared_outage(random_: random.Random, draw: Draw) -> tuple[int, list[Tile]]:
    """An hour at 1 %, with ten minutes in which both fail alike, and the traffic may shift from one to the other.

    Return the minute in which the outage starts, and the tiles.
    """
    start, height = random_.randint(0, 50), random_.choice([0.1, 0.4, 0.9])
    before, during = random_.choices([(10, 10), (2, 20), (20, 2)], k=2)
    tiles: list[Tile] = []
    for minute in range(60):
        outage = start <= minute < start + 10
        new, base = (10 * part for part in (during if outage else before))
        share = height if outage else 0.01
        tiles.append((draw(random_, new, share), new, draw(random_, base, share), base))
    return start, tiles


def test_an_hour_with_an_outage_of_both_versions_does_not_alarm_even_if_traffic_shifts_at_the_same_time() -> None:
    random_ = random.Random(20)
    assert max(max(gated_looks(a_shared_outage(random_, singly)[1])) for _ in range(200)) < 20


@pytest.mark.parametrize("draw", [singly, in_clumps_of(2)], ids=["independent errors", "errors in pairs"])
def test_no_outage_of_both_versions_makes_an_alarm_that_was_not_there_before(draw: Draw) -> None:
    """Pairs of errors alarm now and then, as without an outage (above); what counts here are alarms that follow one."""
    random_ = random.Random(21)
    made = 0
    for _ in range(200):
        start, tiles = a_shared_outage(random_, draw)
        values = gated_looks(tiles)
        made += max(values[:start], default=1.0) < 20 <= max(values[start:])
    assert made == 0


def test_sums_alone_would_blame_the_version_that_had_the_traffic_during_the_outage() -> None:
    tiles: list[Tile] = [*[(1.0, 100.0, 10.0, 1000.0)] * 10, *[(400.0, 1000.0, 40.0, 100.0)] * 5]
    new_bad, new_total, base_bad, base_total = (sum(counts) for counts in zip(*tiles, strict=True))
    assert exceeds_effect(new_bad, new_total, base_bad, base_total)
    assert running_share_e_value([(new_bad, new_total, base_bad, base_total)]) > 100
    assert running_share_e_value(tiles) <= 1


def test_an_outage_read_at_different_moments_may_alarm_at_one_look_and_not_at_two_in_a_row() -> None:
    """The first tile holds a whole minute of the outage for one version, twenty seconds of it for the other."""
    tiles: list[Tile] = [(6, 600, 6, 600), (180, 600, 60, 600), *[(180.0, 600.0, 180.0, 600.0)] * 5]
    values = gated_looks(tiles)
    assert max(values) > 20
    assert max(min(pair) for pair in pairwise(values)) < 20
