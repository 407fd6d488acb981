"""The list of subcommands says what each says of itself, and none is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from bot.cli.app import COMMANDS, app, load


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_begins_with(name: str) -> None:
    own = " ".join((load(name).help or "").split())
    assert own.startswith(COMMANDS[name].help)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_of_its_own_and_installs_nothing_into_shells(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert f"Usage: liftlock {name}" in result.output
    assert "--install-completion" not in result.output


def test_a_command_that_there_is_not_is_refused_and_one_like_it_is_named() -> None:
    result = CliRunner().invoke(app, ["statu"])
    assert result.exit_code == 2
    assert "status" in result.output


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--version"], ["bot.settings", "sqlalchemy", "github"]),
        (["health"], ["github", "bot.engine.sweep", "bot.lab", "sigstore"]),
    ],
)
def test_a_command_does_not_import_what_only_others_need(arguments: list[str], unwanted: list[str]) -> None:
    run = f"""
import sys
from bot.cli.app import app
try:
    app({arguments!r}, prog_name="liftlock")
except SystemExit:
    pass
print(sorted(name for name in {unwanted!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
