"""`releases` of a stage from the registry: which tags are releases, and every sentence that a wrong one can get."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.intake import REGISTRY, FollowRule, Intake, NewestRule, PatternRule, SemverRule, TagRule
from bot.domain.policy import Policy, Road
from bot.policy import PolicyError, parse_policy, shipped_gate_templates

TEMPLATES = shipped_gate_templates()
HEAD = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
gitops: {repository: acme/deploy}
stages:
"""
STAGING = """\
  - name: staging
    edit: {kustomize: staging}
    argocd: staging
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
    from: registry
"""
SEMVER = "    releases: {semver: '>=1.4 <2'}\n"
PRODUCTION = "  - {name: production, from: staging, edit: {kustomize: production}, argocd: production}\n"
A_TEMPLATE = (
    "the form of a tag, such as main-{number}-{commit}: {number}, {version}, {time}, {commit} and one {text}, "
    "with text between them that they could not go on with"
)
A_RANGE = "a range of versions such as >=1.4 <2, ^1.2, ~1.2, 1.x or 1.2.3 - 1.9"
ONE_OF_FOUR = "exactly one of semver, pattern, newest, follow"


def parse(text: str) -> Policy:
    return parse_policy(text, file="a.yaml", templates=TEMPLATES)


def releases(*lines: str) -> str:
    return "".join(["    releases:\n", *(f"      {line}\n" for line in lines)])


def intake_of(*lines: str) -> Intake | None:
    return parse(HEAD + STAGING + releases(*lines)).stages[0].intake


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return [
        f"{fault.line}:{fault.column} {fault.path}: found {fault.found}, expected {fault.expected}"
        for fault in caught.value.faults
    ]


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (["semver: '>=1.4 <2'"], SemverRule(constraint=">=1.4 <2")),
        (["semver: ^1.2", "prereleases: true"], SemverRule(constraint="^1.2", prereleases=True)),
        (["semver: 1.10", "prereleases: false"], SemverRule(constraint="1.10")),
        (["pattern: main-{number}-{commit}"], PatternRule(template="main-{number}-{commit}", by="number")),
        (["pattern: '{version}-{text}'"], PatternRule(template="{version}-{text}", by="version")),
        (["pattern: a-{time}-{number}", "by: time"], PatternRule(template="a-{time}-{number}", by="time")),
        (["pattern: a-{number}", "by: number"], PatternRule(template="a-{number}", by="number")),
        (["newest: any"], NewestRule()),
        (["newest: main-{commit}"], NewestRule(template="main-{commit}")),
        (["follow: stable"], FollowRule(tag="stable")),
    ],
    ids=str,
)
def test_a_rule_means_what_it_says(lines: list[str], rule: TagRule) -> None:
    assert intake_of(*lines) == Intake(rule=rule, every=timedelta(minutes=1))


@pytest.mark.parametrize(
    ("text", "every"),
    [("10s", timedelta(seconds=10)), ("5m", timedelta(minutes=5)), ("1d", timedelta(days=1))],
)
def test_how_often_the_registry_is_asked_can_be_said(text: str, every: timedelta) -> None:
    assert intake_of("newest: any", f"every: {text}") == Intake(rule=NewestRule(), every=every)


def test_a_stage_from_the_registry_comes_before_others() -> None:
    staging, production = parse(HEAD + STAGING + SEMVER + PRODUCTION).stages
    assert (staging.source, production.source) == (REGISTRY, "staging")
    assert staging.intake is not None
    assert production.intake is None


def test_a_stage_without_from_takes_nothing_from_the_registry() -> None:
    (stage,) = parse(HEAD + STAGING.replace("    from: registry\n", "")).stages
    assert (stage.source, stage.intake) == (None, None)


def test_what_enters_from_the_registry_can_be_promoted_and_rolled_back() -> None:
    rollback = "    rollback: {watch: 1h, triggers: [{use: argocd-degraded}]}\n"
    (stage,) = parse(HEAD + STAGING + SEMVER + "    promote: {by: commit}\n" + rollback).stages
    assert stage.proposing.by is Road.COMMIT
    assert stage.rollback is not None


def test_a_stage_before_can_be_taken_back_along_with_one_behind_it_but_the_registry_cannot() -> None:
    also = "rollback: {watch: 1h, also: [%s], triggers: [{use: argocd-degraded}]}}"
    text = HEAD + STAGING + SEMVER + PRODUCTION.replace("production}\n", f"production, {also}\n")
    assert parse(text % "staging").stages[1].rollback is not None
    assert faults_of(text % "registry") == [
        '13:5 stages[1].rollback.also: found "registry", expected a stage that releases pass before production: staging'
    ]


def test_one_stage_at_most_comes_from_the_registry() -> None:
    other = STAGING.replace("staging", "other") + releases("follow: stable")
    assert faults_of(HEAD + STAGING + SEMVER + other) == [
        (
            '18:11 stages[1].from: found "registry" a second time, expected one stage at most from the registry, '
            "which is stages[0]; the others from that stage"
        )
    ]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (["every: 1m"], [f"13:7 stages[0].releases: found none of them, expected {ONE_OF_FOUR}"]),
        (
            ["semver: ^1", "newest: any"],
            [f"13:7 stages[0].releases: found semver and newest, expected {ONE_OF_FOUR}"],
        ),
        (["semver: one"], [f'13:15 stages[0].releases.semver: found "one", expected {A_RANGE}']),
        (["semver: [^1]"], [f"13:15 stages[0].releases.semver: found a list, expected {A_RANGE}"]),
        (
            ["semver: ^1", "prereleases: maybe"],
            ['14:20 stages[0].releases.prereleases: found "maybe", expected true or false'],
        ),
        (
            ["newest: any", "prereleases: true"],
            ["14:20 stages[0].releases.prereleases: found it without semver, expected it only beside semver"],
        ),
        (
            ["semver: ^1", "by: version"],
            ["14:11 stages[0].releases.by: found it without pattern, expected it only beside pattern"],
        ),
        (["pattern: '(a+)+'"], [f'13:16 stages[0].releases.pattern: found "(a+)+", expected {A_TEMPLATE}']),
        (
            ["pattern: main-{commit}"],
            [
                (
                    '13:16 stages[0].releases.pattern: found "main-{commit}", '
                    "expected {number}, {version} or {time} in it once, to sort by"
                )
            ],
        ),
        (
            ["pattern: a-{number}-{time}"],
            ["13:7 stages[0].releases.by: found nothing, expected what to sort by: number or time"],
        ),
        (
            ["pattern: a-{number}", "by: commit"],
            ['14:11 stages[0].releases.by: found "commit", expected what to sort by: number'],
        ),
        (["newest: main"], [f'13:15 stages[0].releases.newest: found "main", expected any, or {A_TEMPLATE}']),
        (["follow: a b"], ['13:15 stages[0].releases.follow: found "a b", expected a tag that moves, such as stable']),
        (
            ["follow: stable", "every: 9s"],
            [
                (
                    '14:14 stages[0].releases.every: found "9s", '
                    "expected a duration such as 30s, 5m or 1h30m, from 10s to 1d"
                )
            ],
        ),
        (
            ["follow: stable", "every: 25h"],
            [
                (
                    '14:14 stages[0].releases.every: found "25h", '
                    "expected a duration such as 30s, 5m or 1h30m, from 10s to 1d"
                )
            ],
        ),
        (
            ["follow: stable", "pre: true"],
            [
                (
                    "14:7 stages[0].releases.pre: found an unknown key, "
                    "expected one of by, every, follow, newest, pattern, prereleases, semver"
                )
            ],
        ),
        (
            ["semver:", "follow: stable"],
            ["13:7 stages[0].releases.semver: found nothing, expected a value, or not this key at all"],
        ),
    ],
    ids=str,
)
def test_each_fault_of_releases_is_named_with_its_place(lines: list[str], faults: list[str]) -> None:
    assert faults_of(HEAD + STAGING + releases(*lines)) == faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (STAGING, "6:5 stages[0].releases: found nothing, expected a mapping"),
        (f"{STAGING}    releases: ^1.2\n", '12:15 stages[0].releases: found "^1.2", expected a mapping'),
        (
            (STAGING + SEMVER).replace("    from: registry\n", ""),
            "11:15 stages[0].releases: found it, expected it only beside from: registry",
        ),
        (
            STAGING + SEMVER + PRODUCTION.replace("from: staging", "from: staging, releases: {follow: stable}"),
            "13:49 stages[1].releases: found it, expected it only beside from: registry",
        ),
        (
            (STAGING + SEMVER).replace("name: staging", "name: registry"),
            (
                '6:11 stages[0].name: found "registry", expected another name, '
                "since from: registry means the image registry"
            ),
        ),
        (
            (STAGING + SEMVER).replace("from: registry", "from: [registry]").replace(SEMVER, ""),
            "11:11 stages[0].from: found one, expected a list of at least two stages, or the name of one",
        ),
        (
            STAGING + SEMVER + PRODUCTION.replace("from: staging", "from: nowhere"),
            '13:30 stages[1].from: found "nowhere", expected another stage: staging; or registry',
        ),
        (
            STAGING.replace("    window: {for: 30m}\n    gates: [{use: argocd-healthy}]\n", "") + SEMVER + PRODUCTION,
            (
                "6:5 stages[0]: found a stage without them, expected a window and at least one gate that decides by "
                "looking, since a release moves on from here"
            ),
        ),
    ],
    ids=[
        "no releases",
        "releases as text",
        "without from",
        "from another stage",
        "a stage called registry",
        "from a list",
        "from nowhere",
        "a source without gates",
    ],
)
def test_what_does_not_fit_a_stage_from_the_registry_is_named_with_its_place(text: str, fault: str) -> None:
    assert faults_of(HEAD + text) == [fault]


def test_stages_in_a_circle_are_one_beside_a_stage_from_the_registry() -> None:
    circle = PRODUCTION.replace("from: staging", "from: last") + PRODUCTION.replace("production", "last").replace(
        "from: staging", "from: production"
    )
    faults = faults_of(HEAD + STAGING + SEMVER + circle)
    assert [fault.partition(", expected")[0] for fault in faults if "circle" in fault] == [
        "13:30 stages[1].from: found a circle, production from last from production",
        "14:24 stages[2].from: found a circle, last from production from last",
    ]
    assert not any("in every stage" in fault for fault in faults)


def test_without_a_first_stage_the_registry_is_named_as_another_beginning() -> None:
    text = HEAD + PRODUCTION.replace("from: staging", "from: production")
    assert any(
        "found from in every stage, expected a first stage without from, or with from: registry" in fault
        for fault in faults_of(text)
    )
