"""On real servers: a service's query answers as if the series of other tenants did not exist, whatever it asks."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from bot.compose.metrics import compose_metrics, force_of
from bot.domain.queries import Query
from bot.policy import shipped_gate_templates
from bot.policy.promql_forcing import NotForced, force
from bot.ports import OutsideError
from bot.sampling import Force
from bot.settings import load_settings
from tests.adapters.backends import (
    SCRAPE,
    START,
    a_look,
    a_storage,
    import_history,
    needs_prometheus,
    needs_victoriametrics,
    prometheus_on,
    victoriametrics_in,
)
from tests.adapters.template_histories import a_template_history
from tests.adapters.test_real_templates import a_rule
from tests.builders import a_policy
from tests.policy.test_promql_forcing import BOTH, QUERIES

pytestmark = pytest.mark.prometheus
SETTINGS = """\
[bot]
policies = "policies"
state = "state"
[argocd]
url = "http://127.0.0.1:9"
[prometheus]
url = "{url}"
dialect = "{dialect}"
force = {{zone = "{{owner}}-*"}}
[[prometheus.tenants]]
services = ["checkout"]
matchers = {{team = "shop"}}
"""
OURS = 'team="shop",ns="a-1",zone="acme-1"'
OTHERS = ('team="search",ns="b-1",zone="acme-1"', 'team="shop",ns="b",zone="globex-1"', 'team="other"', "")
"""Nobody has labels that satisfy all that is forced but we; the last has none of them."""
AT = START + 20 * timedelta(minutes=1)


def a_history(*tenants: str) -> str:
    """Return what the templates and the hostile queries ask for, once for each tenant, with values of its own."""
    plain = [line for line in a_template_history().splitlines() if line and not line.startswith("#")]
    found: list[str] = []
    for number, tenant in enumerate(tenants):
        own = [_shifted(line, number) for line in plain]
        found += [line.replace("{", "{" + tenant + ",", 1) if tenant else line for line in own]
    names = ("a", "b:c", "sum", "up", "rate", "by", "start", "and_more", "mine", "target_info")
    for name in names:
        for number, tenant in enumerate(tenants):
            labels = ",".join(part for part in (tenant, f'a="x{number}"', 'le="1"', 'job="j",instance="i"') if part)
            for scrape in range(120):
                at = (START + scrape * SCRAPE).timestamp()
                found.append(f"{name}{{{labels}}} {1 + 1000 * number + scrape % (7 + number)} {at:.3f}")
    # Samples of one metric belong together.
    found.sort(key=lambda line: line.partition("{")[0])
    return "\n".join([*found, "# EOF", ""])


def _shifted(line: str, number: int) -> str:
    head, value, at = line.rsplit(" ", 2)
    return f"{head} {float(value) + 13 * number} {at}"


@dataclass(frozen=True)
class Pair:
    """Two servers: one with the series of all, and one that has ours only."""

    dialect: str
    shared: str
    alone: str

    def answers(self, text: str) -> tuple[object, object]:
        """Return what the two answer to an instant query: series in an order of their own, or that it failed."""
        return _asked(self.shared, text), _asked(self.alone, text)


def _asked(url: str, text: str) -> object:
    form = urllib.parse.urlencode({"query": text, "time": f"{AT.timestamp():.3f}", "nocache": "1"}).encode()
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query", data=form, timeout=20) as answer:  # noqa: S310 - our own
            data = json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        return f"failed with {error.code}"
    return sorted(map(str, data["result"])) if data["resultType"] == "vector" else str(data["result"])


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("prometheus", marks=needs_prometheus),
        pytest.param("victoriametrics", marks=needs_victoriametrics),
    ],
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    histories = (a_history(OURS, *OTHERS), a_history(OURS))
    with ExitStack() as stack:
        urls = []
        for history in histories:
            folder = tmp_path_factory.mktemp("server")
            if request.param == "prometheus":
                storage = a_storage(tmp_path_factory.mktemp("history"), history)
                urls.append(stack.enter_context(prometheus_on(folder, storage))[0])
            else:
                urls.append(stack.enter_context(victoriametrics_in(folder)))
                import_history(urls[-1], history)
        yield Pair(dialect=request.param, shared=urls[0], alone=urls[1])


def the_force(pair: Pair, folder: Path, url: str) -> Force:
    (folder / "liftlock.toml").write_text(SETTINGS.format(url=url, dialect=pair.dialect))
    return force_of(load_settings(folder / "liftlock.toml"))


@pytest.mark.parametrize("name", sorted(set(shipped_gate_templates()) - {"http-latency-native"}))
def test_every_shipped_template_answers_as_if_no_other_tenant_existed(pair: Pair, tmp_path: Path, name: str) -> None:
    rules = [a_rule(name, {"namespace": namespace}) for namespace in ("ill", "well", "none")]
    queries = [ask.query for rule in rules for ask in rule.asks.values()]
    found: list[list[object]] = []
    for url in (pair.shared, pair.alone):
        forced = [the_force(pair, tmp_path, url)(a_policy(), query) for query in queries]
        sent = [query for query in forced if isinstance(query, Query)]
        assert len(sent) == len(queries)
        with compose_metrics(load_settings(tmp_path / "liftlock.toml")) as metrics:
            answers = metrics.read([a_look(query, start=8, tiles=8) for query in sent])
        assert not any(isinstance(answer, OutsideError) for answer in answers)
        found.append(list(answers))
    assert found[0] == found[1]


HOSTILE = (
    "mine",
    "sum(mine)",
    'sum(mine) or sum(mine{team="search"})',
    'sum(mine{team="search"})',
    'sum(mine{team=~".*"})',
    'sum(mine{team!="shop"})',
    'sum({__name__=~"mine|target_info"})',
    'count({__name__!=""})',
    'absent(mine{team="search"})',
    'absent_over_time(mine{team="search"}[5m])',
    "max_over_time(sum(mine)[10m:1m])",
    "sum(mine @ end())",
    f"sum(mine @ {AT.timestamp() - 300:.0f})",
    "sum(mine offset 3m)",
    'sum(label_replace(mine, "team", "search", "a", ".*"))',
    'count_values("team", mine)',
    "topk(10, mine)",
    "sum by (team, a) (mine)",
    "sum without (team) (mine)",
    "mine + on () group_left () sum(target_info)",
    "sum(mine) # } or sum(mine)\n",
    "sum(mine{a=~`.*`})",
    "scalar(sum(mine)) * vector(1)",
    "quantile(scalar(count(mine) / 10), mine)",
    "sum(mine) unless sum(nothing)",
    "sum + sum",
    "histogram_quantile(0.5, mine)",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_query_answers_as_if_no_other_tenant_existed(pair: Pair, tmp_path: Path, text: str) -> None:
    found = the_force(pair, tmp_path, pair.shared)(a_policy(), Query.plain(text))
    assert isinstance(found, Query)
    shared, alone = pair.answers(found.text)
    assert shared == alone


def test_without_what_is_forced_the_two_servers_answer_differently(pair: Pair) -> None:
    """Else these tests would show nothing."""
    differ = [text for text in HOSTILE if len(set(map(str, pair.answers(text)))) == 2]
    assert len(differ) > len(HOSTILE) * 2 / 3


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=QUERIES)
def test_whatever_is_asked_the_answer_is_that_of_a_server_with_our_series_only(pair: Pair, text: str) -> None:
    # Of series with equal values, a server takes any.
    assume("topk" not in text and "bottomk" not in text)
    try:
        query = force(Query.plain(text), (*BOTH, replace(BOTH[0], name="zone", value="acme-1")))
    except NotForced:
        return
    shared, alone = pair.answers(query.text)
    assert shared == alone
