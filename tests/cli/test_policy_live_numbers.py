"""`liftlock policy check --live` with a real Prometheus and the registry: series, traffic, releases and proofs."""

from __future__ import annotations

import pytest

from tests.adapters.backends import needs_prometheus
from tests.cli.live_world import Asked, Live, with_artifact

pytestmark = [needs_prometheus, pytest.mark.prometheus]


# --- queries ---------------------------------------------------------------------------------------------------------


def test_a_label_value_without_series_is_a_warning_at_that_value_with_values_that_have_some(live: Live) -> None:
    asked = live.ask(("metrics: {namespace: checkout-staging}", "metrics: {namespace: chekout-staging}"))
    assert (asked.lines, asked.code) == (
        [
            (
                "10:26: warning: stages[0].metrics.namespace: found no series of http_request_duration_seconds_count "
                'with namespace="chekout-staging" (total), expected a value of namespace that has some: '
                "checkout-staging; without this condition there are 1 series"
            ),
            (
                "10:26: warning: stages[0].metrics.namespace: found no series of http_requests_total with "
                'namespace="chekout-staging" (total), expected a value of namespace that has some: checkout-staging, '
                "checkout-production; without this condition there are 4 series"
            ),
        ],
        0,
    )


OF_TEAMS = """\
name: of-teams
kind: value
title: of teams
description: A query that has the forced matcher already, so that nothing is put into it.
query: sum(http_requests_total{namespace="checkout-staging",$selector})
"""


def test_a_query_that_has_the_forced_matchers_already_tells_nothing_of_the_series_of_others(live: Live) -> None:
    url = f'url = "{_prometheus_of(live)}"'
    live.change(url, f'{url}\nforce = {{namespace = "checkout-staging"}}')
    folder = live.policy.parent / "gates"
    folder.mkdir()
    (folder / "of-teams.yaml").write_text(OF_TEAMS, encoding="utf-8")
    entry = "{use: of-teams, above: 1, labels: {job: other}}"
    asked = live.ask(("      - {use: argocd-healthy}", f"      - {entry}"))
    (found,) = [line for line in asked.lines if line.startswith("15:9:")]
    assert found == (
        "15:9: warning: stages[0].gates[2]: found no series (value), "
        "expected some with the labels that the policy says and those that the settings force"
    )


def _prometheus_of(live: Live) -> str:
    settings = live.settings.read_text(encoding="utf-8")
    return settings.partition("[prometheus]")[2].partition('url = "')[2].partition('"')[0]


def test_a_label_that_no_series_has_is_told_with_those_that_they_have(live: Live) -> None:
    asked = live.ask(("metrics: {namespace: checkout-production}", "metrics: {ns: checkout-production}"))
    assert asked.lines == [
        (
            "20:19: warning: stages[1].metrics.ns: found no series of http_requests_total with "
            'ns="checkout-production", and none with a label ns (total), '
            "expected a label that these series have: code, job, namespace"
        )
    ]


def test_a_label_of_an_entry_is_told_at_the_entry(live: Live) -> None:
    asked = live.ask(("limit: 1%}", "limit: 1%, labels: {job: wbe}}"))
    assert asked.lines[0] == (
        '13:53: warning: stages[0].gates[0].labels.job: found no series of http_requests_total with job="wbe" '
        "(total), expected a value of job that has some: web; without this condition there are 1 series"
    )


def test_a_metric_that_is_not_there_is_told_with_the_nearest_one(live: Live) -> None:
    asked = live.ask(("limit: 1%}", "limit: 1%, metric: http_request_total}"))
    assert asked.lines == [
        (
            "13:9: warning: stages[0].gates[0]: found no series of a metric http_request_total (total), "
            "expected a metric that is there: http_requests_total"
        )
    ]


def test_a_bucket_that_is_not_there_is_told_with_those_that_are(live: Live) -> None:
    asked = live.ask(("slower_than: 500ms", "slower_than: 400ms"))
    assert asked.lines == [
        (
            '14:9: warning: stages[0].gates[1]: found no series of http_request_duration_seconds_bucket with le="0.4" '
            "(counted), expected a value of le that has some: 0.5; without this condition there are 2 series"
        )
    ]


def test_conditions_that_only_together_leave_nothing_are_told_together(live: Live) -> None:
    labels = "metrics: {namespace: checkout-stagin, job: wbe}"
    asked = live.ask(("metrics: {namespace: checkout-staging}", labels))
    assert (
        'found no series of http_requests_total with job="wbe", namespace="checkout-stagin" and code!="" (total), '
        "expected some; without any one of these conditions there are none either"
    ) in asked.lines[0]


def test_a_query_that_prometheus_refuses_is_a_fault(live: Live) -> None:
    query = "sum by ($key) (http_requests_total{$selector}) / on () http_requests_total{$selector}"
    entry = f'limit: 1%}}\n      - {{use: promql, query: "{query}", above: 1}}'
    asked = live.ask(("limit: 1%}", entry), ("namespace: checkout-staging", "job: web"))
    faults = [line for line in asked.lines if "gates[1]" in line]
    assert asked.code == 1
    assert len(faults) == 1
    assert faults[0].startswith("14:9: stages[0].gates[1]: found no answer: Prometheus at http://127.0.0.1:")
    assert "many-to-many matching" in faults[0]


def test_a_query_with_several_series_is_a_fault(live: Live) -> None:
    entry = 'limit: 1%}\n      - {use: promql, query: "http_requests_total{$selector}", above: 1}'
    asked = live.ask(("limit: 1%}", entry), ("namespace: checkout-staging", "job: web"))
    assert (
        "14:9: stages[0].gates[1]: found 4 series of promql, "
        "expected one, or none yet: sum them in the query, or select fewer (value)"
    ) in asked.lines


def test_a_label_of_the_releases_tag_is_asked_for_the_tag_that_is_set_now(live: Live) -> None:
    asked = live.ask(("limit: 1%}", "limit: 1%, labels: {version: $tag}}"))
    assert '"1.8.2"' in asked.lines[0]
    assert asked.lines[0].startswith("13:57: warning: stages[0].gates[0].labels.version: found no series of")


# --- traffic ---------------------------------------------------------------------------------------------------------


def test_a_window_that_is_too_short_for_the_traffic_of_the_last_day_is_a_warning(live: Live) -> None:
    asked = live.ask(("metrics: {namespace: checkout-staging}", "metrics: {namespace: quiet}"))
    assert [line for line in asked.lines if "window" in line] == [
        (
            "11:19: warning: stages[0].window.for: found 30m, in which http-errors sees 90 events at 3 a minute, "
            "expected a window of 1h 40m: the limit of 1 % needs 300; or accept: not-shown-bad"
        )
    ]
    more = live.ask(
        ("metrics: {namespace: checkout-staging}", "metrics: {namespace: quiet}"),
        ("limit: 1%}", "limit: 1%, accept: not-shown-bad}"),
    )
    assert not any("window" in line for line in more.lines)


def test_a_floor_of_the_policys_own_is_what_counts(live: Live) -> None:
    asked = live.ask(("limit: 1%}", "limit: 1%, floor: 6000}"))
    assert asked.lines == [
        (
            "11:19: warning: stages[0].window.for: found 30m, in which http-errors sees 1,800 events at 60 a minute, "
            "expected a window of 1h 40m: the floor of http-errors needs 6,000; or accept: not-shown-bad"
        )
    ]


# --- releases from the registry --------------------------------------------------------------------------------------


def from_registry(live: Live, rule: str) -> Asked:
    first = "  - name: staging\n"
    return live.ask((first, f"{first}    from: registry\n    releases: {{{rule}}}\n    promote: {{by: commit}}\n"))


def test_a_rule_by_which_some_tags_are_releases_is_told_with_the_first_of_them(live: Live) -> None:
    live.lab.build("checkout", "1.10.0")
    assert (
        "9:24: note: stages[0].releases.semver: found 2 of 2 tags of ghcr.io/acme/checkout, of which 1.10.0 comes first"
    ) in from_registry(live, "semver: ^1.2").notes


def test_a_rule_by_which_no_tag_is_a_release_is_a_warning(live: Live) -> None:
    assert from_registry(live, "pattern: 'main-{number}'").lines == [
        (
            "9:25: warning: stages[0].releases.pattern: found no release among the 1 tag of ghcr.io/acme/checkout, "
            "expected the tag main-{number} with the highest number; it has 1.8.2"
        )
    ]
    assert "expected what the tag stable points at" in from_registry(live, "follow: stable").lines[0]


def test_a_registry_that_the_settings_do_not_name_offers_nothing(live: Live) -> None:
    live.change('[registries."ghcr.io"]', '[registries."quay.io"]')
    assert from_registry(live, "newest: any").lines == [
        (
            "9:24: stages[0].releases.newest: found a registry ghcr.io that staging cannot be offered releases from, "
            'expected [registries."ghcr.io"] in the settings'
        )
    ]


# --- artifacts -------------------------------------------------------------------------------------------------------


def test_an_image_that_is_signed_as_expected_is_told_as_such(live: Live) -> None:
    live.lab.sign("checkout", "1.8.2", live.lab.build("checkout", "1.8.2"))
    asked = with_artifact(live)
    assert asked.lines == []
    notes = [line for line in asked.notes if "artifact" in line]
    assert [line.partition(" by ")[0] for line in notes] == [
        "14:17: note: stages[0].artifact.require[0]: found 1.8.2 with its proof: signature",
        "14:35: note: stages[0].artifact.require[1]: found 1.8.2 with its proof: provenance",
    ]


def test_an_image_that_another_workflow_signed_is_told_with_both_identities(live: Live) -> None:
    live.lab.sign("checkout", "1.8.2", live.lab.build("checkout", "1.8.2"), workflow="nightly.yml")
    line = with_artifact(live).lines[0]
    assert line.startswith("14:17: warning: stages[0].artifact.require[0]: found 1.8.2, of which the signature does")
    assert "workflows/nightly.yml@refs/tags/v1.8.2" in line
    assert (
        "expected it proven by https://github.com/acme/checkout/.github/workflows/release.yml@refs/tags/v1.8.2" in line
    )


def test_an_image_that_nobody_signed_is_a_warning(live: Live) -> None:
    asked = with_artifact(live)
    assert asked.code == 0
    assert "found 1.8.2, of which no signature was found beside sha256:" in asked.lines[0]


def test_an_image_of_a_registry_that_the_settings_do_not_name_cannot_be_verified(live: Live) -> None:
    live.change('[registries."ghcr.io"]', '[registries."quay.io"]')
    assert with_artifact(live).lines == [
        (
            "11:7: warning: stages[0].artifact: found an image of ghcr.io, where nothing can be verified, "
            'expected [registries."ghcr.io"] in the settings'
        )
    ]
