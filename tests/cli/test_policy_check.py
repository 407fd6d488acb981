"""`liftlock policy check` says all that is wrong, in four forms; `liftlock policy schema` prints what editors need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from bot import __version__
from bot.cli.app import app
from bot.cli.findings import Format, render_findings
from bot.policy.checking import Checked
from bot.policy.faults import PolicyFault
from bot.policy.findings import RULES, Finding, Severity

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = (ROOT / "policies" / "examples" / "checkout.yaml").read_text("utf-8")
WRONG = CHECKOUT.replace("limit: 1%", "limit: 1 percent").replace("gates:", "gatess:")
SETTINGS = """\
[bot]
policies = "elsewhere"
state = "state"
[argocd]
url = "https://argocd.example"
[prometheus]
url = "https://prometheus.example"
"""
DEPTH = """\
name: depth
title: jobs that wait
description: How many jobs wait.
kind: value
query: sum by ($key) (jobs_waiting{$selector})
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "checkout.yaml").write_text(CHECKOUT)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", *arguments])


def a_finding(**changed: object) -> Finding:
    usual = {"file": "a.yaml", "line": 3, "column": 5, "path": "stages[0].name", "found": "this", "expected": "that"}
    severity = Severity(str(changed.pop("severity", "fault")))
    rule = str(changed.pop("rule", "policy"))
    fault = PolicyFault(**{**usual, **changed})  # type: ignore[arg-type]  # each field by its name
    return Finding(fault=fault, rule=rule, severity=severity)


def rendered(form: Format, *findings: Finding) -> str:
    return render_findings(Checked(files=1, findings=findings), form)


# --- what is checked, and how it ends ---


def test_without_a_path_the_folder_policies_is_checked() -> None:
    result = run("check")
    assert (result.exit_code, result.output) == (0, "1 file checked: 0 faults\n")


def test_all_faults_are_said_at_once_and_the_exit_code_is_1() -> None:
    Path("policies/checkout.yaml").write_text(WRONG.replace("merge: auto", "merge: atuo"))
    result = run("check")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        (
            "policies/checkout.yaml:12:5: stages[0].gatess: found an unknown key, expected one of argocd, artifact, "
            "calendar, edit, from, gates, metrics, metrics_from, name, promote, releases, rollback, sync, waves, "
            'window, with; did you mean "gates"?'
        ),
        (
            'policies/checkout.yaml:21:40: stages[1].promote.merge: found "atuo", expected auto or human; '
            'did you mean "auto"?'
        ),
        "1 file checked: 2 faults",
    ]


def test_warnings_are_shown_and_the_exit_code_is_0() -> None:
    result = run("check", "--scrape", "30s")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        (
            "policies/checkout.yaml:11:13: warning: stages[0].window.tile: found tiles of 1m, "
            "expected at least 2m, 4 scrapes of 30s: counts are rough"
        ),
        (
            "policies/checkout.yaml:23:7: warning: stages[1].rollback.tile: found tiles of 1m, "
            "expected at least 2m, 4 scrapes of 30s: counts are rough"
        ),
        "1 file checked: 0 faults, 2 warnings",
    ]


def test_files_and_directories_are_checked_together() -> None:
    Path("more").mkdir()
    Path("more/a.yaml").write_text("service: [")
    result = run("check", "more/a.yaml", "policies")
    assert result.exit_code == 1
    assert result.output.endswith("2 files checked: 1 fault\n")


@pytest.mark.parametrize("named", [["--config", "liftlock.toml"], []], ids=["named", "where it is"])
def test_the_settings_say_where_the_policies_are(named: list[str]) -> None:
    Path("liftlock.toml").write_text(SETTINGS)
    Path("elsewhere").mkdir()
    Path("elsewhere/a.yaml").write_text("service: [")
    result = run("check", *named)
    assert result.exit_code == 1
    assert f"{Path('elsewhere').resolve()}/a.yaml:1:" in result.output


def test_each_line_about_settings_says_that_it_is_liftlocks() -> None:
    Path("liftlock.toml").write_text("[bot]\npolicies = 'policies'\n")
    ran = run("check")
    assert (ran.exit_code, ran.output.splitlines()) == (
        2,
        [
            "liftlock: liftlock.toml: bot.state: is missing",
            "liftlock: liftlock.toml: argocd: is missing",
            "liftlock: liftlock.toml: prometheus: is missing",
        ],
    )


@pytest.mark.parametrize("command", [["check"], ["test"], ["show", "checkout"]], ids=" ".join)
def test_where_the_settings_name_a_repository_of_policies_it_is_said_what_to_name(command: list[str]) -> None:
    section = '[policies]\nrepository = "acme/policies"\npath = "teams"\n'
    Path("liftlock.toml").write_text(SETTINGS.replace('policies = "elsewhere"\n', "") + section)
    ran = run(*command)
    told = "the settings read policies from the folder teams of acme/policies (branch main), not from this machine"
    named = "name the directory of your checkout, such as policies"
    assert (ran.exit_code, ran.output) == (2, f"liftlock: {told}: {named}\n")


def test_what_a_directory_leaves_out_is_left_out_by_name_too() -> None:
    Path("policies/a.test.yaml").write_text("service: [")
    assert run("check", "policies/a.test.yaml", "policies").output == "1 file checked: 0 faults\n"


def test_a_test_file_that_is_checked_alone_is_refused_and_not_called_faultless() -> None:
    Path("policies/a.test.yaml").write_text("service: [")
    told = "policies/a.test.yaml: that is a test file, not a policy: run it with `liftlock policy test "
    ran = run("check", "policies/a.test.yaml")
    assert (ran.exit_code, ran.output) == (2, f"liftlock: {told}policies/a.test.yaml`\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "none"], "liftlock: none: there is no such file or directory"),
        (["check", "empty"], "liftlock: empty: there is no policy in it"),
        (["check", "--scrape", "often"], "liftlock: --scrape 'often': expected a duration such as 15s"),
        (["check", "--scrape", "0s"], "liftlock: --scrape 0s: expected more than nothing"),
        (["check", "--config", "none.toml"], "liftlock: none.toml: there is no such settings file"),
        (["check", "--format", "xml"], "Invalid value for '--format'"),
        (["schema", "none"], "liftlock: none: there is no such directory"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], sentence: str) -> None:
    Path("empty").mkdir()
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output


# --- the forms ---


def test_text_says_the_place_as_far_as_it_is_known_and_commands_no_terminal() -> None:
    lines = rendered(
        Format.TEXT, a_finding(line=0, column=0, path="", file="a\x1b[31m.yaml", found="\x07")
    ).splitlines()
    assert len(lines) == 2
    assert "\x1b" not in lines[0]
    assert "\x07" not in lines[0]
    assert lines[0].startswith("a")
    assert ".yaml: found " in lines[0]


def test_json_is_a_list_of_objects() -> None:
    Path("policies/checkout.yaml").write_text(CHECKOUT.replace("limit: 1%", "limit: 1 percent"))
    result = run("check", "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.output) == [
        {
            "file": "policies/checkout.yaml",
            "line": 13,
            "column": 35,
            "path": "stages[0].gates[0].limit",
            "found": '"1 percent"',
            "expected": "a percentage such as 1% or a share such as 0.01",
            "severity": "fault",
            "rule": "policy",
        }
    ]
    assert json.loads(rendered(Format.JSON, a_finding(line=0, column=0)))[0]["line"] is None
    assert rendered(Format.JSON) == "[]"


def test_github_is_a_workflow_command_for_each() -> None:
    assert rendered(
        Format.GITHUB, a_finding(), a_finding(severity="warning", rule="narrow-tile", line=0, column=0)
    ).splitlines() == [
        "::error file=a.yaml,line=3,col=5,title=liftlock policy%3A policy::stages[0].name: found this, expected that",
        "::warning file=a.yaml,title=liftlock policy%3A narrow-tile::stages[0].name: found this, expected that",
        "1 file checked: 1 fault, 1 warning",
    ]


def test_no_text_ends_a_workflow_command_or_a_property_of_it() -> None:
    hostile = "50%\r\n::stop-commands::x, y: z"
    command, _ = rendered(Format.GITHUB, a_finding(file=hostile, found=hostile)).split("\n")
    assert command == (
        "::error file=50%25%0D%0A%3A%3Astop-commands%3A%3Ax%2C y%3A z,line=3,col=5,title=liftlock policy%3A policy"
        "::stages[0].name: found 50%25%0D%0A::stop-commands::x, y: z, expected that"
    )


def test_sarif_has_a_rule_a_level_a_message_and_a_place_for_each() -> None:
    Path("policies/checkout.yaml").write_text(CHECKOUT.replace("limit: 1%", "limit: 1 percent"))
    result = run("check", "--format", "sarif")
    assert result.exit_code == 1
    log = json.loads(result.output)
    assert log["version"] == "2.1.0"
    (ran,) = log["runs"]
    driver = ran["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("liftlock", __version__)
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert ran["results"] == [
        {
            "ruleId": "policy",
            "ruleIndex": 0,
            "level": "error",
            "message": {
                "text": 'stages[0].gates[0].limit: found "1 percent", '
                "expected a percentage such as 1% or a share such as 0.01"
            },
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "policies/checkout.yaml"},
                        "region": {"startLine": 13, "startColumn": 35},
                    }
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a b/ä#1.yaml", "a%20b/%C3%A4%231.yaml"),
        ("/work/a b.yaml", "file:///work/a%20b.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),
    ],
)
def test_sarif_writes_a_file_as_a_uri_and_no_line_where_none_is_known(file: str, uri: str) -> None:
    log = json.loads(rendered(Format.SARIF, a_finding(file=file, line=0, column=0, severity="warning")))
    (result,) = log["runs"][0]["results"]
    assert result["level"] == "warning"
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": uri}}}]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.integers(0, len(CHECKOUT)), st.sampled_from(list(Format)))
def test_whatever_a_file_holds_there_is_an_answer_and_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, form: Format
) -> None:
    file = tmp_path_factory.mktemp("any") / "a.yaml"
    file.write_bytes(CHECKOUT[:at].encode() + noise + CHECKOUT[at:].encode())
    result = run("check", str(file), "--format", form)
    assert result.exit_code in {0, 1}
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if form in {Format.JSON, Format.SARIF}:
        json.loads(result.output)


DEFAULTS = """\
apiVersion: liftlock.dev/v1
gitops: {repository: acme/deploy}
stage: {window: {for: 30m}, gates: [{use: http-errors, limit: 1%}], argocd: "{service}-{stage}"}
stages: {production: {rollback: {watch: 1h, triggers: [{use: argocd-degraded}]}}}
"""
EXTENDING = """\
apiVersion: liftlock.dev/v1
extends: defaults.yaml
service: cart
image: r/a
stages: [{name: a, edit: {kustomize: a}, metrics: {a: b}}, {name: production, from: a, edit: {kustomize: b}}]
"""


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(DEFAULTS)), st.integers(0, 20), st.sampled_from(list(Format)))
def test_whatever_defaults_hold_there_is_an_answer_and_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, lost: int, form: Format
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "defaults.yaml").write_bytes(DEFAULTS[:at].encode() + noise + DEFAULTS[at + lost :].encode())
    (folder / "cart.yaml").write_text(EXTENDING)
    result = run("check", str(folder), "--format", form)
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    for command in ([], ["--resolved"]):
        shown = run("show", "cart", str(folder), *command)
        assert shown.exit_code == result.exit_code
        assert shown.exception is None or isinstance(shown.exception, SystemExit)


@pytest.mark.parametrize("form", Format)
def test_a_file_whose_name_is_no_utf_8_is_named_all_the_same(form: Format) -> None:
    name = os.fsdecode(b"more/\xff\n.yaml")
    Path("more").mkdir()
    Path(name).write_text("service: [")
    for place in (name, "more"):
        result = run("check", place, "--format", form)
        assert result.exit_code == 1
        assert "yaml" in result.output
        assert isinstance(result.exception, SystemExit)


# --- the schema ---


def test_the_schema_is_printed_with_the_templates_of_a_directory() -> None:
    Path("policies/gates").mkdir()
    Path("policies/gates/depth.yaml").write_text(DEPTH)
    plain, own = (json.loads(run("schema", *more).output) for more in ([], ["policies"]))
    assert plain == json.loads((ROOT / "docs" / "policy.schema.json").read_text("utf-8"))
    assert set(own["$defs"]) - set(plain["$defs"]) == {"use-depth"}
    assert "depth" in own["$defs"]["trigger"]["properties"]["use"]["enum"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tests", "--defaults"], "--tests and --defaults: expected one of them"),
        (["policies", "--tests"], "policies: expected no directory beside --tests"),
    ],
)
def test_one_schema_is_printed_or_none(arguments: list[str], told: str) -> None:
    ran = run("schema", *arguments)
    assert (ran.exit_code, ran.output.startswith(f"liftlock: {told}")) == (2, True)


# --- for others to use ---


def test_the_parser_of_queries_is_not_in_the_process_of_the_bot() -> None:
    # It ends the process on what is too deep for it.
    code = "import bot.cli.run, bot.cli.check, sys; print('promql_parser' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_the_hook_and_the_help_name_the_command_that_there_is() -> None:
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    assert re.search(r"^- id: liftlock-policy-check$", hook, re.MULTILINE)
    assert "entry: liftlock policy check\n" in hook
    assert "Ends with 0" in run("check", "--help").output


def test_the_hooks_and_the_workflow_run_the_tests_of_policies_too() -> None:
    hooks = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert {hook["id"]: hook["entry"] for hook in hooks} == {
        "liftlock-policy-check": "liftlock policy check",
        "liftlock-policy-test": "liftlock policy test",
    }
    workflow = YAML(typ="safe").load((ROOT / "deploy/github-actions/policy-check.yml").read_text("utf-8"))
    *_, check, test = workflow["jobs"]["check"]["steps"]
    assert check["run"].splitlines()[-1].startswith('liftlock policy check --format github --against="$against"')
    assert test["run"].splitlines()[-1] == 'liftlock policy test "$POLICIES"'
