import pytest
import yaml
from yaml.events import ScalarEvent

from bot.domain.edit import EditRefused, Reading, Style, locate, replace_scalars
from bot.domain.edit.replace import Plan, Splice, prove, render_scalar
from bot.domain.edit.stream import Stream, read_stream

BOTH_PARSERS = pytest.mark.parametrize(
    "reading", [Reading(), Reading(parser=yaml.SafeLoader)], ids=["fastest parser", "pure parser"]
)


def set_value(text: str, value: str, *, reading: Reading | None = None) -> str:
    return replace_scalars(text, {locate(text, "t", reading=reading).span: value}, file="f.yaml", reading=reading)


@BOTH_PARSERS
@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        pytest.param("t: v1 # {note}\n", "v2", "t: v2 # {note}\n", id="comment"),
        pytest.param('t: "v1"\n', "v2", 't: "v2"\n', id="double quotes"),
        pytest.param("t: 'v1'\n", "v2", "t: 'v2'\n", id="single quotes"),
        pytest.param("t: 'v1'\n", "it's", "t: 'it''s'\n", id="quote inside single quotes"),
        pytest.param("t: 'v1'\n", "a\nb", 't: "a\\x0ab"\n', id="line break leaves single quotes"),
        pytest.param('t: "v1"\n', 'a"\\\t\u200b😀\U000e0001', 't: "a\\"\\\\\\x09\\u200b😀\\U000e0001"\n', id="escapes"),
        pytest.param("x: {t: v1, u: x}", "v2", None, id="not at this path"),
        pytest.param("{t: v1, u: x}", "v2", "{t: v2, u: x}", id="flow"),
        pytest.param("{t: v1, u: x}", "a:b", '{t: "a:b", u: x}', id="colon in flow"),
        pytest.param("u: {x: y}\nt: a:b\n", "c:d", "u: {x: y}\nt: c:d\n", id="colon in block"),
        pytest.param('{"t":"v1","u":"x"}', "v2", '{"t":"v2","u":"x"}', id="json"),
        pytest.param("\ufefft: v1\r\nu: x\n", "v2", "\ufefft: v2\r\nu: x\n", id="byte order mark and mixed line ends"),
        pytest.param(
            "ü: 😀\n? t\n: v1", "v2", "ü: 😀\n? t\n: v2", id="non-ASCII before, explicit key, no final newline"
        ),
        pytest.param("t: &a v1\nu: *a\n", "v2", "t: &a v2\nu: *a\n", id="anchor"),
        pytest.param("t: &a !!str  v1 # c\n", "v2", "t: &a !!str  v2 # c\n", id="anchor and tag"),
        pytest.param("t: &a # why\n  v1\n", "v2", "t: &a # why\n  v2\n", id="comment behind the anchor"),
        pytest.param("t: a\n  b # c\nu: x\n", "v2", "t: v2 # c\nu: x\n", id="plain on two lines"),
        pytest.param('t: "a\r\n  b"\r\n', "v2", 't: "v2"\r\n', id="quoted on two lines"),
        pytest.param("t: |-  # c\n  v1\n\nu: x\n", "v2", "t: |-  # c\n  v2\n\nu: x\n", id="literal"),
        pytest.param("t: >-\r\n  v1\r\n", "1.10", "t: >-\r\n  1.10\r\n", id="folded"),
        pytest.param("t: |-2\n    v1\n", "   v2", None, id="literal cannot begin with a space"),
        pytest.param("t: &v1 |-\n  v1", "v2", "t: &v1 |-\n  v2", id="literal whose anchor looks like its value"),
        pytest.param("t: |\n  v1\n", "v2", None, id="literal with its line break"),
        pytest.param("t: |-\n  a\n  b\n", "v2", None, id="literal of two lines"),
        pytest.param("t: >\n\nu: x\n", "v2", None, id="empty block"),
        pytest.param("t: |-\n  v1\n", "", None, id="nothing into a block"),
        pytest.param("t: |-\n  v1\n", "a\nb", None, id="two lines into a block"),
        pytest.param("t:\nu: x\n", "v2", "t: v2\nu: x\n", id="nothing written"),
        pytest.param("t: # c\n", "v2", "t: v2 # c\n", id="nothing but a comment"),
        pytest.param("t: &a\n", "v2", "t: &a v2\n", id="nothing behind an anchor"),
        pytest.param("? t\n", "v2", None, id="key without a value"),
        pytest.param("t: ''\n", "v2", "t: 'v2'\n", id="empty in quotes"),
        pytest.param("t: ~\n", "v2", "t: v2\n", id="null"),
        pytest.param("t: v1\n", "", 't: ""\n', id="empty value"),
        pytest.param("t: v1\n", "a # b", 't: "a # b"\n', id="comment sign in the value"),
        pytest.param("t: v1\n", "v1", "t: v1\n", id="the same value"),
        pytest.param('t: "\\x76\\x31"\n', "v1", 't: "\\x76\\x31"\n', id="the same value in escapes"),
        pytest.param("t: 1.10\n", "1.10", 't: "1.10"\n', id="the same characters that are no text yet"),
        pytest.param("t: v1\n", "\ud800", None, id="half a character"),
    ],
)
def test_only_the_value_is_replaced_or_nothing(text: str, value: str, expected: str | None, reading: Reading) -> None:
    if expected is not None:
        assert set_value(text, value, reading=reading) == expected
        return
    with pytest.raises(EditRefused):
        set_value(text, value, reading=reading)


@pytest.mark.parametrize(
    "value",
    ["1.10", "0644", "12e45678", "null", "on", "yes", "~", "2024-01-15", "1:30", "0x1F", ".5", "1_000", "1e3", "@x"],
)
def test_plain_value_gets_quotes_where_it_would_change_its_type(value: str) -> None:
    assert set_value("t: v1 # c\n", value) == f't: "{value}" # c\n'


def test_block_in_single_lines_refuses_with_a_way_out() -> None:
    with pytest.raises(
        EditRefused, match=r"f\.yaml, line 1: the value is a block of lines .* one plain or quoted text"
    ):
        set_value("t: |\n  v1\n", "v2")


def test_several_values_are_replaced_at_once() -> None:
    text = "a: {t: v1, u: v1}\nb: 'v1'\n"
    spans = [locate(text, *path).span for path in (("a", "t"), ("b",), ("a", "u"))]
    edited = replace_scalars(text, dict(zip(spans, ["longer", "x", "1.0"], strict=True)))
    assert edited == "a: {t: longer, u: \"1.0\"}\nb: 'x'\n"


@pytest.mark.parametrize("span", [(0, 9), (4, 5), (-3, 5), (3, 5)])
def test_span_of_no_value_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(EditRefused, match="there is no value at this place in the text"):
        replace_scalars("t: 'v1'\n", {span: "v2"})


def test_no_values_change_nothing() -> None:
    assert replace_scalars("t: v1\n", {}) == "t: v1\n"


def prove_one(before: Stream, edited: str, *, node: int, start: int, end: int, written: str, value: str) -> None:
    splice = Splice(start=start, end=end, text=written, path="t", old="v1", new=value)
    prove(before, edited, Plan(splices=(splice,), values={node: value}), [splice])


@pytest.mark.parametrize(
    ("edited", "reason"),
    [
        pytest.param("t: v2\nu: y\n", "more than the value", id="another value"),
        pytest.param("t: v2\nu: x", "more than the value", id="final newline lost"),
        pytest.param("T: v2\nu: x\n", "more than the value", id="key before it"),
        pytest.param("t: v3\nu: x\n", "more than the value", id="wrong characters"),
        pytest.param("", "more than the value", id="everything lost"),
        pytest.param("t: [\nu: x\n", "could not be read", id="broken"),
    ],
)
def test_proof_finds_damage(edited: str, reason: str) -> None:
    with pytest.raises(EditRefused, match=reason):
        prove_one(read_stream("t: v1\nu: x\n"), edited, node=4, start=3, end=5, written="v2", value="v2")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("v2", "v3", id="another value than meant"),
        pytest.param("1.10", "1.10", id="a number"),
        pytest.param("~", "~", id="null"),
        pytest.param("*a", "*a", id="an alias"),
        pytest.param("&b v2", "v2", id="an anchor"),
        pytest.param("!x v2", "v2", id="a tag"),
        pytest.param("v2\nw: y", "v2", id="a key more"),
        pytest.param("[v2]", "v2", id="a list"),
        pytest.param("v2\nv: ", "v2", id="a new place for what follows"),
    ],
)
def test_proof_finds_a_value_that_reads_otherwise(written: str, value: str) -> None:
    before = read_stream("t: v1\nu: x\n")
    with pytest.raises(EditRefused, match="would change what the rest of the file means"):
        prove_one(before, f"t: {written}\nu: x\n", node=4, start=3, end=5, written=written, value=value)


def test_proof_finds_a_change_of_something_that_is_no_value() -> None:
    with pytest.raises(EditRefused, match="would change what the rest"):
        prove_one(read_stream("{t: v1}"), "{t: v1}", node=2, start=0, end=0, written="", value="x")


def test_result_beyond_the_limits_is_refused() -> None:
    with pytest.raises(EditRefused, match="could not be read"):
        set_value("t: v1", "x" * 9, reading=Reading(size_bytes=10))


def test_style_that_can_hold_the_value_is_kept() -> None:
    assert render_scalar("a b", Style.PLAIN, in_flow=True) == "a b"
    assert render_scalar("ü", Style.SINGLE_QUOTED, in_flow=False) == "'ü'"
    assert render_scalar("ü", Style.PLAIN, in_flow=False) == '"ü"'


@pytest.mark.parametrize(
    ("added", "is_right"),
    [
        ("b: c\n", True),
        ("b: 1\n", False),
        ("b: d\n", False),
        ("b: !x c\n", False),
        ("b: &x c\n", False),
        ("b: [c]\n", False),
        ("", False),
        ("b: c\nd: e\n", False),
    ],
)
def test_proof_takes_exactly_the_events_that_were_to_be_added(added: str, is_right: bool) -> None:
    before = read_stream("t: v1\n")
    splice = Splice(start=6, end=6, text=added, path="b", old=None, new="c")
    plan = Plan(splices=(splice,), added={5: ((ScalarEvent, "b"), (ScalarEvent, "c"))})
    if is_right:
        prove(before, f"t: v1\n{added}", plan, [splice])
        return
    with pytest.raises(EditRefused, match="would change what the rest"):
        prove(before, f"t: v1\n{added}", plan, [splice])


def test_proof_lets_a_value_that_is_no_certain_text_stand_only_as_it_once_was() -> None:
    before = read_stream("t: v1\n")
    splice = Splice(start=3, end=5, text="1.10", path="t", old="v1", new="1.10")
    prove(before, "t: 1.10\n", Plan(splices=(splice,), values={4: "1.10"}, as_before=frozenset({4})), [splice])
    with pytest.raises(EditRefused):
        prove(before, "t: 1.10\n", Plan(splices=(splice,), values={4: "1.10"}), [splice])
