"""Test files are strict: every fault with its place, what was found and what was expected, all at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.authority import Permission
from bot.policy import PolicyError
from bot.trial.cases import Act, Acted, Event, PrometheusIs, Pushed, Released, Reported, Said, Syncs
from bot.trial.reading import MOST_LOOKS, MOST_TESTS, read_trial
from tests.trial.a_trial import POLICY, TRAFFIC, a_trial, with_expectation, written

FINE = "{at: 1m, stage: production, tag: 1.0.0}"


def faults_of(folder: Path, tests: str, *, policy: str = POLICY) -> list[str]:
    """Return the faults of a test file, without the folder that it is in."""
    path = written(folder, tests, policy=policy)
    with pytest.raises(PolicyError) as caught:
        read_trial(path)
    return [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


def the_events(folder: Path, *timeline: str, policy: str = POLICY) -> tuple[Event, ...]:
    text = with_expectation("{at: 9m, stage: production, tag: 1.0.0}", timeline=", ".join(timeline))
    return a_trial(folder, text, policy=policy).cases[0].timeline


def test_a_typo_in_what_happens_is_told_at_its_place_and_nothing_else(tmp_path: Path) -> None:
    (told,) = faults_of(tmp_path, with_expectation(FINE, timeline="{at: 0m, relese: 1.1.0}"))
    assert told.startswith("shop.test.yaml:6:25: tests[0].timeline[0].relese: found an unknown key, expected one of ")


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_test_begins_on_a_monday_with_some_tag_if_it_says_nothing(tmp_path: Path) -> None:
    read = a_trial(tmp_path, with_expectation(FINE))
    (case,) = read.cases
    assert (case.at, case.at.strftime("%A")) == (datetime(2026, 1, 5, 9, tzinfo=UTC), "Monday")
    assert case.tags == {"staging": "1.0.0", "production": "1.0.0"}
    assert (read.interval, case.looks) == (timedelta(seconds=15), timedelta(minutes=1))
    assert case.end == timedelta(minutes=1)


def test_a_test_has_what_the_file_says_and_its_own_in_place_of_it(tmp_path: Path) -> None:
    text = (
        "at: 2026-11-02T09:00:00+01:00\nlooks: 2m\ngiven: {staging: '2'}\n"
        "series: [{series: m, values: 1 2}, {series: n, values: '3'}]\n"
        "tests:\n"
        f"  - {{name: one, expect: [{FINE}]}}\n"
        "  - {name: two, at: 2026-11-03T09:00:00Z, looks: 5m, given: {production: '3'},\n"
        f"     series: [{{series: '{{__name__=\"m\"}}', values: '4', before: 1h}}], expect: [{FINE}]}}\n"
    )
    one, two = a_trial(tmp_path, text).cases
    assert (one.at.hour, two.at.day) == (8, 3)
    assert (one.looks, two.looks) == (timedelta(minutes=2), timedelta(minutes=5))
    assert (dict(one.tags), dict(two.tags)) == (
        {"staging": "2", "production": "1.0.0"},
        {"staging": "2", "production": "3"},
    )
    assert [(series.labels["__name__"], series.values) for series in one.series] == [("m", (1, 2)), ("n", (3,))]
    assert [(series.values, series.before) for series in two.series] == [
        ((4,), timedelta(hours=1)),
        ((3,), timedelta(0)),
    ]


def test_a_timeline_is_taken_in_the_order_of_time(tmp_path: Path) -> None:
    first, second = the_events(tmp_path, "{at: 5m, prometheus: down}", "{at: 90s, prometheus: up}")
    assert (first.at, second.at) == (timedelta(seconds=90), timedelta(minutes=5))


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ("{at: 1m, release: 1.1.0}", Released(tag="1.1.0", stage="staging", by="alice")),
        (
            "{at: 1m, release: 1.1.0, stage: production, by: dana}",
            Released(tag="1.1.0", stage="production", by="dana"),
        ),
        ("{at: 1m, prometheus: down}", PrometheusIs(up=False)),
        ("{at: 1m, argocd: shop-staging, health: Degraded}", Reported(application="shop-staging", health="Degraded")),
        (
            "{at: 1m, argocd: shop-staging, syncs: failed, message: no}",
            Reported(application="shop-staging", syncs=Syncs.FAILED, message="no"),
        ),
        ("{at: 1m, argocd: shop-staging, exists: false}", Reported(application="shop-staging", exists=False)),
        ("{at: 1m, by: dana, says: /liftlock hold it}", Said(by="dana", body="/liftlock hold it", stage="production")),
        ("{at: 1m, by: dana, merges: production}", Acted(by="dana", act=Act.MERGES, stage="production")),
        (
            "{at: 1m, by: dana, labels: liftlock/hold}",
            Acted(by="dana", act=Act.LABELS, stage="production", label="liftlock/hold"),
        ),
    ],
)
def test_what_happens_is_said_by_one_key(tmp_path: Path, event: str, what: object) -> None:
    assert the_events(tmp_path, event)[0].what == what


def test_an_image_was_written_by_alice_unless_somebody_else_is_named(tmp_path: Path) -> None:
    intake = "    from: registry\n    releases: {semver: '>=1'}\n"
    policy = POLICY.replace("  - name: staging\n", f"  - name: staging\n{intake}")
    first, second = the_events(tmp_path, "{at: 1m, image: 1.1.0}", "{at: 2m, image: 1.2.0, by: dana}", policy=policy)
    assert first.what == Pushed(tag="1.1.0", by="alice")
    assert second.what == Pushed(tag="1.2.0", by="dana")


def test_people_have_roles_and_teams_have_members(tmp_path: Path) -> None:
    more = "people: {dana: maintain, eve: read}\nteams: {acme/release: [dana, bob]}\n"
    read = a_trial(tmp_path, with_expectation(FINE, more=more))
    assert read.people == {"dana": Permission.MAINTAIN, "eve": Permission.READ}
    assert read.teams == {"acme/release": frozenset({"dana", "bob"})}


def test_another_policy_than_the_one_beside_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "other.yaml").write_text(POLICY.replace("service: shop", "service: other"))
    read = a_trial(tmp_path, f"policy: more/other.yaml\n{with_expectation(FINE)}")
    assert read.policy.service == "other"


def test_a_template_of_the_team_s_own_is_known(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "jobs.yaml").write_text(
        "name: jobs\ncounts: bad\ntitle: jobs\ndescription: Jobs.\nquery: sum by ($key) (a{$selector})\n"
        "total: sum by ($key) (b{$selector})\n"
    )
    policy = POLICY.replace("{use: http-errors, limit: 1%, floor: 100}", "{use: jobs, limit: 1%}")
    text = with_expectation("{at: 1m, stage: staging, gate: jobs, verdict: no data}")
    assert a_trial(tmp_path, text, policy=policy).cases[0].expectations[0].rule == "jobs"


# --- what is refused -------------------------------------------------------------------------------------------------

IN_EXPECT = [
    (
        "{at: 1m, stage: producton, tag: a}",
        '"producton", expected one of production, staging; did you mean "production"?',
    ),
    ("{at: 1m, tag: a}", "nothing, expected a stage: staging, production"),
    ("{stage: production, tag: a}", "nothing, expected a duration such as 30s, 5m or 1h30m, from the start of the"),
    ("{at: 1m, stage: production}", "nothing that is expected, expected one or more of state, waits_on, reason, tag"),
    ("{at: 1m, stage: production, stat: settled}", "an unknown key, expected one of at, did, did_not, pull_request,"),
    ("{at: 1m, stage: production, state: seteled}", 'did you mean "settled"?'),
    ("{at: 1m, stage: production, state: }", "expected a value, or not this key at all"),
    ("{at: 1m, stage: production, waits_on: me}", "expected one of build confidence, promotion between environments"),
    ("{at: 1m, stage: production, did: merge}", "expected one of open promotion, commit promotion"),
    ("{at: 1m, stage: production, did: [halt, wait]}", 'did[1]: found "wait", expected one of'),
    ("{at: 1m, stage: production, pull_request: ready}", "expected one of draft, open, merged, closed, none"),
    ("{at: 1m, stage: production, reason: [a]}", "expected text that stands in the reason"),
    ("{at: 1m, stage: staging, gate: http-error, verdict: healthy}", 'did you mean "http-errors"?'),
    ("{at: 1m, stage: production, gate: x, verdict: healthy}", "a gate of production, but there is none here"),
    ("{at: 1m, stage: staging, gate: http-errors}", "expected one or more of verdict, reason"),
    ("{at: 1m, stage: staging, gate: http-errors, verdict: ok}", "expected one of healthy, unhealthy, not yet, no da"),
    ("{at: 1m, stage: staging, gate: http-errors, state: proven}", "found an unknown key, expected one of at, gate, r"),
    ("{at: 1m, stage: production, gate: a, trigger: b}", "a gate and a trigger, expected one of the two"),
    ("{at: 1m, stage: production, tag: 'a b'}", "expected a tag of an image, such as 1.9.0"),
    ("{at: 1m, stage: production, release: a, tag: a}", "it alone, expected state, waits_on or reason beside it"),
    ("nonsense", '"nonsense", expected a mapping'),
    ("{at: 90d, stage: production, tag: a}", f"129,600 looks in 90d, expected at most {MOST_LOOKS:,} in a test"),
]


@pytest.mark.parametrize(("expected", "fault"), IN_EXPECT, ids=[one for one, _ in IN_EXPECT])
def test_an_expectation_that_says_nothing_or_can_never_be_looked_at_is_a_fault(
    tmp_path: Path, expected: str, fault: str
) -> None:
    (found,) = faults_of(tmp_path, with_expectation(expected))
    assert found.startswith("shop.test.yaml:")
    assert fault in found


IN_TIMELINE = [
    ("{at: 1m, relese: 1.1.0}", "an unknown key, expected one of approves, argocd, at, by, closes"),
    ("{at: 1m, relese: 1.1.0}", 'did you mean "release"?'),
    ("{at: 1m}", "nothing that happens, expected exactly one of release, image, argocd, says, merges"),
    ("{at: 1m, release: a, prometheus: up}", "release and prometheus, expected exactly one of"),
    ("{release: a}", "nothing, expected a duration"),
    ("{at: 2m, release: a}", "something at 2m, when nothing is expected any more, expected at most 1m"),
    ("{at: 1m, release: a, stage: stagin}", 'did you mean "staging"?'),
    ("{at: 1m, release: a, by: '@dana'}", "expected a login of GitHub's"),
    ("{at: 1m, image: a}", "it only where a stage of the policy has from: registry"),
    ("{at: 1m, argocd: shop-stagin, health: Healthy}", 'did you mean "shop-staging"?'),
    ("{at: 1m, argocd: shop-staging, health: healthy}", 'did you mean "Healthy"?'),
    ("{at: 1m, argocd: shop-staging}", "nothing that Argo CD says, expected health, syncs or exists"),
    ("{at: 1m, argocd: shop-staging, syncs: slowly}", "expected one of at once, failed, running, never"),
    ("{at: 1m, argocd: shop-staging, exists: no}", "expected true or false"),
    ("{at: 1m, by: dana, says: [a]}", "a list, expected a comment"),
    ("{at: 1m, says: a}", "by: found nothing"),
    ("{at: 1m, by: dana, merges: staging}", '"staging", expected one of production'),
    ("{at: 1m, by: dana, labels: 'a,b'}", "expected a label of 1 to 50 characters"),
    ("{at: 1m, prometheus: away}", "expected up or down"),
    ("{at: 1m, release: a, argcd: b}", "an unknown key, expected one of at, by, release, stage"),
    ("1m", "expected a mapping"),
]


@pytest.mark.parametrize(("event", "fault"), IN_TIMELINE, ids=[one for one, _ in IN_TIMELINE])
def test_what_cannot_happen_or_is_seen_by_nothing_is_a_fault(tmp_path: Path, event: str, fault: str) -> None:
    (found,) = faults_of(tmp_path, with_expectation(FINE, timeline=event))
    assert fault in found


IN_FILE = [
    ("tests: []", "0 tests, expected 1 to 200"),
    ("{}", "tests: found nothing, expected a list"),
    ("", "an empty file, expected tests of a policy"),
    ("- a", "a list, expected a mapping"),
    ("tests:\n  - {name: a, expect: []}", "an empty list, expected what is expected"),
    ("tests:\n  - {name: a}", "expect: found nothing, expected a list"),
    (f"tests:\n  - {{expect: [{FINE}]}}", "name: found nothing"),
    (f"tests: [{{name: a, expect: [{FINE}]}}, {{name: a, expect: [{FINE}]}}]", 'the name "a" twice'),
    (f"tests: [{', '.join(f'{{name: t{n}, expect: [{FINE}]}}' for n in range(MOST_TESTS + 1))}]", "201 tests"),
    (f"interval: 1m\n{with_expectation(FINE)}", "1m from sample to sample, expected at most 15s: a tile of the pol"),
    (f"interval: 0s\n{with_expectation(FINE)}", "interval: found"),
    (f"at: monday\n{with_expectation(FINE)}", "a time with its offset from UTC, from 2001 to 2089"),
    (f"at: 2026-11-02T09:00\n{with_expectation(FINE)}", "a time with its offset from UTC"),
    (f"at: 1969-11-02T09:00:00Z\n{with_expectation(FINE)}", "a time with its offset from UTC"),
    (f"given: {{stagng: a}}\n{with_expectation(FINE)}", "no stage of the policy, expected one of production, staging"),
    (f"given: {{staging: [a]}}\n{with_expectation(FINE)}", "a list, expected a tag"),
    (f"people: {{dana: boss}}\n{with_expectation(FINE)}", "expected one of read, triage, write, maintain, admin"),
    (f"people: {{d a: read}}\n{with_expectation(FINE)}", "no login, expected a login of GitHub's"),
    (f"teams: {{release: [dana]}}\n{with_expectation(FINE)}", "no team, expected a team such as acme/release"),
    (f"teams: {{acme/release: [d a]}}\n{with_expectation(FINE)}", "expected a login of GitHub's"),
    (f"policy: other.yaml\n{with_expectation(FINE)}", "other.yaml, expected a policy beside its tests"),
    (f"policy: {'a' * 300}.yaml\n{with_expectation(FINE)}", "expected a policy beside its tests"),
    (f'policy: "a\\0b"\n{with_expectation(FINE)}', "expected a policy beside its tests"),
    (f"policy: [a]\n{with_expectation(FINE)}", "a list, expected the path of a policy"),
    (f"test: 1\n{with_expectation(FINE)}", 'did you mean "tests"?'),
    ("tests: [{name: a, expect: &a [1]}]", "an anchor or alias"),
    ("tests: {", "invalid YAML"),
]


@pytest.mark.parametrize(("text", "fault"), IN_FILE, ids=[fault for _, fault in IN_FILE])
def test_what_no_file_of_tests_says_is_a_fault(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in "\n".join(faults_of(tmp_path, text))


IN_SERIES = [
    ("{series: 'm{', values: '1'}", "no PromQL"),
    ("{series: m, values: 1+2}", "how often after the step"),
    ("{series: m, values: '{{schema:0}}'}", "native histograms cannot be written here"),
    ("{series: m}", "values: found nothing"),
    ("{series: [m], values: '1'}", "a list, expected text in the notation"),
    ("{series: m, values: '1', before: soon}", "expected a duration"),
    ("{series: m, values: '1', after: 1m}", "an unknown key"),
    ("{series: m, values: '1'}, {series: 'm{}', values: '2'}", "a series that is there already"),
    ("m", "expected a mapping"),
]


@pytest.mark.parametrize(("series", "fault"), IN_SERIES, ids=[one for one, _ in IN_SERIES])
def test_a_series_that_promtool_would_not_take_is_a_fault_at_its_place(tmp_path: Path, series: str, fault: str) -> None:
    text = f"series: [{series}]\ntests:\n  - {{name: a, expect: [{FINE}]}}\n"
    assert fault in "\n".join(faults_of(tmp_path, text))


def test_more_samples_than_fit_into_a_test_are_refused(tmp_path: Path) -> None:
    series = ", ".join(f"{{series: m{n}, values: 1x199999}}" for n in range(11))
    text = f"series: [{series}]\ntests:\n  - {{name: a, expect: [{FINE}]}}\n"
    assert "more than 2,000,000 samples in a test" in "\n".join(faults_of(tmp_path, text))


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = with_expectation(
        "{at: 1m, stage: nowhere, tag: a}",
        "{at: 1m, stage: production, sate: a}",
        timeline="{at: 1m, releas: a}",
        more="intervall: 1m\n",
    )
    found = faults_of(tmp_path, text)
    lines = [int(fault.split(":")[1]) for fault in found]
    assert lines == sorted(lines)
    assert [fault.split(": ")[1] for fault in found] == [
        "intervall",
        "tests[0].timeline[0].releas",
        "tests[0].expect[0].stage",
        "tests[0].expect[1].sate",
    ]


def test_the_faults_of_the_policy_come_in_its_own_name(tmp_path: Path) -> None:
    (found,) = faults_of(tmp_path, with_expectation(FINE), policy=POLICY.replace("limit: 1%", "limit: one"))
    assert found.startswith("shop.yaml:12:")


def test_a_file_without_a_policy_beside_it_says_which_one_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "alone.test.yaml"
    path.write_text(with_expectation(FINE))
    with pytest.raises(PolicyError, match=r"policy: found no file .*alone\.yaml, expected a policy beside its tests"):
        read_trial(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "shop.test.yaml"
    path.symlink_to("/dev/null")
    with pytest.raises(PolicyError, match="something that is no file"):
        read_trial(path)


# --- hostile files ---------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        "at", "1m", "stage", "staging", "production", "gate", "http-errors", "verdict", "healthy", "tests", "name",
        "expect", "timeline", "series", "values", "release", "by", "says", "merges", "argocd", "shop-staging", "given",
        "people", "teams", "policy", "state", "reason", "did", "", "~", "0+1x3", "m", "\u202e", "a\x00",
    ]
)  # fmt: skip
_TREES = st.recursive(
    _WORDS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=5), max_leaves=25
)


def as_yaml(tree: object) -> str:
    """Write a tree as flow YAML, which takes any text in double quotes."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{as_yaml(key)}: {as_yaml(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(as_yaml, tree)) + "]"
    return '"' + str(tree).encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(_WORDS, _TREES, max_size=6), tests=st.lists(_TREES, max_size=3))
def test_no_tree_of_yaml_gives_anything_but_tests_or_faults(tmp_path: Path, tree: object, tests: object) -> None:
    assert isinstance(tree, dict)
    path = written(tmp_path, as_yaml({**tree, "tests": tests}))
    with suppress(PolicyError):
        assert read_trial(path).cases


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80), at=st.integers(0, len(TRAFFIC)))
def test_no_text_gives_anything_but_tests_or_faults(tmp_path: Path, text: str, at: int) -> None:
    whole = with_expectation(FINE)
    path = written(tmp_path, "")
    path.write_bytes((whole[:at] + text + whole[at:]).encode("utf-8", "surrogatepass"))
    with suppress(PolicyError):
        assert read_trial(path).cases
