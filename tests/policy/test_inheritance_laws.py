"""Laws of inheritance: where a field stands changes nothing, and a resolved policy, written as YAML, is itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.policy import Policy
from bot.policy import parse_policy
from bot.policy.defaults import parse_defaults
from bot.policy.resolving import NOTHING, ONLY_WITH_FROM, WHOLE, Inherited, resolve
from bot.policy.tree import Value, read_tree
from bot.policy.yaml_text import render_tree
from tests.policy.a_rule import TEMPLATES
from tests.policy.test_schema import valid_policies

VERSION = "liftlock.dev/v1"


def parsed(text: str, inherited: Inherited = NOTHING) -> Policy:
    """Return a policy without what tells texts apart that mean the same."""
    policy = parse_policy(text, file="a.yaml", templates=TEMPLATES, inherited=inherited)
    stages = tuple(replace(stage, region_of=None) for stage in policy.stages)
    return replace(policy, version="", stages=stages)


def rendered(text: str, inherited: Inherited = NOTHING) -> str:
    return render_tree(resolve(text, file="a.yaml", inherited=inherited).tree)


def plain(value: Value) -> Any:
    if value.kind == "mapping":
        return {key: plain(one) for key, one in (value.entries or {}).items()}
    return [plain(item) for item in value.items] if value.kind == "list" else value.text


def test_every_valid_policy_of_examples_page_and_tests_written_as_yaml_is_itself() -> None:
    for text in valid_policies():
        again = rendered(text)
        assert parsed(again) == parsed(text), again


# --- a policy whose fields are moved into the defaults ---

Mappings = dict[str, Any]


def split(draw: st.DrawFn, whole: Mapping[str, Any], kept: frozenset[str] = frozenset()) -> tuple[Mappings, Mappings]:
    """Share the fields of a mapping between a policy and its defaults."""
    own: Mappings = {}
    inherited: Mappings = {}
    for key, value in whole.items():
        where = "own" if key in kept else draw(st.sampled_from(["own", "inherited", "both"]))
        if where == "both" and isinstance(value, dict) and value and key not in WHOLE and key != "metrics":
            own[key], inherited[key] = split(draw, value)
        elif where == "own":
            own[key] = value
        else:
            inherited[key] = value
    return own, inherited


@st.composite
def moved(draw: st.DrawFn) -> tuple[str, str, str]:
    """Return a policy, and what is left of it with defaults that say the rest."""
    text = draw(st.sampled_from(valid_policies()))
    whole = plain(read_tree(text, file="a.yaml", faults=[]))
    own, defaults = split(draw, whole, frozenset({"apiVersion", "service", "stages"}))
    names = [stage["name"] for stage in whole["stages"]]
    by_name: Mappings = {}
    stages = []
    for stage in whole["stages"]:
        said, inherited = split(draw, stage, frozenset({"name"}))
        stages.append(said)
        by_name[stage["name"]] = inherited
    own |= {"stages": stages, "extends": "defaults.yaml"}
    defaults |= {"apiVersion": VERSION, "stages": by_name}
    if draw(st.booleans()):
        defaults["stage"] = common(whole["stages"])
    assert len(set(names)) == len(names)
    return text, written(own), written(defaults)


def common(stages: list[Mappings]) -> Mappings:
    """Return what all stages say alike, where nothing is missing for it to stand there."""
    first = stages[0]
    alike = {key: value for key, value in first.items() if all(stage.get(key) == value for stage in stages)}
    return {key: value for key, value in alike.items() if key not in ("name", "from", *ONLY_WITH_FROM)}


def written(value: Mappings) -> str:
    """Return YAML: JSON is some, and quotes keep texts as they are."""
    return json.dumps(value)


@settings(max_examples=150, deadline=None)
@given(moved())
def test_it_makes_no_difference_whether_the_policy_or_its_defaults_say_something(texts: tuple[str, str, str]) -> None:
    text, own, defaults = texts
    inherited = Inherited(defaults=parse_defaults(defaults))
    assert parsed(own, inherited) == parsed(text)
    again = rendered(own, inherited)
    assert parsed(again) == parsed(text), again


# --- any tree ---

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_TREES = st.recursive(
    _TEXTS | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=20,
)


def tree_of(value: Any) -> Value:
    place: Any = {"file": "a\nb.yaml", "line": 3, "column": 1}
    if isinstance(value, dict):
        return Value(kind="mapping", entries={key: tree_of(one) for key, one in value.items()}, **place)
    if isinstance(value, list):
        return Value(kind="list", items=tuple(tree_of(one) for one in value), **place)
    return Value(kind="nothing", **place) if value is None else Value(kind="text", text=value, **place)


def shape(value: Value) -> Any:
    if value.kind == "mapping":
        return {key: shape(one) for key, one in (value.entries or {}).items()}
    return [shape(item) for item in value.items] if value.kind == "list" else (value.kind, value.text.strip("nul~"))


@settings(max_examples=300, deadline=None)
@given(st.lists(_TREES, min_size=1, max_size=4) | st.dictionaries(_TEXTS, _TREES, min_size=1, max_size=4))
def test_any_tree_written_as_yaml_is_itself(value: Any) -> None:
    tree = tree_of(value)
    again = read_tree(render_tree(tree), file="b.yaml", faults=[])
    assert shape(again) == shape(tree)


def test_a_long_key_is_written_as_yaml_takes_it() -> None:
    value = {"k" * 2000: {"a": "b", "c" * 300: []}}
    assert plain(read_tree(render_tree(tree_of(value)), file="b.yaml", faults=[])) == value


@pytest.mark.parametrize(
    ("text", "written_as"),
    [
        ("checkout", "checkout"),
        ("1.10", "1.10"),
        ("null", '"null"'),
        ("~", '"~"'),
        ("", '""'),
        ("{service}", '"{service}"'),
        ("a: b", '"a: b"'),
        ('a "b" \\c\n\x07', '"a \\"b\\" \\\\c\\n\\U00000007"'),
        ("→ 漢", '"→ 漢"'),
    ],
)
def test_texts_are_quoted_where_they_could_be_read_otherwise(text: str, written_as: str) -> None:
    assert render_tree(tree_of({"a": text})) == f"a: {written_as}  # a b.yaml:3\n"


def test_comments_stand_in_line_and_lists_of_mappings_begin_behind_their_dash() -> None:
    tree = read_tree("a:\n- {b: c, long: value}\n- [d, [e]]\n- {}\nf: {}\n", file="x.yaml", faults=[])
    assert render_tree(tree) == (
        "a:\n"
        "  - b: c         # x.yaml:2\n"
        "    long: value  # x.yaml:2\n"
        "  - - d          # x.yaml:3\n"
        "    - - e        # x.yaml:3\n"
        "  - {}           # x.yaml:4\n"
        "f: {}            # x.yaml:5\n"
    )
