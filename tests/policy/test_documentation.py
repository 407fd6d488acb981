"""docs/policy.md names what the parser knows, no more and no less, and its examples are policies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.policy import PolicyError, parse_policy, shipped_gate_templates

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
TEMPLATES = shipped_gate_templates()
BUILT_IN = {"argocd-healthy", "argocd-degraded"}

EVERY_SECTION = """\
zzz: 1
gitops: {zzz: 1}
stages:
  - zzz: 1
    edit: {zzz: 1, helm: {zzz: 1}}
    window: {zzz: 1}
    promote: {zzz: 1}
    rollback: {zzz: 1, triggers: [{use: argocd-degraded, zzz: 1}]}
    gates: [{use: http-errors, zzz: 1}, {use: http-latency, zzz: 1}]
  - {edit: {kustomize: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {helm: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {manifest: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {argocd-application: {zzz: 1, holds: helm}}}
  - {edit: {path: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {regex: {zzz: 1}}}
"""
"""An unknown key in each mapping of a policy: the answer names the keys that exist there."""


def known_keys() -> dict[str, set[str]]:
    """Return the keys that the parser knows, by the dotted path of their mapping."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(EVERY_SECTION, file="a.yaml", templates=TEMPLATES)
    found: dict[str, set[str]] = {}
    for fault in caught.value.faults:
        if fault.found == "an unknown key":
            section = re.sub(r"\[\d+\]", "[]", fault.path.removesuffix("zzz").rstrip("."))
            keys = fault.expected.removeprefix("one of ").split("; ")[0].split(", ")
            found.setdefault(section, set()).update(keys)
    return found


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading, without code marks."""
    _, _, below = PAGE.partition(f"\n## {heading}\n")
    lines = [line for line in below.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]
    return [[cell.replace("\\|", "|") for cell in row] for row in cells]


def parameters() -> set[str]:
    return {parameter.name for template in TEMPLATES.values() for parameter in template.parameters}


def test_every_field_of_the_policy_and_no_other_is_documented() -> None:
    entries = ("stages[].gates[]", "stages[].rollback.triggers[]")
    known = {
        f"{section}.{key}".lstrip(".")
        for section, keys in known_keys().items()
        if section not in entries
        for key in keys
    }
    documents = {key for key in known if ".document." in key}
    assert {key.rpartition(".")[2] for key in documents} == {"kind", "name", "namespace", "index"}
    assert not {key for key in documents if "argocd-application" in key or "regex" in key}
    named = {re.sub(r"edit\.[a-z-]+\.(pin|document)$", r"edit.*.\1", key) for key in known - documents}
    headings = ("The service", "A stage", "Edits", "The window", "Promotion", "Rollback")
    assert {row[0] for heading in headings for row in rows(heading)} == named


def test_every_field_of_gates_and_triggers_and_no_other_is_documented() -> None:
    known = known_keys()
    fields = known["stages[].gates[]"] | known["stages[].rollback.triggers[]"]
    assert {row[0] for row in rows("Gates and triggers")} == fields - parameters()


def test_every_field_has_a_type_a_default_a_meaning_and_an_example() -> None:
    for heading in ("The service", "A stage", "Edits", "The window", "Promotion", "Rollback", "Gates and triggers"):
        assert all(len(row) == 5 and all(row) for row in rows(heading)), heading


def test_every_parameter_of_the_shipped_templates_is_documented_with_its_default_and_meaning() -> None:
    documented = {(row[0], row[1], row[3], row[4].rstrip(" |")) for row in rows("Templates")}
    assert documented == {
        (template.name, item.name, item.default or "required", item.description)
        for template in TEMPLATES.values()
        for item in template.parameters
    }


def test_both_built_in_entries_are_documented() -> None:
    assert all(f"- `{name}`, a " in PAGE for name in BUILT_IN)


def test_the_example_of_the_page_is_the_shipped_one() -> None:
    (example,) = (text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "apiVersion" in text)
    assert example == (ROOT / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
    assert parse_policy(example, file="a.yaml", templates=TEMPLATES).service == "checkout"


def test_the_gates_of_the_page_can_be_put_into_a_policy() -> None:
    (gates,) = (text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("gates:"))
    example = (ROOT / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
    start, end = example.index("    gates:"), example.index("  - name: production")
    indented = "".join(f"    {line}\n" for line in gates.splitlines())
    policy = parse_policy(example[:start] + indented + example[end:], file="a.yaml", templates=TEMPLATES)
    assert [gate.name for gate in policy.stages[0].gates] == ["http-errors", "http-latency"]
