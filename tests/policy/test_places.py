"""Values are found again by their paths, and characters of a text by line and column."""

from __future__ import annotations

import pytest

from bot.policy.places import place_inside, value_at
from bot.policy.tree import Value, read_tree

TEXT = """\
a:
  - b: 1
  - plain: sum(a))
    single: 'sum(a))'
    double: "sum(a))"
    escaped: "\\"a\\" sum(a))"
    block: |-
      sum(
        a))
    folded: >-
      sum(
      a))
    wrapped: sum(
      a))
    spaced: |2-
        sum(a))
"""


def tree() -> Value:
    return read_tree(TEXT, file="a.yaml", faults=[])


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ("a", 2, 3),
        ("a[0].b", 2, 8),
        ("a[1].plain", 3, 12),
        ("a[1].missing", 3, 5),
        ("a[7].b", 2, 3),
        ("a[0].b.c", 2, 8),
        ("", 1, 1),
    ],
)
def test_a_path_leads_to_a_value_or_to_the_last_one_on_the_way(path: str, line: int, column: int) -> None:
    value = value_at(tree(), path)
    assert (value.line, value.column) == (line, column)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("plain", (3, 18)),
        ("single", (4, 20)),
        ("double", (5, 20)),
        ("escaped", None),
        ("block", (9, 11)),
        ("folded", None),
        ("wrapped", None),
        ("spaced", (16, 15)),
    ],
)
def test_a_character_is_found_where_the_file_has_the_text_as_it_is(key: str, place: tuple[int, int] | None) -> None:
    value = value_at(tree(), f"a[1].{key}")
    assert place_inside(value, value.text.rindex(")"), TEXT.splitlines()) == place


def test_a_text_that_its_file_has_no_more_has_no_place() -> None:
    value = value_at(tree(), "a[1].block")
    assert place_inside(value, 0, []) is None
    assert place_inside(value, 0, TEXT.splitlines()[:7]) is None
