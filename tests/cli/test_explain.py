"""`liftlock explain`: what the last sweep decided of one service, with its timeline, without asking any server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.lab.clock import ManualClock
from bot.lab.world import Lab
from bot.records import Posting
from tests.stage import START, Stage, a_bot


@pytest.fixture
def settings(lab: Lab, clock: ManualClock) -> Path:
    """The settings of a bot that has swept once since checkout 1.9.0 came into staging and went live there."""
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        lab.release("checkout", "1.9.0")
        stage.play(12)
    return lab.directory / "liftlock.toml"


def liftlock(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def explain(settings: Path, *arguments: str) -> Result:
    return liftlock("explain", *arguments, "--config", settings)


def refused(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("liftlock: ")


def post(settings: Path, posting: Posting) -> None:
    with open_ledger(f"sqlite:///{settings.parent / 'state' / 'ledger.db'}") as ledger:
        ledger.board.post(posting)


def test_each_release_is_explained_with_how_it_came(settings: Path) -> None:
    result = explain(settings, "checkout")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("checkout as of 2026-03-02 12:00:")
    assert any(line.startswith("checkout/staging: 1.9.0 runs: ") for line in lines)
    assert any(line.startswith("checkout/production: 1.8.2 runs: ") for line in lines)
    steps = [
        step for step in ("commit", "Argo CD saw it", "sync started", "synced", "healthy") if step in result.stdout
    ]
    assert steps == ["commit", "Argo CD saw it", "sync started", "synced", "healthy"]
    assert all(line.isprintable() for line in lines)


def test_one_stage_is_explained_alone(settings: Path) -> None:
    result = explain(settings, "checkout/staging")
    assert result.exit_code == 0, result.output
    assert "checkout/production: 1.8.2" not in result.stdout
    told = json.loads(explain(settings, "checkout/staging", "--json").stdout)
    assert {one["stage"] for one in told["judgements"]} == {"staging"}
    timeline = next(one["timeline"] for one in told["judgements"] if one["role"] == "running")
    assert timeline[0]["step"] == "commit"
    assert all(set(step) == {"step", "at", "source", "application"} for step in timeline)


def test_no_server_is_asked(settings: Path, lab: Lab) -> None:
    before = len(lab.argocd_wire.exchanges), len(lab.github.exchanges)
    assert explain(settings, "checkout").exit_code == 0
    assert (len(lab.argocd_wire.exchanges), len(lab.github.exchanges)) == before


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("cart", "no service 'cart' has been looked at yet; `liftlock status` lists those that were"),
        ("", "no service '' has been looked at yet; `liftlock status` lists those that were"),
        ("checkout/prod", "checkout has no stage 'prod'; its stages are: staging, production"),
        ("checkout/staging/x", "checkout has no stage 'staging/x'; its stages are: staging, production"),
        ("check\nout", "no service 'check\\nout' has been looked at yet; `liftlock status` lists those that were"),
    ],
)
def test_what_is_not_known_is_one_sentence(settings: Path, what: str, said: str) -> None:
    assert refused(explain(settings, what)) == said


def test_a_service_that_could_not_be_judged_says_why(settings: Path) -> None:
    post(settings, Posting(subject="cart", at=START, body={"error": "Git: away"}))
    post(settings, Posting(subject="pay", at=START, body={"faults": ["pay.yaml:1:1: x", "pay.yaml:2:1: y"]}))
    post(settings, Posting(subject="odd", at=START, body={}))
    for service, said in (
        ("cart", "cart could not be judged: Git: away"),
        ("pay", "pay could not be judged: pay.yaml:1:1: x; pay.yaml:2:1: y"),
        ("odd", "odd could not be judged: no reason is known"),
    ):
        result = explain(settings, service)
        assert (result.exit_code, result.stdout) == (1, f"{said}\n")


def test_an_outside_text_in_an_error_stays_one_printable_line(settings: Path) -> None:
    post(settings, Posting(subject="cart", at=START, body={"error": "Git: \x1b[31mred\nsecond line"}))
    result = explain(settings, "cart")
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    assert line.isprintable()


@pytest.mark.parametrize("decision", [{"old": 1}, [], "x", 5], ids=repr)
def test_what_another_version_wrote_is_told(settings: Path, decision: object) -> None:
    post(settings, Posting(subject="cart", at=START, body={"decision": decision}))
    assert refused(explain(settings, "cart")) == "cart was last looked at by another version of Liftlock"


def test_without_settings_or_a_ledger_nothing_is_made(tmp_path: Path, lab: Lab) -> None:
    assert "there is no such settings file" in refused(explain(tmp_path / "nowhere.toml", "checkout"))
    settings = lab.write_settings(lab.directory / "liftlock.toml")
    assert refused(explain(settings, "checkout")).startswith("no service 'checkout' has been looked at yet")
    assert not (lab.directory / "state" / "ledger.db").exists()
