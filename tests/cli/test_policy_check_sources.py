"""`liftlock policy check` with settings says which data sources and labels a policy asks for in vain."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from tests.cli.test_policy_check import CHECKOUT, SETTINGS

TENANTS = '[[prometheus.tenants]]\nservices = ["checkout"]\nmatchers = {namespace = "{service}-p*"}\n'


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "checkout.yaml").write_text(
        CHECKOUT.replace("window:", "metrics_from: eu\n    window:", 1)
    )
    (tmp_path / "liftlock.toml").write_text(SETTINGS + TENANTS)


def check(*arguments: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, ["policy", "check", *arguments])
    return done.exit_code, done.output.splitlines()


def test_an_unknown_source_and_a_contradicted_label_are_warned_of_by_the_settings_that_are_there() -> None:
    code, said = check()
    assert code == 0
    assert any('metrics_from: found "eu", expected one of prometheus' in line for line in said)
    (tmp := Path("liftlock.toml")).write_text(
        f'{SETTINGS}{TENANTS}[prometheus_servers.eu]\nurl = "https://eu.example"\n'
    )
    assert not any("metrics_from" in line for line in check()[1])
    tmp.write_text(
        f'{SETTINGS}{TENANTS}[prometheus_servers.eu]\nurl = "https://eu.example"\nforce = {{namespace = "x"}}\n'
    )
    said = check()[1]
    assert any(
        'found namespace "checkout-staging", expected namespace="x", which the settings' in line for line in said
    )


def test_files_that_are_named_are_checked_by_settings_that_are_named() -> None:
    file = "elsewhere/checkout.yaml"
    assert not any("metrics_from" in line for line in check(file)[1])
    assert any("metrics_from" in line for line in check(file, "--config", "liftlock.toml")[1])


def test_a_service_of_no_tenant_is_warned_of() -> None:
    Path("liftlock.toml").write_text(SETTINGS + TENANTS.replace('"checkout"', '"search"'))
    assert any('service: found "checkout", expected a service that a tenant' in line for line in check()[1])
