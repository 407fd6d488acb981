"""The workflows to copy: linted, without a stored secret; and what the policy of the page asks of a release's build."""

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
TEXTS = {path.stem: path.read_text("utf-8") for path in (ROOT / "deploy" / "github-actions").glob("*.yml")}
TEXT = TEXTS["release"]
PAGE = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
LINTERS = [
    ("zizmor", "--offline", "--no-config", "--persona", "auditor", "--min-severity", "informational"),
    ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
]


def jobs(text: str = TEXT) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["jobs"]
    return found


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
@pytest.mark.parametrize("linter", LINTERS, ids=[name for name, *_ in LINTERS])
def test_a_linter_finds_nothing_and_would_find_something(linter: tuple[str, ...], text: str, tmp_path: Path) -> None:
    name, *options = linter
    command = [str(BIN / name), *options]
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(text, encoding="utf-8")
    checked = subprocess.run([*command, str(good)], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    worse = text.replace("@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4").replace(
        "runs-on: ubuntu", "run-on: ubuntu"
    )
    bad.write_text(worse, encoding="utf-8")
    refused = subprocess.run([*command, str(bad)], capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_every_action_is_pinned_by_commit_and_says_its_version(text: str) -> None:
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert len(used) > 2
    assert [action for action, _ in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action)] == []
    assert [action for action, said in used if not re.fullmatch(r" # v\d+\.\d+\.\d+", said)] == []


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_no_secret_is_stored_and_no_text_of_others_reaches_a_shell(text: str) -> None:
    assert "secrets." not in text
    runs = [step["run"] for job in jobs(text).values() for step in job["steps"] if "run" in step]
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


def test_the_check_of_policies_reads_and_does_no_more_and_names_files_that_there_are() -> None:
    text = TEXTS["policy-check"]
    assert yaml.safe_load(text)["permissions"] == {}
    (job,) = jobs(text).values()
    assert job["permissions"] == {"contents": "read"}
    said = " ".join(step.get("run", "") for step in job["steps"])
    assert "liftlock policy check --format github" in said
    assert 'against=$(git rev-parse --verify "refs/remotes/origin/$BASE^{commit}")' in said
    assert '--against="$against"' in said
    assert [step["env"] for step in job["steps"] if "env" in step] == [{"BASE": "${{ github.base_ref }}"}]
    assert job["steps"][0]["with"]["fetch-depth"] == 0
    assert all((ROOT / name).is_file() for name in re.findall(r"-r (\S+)", said))


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
