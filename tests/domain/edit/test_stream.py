import pytest
import yaml

from bot.domain.edit import EditRefused, Reading, locate
from bot.domain.edit.stream import read_stream

BOTH_PARSERS = pytest.mark.parametrize(
    "reading", [Reading(), Reading(parser=yaml.SafeLoader)], ids=["fastest parser", "pure parser"]
)


def refusal_of(text: str, reading: Reading) -> EditRefused:
    with pytest.raises(EditRefused) as refused:
        read_stream(text, file="values.yaml", reading=reading)
    assert refused.value.file == "values.yaml"
    return refused.value


@BOTH_PARSERS
@pytest.mark.parametrize("text", ["[" * 200_000, "{" * 200_000, "- " * 65 + "x", "? " * 100_000])
def test_deep_text_is_refused_at_the_limit(text: str, reading: Reading) -> None:
    assert refusal_of(text, reading).reason == "the file is nested deeper than 64 levels"


def test_text_at_the_depth_limit_is_read() -> None:
    assert locate("[" * 64 + "x" + "]" * 64, *(0,) * 64).value == "x"


def test_text_with_too_many_values_is_refused() -> None:
    beyond = "the file has more than {} keys, values and brackets"
    assert refusal_of("[a,b,c]", Reading(events=8)).reason == beyond.format("8")
    assert refusal_of("x: [" + "a," * 400_000 + "]", Reading()).reason == beyond.format("400,000")
    read_stream("[a,b,c]", reading=Reading(events=9))


def test_size_is_counted_in_bytes_and_limited_to_a_mebibyte() -> None:
    read_stream("# " + "x" * (1024 * 1024 - 2))
    assert "1,048,577 bytes" in refusal_of("# " + "x" * (1024 * 1024 - 1), Reading()).reason
    assert refusal_of("ää", Reading(size_bytes=3)).reason == "the file has 4 bytes, more than the 3 that are read"


@BOTH_PARSERS
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [\n", None),
        ("a: b: c\n", 1),
        ("a: 1\n b: 2\n", 2),
        ("a: 'x\n", None),
        ("\tb: 1\n", 1),
        ("a: \x00", 0),
        ("a: \ud800", 0),
        ('a: "\\UFFFFFFFF"', None),
        ("a: @x", 1),
        ("%YAML " + "9" * 5000 + ".1\n---\na: b", None),
    ],
)
def test_invalid_yaml_is_refused_with_its_line(text: str, line: int | None, reading: Reading) -> None:
    refused = refusal_of(text, reading)
    assert refused.reason.startswith("the file is not valid YAML: ")
    assert line is None or refused.line == line


def test_template_that_is_no_yaml_is_named_as_such() -> None:
    refused = refusal_of("a: 1\n{{- if .Values.x }}\nb: {{ .Values.y }}\n{{- end }}\n", Reading())
    assert "it has template syntax ({{ … }}) on line 2, and only plain YAML can be edited" in refused.reason


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_line_breaks_that_yaml_versions_disagree_on_are_refused(character: str) -> None:
    refused = refusal_of(f"a: 1\n# note{character}tag: v1\n", Reading())
    assert refused.line == 2
    assert f"U+{ord(character):04X}" in refused.reason


def test_byte_order_mark_inside_a_file_is_refused() -> None:
    for text in ("\ufeff\ufeffa: 1", "a: 1\n\ufeffb: 2\n", "a: '\ufeff'"):
        assert "a byte order mark (U+FEFF) stands inside the file" in refusal_of(text, Reading()).reason


def test_alias_bomb_costs_nothing_as_aliases_are_not_followed() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{k}: &{k} [*{j}, *{j}]\n" for j, k in zip("abcdefgh", "bcdefghi", strict=True))
    assert locate(bomb + "tag: v1\n", "tag").value == "v1"


def test_refusal_says_where_it_can() -> None:
    assert str(EditRefused(file="f.yaml", line=3, path="a.b", reason="no")) == "f.yaml, line 3, a.b: no"
    assert str(EditRefused(file="f.yaml", path="", reason="no")) == "f.yaml: no"


def test_larger_files_may_have_more_events() -> None:
    assert Reading.up_to(1000) == Reading(size_bytes=1000)
    assert Reading.up_to(10_000_000).events == 5_000_000
