"""A team's own gate templates: in `gates/` beside its policies, added to the shipped ones."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bot.domain.policy import Policy
from bot.domain.rules import ValueGate
from bot.policy import PolicyError, load_policies, shipped_gate_templates
from bot.policy.tree import MAX_BYTES
from tests.policy.a_rule import DEPTH, with_gate, with_trigger

SHIPPED = shipped_gate_templates()
USES = with_gate("{use: depth, above: 10}")
USES_NOT = with_gate("{use: http-errors, limit: 1%}").replace("service: a", "service: b")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A directory with a policy that uses the own template `depth`, and one that does not."""
    (tmp_path / "gates").mkdir()
    (tmp_path / "a.yaml").write_text(USES, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(USES_NOT, encoding="utf-8")
    return tmp_path


def add(policies: Path, text: str, *, name: str = "depth.yaml") -> None:
    (policies / "gates" / name).write_text(text, encoding="utf-8")


def policy(directory: Path, name: str) -> Policy:
    found = load_policies(directory, SHIPPED)[name]
    assert isinstance(found, Policy), found
    return found


def refusals(directory: Path) -> dict[str, str]:
    """Return what is wrong, by file."""
    found = load_policies(directory, SHIPPED)
    return {file: str(item) for file, item in found.items() if isinstance(item, PolicyError)}


def test_an_own_template_is_used_like_a_shipped_one(policies: Path) -> None:
    add(policies, DEPTH)
    gate = policy(policies, "a.yaml").stages[0].gates[1]
    assert isinstance(gate, ValueGate)
    assert gate.query.text == 'sum by (namespace) (jobs_waiting{namespace="one"})'
    assert not refusals(policies)


def test_own_templates_are_read_anew_each_time(policies: Path) -> None:
    add(policies, DEPTH)
    assert not refusals(policies)
    add(policies, DEPTH.replace("name: depth", "name: other"))
    assert set(refusals(policies)) == {"a.yaml"}


def test_a_policy_may_use_shipped_and_own_templates_at_once(policies: Path) -> None:
    add(policies, DEPTH, name="depth.yml")
    (policies / "c.yaml").write_text(
        with_trigger("{use: depth, above: 10}").replace("service: a", "service: c"), encoding="utf-8"
    )
    assert policy(policies, "c.yaml").stages[0].gates
    assert not refusals(policies)


@pytest.mark.parametrize("name", [".depth.yaml", "depth.test.yaml", "depth.yaml.orig", "README.md"])
def test_other_files_are_no_templates(policies: Path, name: str) -> None:
    add(policies, "name: [", name=name)
    assert set(refusals(policies)) == {"a.yaml"}


def test_a_folder_in_the_folder_is_no_template(policies: Path) -> None:
    (policies / "gates" / "depth.yaml").mkdir()
    assert set(refusals(policies)) == {"a.yaml"}


def test_without_the_folder_there_are_the_shipped_ones(policies: Path) -> None:
    (policies / "gates").rmdir()
    assert set(refusals(policies)) == {"a.yaml"}
    (policies / "gates").write_text("no folder", encoding="utf-8")
    assert set(refusals(policies)) == {"a.yaml"}


# --- broken ones ---


def test_a_broken_template_is_an_error_of_its_file_and_of_the_policies_that_use_it(policies: Path) -> None:
    add(policies, DEPTH.replace("kind: value", "kind: valeu"))
    assert refusals(policies) == {
        "gates/depth.yaml": (
            'gates/depth.yaml:2:7: kind: found "valeu", expected share, value or events; did you mean "value"?'
        ),
        "a.yaml": (
            'a.yaml:13:15: stages[0].gates[1].use: found "depth", '
            "expected a template without faults: gates/depth.yaml has some"
        ),
    }


def test_a_broken_template_is_known_by_the_name_in_it(policies: Path) -> None:
    add(policies, DEPTH.replace("title:", "titel:"), name="jobs.yaml")
    assert "expected a template without faults: gates/jobs.yaml has some" in refusals(policies)["a.yaml"]


@pytest.mark.parametrize("text", ["name: [", "", "[]", "kind: value", "name: [depth]"])
def test_a_template_that_says_no_name_is_known_by_its_file_s(policies: Path, text: str) -> None:
    add(policies, text)
    found = refusals(policies)
    assert set(found) == {"a.yaml", "gates/depth.yaml"}
    assert found["gates/depth.yaml"].startswith("gates/depth.yaml")
    assert "expected a template without faults: gates/depth.yaml has some" in found["a.yaml"]


def test_bytes_that_are_no_utf8_are_an_error_of_the_template(policies: Path) -> None:
    (policies / "gates" / "depth.yaml").write_bytes(b"name: \xff")
    assert refusals(policies)["gates/depth.yaml"] == (
        "gates/depth.yaml: found bytes that are no UTF-8, expected UTF-8 text"
    )


def test_a_template_too_large_is_refused(policies: Path) -> None:
    (policies / "gates" / "depth.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert refusals(policies)["gates/depth.yaml"] == (
        "gates/depth.yaml: found more than 1 MiB, expected a file of at most 1 MiB"
    )


def test_a_named_pipe_among_the_templates_is_refused_without_waiting(policies: Path) -> None:
    os.mkfifo(policies / "gates" / "depth.yaml")
    assert refusals(policies)["gates/depth.yaml"] == (
        "gates/depth.yaml: found something that is no file, expected a file that can be read"
    )


def test_a_template_that_is_not_there_any_more_is_an_error_of_its_file(policies: Path) -> None:
    (policies / "gates" / "depth.yaml").symlink_to(policies / "nowhere.yaml")
    assert "found No such file or directory" in refusals(policies)["gates/depth.yaml"]


def test_a_folder_that_cannot_be_read_is_an_error_of_its_own(policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(policies, DEPTH)
    listed = os.scandir

    def refused(path: Path) -> object:
        if path.name == "gates":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    # The tests may run as root, whom no mode of a folder keeps out.
    monkeypatch.setattr(os, "scandir", refused)
    found = refusals(policies)
    assert set(found) == {"a.yaml", "gates"}
    assert found["gates"].endswith("gates: found Permission denied, expected a directory of gate templates")
    assert 'use: found "depth", expected one of' in found["a.yaml"]


# --- names ---


def test_an_own_template_takes_the_place_of_a_shipped_one(policies: Path) -> None:
    add(policies, DEPTH)
    own = DEPTH.replace("name: depth", "name: http-errors").replace("kind: value\n", "kind: value\nabove: 1\n")
    add(policies, own, name="http-errors.yaml")
    (policies / "b.yaml").write_text(USES_NOT.replace("limit: 1%", "above: 5"), encoding="utf-8")
    gate = policy(policies, "b.yaml").stages[0].gates[1]
    assert isinstance(gate, ValueGate)
    assert "jobs_waiting" in gate.query.text


def test_a_broken_one_does_not_leave_its_place_to_the_shipped_one(policies: Path) -> None:
    add(policies, DEPTH)
    add(policies, "name: http-errors\nkind: valeu\n", name="http-errors.yaml")
    assert set(refusals(policies)) == {"gates/http-errors.yaml", "b.yaml"}


def test_of_two_templates_of_one_name_the_first_stays(policies: Path) -> None:
    add(policies, DEPTH, name="a.yaml")
    add(policies, DEPTH.replace("jobs_waiting", "others_waiting"), name="b.yaml")
    assert refusals(policies) == {
        "gates/b.yaml": "gates/b.yaml: found the template depth, which gates/a.yaml has, expected a name of its own"
    }
    gate = policy(policies, "a.yaml").stages[0].gates[1]
    assert isinstance(gate, ValueGate)
    assert "jobs_waiting" in gate.query.text


# --- the version ---


def test_a_policy_s_version_changes_with_an_own_template_that_it_uses(policies: Path) -> None:
    add(policies, DEPTH)
    first, other = policy(policies, "a.yaml").version, policy(policies, "b.yaml").version
    add(policies, DEPTH.replace("jobs_waiting", "jobs_waiting_now"))
    assert policy(policies, "a.yaml").version != first
    assert policy(policies, "b.yaml").version == other == hashlib.sha256(USES_NOT.encode()).hexdigest()


def test_a_policy_s_version_changes_with_a_template_of_a_trigger(policies: Path) -> None:
    (policies / "a.yaml").write_text(with_trigger("{use: depth, above: 10}"), encoding="utf-8")
    add(policies, DEPTH)
    first = policy(policies, "a.yaml").version
    add(policies, f"{DEPTH}# a comment\n")
    assert policy(policies, "a.yaml").version != first
