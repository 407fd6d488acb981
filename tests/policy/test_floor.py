"""An organisation's floor: what is below it, told at its place in the policy and with that of the floor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.policy import parse_policy, parse_template, shipped_gate_templates
from bot.policy.comparing import Way, compare_policies
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.floor import ReadPolicy, faults_below, parse_floor
from bot.policy.tree import Value, read_tree
from tests.policy.a_rule import DEPTH, SHARE
from tests.policy.test_comparing_laws import CHOICES, TEMPLATE

SHIPPED = shipped_gate_templates()
OWN = {one.name: one for one in (parse_template(text, file="own.yaml") for text in (SHARE, DEPTH))}
CHECKOUT = (Path(__file__).resolve().parents[2] / "policies" / "examples" / "checkout.yaml").read_text("utf-8")

ACME = "identity: 'https://github.com/acme/*/.github/workflows/*@refs/tags/*'"
GATES, PROMOTE = "stages[staging].gates", "stages[production].promote"
ROLLBACK, ARTIFACT = "stages[production].rollback", "stages[production].artifact"

ARTIFACT_TEXT = """\
    artifact:
      signer: {identity: "https://github.com/acme/checkout/.github/workflows/release.yml@refs/tags/v{version}"}
      require:
        - {use: signature}
        - {use: provenance}
        - {use: checks, names: [test, lint], app: 15368}
        - {use: attestation, name: scan, type: https://a.example/vuln, newer_than: 7d, where: [{path: a, at_most: 3}]}
"""
PROVEN = CHECKOUT.replace("    metrics: {namespace: checkout-production}\n", ARTIFACT_TEXT)
PROVEN = PROVEN.replace("    artifact:\n", "    metrics: {namespace: checkout-production}\n    artifact:\n")


def floor_text(rule: str) -> str:
    """Return a floor of one rule for all that is promoted; its keys begin at line 4, column 5."""
    return f"apiVersion: liftlock.dev/v1\nfloor:\n  - every: promoted\n    {rule}\n"


def tree_of(text: str) -> Value:
    return read_tree(text, file="checkout.yaml", faults=[])


def faults(rule: str, policy: str = CHECKOUT, *, whole: str | None = None) -> list[PolicyFault]:
    """Return what is below a floor of one rule."""
    floor = parse_floor(whole or floor_text(rule), file="floor.yaml", templates=SHIPPED)
    templates = {**SHIPPED, **OWN}
    read = ReadPolicy(
        policy=parse_policy(policy, file="checkout.yaml", templates=templates),
        tree=tree_of(policy),
        templates=templates,
        own=OWN.keys(),
    )
    return list(faults_below(read, floor))


def told(rule: str, policy: str = CHECKOUT) -> list[str]:
    return [str(fault) for fault in faults(rule, policy)]


# --- what is enough ---


@pytest.mark.parametrize(
    "rule",
    [
        "before: {window: {for: 30m}}",
        "before: {window: {at_deadline: [ask, hold]}}",
        "before: {gates: [{use: http-errors}]}",
        "before: {gates: [{use: http-errors, limit: 1%, floor: 300}]}",
        "before: {gates: [{use: [grpc-errors, http-errors], limit: 2%}]}",
        "before: {gates: [{use: http-latency, limit: 5%, parameters: {slower_than: 500ms}}]}",
        "before: {gates: [{use: http-errors, parameters: {errors: 5.., metric: http_requests_total}}]}",
        "before: {gates: [{use: argocd-healthy}]}",
        "promote: {by: pull-request, auto_merge: never}",
        "rollback: {watch: 1h, cool_down: 1h, during_freeze: true}",
        "rollback: {triggers: [{use: http-errors, limit: 2%}, {use: argocd-degraded, for: 3m}]}",
    ],
)
def test_a_policy_that_asks_for_as_much_is_not_below(rule: str) -> None:
    assert told(rule) == []


# --- what is below ---


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (
            "before: {window: {for: 40m}}",
            "11:19: stages[staging].window.for: found 30m, expected 40m or stricter, by floor.yaml:4:22",
        ),
        (
            "before: {window: {at_deadline: [hold]}}",
            "11:13: stages[staging].window.at_deadline: found ask, expected hold, by floor.yaml:4:22",
        ),
        (
            "before: {gates: [{use: http-errors, limit: 0.5%}]}",
            f"13:35: {GATES}[http-errors].limit: found 1 %, expected 0.5 % or stricter, by floor.yaml:4:22",
        ),
        (
            "before: {gates: [{use: http-errors, limit: 2%, floor: 1000}]}",
            f"13:9: {GATES}[http-errors].floor: found 300, expected 1,000 or stricter, by floor.yaml:4:22",
        ),
        (
            "before: {gates: [{use: grpc-errors}]}",
            f"13:7: {GATES}: found no grpc-errors, expected one of gates that decides by it, by floor.yaml:4:22",
        ),
        (
            "before: {gates: [{use: [grpc-errors, soak]}]}",
            (
                f"13:7: {GATES}: found "
                "no grpc-errors or soak, expected one of gates that decides by it, by floor.yaml:4:22"
            ),
        ),
        (
            "before: {gates: [{use: http-errors, objective: 99%, least_bad: 3}]}",
            (
                f"13:9: {GATES}[http-errors]: found "
                "a rule of the kind counts, expected one with objective and least_bad, by floor.yaml:4:22"
            ),
        ),
        (
            "before: {gates: [{use: http-latency, parameters: {slower_than: 400ms}}]}",
            f"14:42: {GATES}[http-latency].slower_than: found 500ms, expected 400ms or less, by floor.yaml:4:22",
        ),
        (
            "before: {gates: [{use: http-errors, parameters: {errors: '5..|429'}}]}",
            f"13:9: {GATES}[http-errors].errors: found 5.., expected 5..|429, by floor.yaml:4:22",
        ),
        (
            "gates: [{use: argocd-healthy}]",
            (
                "16:5: stages[production].gates: found "
                "no argocd-healthy, expected one of gates that decides by it, by floor.yaml:4:13"
            ),
        ),
        ("window: {for: 5m}", "16:5: stages[production].window: found nothing, expected a window, by floor.yaml:4:13"),
        (
            "promote: {merge: human}",
            f"21:40: {PROMOTE}.merge: found auto, expected human or stricter, by floor.yaml:4:14",
        ),
        (
            "promote: {approvers: ['@acme/release']}",
            f"21:14: {PROMOTE}.approvers: found nobody, expected only @acme/release, by floor.yaml:4:14",
        ),
        (
            "artifact: {require: [{use: signature}]}",
            (
                f"16:5: {ARTIFACT}.require: found no {{use: signature}}, "
                "expected {use: signature}, so that the artifact is signed by whom the policy names, by floor.yaml:4:26"
            ),
        ),
        ("rollback: {watch: 2h}", f"23:14: {ROLLBACK}.watch: found 1h, expected 2h or stricter, by floor.yaml:4:15"),
        (
            "rollback: {cool_down: 2h}",
            f"23:7: {ROLLBACK}.cool_down: found 1h, expected 2h or stricter, by floor.yaml:4:15",
        ),
        (
            "rollback: {triggers: [{use: argocd-degraded, for: 1m}]}",
            f"25:77: {ROLLBACK}.triggers[argocd-degraded].for: found 3m, expected 1m or stricter, by floor.yaml:4:27",
        ),
        (
            "rollback: {triggers: [{use: argocd-sync-failed}]}",
            (
                f"25:17: {ROLLBACK}.triggers: found "
                "no argocd-sync-failed, expected one of triggers that decides by it, by floor.yaml:4:27"
            ),
        ),
    ],
)
def test_what_is_below_is_told_with_both_places(rule: str, line: str) -> None:
    assert told(rule) == [f"checkout.yaml:{line}"]


@pytest.mark.parametrize(
    ("old", "new", "rule", "found"),
    [
        (
            "limit: 1%}",
            "limit: 1%, mode: shadow}",
            "before: {gates: [{use: http-errors}]}",
            "http-errors in the shadow only",
        ),
        (
            "limit: 1%}",
            "limit: 1%, accept: not-shown-bad}",
            "before: {gates: [{use: http-errors, limit: 1%}]}",
            "not-shown-bad",
        ),
        ("limit: 1%}", "objective: 98%}", "before: {gates: [{use: http-errors, objective: 99%}]}", "98 %"),
        (
            "limit: 1%}",
            "against: production, times: 2}",
            "before: {gates: [{use: http-errors, times: 1.5, points: 1%}]}",
            "2",
        ),
        (
            "{use: http-errors, limit: 1%}",
            "{use: kafka-lag, above: 100}",
            "before: {gates: [{use: kafka-lag, above: 50}]}",
            "not above 100",
        ),
        (
            "{use: http-errors, limit: 1%}",
            "{use: kafka-lag, above: 100}",
            "before: {gates: [{use: kafka-lag, below: 50}]}",
            "not above 100",
        ),
        (
            "{use: http-errors, limit: 1%}",
            "{use: kubernetes-restarts, at_most: 2}",
            "before: {gates: [{use: kubernetes-restarts, at_most: 0}]}",
            "not above 2",
        ),
        (
            "{use: http-errors, limit: 1%}",
            "{use: kafka-lag, above: 100}",
            "before: {gates: [{use: kafka-lag, at_most: 500}]}",
            "a rule of the kind values",
        ),
        (
            "{use: http-errors, limit: 1%}",
            "{use: jobs, limit: 1%}",
            "before: {gates: [{use: jobs, own: true, limit: 0.5%}]}",
            "1 %",
        ),
        (
            "window: {for: 30m",
            "window: {at_deadline: promote, for: 30m",
            "before: {window: {at_deadline: [ask, hold]}}",
            "promote",
        ),
        ("promote: {by: pull-request, merge: auto}", "promote: {by: commit}", "promote: {merge: human}", "commit"),
        ("promote: {by: pull-request, merge: auto}", "promote: {by: commit}", "promote: {auto_merge: never}", "commit"),
        (
            "promote: {by: pull-request, merge: auto}",
            "promote: {auto_merge: any}",
            "promote: {auto_merge: bound}",
            "any",
        ),
        ("merge: auto}", "merge: auto, approvers: ['@a', '@b']}", "promote: {approvers: ['@a']}", "@b"),
        ("watch: 60m", "watch: 60m\n      during_freeze: false", "rollback: {during_freeze: true}", "false"),
        ("    from: staging\n", "", "rollback: {watch: 1h}", "a first stage"),
    ],
)
def test_what_is_weaker_in_another_way_is_below_too(old: str, new: str, rule: str, found: str) -> None:
    text = CHECKOUT.replace(old, new)
    assert text != CHECKOUT
    if found == "a first stage":
        text = text[: text.index("    promote:")]
        below = faults(rule, text, whole=floor_text(rule).replace("every: promoted", "every: stage"))
        assert [fault.path for fault in below] == ["stages[staging]", "stages[production]"]
    else:
        below = faults(rule, text)
    assert below[0].found.startswith(found), below


def test_the_nearest_gate_is_the_one_that_is_told() -> None:
    more = (
        "      - {use: http-errors, name: strict, limit: 0.9%, accept: not-shown-bad}\n      - {use: argocd-healthy}\n"
    )
    text = CHECKOUT.replace("      - {use: argocd-healthy}\n", more)
    rule = "before: {gates: [{use: http-errors, limit: 0.9%, floor: 300}]}"
    (fault,) = faults(rule, text)
    assert fault.path in {f"{GATES}[http-errors].limit", f"{GATES}[strict].accept"}
    assert told(rule.replace("limit: 0.9%", "accept: not-shown-bad, limit: 0.9%"), text) == []


def test_one_gate_of_several_is_enough() -> None:
    text = CHECKOUT.replace("limit: 1%}", "limit: 1%}\n      - {use: http-errors, name: strict, limit: 0.1%}")
    assert told("before: {gates: [{use: http-errors, limit: 0.5%}]}", text) == []


def test_a_gate_of_another_kind_by_the_same_template_does_not_hide_it() -> None:
    text = CHECKOUT.replace("limit: 1%}", "against: production}\n      - {use: http-errors, name: hard, limit: 2%}")
    (fault,) = faults("before: {gates: [{use: http-errors, limit: 1%}]}", text)
    assert "hard" in fault.path or fault.found == "a rule of the kind baseline"


def test_a_template_of_a_teams_own_is_not_what_the_floor_means() -> None:
    floor = parse_floor(floor_text("before: {gates: [{use: http-errors}]}"), file="floor.yaml", templates=SHIPPED)
    read = ReadPolicy(
        policy=parse_policy(CHECKOUT, file="checkout.yaml", templates=SHIPPED),
        tree=tree_of(CHECKOUT),
        templates=SHIPPED,
        own={"http-errors"},
    )
    (fault,) = faults_below(read, floor)
    assert str(fault) == (
        f"checkout.yaml:13:15: {GATES}[http-errors].use: found the template http-errors of the team's own, expected "
        "the one that Liftlock ships, by floor.yaml:4:22"
    )


def test_parameters_that_cannot_be_seen_are_not_taken_for_right() -> None:
    rule = "before: {gates: [{use: http-errors, parameters: {errors: 5..}}]}"
    floor = parse_floor(floor_text(rule), file="floor.yaml", templates=SHIPPED)
    policy = parse_policy(CHECKOUT, file="checkout.yaml", templates=SHIPPED)
    empty = Value(kind="mapping", file="checkout.yaml", line=1, column=1, entries={})
    (fault,) = faults_below(ReadPolicy(policy=policy, tree=empty, templates=SHIPPED), floor)
    assert (fault.found, fault.expected) == ("nothing", "5.., by floor.yaml:4:22")


# --- from the registry, and which stages a rule is for ---

INTAKE = """\
apiVersion: liftlock.dev/v1
service: checkout
image: r/a
gitops: {repository: acme/deploy}
stages:
  - {name: production, from: registry, releases: {follow: stable}, edit: {kustomize: a}, argocd: a}
"""


def test_releases_straight_from_the_registry_are_below_what_is_asked_before() -> None:
    assert told("before: {gates: [{use: soak}]}", INTAKE) == [
        (
            "checkout.yaml:6:30: stages[production].from: found the registry, expected a stage in which releases are "
            "judged before, by floor.yaml:3:5"
        )
    ]
    assert told("rollback: {watch: 1h}", INTAKE) == [
        "checkout.yaml:6:5: stages[production].rollback: found nothing, expected a rollback, by floor.yaml:4:15"
    ]


def test_a_floor_may_let_releases_come_straight_from_the_registry() -> None:
    assert told("before: {registry: allowed, gates: [{use: soak}]}", INTAKE) == []
    assert len(told("before: {registry: refused}", INTAKE)) == 1


@pytest.mark.parametrize(
    ("target", "is_for"),
    [
        ("stages: [production]", True),
        ("stages: [prod*, other]", True),
        ("stages: [staging]", False),
        ("every: promoted", True),
        ("every: stage", True),
        ("every: promoted\n    services: [check*]", True),
        ("every: promoted\n    services: [other]", False),
        ("every: promoted\n    except: [checkout]", False),
    ],
)
def test_a_rule_is_for_the_stages_and_services_that_it_names(target: str, is_for: bool) -> None:
    text = f"apiVersion: liftlock.dev/v1\nfloor:\n  - {target}\n    artifact: {{require: [{{use: signature}}]}}\n"
    places = [fault.path for fault in faults("", whole=text)]
    assert (f"{ARTIFACT}.require" in places) is is_for
    assert ("stages[staging].artifact.require" in places) is (target in {"stages: [staging]", "every: stage"})


# --- artifacts ---


@pytest.mark.parametrize(
    ("signers", "is_enough"),
    [
        ("{identity: 'https://github.com/acme/*/.github/workflows/release.yml@refs/tags/*'}", True),
        (f"{{{ACME}}}", True),
        ("{identity: 'https://github.com/acme/checkout/.github/workflows/release.yml@refs/tags/v{version}'}", True),
        ("{identity: 'https://github.com/acme/*/.github/workflows/*@refs/heads/*'}", False),
        ("{identity: 'https://github.com/other/*/.github/workflows/*@refs/tags/*'}", False),
        ("{identity: 'https://github.com/*/.github/workflows/*@refs/tags/*'}", False),
        (f"{{{ACME}, owner_id: 9}}", False),
        (f"{{{ACME}, repository: 'https://github.com/acme/*'}}", True),
        (f"{{{ACME}, repository: 'https://github.com/other/*'}}", False),
        (f"{{{ACME}, runners: [github-hosted]}}", False),
        ("{key: release}", False),
        (f"{{key: release}}, {{{ACME}}}", True),
    ],
)
def test_only_the_floors_signers_are_enough(signers: str, is_enough: bool) -> None:
    below = faults(f"artifact: {{signers: [{signers}], require: [{{use: signature}}]}}", PROVEN)
    assert [fault.path for fault in below] == ([] if is_enough else [f"{ARTIFACT}.require[signature].signer"])


@pytest.mark.parametrize(
    ("required", "paths"),
    [
        ("{use: provenance}", []),
        ("{use: provenance, builder: 'https://github.com/*'}", ["require[provenance].builder"]),
        ("{use: checks, names: [test], app: 15368}", []),
        ("{use: checks, names: [test, audit]}", ["require[checks].names"]),
        ("{use: checks, names: [test], app: 1}", ["require[checks].app"]),
        ("{use: attestation, name: any, type: 'https://a.example/vuln', newer_than: 8d}", []),
        ("{use: attestation, name: any, type: 'https://a.example/vuln', newer_than: 1d}", ["require[scan].newer_than"]),
        ("{use: attestation, name: any, type: 'https://a.example/sbom'}", ["require[scan].type"]),
        ("{use: attestation, name: any, type: 'https://a.example/vuln', where: [{path: a, at_most: 3}]}", []),
        (
            "{use: attestation, name: any, type: 'https://a.example/vuln', where: [{path: a, at_most: 0}]}",
            ["require[scan].where"],
        ),
    ],
)
def test_what_must_be_proven_is_compared_field_by_field(required: str, paths: list[str]) -> None:
    below = faults(f"artifact: {{require: [{required}]}}", PROVEN)
    assert [fault.path for fault in below] == [f"{ARTIFACT}.{path}" for path in paths]


def test_the_transparency_log_may_be_left_out_only_where_the_floor_says_so() -> None:
    key = '{identity: "https://github.com/acme/checkout/.github/workflows/release.yml@refs/tags/v{version}"}'
    text = PROVEN.replace(key, "{key: release}\n      log: optional")
    below = faults("artifact: {require: [{use: signature}]}", text)
    assert [(fault.path, fault.found) for fault in below] == [(f"{ARTIFACT}.log", "optional")]
    assert told("artifact: {log: optional, require: [{use: signature}]}", text) == []


# --- what would empty a bound ---

LIMITED = "{use: http-errors, limit: 1%}"


def test_windows_that_never_burn_do_not_meet_an_objective() -> None:
    rule = "before: {gates: [{use: http-errors, objective: 99%}]}"
    plain = CHECKOUT.replace(LIMITED, "{use: http-errors, objective: 99%}")
    lax = "{use: http-errors, objective: 99%, windows: [{long: 40m, short: 20m, factor: 90}]}"
    usual = "{long: 1h, short: 5m, factor: 14.4}, {long: 6h, short: 30m, factor: 6}"
    more = f"{{use: http-errors, objective: 99%, windows: [{usual}, {{long: 40m, short: 20m, factor: 90}}]}}"
    assert told(rule, plain) == []
    (fault,) = faults(rule, CHECKOUT.replace(LIMITED, lax))
    assert fault.path == f"{GATES}[http-errors].windows"
    assert "14.4" in fault.expected
    assert told(rule, CHECKOUT.replace(LIMITED, more)) == []


def test_many_bad_tiles_do_not_meet_the_bound_of_a_value() -> None:
    def policy(tiles: str) -> str:
        return CHECKOUT.replace(LIMITED, f"{{use: kafka-lag, above: 100{tiles}}}")

    rule = "before: {gates: [{use: kafka-lag, above: 100}]}"
    assert told(rule, policy("")) == []
    assert told(rule, policy(", tiles: 2 of 5")) == []
    (fault,) = faults(rule, policy(", tiles: 25 of 25"))
    assert (fault.path, fault.found) == (f"{GATES}[kafka-lag].tiles", "25 of 25")
    assert told("before: {gates: [{use: kafka-lag, above: 100, tiles: 25 of 25}]}", policy(", tiles: 25 of 25")) == []
    (fault,) = faults("before: {gates: [{use: kafka-lag, tiles: 1 of 1}]}", policy(""))
    assert (fault.found, fault.expected.partition(" or")[0]) == ("3 of 5", "1 of 1")


def test_tiles_belong_to_no_sum_of_events() -> None:
    with pytest.raises(PolicyError, match=r"tiles beside at_most, expected bounds of one kind of rule"):
        told("before: {gates: [{use: kubernetes-restarts, at_most: 1, tiles: 1 of 1}]}")
    restarts = CHECKOUT.replace(LIMITED, "{use: kubernetes-restarts, at_most: 2}")
    assert told("before: {gates: [{use: kubernetes-restarts, at_most: 2}]}", restarts) == []


# --- laws ---

RULES = [
    "before: {window: {for: 30m}}",
    "before: {window: {at_deadline: [ask, hold]}}",
    "before: {gates: [{use: http-errors, limit: 1%}]}",
    "before: {gates: [{use: http-errors}]}",
    "before: {gates: [{use: http-errors, objective: 98%}]}",
    "before: {gates: [{use: kafka-lag, above: 100}]}",
    "promote: {merge: human}",
    "promote: {by: pull-request}",
    "promote: {approvers: ['@a', '@b']}",
    "artifact: {require: [{use: signature}]}",
    f"artifact: {{signers: [{{{ACME}}}], require: [{{use: signature}}]}}",
    "rollback: {watch: 1h}",
    "rollback: {triggers: [{use: argocd-degraded, for: 4m}]}",
]
CHOSEN: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {name: st.sampled_from(some) for name, some in CHOICES.items()}
)


@given(chosen=CHOSEN, changed=st.sampled_from(sorted(CHOICES)), rule=st.sampled_from(RULES), data=st.data())
@settings(max_examples=120, deadline=None)
def test_what_is_nowhere_weaker_than_a_policy_on_the_floor_is_on_the_floor(
    chosen: Mapping[str, str], changed: str, rule: str, data: st.DataObject
) -> None:
    other = {**chosen, changed: data.draw(st.sampled_from(CHOICES[changed]))}
    old, new = TEMPLATE.format(**chosen), TEMPLATE.format(**other)
    read = [parse_policy(text, file="a.yaml", templates=SHIPPED) for text in (old, new)]
    if all(change.way is Way.STRICTER for change in compare_policies(*read)) and not faults(rule, old):
        assert told(rule, new) == []
