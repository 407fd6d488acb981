from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.changelog import excerpt

KEPT = """\
# Changelog

All notable changes.

## [Unreleased]

- Something to come

## [1.9.0] - 2026-03-01

### Added

- Invoices in euro

```
## 1.8.2 is no heading in here
```

## 1.8.2

- A fix

## 1.9.0-rc1
- Try me
"""


def test_the_section_under_the_versions_heading_is_found_with_its_parts() -> None:
    assert excerpt(KEPT, "1.9.0") == ("### Added\n\n- Invoices in euro\n\n```\n## 1.8.2 is no heading in here\n```")


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("v1.8.2", "- A fix"),
        ("1.8.2", "- A fix"),
        ("1.9.0-rc1", "- Try me"),
        ("1.8", ""),
        ("9.0", ""),
        ("v", ""),
        ("", ""),
    ],
)
def test_only_the_very_version_is_meant(tag: str, found: str) -> None:
    assert excerpt(KEPT, tag) == found


@pytest.mark.parametrize(
    "heading", ["## v2.0.0", "## 2.0.0 (2026-01-01)", "# Release 2.0.0.", "## [v2.0.0](https://x)"]
)
def test_a_version_is_found_however_its_heading_is_written(heading: str) -> None:
    assert excerpt(f"{heading}\n- News\n", "2.0.0") == "- News"


def test_a_changelog_without_the_version_says_nothing() -> None:
    assert excerpt("# Changelog\n\nSoon.\n", "1.9.0") == ""


def test_a_long_section_is_cut_and_says_so() -> None:
    by_lines = excerpt("## 1.0\n" + "- x\n" * 100, "1.0")
    assert by_lines.splitlines()[-1] == "…"
    assert len(by_lines.splitlines()) == 41
    by_length = excerpt("## 1.0\n" + "y" * 5_000, "1.0")
    assert len(by_length) == 2_002
    assert by_length.endswith("\n…")


def test_a_longer_fence_is_closed_only_by_one_as_long() -> None:
    text = "## 1.0\n~~~~\n~~~\n## 0.9\n~~~~\n- after\n## 0.9\n- old\n"
    assert excerpt(text, "1.0") == "~~~~\n~~~\n## 0.9\n~~~~\n- after"


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_text_and_any_tag_give_a_short_text(text: str, tag: str) -> None:
    assert len(excerpt(text, tag)) <= 2_002
