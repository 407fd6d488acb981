"""The workflow that builds a release: linted, without a stored secret, and what the policy of its page asks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.domain.model import Release
from bot.domain.signers import Keyless, differs
from bot.domain.trust import BuildRule
from bot.policy import parse_policy, shipped_gate_templates
from tests.builders import IMAGE
from tests.trusted import a_signature

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / "deploy" / "github-actions" / "release.yml"
TEXT = WORKFLOW.read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
LINTERS = [
    ("zizmor", "--offline", "--no-config", "--persona", "auditor", "--min-severity", "informational"),
    ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
]


def jobs() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["jobs"]
    return found


@pytest.mark.parametrize("linter", LINTERS, ids=[name for name, *_ in LINTERS])
def test_a_linter_finds_nothing_and_would_find_something(linter: tuple[str, ...], tmp_path: Path) -> None:
    name, *options = linter
    command = [str(BIN / name), *options]
    checked = subprocess.run([*command, str(WORKFLOW)], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    bad = tmp_path / "release.yml"
    worse = TEXT.replace("@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4").replace(
        "runs-on: ubuntu", "run-on: ubuntu"
    )
    bad.write_text(worse, encoding="utf-8")
    refused = subprocess.run([*command, str(bad)], capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0


def test_every_action_is_pinned_by_commit_and_says_its_version() -> None:
    used = re.findall(r"uses: (\S+)(.*)", TEXT)
    assert len(used) > 5
    assert [action for action, _ in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action)] == []
    assert [action for action, said in used if not re.fullmatch(r" # v\d+\.\d+\.\d+", said)] == []


@pytest.mark.invariant("I12")
def test_no_secret_is_stored_and_no_text_of_others_reaches_a_shell() -> None:
    assert "secrets." not in TEXT
    runs = [step["run"] for job in jobs().values() for step in job["steps"] if "run" in step]
    assert runs
    assert [run for run in runs if "${{" in run] == []


def test_each_job_has_only_the_rights_that_it_needs_and_what_runs_the_sources_cannot_sign() -> None:
    assert yaml.safe_load(TEXT)["permissions"] == {}
    rights = {name: set(job["permissions"]) for name, job in jobs().items()}
    assert rights == {
        "build": {"contents", "packages"},
        "sbom": {"attestations", "id-token", "packages"},
        "provenance": {"attestations", "id-token", "packages"},
        "sign": {"id-token", "packages"},
    }
    builders = [name for name, job in jobs().items() if any("checkout@" in str(step) for step in job["steps"])]
    assert builders == ["build"]


def test_the_policy_of_the_page_is_met_by_what_the_workflow_gets_and_by_no_other_ref() -> None:
    (block,) = re.findall(r"```yaml\n(artifact:.*?)```", PAGE, re.DOTALL)
    head = (
        f"apiVersion: liftlock.dev/v1\nservice: checkout\nimage: {IMAGE}\ngitops: {{repository: acme/deploy}}\n"
        "stages:\n  - name: staging\n    edit: {kustomize: a}\n    argocd: a\n"
    )
    text = head + "".join(f"    {line}\n" for line in block.splitlines())
    rules = parse_policy(text, file="a.yaml", templates=shipped_gate_templates()).stages[0].artifact
    assert [rule.kind for rule in rules] == ["signature", "provenance", "attestation", "build"]
    release = Release(image=IMAGE, tag="1.9.0")
    for rule in rules:
        if not isinstance(rule, BuildRule):
            assert isinstance(rule.signer, Keyless)
            assert differs(rule.signer, a_signature(), release) is None
            branch = a_signature(source_ref="refs/heads/main")
            assert differs(rule.signer, branch, release) is not None
            assert differs(rule.signer, a_signature(), Release(image=IMAGE, tag="1.9.1")) is not None
