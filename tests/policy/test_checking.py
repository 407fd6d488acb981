"""Files and directories of policies and templates are checked together, as the bot reads them."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.policy import (
    GateTemplates,
    PolicyError,
    load_policies,
    parse_template,
    shipped_gate_templates,
    spreading,
)
from bot.policy.checking import Checked, Measures, check_policies
from bot.policy.files import yaml_files
from bot.policy.findings import RULES, Finding, Severity
from bot.policy.places import value_at
from tests.policy.a_rule import DEPTH, SHARE, with_gate

SHIPPED = shipped_gate_templates()
EVERY_15_SECONDS = Measures(scrape=timedelta(seconds=15))
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "policies" / "examples"
CHECKOUT = (EXAMPLES / "checkout.yaml").read_text("utf-8")
GOOD = with_gate("{use: http-errors, limit: 1%}").replace("service: a", "service: good")


def check(*places: Path, templates: GateTemplates = SHIPPED) -> Checked:
    return check_policies(places, templates, measures=EVERY_15_SECONDS)


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


def test_a_directory_that_cannot_be_read_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_folder: object) -> NoReturn:
        # Root may read everything, so a mode would not do.
        raise PermissionError(13, "Permission denied")

    (tmp_path / "gates").mkdir()
    monkeypatch.setattr(os, "scandir", refused)
    assert [str(one.fault) for one in check(tmp_path).findings] == [
        f"{folder}: found Permission denied, expected a directory of policies"
        for folder in (tmp_path, tmp_path / "gates")
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
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(RULES) - {
        "policy",
        "promql",
        "below-floor",
    }


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


IN_WAVES = """\
apiVersion: liftlock.dev/v1
service: search
image: ghcr.io/acme/search
gitops: {repository: acme/deploy}
stages:
  - name: staging
    edit: {kustomize: staging.yaml}
    argocd: staging
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
  - name: production
    from: staging
    waves: {regions: [eu, [us, asia]]}
    edit: {helm: {file: "{region}.yaml", tag: image.tag}}
    argocd: "search-{region}"
    metrics: {region: "{region}"}
    window: {for: 30m, tile: 10s}
    gates:
      - {use: http-errors, limit: 1%, errors: "5..|["}
      - {use: promql, query: "sum by ($key) (x{$selector}", above: 1}
  - name: after
    from: production
    edit: {kustomize: after.yaml}
    argocd: after
"""


def test_what_is_found_in_a_stage_in_waves_is_told_once_where_the_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_text(IN_WAVES)
    found = [(one.rule, one.fault.line, one.fault.path) for one in check(tmp_path).findings]
    assert found == [
        ("narrow-tile", 17, "stages[1].window.tile"),
        ("promql", 19, "stages[1].gates[0].errors"),
        ("promql", 20, "stages[1].gates[1].query"),
    ]


def test_policies_are_kept_with_their_trees_only_where_they_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "checkout.yaml").write_text(CHECKOUT)
    (tmp_path / "wrong.yaml").write_text("service: x\n")
    assert check(tmp_path).policies == ()
    (read,) = check_policies(
        [tmp_path], shipped_gate_templates(), measures=EVERY_15_SECONDS, keeps_policies=True
    ).policies
    assert (read.policy.service, read.file) == ("checkout", str(tmp_path / "checkout.yaml"))
    assert value_at(read.tree, "stages[0].name").text == "staging"


# --- defaults --------------------------------------------------------------------------------------------------------

DEFAULTS = """\
apiVersion: liftlock.dev/v1
gitops: {repository: acme/deploy, branch: main}
stage:
  gates:
    - {use: promql, above: 1, query: 'max(a{$selector}'}
  window: {for: 30m, tile: 10s}
"""
EXTENDING = """\
apiVersion: liftlock.dev/v1
extends: defaults.yaml
service: one
image: r/a
stages:
  - {name: a, edit: {kustomize: a}, argocd: a, metrics: {a: b}}
  - {name: b, from: a, edit: {kustomize: b}, argocd: b, metrics: {a: c}}
"""


def test_what_is_wrong_with_defaults_is_told_once_at_its_place_however_many_inherit_it(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text(DEFAULTS)
    for name in ("a", "one", "z"):
        (tmp_path / f"{name}.yaml").write_text(EXTENDING.replace("service: one", f"service: {name}"))
    assert said(check(tmp_path), tmp_path) == [
        (
            "defaults.yaml:5:55: stage.gates[0].query: found a query that goes wrong at its end: "
            "unclosed left parenthesis, expected PromQL"
        ),
        (
            "defaults.yaml:6:28: stage.window.tile: found tiles of 10s, "
            "expected at least 1m, 4 scrapes of 15s: counts are rough"
        ),
    ]
    assert check(tmp_path).files == 4
    one = check(tmp_path / "one.yaml")
    assert (one.files, one.findings) == (1, check(tmp_path).findings)


def test_a_fault_that_names_the_service_is_told_once_too(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text(
        DEFAULTS.replace("  gates", '  sync: "{service}"\n  gates').replace("a{", "(a{")
    )
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(EXTENDING.replace("service: one", f"service: {name}"))
    assert [one for one in said(check(tmp_path), tmp_path) if "sync" in one] == [
        'defaults.yaml:4:9: stage.sync: found "a", expected argocd or bot'
    ]


def test_defaults_are_checked_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "defaults.yaml"
    path.write_text(DEFAULTS.replace("for: 30m", "fro: 30m"))
    assert [one.fault.path for one in check(path).findings] == ["stage.window.fro"]
    path.write_text(DEFAULTS.replace("stage:", "stgae:"))
    assert [one.fault.path for one in check(path).findings] == ["stgae"]
    path.write_text("a: [")
    assert [one.rule for one in check(path).findings] == ["policy"]


def test_defaults_for_a_stage_that_no_policy_has_are_warned_of_once_all_are_known(tmp_path: Path) -> None:
    named = "apiVersion: liftlock.dev/v1\ngitops: {repository: acme/deploy}\nstages:\n  stagin: {sync: bot}\n"
    (tmp_path / "defaults.yaml").write_text(named)
    (tmp_path / "alone.yaml").write_text(GOOD)
    assert check(tmp_path).findings == ()
    extending = EXTENDING.replace("name: a", "name: staging").replace("from: a", "from: staging")
    extending = extending.replace("argocd: a", "argocd: a, window: {for: 30m}, gates: [{use: argocd-healthy}]")
    (tmp_path / "one.yaml").write_text(extending)
    assert said(check(tmp_path), tmp_path) == [
        (
            "defaults.yaml:4:11: stages.stagin: found defaults for a stage that no policy has which extends this, "
            'expected one of b, staging; did you mean "staging"?'
        )
    ]
    assert check(tmp_path / "one.yaml", tmp_path / "defaults.yaml").findings == ()
    (tmp_path / "two.yaml").write_text("extends: defaults.yaml")
    assert "stages.stagin" not in "".join(said(check(tmp_path), tmp_path))
    (tmp_path / "two.yaml").unlink()
    (tmp_path / "defaults.yaml").write_text(named.replace("stagin:", "b:"))
    assert check(tmp_path).findings == ()


def test_a_template_in_a_file_of_that_name_is_a_template(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "defaults.yaml").write_text(DEPTH)
    assert check(tmp_path) == Checked(files=1, findings=())


def test_many_files_are_checked_by_several_processes_with_the_same_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "FEW", 3)
    (tmp_path / "defaults.yaml").write_text(DEFAULTS)
    for number in range(6):
        (tmp_path / f"{number}.yaml").write_text(EXTENDING.replace("service: one", f"service: s{number % 4}"))
    alone = check_policies([tmp_path], SHIPPED, measures=EVERY_15_SECONDS)
    together = check_policies([tmp_path], SHIPPED, measures=EVERY_15_SECONDS, processes=2)
    assert together == alone
    assert [one.partition(": ")[0] for one in said(together, tmp_path)][:2] == ["4.yaml", "5.yaml"]


_WORDS = st.sampled_from(
    ["extends", "defaults.yaml", "stage", "stages", "production", "name", "from", "registry", "releases", "edit",
     "kustomize", "argocd", "{service}", "{stage}", "{service}-{stage}", "metrics", "window", "for", "30m", "gates",
     "use", "soak", "promote", "by", "commit", "title", "rollback", "watch", "calendar", "service", "cart", "image",
     "gitops", "apiVersion", "liftlock.dev/v1", "artifact", "signer", "~", "1%"]
)  # fmt: skip
_SHAPES = st.recursive(
    _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.text(max_size=80), st.dictionaries(_WORDS, _SHAPES, max_size=6).map(json.dumps), st.just(DEFAULTS)),
    st.one_of(st.text(max_size=80), st.dictionaries(_WORDS, _SHAPES, max_size=6).map(json.dumps), st.just(EXTENDING)),
    st.booleans(),
)
def test_any_yaml_is_checked_as_policy_and_as_defaults(
    tmp_path_factory: pytest.TempPathFactory, defaults: str, policy: str, does_extend: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    if does_extend and policy.startswith("{"):
        policy = json.dumps({**json.loads(policy), "extends": "defaults.yaml"})
    (folder / "defaults.yaml").write_bytes(defaults.encode("utf-8", "replace"))
    (folder / "a.yaml").write_bytes(policy.encode("utf-8", "replace"))
    checked = check(folder)
    assert checked.files == 2
    assert all(str(one.fault).isprintable() for one in checked.findings)
    found = load_policies(folder, SHIPPED)["a.yaml"]
    if isinstance(found, PolicyError):
        assert any(one.rule == "policy" for one in checked.findings)
