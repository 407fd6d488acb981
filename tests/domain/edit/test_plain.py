import io

import pytest
import yaml
from ruamel.yaml import YAML

from bot.domain.edit.plain import can_be_plain, is_text, reads_as_written

OTHER_THAN_TEXT = [
    "", "~", "null", "Null", "NULL", "true", "False", "yes", "No", "on", "OFF", "y", "N", "<<", "=",
    "0", "7", "007", "0644", "0o17", "0x1F", "0xdeadbeef", "0x1p-2", "0b101", "-0b1", "+1", "1_000", "1,000", "5735816",
    "1.", "1.10", "1.5e3", "1e3", "12e45678", "1e+3", ".5", ".5e1", "-.5", "...", "1:30", "190:20:30", "1:30.5",
    ".inf", "-.INF", "inf", ".NaN", "nan",
    "2024-01-15", "2024-1-5", "2024-01-15T10:00:00Z", "2024-01-15 10:00:00",
]  # fmt: skip
TEXT = ["v1", "1.4.2", "2024.01.15", "2024-01-15-abc", "1a2b3c4", "e3", "deadbeef", "yes-1", "nullable", "_1", "a:b"]


@pytest.mark.parametrize("value", OTHER_THAN_TEXT)
def test_what_a_reader_may_take_for_something_else_is_no_plain_text(value: str) -> None:
    assert not is_text(value)
    assert not can_be_plain(value, in_flow=False)


@pytest.mark.parametrize("value", TEXT)
def test_what_every_reader_takes_for_text_may_be_plain(value: str) -> None:
    assert is_text(value)
    assert can_be_plain(value, in_flow=False)
    assert yaml.safe_load(f"t: {value}") == {"t": value}
    for version in ("1.1", "1.2"):
        reader = YAML(typ="safe", pure=True)
        reader.version = version
        assert reader.load(io.StringIO(f"t: {value}")) == {"t": value}


@pytest.mark.parametrize(
    "value",
    ["a: b", "a:", "a #b", "@x", "*x", "&x", "!x", "%x", "-x", "- x", "? x", "a ", "a,b", "{a", "ä", "a\nb", "`"],
)
def test_what_needs_quotes_to_be_valid_is_not_plain(value: str) -> None:
    assert not can_be_plain(value, in_flow=False)


def test_colon_is_plain_in_block_style_only() -> None:
    assert can_be_plain("acme/web:v1", in_flow=False)
    assert not can_be_plain("acme/web:v1", in_flow=True)


@pytest.mark.parametrize(("value", "is_certain"), [("v1", True), ("0", True), ("1234", True), ("999999", True)])
def test_text_and_small_counts_read_as_written(value: str, is_certain: bool) -> None:
    assert reads_as_written(value) is is_certain


@pytest.mark.parametrize("value", ["1.10", "0644", "1234567", "on", "12e45678", "0x1F"])
def test_what_helm_would_print_otherwise_does_not_read_as_written(value: str) -> None:
    assert not reads_as_written(value)
