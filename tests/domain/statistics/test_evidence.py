import math
import random
from collections.abc import Callable, Sequence

import pytest

from bot.domain.statistics import CAUTION, deflated_e_value, dispersion, e_value, prefix_e_values, running_e_value

Tiles = Sequence[tuple[float, float]]
Draw = Callable[[random.Random, int], int]


@pytest.mark.parametrize(
    ("total", "first_at_20", "first_at_100"),
    [(50, 4, 5), (100, 5, 7), (300, 10, 11), (1000, 21, 23), (3000, 49, 52)],
)
def test_alarms_at_a_limit_of_one_percent_trip_at_the_check_values(
    total: int, first_at_20: int, first_at_100: int
) -> None:
    assert e_value(first_at_20 - 1, total, 0.01) < 20 <= e_value(first_at_20, total, 0.01)
    assert e_value(first_at_100 - 1, total, 0.01) < 100 <= e_value(first_at_100, total, 0.01)


@pytest.mark.parametrize("total", [1, 2, 10, 100, 10_000])
def test_a_lone_error_never_trips_an_alarm(total: int) -> None:
    assert e_value(1, total, 0.01) < 20


def test_e_value_is_the_mean_likelihood_ratio_of_the_alternatives() -> None:
    shares = [0.015, 0.02, 0.03, 0.05, 0.1, 0.3]
    ratios = [(share / 0.01) ** 3 * ((1 - share) / 0.99) ** 37 for share in shares]
    assert e_value(3, 40, 0.01) == pytest.approx(sum(ratios) / 6)


def test_no_events_say_nothing() -> None:
    assert e_value(0, 0, 0.01) == 1.0
    assert running_e_value([], 0.01) == 1.0
    assert running_e_value([(0, 0)], 0.01) == 1.0


def test_e_value_stays_finite_however_strong_the_evidence() -> None:
    assert e_value(1e299, 1e299, 0.01) == math.exp(700)
    assert e_value(0, 1e299, 0.01) == 0.0


def test_extrapolated_count_above_the_total_counts_as_all() -> None:
    assert e_value(10.3, 10, 0.01) == e_value(10, 10, 0.01)


def test_alternatives_stay_shares_at_a_high_limit() -> None:
    assert e_value(100, 100, 0.9) > 20
    assert e_value(90, 100, 0.9) < 2


@pytest.mark.parametrize("counts", [(-1, 10), (1, -1), (math.nan, 1), (1, math.nan), (1, math.inf)])
def test_impossible_counts_are_an_error(counts: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="counts are finite and not negative"):
        e_value(*counts, 0.01)


@pytest.mark.parametrize("limit", [0.0, 1.0, 1.5, -1, math.nan])
def test_impossible_limit_is_an_error(limit: float) -> None:
    with pytest.raises(ValueError, match="a limit is a share between 0 and 1"):
        e_value(1, 2, limit)


# --- dispersion ------------------------------------------------------------------------------------------------------


def test_dispersion_is_pearson_chi_squared_over_its_degrees_of_freedom() -> None:
    tiles = [(0, 100), (9, 100), (0, 50), (6, 60), (1, 90), (0, 80), (0, 100), (12, 120), (0, 100), (2, 100)]
    share = sum(bad for bad, _ in tiles) / sum(total for _, total in tiles)
    chi_squared = sum((bad - total * share) ** 2 / (total * share * (1 - share)) for bad, total in tiles)
    assert dispersion(tiles) == pytest.approx(chi_squared / 9)
    assert dispersion([*tiles, (0, 0)]) == dispersion(tiles)


def test_dispersion_is_at_least_one() -> None:
    assert dispersion([(1, 100)] * 20) == 1.0


@pytest.mark.parametrize(
    "tiles",
    [[], [(0, 100), (9, 100)] * 4 + [(9, 100)], [(0, 100), (9, 100)] * 4 + [(0, 0)] * 5, [(0, 9)] * 20, [(9, 9)] * 20],
    ids=["no tiles", "nine tiles", "eight with traffic", "none bad", "all bad"],
)
def test_dispersion_is_one_where_it_cannot_be_told(tiles: Tiles) -> None:
    assert dispersion(tiles) == 1.0


def test_deflation_divides_the_logarithm() -> None:
    assert math.log(deflated_e_value(10, 300, 0.01, 2.5)) == pytest.approx(math.log(e_value(10, 300, 0.01)) / 2.5)
    assert deflated_e_value(10, 300, 0.01, 0.5) == e_value(10, 300, 0.01)


@pytest.mark.parametrize("caution", [0.0, CAUTION])
def test_errors_in_clumps_prove_less_than_the_same_errors_spread(caution: float) -> None:
    clumped = running_e_value([(0, 100)] * 9 + [(40, 100)] * 2, 0.01, caution=caution)
    assert clumped < running_e_value([(80 / 11, 100)] * 11, 0.01, caution=caution)


def test_caution_only_ever_lowers_an_alarm() -> None:
    tiles = [(3.0, 100.0), (0.0, 80.0), (7.0, 120.0), (6.0, 60.0)] * 4
    plain, cautious = prefix_e_values(tiles, 0.01), prefix_e_values(tiles, 0.01, caution=CAUTION)
    assert all(max(1, low) <= max(1, high) for low, high in zip(cautious, plain, strict=True))


def test_running_value_is_the_largest_of_the_looks_and_does_not_fall_when_errors_stop() -> None:
    tiles = [(30, 100)] * 3 + [(0, 1000)] * 60
    looks = list(prefix_e_values(tiles, 0.01))
    assert len(looks) == len(tiles)
    assert looks[-1] < 20
    assert max(looks) > 100
    assert running_e_value(tiles, 0.01) == max(looks) == looks[2]


def test_a_look_does_not_depend_on_what_came_later() -> None:
    tiles = [(3, 100), (0, 80), (0, 0), (7, 120), (1, 60)]
    assert list(prefix_e_values(tiles, 0.01))[:3] == list(prefix_e_values(tiles[:3], 0.01))


# --- simulations: seeded, so the same on every machine ----------------------------------------------------------------


def a_binomial(random_: random.Random, trials: int, share: float) -> int:
    """Draw by the gaps between events, which is fast for small shares."""
    count, at = 0, 0
    while share > 0:
        at += int(math.log(1 - random_.random()) / math.log1p(-share)) + 1
        if at > trials:
            break
        count += 1
    return count


def in_clumps_of(size: int) -> Draw:
    return lambda random_, requests: min(requests, size * a_binomial(random_, requests, 0.01 / size))


def with_a_share_that_varies(correlation: float) -> Draw:
    """Beta-binomial: each tile has its own share around 1 %; two requests of a tile correlate by `correlation`."""
    weight = 1 / correlation - 1
    return lambda random_, requests: a_binomial(random_, requests, random_.betavariate(0.01 * weight, 0.99 * weight))


def alarm_shares(
    draw: Draw, *, runs: int, minutes: int, requests: tuple[int, int], caution: float = 0.0
) -> tuple[float, float]:
    """Return in what share of the runs any look, one a minute, reached 20, and 100."""
    random_ = random.Random(20)
    peaks = []
    for _ in range(runs):
        traffic = [random_.randint(*requests) for _ in range(minutes)]
        peaks.append(running_e_value([(draw(random_, count), count) for count in traffic], 0.01, caution=caution))
    return sum(peak >= 20 for peak in peaks) / runs, sum(peak >= 100 for peak in peaks) / runs


@pytest.mark.parametrize(
    ("draw", "caution"),
    [
        pytest.param(in_clumps_of(1), 0.0, id="independent errors"),
        pytest.param(with_a_share_that_varies(0.002), 0.0, id="slightly clustered errors"),
        pytest.param(in_clumps_of(1), CAUTION, id="independent errors, with caution"),
        pytest.param(in_clumps_of(2), CAUTION, id="errors in pairs, with caution"),
        pytest.param(with_a_share_that_varies(0.005), CAUTION, id="clustered errors, with caution"),
    ],
)
def test_release_at_the_limit_is_alarmed_in_at_most_5_and_1_percent_of_hours(draw: Draw, caution: float) -> None:
    at_20, at_100 = alarm_shares(draw, runs=1000, minutes=60, requests=(50, 200), caution=caution)
    assert at_20 <= 0.05
    assert at_100 <= 0.01


@pytest.mark.parametrize("size", [3, 5])
def test_larger_clumps_go_beyond_that_but_not_far(size: int) -> None:
    """Five errors at once in 100 requests are an alarm by themselves; no estimate from one tile can know better."""
    at_20, at_100 = alarm_shares(in_clumps_of(size), runs=500, minutes=60, requests=(50, 200), caution=CAUTION)
    assert at_20 <= 0.10
    assert at_100 <= 0.05


def test_pairs_of_errors_need_caution() -> None:
    """The plain estimate comes too late for the first ten looks; this is what `CAUTION` is for."""
    plain = alarm_shares(in_clumps_of(2), runs=500, minutes=60, requests=(50, 200))
    cautious = alarm_shares(in_clumps_of(2), runs=500, minutes=60, requests=(50, 200), caution=CAUTION)
    assert plain[0] > 0.05
    assert cautious[0] < plain[0] / 2


@pytest.mark.parametrize(("caution", "at_20", "at_100"), [(0.0, 0.9, 0.85), (CAUTION, 0.8, 0.65)])
def test_five_times_the_limit_is_found_within_five_minutes_at_one_request_a_second(
    caution: float, at_20: float, at_100: float
) -> None:
    found = alarm_shares(lambda r, n: a_binomial(r, n, 0.05), runs=500, minutes=5, requests=(60, 60), caution=caution)
    assert found[0] >= at_20
    assert found[1] >= at_100


@pytest.mark.parametrize("caution", [0.0, CAUTION])
def test_ten_times_the_limit_is_found_for_sure_and_fast(caution: float) -> None:
    found = alarm_shares(lambda r, n: a_binomial(r, n, 0.1), runs=500, minutes=5, requests=(60, 60), caution=caution)
    assert min(found) >= 0.98


def test_half_the_limit_is_hardly_ever_alarmed() -> None:
    at_20, at_100 = alarm_shares(lambda r, n: a_binomial(r, n, 0.005), runs=500, minutes=60, requests=(50, 200))
    assert at_20 <= 0.01
    assert at_100 <= 0.002
