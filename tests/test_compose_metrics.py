"""What the settings make of data sources: who is asked, and what a query becomes before it is sent."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.compose.metrics import asking_of, compose_metrics, force_of
from bot.domain.model import Trouble
from bot.domain.policy import GitOps
from bot.domain.queries import Query
from bot.sampling import as_it_is
from bot.settings import Settings
from tests.builders import a_policy
from tests.test_data_source_settings import EU, TENANT
from tests.test_settings import BASE, load

POLICY = replace(a_policy(), service="checkout", gitops=GitOps(repository="acme/deploy", branch="main"))
UP = Query.plain("up")


def text_of(found: Query | Trouble) -> str:
    assert isinstance(found, Query)
    return found.text


def test_each_section_is_a_source_of_its_own(tmp_path: Path) -> None:
    with compose_metrics(load(tmp_path, BASE + EU)) as sources:
        assert sources.describe("eu") == "Prometheus eu at https://prometheus.eu.example"
        assert sources.describe() == "Prometheus at https://prometheus.example"


def test_lags_and_budgets_are_those_of_the_sections(tmp_path: Path) -> None:
    asking = asking_of(load(tmp_path, f'{BASE}{EU}lag = "0s"\nmost_per_service = 7\n'))
    assert asking.lags == {"eu": timedelta(0)}
    assert asking.most == {"prometheus": 500, "eu": 7}
    assert asking.force is as_it_is


def test_labels_are_forced_at_the_sources_that_say_so(tmp_path: Path) -> None:
    force = force_of(load(tmp_path, f'{BASE}force = {{cluster = "eu-1"}}\n{TENANT}{EU}'))
    assert text_of(force(POLICY, UP)) == 'up{cluster="eu-1",team="shop"}'
    there = replace(UP, source="eu")
    assert force(POLICY, there) is there
    # Nobody has it: whoever asks it is told so.
    nowhere = replace(UP, source="asia")
    assert force(POLICY, nowhere) is nowhere


def test_a_service_that_no_tenant_names_gets_no_query(tmp_path: Path) -> None:
    force = force_of(load(tmp_path, BASE + TENANT))
    assert force(replace(POLICY, service="search"), UP) == Trouble(
        system="Prometheus",
        sentence="no query for search is sent there: none of its tenants in the settings names this service",
    )


def test_a_query_that_cannot_be_forced_is_not_sent(tmp_path: Path) -> None:
    force = force_of(load(tmp_path, BASE + TENANT))
    for _ in range(2):
        assert force(POLICY, Query.plain("info(up)")) == Trouble(
            system="Prometheus",
            sentence=(
                "`info(up)` is not sent there, since the settings force labels on every query, and it calls info(), "
                "which reads series that no selector names"
            ),
        )


def test_a_query_keeps_its_labels_and_is_asked_for_with_others(tmp_path: Path) -> None:
    force = force_of(load(tmp_path, BASE + TENANT))
    for value, told in (("a", '"a"'), ('"} or b{c="', '"\\"} or b{c=\\""')):
        query = Query(parts=("sum by (x) (a{", "})"), labels=(("x", value),), is_shared=True)
        found = force(POLICY, query)
        assert text_of(found) == f'sum by (x) (a{{team="shop",x={told}}})'
        assert isinstance(found, Query)
        assert found.shape is not None


def test_the_owner_of_the_gitops_repository_may_be_the_tenant(tmp_path: Path) -> None:
    force = force_of(load(tmp_path, f'{BASE}force = {{team = "{{owner}}"}}\n'))
    assert text_of(force(POLICY, UP)) == 'up{team="acme"}'
    other = replace(POLICY, gitops=GitOps(repository="globex/deploy", branch="main"))
    assert text_of(force(other, UP)) == 'up{team="globex"}'


@pytest.mark.parametrize(("more", "loaded"), [("", "False"), ('force = {a = "b"}\n', "True")], ids=["free", "forced"])
def test_the_parser_of_queries_is_in_the_process_only_where_something_is_forced(
    tmp_path: Path, more: str, loaded: str
) -> None:
    assert isinstance(load(tmp_path, BASE + more), Settings)
    code = (
        "import sys; from pathlib import Path; import bot.compose.whole; from bot.compose.metrics import force_of\n"
        "from bot.settings import load_settings; force_of(load_settings(Path(sys.argv[1])))\n"
        "print('promql_parser' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "liftlock.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{loaded}\n"
