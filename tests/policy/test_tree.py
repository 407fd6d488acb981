from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.policy import Policy
from bot.policy import PolicyError, parse_policy, shipped_gate_templates
from bot.policy.faults import PolicyFault
from bot.policy.reading import hint
from bot.policy.tree import MAX_BYTES, MAX_DEPTH, MAX_NODES, Value, read_tree

TEMPLATES = shipped_gate_templates()
CHECKOUT = (Path(__file__).resolve().parents[2] / "policies" / "examples" / "checkout.yaml").read_text("utf-8")


def read(text: str) -> Value:
    faults: list[PolicyFault] = []
    value = read_tree(text, file="a.yaml", faults=faults)
    if faults:
        raise PolicyError(faults)
    return value


def refusal(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        read(text)
    return str(caught.value)


def test_values_know_their_place_and_keep_their_text() -> None:
    value = read("a: 1.10\nb:\n  - x\n  - ~\n")
    assert value.entries is not None
    assert value.keys == {"a": ("a.yaml", 1, 1), "b": ("a.yaml", 2, 1)}
    assert (value.entries["a"].text, value.entries["a"].line, value.entries["a"].column) == ("1.10", 1, 4)
    assert [item.kind for item in value.entries["b"].items] == ["text", "nothing"]


def test_a_quoted_null_is_a_text() -> None:
    assert read('"null"').kind == "text"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a.yaml: found an empty file, expected a policy"),
        ("# nothing\n", "a.yaml: found an empty file, expected a policy"),
        ("a: 1\na: 2\n", 'a.yaml:2:1: found the key "a" twice, expected each key once, as text'),
        ("? [a]\n: 1\n", "a.yaml:1:3: found a key that is no text, expected each key once, as text"),
        ("a: &x 1\n", "a.yaml:1:4: found an anchor or alias, expected values written out"),
        ("a: *x\n", "a.yaml:1:4: found an anchor or alias, expected values written out"),
        ("a: !!str 1\n", "a.yaml:1:4: found a YAML tag, expected plain values"),
        ("a: !mine {}\n", "a.yaml:1:4: found a YAML tag, expected plain values"),
        ("a: 1\n---\nb: 1\n", "a.yaml:2:1: found a second document, expected one policy in one file"),
        ("a: \x00", "a.yaml: found a character that YAML does not allow, expected valid YAML"),
        ('"\\U00110000"', "a.yaml: found a character that YAML does not allow, expected valid YAML"),
        ("\ud800", "a.yaml: found a character that YAML does not allow, expected valid YAML"),
        (
            "%YAML 1." + "9" * 5000 + "\n--- a",
            "a.yaml: found a character that YAML does not allow, expected valid YAML",
        ),
    ],
)
def test_what_a_policy_may_not_contain_is_named_with_its_place(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


def test_what_stands_under_a_key_that_is_left_out_is_left_out_and_the_rest_is_read() -> None:
    faults: list[PolicyFault] = []
    value = read_tree("a: 1\na: {b: 1, b: [c, {d: 2}]}\n? {e: {f: 1}}\n: [g]\nh: 3\n", file="a.yaml", faults=faults)
    assert [(fault.line, fault.found) for fault in faults] == [(2, 'the key "a" twice'), (3, "a key that is no text")]
    assert value.entries is not None
    assert {key: one.text for key, one in value.entries.items()} == {"a": "1", "h": "3"}


def test_a_folded_text_has_no_characters_that_nobody_wrote() -> None:
    value = read("a: >-\n  b\n\n  c\n  d\n")
    assert value.entries is not None
    assert value.entries["a"].text == "b\nc d"


def test_a_comment_before_a_block_text_is_no_crash() -> None:
    value = read("a:  # why\n|\n  b\n\n")
    assert value.entries is not None
    assert value.entries["a"].text == "b\n"


def test_broken_yaml_is_named_with_its_place() -> None:
    assert re.match(r"a\.yaml:2:2: found invalid YAML \(.+\), expected valid YAML", refusal("a: [1\nb: 2"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "a:\n  - b: 1\n   c: 2\n",
            "'<block mapping start>'; mostly the indentation is wrong here), expected valid YAML",
        ),
        ("a: 1\n  b: 2\n", "; mostly the indentation is wrong here, or a text with a colon needs quotes), expected"),
        ("a:\n  b\nc", "a.yaml:3:2: found invalid YAML (could not find expected ':'; mostly the indentation is wrong"),
        ("a:\n\tb: 1\n", "a.yaml:2:1: found a tab, expected spaces, by which YAML indents"),
    ],
)
def test_broken_indentation_is_told_in_the_words_of_people(text: str, told: str) -> None:
    assert told in refusal(text)


def test_a_key_in_a_message_is_short_and_on_one_line() -> None:
    key = '"' + "x\\n" * 200 + '"'
    sentence = refusal(f"{key}: 1\n{key}: 2\n")
    assert len(sentence) < 200
    assert "\n" not in sentence


def test_text_of_just_the_greatest_size_is_read() -> None:
    text = "a: 1 #"
    assert read(text + "x" * (MAX_BYTES - len(text))).kind == "mapping"


def test_text_beyond_the_greatest_size_is_refused_by_its_bytes() -> None:
    assert "found more than 1,048,576 bytes" in refusal("# " + "ä" * (MAX_BYTES // 2))


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_hundreds_of_thousands_of_levels_are_refused_before_anything_recurses(opening: str) -> None:
    assert "found a deeper or larger structure" in refusal(opening * 200_000)


def test_depth_is_counted_where_it_is_deepest() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).kind == "list"
    assert read("[" + "[]," * 100 + "]").kind == "list"
    assert "deeper or larger" in refusal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_the_number_of_values_is_limited() -> None:
    assert len(read("[" + "a," * (MAX_NODES - 1) + "]").items) == MAX_NODES - 1
    assert "deeper or larger" in refusal("[" + "a," * MAX_NODES + "]")


def outcome(text: str) -> Policy | PolicyError:
    try:
        return parse_policy(text, file="fuzz.yaml", templates=TEMPLATES)
    except PolicyError as error:
        return error


def parses_or_refuses(text: str) -> None:
    """Only a policy or its faults come out, and both can be written anywhere: one line a fault, no lone surrogates."""
    found = outcome(text)
    repr(found).encode("utf-8")
    if isinstance(found, PolicyError):
        assert found.faults
        assert all("\n" not in str(fault) for fault in found.faults)
        str(found).encode("utf-8")


_SCRAPS = st.sampled_from(
    ["a", '"', "'", "[", "]", "{", "}", ":", ": ", ",", "- ", "? ", "&a ", "*a ", "!t ", "!<a> ", "%YAML 1.",
     "%TAG ! !", "|9", ">-", "\n", "  ", "\t", "#", "---", "...", "\\x4", "\\U00110000", "\\uD800", "@", "`", "\u2028",
     "\ufeff", "\x85", "~", "<<", "=", "\r", "0", "\x00"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(_SCRAPS, max_size=15).map("".join)))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    parses_or_refuses(text)


def _flow(value: object) -> str:
    """Write a value as YAML in flow style; texts are written as they are, quoted or not."""
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    return str(value)


_WORDS = st.sampled_from(
    ["apiVersion", "liftlock.dev/v1", "service", "checkout", "image", "gitops", "repository", "acme/deploy", "branch",
     "stages", "name", "from", "staging", "edit", "kustomize", "helm", "file", "tag", "argocd", "metrics", "window",
     "for", "warmup", "deadline", "tile", "gates", "use", "http-errors", "http-latency", "argocd-healthy",
     "argocd-degraded", "soak", "kafka-lag", "kubernetes-restarts", "promql", "query", "history", "labels", "against",
     "ago", "7d", "times", "points", "objective", "99%", "windows", "long", "short", "factor", "least_bad", "floor",
     "accept", "above", "below", "tiles", "3 of 5", "hard", "at_most", "absent", "zero", "$tag", "mode", "shadow",
     "limit", "slower_than", "promote", "merge", "rollback", "watch", "by", "triggers", "1%", "0.01", "30m", "~", '""',
     '"\\uD800"', '"\\0"', "null", "1"]
)  # fmt: skip
_SHAPES = st.recursive(
    _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_WORDS, _SHAPES, max_size=8))
def test_any_structure_of_known_words_is_a_policy_or_a_policy_error(shape: dict[str, object]) -> None:
    parses_or_refuses(_flow(shape))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_in_the_place_of_a_right_one_is_a_policy_or_a_policy_error(data: st.DataObject) -> None:
    places = [match.span() for match in re.finditer(r"(?<=: )[^{}\[\],\n#]+", CHECKOUT)]
    start, end = data.draw(st.sampled_from(places))
    parses_or_refuses(CHECKOUT[:start] + _flow(data.draw(_SHAPES)) + CHECKOUT[end:])


@pytest.mark.parametrize("version", ["1.0", "2.0", "9.9"])
def test_a_directive_for_another_version_of_yaml_is_a_fault_and_no_crash(version: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_tree(f"%YAML {version}\n---\na: b\n", file="a.yaml", faults=[])
    assert "YAML" in str(caught.value)


def test_among_very_many_words_none_is_said_to_be_meant() -> None:
    words = [f"word-{number}" for number in range(100)]
    assert hint("word-77x", words) == '; did you mean "word-77"?'
    assert hint("word-77x", [*words, "one-more"]) == ""
