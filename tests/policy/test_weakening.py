"""What a check tells of policies since an earlier version: at their places in the new file, and of what is gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.policy import load_policies, shipped_gate_templates
from bot.policy.checking import Measures, check_policies
from bot.policy.findings import RULES, Finding, Severity
from bot.policy.floor import parse_floor
from tests.policy.test_directory import CHECKOUT, EXAMPLES
from tests.policy.test_floor import floor_text

SHIPPED = shipped_gate_templates()
THREE = ("catalogue.yaml", "checkout.yaml", "orders.yaml")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    for name in ("checkout.yaml", "orders.yaml"):
        (folder / name).write_bytes((EXAMPLES / name).read_bytes())
    return folder


def since(*places: Path, before: Path | None = None) -> list[Finding]:
    """Return what a check tells since the examples."""
    found = load_policies(before or EXAMPLES, SHIPPED)
    old = {name: one for name, one in found.items() if before is not None or name in THREE}
    checked = check_policies(places, SHIPPED, measures=Measures(scrape=timedelta(seconds=15), earlier=lambda _: old))
    return [finding for finding in checked.findings if finding.rule in ("weakened", "changed", "tightened", "policy")]


def lines(found: list[Finding]) -> list[str]:
    return [
        f"{Path(one.fault.file).name}:{one.fault.line}:{one.fault.column}: {one.rule}: {one.fault.path}: {one.said}"
        for one in found
    ]


def edit(folder: Path, *changes: tuple[bytes, bytes]) -> Path:
    text = CHECKOUT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "checkout.yaml").write_bytes(text)
    return folder / "checkout.yaml"


def test_what_did_not_change_is_not_told(policies: Path) -> None:
    found = since(policies)
    assert lines(found) == ["catalogue.yaml:0:0: changed: : the service catalogue -> nothing"]
    assert since(policies / "checkout.yaml") == []


def test_each_change_is_told_at_its_place_with_its_way(policies: Path) -> None:
    changes = (b"limit: 1%", b"limit: 2%"), (b"for: 30m", b"for: 40m"), (b"500ms", b"250ms")
    found = since(edit(policies, *changes))
    assert lines(found) == [
        "checkout.yaml:11:19: tightened: stages[staging].window.for: 30m -> 40m",
        "checkout.yaml:13:35: weakened: stages[staging].gates[http-errors].limit: 1 % -> 2 %",
        (
            'checkout.yaml:14:9: changed: stages[staging].gates[http-latency]: …onds_bucket{…,le="0.5"}[$tile])); '
            'sum by… -> …onds_bucket{…,le="0.25"}[$tile])); sum by…'
        ),
    ]
    assert [one.severity for one in found] == [Severity.NOTE, Severity.WARNING, Severity.WARNING]
    assert {one.rule for one in found} <= RULES.keys()
    assert (found[1].fault.found, found[1].fault.expected) == ("2 %", "1 %, as before")


def test_what_is_gone_is_told_where_it_was(policies: Path) -> None:
    gate = b"      - {use: argocd-healthy}\n"
    assert lines(since(edit(policies, (gate, b"")))) == [
        (
            "checkout.yaml:13:7: weakened: stages[staging].gates[argocd-healthy]: "
            "Argo CD reports every application synced and Healthy -> nothing"
        )
    ]


def test_a_service_under_another_name_is_one_that_is_gone_and_a_new_one(policies: Path) -> None:
    edit(policies, (b"service: checkout", b"service: till"), (b"limit: 1%", b"limit: 9%"))
    assert "checkout.yaml:0:0: changed: : the service checkout -> nothing" in lines(since(policies))
    assert since(policies / "checkout.yaml") == []


def test_a_file_that_is_renamed_is_compared_all_the_same(policies: Path) -> None:
    edit(policies, (b"limit: 1%", b"limit: 2%")).rename(policies / "other.yaml")
    assert "other.yaml:13:35: weakened: stages[staging].gates[http-errors].limit: 1 % -> 2 %" in lines(since(policies))


def test_what_is_broken_now_is_told_as_such_and_not_as_gone(policies: Path) -> None:
    edit(policies, (b"limit: 1%", b"limit: 1 percent"))
    found = since(policies)
    assert [one.rule for one in found] == ["policy", "changed"]
    assert "catalogue" in found[1].said


def test_an_earlier_version_with_faults_is_told_since_nobody_knows_what_it_was(policies: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    edit(before, (b"limit: 1%", b"limit: 1 percent"))
    (found,) = since(policies, before=before)
    assert found.said == (
        'it cannot be compared: checkout.yaml:13:35: stages[0].gates[0].limit: found "1 percent", '
        "expected a percentage such as 1% or a share such as 0.01"
    )
    assert found.rule == "changed"


def test_an_earlier_version_with_faults_that_was_moved_is_told(policies: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    (before / "orders.yaml").write_bytes((EXAMPLES / "orders.yaml").read_bytes())
    edit(before, (b"limit: 1%", b"limit: 1 percent"))
    (policies / "checkout.yaml").rename(policies / "moved.yaml")
    (found,) = since(policies, before=before)
    assert found.said.startswith("it is gone, and cannot be compared: checkout.yaml:13:35: stages[0].gates[0].limit: ")
    assert (found.rule, Path(found.fault.file).name) == ("changed", "checkout.yaml")
    # Nor is it hidden by another service in its place.
    (policies / "orders.yaml").rename(policies / "checkout.yaml")
    assert [one.said for one in since(policies, before=before)] == [found.said]
    # Where it is broken still, that is told.
    edit(policies, (b"limit: 1%", b"limit: 1 percent"))
    assert "it is gone, and cannot be compared" not in str([one.said for one in since(policies, before=before)])


def test_an_earlier_template_with_faults_is_no_policy_that_is_gone(policies: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    (before / "gates").mkdir(parents=True)
    (before / "gates" / "mine.yaml").write_text("name: mine\n")
    (before / "orders.yaml").write_bytes((EXAMPLES / "orders.yaml").read_bytes())
    (before / "checkout.yaml").write_bytes(CHECKOUT)
    assert since(policies, before=before) == []


def test_a_policy_below_the_floor_is_a_fault_of_the_check(policies: Path) -> None:
    floor = parse_floor(floor_text("promote: {merge: human}"), file="floor.yaml", templates=SHIPPED)
    checked = check_policies(
        [policies / "checkout.yaml"], SHIPPED, measures=Measures(scrape=timedelta(seconds=15), floor=floor)
    )
    (found,) = checked.findings
    assert (found.rule, found.severity, found.fault.line) == ("below-floor", Severity.FAULT, 21)


def test_a_directory_from_which_all_policies_are_gone_is_told(tmp_path: Path) -> None:
    assert [one.said for one in since(tmp_path)] == [
        f"the service {service} -> nothing" for service in ("catalogue", "checkout", "orders")
    ]


def test_a_directory_that_was_not_there_is_told_as_changed_since_nothing_in_it_was_compared(policies: Path) -> None:
    checked = check_policies(
        [policies], SHIPPED, measures=Measures(scrape=timedelta(seconds=15), earlier=lambda _: None)
    )
    found = [one for one in checked.findings if one.rule == "changed"]
    assert [one.said for one in found] == ["it was not there, and nothing in it was compared"]
    assert found[0].fault.file == str(policies)
