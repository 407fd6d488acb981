from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.argo import NamedApplication
from bot.domain.edit import HelmEdit, KustomizeEdit
from bot.domain.policy import (
    AtDeadline,
    AutoMerge,
    EvidenceIn,
    GitOps,
    HealthWindow,
    Merge,
    Opens,
    Policy,
    Proposing,
    Road,
)
from bot.domain.pulls import MergeMethod
from bot.domain.queries import Query
from bot.domain.rules import ArgoHealthyGate, CountGate, Counts, DegradedTrigger, SyncFailedTrigger
from bot.policy import PolicyError, parse_policy, shipped_gate_templates

TEMPLATES = shipped_gate_templates()
EXAMPLES = Path(__file__).resolve().parents[2] / "policies" / "examples"
CHECKOUT = (EXAMPLES / "checkout.yaml").read_text(encoding="utf-8")

FIRST = "  - name: staging\n"
METRICS = "    metrics: {namespace: checkout-staging}\n"
WINDOW = "window: {for: 30m, warmup: 2m, deadline: 6h}"
ERRORS = "{use: http-errors, limit: 1%}"
HELM = "{helm: {file: apps/checkout/production/values.yaml, tag: image.tag}}"
PROMOTE = "promote: {by: pull-request, merge: auto}"
ROLLBACK = CHECKOUT[CHECKOUT.index("    rollback:") :]
TRIGGERS = "[{use: http-errors, limit: 2%}, {use: argocd-degraded, for: 3m}]"
GATES = CHECKOUT[CHECKOUT.index("    gates:") : CHECKOUT.index("  - name: production")]


def parse(text: str) -> Policy:
    return parse_policy(text, file="checkout.yaml", templates=TEMPLATES)


def changed(old: str, new: str) -> str:
    """The example with one thing changed; a test whose text is not there tests nothing."""
    assert CHECKOUT.count(old) >= 1, old
    return CHECKOUT.replace(old, new, 1)


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return [str(fault) for fault in caught.value.faults]


def the_fault(text: str) -> str:
    faults = faults_of(text)
    assert len(faults) == 1, faults
    return faults[0]


# --- what is right ---


def test_the_checkout_policy_means_what_it_says() -> None:
    policy = parse(CHECKOUT)
    assert (policy.service, policy.image, policy.source) == ("checkout", "ghcr.io/acme/checkout", "acme/checkout")
    assert policy.gitops == GitOps(repository="acme/deploy", branch="main")
    assert policy.file == "checkout.yaml"
    staging, production = policy.stages
    assert staging.source is None
    assert staging.edit == KustomizeEdit(file="apps/checkout/staging/kustomization.yaml")
    assert staging.applications == (NamedApplication(name="checkout-staging"),)
    assert staging.window == HealthWindow(
        length=timedelta(minutes=30),
        warmup=timedelta(minutes=2),
        deadline=timedelta(hours=6),
        tile=timedelta(minutes=1),
    )
    assert [gate.name for gate in staging.gates] == ["http-errors", "http-latency", "argocd-healthy"]
    assert staging.rollback is None
    assert production.source == "staging"
    assert production.edit == HelmEdit(file="apps/checkout/production/values.yaml", tag="image.tag")
    assert production.merge is Merge.AUTO
    assert production.rollback is not None
    assert (production.rollback.watch, production.rollback.by) == (timedelta(minutes=60), Road.COMMIT)
    assert production.rollback.triggers[1] == DegradedTrigger(name="argocd-degraded", lasting=timedelta(minutes=3))


def stage_query(*parts: str, **labels: str) -> Query:
    return Query(parts=parts, labels=tuple(labels.items()) or (("namespace", "checkout-staging"),), is_shared=True)


HISTORY = stage_query(
    "count by (name) (count_over_time(argocd_app_info{",
    ',health_status=~"Degraded|Missing"}[1m]))',
    name="checkout-staging",
)


def test_count_gates_are_filled_in_for_their_stage() -> None:
    errors, latency, healthy = parse(CHECKOUT).stages[0].gates
    assert errors == CountGate(
        name="http-errors",
        template="http-errors",
        title="HTTP errors below 1 %",
        limit=0.01,
        counts=Counts.BAD,
        query=stage_query("sum by (namespace) (increase(http_requests_total{", ',code=~"5.."}[1m]))'),
        total=stage_query("sum by (namespace) (increase(http_requests_total{", ',code!=""}[1m]))'),
        tile=timedelta(minutes=1),
    )
    assert isinstance(latency, CountGate)
    assert latency.counts is Counts.GOOD
    assert 'http_request_duration_seconds_bucket{namespace="checkout-staging",le="0.5"}[1m]' in latency.query.text
    assert 'http_request_duration_seconds_count{namespace="checkout-staging"}[1m]' in latency.total.text
    assert healthy == ArgoHealthyGate(name="argocd-healthy", history=(HISTORY,))


def test_queries_of_shipped_gates_have_the_one_shape_that_every_backend_answers() -> None:
    shape = re.compile(r"sum by \([a-z_, ]+\) \(increase\([a-z_:]+\{[^{}]+\}\[[0-9a-z]+\]\)\)")
    for file in sorted(set(EXAMPLES.glob("*.yaml")) - set(EXAMPLES.glob("*.test.yaml"))):
        policy = parse_policy(file.read_text(encoding="utf-8"), file=file.name, templates=TEMPLATES)
        gates = [gate for stage in policy.stages for gate in stage.gates if isinstance(gate, CountGate)]
        assert gates
        for gate in gates:
            assert shape.fullmatch(gate.query.text), gate.query.text
            assert shape.fullmatch(gate.total.text), gate.total.text


def test_the_version_is_the_hash_of_the_text() -> None:
    assert parse(CHECKOUT).version == hashlib.sha256(CHECKOUT.encode()).hexdigest()
    assert parse(CHECKOUT + "# a comment\n").version != parse(CHECKOUT).version


@pytest.mark.parametrize("times", [1, 20, 100])
def test_how_often_a_stage_may_be_taken_back_is_the_policys_to_say(times: int) -> None:
    rollback = parse(CHECKOUT.replace("by: commit", f"at_most: {times}")).stages[1].rollback
    assert rollback is not None
    assert rollback.at_most == times


@pytest.mark.parametrize("then", AtDeadline)
def test_what_is_done_at_the_deadline_is_the_policys_to_say(then: AtDeadline) -> None:
    window = parse(changed(WINDOW, f"window: {{for: 30m, at_deadline: {then}}}")).stages[0].window
    assert window is not None
    assert window.at_deadline is then


def test_a_rollback_may_have_no_cool_down_and_take_along_the_stages_before() -> None:
    rollback = parse(CHECKOUT.replace("by: commit", "cool_down: 0s\n      also: [staging, staging]")).stages[1].rollback
    assert rollback is not None
    assert (rollback.cool_down, rollback.also) == (timedelta(0), ("staging",))


def test_a_sync_that_fails_is_a_trigger_of_its_own() -> None:
    text = CHECKOUT.replace("{use: argocd-degraded, for: 3m}", "{use: argocd-sync-failed, for: 3m, mode: shadow}")
    rollback = parse(text).stages[1].rollback
    assert rollback is not None
    assert rollback.triggers[1] == SyncFailedTrigger(
        name="argocd-sync-failed", lasting=timedelta(minutes=3), is_shadow=True
    )


def test_defaults_stand_in_for_what_is_left_out() -> None:
    text = changed(WINDOW, "window: {for: 30m}")
    text = text.replace(", branch: main", "").replace("source: acme/checkout", "").replace(PROMOTE, "")
    text = text.replace("by: commit", "").replace("argocd-degraded, for: 3m", "argocd-degraded")
    policy = parse(text)
    staging, production = policy.stages
    assert policy.source is None
    assert policy.gitops.branch == "main"
    assert staging.window is not None
    assert (staging.window.warmup, staging.window.tile) == (timedelta(minutes=2), timedelta(minutes=1))
    assert staging.window.deadline == timedelta(hours=6)
    assert production.merge is Merge.HUMAN
    assert production.rollback is not None
    assert production.rollback.by is Road.COMMIT
    assert production.rollback.at_most == 3
    assert production.rollback.cool_down == production.rollback.watch
    assert production.rollback.also == ()
    assert staging.window.at_deadline is AtDeadline.ASK
    assert production.rollback.triggers[1] == DegradedTrigger(name="argocd-degraded", lasting=timedelta(minutes=5))


def test_the_default_deadline_leaves_time_after_a_long_window() -> None:
    window = parse(changed(WINDOW, "window: {for: 10h}")).stages[0].window
    assert window is not None
    assert window.deadline > window.length + window.warmup


def test_one_template_serves_two_gates_with_names_of_their_own() -> None:
    both = f"{ERRORS}\n      - {{use: http-errors, name: hard-limit, limit: 20%}}"
    gates = parse(changed(ERRORS, both)).stages[0].gates
    assert [gate.name for gate in gates[:2]] == ["http-errors", "hard-limit"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("argocd: checkout-staging", "argocd: [argo/checkout-a, checkout.b]"),
        ("ghcr.io/acme/checkout\n", "127.0.0.1:5000/acme/checkout\n"),
        ("ghcr.io/acme/checkout\n", "nginx\n"),
        ("branch: main", "branch: release/2025"),
        ("limit: 1%", "limit: 0.01"),
        ("limit: 1%", 'limit: "1 %"'),
        (WINDOW, "window: {for: 1h30m, tile: 1s, warmup: 0s}"),
        ("by: commit ", "by: pull-request "),
    ],
)
def test_other_ways_to_say_it_are_read(old: str, new: str) -> None:
    assert parse(changed(old, new)).service == "checkout"


# --- what is wrong ---


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = changed("service: checkout", "service: Checkout").replace("limit: 2%", "limit: 200%")
    text = text.replace("gitops:", "gitopss:").replace("image: ", "image: x\nimage: ")
    places = [fault.split(": found")[0] for fault in faults_of(text)]
    assert places == [
        "checkout.yaml:1:1: gitops",
        "checkout.yaml:2:10: service",
        "checkout.yaml:4:1",
        "checkout.yaml:6:1: gitopss",
        "checkout.yaml:26:44: stages[1].rollback.triggers[0].limit",
    ]


def test_a_fault_says_where_what_was_found_and_what_was_expected() -> None:
    assert the_fault(changed("limit: 1%", "limit: 1 percent")) == (
        'checkout.yaml:13:35: stages[0].gates[0].limit: found "1 percent", '
        "expected a percentage such as 1% or a share such as 0.01"
    )


def test_an_unknown_key_is_answered_with_the_nearest_one() -> None:
    fault = the_fault(changed("warmup: 2m", "warmpu: 2m"))
    assert "stages[0].window.warmpu: found an unknown key" in fault
    assert 'did you mean "warmup"?' in fault


def test_an_unknown_key_like_no_other_is_answered_with_all_that_exist() -> None:
    fault = the_fault(changed("service: checkout", "service: checkout\nzzz: 1"))
    assert fault.endswith("expected one of apiVersion, calendar, extends, gitops, image, service, source, stages")


def test_what_concerns_pull_requests_has_no_place_beside_promotion_by_commit() -> None:
    fault = the_fault(changed("{by: pull-request", "{by: commit"))
    assert "stages[1].promote.merge: found it with by: commit, expected it only with by: pull-request" in fault


def promote(text: str) -> Proposing:
    return parse(changed("{by: pull-request, merge: auto}", text)).stages[1].proposing


def test_a_release_is_proposed_early_by_a_comment_with_evidence_unless_the_policy_says_otherwise() -> None:
    assert promote("{merge: auto}") == Proposing()
    assert Proposing().opens is Opens.EARLY
    assert Proposing().evidence is EvidenceIn.COMMENT


def test_promotion_by_commit_needs_no_pull_request() -> None:
    assert promote("{by: commit}").by is Road.COMMIT


def test_all_of_a_promotion_is_read() -> None:
    text = (
        "{open: on-pass, evidence: body, method: squash, auto_merge: bound, title: '{service} {new}', "
        "approvers: ['@dana', '@acme/release', '@dana'], notify: ['@acme/on-call'], labels: [ship it], "
        "reviewers: ['@bob'], assignees: ['@dana'], pause: 1h, tell_source: true}"
    )
    assert promote(text) == Proposing(
        opens=Opens.ON_PASS,
        evidence=EvidenceIn.BODY,
        method=MergeMethod.SQUASH,
        auto_merge=AutoMerge.BOUND,
        title="{service} {new}",
        approvers=("@dana", "@acme/release"),
        notify=("@acme/on-call",),
        labels=("ship it",),
        reviewers=("@bob",),
        assignees=("@dana",),
        pause=timedelta(hours=1),
        tells_source=True,
    )


@pytest.mark.parametrize(
    "title", ["{tag}", "{new!r}", "{new:>300}", "{new.__class__}", "{new[0]}", "{", "{}", " ", "x" * 201]
)
def test_a_title_has_only_its_four_places(title: str) -> None:
    assert "stages[1].promote.title" in the_fault(changed("{by: pull-request, merge: auto}", f"{{title: '{title}'}}"))


@pytest.mark.parametrize("name", ["dana", "@", "@-dana", "@acme/", "@acme/a/b", "@da na", "@dana\u200b"])
def test_a_handle_is_a_login_or_a_team_behind_an_at(name: str) -> None:
    text = f'{{approvers: ["{name}"]}}'
    assert "stages[1].promote.approvers[0]" in the_fault(changed("{by: pull-request, merge: auto}", text))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("liftlock.dev/v1", "liftlock.dev/v2", "apiVersion"),
        ("service: checkout", "service: -checkout", "service"),
        ("service: checkout", "service: " + "a" * 64, "service"),
        ("service: checkout", "service: [checkout]", "service"),
        ("ghcr.io/acme/checkout\n", "ghcr.io/acme/checkout:1.0\n", "image"),
        ("ghcr.io/acme/checkout\n", "ghcr.io/acme/checkout@sha256:00\n", "image"),
        ("ghcr.io/acme/checkout\n", "https://ghcr.io/acme/checkout\n", "image"),
        ("source: acme/checkout", "source: checkout", "source"),
        ("acme/deploy", "acme/..", "gitops.repository"),
        ("acme/deploy", "-acme/deploy", "gitops.repository"),
        ("branch: main", "branch: -main", "gitops.branch"),
        ("branch: main", "branch: a..b", "gitops.branch"),
        ("branch: main", "branch: a.lock", "gitops.branch"),
        ("branch: main", "branch: '@'", "gitops.branch"),
        ("branch: main", "branch: 'a b'", "gitops.branch"),
        ("branch: main", 'branch: "ma\\u202ein"', "gitops.branch"),
        ("apps/checkout/staging", "../staging", "stages[0].edit.kustomize"),
        ("apps/checkout/staging", "/etc", "stages[0].edit.kustomize"),
        ("apps/checkout/staging", "a/.GIT", "stages[0].edit.kustomize"),
        ("apps/checkout/staging", "a\\b", "stages[0].edit.kustomize"),
        ("apps/checkout/staging/kustomization.yaml", '":(glob)a"', "stages[0].edit.kustomize"),
        ("tag: image.tag", "tag: image..tag", "stages[1].edit.helm.tag"),
        ("tag: image.tag", "tag: .tag", "stages[1].edit.helm.tag"),
        ("checkout-staging\n", "Checkout\n", "stages[0].argocd"),
        ("checkout-staging\n", "a/b/c\n", "stages[0].argocd"),
        ("checkout-staging\n", "[]\n", "stages[0].argocd"),
        ("checkout-staging\n", "[a, a]\n", "stages[0].argocd"),
        ("for: 30m", "for: soon", "stages[0].window.for"),
        ("for: 30m", "for: 0s", "stages[0].window.for"),
        ("warmup: 2m", "warmup: 2", "stages[0].window.warmup"),
        ("warmup: 2m", "tile: 500ms", "stages[0].window.tile"),
        ("warmup: 2m", "tile: 31m", "stages[0].window.tile"),
        ("deadline: 6h", "deadline: 32m", "stages[0].window.deadline"),
        ("limit: 1%", "limit: 100%", "stages[0].gates[0].limit"),
        ("limit: 1%", "limit: 0", "stages[0].gates[0].limit"),
        ("slower_than: 500ms", "slower_than: 0s", "stages[0].gates[1].slower_than"),
        ("slower_than: 500ms, ", "", "stages[0].gates[1].slower_than"),
        (ERRORS, "{use: http-errors, limit: 1%, metric: 'a{b'}", "stages[0].gates[0].metric"),
        (ERRORS, "{use: http-errors, limit: 1%, code_label: a-b}", "stages[0].gates[0].code_label"),
        (ERRORS, "{limit: 1%}", "stages[0].gates[0].use"),
        (ERRORS, "http-errors", "stages[0].gates[0]"),
        (ERRORS, "{use: http-errors, limit: 1%, name: A}", "stages[0].gates[0].name"),
        (ERRORS, "{use: argocd-degraded}", "stages[0].gates[0].use"),
        ("merge: auto", "merge: maybe", "stages[1].promote.merge"),
        ("watch: 60m", "watch: 0s", "stages[1].rollback.watch"),
        ("by: commit ", "by: force ", "stages[1].rollback.by"),
        (TRIGGERS, "[]", "stages[1].rollback.triggers"),
        (TRIGGERS, "[http-errors]", "stages[1].rollback.triggers[0]"),
        (TRIGGERS, "{use: http-errors}", "stages[1].rollback.triggers"),
        ("{use: argocd-degraded, for: 3m}", "{use: argocd-healthy}", "stages[1].rollback.triggers[1].use"),
        ("argocd-degraded, for: 3m", "argocd-degraded, for: 0s", "stages[1].rollback.triggers[1].for"),
        ("from: staging", "from: stage", "stages[1].from"),
        ("{repository: acme/deploy, branch: main}", "main", "gitops"),
        (WINDOW, "window: 30m", "stages[0].window"),
        (f"{PROMOTE} ", "promote: auto ", "stages[1].promote"),
        (METRICS, "    metrics: {}\n", "stages[0].metrics"),
        (METRICS, "    metrics: {a-b: c, d: e}\n", "stages[0].metrics"),
        (METRICS, "    metrics: {__name__: c, d: e}\n", "stages[0].metrics"),
        (METRICS, '    metrics: {namespace: ""}\n', "stages[0].metrics.namespace"),
        (METRICS, '    metrics: {namespace: "\\uD800"}\n', "stages[0].metrics.namespace"),
        (METRICS, '    metrics: {namespace: "a\\0b"}\n', "stages[0].metrics.namespace"),
        (METRICS, "    metrics: {namespace: [a]}\n", "stages[0].metrics.namespace"),
        (HELM, "{}", "stages[1].edit"),
        (HELM, "{kustomize: a.yaml, helm: {file: b.yaml, tag: c}}", "stages[1].edit"),
        (HELM, "{kustomize: apps/checkout/staging/kustomization.yaml}", "stages[1].edit"),
    ],
)
def test_a_wrong_value_is_reported_once_at_its_path(old: str, new: str, path: str) -> None:
    assert f": {path}: found" in the_fault(changed(old, new))


@pytest.mark.parametrize("key", ["window", "metrics", "promote", "rollback", "gates", "source", "from"])
def test_a_key_left_empty_is_not_taken_for_one_left_out(key: str) -> None:
    lines = CHECKOUT.splitlines(keepends=True)
    at = max(number for number, line in enumerate(lines) if line.strip(" -").startswith(f"{key}:"))
    depth = len(lines[at]) - len(lines[at].lstrip())
    end = at + 1
    while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > depth:
        end += 1
    text = "".join([*lines[:at], " " * depth + f"{key}:\n", *lines[end:]])
    assert any(f"{key}: found nothing, expected a value" in fault for fault in faults_of(text)), faults_of(text)


def test_gates_without_metrics_say_what_selects_the_series() -> None:
    faults = faults_of(changed(METRICS, ""))
    assert [fault.split(": found")[0] for fault in faults] == [
        "checkout.yaml:12:9: stages[0].gates[0]",
        "checkout.yaml:13:9: stages[0].gates[1]",
    ]
    assert "expected metrics: {namespace: …} beside it" in faults[0]


def test_a_gate_that_asks_argo_cd_needs_no_metrics() -> None:
    text = changed(METRICS, "").replace(GATES, "    gates: [{use: argocd-healthy}]\n")
    assert parse(text).stages[0].gates == (ArgoHealthyGate(name="argocd-healthy", history=(HISTORY,)),)


@pytest.mark.parametrize(("old", "new"), [(GATES, ""), (f"    {WINDOW}\n{GATES}", ""), (GATES, "    gates: []\n")])
def test_a_stage_that_releases_leave_needs_a_window_and_a_gate(old: str, new: str) -> None:
    assert "expected a window and at least one gate" in the_fault(changed(old, new))


def test_gates_without_a_window_are_refused_since_nobody_would_judge_them() -> None:
    assert the_fault(changed(f"    {WINDOW}\n", "")) == (
        "checkout.yaml:12:7: stages[0].gates: found gates without a window, "
        "expected a window beside them, since they are judged only in one"
    )


def test_an_empty_key_is_named_where_it_stands() -> None:
    text = changed("source: acme/checkout  ", "source:  # none\n\n\n")
    assert the_fault(text) == "checkout.yaml:4:1: source: found nothing, expected a value, or not this key at all"


def test_an_unknown_gate_is_answered_with_the_known_ones() -> None:
    fault = the_fault(changed("use: http-errors, limit: 1%", "use: zzz, limit: 1%"))
    known = sorted(["argocd-healthy", "soak", *TEMPLATES])
    assert {"http-errors", "grpc-latency", "istio-errors"} < set(known)
    assert fault.endswith(f"expected one of {', '.join(known)}")


def test_an_unknown_gate_is_answered_with_the_nearest_one() -> None:
    fault = the_fault(changed("use: http-errors, limit: 1%", "use: http-error, limit: 1%"))
    assert fault.endswith('; did you mean "http-errors"?')


def test_two_gates_of_one_name_are_refused() -> None:
    assert "found http-errors twice" in the_fault(changed(ERRORS, f"{ERRORS}\n      - {ERRORS}"))


def test_two_triggers_of_one_name_are_refused() -> None:
    twice = "[{use: argocd-degraded}, {use: argocd-degraded}]"
    assert "stages[1].rollback.triggers: found argocd-degraded twice" in the_fault(changed(TRIGGERS, twice))


def test_two_stages_of_one_name_are_refused() -> None:
    assert any(
        "stages: found staging twice" in fault for fault in faults_of(changed("name: production", "name: staging"))
    )


def test_a_stage_cannot_come_from_itself() -> None:
    faults = faults_of(changed("from: staging", "from: production"))
    assert any('stages[1].from: found "production", expected another stage: staging' in fault for fault in faults)


def test_stages_that_feed_each_other_are_a_circle() -> None:
    faults = faults_of(changed(FIRST, f"{FIRST}    from: production\n"))
    assert any("stages[0].from: found a circle" in fault for fault in faults)
    assert any("expected a first stage without from" in fault for fault in faults)


def test_a_chain_that_hangs_on_nothing_is_no_circle() -> None:
    third = "  - {name: c, from: nowhere, edit: {kustomize: c.yaml}, argocd: c}\n"
    fourth = "  - {name: d, from: c, edit: {kustomize: d.yaml}, argocd: d}\n"
    faults = faults_of(CHECKOUT.rstrip("\n") + "\n" + third + fourth)
    assert any('stages[2].from: found "nowhere"' in fault for fault in faults)
    assert not any("circle" in fault for fault in faults)


def test_a_first_stage_has_nothing_to_promote() -> None:
    text = changed(FIRST, f"{FIRST}    promote: {{merge: auto}}\n")
    assert "stages[0].promote: found it in a first stage" in the_fault(text)


def test_a_first_stage_has_nothing_to_roll_back() -> None:
    rollback = "    rollback: {watch: 1h, triggers: [{use: argocd-degraded}]}\n"
    text = changed(FIRST, f"{FIRST}{rollback}")
    assert "stages[0].rollback: found it in a first stage, expected it only in a stage with from" in the_fault(text)


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        ("stages: []\n", "stages: found an empty list"),
        ("stages: many\n", 'stages: found "many", expected a list'),
        ("stages: [staging]\n", 'stages[0]: found "staging", expected a mapping'),
        ("", "stages: found nothing, expected a list"),
        ("stages: [{name: a}]\n", "stages[0].edit: found nothing"),
    ],
)
def test_a_policy_needs_stages(stages: str, found: str) -> None:
    assert any(found in fault for fault in faults_of(CHECKOUT[: CHECKOUT.index("stages:")] + stages))


def test_a_policy_is_a_mapping() -> None:
    assert the_fault("- a\n") == "checkout.yaml:1:1: found a list, expected a mapping"


def test_a_team_can_be_asked_for_a_review_but_nothing_is_assigned_to_one() -> None:
    assert promote("{reviewers: ['@acme/release']}").reviewers == ("@acme/release",)
    fault = the_fault(changed("{by: pull-request, merge: auto}", "{assignees: ['@acme/release']}"))
    assert 'stages[1].promote.assignees[0]: found "@acme/release", expected a login, such as @dana' in fault
