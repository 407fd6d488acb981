"""`from` of a stage: one stage, several, any of several; and what the stages must be to each other."""

from __future__ import annotations

import pytest

from bot.domain.policy import Join, Policy
from bot.policy import PolicyError, parse_policy, shipped_gate_templates

HEAD = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
gitops: {repository: acme/deploy}
stages:
"""
STAGE = """\
  - name: NAME
    edit: {kustomize: NAME/kustomization.yaml}
    argocd: NAME
    metrics: {namespace: NAME}
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
"""
TEMPLATES = shipped_gate_templates()


def a_stage(name: str, origin: str = "", more: str = "") -> str:
    return STAGE.replace("NAME", name) + (f"    from: {origin}\n" if origin else "") + more


def parse(*stages: str) -> Policy:
    return parse_policy(HEAD + "".join(stages), file="a.yaml", templates=TEMPLATES)


def faults_of(*stages: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(*stages)
    return [str(fault).removeprefix("a.yaml:") for fault in caught.value.faults]


EU, US = a_stage("eu"), a_stage("us")


@pytest.mark.parametrize(
    ("origin", "join"),
    [("[eu, us]", Join.ALL), ("{all: [eu, us]}", Join.ALL), ("{any: [eu, us]}", Join.ANY)],
)
def test_a_stage_gets_its_releases_from_several(origin: str, join: Join) -> None:
    policy = parse(EU, US, a_stage("production", origin))
    production = policy.stage("production")
    assert (production.sources, production.join) == (("eu", "us"), join)
    assert [stage.name for stage in policy.targets_of(policy.stage("us"))] == ["production"]


def test_a_stage_from_one_joins_nothing() -> None:
    production = parse(EU, a_stage("production", "eu")).stage("production")
    assert (production.source, production.beside, production.sources) == ("eu", (), ("eu",))
    assert parse(EU).stage("eu").sources == ()


@pytest.mark.parametrize(
    ("origin", "fault"),
    [
        (
            "[]",
            "19:11: stages[2].from: found an empty list, expected a list of at least two stages, or the name of one",
        ),
        ("[eu]", "19:11: stages[2].from: found one, expected a list of at least two stages, or the name of one"),
        ("[eu, eu]", '19:16: stages[2].from[1]: found "eu" twice, expected each stage once'),
        (
            "[eu, registry]",
            '19:16: stages[2].from[1]: found "registry" among others, expected it alone, or stages only',
        ),
        ("{any: []}", "19:17: stages[2].from.any: found an empty list, expected a list of at least two stages"),
        ("{any: eu}", '19:17: stages[2].from.any: found "eu", expected a list'),
        ("{}", "19:11: stages[2].from: found neither, expected one of all and any"),
        ("{any: [eu, us], all: [eu, us]}", "19:11: stages[2].from: found both, expected one of all and any"),
        (
            "{any: [eu, uss]}",
            '19:22: stages[2].from: found "uss", expected another stage: eu, us; or registry; did you mean "us"?',
        ),
        (
            "[eu, production]",
            '19:16: stages[2].from: found "production", expected another stage: eu, us; or registry',
        ),
        ("[eu, A]", '19:16: stages[2].from[1]: found "A", expected the name of another stage, or registry'),
        ("[eu, [us]]", "19:16: stages[2].from[1]: found a list, expected the name of another stage, or registry"),
    ],
)
def test_what_is_no_origin_is_named_at_its_place(origin: str, fault: str) -> None:
    production = f"  - name: production\n    from: {origin}\n" + a_stage("production").partition("\n")[2]
    found = faults_of(EU, US, production)
    assert found[:1] == [fault]


def test_an_unknown_key_of_from_is_named_with_the_nearest() -> None:
    found = faults_of(EU, US, a_stage("production", "{anyy: [eu, us]}"))
    assert any('found an unknown key, expected one of all, any; did you mean "any"?' in one for one in found)


def test_a_circle_through_one_of_several_is_found() -> None:
    found = faults_of(EU, a_stage("us", "[eu, world]"), a_stage("world", "us"))
    assert [one.partition(" ")[2] for one in found] == [
        "stages[1].from: found a circle, us from world from us, expected a chain that begins somewhere",
        "stages[2].from: found a circle, world from us from world, expected a chain that begins somewhere",
    ]


def test_the_shortest_circle_is_shown_and_the_middle_of_a_long_one_left_out() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    ring = [a_stage(name, before) for name, before in zip(names, [*names[1:], "a"], strict=True)]
    assert (
        "stages[1].from: found a circle, a from b from c from d from … from f from a, expected"
        in faults_of(EU, *ring)[0]
    )
    short = a_stage("c", "[d, eu, a]")
    assert "found a circle, b from c from a from b, expected" in faults_of(EU, *ring[:2], short, *ring[3:])[1]


def test_each_of_several_needs_a_window_and_a_gate_that_decides() -> None:
    without = US.replace("    window: {for: 30m}\n    gates: [{use: argocd-healthy}]\n", "")
    (found,) = faults_of(EU, without, a_stage("production", "[eu, us]"))
    assert found.startswith("12:5: stages[1]: found a stage without them")


# --- also ------------------------------------------------------------------------------------------------------------


def taken(*names: str) -> str:
    triggers = "triggers: [{use: argocd-degraded, for: 5m}]"
    return f"    rollback: {{watch: 1h, by: commit, {triggers}, also: [{', '.join(names)}]}}\n"


def test_out_of_all_that_a_release_passes_before_it_may_be_taken_along() -> None:
    policy = parse(EU, US, a_stage("mid", "[eu, us]"), a_stage("last", "mid", taken("mid", "eu", "us")))
    rollback = policy.stage("last").rollback
    assert rollback is not None
    assert rollback.also == ("mid", "eu", "us")


def test_out_of_a_stage_that_gets_it_with_this_one_too() -> None:
    parse(EU, a_stage("east", "eu", taken("west")), a_stage("west", "eu", taken("east")))


def test_but_out_of_no_stage_behind_it_nor_out_of_itself() -> None:
    assert faults_of(EU, a_stage("mid", "eu", taken("last", "mid")), a_stage("last", "mid")) == [
        '12:5: stages[1].rollback.also: found "last", expected a stage that releases pass before mid: eu',
        '12:5: stages[1].rollback.also: found "mid", expected a stage that releases pass before mid: eu',
    ]
    (found,) = faults_of(EU, a_stage("east", "eu", taken("wst")), a_stage("west", "eu"))
    assert found == (
        '12:5: stages[1].rollback.also: found "wst", expected a stage that releases pass before east, or enter '
        'with it: eu, west; did you mean "west"?'
    )


# --- a pause ---------------------------------------------------------------------------------------------------------


def test_a_pause_is_read_and_none_is_the_default() -> None:
    assert parse(EU, a_stage("production", "eu", "    promote: {pause: 45m}\n")).stage("production").proposing.pause
    assert not parse(EU, a_stage("production", "eu")).stage("production").proposing.pause


def test_a_pause_has_no_place_behind_the_registry() -> None:
    first = a_stage("eu", "registry", "    releases: {semver: 1.x}\n    promote: {by: commit, pause: 45m}\n")
    assert faults_of(first) == [
        (
            "14:34: stages[0].promote.pause: found a pause behind the registry, expected a pause only after a stage, "
            "since it begins when a window there is over"
        )
    ]


def test_of_very_many_unknown_stages_only_the_first_are_told_with_what_may_be_meant() -> None:
    names = [f"production-{number:03}" for number in range(60)]
    stages = [f"  - {{name: {name}, edit: {{kustomize: k}}, from: productoin-{name[-3:]}}}\n" for name in names]
    found = [one for one in faults_of(*stages) if ".from: " in one]
    assert len(found) == 60
    assert found[0].endswith('and 19 more; or registry; did you mean "production-050"?'), found[0]
    assert found[-1].endswith("production-003, production-004 and 54 more; or registry"), found[-1]


def test_of_very_many_stages_none_is_guessed() -> None:
    stages = [f"  - {{name: s{number}, edit: {{kustomize: k}}}}\n" for number in range(150)]
    (found,) = [one for one in faults_of(a_stage("p", "s1x"), *stages) if ".from: " in one]
    assert found.endswith("more; or registry")
