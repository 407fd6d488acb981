"""What `liftlock status --cost` says of GitHub, in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.records import SWEEP, Posting
from tests.builders import NOON

USED = {
    "rest_requests": 292.0,
    "graphql_requests": 77.0,
    "graphql_points": 1075.0,
    "not_modified": 12.0,
    "writes_refused": 0.0,
    "writes_waiting": 3.0,
    "rest_points_minute": 358.0,
    "content_minute": 2.0,
    "content_hour": 9.0,
    "requests_remaining": 4779.0,
    "points_remaining": 4923.0,
}


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "state").mkdir(mode=0o700)
    settings = f"""\
[bot]
policies = "{tmp_path}"
state = "{tmp_path}/state"
[github]
token_file = "{tmp_path}/token"
[argocd]
url = "http://127.0.0.1:9"
[prometheus]
url = "http://127.0.0.1:9"
"""
    (tmp_path / "liftlock.toml").write_text(settings, encoding="utf-8")
    return tmp_path


def cost(folder: Path, forge: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Post what a sweep found, and return the lines that are printed."""
    counts = {"queries": 5, "series": 4, "points": 4}
    body = {"services": 1, "cost": counts, "cost_since_start": counts, "forge": forge}
    with open_ledger(f"sqlite:///{folder / 'state' / 'ledger.db'}") as ledger:
        ledger.board.post(Posting(subject=SWEEP, at=NOON + timedelta(minutes=1), body=body))
    result = CliRunner().invoke(app, ["status", "--cost", "--config", str(folder / "liftlock.toml")])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def row(lines: list[str], title: str) -> list[str]:
    (found,) = (line for line in lines if line.strip().startswith(title))
    return found.replace(title, "").split()


def test_each_number_of_an_account_is_told_in_words(folder: Path) -> None:
    lines = cost(folder, {"acme": USED})
    assert row(lines, "GitHub, since the bot started") == ["acme"]
    told = {
        "REST requests ": "292",
        "GraphQL requests ": "77",
        "GraphQL points ": "1,075",
        "writes waiting now": "3",
        "REST requests left this hour": "4,779",
        "GraphQL points left this hour": "4,923",
        "REST points in the last minute": "358",
        "new content in the last hour": "9",
    }
    assert {title: row([line for line in lines if line.startswith(title)][:1], title) for title in told} == {
        title: [number] for title, number in told.items()
    }
    assert row(lines, "that cost nothing (not modified)") == ["12"]


def test_what_github_has_not_told_yet_is_empty(folder: Path) -> None:
    known = {name: value for name, value in USED.items() if "remaining" not in name}
    assert row(cost(folder, {"acme": known}), "REST requests left this hour") == []


def test_many_accounts_fit_into_80_columns(folder: Path) -> None:
    accounts = [f"organisation-{number}-with-a-name-of-39-characters" for number in range(6)]
    lines = cost(folder, dict.fromkeys(accounts, USED))
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if line.startswith("GitHub, since the bot started")]) == 2
    assert [line.split()[-3:] for line in lines if line.startswith("writes waiting now")] == [["3", "3", "3"]] * 2


def test_without_an_account_only_prometheus_is_told(folder: Path) -> None:
    lines = cost(folder, {})
    assert [line.split()[0] for line in lines if line] == ["Prometheus", "the", "since"]
