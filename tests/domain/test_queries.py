"""Questions: quoted so that no value changes their shape, joined so that exactly the given values are selected."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.queries import DEFAULT_SOURCE, RELEASE_TAG, Labels, Query, joint_text, matchers, quote, source_name
from tests.builders import MINUTE

OLD_FINGERPRINT = "7ea1e4e3a39a94a252dfcf330209fb43"
HOSTILE = (
    'a"} or vector(1) or x{y="',
    "a\\",
    '\\"',
    "line\nbreak",
    "a|b",
    ".*",
    "a.b",
    "(?i)a",
    "[a-z]{2}",
    "^a$",
    "a+b?",
    "",
    "ünïcode-☃",
    "\\E\\Q",
    "tab\tand\rreturn",
    "#",
    " ",
)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text('.\\|"^$()[]{}*+?\nab', max_size=8)
"""Any label value: a surrogate is no text that Prometheus could hold."""


def a_query(namespace: str = "shop", **more: str) -> Query:
    labels: Labels = tuple(sorted({"namespace": namespace, **more}.items()))
    return Query(parts=("sum by (namespace) (errors{", "}) / all{", "}"), labels=labels, is_shared=True)


def unquoted(literal: str) -> str:
    """Read a PromQL string literal as Prometheus does: Go's rules, of which these are the ones that are used."""
    assert literal[0] == literal[-1] == '"'
    inside = literal[1:-1]
    assert "\n" not in inside
    assert re.fullmatch(r'(?:[^"\\]|\\["\\n])*', inside), inside
    return re.sub(r'\\(["\\n])', lambda found: "\n" if found[1] == "n" else found[1], inside)


def pattern(text: str, name: str) -> str:
    """Return the value of the regular matcher of a label in a query."""
    found = re.search(rf'{name}=~("(?:[^"\\]|\\.)*")', text)
    assert found is not None
    return unquoted(found[1])


def matches(regex: str, value: str) -> bool:
    """Say whether Prometheus' anchored matcher would select a value."""
    return re2.fullmatch(f"(?s:{regex})", value) is not None


# --- one stage -------------------------------------------------------------------------------------------------------


def test_a_query_puts_its_labels_into_every_place() -> None:
    query = a_query("shop-staging", track="canary")
    selector = 'namespace="shop-staging",track="canary"'
    assert query.text == f"sum by (namespace) (errors{{{selector}}}) / all{{{selector}}}"


def test_a_plain_query_is_its_text() -> None:
    assert Query.plain("vector(1)").text == "vector(1)"
    assert not Query.plain("vector(1)", is_count=False).is_count


@pytest.mark.parametrize("value", HOSTILE)
def test_a_quoted_value_is_read_back_as_it_was(value: str) -> None:
    assert unquoted(quote(value)) == value


@given(value=values)
def test_any_quoted_value_is_read_back_as_it_was(value: str) -> None:
    assert unquoted(quote(value)) == value


def test_matchers_stand_in_the_order_of_their_names() -> None:
    assert matchers({"b": "2", "a": '"'}) == 'a="\\"",b="2"'
    assert matchers({}) == ""


def test_the_tag_stands_where_a_label_asks_for_it() -> None:
    query = a_query("shop", version=RELEASE_TAG, other="v$tag").of_release('1.9.0"')
    assert query.labels == (("namespace", "shop"), ("other", "v$tag"), ("version", '1.9.0"'))
    assert 'version="1.9.0\\""' in query.text
    assert a_query().of_release("1.9.0") == a_query()


# --- many stages -----------------------------------------------------------------------------------------------------


def test_one_query_alone_is_joined_to_itself() -> None:
    assert joint_text([a_query("a.b")]) == a_query("a.b").text


def test_queries_of_one_shape_become_one_with_each_value_once() -> None:
    queries = [a_query("b", track="x"), a_query("a.1", track="x"), a_query("b", track="x")]
    selector = 'namespace=~"a\\\\.1|b",track="x"'
    assert joint_text(queries) == f"sum by (namespace) (errors{{{selector}}}) / all{{{selector}}}"


def test_every_label_that_differs_is_joined() -> None:
    text = joint_text([a_query("a", track="x"), a_query("b", track="y")])
    assert 'namespace=~"a|b",track=~"x|y"' in text


def test_a_joined_pattern_matches_exactly_the_hostile_values() -> None:
    for count in (2, len(HOSTILE)):
        given_values = HOSTILE[:count]
        regex = pattern(joint_text([a_query(value) for value in given_values]), "namespace")
        assert [value for value in (*HOSTILE, "aXb", "A", "ab", "a") if matches(regex, value)] == list(given_values)


@given(chosen=st.lists(values, min_size=2, max_size=5, unique=True), others=st.lists(values, max_size=5))
def test_a_joined_pattern_matches_exactly_the_given_values(chosen: list[str], others: list[str]) -> None:
    regex = pattern(joint_text([a_query(value) for value in chosen]), "namespace")
    for value in (*chosen, *others, *(one + "a" for one in chosen), *(one[1:] for one in chosen), "|".join(chosen)):
        assert matches(regex, value) is (value in chosen)


# | grouped by its labels | places | labels | asked together |
# |-----------------------|--------|--------|----------------|
# | yes                   | yes    | yes    | yes            |
# | no                    | yes    | yes    | no             |
# | yes                   | no     | yes    | no             |
# | yes                   | yes    | no     | no             |
def test_only_what_can_be_told_apart_is_asked_together() -> None:
    labels: Labels = (("namespace", "a"),)
    assert Query(parts=("a{", "}"), labels=labels, is_shared=True).shape is not None
    assert Query(parts=("a{", "}"), labels=labels).shape is None
    assert Query(parts=("a",), labels=labels, is_shared=True).shape is None
    assert Query(parts=("a{", "}"), is_shared=True).shape is None


def test_two_queries_have_one_shape_where_only_values_differ() -> None:
    assert a_query("a").shape == a_query("b").shape
    assert a_query("a").shape != a_query("a", track="x").shape
    assert a_query("a", track="x").shape != a_query("a", tier="x").shape
    parts, labels = ("a{", "}"), (("namespace", "a"),)
    count, value = (Query(parts=parts, labels=labels, is_shared=True, is_count=is_count) for is_count in (True, False))
    assert count.shape != value.shape


# --- what numbers are kept under -------------------------------------------------------------------------------------


def test_numbers_are_kept_under_the_text_and_the_width() -> None:
    known = a_query().fingerprint(MINUTE)
    assert known == a_query().fingerprint(timedelta(seconds=60))
    assert known == Query.plain(a_query().text).fingerprint(MINUTE)
    others = [
        a_query("other").fingerprint(MINUTE),
        a_query(track="x").fingerprint(MINUTE),
        a_query().fingerprint(2 * MINUTE),
        a_query().fingerprint(MINUTE + timedelta(milliseconds=1)),
        Query.plain(a_query().text + "\n60.0").fingerprint(MINUTE),
    ]
    assert len({known, *others}) == 6


def test_a_count_does_not_take_over_what_was_kept_of_a_value() -> None:
    """A value may be negative; a count that is would be refused where it is read, and must be refused here, too."""
    count, value = Query.plain("x"), Query.plain("x", is_count=False)
    assert count.fingerprint(MINUTE) != value.fingerprint(MINUTE)


def test_the_same_question_to_two_sources_is_two_questions() -> None:
    here, there = a_query(), replace(a_query(), source="eu")
    assert here.text == there.text
    assert here.shape != there.shape
    assert here.fingerprint(MINUTE) != there.fingerprint(MINUTE)


def test_people_know_a_source_by_the_id_of_its_section() -> None:
    assert (source_name(DEFAULT_SOURCE), source_name("eu")) == ("Prometheus", "Prometheus eu")


def test_what_a_ledger_kept_before_there_were_sources_is_found_again() -> None:
    # As computed by the version before.
    assert Query.plain("up").fingerprint(MINUTE) == OLD_FINGERPRINT
