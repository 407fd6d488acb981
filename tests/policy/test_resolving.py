"""What a policy inherits from `defaults.yaml`, what it does not, and where faults of what it inherits are told."""

from __future__ import annotations

import pytest

from bot.domain.argo import NamedApplication
from bot.domain.edit import HelmEdit, KustomizeEdit
from bot.domain.policy import AtDeadline, Merge, Policy, Road, Stage
from bot.domain.text import parse_duration
from bot.policy import PolicyError, parse_policy, shipped_gate_templates
from bot.policy.defaults import parse_defaults
from bot.policy.faults import PolicyFault
from bot.policy.resolving import Inherited
from bot.policy.tree import MAX_NODES

TEMPLATES = shipped_gate_templates()
HEAD = "apiVersion: liftlock.dev/v1\n"
DEFAULTS = f"""\
{HEAD}image: "ghcr.io/acme/{{service}}"
gitops: {{repository: acme/deploy, branch: trunk}}
stage:
  edit: {{kustomize: "apps/{{service}}/{{stage}}/kustomization.yaml"}}
  argocd: "{{service}}-{{stage}}"
  metrics: {{namespace: "{{service}}-{{stage}}"}}
  window: {{for: 30m, warmup: 2m}}
  gates: [{{use: http-errors, limit: 1%}}, {{use: argocd-healthy}}]
  promote: {{merge: auto, labels: [release], title: "{{service}} to {{stage}}: {{new}}"}}
  rollback: {{watch: 1h, triggers: [{{use: argocd-degraded}}]}}
  calendar: {{timezone: UTC, allow: [{{days: [mon-fri]}}]}}
stages:
  production:
    window: {{for: 1h, at_deadline: hold}}
    promote: {{merge: human}}
"""
POLICY = f"""\
{HEAD}extends: defaults.yaml
service: cart
stages:
  - name: staging
  - {{name: production, from: staging}}
"""


def read(policy: str = POLICY, defaults: str = DEFAULTS) -> Policy:
    inherited = Inherited(defaults=parse_defaults(defaults))
    return parse_policy(policy, file="cart.yaml", templates=TEMPLATES, inherited=inherited)


def faults(policy: str = POLICY, defaults: str = DEFAULTS) -> list[PolicyFault]:
    with pytest.raises(PolicyError) as caught:
        read(policy, defaults)
    return list(caught.value.faults)


def sentences(policy: str = POLICY, defaults: str = DEFAULTS) -> list[str]:
    return [str(fault) for fault in faults(policy, defaults)]


def stages(policy: str = POLICY, defaults: str = DEFAULTS) -> tuple[Stage, Stage]:
    staging, production = read(policy, defaults).stages
    return staging, production


# --- what comes first ------------------------------------------------------------------------------------------------


def test_a_policy_that_extends_nothing_inherits_nothing() -> None:
    found = sentences(POLICY.replace("extends: defaults.yaml\n", ""))
    assert found[0] == "cart.yaml:1:1: gitops: found nothing, expected a mapping"
    assert len(found) == 6


def test_fields_of_the_service_are_inherited_with_its_name_in_them() -> None:
    policy = read()
    assert (policy.image, policy.gitops.repository, policy.gitops.branch) == (
        "ghcr.io/acme/cart", "acme/deploy", "trunk",
    )  # fmt: skip


def test_what_the_policy_says_comes_before_a_stage_of_its_name_before_every_stage() -> None:
    staging, production = stages(POLICY.replace("from: staging}", "from: staging, window: {deadline: 9h}}"))
    assert staging.window is not None
    assert production.window is not None
    assert (staging.window.length, staging.window.at_deadline) == (parse_duration("30m"), AtDeadline.ASK)
    window = production.window
    assert (window.deadline, window.length, window.warmup, window.at_deadline) == (
        parse_duration("9h"), parse_duration("1h"), parse_duration("2m"), AtDeadline.HOLD,
    )  # fmt: skip
    assert production.merge is Merge.HUMAN


def test_a_mapping_is_inherited_key_by_key_and_a_list_is_replaced_whole() -> None:
    _, production = stages(
        POLICY.replace(
            "from: staging}", "from: staging, gates: [{use: soak}], metrics: {app: api}, promote: {labels: []}}"
        )
    )
    assert [gate.name for gate in production.gates] == ["soak"]
    assert production.proposing.labels == ()
    assert production.proposing.title == "{service} to {stage}: {new}"


def test_the_names_of_service_and_stage_stand_in_texts_of_the_defaults() -> None:
    staging, production = stages()
    assert staging.edit == KustomizeEdit(file="apps/cart/staging/kustomization.yaml")
    assert production.applications == (NamedApplication(name="cart-production"),)


def test_other_braces_and_those_of_the_policy_itself_stay() -> None:
    identity = "https://github.com/acme/{service}/.github/workflows/r.yml@refs/tags/v{version}"
    defaults = DEFAULTS + f'    artifact: {{signer: {{identity: "{identity}"}}, require: [{{use: signature}}]}}\n'
    (rule,) = stages(defaults=defaults)[1].artifact
    assert "acme/cart/.github/workflows/r.yml@refs/tags/v{version}" in str(rule)
    (fault,) = faults(POLICY.replace("from: staging}", 'from: staging, argocd: "{service}"}'))
    assert (fault.file, fault.found) == ("cart.yaml", '"{service}"')


@pytest.mark.parametrize(
    ("own", "default"),
    [
        ("edit: {helm: {file: v.yaml, tag: a.tag}}", "edit: {kustomize: k.yaml}"),
        ("argocd: {selector: app=cart}", "argocd: {selector: app=x, server: us}"),
    ],
)
def test_a_choice_of_one_kind_is_taken_whole_from_whoever_makes_it_first(own: str, default: str) -> None:
    key = own.partition(":")[0]
    lines = [f"  {default}" if line.startswith(f"  {key}:") else line for line in DEFAULTS.splitlines()]
    _, production = stages(POLICY.replace("from: staging}", f"from: staging, {own}}}"), "\n".join(lines))
    if key == "edit":
        assert production.edit == HelmEdit(file="v.yaml", tag="a.tag")
    else:
        (target,) = production.applications
        assert "server='argocd'" in repr(target)


def test_a_signer_is_taken_whole_and_the_rest_of_an_artifact_key_by_key() -> None:
    defaults = DEFAULTS + "    artifact: {signer: {key: theirs}, log: optional, require: [{use: signature}]}\n"
    own = 'artifact: {signer: {identity: "https://github.com/a/b/.github/workflows/r.yml@refs/heads/main"}}'
    (rule,) = stages(POLICY.replace("from: staging}", f"from: staging, {own}}}"), defaults)[1].artifact
    assert "theirs" not in str(rule)
    assert "must_be_logged=False" in repr(rule)


def test_defaults_never_add_a_stage() -> None:
    defaults = DEFAULTS + "  canary: {window: {for: 5m}}\n"
    assert [stage.name for stage in read(defaults=defaults).stages] == ["staging", "production"]


# --- where it has no place -------------------------------------------------------------------------------------------


def test_a_first_stage_does_not_inherit_what_only_stages_with_from_have() -> None:
    staging, production = stages()
    assert (staging.rollback, staging.calendar) == (None, None)
    assert production.rollback is not None
    assert production.calendar is not None


def test_but_of_a_first_stage_that_is_named_it_is_a_fault() -> None:
    defaults = DEFAULTS + "  staging: {rollback: {watch: 1h, triggers: [{use: argocd-degraded}]}}\n"
    assert sentences(defaults=defaults) == [
        "defaults.yaml:17:23: stages.staging.rollback: found it in a first stage, expected it only in a stage with from"
    ]


def test_from_and_releases_can_be_inherited() -> None:
    defaults = DEFAULTS.replace("stage:\n", "stage:\n  from: registry\n  releases: {semver: '>=1'}\n")
    policy = read(POLICY, defaults)
    assert [stage.source for stage in policy.stages] == ["registry", "staging"]
    assert policy.stages[0].intake is not None
    assert policy.stages[0].rollback is not None
    without = defaults.replace("  from: registry\n", "")
    assert read(POLICY, without).stages[0].intake is None


@pytest.mark.parametrize("where", ["policy", "named"])
def test_a_stage_that_promotes_by_commit_inherits_nothing_about_pull_requests(where: str) -> None:
    policy, defaults = POLICY, DEFAULTS
    if where == "policy":
        policy = POLICY.replace("from: staging}", "from: staging, promote: {by: commit, notify: ['@dana']}}")
    else:
        defaults = DEFAULTS.replace("promote: {merge: human}", "promote: {by: commit}")
    _, production = stages(policy, defaults)
    assert production.proposing.by is Road.COMMIT
    assert production.proposing.labels == ()


def test_what_is_no_list_of_mappings_is_told_as_ever() -> None:
    assert sentences(f"{HEAD}extends: defaults.yaml\nservice: cart\nstages: x\n") == [
        'cart.yaml:4:9: stages: found "x", expected a list'
    ]
    assert sentences(f"{HEAD}extends: defaults.yaml\nservice: cart\nstages: [x]\n") == [
        'cart.yaml:4:10: stages[0]: found "x", expected a mapping'
    ]
    assert "stages: found nothing" in sentences(f"{HEAD}extends: defaults.yaml\nservice: cart\n")[0]


def test_a_mapping_over_a_text_and_a_text_over_a_mapping_take_all() -> None:
    (fault,) = faults(POLICY.replace("from: staging}", "from: staging, window: 5m}"))
    assert (fault.file, fault.found, fault.expected) == ("cart.yaml", '"5m"', "a mapping")
    _, production = stages(POLICY.replace("from: staging}", "from: staging, argocd: [a, b]}"))
    assert len(production.applications) == 2


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_fault_of_the_defaults_is_told_under_their_name_and_by_their_path() -> None:
    defaults = DEFAULTS.replace("limit: 1%", "limit: 1 percent").replace("hold}", "hould}")
    assert [one for one in sentences(defaults=defaults) if "gates" in one or "deadline" in one] == [
        (
            'defaults.yaml:9:37: stage.gates[0].limit: found "1 percent", '
            "expected a percentage such as 1% or a share such as 0.01"
        ),
        (
            'defaults.yaml:15:36: stages.production.window.at_deadline: found "hould", expected ask, hold or promote; '
            'did you mean "hold"?'
        ),
    ]


def test_a_fault_of_the_defaults_reads_the_same_for_every_policy_and_stage() -> None:
    defaults = DEFAULTS.replace("limit: 1%", "limit: 1 percent")
    other = POLICY.replace("service: cart", "service: shop").replace("name: staging", "name: canary")
    assert faults(defaults=defaults)[:1] == faults(other.replace("from: staging", "from: canary"), defaults)[:1]
    assert len(faults(defaults=defaults)) == 1


def test_what_is_missing_is_told_where_the_policy_could_say_it() -> None:
    defaults = DEFAULTS.replace('  argocd: "{service}-{stage}"\n', "")
    assert [(one.file, one.path) for one in faults(defaults=defaults)] == [
        ("cart.yaml", "stages[0].argocd"),
        ("cart.yaml", "stages[1].argocd"),
    ]
    defaults = DEFAULTS.replace("{watch: 1h, triggers", "{triggers")
    assert [(one.file, one.path) for one in faults(defaults=defaults)] == [("defaults.yaml", "stage.rollback.watch")]


@pytest.mark.parametrize("name", ["", "service: Cart!\n", "service: [a]\n"])
def test_a_name_that_is_missing_or_wrong_is_told_and_nothing_more_because_of_it(name: str) -> None:
    found = faults(POLICY.replace("service: cart\n", name))
    assert [(one.file, one.path) for one in found] == [("cart.yaml", "service")]
    found = faults(POLICY.replace("name: staging", "name: Staging!"))
    assert {one.file for one in found} == {"cart.yaml"}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("other.yaml", 'found "other.yaml", expected defaults.yaml'),
        ("../defaults.yaml", 'found "../defaults.yaml", expected defaults.yaml'),
        ("[defaults.yaml]", "found a list, expected defaults.yaml"),
    ],
)
def test_only_the_defaults_beside_it_can_be_extended(said: str, sentence: str) -> None:
    assert sentences(POLICY.replace("extends: defaults.yaml", f"extends: {said}")) == [
        f"cart.yaml:2:10: extends: {sentence}"
    ]


def test_to_extend_nothing_is_a_fault() -> None:
    assert "cart.yaml:2:1: extends: found nothing, expected a value, or not this key at all" in sentences(
        POLICY.replace("extends: defaults.yaml", "extends:")
    )


def test_defaults_that_are_not_there_or_broken_are_told_with_what_else_is_no_yaml() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(f"{POLICY}service: b\n", file="cart.yaml", templates=TEMPLATES)
    assert [str(one) for one in caught.value.faults] == [
        (
            'cart.yaml:2:10: extends: found "defaults.yaml", which is not there, '
            "expected a file defaults.yaml beside the policy"
        ),
        'cart.yaml:7:1: found the key "service" twice, expected each key once, as text',
    ]
    with pytest.raises(PolicyError) as caught:
        parse_defaults("stage: [")
    inherited = Inherited(error=caught.value)
    with pytest.raises(PolicyError, match=r"defaults\.yaml:1:9: found invalid YAML"):
        parse_policy(POLICY, file="cart.yaml", templates=TEMPLATES, inherited=inherited)


def test_a_small_policy_does_not_grow_without_bounds() -> None:
    many = "".join(f"    l{number}: x\n" for number in range(MAX_NODES // 20))
    defaults = f"{HEAD}stage:\n  metrics:\n{many}"
    few = "".join(f"  - {{name: s{number}}}\n" for number in range(20))
    (fault,) = faults(f"{HEAD}extends: defaults.yaml\nservice: a\nstages:\n{few}", defaults)
    assert str(fault) == (
        "cart.yaml:2:10: extends: found a larger structure with what it inherits, expected at most 10,000 values"
    )


def test_what_many_stages_inherit_is_bounded_by_its_characters_before_it_is_filled_in() -> None:
    few = "".join(f"  - {{name: {'s' * 60}{number}}}\n" for number in range(100))
    policy = f"{HEAD}extends: defaults.yaml\nservice: a\nstages:\n{few}"
    (fault,) = faults(policy, f'{HEAD}stage:\n  argocd: "{"{stage}" * 8000}"\n')
    assert str(fault) == (
        "cart.yaml:2:10: extends: found a larger structure with what it inherits, "
        "expected at most 1,048,576 characters inherited"
    )
    (fault,) = faults(policy, f'{HEAD}stages:\n  {"s" * 60}7:\n    argocd: "{"{stage}" * 80_000}"\n')
    assert "1,048,576 characters inherited" in str(fault)


def test_a_key_left_empty_in_the_defaults_is_a_fault_there() -> None:
    assert sentences(defaults=DEFAULTS.replace("warmup: 2m", "warmup: ")) == [
        "defaults.yaml:8:22: stage.window.warmup: found nothing, expected a value, or not this key at all"
    ]


# --- the version -----------------------------------------------------------------------------------------------------


def test_the_version_changes_with_the_defaults_that_are_extended() -> None:
    own = read().version
    assert read().version == own
    assert read(defaults=f"{DEFAULTS}# more\n").version != own
    assert read(policy=f"{POLICY}# more\n").version != own
