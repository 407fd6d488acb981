"""What libyaml reads is what ruamel reads, to the last column; where it might not be, nothing is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.policy import PolicyError, quick_yaml, tree
from bot.policy.faults import PolicyFault
from bot.policy.quick_yaml import LONGEST, Piece, read_quickly
from bot.policy.tree import MAX_DEPTH, MAX_NODES, Value, read_pieces, read_tree

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [path.read_text("utf-8") for path in sorted((ROOT / "policies").rglob("*.yaml"))]


def quickly(text: str) -> list[Piece] | None:
    return read_quickly(text, depth=MAX_DEPTH, values=MAX_NODES)


@pytest.mark.parametrize("text", SHIPPED)
@pytest.mark.parametrize("breaks", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_what_is_shipped_is_read_quickly_and_the_same(text: str, breaks: str) -> None:
    text = text.replace("\n", breaks)
    assert quickly(text) == read_pieces(text, file="a.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: 漢字 😀 é\nb: 😀😀 # c\n",
        "a: [x, {b: c}, 'd''e', \"f\\n\\u00e9\\\"g\"]\n",
        "---\na: >-\n  b\n\n  c\n   d\n  e\n\nf: |+\n  g\n\n",
        "a: \"b\n  c\n\n  d\\\n  e\"\nf: 'g\n  h'\ni: j\n  k\n\n  l\n",
        "- - a\n  - b\n-\n  c: d\n",
        "? a\n: b\n",
        "a: http://x:80/y#z\nb: {c: d:e}\n",
        "a: [\n  b,\n  c, # d\n]\n",
        "",
        "# nothing\n",
    ],
)
def test_what_people_write_is_read_quickly_and_the_same(text: str) -> None:
    found = quickly(text)
    assert found is not None
    assert found == read_pieces(text, file="a.yaml")


@pytest.mark.parametrize(
    "text",
    [
        # Each of these the two read differently.
        "a: \nb: 1\n",
        "a:\n",
        "{a: }",
        "? ''",
        "---\n#",
        ">#",
        "|\n#",
        "|\n...",
        "a: |\n \n  \n",
        "x:\n>\n \n  -",
        "b\n...\n...",
        "a: 1\n---\nb: 1\n",
        "a:\u2028b",
        "a\x85b: c",
        "\ufeffa: b",
        "a: b\ufeff",
        "a:\tb",
        "a: b\rc: d",
        # These are no policy's.
        "a: &x 1\n",
        "a: *x\n",
        "a: !!str 1\n",
        "a: !mine {b: c}\n",
        "&x [a]\n",
        "%YAML 1.1\n---\na: b\n",
        "a: [1\nb: 2",
        '"\\U00110000"',
        "\ud800",
        "a: \x00",
    ],
)
def test_what_the_two_read_differently_or_is_wrong_is_left_to_ruamel(text: str) -> None:
    assert quickly(text) is None


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_levels_without_end_are_left_before_they_cost_anything(opening: str) -> None:
    assert quickly(opening * 20_000) is None
    assert quickly(opening * 200) is None


def test_bounds_are_those_of_a_policy() -> None:
    assert quickly("[" * MAX_DEPTH + "a" + "]" * MAX_DEPTH) is not None
    assert quickly("[" * (MAX_DEPTH + 1) + "a" + "]" * (MAX_DEPTH + 1)) is None
    assert quickly("[" + "a," * (MAX_NODES - 1) + "]") is not None
    assert quickly("[" + "a," * MAX_NODES + "]") is None
    assert quickly("a: b " + "#" * (LONGEST - 5)) is not None
    assert quickly("a: b " + "#" * (LONGEST - 4)) is None


def test_without_libyaml_nothing_is_read_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_yaml, "_PARSER", None)
    assert quickly("a: b") is None
    assert read_tree("a: b", file="a.yaml", faults=[]).kind == "mapping"


# --- any text --------------------------------------------------------------------------------------------------------

_SCRAPS = st.sampled_from(
    ["a", "b c", '"', "'", "[", "]", "{", "}", ":", ": ", ",", ", ", "- ", "-", "? ", "?", "|", "|-", "|+", "|2", ">",
     ">-", ">2", "\n", "\n", "\n  ", "\n ", "\n    ", "  ", " ", "#", " #", "# c", "---", "--- ", "...", "\\", "\\n",
     '\\"', "''", "\\x41", "\\u00e9", "\\/", "\\'", "é", "漢", "😀", "~", "null", "<<", "=", "%", "@", "`", "&a ", "*a",
     "!t ", "!", "1.10", "k: v", "k:", "- a", "{a: b}", "[a, b]", '"q"', "'q'", "http://x", "a:b", "\r\n", "\r", "\t",
     "\\\n", "a#b", "\u00a0", "\u2028", "\u2029", "\x85", "\ufeff", "y" * 1020, "...\n", "---\n", ": |\n", ": >\n"]
)  # fmt: skip
_LINES = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(["", "", " ", "  ", "    ", "- ", "- - ", "  - ", "? ", ": "]),
    st.sampled_from(
        [
            "",
            "a:",
            "b: ",
            '"k": ',
            "c: |",
            "c: >",
            "c: |-",
            "c: >+",
            "c: |2",
            'd: "x',
            'x"',
            "e: 'x",
            "x'",
            "[a,",
            "b]",
            "{a: b,",
            "c: d}",
            "word",
            "two words",
            "# comment",
            "f: g # h",
            "- x",
            ":",
            "?",
            "---",
            "...",
        ]
    ),
    st.sampled_from(["", "", " ", "x", " y", "  #c"]),
)


@st.composite
def _changed(draw: st.DrawFn) -> str:
    """Return some lines of a shipped file with scraps in them."""
    lines = draw(st.sampled_from(SHIPPED)).split("\n")
    begin = draw(st.integers(0, len(lines) - 1))
    text = "\n".join(lines[begin : begin + draw(st.integers(1, 10))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(_SCRAPS) + text[at + draw(st.integers(0, 3)) :]
    return draw(st.sampled_from([text, text, text.replace("\n", "\r\n")]))


TEXTS = st.one_of(
    st.text(max_size=100),
    st.lists(_SCRAPS, max_size=20).map("".join),
    st.lists(_LINES, max_size=8).map("\n".join),
    _changed(),
)


def planted(text: str) -> tuple[Value | str, list[PolicyFault]]:
    faults: list[PolicyFault] = []
    try:
        return read_tree(text, file="a.yaml", faults=faults), faults
    except PolicyError as error:
        return str(error), faults


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("a: b\na: c\n? [d]\n: e\n")
def test_both_ways_give_the_same_tree_and_the_same_faults_of_any_text(text: str) -> None:
    both = planted(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "read_quickly", lambda *_text, **_bounds: None)
        assert planted(text) == both
