"""Label selectors, as Kubernetes reads them."""

from __future__ import annotations

import pytest

from bot.lab.argo.selectors import BadSelector, labels_match

LABELS = {"app": "checkout", "tier": "web", "liftlock.dev/stage": "production"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("app=checkout", True),
        ("app==checkout", True),
        ("app = checkout , tier=web", True),
        ("app!=checkout", False),
        ("gone!=x", True),
        ("gone=", False),
        ("tier", True),
        ("!tier", False),
        ("! gone", True),
        ("tier in (web,api)", True),
        ("tier in ( api )", False),
        ("tier in (web, api),app=cart", False),
        ("tier notin (api)", True),
        ("tier notin (web, api)", False),
        ("gone notin (x)", True),
        ("gone in (x)", False),
        ("liftlock.dev/stage in (production)", True),
    ],
)
def test_labels_pass_a_selector_or_not(selector: str, expected: bool) -> None:
    assert labels_match(selector, LABELS) is expected


@pytest.mark.parametrize("selector", ["tier in web", "a b", "tier near (web)", "tier in (web", "=web"])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(BadSelector):
        labels_match(selector, LABELS)
