"""`liftlock ledger`: what was recorded is shown, exported, and proven to be unchanged."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.records import Event
from tests.adapters.test_ledger import an_event, at
from tests.adapters.test_ledger_chain import without_guards

DECIDED = {
    "decision": {
        "judgements": [
            {"stage": "staging", "role": "running", "release": {"tag": "1.9.0"}, "state": "proven"},
            {"stage": "production", "role": "candidate", "release": {"tag": "1.9.0"}, "state": "ready to merge"},
        ]
    }
}
EVENTS = (
    Event(at=at(0), service="checkout", kind="policy", body={"version": "f" * 64, "first": True, "policy": {}}),
    Event(at=at(1), service="checkout", kind="decision", body=DECIDED),
    Event(
        at=at(2),
        service="checkout",
        stage="production",
        kind="outcome",
        body={"action": {"kind": "merge promotion", "reason": "all gates are healthy"}, "outcome": "merged #7"},
    ),
    Event(
        at=at(3),
        service="cart",
        stage="production",
        kind="command",
        body={"author": "da\x1b[31mna", "said": "/liftlock hold", "effect": "Held by dana\nnow"},
    ),
)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "token").write_text("ghp_x")
    with open_ledger(f"sqlite:///{tmp_path / 'state' / 'ledger.db'}") as ledger:
        for event in EVENTS:
            ledger.record(event)
    path = tmp_path / "liftlock.toml"
    path.write_text(
        f'[bot]\nstate = "{tmp_path / "state"}"\npolicies = "{tmp_path}"\n'
        f'[github]\ntoken_file = "{tmp_path / "token"}"\n'
        f'[argocd]\nurl = "https://argocd.example"\ntoken_file = "{tmp_path / "token"}"\n[prometheus]\nurl = "https://prometheus.example"\n'
    )
    return path


def liftlock(settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", *arguments, "--config", str(settings)])


def database(settings: Path) -> Path:
    return settings.parent / "state" / "ledger.db"


def test_a_ledger_that_nobody_changed_is_told_with_its_head(settings: Path) -> None:
    result = liftlock(settings, "verify")
    assert result.exit_code == 0, result.output
    first, head = result.stdout.splitlines()
    assert first == "Nothing was changed: 4 entries from 2026-03-01 12:00:00 UTC to 2026-03-01 12:03:00 UTC."
    assert len(head.removeprefix("Head: ")) == 64


def test_one_that_was_changed_is_bad_news_with_the_entry(settings: Path) -> None:
    without_guards(database(settings))
    connection = sqlite3.connect(database(settings))
    with connection:
        connection.execute("UPDATE events SET body = '{}' WHERE id = 3")
    connection.close()
    result = liftlock(settings, "verify")
    assert result.exit_code == 1
    said = (
        "The ledger was changed: the body of entry 3 (outcome of checkout/production) is not the one that was recorded."
    )
    assert result.stdout.strip() == said


def test_a_head_from_elsewhere_shows_that_the_newest_entries_are_missing(settings: Path) -> None:
    head = liftlock(settings, "verify").stdout.splitlines()[1].removeprefix("Head: ")
    assert liftlock(settings, "verify", "--head", head[:16].upper()).exit_code == 0
    without_guards(database(settings))
    connection = sqlite3.connect(database(settings))
    with connection:
        connection.execute("DELETE FROM events WHERE id = 4")
    connection.close()
    assert liftlock(settings, "verify").exit_code == 0
    result = liftlock(settings, "verify", "--head", head)
    assert result.exit_code == 1
    assert "the newest entries are missing" in result.stdout


def test_an_export_is_verified_without_the_ledger(settings: Path, tmp_path: Path) -> None:
    exported = liftlock(settings, "export").stdout
    file = tmp_path / "ledger.jsonl"
    file.write_text(exported)
    assert [json.loads(line)["number"] for line in exported.splitlines()] == [1, 2, 3, 4]
    assert liftlock(settings, "verify", str(file)).stdout == liftlock(settings, "verify").stdout
    file.write_text(exported.replace("merged #7", "merged #8"))
    assert liftlock(settings, "verify", str(file)).exit_code == 1
    only = liftlock(settings, "export", "--service", "cart").stdout
    assert [json.loads(line)["service"] for line in only.splitlines()] == ["cart"]


@pytest.mark.parametrize(
    "line",
    ["", "[]", "{", "{}", '{"number": 1}', "[" * 100_000],
    ids=["nothing", "a list", "no json", "no keys", "one key", "deep"],
)
def test_a_line_that_is_no_entry_is_named(settings: Path, tmp_path: Path, line: str) -> None:
    file = tmp_path / "ledger.jsonl"
    file.write_text(f"{liftlock(settings, 'export').stdout}{line}\n")
    result = liftlock(settings, "verify", str(file))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"liftlock: {file}:5: no entry of a ledger")


@pytest.mark.parametrize("change", [{"at": "noon"}, {"kind": "x"}, {"link": "z"}, {"body": []}, {"number": True}])
def test_an_entry_with_a_wrong_field_is_none(settings: Path, tmp_path: Path, change: dict[str, object]) -> None:
    first = json.loads(liftlock(settings, "export").stdout.splitlines()[0])
    file = tmp_path / "ledger.jsonl"
    file.write_text(json.dumps(first | change) + "\n")
    assert liftlock(settings, "verify", str(file)).exit_code == 2


def test_entries_are_shown_a_printable_line_each(settings: Path) -> None:
    result = liftlock(settings, "show")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    judged = "1.9.0 in staging proven; 1.9.0 before production ready to merge"
    assert lines == [
        "1  2026-03-01 12:00:00 UTC  checkout  policy: version ffffffffffff is in force",
        f"2  2026-03-01 12:01:00 UTC  checkout  decision: {judged}",
        "3  2026-03-01 12:02:00 UTC  checkout/production  outcome: merge promotion: merged #7",
        lines[3],
    ]
    assert lines[3].startswith("4  2026-03-01 12:03:00 UTC  cart/production  command: da")
    assert lines[3].isprintable()


def test_entries_are_chosen_by_service_kind_and_number(settings: Path) -> None:
    assert [line[0] for line in liftlock(settings, "show", "checkout", "--limit", "2").stdout.splitlines()] == [
        "2",
        "3",
    ]
    assert [line[0] for line in liftlock(settings, "show", "--kind", "command").stdout.splitlines()] == ["4"]
    assert liftlock(settings, "show", "nobody").stdout == "No entry of nobody.\n"
    assert json.loads(liftlock(settings, "show", "--number", "3").stdout)["body"]["outcome"] == "merged #7"
    assert liftlock(settings, "show", "--number", "9").exit_code == 2


def test_an_old_entry_says_that_its_body_is_gone(settings: Path) -> None:
    with open_ledger(f"sqlite:///{database(settings)}") as ledger:
        ledger.record(an_event(9, service="checkout"))
        ledger.thin(at(2))
    lines = liftlock(settings, "show").stdout.splitlines()
    assert lines[1].endswith("decision: (its body was taken away because it is old)")
    assert "1 old entry without a body" in liftlock(settings, "verify").stdout


def test_where_no_bot_has_run_it_is_said(tmp_path: Path, settings: Path) -> None:
    database(settings).unlink()
    result = liftlock(settings, "verify")
    assert result.exit_code == 2
    assert "there is no ledger in" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["run", "--once"], ["status"], ["explain", "checkout"], ["ledger", "show"]], ids=" ".join
)
def test_a_ledger_full_of_garbage_is_one_sentence_with_the_file_and_what_to_do(
    settings: Path, arguments: list[str]
) -> None:
    for file in database(settings).parent.glob("ledger.db*"):
        file.write_bytes(b"\x93\x07" * 10_000)
    result = CliRunner().invoke(app, [*arguments, "--config", str(settings)])
    said = f"the ledger {database(settings)} is no SQLite database: move the file away or name another one"
    assert (result.exit_code, result.stderr) == (2, f"liftlock: ledger: {said}\n")
