"""A floor in force: what is below it stops its own service, and without a good floor nothing is accepted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.calendar import Closed, judge_calendar
from bot.domain.policy import Policy
from bot.policy import PolicyDirectory, PolicyError, load_policies, shipped_gate_templates
from bot.policy.floor import FloorError, FloorFile
from tests.policy.test_directory import CHECKOUT, EXAMPLES, GATES

SHIPPED = shipped_gate_templates()
HUMAN = """\
apiVersion: liftlock.dev/v1
floor:
  - every: promoted
    services: [checkout]
    promote: {merge: human}
"""
LENIENT = HUMAN.replace("promote: {merge: human}", "promote: {by: pull-request}")
WEEKEND = (
    LENIENT
    + """\
  - every: promoted
    calendar: {timezone: UTC, freeze: [{days: [sat-sun], reason: nobody is here}]}
"""
)
SATURDAY = datetime(2026, 3, 7, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of policies, and a floor's file elsewhere."""

    policies: Path
    floor: Path

    def directory(self) -> PolicyDirectory:
        file = FloorFile(path=self.floor, templates=SHIPPED)
        return PolicyDirectory(path=self.policies, templates=SHIPPED, floor=file)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    policies = tmp_path / "policies"
    policies.mkdir()
    for name in ("checkout.yaml", "orders.yaml"):
        (policies / name).write_bytes((EXAMPLES / name).read_bytes())
    (tmp_path / "floor.yaml").write_text(HUMAN)
    return Place(policies, tmp_path / "floor.yaml")


def policy_of(found: object) -> Policy:
    assert isinstance(found, Policy)
    return found


def test_a_policy_below_the_floor_stops_only_its_own_service(place: Place) -> None:
    found = place.directory().load()
    assert isinstance(found["orders.yaml"], Policy)
    assert str(found["checkout.yaml"]) == (
        "checkout.yaml:21:40: stages[production].promote.merge: found auto, expected human or stricter, "
        f"by {place.floor}:5:14"
    )
    assert isinstance(found["checkout.yaml"], PolicyError)


def test_a_floor_that_changes_is_in_force_at_the_next_look(place: Place) -> None:
    directory = place.directory()
    directory.load()
    place.floor.write_text(LENIENT)
    assert isinstance(directory.load()["checkout.yaml"], Policy)
    place.floor.write_text(HUMAN)
    assert isinstance(directory.load()["checkout.yaml"], PolicyError)


def test_a_floor_changes_no_version_of_a_policy(place: Place) -> None:
    place.floor.write_text(LENIENT)
    found = place.directory().load()
    assert policy_of(found["checkout.yaml"]).version == hashlib.sha256(CHECKOUT).hexdigest()
    assert found == load_policies(place.policies, SHIPPED)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "found No such file or directory, expected a file that can be read"),
        ("floor: [", "found invalid YAML"),
        ("", "found an empty file"),
    ],
)
def test_without_a_good_floor_no_policy_is_accepted(place: Place, text: str | None, sentence: str) -> None:
    if text is None:
        place.floor.unlink()
    else:
        place.floor.write_text(text)
    with pytest.raises(FloorError) as caught:
        place.directory().load()
    first, *why = str(caught.value).splitlines()
    assert first == (
        f"{place.floor}: found a floor that cannot be used, expected one without faults: no policy is accepted until "
        "there is one"
    )
    assert why == [str(fault) for fault in caught.value.faults[1:]]
    assert sentence in str(caught.value)
    with pytest.raises(FloorError):
        load_policies(place.policies, SHIPPED, place.floor)


def test_the_last_good_floor_stays_in_force_in_a_running_bot_and_the_fault_is_shown(place: Place) -> None:
    directory = place.directory()
    before = directory.load()
    place.floor.write_text("floor: [")
    after = directory.load()
    error = after[str(place.floor)]
    assert isinstance(error, PolicyError)
    assert "expected one without faults: the last good one stays in force" in str(error)
    assert {name: str(after[name]) for name in before} == {name: str(before[name]) for name in before}
    place.floor.unlink()
    assert isinstance(directory.load()["checkout.yaml"], PolicyError)
    place.floor.write_text(HUMAN)
    assert set(directory.load()) == set(before)


def test_a_teams_own_template_by_a_shipped_name_does_not_satisfy_the_floor(place: Place) -> None:
    place.floor.write_text(HUMAN.replace("promote: {merge: human}", "before: {gates: [{use: http-errors}]}"))
    assert isinstance(place.directory().load()["checkout.yaml"], Policy)
    own = place.policies / "gates"
    own.mkdir()
    (own / "mine.yaml").write_bytes((GATES / "http-errors.yaml").read_bytes())
    assert "found the template http-errors of the team's own" in str(place.directory().load()["checkout.yaml"])


# --- calendars of a floor ---


def test_the_floors_calendar_is_one_more_that_must_agree_and_a_part_of_the_version(place: Place) -> None:
    place.floor.write_text(LENIENT)
    plain = policy_of(place.directory().load()["checkout.yaml"])
    place.floor.write_text(WEEKEND)
    policy = policy_of(place.directory().load()["checkout.yaml"])
    judged = judge_calendar(policy.calendars_of(policy.stage("production")), SATURDAY)
    assert isinstance(judged, Closed)
    assert judged.reason == "frozen until 2026-03-09 00:00 UTC: nobody is here"
    assert policy.calendars_of(policy.stage("staging")) == ()
    assert policy.version != plain.version
    assert policy.version == policy_of(place.directory().load()["checkout.yaml"]).version
    place.floor.write_text(WEEKEND.replace("sat-sun", "sun"))
    assert policy_of(place.directory().load()["checkout.yaml"]).version != policy.version


def test_the_services_own_calendar_still_counts(place: Place) -> None:
    frozen = "service: checkout\ncalendar: {timezone: UTC, freeze: [{days: [mon]}]}\n"
    place.policies.joinpath("checkout.yaml").write_bytes(CHECKOUT.replace(b"service: checkout\n", frozen.encode()))
    place.floor.write_text(WEEKEND)
    policy = policy_of(place.directory().load()["checkout.yaml"])
    assert len(policy.calendars_of(policy.stage("production"))) == 2


def test_waves_lift_no_floor_that_names_the_stage_by_its_name_in_the_file(place: Place) -> None:
    waves = CHECKOUT.replace(b"from: staging\n", b"from: staging\n    waves: {regions: [[eu, us, asia]]}\n")
    file = b"apps/checkout/production/values.yaml"
    waves = waves.replace(file, b'"apps/checkout/{region}/values.yaml"')
    place.policies.joinpath("checkout.yaml").write_bytes(waves)
    place.floor.write_text(WEEKEND.replace("every: promoted", "stages: [production]"))
    policy = policy_of(place.directory().load()["checkout.yaml"])
    regions = ["production-eu", "production-us", "production-asia"]
    assert [stage.name for stage in policy.stages if stage.region_of == "production"] == regions
    assert [stage.name for stage in policy.stages if policy.calendars_of(stage)] == regions
    place.floor.write_text(HUMAN.replace("every: promoted", "stages: [production]"))
    error = place.directory().load()["checkout.yaml"]
    assert isinstance(error, PolicyError)
    assert {fault.path for fault in error.faults} == {f"stages[{name}].promote.merge" for name in regions}
    for names in ("[production-eu]", "[prod*-eu]"):
        place.floor.write_text(HUMAN.replace("every: promoted", f"stages: {names}"))
        error = place.directory().load()["checkout.yaml"]
        assert isinstance(error, PolicyError)
        assert [fault.path for fault in error.faults] == ["stages[production-eu].promote.merge"]


# --- THREATS 1: a policy PR weakens its own gate ---


def test_threat_1_a_policy_that_weakens_its_own_gate_is_refused_by_a_floor_from_another_repository(
    place: Place,
) -> None:
    place.floor.write_text(HUMAN.replace("promote: {merge: human}", "before: {gates: [{use: http-errors, limit: 1%}]}"))
    directory = place.directory()
    assert isinstance(directory.load()["checkout.yaml"], Policy)
    file = place.policies / "checkout.yaml"
    weakened = {
        "a higher limit": CHECKOUT.replace(b"limit: 1%", b"limit: 5%"),
        "in the shadow": CHECKOUT.replace(b"limit: 1%}", b"limit: 1%, mode: shadow}"),
        "no gate": CHECKOUT.replace(b"      - {use: http-errors, limit: 1%}\n", b""),
        "nothing proven": CHECKOUT.replace(b"limit: 1%}", b"limit: 1%, accept: not-shown-bad}"),
        "no stage before": CHECKOUT.replace(b"from: staging", b"from: registry\n    releases: {follow: stable}"),
    }
    for what, text in weakened.items():
        assert text != CHECKOUT, what
        file.write_bytes(text)
        assert isinstance(directory.load()["checkout.yaml"], PolicyError), what
    file.write_bytes(CHECKOUT.replace(b"limit: 1%", b"limit: 0.5%"))
    assert isinstance(directory.load()["checkout.yaml"], Policy)
