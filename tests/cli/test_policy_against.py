"""`liftlock policy check` with a floor, and against an earlier version: what is written, and how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.cli.doctor import _policies
from bot.settings import load_settings
from tests.cli.test_policy_check import CHECKOUT, SETTINGS, run

HUMAN = "apiVersion: liftlock.dev/v1\nfloor:\n  - every: promoted\n    promote: {merge: human}\n"
WEAKER = "policies/checkout.yaml:13:35: weaker: stages[staging].gates[http-errors].limit: 1 % -> 2 %"
BELOW = (
    "policies/checkout.yaml:21:40: stages[production].promote.merge: found auto, expected human or stricter, "
    "by floor.yaml:4:14"
)


@pytest.fixture(autouse=True)
def _in_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "checkout.yaml").write_text(CHECKOUT)
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    for arguments in (("init", "--quiet"), ("add", "policies"), ("commit", "--quiet", "--message=first")):
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True)
    (policies / "checkout.yaml").write_text(CHECKOUT.replace("limit: 1%", "limit: 2%").replace("60m", "90m"))
    (tmp_path / "floor.yaml").write_text(HUMAN)


# --- against ---


def test_what_got_weaker_and_what_stricter_since_a_revision_is_told(tmp_path: Path) -> None:
    result = run("check", "--against", "HEAD")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        WEAKER,
        "policies/checkout.yaml:23:7: stricter: stages[production].rollback.cool_down: 1h -> 1h 30m",
        "policies/checkout.yaml:23:14: stricter: stages[production].rollback.watch: 1h -> 1h 30m",
        "1 file checked: 0 faults, 1 warning, 2 notes",
    ]


def test_a_directory_can_be_compared_with(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "checkout.yaml").write_text(CHECKOUT)
    assert run("check", "--against", "before").output.splitlines()[0] == WEAKER


def test_a_directory_of_the_name_of_a_revision_is_not_compared_with_in_its_place(tmp_path: Path) -> None:
    subprocess.run(["git", "update-ref", "refs/remotes/origin/main", "HEAD"], check=True)
    shutil.copytree(tmp_path / "policies", tmp_path / "origin" / "main")
    assert run("check", "--against", "origin/main").output.splitlines()[0] == WEAKER
    assert run("check", "--against", "./origin/main").output == "1 file checked: 0 faults\n"


def test_a_folder_that_was_moved_and_linked_is_not_passed_for_one_without_changes(tmp_path: Path) -> None:
    subprocess.run(["git", "mv", "policies", "pol2"], check=True)
    (tmp_path / "policies").symlink_to("pol2")
    result = run("check", "--against", "HEAD", "policies")
    assert result.exit_code == 2
    assert "policies is behind a symbolic link in its repository, and has no earlier version" in result.output
    moved = run("check", "--against", "HEAD", "--fail-on-weakened", "pol2")
    assert (moved.exit_code, moved.output.splitlines()[0]) == (
        1,
        "pol2: changed: it was not there, and nothing in it was compared",
    )


def test_a_directory_can_be_compared_with_where_there_is_no_repository(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / ".git")
    shutil.copytree(tmp_path / "policies", tmp_path / "before")
    assert run("check", "--against", "before").output == "1 file checked: 0 faults\n"


def test_templates_of_that_time_are_read_with_the_policies_of_that_time(tmp_path: Path) -> None:
    gates = tmp_path / "policies" / "gates"
    gates.mkdir()
    shipped = Path(__file__).resolve().parents[2] / "policies" / "gates" / "http-errors.yaml"
    (gates / "http-errors.yaml").write_text(shipped.read_text("utf-8").replace("code_label}", "code_label }"))
    (gates / "http-errors.yaml").write_text(shipped.read_text("utf-8").replace("increase(", "rate("))
    lines = run("check", "--against", "HEAD").output.splitlines()
    assert any(": changed: stages[staging].gates[http-errors]: " in line and "rate(" in line for line in lines), lines


def test_it_fails_where_that_is_asked_for_and_something_may_let_more_through(tmp_path: Path) -> None:
    assert run("check", "--against", "HEAD", "--fail-on-weakened").exit_code == 1
    file = tmp_path / "policies" / "checkout.yaml"
    file.write_text(CHECKOUT.replace("500ms", "900ms"))
    assert run("check", "--against", "HEAD", "--fail-on-weakened").exit_code == 1
    file.write_text(CHECKOUT.replace("limit: 1%", "limit: 0.5%"))
    assert run("check", "--against", "HEAD", "--fail-on-weakened").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--against", "none"], "liftlock: --against none: the repository of policies has no revision none"),
        (["--against=--upload-pack=x"], "liftlock: --against --upload-pack=x: the repository of policies has no"),
        (["--against="], "liftlock: --against: expected a revision or a directory, found nothing"),
        (["--fail-on-weakened"], "liftlock: --fail-on-weakened: expected --against beside it"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], sentence: str) -> None:
    result = run("check", *arguments)
    assert result.exit_code == 2
    assert sentence in result.output


def test_programs_are_told_the_way_and_what_it_was() -> None:
    found = json.loads(run("check", "--against", "HEAD", "--format", "json").output)
    assert [(one["rule"], one["severity"]) for one in found] == [
        ("weakened", "warning"),
        ("tightened", "note"),
        ("tightened", "note"),
    ]
    assert (found[0]["found"], found[0]["expected"]) == ("2 %", "1 %, as before")


def test_a_pull_request_is_marked_at_the_lines() -> None:
    lines = run("check", "--against", "HEAD", "--format", "github").output.splitlines()
    assert lines[0] == (
        "::warning file=policies/checkout.yaml,line=13,col=35,title=liftlock policy%3A weakened::"
        "weaker: stages[staging].gates[http-errors].limit: 1 %25 -> 2 %25"
    )
    assert lines[1].startswith("::notice file=policies/checkout.yaml,line=23,col=7,")


def test_code_scanning_is_told_the_rules() -> None:
    (run_of,) = json.loads(run("check", "--against", "HEAD", "--format", "sarif").output)["runs"]
    first, second, _ = run_of["results"]
    assert (first["ruleId"], first["level"], second["level"]) == ("weakened", "warning", "note")
    rules = run_of["tool"]["driver"]["rules"]
    assert rules[first["ruleIndex"]]["id"] == "weakened"


# --- a floor ---


def test_a_floor_that_is_named_is_applied() -> None:
    result = run("check", "--floor", "floor.yaml")
    assert (result.exit_code, result.output) == (1, f"{BELOW}\n1 file checked: 1 fault\n")


def test_the_floor_of_the_settings_is_applied_and_another_one_comes_before_it(tmp_path: Path) -> None:
    settings = SETTINGS.replace('state = "state"', 'state = "state"\nfloor = "floor.yaml"')
    (tmp_path / "liftlock.toml").write_text(settings)
    result = run("check", "policies")
    assert result.exit_code == 1
    assert "expected human or stricter" in result.output
    (tmp_path / "other.yaml").write_text(HUMAN.replace("merge: human", "by: pull-request"))
    assert run("check", "policies", "--floor", "other.yaml").exit_code == 0


def test_a_floor_that_cannot_be_used_is_told_with_its_faults_and_then_what_that_means() -> None:
    Path("floor.yaml").write_text(HUMAN.replace("human", "me"))
    result = run("check", "--floor", "floor.yaml")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        'floor.yaml:4:22: floor[0].promote.merge: found "me", expected human',
        "floor.yaml: note: the bot accepts no policy until the floor has no faults",
        "1 file checked: 1 fault",
    ]


def test_a_floor_that_is_not_there_is_wrong_use_and_no_fault_of_a_policy() -> None:
    result = run("check", "--floor", "nope.yaml")
    assert (result.exit_code, result.output) == (2, "liftlock: --floor nope.yaml: there is no such file\n")


def test_doctor_says_to_mend_the_floor_and_not_the_policies(tmp_path: Path) -> None:
    (tmp_path / "liftlock.toml").write_text(SETTINGS.replace('state = "state"', 'state = "state"\nfloor = "none.yaml"'))
    policies, (found,) = _policies(load_settings(tmp_path / "liftlock.toml"))
    assert policies == []
    assert "no policy is accepted until there is one" in found.found
    assert found.remedy == "correct the floor: docs/floor.md"
