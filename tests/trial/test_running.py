"""Each thing that can be expected holds where it is so and fails where it is not, with the difference told.

Prometheus is a fake here, whose every tile has a hundred requests; what a real one makes of series is tested beside.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.trial.coverage import Exercise
from bot.trial.judging import Failure
from bot.trial.running import run_case
from tests.trial.a_trial import POLICY, SwitchedFake, a_trial, with_expectation


def failures_of(
    folder: Path,
    *expected: str,
    timeline: str = "{at: 0m, release: 1.1.0}",
    metrics: SwitchedFake | None = None,
    policy: str = POLICY,
    more: str = "",
) -> tuple[Failure, ...]:
    file = a_trial(folder, with_expectation(*expected, timeline=timeline, more=more), policy=policy)
    _, found = run_case(file, file.cases[0], metrics or SwitchedFake(), Exercise.of(file.policy))
    return found


# --- what can be expected --------------------------------------------------------------------------------------------

RIGHT_AND_WRONG = [
    ("state: observing", "state: proven", "state", "observing"),
    ("waits_on: runtime verification", "waits_on: a person", "waits_on", "runtime verification"),
    ("reason: WINDOW ends", "reason: it is bad", "reason", "staging: http-errors: 0 of"),
    ("tag: 1.0.0", "tag: 1.1.0", "tag", "1.0.0"),
    ("pull_request: draft", "pull_request: merged", "pull_request", "draft"),
    ("did: open promotion", "did: merge promotion", "did", "open promotion and update promotion"),
    ("did_not: roll back", "did_not: open promotion", "did_not", "that it did"),
    ("release: 1.0.0, state: settled", "release: 1.0.0, state: observing", "state", "settled"),
    ("release: 1.1.0, state: observing", "release: 9.9.9, state: observing", "release", "1.1.0 (observing) and 1.0.0"),
]


@pytest.mark.parametrize(("right", "wrong", "key", "found"), RIGHT_AND_WRONG, ids=[one[1] for one in RIGHT_AND_WRONG])
def test_what_is_expected_of_a_stage_holds_or_the_difference_is_told(
    tmp_path: Path, right: str, wrong: str, key: str, found: str
) -> None:
    """After five minutes 1.1.0 is observed in staging, and its draft is open."""
    assert failures_of(tmp_path, f"{{at: 5m, stage: production, {right}}}") == ()
    (failure,) = failures_of(tmp_path, f"{{at: 5m, stage: production, {wrong}}}")
    (difference,) = failure.differences
    assert (difference.key, failure.line) == (key, 8)
    assert found in difference.found
    assert any("1.1.0 is to come: observing" in line for line in failure.said)


RULES = [
    ("{at: 5m, stage: staging, gate: http-errors, verdict: not yet}", "not yet", 0.0),
    ("{at: 15m, stage: staging, gate: http-errors, verdict: healthy}", "healthy", 0.0),
    ("{at: 9m, stage: staging, gate: http-errors, verdict: unhealthy}", "unhealthy", 0.3),
    ("{at: 20m, stage: production, trigger: argocd-degraded, verdict: healthy}", "healthy", 0.0),
    ("{at: 15m, stage: staging, gate: argocd-healthy, verdict: healthy}", "healthy", 0.0),
]


@pytest.mark.parametrize(("expected", "verdict", "bad"), RULES, ids=[f"{one[1]} {one[0]}" for one in RULES])
def test_every_verdict_that_is_right_holds_and_every_other_one_fails(
    tmp_path: Path, expected: str, verdict: str, bad: float
) -> None:
    def found(text: str) -> tuple[Failure, ...]:
        # The last look of the window is a minute before the merge.
        return failures_of(tmp_path, text, metrics=SwitchedFake(bad_share={"shop-staging": bad}), policy=held)

    held = POLICY.replace("merge: auto", "merge: human") if "staging" in expected else POLICY
    assert found(expected) == ()
    for other in {"healthy", "unhealthy", "not yet", "no data", "cannot tell"} - {verdict}:
        (failure,) = found(expected.replace(f"verdict: {verdict}", f"verdict: {other}"))
        (difference,) = failure.differences
        assert (difference.expected, difference.found) == (other, verdict)
        assert failure.said[0].startswith(f"{verdict}: ")


def test_the_reason_of_a_verdict_is_compared(tmp_path: Path) -> None:
    right = "{at: 5m, stage: staging, gate: http-errors, reason: 0 of}"
    assert failures_of(tmp_path, right) == ()
    (failure,) = failures_of(tmp_path, right.replace("0 of", "all of"))
    assert failure.differences[0].key == "reason"


def test_a_verdict_without_data_tells_what_was_asked(tmp_path: Path) -> None:
    (failure,) = failures_of(
        tmp_path,
        "{at: 15m, stage: staging, gate: http-errors, verdict: healthy}",
        metrics=SwitchedFake(silent=True),
    )
    assert failure.differences[0].found == "no data"
    assert any(line.startswith("asked: ") and 'namespace="shop-staging"' in line for line in failure.said)


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ("{at: 5m, stage: production, trigger: http-errors, verdict: healthy}", "none: the release is not watched"),
        ("{at: 1h, stage: staging, gate: http-errors, reason: x}", "none: no release is being judged here"),
    ],
)
def test_a_rule_that_nobody_asks_at_that_time_is_told(tmp_path: Path, expected: str, why: str) -> None:
    (failure,) = failures_of(tmp_path, expected)
    assert failure.differences[0].found == why


def test_every_expectation_that_fails_is_told_not_only_the_first(tmp_path: Path) -> None:
    found = failures_of(
        tmp_path,
        "{at: 5m, stage: production, tag: '2'}",
        "{at: 1m, stage: production, tag: '3', pull_request: merged}",
        "{at: 9m, stage: production, tag: 1.0.0}",
    )
    assert [(failure.line, [one.key for one in failure.differences]) for failure in found] == [
        (9, ["tag", "pull_request"]),
        (8, ["tag"]),
    ]


# --- what happens ----------------------------------------------------------------------------------------------------


def after(folder: Path, timeline: str, *expected: str, policy: str = POLICY, more: str = "") -> None:
    """Assert that all is as expected after a release and what follows."""
    people = "people: {dana: maintain, eve: read}\n"
    released = f"{{at: 0m, release: 1.1.0}}, {timeline}"
    assert failures_of(folder, *expected, timeline=released, more=people + more, policy=policy) == ()


def test_a_healthy_release_is_merged_and_watched(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 1m, prometheus: up}",
        "{at: 16m, stage: production, did: [ready promotion, merge promotion], tag: 1.1.0, pull_request: merged}",
        "{at: 18m, stage: production, state: watching after promotion, did_not: roll back}",
        "{at: 50m, stage: production, state: settled}",
    )


def test_what_argo_cd_says_of_an_application_stops_a_release(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 30s, argocd: shop-staging, health: Degraded, message: 0 of 3}",
        "{at: 5m, stage: staging, gate: argocd-healthy, verdict: unhealthy, reason: 0 of 3}",
        "{at: 20m, stage: production, tag: 1.0.0}",
    )


def test_a_degraded_release_is_taken_back_and_the_one_before_is_healthy_again(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 18m, argocd: shop-production, health: Degraded}",
        "{at: 19m, stage: production, trigger: argocd-degraded, verdict: not yet}",
        "{at: 21m, stage: production, did: roll back, tag: 1.0.0}",
        "{at: 24m, stage: production, release: 1.0.0, state: rolled back}",
        "{at: 24m, stage: production, release: 1.1.0, state: quarantined}",
    )


@pytest.mark.parametrize(
    ("syncs", "reason"),
    [("never", "auto-sync is off"), ("failed", "quota"), ("running", "a sync is running")],
)
def test_a_release_that_argo_cd_does_not_sync_proves_nothing(tmp_path: Path, syncs: str, reason: str) -> None:
    after(
        tmp_path,
        f"{{at: 0m, argocd: shop-staging, syncs: {syncs}, message: quota}}",
        f"{{at: 5m, stage: staging, reason: {reason}}}",
        "{at: 30m, stage: production, tag: 1.0.0}",
    )


def test_a_sync_that_failed_can_be_done_later(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 0m, argocd: shop-staging, syncs: failed}, {at: 10m, argocd: shop-staging, syncs: at once}",
        "{at: 9m, stage: staging, state: unhealthy}",
        "{at: 30m, stage: production, tag: 1.1.0}",
    )


def test_an_application_that_does_not_exist_is_waited_for(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 0m, argocd: shop-staging, exists: false}, {at: 20m, argocd: shop-staging, exists: true}",
        "{at: 10m, stage: staging, state: waiting for rollout}",
        "{at: 40m, stage: production, tag: 1.1.0}",
    )


def test_while_prometheus_is_down_no_gate_can_tell(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 8m, prometheus: down}, {at: 30m, prometheus: up}",
        "{at: 20m, stage: staging, gate: http-errors, verdict: cannot tell}",
        "{at: 29m, stage: production, tag: 1.0.0}",
        "{at: 34m, stage: production, tag: 1.1.0}",
    )


def test_a_tag_that_a_person_sets_in_production_is_no_promotion(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 5m, release: 1.2.0, stage: production, by: dana}",
        "{at: 8m, stage: production, tag: 1.2.0, release: 1.2.0, state: settled, did_not: merge promotion}",
    )


def test_people_hold_and_resume_with_the_rights_that_they_have(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 5m, by: eve, says: /liftlock hold no}, {at: 8m, by: dana, says: /liftlock hold the sale}, "
        "{at: 20m, by: eve, says: /liftlock resume}, {at: 30m, by: dana, says: /liftlock resume}",
        "{at: 7m, stage: production, state: observing}",
        "{at: 25m, stage: production, state: held by a person, reason: the sale}",
        "{at: 34m, stage: production, tag: 1.1.0}",
    )


ACTS = [
    ("closes: production", "{at: 25m, stage: production, state: rejected by a person, pull_request: closed}"),
    ("requests_changes: production", "{at: 25m, stage: production, reason: dana asked for changes, tag: 1.0.0}"),
    ("approves: production", "{at: 25m, stage: production, tag: 1.1.0}"),
    ("marks_draft: production", "{at: 25m, stage: production, state: held by a person, pull_request: draft}"),
    ("labels: liftlock/hold", "{at: 25m, stage: production, state: held by a person, tag: 1.0.0}"),
]


@pytest.mark.parametrize(("act", "expected"), ACTS, ids=[act for act, _ in ACTS])
def test_what_a_person_does_to_the_pull_request_has_its_effect(tmp_path: Path, act: str, expected: str) -> None:
    after(tmp_path, f"{{at: 8m, by: dana, {act}}}", expected)


def test_what_a_person_has_done_can_be_undone(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 6m, by: dana, labels: liftlock/hold}, {at: 7m, by: dana, marks_draft: production}, "
        "{at: 8m, by: dana, requests_changes: production}, {at: 9m, by: dana, closes: production}, "
        "{at: 20m, by: dana, reopens: production}, {at: 21m, by: dana, approves: production}, "
        "{at: 22m, by: dana, marks_ready: production}, {at: 23m, by: dana, unlabels: liftlock/hold}",
        "{at: 19m, stage: production, tag: 1.0.0}",
        "{at: 22m, stage: production, tag: 1.0.0, state: held by a person}",
        "{at: 27m, stage: production, tag: 1.1.0, did: merge promotion}",
    )


APPROVALS = POLICY.replace("merge: auto", "merge: auto, approvals: {need: 2, from: ['@acme/release']}")
TEAM = "teams: {acme/release: [amy, may]}\n"


def test_a_review_counts_as_an_approval_and_so_does_a_command(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 14m, by: amy, approves: production}, {at: 20m, by: may, says: /liftlock approve}",
        "{at: 18m, stage: production, reason: needs one more from acme/release, tag: 1.0.0}",
        "{at: 24m, stage: production, tag: 1.1.0, did: merge promotion}",
        policy=APPROVALS,
        more=TEAM,
    )


def test_of_one_person_only_the_newest_review_counts(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 14m, by: amy, approves: production}, {at: 15m, by: amy, approves: production}, "
        "{at: 20m, by: may, approves: production}, {at: 20m, by: amy, requests_changes: production}, "
        "{at: 30m, by: amy, approves: production}",
        "{at: 18m, stage: production, tag: 1.0.0}",
        "{at: 28m, stage: production, reason: amy asked for changes, tag: 1.0.0}",
        "{at: 34m, stage: production, tag: 1.1.0}",
        policy=APPROVALS,
        more=TEAM,
    )


def test_a_person_merges_and_the_promotion_is_watched(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 20m, by: dana, merges: production}",
        "{at: 18m, stage: production, state: waiting for a person, pull_request: open}",
        "{at: 22m, stage: production, state: watching after promotion, did_not: merge promotion}",
        policy=POLICY.replace("merge: auto", "merge: human"),
    )


def test_an_override_lets_a_release_pass_that_a_gate_stops(tmp_path: Path) -> None:
    people, override = "people: {dana: maintain}\n", "/liftlock promote --override http-errors it is a known fault"
    found = failures_of(
        tmp_path,
        "{at: 29m, stage: production, state: unhealthy, tag: 1.0.0}",
        "{at: 36m, stage: production, tag: 1.1.0, did: merge promotion}",
        timeline=f"{{at: 0m, release: 1.1.0}}, {{at: 30m, by: dana, says: {override}}}",
        metrics=SwitchedFake(bad_share={"shop-staging": 0.3}),
        more=people,
    )
    assert found == ()


IMPOSSIBLE = [
    ("{at: 0m, by: dana, closes: production}", "there is no pull request into production yet"),
    ("{at: 0m, by: dana, says: hello}", "there is no pull request into production yet"),
    ("{at: 8m, by: dana, merges: production}", "#1 is a draft, which nobody can merge"),
    ("{at: 8m, by: dana, reopens: production}", "#1 is open"),
    ("{at: 25m, by: dana, closes: production}", "#1 is merged"),
    ("{at: 8m, release: 1.1.0}", "staging has 1.1.0 already"),
]


@pytest.mark.parametrize(("event", "why"), IMPOSSIBLE, ids=[f"{event}" for event, _ in IMPOSSIBLE])
def test_what_cannot_happen_fails_the_test_at_its_line(tmp_path: Path, event: str, why: str) -> None:
    (failure,) = failures_of(
        tmp_path, "{at: 30m, stage: production, tag: a}", timeline=f"{{at: 0m, release: 1.1.0}}, {event}"
    )
    assert (failure.line, failure.said) == (6, (f"this cannot happen: {why}",))


def test_what_happens_between_two_looks_happens_at_its_own_time(tmp_path: Path) -> None:
    """Degraded at 18m 30s, so the two minutes are over at 20m 30s: the look at 20m does not take it back yet."""
    after(
        tmp_path,
        "{at: 18m30s, argocd: shop-production, health: Degraded}",
        "{at: 20m, stage: production, tag: 1.1.0}",
        "{at: 21m, stage: production, tag: 1.0.0}",
    )


# --- other shapes of policies ----------------------------------------------------------------------------------------


def test_releases_come_from_the_registry_where_the_policy_says_so(tmp_path: Path) -> None:
    policy = POLICY.replace(
        "  - name: staging\n", '  - name: staging\n    from: registry\n    releases: {semver: ">=1"}\n'
    )
    found = failures_of(
        tmp_path,
        "{at: 5m, stage: staging, did: merge promotion, tag: 1.1.0}",
        "{at: 25m, stage: production, tag: 1.1.0}",
        timeline="{at: 0m, image: 1.1.0}",
        policy=policy.replace(
            "    metrics: {namespace: shop-staging}\n",
            "    metrics: {namespace: shop-staging}\n    promote: {merge: auto}\n",
        ),
    )
    assert found == ()


def test_the_bot_syncs_where_the_policy_lets_it(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 1m, prometheus: up}",
        "{at: 5m, stage: staging, did: start sync, state: observing}",
        "{at: 20m, stage: production, tag: 1.1.0}",
        policy=POLICY.replace("    argocd: shop-staging\n", "    argocd: shop-staging\n    sync: bot\n"),
    )


def test_applications_that_are_selected_by_labels_have_a_name_made_up(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 2m, argocd: shop-staging, health: Degraded}",
        "{at: 4m, stage: staging, gate: argocd-healthy, verdict: unhealthy}",
        policy=POLICY.replace("argocd: shop-staging", 'argocd: {selector: "app=shop"}'),
    )


def test_a_digest_that_the_policy_pins_is_known(tmp_path: Path) -> None:
    after(
        tmp_path,
        "{at: 1m, prometheus: up}",
        "{at: 20m, stage: production, tag: 1.1.0, did: merge promotion}",
        policy=POLICY.replace(
            "{kustomize: shop/staging/kustomization.yaml}",
            "{kustomize: {file: shop/staging/kustomization.yaml, pin: digest}}",
        ).replace("{regex: {file: shop.env, pattern: '^TAG=(.*)$'}}", "{helm: {file: v.yaml, tag: a.b, pin: digest}}"),
    )


# --- what was exercised ----------------------------------------------------------------------------------------------


def unexercised_by(folder: Path, *timelines: str, policy: str = POLICY, bad: float = 0.0) -> list[str]:
    exercise = None
    for timeline in timelines:
        text = with_expectation("{at: 40m, stage: production, pull_request: none}", timeline=timeline)
        file = a_trial(folder, text, policy=policy)
        exercise = exercise or Exercise.of(file.policy)
        run_case(file, file.cases[0], SwitchedFake(bad_share={"shop-staging": bad}), exercise)
    assert exercise is not None
    return list(exercise.unexercised())


def test_a_test_that_does_nothing_exercises_nothing(tmp_path: Path) -> None:
    assert unexercised_by(tmp_path, "") == [
        "staging gate http-errors (never judged)",
        "staging gate argocd-healthy (never judged)",
        "production trigger http-errors (never watched)",
        "production trigger argocd-degraded (never watched)",
    ]


def test_a_healthy_release_exercises_half_of_each_gate_and_fires_no_trigger(tmp_path: Path) -> None:
    assert unexercised_by(tmp_path, "{at: 0m, release: 1.1.0}") == [
        "staging gate http-errors (never unhealthy)",
        "staging gate argocd-healthy (never unhealthy)",
        "production trigger http-errors (never fired)",
        "production trigger argocd-degraded (never fired)",
    ]


def test_several_tests_exercise_a_policy_together(tmp_path: Path) -> None:
    bad = "{at: 0m, release: 1.1.0}, {at: 2m, argocd: shop-staging, health: Degraded}"
    taken_back = "{at: 0m, release: 1.1.0}, {at: 20m, argocd: shop-production, health: Degraded}"
    assert unexercised_by(tmp_path, bad, taken_back) == [
        "staging gate http-errors (never unhealthy)",
        "production trigger http-errors (never fired)",
    ]


def test_time_alone_need_not_be_unhealthy_and_what_is_taken_for_granted_is_told(tmp_path: Path) -> None:
    policy = POLICY.replace("- {use: argocd-healthy}", "- {use: soak}\n      - {use: argocd-healthy}").replace(
        "    promote: {merge: auto}\n",
        "    promote: {merge: auto}\n"
        "    artifact: {signer: {key: release}, require: [{use: signature}]}\n"
        "    calendar: {timezone: UTC, freeze: [{from: 2030-01-01, to: 2030-01-02}]}\n",
    )
    found = unexercised_by(tmp_path, "{at: 0m, release: 1.1.0}", policy=policy)
    assert "production artifact (taken as proven)" in found
    assert "production calendar (never closed)" in found
    assert not [one for one in found if "soak" in one]


GATES = "    window: {for: 10m}\n    gates: [{use: http-errors, limit: 1%}]\n    promote: {merge: auto}\n"


def test_gates_of_a_stage_that_no_other_comes_from_need_no_exercise(tmp_path: Path) -> None:
    policy = POLICY.replace("    promote: {merge: auto}\n", GATES)
    found = unexercised_by(tmp_path, "{at: 0m, release: 1.1.0}", policy=policy)
    assert [one for one in found if " gate " in one] == [
        "staging gate http-errors (never unhealthy)",
        "staging gate argocd-healthy (never unhealthy)",
    ]
    assert [one for one in found if " trigger " in one] == [
        "production trigger http-errors (never fired)",
        "production trigger argocd-degraded (never fired)",
    ]


def test_of_waves_only_the_gates_before_the_last_one_need_exercise(tmp_path: Path) -> None:
    in_regions = "    waves: {regions: [eu, [us, asia]], pause: 10m}\n" + GATES
    policy = (
        POLICY.replace("    promote: {merge: auto}\n", in_regions)
        .replace("{regex: {file: shop.env, pattern: '^TAG=(.*)$'}}", '{kustomize: "shop/{region}/kustomization.yaml"}')
        .replace("argocd: shop-production", 'argocd: "shop-{region}"')
    )
    file = a_trial(tmp_path, with_expectation("{at: 1m, stage: production-eu, tag: 1.0.0}"), policy=policy)
    left_out = Exercise.of(file.policy).unexercised()
    assert [one for one in left_out if one.startswith("production") and " gate " in one] == [
        "production-eu gate http-errors (never judged)"
    ]
