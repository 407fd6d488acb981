"""Titles from a policy's template: filled once, short, and never an error."""

from __future__ import annotations

import pytest

from bot.domain.policy import DEFAULT_TITLE
from bot.render.titles import render_title

VALUES = {"service": "checkout", "stage": "production", "old": "1.8.2", "new": "1.9.0"}


@pytest.mark.parametrize(
    ("template", "title"),
    [
        (DEFAULT_TITLE, "Promote checkout to production: 1.8.2 → 1.9.0"),
        ("deploy({stage}): {service} {new}", "deploy(production): checkout 1.9.0"),
        ("Deploy: {service}", "Deploy: checkout"),
        ("{{new}} is {new}", "{new} is 1.9.0"),
        ("no placeholder", "no placeholder"),
        ("{unknown} {new}", "nothing 1.9.0"),
        ("{new", "{new"),
        ("`{service}` for @acme/team, closes #12", "'checkout' for @ acme/team, closes (issue) no. 12"),
    ],
)
def test_a_template_is_filled_and_never_fails(template: str, title: str) -> None:
    assert render_title(template, VALUES) == title


def test_a_value_is_not_read_as_a_template() -> None:
    assert render_title("{old} {new}", {"old": "{new}", "new": "{old}"}) == "{new} {old}"


def test_a_stage_without_a_release_comes_from_nothing() -> None:
    assert render_title(DEFAULT_TITLE, VALUES | {"old": ""}) == "Promote checkout to production: nothing → 1.9.0"


def test_a_long_tag_leaves_room_for_the_others() -> None:
    title = render_title(DEFAULT_TITLE, VALUES | {"old": "x" * 500})
    assert len(title) < 250
    assert title.endswith("… → 1.9.0")
