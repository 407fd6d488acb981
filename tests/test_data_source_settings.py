"""The settings of data sources: servers with ids, lags, budgets, and the labels that are forced."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.test_settings import BASE, SECRET, load, refusal

EU = '[prometheus_servers.eu]\nurl = "https://prometheus.eu.example"\n'
TENANT = '[[prometheus.tenants]]\nservices = ["checkout", "shop-*"]\nmatchers = {team = "shop"}\n'


def test_data_sources_have_ids_and_settings_of_their_own(tmp_path: Path) -> None:
    more = 'tenant = "a"\nlag = "1m"\nmost_per_service = 20\nat_once = 2\nforce = {cluster = "eu-1"}\n'
    settings = load(tmp_path, BASE + EU + more)
    assert set(settings.sources) == {"prometheus", "eu"}
    eu, usual = settings.sources["eu"], settings.sources["prometheus"]
    assert (eu.url, eu.tenant, eu.lag, eu.most_per_service) == (
        "https://prometheus.eu.example", "a", timedelta(minutes=1), 20,
    )  # fmt: skip
    assert (eu.at_once, usual.at_once, usual.lag, usual.most_per_service) == (2, 4, None, 500)
    assert eu.tenancy.always == (("cluster", "eu-1"),)
    assert usual.tenancy.is_free


def test_files_of_a_data_source_are_relative_to_the_settings(tmp_path: Path) -> None:
    section = load(tmp_path, f'{BASE}{EU}token_file = "secrets/eu"\n').prometheus_servers["eu"]
    assert section.token_file == tmp_path / "secrets/eu"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/eu").write_text("first\n")
    assert section.read_token() == "first"


def test_a_token_of_a_data_source_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    said = refusal(tmp_path, f'{BASE}{EU}token = "{SECRET}"\n')
    assert said.startswith("prometheus_servers.eu.token: secrets do not belong into the settings file; ")
    assert SECRET not in said
    assert SECRET not in refusal(tmp_path, f'{BASE}[prometheus_servers]\neu = "{SECRET}"\n')


def test_the_id_prometheus_is_the_section_s_own(tmp_path: Path) -> None:
    said = refusal(tmp_path, BASE + EU.replace(".eu]", ".prometheus]"))
    assert said == (
        "settings: expected another name than prometheus for a server of prometheus_servers: "
        "that one is the section prometheus"
    )


@pytest.mark.parametrize("name", ["EU", "eu_1", "-eu", "eu.west", "a" * 64, "", "https://eu"])
def test_an_id_is_one_that_a_policy_can_say(tmp_path: Path, name: str) -> None:
    said = refusal(tmp_path, BASE + EU.replace("[prometheus_servers.eu]", f'[prometheus_servers."{name}"]'))
    assert said.startswith(f"prometheus_servers.{name}")


# --- what is forced ---


def test_tenants_are_told_in_their_order(tmp_path: Path) -> None:
    rest = '[[prometheus.tenants]]\nservices = ["*"]\nmatchers = {team = "{owner}", namespace = "{service}-*"}\n'
    tenancy = load(tmp_path, f'{BASE}force = {{cluster = "eu-1"}}\n{TENANT}{rest}').prometheus.tenancy
    found = {
        service: [one.text for one in tenancy.forced_on(service, "acme/deploy") or ()] for service in ("checkout", "x")
    }
    assert found == {
        "checkout": ['cluster="eu-1"', 'team="shop"'],
        "x": ['cluster="eu-1"', 'team="acme"', 'namespace=~"x-.*"'],
    }


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('force = {"__name__" = "up"}', "prometheus.force.__name__"),
        ('force = {"a-b" = "up"}', "prometheus.force.a-b"),
        ('force = {team = ""}', "prometheus.force.team"),
        ('force = {team = "**"}', "prometheus.force.team"),
        ('force = {team = "a\\n"}', "prometheus.force.team"),
        ('force = {team = "{stage}"}', "prometheus.force.team"),
        ('force = {team = ["a"]}', "prometheus.force.team"),
        ('tenants = [{services = [], matchers = {team = "a"}}]', "prometheus.tenants.0.services"),
        ('tenants = [{services = ["Shop"], matchers = {team = "a"}}]', "prometheus.tenants.0.services.0"),
        ('tenants = [{services = ["[a]"], matchers = {team = "a"}}]', "prometheus.tenants.0.services.0"),
        ('tenants = [{services = ["a"], matchers = {}}]', "prometheus.tenants.0.matchers"),
        ('tenants = [{services = ["a"]}]', "prometheus.tenants.0.matchers"),
        ('tenants = [{services = ["a"], matchers = {team = "a"}, owner = "b"}]', "prometheus.tenants.0.owner"),
        ("most_per_service = 0", "prometheus.most_per_service"),
        ('lag = "soon"', "prometheus.lag"),
    ],
)
def test_what_cannot_be_forced_is_named(tmp_path: Path, line: str, key: str) -> None:
    assert refusal(tmp_path, f"{BASE}{line}\n").startswith(key)
