"""Four eyes can be tested: whoever releases has written the source commit, and their own approval does not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.trial.coverage import Exercise
from bot.trial.judging import Failure
from bot.trial.running import run_case
from tests.trial.a_trial import POLICY, SwitchedFake, a_trial, with_expectation

FOUR_EYES = POLICY.replace("service: shop\n", "service: shop\nsource: acme/shop\n").replace(
    "promote: {merge: auto}", "promote: {merge: auto, approvals: {four_eyes: true}}"
)
FROM_REGISTRY = FOUR_EYES.replace(
    "  - name: staging\n",
    '  - name: staging\n    from: registry\n    releases: {semver: ">=1"}\n    promote: {merge: auto}\n',
)
MERGED = "{at: 25m, stage: production, tag: 1.1.0, did: merge promotion}"


def waits_for(author: str) -> str:
    return f'{{at: 25m, stage: production, tag: 1.0.0, did_not: merge promotion, reason: "{author} wrote"}}'


def failures_of(folder: Path, timeline: str, *expected: str, policy: str = FOUR_EYES) -> tuple[Failure, ...]:
    file = a_trial(folder, with_expectation(*expected, timeline=timeline), policy=policy)
    _, found = run_case(file, file.cases[0], SwitchedFake(), Exercise.of(file.policy))
    return found


@pytest.mark.parametrize(
    ("release", "author", "policy"),
    [
        ("release: 1.1.0", "alice", FOUR_EYES),
        ("release: 1.1.0, by: dana", "dana", FOUR_EYES),
        ("image: 1.1.0", "alice", FROM_REGISTRY),
        ("image: 1.1.0, by: dana", "dana", FROM_REGISTRY),
    ],
)
def test_the_author_of_a_release_does_not_count_and_another_person_does(
    tmp_path: Path, release: str, author: str, policy: str
) -> None:
    alone = f"{{at: 0m, {release}}}, {{at: 20m, approves: production, by: {author}}}"
    assert failures_of(tmp_path, alone, waits_for(author), policy=policy) == ()
    with_another = f"{alone}, {{at: 20m, approves: production, by: erik}}"
    assert failures_of(tmp_path, with_another, MERGED, policy=policy) == ()


def test_whoever_wrote_a_release_that_comes_along_does_not_count(tmp_path: Path) -> None:
    both = (
        "{at: 0m, release: 1.0.5, by: dana}, {at: 5m, release: 1.1.0, by: erik}, "
        "{at: 20m, approves: production, by: dana}"
    )
    assert failures_of(tmp_path, both, waits_for("dana")) == ()
    assert failures_of(tmp_path, f"{both}, {{at: 20m, approves: production, by: frida}}", MERGED) == ()


def test_what_has_come_before_was_written_by_others(tmp_path: Path) -> None:
    later = (
        "{at: 0m, release: 1.0.5, by: dana}, {at: 20m, approves: production, by: erik}, "
        "{at: 60m, release: 1.1.0, by: erik}, {at: 85m, approves: production, by: dana}"
    )
    assert failures_of(tmp_path, later, "{at: 90m, stage: production, tag: 1.1.0}") == ()


def test_what_stands_in_a_stage_at_the_start_was_written_by_alice(tmp_path: Path) -> None:
    timeline = "{at: 1m, approves: production, by: alice}"
    given = with_expectation(
        '{at: 5m, stage: production, tag: 1.0.0, reason: "alice wrote"}',
        timeline=timeline,
        more="given: {staging: 1.1.0, production: 1.0.0}\n",
    )
    file = a_trial(tmp_path, given, policy=FOUR_EYES)
    assert run_case(file, file.cases[0], SwitchedFake(), Exercise.of(file.policy))[1] == ()
