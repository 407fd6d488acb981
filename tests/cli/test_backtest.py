"""`liftlock policy backtest` refuses wrong use in one sentence, before it asks anybody anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.app import app
from bot.cli.backtesting import read_new
from bot.compose.policies import read_policies
from bot.settings import load_settings
from tests.hindsight.past import POLICY, SETTINGS

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "checkout.yaml").write_text(POLICY)
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "liftlock.toml").write_text(SETTINGS.format(git=NOWHERE, argocd=NOWHERE, prometheus=NOWHERE))
    return tmp_path


def backtest(folder: Path, *arguments: str, service: str = "checkout") -> Result:
    fixed = ["policy", "backtest", service, "--config", str(folder / "liftlock.toml")]
    return CliRunner().invoke(app, [*fixed, *arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "soon"), "--since 'soon': expected a duration such as 30d, or a time such as 2026-03-02T12:00Z"),
        (("--until", "later"), "--until 'later': expected a time such as 2026-03-02T12:00Z"),
        (("--until", "2999-01-01T00:00Z"), "--until 2999-01-01T00:00Z: that is still to come"),
        (
            ("--since", "2026-03-02", "--until", "2026-03-01T00:00Z"),
            "--since 2026-03-02: expected a time before 2026-03-01 00:00:00 UTC",
        ),
        (("--pause", "a bit"), "--pause 'a bit': expected a duration"),
        (("--deploy-delay", "short"), "--deploy-delay 'short': expected a duration"),
        (("--hotfix-within", "\x1b[31m"), "--hotfix-within '\\\\x1b[31m': expected a duration"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_in_one_sentence(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = backtest(folder, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"liftlock: {said}")
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr


def test_a_service_without_a_policy_is_refused(folder: Path) -> None:
    result = backtest(folder, service="cart")
    assert (result.exit_code, result.stderr) == (2, "liftlock: no policy describes the service 'cart'\n")


def test_a_policy_in_force_that_is_broken_is_shown_with_its_faults(folder: Path) -> None:
    (folder / "policies" / "checkout.yaml").write_text(POLICY.replace("limit: 2%", "limit: 2 percent"))
    result = backtest(folder)
    assert result.exit_code == 2
    assert "checkout.yaml:12:35: stages[0].gates[0].limit" in result.stderr
    assert "no policy describes the service 'checkout'; some cannot be read" in result.stderr


def test_all_that_is_wrong_with_the_new_policy_is_said(folder: Path) -> None:
    new = folder / "new.yaml"
    new.write_text(POLICY.replace("limit: 2%", "limit: 2 percent").replace("watch: 2h", "watch: long"))
    result = backtest(folder, "--policy", str(new))
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.partition(": ")[2].partition(":")[0] for line in result.stderr.splitlines()] == [
        "stages[0].gates[0].limit",
        "stages[1].rollback.watch",
    ]
    missing = backtest(folder, "--policy", str(folder / "nowhere.yaml"))
    assert missing.exit_code == 2
    assert "nowhere.yaml" in missing.stderr


FLOOR = """apiVersion: liftlock.dev/v1
floor:
  - every: promoted
    before: {{gates: [{{use: http-errors, limit: {limit}}}]}}
    calendar: {{timezone: Europe/Berlin, freeze: [{{from: 2026-01-01, to: 2027-01-03, reason: the year}}]}}
"""


def with_floor(folder: Path, limit: str) -> None:
    (folder / "floor.yaml").write_text(FLOOR.format(limit=limit))
    settings = folder / "liftlock.toml"
    settings.write_text(settings.read_text().replace("[bot]", '[bot]\nfloor = "floor.yaml"'))


def test_what_is_below_the_floor_in_a_new_policy_is_said_before_anything_is_asked(folder: Path) -> None:
    with_floor(folder, "2%")
    new = folder / "new.yaml"
    new.write_text(POLICY.replace("limit: 2%", "limit: 50%"))
    result = backtest(folder, "--policy", str(new))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"{new}:12:35: stages[staging].gates[http-errors].limit: found 50 %, expected 2 % or stricter, "
        f"by {folder / 'floor.yaml'}:4:22\n"
    )


def test_the_calendars_of_the_floor_are_those_of_the_new_policy_too(folder: Path) -> None:
    with_floor(folder, "2%")
    (folder / "new.yaml").write_text(POLICY.replace("limit: 2%", "limit: 1%"))
    settings = load_settings(folder / "liftlock.toml")
    old = read_policies(settings).by_service["checkout"]
    new = read_new(folder / "new.yaml", settings, old)
    assert new is not None
    stages = old.stage("production"), new.stage("production")
    assert stages[0].floor_calendars == stages[1].floor_calendars != ()


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("service: checkout", "service: cart", "describes cart, and not checkout"),
        ("acme/deploy", "acme/other", "is of another repository or branch than the policy in force"),
    ],
)
def test_a_new_policy_of_something_else_is_refused(folder: Path, was: str, becomes: str, said: str) -> None:
    new = folder / "new.yaml"
    new.write_text(POLICY.replace(was, becomes))
    result = backtest(folder, "--policy", str(new))
    assert (result.exit_code, result.stderr) == (2, f"liftlock: {new} {said}\n")


def test_a_file_to_resume_from_that_cannot_be_written_is_refused(folder: Path) -> None:
    result = backtest(folder, "--resume", str(folder / "missing" / "file"))
    assert result.exit_code == 2
    assert "missing/file cannot be written: No such file or directory" in result.stderr


def test_a_git_server_that_does_not_answer_ends_it_in_one_sentence(folder: Path) -> None:
    result = backtest(folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "liftlock: nothing was read yet" in result.stderr
    assert list((folder / "state" / "backtests").iterdir()) == []
    assert "Traceback" not in result.stderr
