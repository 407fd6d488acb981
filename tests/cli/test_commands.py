"""The command line as a user meets it: real commands against the lab, exit codes, one sentence for each fault."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.adapters.clock import SystemClock
from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.lab.world import GITOPS, Lab, running_lab
from bot.records import Event, Posting


@pytest.fixture
def live_lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab on the machine's clock, in which checkout runs 1.8.2."""
    with running_lab(tmp_path, SystemClock()) as lab:
        lab.add_service("checkout", "1.8.2")
        lab.argocd.start()
        for _ in range(200):
            if lab.argocd.status("checkout-production").health.status == "Healthy":
                break
            time.sleep(0.05)
        yield lab


@pytest.fixture
def settings(live_lab: Lab, tmp_path: Path) -> Path:
    return live_lab.write_settings(tmp_path / "liftlock.toml")


def liftlock(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_version_is_printed() -> None:
    assert liftlock("--version").output.startswith("liftlock 0.")


def test_run_once_says_where_each_release_stands(settings: Path) -> None:
    result = liftlock("run", "--once", "--config", settings)
    assert result.exit_code == 0, result.output
    assert "checkout/production: 1.8.2 runs: settled" in result.output


def test_a_dry_run_leaves_every_ref_pull_request_and_the_state_unchanged(live_lab: Lab, settings: Path) -> None:
    live_lab.release("checkout", "1.9.0")
    before = live_lab.github.branches(GITOPS)
    result = liftlock("run", "--once", "--dry-run", "--config", settings)
    assert result.exit_code == 0, result.output
    assert "checkout/staging: 1.9.0 runs" in result.output
    assert live_lab.github.branches(GITOPS) == before
    assert live_lab.pulls("checkout") == []
    assert not (live_lab.directory / "state" / "ledger.db").exists()


def test_status_shows_the_last_sweep_as_a_table_and_as_json(settings: Path) -> None:
    assert "Nothing has been looked at yet" in liftlock("status", "--config", settings).output
    liftlock("run", "--once", "--config", settings)
    table = liftlock("status", "--config", settings)
    assert table.exit_code == 0
    assert "checkout" in table.output
    assert "settled" in table.output
    shown = json.loads(liftlock("status", "checkout", "--json", "--config", settings).output)
    assert shown[0]["service"] == "checkout"
    assert {item["stage"] for item in shown[0]["decision"]["judgements"]} == {"staging", "production"}


def test_the_cost_of_the_sweeps_is_shown_as_a_table_and_as_json(live_lab: Lab, settings: Path) -> None:
    assert liftlock("status", "--cost", "--config", settings).exit_code == 3
    live_lab.release("checkout", "1.9.0")
    liftlock("run", "--once", "--config", settings)
    table = liftlock("status", "--cost", "--config", settings)
    assert table.exit_code == 0
    assert "since the bot started" in table.output
    shown = json.loads(liftlock("status", "--cost", "--json", "--config", settings).output)
    assert shown["services"] == 1
    assert set(shown["cost"]) == {"queries", "series", "points"}
    (account,) = shown["forge"].values()
    assert account["graphql_requests"] >= 1


def test_what_another_version_wrote_is_told_in_a_sentence(live_lab: Lab, settings: Path) -> None:
    liftlock("run", "--once", "--config", settings)
    with open_ledger(f"sqlite:///{live_lab.directory / 'state' / 'ledger.db'}") as ledger:
        ledger.board.post(Posting(subject="checkout", at=SystemClock().now(), body={"decision": {"old": 1}}))
        body = {"decision": {"old": 1}, "observation": {}, "meaning": ""}
        ledger.record(Event(at=SystemClock().now(), service="checkout", kind="decision", body=body))
    status = liftlock("status", "--config", settings)
    assert "checkout: last looked at by another version of Liftlock" in status.output
    replay = liftlock("replay", "0" * 64, "--config", settings)
    assert replay.exit_code == 2
    assert "1 decision of another version of Liftlock cannot be read" in replay.stderr


def test_status_of_an_unknown_service_names_the_known_ones(settings: Path) -> None:
    liftlock("run", "--once", "--config", settings)
    result = liftlock("status", "chekout", "--config", settings)
    assert result.exit_code == 2
    assert "known are: checkout" in result.output


def test_a_broken_policy_halts_its_service_and_is_shown(live_lab: Lab, settings: Path) -> None:
    (live_lab.directory / "policies" / "payments.yaml").write_text("service: [\n")
    assert liftlock("run", "--once", "--config", settings).exit_code == 1
    result = liftlock("status", "--config", settings)
    assert result.exit_code == 1
    assert "payments.yaml: halted: payments.yaml:2:1" in result.output
    assert "settled" in result.output


def test_health_is_good_after_a_sweep_and_bad_without_one(settings: Path) -> None:
    assert liftlock("health", "--config", settings).exit_code == 1
    liftlock("run", "--once", "--config", settings)
    assert liftlock("health", "--config", settings).exit_code == 0
    old = liftlock("health", "--config", settings, "--older-than", "0")
    assert old.exit_code == 1
    assert "limit 0 s" in old.output


@pytest.mark.parametrize("command", ["run", "status", "health"])
def test_missing_settings_are_one_sentence(tmp_path: Path, command: str) -> None:
    result = liftlock(command, "--config", tmp_path / "nowhere.toml")
    assert result.exit_code == 2
    assert "there is no such settings file" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('interval = "1s"', 'interval = "soon"', "bot.interval"),
        ("[argocd]", "[argo]", "argo"),
        ("secrets/github", "secrets/nowhere", "secrets/nowhere"),
        ("/policies", "/no-policies", "no-policies"),
    ],
)
def test_wrong_settings_are_said_with_what_to_do(settings: Path, before: str, after: str, says: str) -> None:
    settings.write_text(settings.read_text().replace(before, after))
    result = liftlock("run", "--once", "--config", settings)
    assert result.exit_code in (1, 2)
    assert says in result.output
    assert "Traceback" not in result.output


def test_a_running_bot_ends_in_good_order_on_sigterm(settings: Path, live_lab: Lab) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "run", "--config", str(settings)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    ) as process:
        try:
            wait_for_sweep(live_lab.directory / "state" / "ledger.db", settings)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=40)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert "stopped" in errors
    assert "Traceback" not in errors


def wait_for_sweep(ledger: Path, settings: Path) -> None:
    deadline = datetime.now(UTC).timestamp() + 60
    while datetime.now(UTC).timestamp() < deadline:
        if ledger.exists() and liftlock("health", "--config", settings).exit_code == 0:
            return
        time.sleep(0.2)
    raise AssertionError("the bot never swept")


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_says_for_each_gate_what_it_found_and_what_would_change_it(live_lab: Lab, settings: Path) -> None:
    live_lab.release("checkout", "1.9.0")
    before = live_lab.github.branches(GITOPS)
    result = liftlock("check", "checkout", "--stage", "staging", "--config", settings)
    assert result.exit_code in (3, 4), result.output
    first, *gates = result.stdout.splitlines()
    assert first.startswith("checkout/staging: 1.9.0 runs: ")
    assert {line.strip().partition(":")[0] for line in gates} == {"http-errors", "http-latency", "argocd-healthy"}
    assert all(any(kind in line for kind in (": not yet: ", ": no data: ")) for line in gates)
    assert any("(would change it: " in line for line in gates)
    assert "production" not in result.output
    assert live_lab.github.branches(GITOPS) == before
    assert not (live_lab.directory / "state" / "ledger.db").exists()


def test_check_prints_json_and_ends_well_where_nothing_is_to_be_judged(settings: Path) -> None:
    result = liftlock("check", "checkout", "--json", "--config", settings)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["service"] == "checkout"
    assert [one["stage"] for one in found["judgements"]] == ["staging", "production"]


def test_check_judges_what_was_measured_up_to_a_past_time(live_lab: Lab, settings: Path) -> None:
    live_lab.release("checkout", "1.9.0")
    result = liftlock(
        "check", "checkout", "--stage", "staging", "--at", "2020-01-01T12:00Z", "--json", "--config", settings
    )
    found = json.loads(result.stdout)
    assert found["at"].startswith("2020-01-01T12:00:00")
    assert result.exit_code in (3, 4)


def test_check_says_what_is_wrong_with_its_use(settings: Path) -> None:
    for arguments, says in (
        (["chekout"], "no policy describes the service 'chekout'"),
        (["checkout", "--stage", "prod"], "checkout has no stage 'prod'; its stages are: staging, production"),
        (["checkout", "--at", "yesterday"], "--at 'yesterday': expected a time such as"),
        (["checkout", "--at", "2999-01-01T00:00Z"], "that is still to come"),
    ):
        result = liftlock("check", *arguments, "--config", settings)
        assert (result.exit_code, result.stdout) == (2, ""), arguments
        assert says in result.stderr


def test_replay_without_a_ledger_says_so(settings: Path) -> None:
    result = liftlock("replay", "0" * 64, "--config", settings)
    assert result.exit_code == 2
    assert "there is no ledger in" in result.stderr


def test_check_names_the_policies_that_cannot_be_read(live_lab: Lab, settings: Path) -> None:
    (live_lab.directory / "policies" / "broken.yaml").write_text("service: [")
    result = liftlock("check", "other", "--config", settings)
    assert result.exit_code == 2
    assert "some cannot be read: " in result.stderr


def test_check_cannot_tell_while_prometheus_is_away(live_lab: Lab, settings: Path) -> None:
    live_lab.release("checkout", "1.9.0")
    settings.write_text(settings.read_text().replace(live_lab.prometheus_url, "http://127.0.0.1:9"))
    result = liftlock("check", "checkout", "--stage", "staging", "--config", settings)
    assert result.exit_code in (3, 5), result.output
