"""Files and directories of policies and templates are checked together, as the bot reads them."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.policy import GateTemplates, PolicyError, load_policies, parse_template, shipped_gate_templates
from bot.policy.checking import Checked, check_policies
from bot.policy.files import yaml_files
from bot.policy.findings import RULES, Finding, Severity
from tests.policy.a_rule import DEPTH, SHARE, with_gate

SHIPPED = shipped_gate_templates()
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "policies" / "examples"
CHECKOUT = (EXAMPLES / "checkout.yaml").read_text("utf-8")
GOOD = with_gate("{use: http-errors, limit: 1%}").replace("service: a", "service: good")


def check(*places: Path, templates: GateTemplates = SHIPPED) -> Checked:
    return check_policies(places, templates, scrape=timedelta(seconds=15))


def said(checked: Checked, folder: Path) -> list[str]:
    return [str(finding.fault).removeprefix(f"{folder}/") for finding in checked.findings]


def test_the_shipped_policies_and_templates_have_nothing_wrong() -> None:
    checked = check(ROOT / "policies", EXAMPLES)
    assert checked == Checked(files=len(SHIPPED) + len(yaml_files(EXAMPLES, expected="the examples")), findings=())


def test_all_that_is_wrong_in_all_files_is_found_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(
        CHECKOUT.replace("limit: 1%", "limit: 1 percent").replace("merge: auto", "merge: x")
    )
    (tmp_path / "a.yaml").write_text("service: [")
    (tmp_path / "c.yaml").write_text(GOOD)
    (tmp_path / "d.test.yaml").write_text("service: [")
    checked = check(tmp_path)
    assert checked.files == 3
    assert [(Path(one.fault.file).name, one.fault.path) for one in checked.findings] == [
        ("a.yaml", ""),
        ("b.yaml", "stages[0].gates[0].limit"),
        ("b.yaml", "stages[1].promote.merge"),
    ]
    assert {one.rule for one in checked.findings} == {"policy"}


def test_a_file_is_checked_with_the_own_templates_of_its_directory(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "depth.yaml").write_text(DEPTH)
    (tmp_path / "a.yaml").write_text(with_gate("{use: depth, above: 1}"))
    assert check(tmp_path / "a.yaml") == Checked(files=1, findings=())
    assert check(tmp_path) == Checked(files=2, findings=())


def test_a_broken_template_is_told_once_and_of_the_policies_that_use_it(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "x.yaml").write_text(
        SHARE.replace("name: jobs", "name: http-errors").replace("counts: bad\n", "")
    )
    (tmp_path / "a.yaml").write_text(with_gate("{use: http-errors, limit: 1%}"))
    assert said(check(tmp_path), tmp_path) == [
        (
            'a.yaml:13:15: stages[0].gates[1].use: found "http-errors", '
            "expected a template without faults: gates/x.yaml has some"
        ),
        "gates/x.yaml:1:1: counts: found nothing, expected bad or good",
    ]


def test_the_queries_of_templates_are_checked_also_where_one_is_named_alone(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "depth.yaml").write_text(DEPTH.replace("jobs_waiting{$selector})", "jobs_waiting{$selector}"))
    (finding,) = check(tmp_path / "gates" / "depth.yaml").findings
    assert str(finding.fault) == (
        f"{tmp_path}/gates/depth.yaml:6:46: query: found a query that goes wrong at its end: "
        "unclosed left parenthesis, expected PromQL"
    )
    assert check(tmp_path / "gates").findings == check(tmp_path).findings == (finding,)


def test_a_second_template_of_a_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / "gates" / name).write_text(DEPTH)
    assert said(check(tmp_path), tmp_path) == [
        "gates/b.yaml: found the template depth, which gates/a.yaml has, expected a name of its own"
    ]


def test_a_service_of_two_files_is_found_where_both_are_checked(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    assert said(check(tmp_path), tmp_path) == [
        "b.yaml: found the service good, which a.yaml describes, expected a service of its own"
    ]
    assert check(tmp_path / "b.yaml").findings == ()
    assert said(check(tmp_path / "a.yaml", tmp_path, tmp_path / "b.yaml"), tmp_path) == said(check(tmp_path), tmp_path)


def test_queries_are_checked_in_a_policy_that_has_other_faults_and_warnings_only_in_one_that_has_none(
    tmp_path: Path,
) -> None:
    entry = "{use: promql, above: 1, query: 'max(a{$selector}'}\n      - {use: http-errors, limit: 1%, floor: 5}"
    (tmp_path / "a.yaml").write_text(with_gate(entry))
    found = check(tmp_path).findings
    assert [(one.rule, one.severity) for one in found] == [
        ("promql", Severity.FAULT),
        ("floor-proves-nothing", Severity.WARNING),
    ]
    (tmp_path / "a.yaml").write_text(with_gate(entry).replace("limit: 1%", "limit: x"))
    assert [one.rule for one in check(tmp_path).findings] == ["promql", "policy"]


def test_what_cannot_be_read_is_found(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "bytes.yaml").write_bytes(b"\xff")
    assert said(check(tmp_path), tmp_path) == [
        "bytes.yaml: found bytes that are no UTF-8, expected UTF-8 text",
        "pipe.yaml: found something that is no file, expected a file that can be read",
        "gates/bytes.yaml: found bytes that are no UTF-8, expected UTF-8 text",
    ]
    assert said(check(tmp_path / "none.yaml"), tmp_path) == [
        "none.yaml: found No such file or directory, expected a file that can be read"
    ]


class _Unreadable(type(Path())):  # type: ignore[misc]  # a path of this system
    """A directory that cannot be listed, also by root, whom no permission stops."""

    def iterdir(self) -> object:
        raise PermissionError(13, "Permission denied")


def test_a_directory_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    place = _Unreadable(tmp_path)
    (place / "gates").mkdir()
    assert [str(one.fault) for one in check(place).findings] == [
        f"{folder}: found Permission denied, expected a directory of policies" for folder in (place, place / "gates")
    ]


def test_a_template_of_an_unknown_directory_is_parsed_as_the_bot_does(tmp_path: Path) -> None:
    folder = tmp_path / "gates"
    folder.mkdir()
    (folder / "a.txt").write_text("name: [")
    (finding,) = check(folder / "a.txt").findings
    assert finding.fault.file == str(folder / "a.txt")
    with pytest.raises(PolicyError):
        parse_template("name: [", file="a.txt")


def test_every_rule_of_a_warning_is_documented() -> None:
    page = (ROOT / "docs" / "policy.md").read_text("utf-8").partition("\n## Checking\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(RULES) - {"policy", "promql"}


def test_findings_are_sorted_by_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("zzz: 1\napiVersion: x\n")
    found = check(tmp_path).findings
    assert list(found) == sorted(found)
    assert all(isinstance(one, Finding) for one in found)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", CHECKOUT, DEPTH]))
def test_any_bytes_are_checked_as_policy_and_as_template(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, text: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    at = len(noise) * 7 % (len(text) + 1)
    content = text[:at].encode() + noise + text[at:].encode()
    (folder / "gates").mkdir()
    for path in (folder / "a.yaml", folder / "gates" / "b.yaml"):
        path.write_bytes(content)
    checked = check(folder)
    refused = {name for name, one in load_policies(folder, SHIPPED).items() if isinstance(one, PolicyError)}
    assert refused == {
        str(Path(one.fault.file).relative_to(folder)) for one in checked.findings if one.rule == "policy"
    }
