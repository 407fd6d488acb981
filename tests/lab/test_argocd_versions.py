"""Ranges of versions, as a `targetRevision` may be one."""

from __future__ import annotations

import pytest

from bot.lab.argo.versions import best_version, is_range

OFFERED = ("v1.0.0", "1.2.0", "1.2.7", "1.10.0", "2.0.0", "2.1.0-rc.1", "0.2.3", "0.3.0", "main", "release-9")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.x", "1.10.0"),
        ("1", "1.10.0"),
        ("1.2.x", "1.2.7"),
        ("*", "2.0.0"),
        ("~1.2", "1.2.7"),
        ("~1.2.3", "1.2.7"),
        ("^1.2", "1.10.0"),
        ("^0.2.1", "0.2.3"),
        (">=1.2.0 <2", "1.10.0"),
        (">=1.2.0, <1.10.0", "1.2.7"),
        (">= 1.2.0 < 1.10.0", "1.2.7"),
        ("<=1.2", "1.2.7"),
        (">1.2", "2.0.0"),
        ("!=2.0.0", "1.10.0"),
        ("~0.2 || ~1.2", "1.2.7"),
        ("v1.0.x", "v1.0.0"),
        (">=3", None),
    ],
)
def test_a_range_takes_the_highest_version_within(text: str, expected: str | None) -> None:
    assert best_version(text, OFFERED) == expected


@pytest.mark.parametrize("text", ["1.x", "*", "~1.2", "^1", ">=1.2.0 <2", "1.2.* || 2.x"])
def test_a_range_is_known_as_one(text: str) -> None:
    assert is_range(text)


@pytest.mark.parametrize("text", ["main", "HEAD", "1.2.3", "v1.2", "release-1.x", "", "a" * 40, "1.2.3.4", ">= latest"])
def test_branches_tags_and_commits_are_no_ranges(text: str) -> None:
    assert not is_range(text)
