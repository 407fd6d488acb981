"""`waves` of a stage: one stage of the file that stands for a stage in each region."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.edit import HelmEdit
from bot.domain.policy import Join, Policy, Stage
from bot.domain.rules import CountGate
from bot.policy import PolicyError, parse_policy, shipped_gate_templates

HEAD = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
gitops: {repository: acme/deploy}
stages:
  - name: staging
    edit: {kustomize: staging.yaml}
    argocd: staging
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
"""
PRODUCTION = """\
  - name: production
    from: staging
    waves: WAVES
    edit: {helm: {file: "{region}/values.yaml", tag: image.tag}}
    argocd: "checkout-{region}"
    metrics: {namespace: checkout, region: "{region}"}
    window: {for: 30m}
    gates: [{use: http-errors, limit: 1%}]
    rollback: {watch: 1h, by: commit, triggers: [{use: http-errors, limit: 2%}]}
"""
LAST = """\
  - name: archive
    from: production
    edit: {kustomize: archive.yaml}
    argocd: archive
"""
TEMPLATES = shipped_gate_templates()


def text_of(waves: str, more: str = "", production: str = PRODUCTION) -> str:
    return HEAD + production.replace("WAVES", waves) + more


def parse(text: str) -> Policy:
    return parse_policy(text, file="a.yaml", templates=TEMPLATES)


def waves(waves: str, more: str = "", production: str = PRODUCTION) -> dict[str, Stage]:
    return {stage.name: stage for stage in parse(text_of(waves, more, production)).stages}


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return [str(fault).removeprefix("a.yaml:") for fault in caught.value.faults]


REGIONS = "{regions: [eu, [us, asia], moon], pause: 30m}"


def test_each_region_is_a_stage_of_its_own() -> None:
    stages = waves(REGIONS)
    assert list(stages) == ["staging", "production-eu", "production-us", "production-asia", "production-moon"]
    us = stages["production-us"]
    assert us.edit == HelmEdit(file="us/values.yaml", tag="image.tag")
    assert [target.shown for target in us.applications] == ["checkout-us"]
    (gate,) = us.gates
    assert isinstance(gate, CountGate)
    assert {ask.query.text.count('region="us"') > 0 for ask in gate.asks.values()} == {True}


def test_a_wave_comes_from_all_regions_of_the_wave_before() -> None:
    stages = waves(REGIONS)
    sources = {name: (stage.sources, stage.join) for name, stage in stages.items()}
    assert sources == {
        "staging": ((), Join.ALL),
        "production-eu": (("staging",), Join.ALL),
        "production-us": (("production-eu",), Join.ALL),
        "production-asia": (("production-eu",), Join.ALL),
        "production-moon": (("production-us", "production-asia"), Join.ALL),
    }


def test_the_pause_is_before_each_wave_but_the_first_which_has_the_one_of_the_stage() -> None:
    half = timedelta(minutes=30)
    pauses = {name: stage.proposing.pause for name, stage in waves(REGIONS).items()}
    assert pauses == {
        "staging": timedelta(0),
        "production-eu": timedelta(0),
        "production-us": half,
        "production-asia": half,
        "production-moon": half,
    }
    own = PRODUCTION + "    promote: {merge: auto, pause: 2h}\n"
    found = {name: stage.proposing.pause for name, stage in waves(REGIONS, production=own).items()}
    assert (found["production-eu"], found["production-us"]) == (timedelta(hours=2), half)
    without = waves("{regions: [eu, us]}", production=own)
    assert without["production-us"].proposing.pause == timedelta(hours=2)


def test_a_region_by_itself_is_a_wave_of_one() -> None:
    assert list(waves("{regions: [eu]}")) == ["staging", "production-eu"]
    assert waves("{regions: [eu, us]}") == waves("{regions: [[eu], [us]]}")


def also_of(stage: Stage) -> tuple[str, ...]:
    assert stage.rollback is not None
    return stage.rollback.also


def test_regions_stand_together_only_if_the_policy_says_so() -> None:
    assert {also_of(stage) for name, stage in waves(REGIONS).items() if name != "staging"} == {()}
    stages = waves("{regions: [eu, [us, asia]], together: true}")
    assert also_of(stages["production-eu"]) == ()
    assert also_of(stages["production-us"]) == ("production-eu", "production-asia")
    assert also_of(stages["production-asia"]) == ("production-eu", "production-us")


def test_what_the_stage_takes_along_itself_is_kept() -> None:
    own = PRODUCTION.replace("watch: 1h,", "watch: 1h, also: [staging],")
    stages = waves("{regions: [eu, us], together: true}", production=own)
    assert also_of(stages["production-us"]) == ("staging", "production-eu")


def test_without_a_rollback_there_is_nothing_to_take_along() -> None:
    own = PRODUCTION.rpartition("    rollback")[0]
    assert waves("{regions: [eu, us], together: true}", production=own)["production-us"].rollback is None


def test_a_stage_behind_waves_comes_from_the_whole_last_one() -> None:
    assert waves(REGIONS, LAST)["archive"].sources == ("production-moon",)
    assert waves("{regions: [eu, [us, asia]]}", LAST)["archive"].sources == ("production-us", "production-asia")
    for listed in ("[production, staging]", "{all: [production, staging]}"):
        found = waves("{regions: [eu, [us, asia]]}", LAST.replace("from: production", f"from: {listed}"))
        assert found["archive"].sources == ("production-us", "production-asia", "staging")


def test_what_is_said_of_stages_without_waves_stays() -> None:
    second = HEAD[HEAD.index("  - name") :].replace("staging", "second")
    last = LAST.replace("from: production", "from: {any: [staging, second]}")
    archive = waves("{regions: [eu, us]}", second + last)["archive"]
    assert (archive.sources, archive.join) == (("staging", "second"), Join.ANY)


def test_what_a_stage_behind_takes_along_is_all_regions() -> None:
    rollback = (
        "    rollback: {watch: 1h, by: commit, also: [production], triggers: [{use: argocd-degraded, for: 3m}]}\n"
    )
    assert also_of(waves(REGIONS, LAST + rollback)["archive"]) == (
        "production-eu",
        "production-us",
        "production-asia",
        "production-moon",
    )


def test_a_stage_in_waves_may_follow_another() -> None:
    second = PRODUCTION.replace("name: production", "name: edge").replace("from: staging", "from: production")
    text = text_of("{regions: [eu, [us, asia]]}") + second.replace("WAVES", "{regions: [one]}").replace(
        "{region}/values.yaml", "edge-{region}/values.yaml"
    )
    assert parse(text).stage("edge-one").sources == ("production-us", "production-asia")


def test_a_region_stands_in_a_mapping_of_applications_and_in_what_moves_along() -> None:
    own = PRODUCTION.replace('argocd: "checkout-{region}"', 'argocd: {selector: "region={region}"}') + (
        '    with: [{edit: {helm: {file: "{region}/values.yaml", tag: other.tag}}}]\n'
    )
    stage = waves("{regions: [eu, us]}", production=own)["production-us"]
    assert stage.applications[0].shown == "region=us"
    assert stage.files == ("us/values.yaml",)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("{regions: []}", "13:12: stages[1].waves.regions: found an empty list, expected at least one wave of regions"),
        ("{}", "13:12: stages[1].waves.regions: found nothing, expected a list"),
        ("[eu]", "13:12: stages[1].waves: found a list, expected a mapping"),
        ("{regions: [eu, eu]}", "13:12: stages[1].waves.regions: found eu twice, expected each region once"),
        ("{regions: [EU]}", '13:23: stages[1].waves.regions[0]: found "EU", expected a name of a-z, 0-9 and -'),
        (
            "{regions: [[eu, 'U']]}",
            '13:28: stages[1].waves.regions[0][1]: found "U", expected a name of a-z, 0-9 and -',
        ),
        (
            "{regions: [[]]}",
            ("13:23: stages[1].waves.regions[0]: found a list, expected a region, or a list of regions that get a "
            "release together"),
        ),
        (
            "{regions: [{a: 1}]}",
            ("13:23: stages[1].waves.regions[0]: found a mapping, expected a region, or a list of regions that get a "
            "release together"),
        ),
        (
            "{regions: [eu], paus: 1m}",
            (
                "13:28: stages[1].waves.paus: found an unknown key, expected one of pause, regions, together; "
                'did you mean "pause"?'
            ),
        ),
        ("{regions: [eu], together: yes}", '13:38: stages[1].waves.together: found "yes", expected true or false'),
        ("", "11:5: stages[1].waves: found nothing, expected a mapping"),
    ],
)  # fmt: skip
def test_what_are_no_waves_is_named_at_its_place(said: str, fault: str) -> None:
    assert faults_of(text_of(said))[0] == fault


def test_a_first_stage_has_no_waves() -> None:
    first = PRODUCTION.replace("    from: staging\n", "").rpartition("    rollback")[0]
    found = faults_of(text_of("{regions: [eu]}", production=first))
    assert found[0] == "12:12: stages[1].waves: found waves in a first stage, expected waves only in a stage with from"


def test_a_fault_of_the_stage_is_told_once_and_under_the_stage_of_the_file() -> None:
    wrong = PRODUCTION.replace("limit: 1%", "limit: much")
    (found,) = faults_of(text_of(REGIONS, production=wrong))
    assert found.startswith('18:39: stages[1].gates[0].limit: found "much"')


def test_regions_that_share_a_value_are_found() -> None:
    same = PRODUCTION.replace("{region}/values.yaml", "values.yaml")
    found = faults_of(text_of("{regions: [eu, us]}", production=same))
    assert found == ["11:5: stages[1].edit: found the value that stage production-eu has, expected a value of its own"]


def test_any_of_a_stage_in_waves_means_nothing() -> None:
    last = LAST.replace("from: production", "from: {any: [production, staging]}")
    assert any(
        'stages[2].from.any: found "production" with waves, expected stages without waves' in one
        for one in faults_of(text_of("{regions: [eu, us]}", last))
    )


def test_a_name_that_is_too_long_with_its_region_is_named() -> None:
    long = "x" * 60
    (found, *_) = faults_of(text_of(f"{{regions: [{long}]}}"))
    assert "stages[1].name" in found
    assert "at most 63 long" in found


def test_a_stage_without_a_name_is_told_of_its_name() -> None:
    nameless = PRODUCTION.replace("  - name: production\n    from", "  - from")
    assert any(".name: found nothing" in one for one in faults_of(text_of("{regions: [eu]}", production=nameless)))


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), min_size=1, max_size=4))
def test_every_region_passes_every_wave_before_it(listed: list[list[str]]) -> None:
    regions = [f"r{number}-{region}" for number, wave in enumerate(listed) for region in dict.fromkeys(wave)]
    by_wave = [[f"r{number}-{region}" for region in dict.fromkeys(wave)] for number, wave in enumerate(listed)]
    stages = waves(f"{{regions: [{', '.join(f'[{chr(44).join(wave)}]' for wave in by_wave)}]}}")
    assert len(stages) == 1 + len(regions)
    for number, wave in enumerate(by_wave):
        before = [f"production-{region}" for region in by_wave[number - 1]] if number else ["staging"]
        assert all(stages[f"production-{region}"].sources == tuple(before) for region in wave)


def test_a_small_file_does_not_grow_without_bounds() -> None:
    many = ", ".join(f"r{number}" for number in range(101))
    (fault,) = [one for one in faults_of(text_of(f"{{regions: [{many}]}}")) if ".waves" in one]
    assert fault.endswith("stages[1].waves.regions: found 101 regions, expected at most 100")
    long = PRODUCTION.replace("limit: 1%}]", "limit: 1%}" + ", {use: soak}" * 200 + "]")
    some = ", ".join(f"r{number}" for number in range(60))
    (fault,) = [one for one in faults_of(text_of(f"{{regions: [{some}]}}", production=long)) if ".waves" in one]
    assert fault.endswith("found a larger structure with all its regions, expected at most 20,000 values")


def a_stage_in_waves(name: str, regions: int, path: str = "{region}.yaml") -> str:
    listed = ", ".join(f"r{number}" for number in range(regions))
    edit = f'edit: {{kustomize: "{path}"}}'
    return f"  - {{name: {name}, from: staging, {edit}, waves: {{regions: [[{listed}]]}}}}\n"


def test_all_stages_with_all_their_regions_are_bounded_before_they_are_made() -> None:
    several = "".join(a_stage_in_waves(f"p{number}", 100) for number in range(40))
    assert faults_of(HEAD + several) == [
        "12:74: stages[2].waves: found a larger structure with all its regions, expected at most 200 stages"
    ]


def test_a_region_that_would_multiply_the_text_is_refused_before_it_is_put_in() -> None:
    long = a_stage_in_waves("p", 95, "{region}" * 20_000)
    (fault,) = faults_of(HEAD + long)
    assert fault.endswith("found a larger structure with all its regions, expected at most 1,048,576 characters")


def test_a_policy_has_at_most_so_many_stages() -> None:
    stages = "".join(f"  - {{name: s{number}, edit: {{kustomize: k}}}}\n" for number in range(200))
    (fault,) = faults_of(HEAD + stages)
    assert fault.endswith("stages: found 201 stages, expected at most 200")
