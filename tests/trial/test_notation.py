"""Series in the notation of promtool's unit tests, held against promtool itself."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.trial.notation import MOST_SAMPLES, NotationError, Special, Value, parse_series, parse_values

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on the PATH")


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2.5 -3", (1.0, 2.5, -3.0)),
        ("0+10x3", (0.0, 10.0, 20.0, 30.0)),
        ("10-2x2", (10.0, 8.0, 6.0)),
        ("-1+0.5x2", (-1.0, -0.5, 0.0)),
        ("5x2", (5.0, 5.0, 5.0)),
        ("5x0", (5.0,)),
        ("1e2x1 +4", (100.0, 100.0, 4.0)),
        ("_ 1 _x2", (Special.MISSING, 1.0, Special.MISSING, Special.MISSING)),
        ("1 stale", (1.0, Special.STALE)),
        ("Inf -inf", (math.inf, -math.inf)),
        ("  1\n  2\t3 ", (1.0, 2.0, 3.0)),
        ("", ()),
    ],
)
def test_values_are_read_one_for_each_interval(text: str, values: tuple[Value, ...]) -> None:
    assert parse_values(text) == values


@pytest.mark.parametrize(
    "text", ["x", "1+2", "1+-2x3", "0x", "1 x3", "stalex2", "0+1x-1", "{{schema:0 sum:1}}x3", "1,2", "٣", "1_0"]
)
def test_what_promtool_would_not_take_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse_values(text)


@pytest.mark.parametrize("text", [f"1x{MOST_SAMPLES}", "_x999999999", "1x999999999", "1x99999999999999"])
def test_no_series_is_longer_than_anybody_means(text: str) -> None:
    with pytest.raises(NotationError):
        parse_values(text)


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("up", {"__name__": "up"}),
        ('m{a="b",c="d"}', {"__name__": "m", "a": "b", "c": "d"}),
        ('{__name__="m",a="b"}', {"__name__": "m", "a": "b"}),
        ("m{path='/f(x){1}[2]'}", {"__name__": "m", "path": "/f(x){1}[2]"}),
        ('m{a="q\\"q\\n"}', {"__name__": "m", "a": 'q"q\n'}),
        ('m{a=""}', {"__name__": "m"}),
    ],
)
def test_a_series_has_a_name_and_labels(text: str, labels: dict[str, str]) -> None:
    assert parse_series(text) == labels


@pytest.mark.parametrize(
    "text",
    [
        "", "m{", 'm{a=~"b"}', 'm{a!="b"}', 'm{a="b" or c="d"}', 'm{a="1",a="2"}', '{a="b"}', "m[5m]", "m offset 5m",
        "m @ 0", "sum(m)", "1", "-m", "(" * 5000, "m" * 20_000, 'm{__name__="n"}',
    ],
)  # fmt: skip
def test_what_is_no_single_series_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse_series(text)


@given(st.text(max_size=60))
def test_any_text_is_a_series_or_refused(text: str) -> None:
    with suppress(NotationError):
        assert "__name__" in parse_series(text)
    with suppress(NotationError):
        assert len(parse_values(text)) <= MOST_SAMPLES


# --- promtool's own word ---------------------------------------------------------------------------------------------

_NUMBERS = st.one_of(st.integers(-1000, 1000).map(str), st.sampled_from(["0.5", "-2.25", "1e3", "1.5e-1", ".5", "7."]))
_STEPS = st.sampled_from(["+1", "-1", "+0.25", "-2.5", "+0", "+1e1"])
_TIMES = st.integers(0, 6).map(str)
_ITEMS = st.one_of(
    _NUMBERS,
    st.just("_"),
    st.just("stale"),
    _TIMES.map(lambda often: f"_x{often}"),
    st.tuples(_NUMBERS, _TIMES).map("x".join),
    st.tuples(_NUMBERS, _STEPS, _TIMES).map(lambda parts: f"{parts[0]}{parts[1]}x{parts[2]}"),
)


def promtool_agrees(folder: Path, text: str, values: Sequence[Value]) -> bool:
    """Say whether promtool finds these values in the text, each at its minute and none anywhere else.

    A look back of five minutes would show the value before in place of one that is missing; a range of a second does
    not, and an instant look alone tells the end of a series from a gap.
    """
    checks = []
    for minute, value in [*enumerate(values), (len(values), Special.MISSING)]:
        found = [] if isinstance(value, Special) else [{"labels": "m", "value": value}]
        checks.append({"expr": "last_over_time(m[1s])", "eval_time": f"{minute}m", "exp_samples": found})
        if value is Special.STALE:
            checks.append({"expr": "m", "eval_time": f"{minute}m", "exp_samples": []})
    series = [{"series": "m", "values": text}]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": checks}
    (folder / "rules.yml").write_text("groups: []\n")
    (folder / "test.yml").write_text(json.dumps({"rule_files": ["rules.yml"], "tests": [test]}))
    ran = subprocess.run(["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, check=False)
    return ran.returncode == 0


@pytest.mark.prometheus
@needs_promtool
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(_ITEMS, min_size=1, max_size=6))
def test_every_series_has_the_values_that_promtool_finds_in_it(tmp_path: Path, items: list[str]) -> None:
    text = " ".join(items)
    assert promtool_agrees(tmp_path, text, parse_values(text)), text


@pytest.mark.prometheus
@needs_promtool
def test_promtool_sees_another_value(tmp_path: Path) -> None:
    assert not promtool_agrees(tmp_path, "0+1x2", (0.0, 1.0, 3.0))
    assert not promtool_agrees(tmp_path, "1 _ 1", (1.0, 1.0, 1.0))
    assert not promtool_agrees(tmp_path, "1 _ 1", (1.0, Special.STALE, 1.0))
