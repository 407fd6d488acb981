"""The gauges of what is used at the forge: sums of all accounts, and the least that any of them has left."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from bot.adapters.github.budget import CREATE, QUERY, Budget
from bot.web.forge_gauges import forge_gauges
from bot.web.metrics import BudgetCollector


def test_what_accounts_have_used_is_added_up() -> None:
    told = {"acme": {"rest_requests": 3.0, "content_hour": 1.0}, "other": {"rest_requests": 4.0}}
    assert forge_gauges(told) == {"liftlock_github_rest_requests": 7.0, "liftlock_github_content_hour": 1.0}


def test_what_is_left_is_the_least_of_any_account() -> None:
    told = {
        "acme": {"requests_remaining": 4000.0, "points_remaining": 10.0},
        "other": {"requests_remaining": 12.0, "points_remaining": 4000.0},
        "new": {},
    }
    assert forge_gauges(told) == {
        "liftlock_github_requests_remaining": 12.0,
        "liftlock_github_points_remaining": 10.0,
    }


def test_without_an_account_there_is_no_gauge() -> None:
    assert forge_gauges({}) == {}


def test_no_account_is_named() -> None:
    told = {"acme": {"rest_requests": 3.0}, "secret-customer": {"rest_requests": 4.0}}
    registry = CollectorRegistry()
    registry.register(BudgetCollector(lambda: forge_gauges(told)))
    text = generate_latest(registry).decode()
    assert "liftlock_github_rest_requests 7.0" in text
    assert "secret-customer" not in text


def test_every_number_of_the_budget_has_a_gauge() -> None:
    budget = Budget()
    budget.note_sent(CREATE, now=0.0)
    budget.note_sent(QUERY, now=0.0)
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999", "x-ratelimit-resource": "core"}
    budget.note_answer(headers, now=0.0, until_reset=60.0)
    report = budget.report(now=1.0)
    registry = CollectorRegistry()
    registry.register(BudgetCollector(lambda: forge_gauges({"acme": report})))
    for name, value in report.items():
        assert registry.get_sample_value(f"liftlock_github_{name}") == value
    assert registry.get_sample_value("liftlock_github_requests_remaining") == 4999
    assert registry.get_sample_value("liftlock_github_content_minute") == 1
