"""docs/policy.md names what the parser knows, no more and no less, and its examples are policies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.domain.rules import BURN_WINDOWS, BaselineGate, CountGate, ValueGate
from bot.domain.statistics import EFFECT_POINTS, EFFECT_TIMES
from bot.domain.text import format_duration, format_number, parse_share
from bot.policy import PolicyError, parse_policy, parse_template, shipped_gate_templates
from bot.policy.defaults import parse_defaults
from bot.policy.resolving import Inherited, resolve
from bot.policy.templates import TemplateKind
from bot.policy.yaml_text import render_tree
from tests.policy.a_rule import gate, with_gate, with_trigger

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
TEMPLATES = shipped_gate_templates()
BUILT_IN = {"argocd-healthy", "argocd-degraded", "argocd-sync-failed", "soak"}

EVERY_SECTION = """\
zzz: 1
gitops: {zzz: 1}
calendar:
  zzz: 1
  allow: [{zzz: 1}, {zzz: 1, days: [mon]}, {zzz: 1, from: 1, to: 1}, {zzz: 1, holidays: 1}, {zzz: 1, rrule: 1}]
  freeze: [{zzz: 1}, {zzz: 1, days: [mon]}, {zzz: 1, from: 1, to: 1}, {zzz: 1, holidays: 1}, {zzz: 1, rrule: 1}]
stages:
  - zzz: 1
    calendar: {zzz: 1, allow: [{zzz: 1}], freeze: [{zzz: 1}]}
    edit: {zzz: 1, helm: {zzz: 1}}
    window: {zzz: 1}
    promote: {zzz: 1, approvals: {zzz: 1}}
    artifact:
      zzz: 1
      signer: {zzz: 1}
      require:
        - {zzz: 1, use: signature, signer: {zzz: 1}}
        - {zzz: 1, use: provenance, signer: {zzz: 1}}
        - {zzz: 1, use: attestation, where: [{zzz: 1}]}
        - {zzz: 1, use: checks}
    rollback: {zzz: 1, triggers: [{use: argocd-degraded, zzz: 1}]}
    gates:
      - {use: http-errors, zzz: 1}
      - {use: http-latency, zzz: 1}
      - {use: http-errors, against: {zzz: 1}, zzz: 1}
      - {use: http-errors, objective: 99.9%, windows: [{zzz: 1}], zzz: 1}
      - {use: kafka-lag, zzz: 1}
      - {use: kubernetes-restarts, zzz: 1}
      - {use: argocd-healthy, zzz: 1}
      - {use: soak, zzz: 1}
  - {from: {zzz: 1}, with: [{zzz: 1}], waves: {zzz: 1}}
  - {from: registry, releases: {zzz: 1}, edit: {kustomize: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {helm: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {manifest: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {argocd-application: {zzz: 1, holds: helm}}}
  - {edit: {path: {zzz: 1, document: {zzz: 1}}}}
  - {edit: {regex: {zzz: 1}}, argocd: {zzz: 1}}
"""
"""An unknown key in each mapping of a policy: the answer names the keys that exist there."""


ENTRIES = ("stages[].gates[]", "stages[].rollback.triggers[]")
FIELDS = (
    "The service",
    "A stage",
    "Releases from the registry",
    "Edits",
    "The artifact",
    "The window",
    "Promotion",
    "Rollback",
    "Calendar",
)
"""The headings below which every field of a policy stands, but for those of gates and triggers."""


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
    known = {
        f"{section}.{key}".lstrip(".")
        for section, keys in known_keys().items()
        if not section.startswith(ENTRIES)
        for key in keys
    }
    documents = {key for key in known if ".document." in key}
    assert {key.rpartition(".")[2] for key in documents} == {"kind", "name", "namespace", "index"}
    assert not {key for key in documents if "argocd-application" in key or "regex" in key}
    # A requirement's own signer is written as that of all.
    own = {key for key in known if ".require[].signer." in key}
    assert {key.rpartition(".")[2] for key in own} == {
        key.rpartition(".")[2] for key in known if ".artifact.signer." in key
    }
    named = {re.sub(r"edit\.[a-z-]+\.(pin|document)$", r"edit.*.\1", key) for key in known - documents - own}
    # A stage's own calendar is written as that of the policy, and windows of both lists alike but for the reason.
    named = {key for key in named if not key.startswith("stages[].calendar.")}
    named = {re.sub(r"^calendar\.(allow|freeze)\[\]\.(?!reason$)", "calendar.*[].", key) for key in named}
    assert {row[0] for heading in FIELDS for row in rows(heading)} == named


def test_every_field_of_gates_and_triggers_and_no_other_is_documented() -> None:
    known = known_keys()
    fields = known["stages[].gates[]"] | known["stages[].rollback.triggers[]"]
    assert {row[0] for row in rows("Gates and triggers")} == fields - parameters()


def test_every_field_inside_a_field_of_gates_is_documented() -> None:
    known = {section: keys for section, keys in known_keys().items() if section.startswith(ENTRIES)}
    inner = {section.rpartition(".")[2]: keys for section, keys in known.items()}
    assert inner["against"] == {"labels", "ago"}
    assert inner["windows[]"] == {"long", "short", "factor"}
    types = {row[0]: row[1] for row in rows("Gates and triggers")}
    assert all(key in types["against"] for key in inner["against"])
    assert all(key in types["windows"] for key in inner["windows[]"])


def test_the_defaults_of_the_rules_are_documented() -> None:
    defaults = {row[0]: row[2] for row in rows("Gates and triggers")}
    assert float(defaults["times"]) == EFFECT_TIMES
    assert parse_share(defaults["points"]) == EFFECT_POINTS
    windows = [
        f"{format_duration(one.long)}, {format_duration(one.short)}, {format_number(one.factor)}"
        for one in BURN_WINDOWS
    ]
    assert defaults["windows"] == " and ".join(windows)


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_no_row_of_a_table_follows_a_blank_line(path: Path) -> None:
    lines = ["", *path.read_text(encoding="utf-8").splitlines(), ""]
    begins = [number for number in range(1, len(lines)) if lines[number].startswith("|") and not lines[number - 1]]
    assert [lines[number] for number in begins if not lines[number + 1].startswith("|---")] == []


def test_every_field_has_a_type_a_default_a_meaning_and_an_example() -> None:
    for heading in (*FIELDS, "Gates and triggers"):
        assert all(len(row) == 5 and all(row) for row in rows(heading)), heading


def test_every_parameter_of_the_shipped_templates_is_documented_with_its_default_and_meaning() -> None:
    documented = {(row[0], row[1], row[3], row[4].rstrip(" |")) for row in rows("Templates")}
    assert documented == {
        (template.name, item.name, item.default or "required", item.description)
        for template in TEMPLATES.values()
        for item in template.parameters
    }


def test_every_shipped_template_is_listed_with_what_it_measures() -> None:
    _, _, below = PAGE.partition("\n## Templates\n")
    listed = [line for line in below.partition("\n## ")[0].splitlines() if line.startswith("- `")]
    assert listed == [f"- `{name}`: {TEMPLATES[name].description}" for name in sorted(TEMPLATES)]


def test_all_built_in_entries_are_documented() -> None:
    assert all(f"- `{name}`, a " in PAGE for name in BUILT_IN)


KINDS = re.findall(r"^\| ([a-z -]+) \| [^|`]+ \| `(\{use: .+\})` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("kind", "entry"), KINDS, ids=[kind for kind, _ in KINDS])
def test_the_example_of_each_kind_is_a_gate_or_a_trigger(kind: str, entry: str) -> None:
    text = with_trigger(entry) if kind in {"argocd-degraded", "argocd-sync-failed"} else with_gate(entry)
    text = text.replace("{use: argocd-degraded}", "{use: http-errors, limit: 1%}").replace(
        "name: two", "name: production"
    )
    text = text.replace("{use: argocd-healthy}\n", "{use: http-errors, name: other, limit: 1%}\n", 1)
    assert parse_policy(text, file="a.yaml", templates=TEMPLATES).service == "a"


def test_every_kind_has_an_example() -> None:
    assert [kind for kind, _ in KINDS] == [
        "ratio", "latency", "baseline", "burn rate", "value", "events", "alerts", "restarts", "rollout", "soak",
        "argocd-healthy", "argocd-degraded", "argocd-sync-failed",
    ]  # fmt: skip


def test_the_templates_of_the_page_are_templates_of_each_kind_that_a_policy_can_use() -> None:
    texts = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("name:")]
    own = {one.name: one for one in (parse_template(text, file="own.yaml") for text in texts)}
    assert [one.kind for one in own.values()] == list(TemplateKind)
    assert not own.keys() & TEMPLATES.keys()
    gate("{use: jobs, limit: 1%}", CountGate, templates=own)
    gate("{use: pool-use}", ValueGate, templates=own)
    gate("{use: crashes}", ValueGate, templates=own)


def test_the_fields_of_a_template_are_documented() -> None:
    named = re.findall(r"`([a-z_]+)`", " ".join(row[0] for row in template_rows()))
    assert set(named) == {
        "name", "kind", "title", "description", "parameters", "query", "joint", "counts", "total", "buckets", "above",
        "below", "tiles", "at_most", "alive",
    }  # fmt: skip


def template_rows() -> list[list[str]]:
    _, _, below = PAGE.partition("\n## Templates of your own\n")
    lines = [line for line in below.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    return [line.strip("| ").split(" | ") for line in lines]


def test_the_entry_for_the_tag_of_the_release_is_a_gate() -> None:
    (entry,) = (text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("- use:"))
    indented = entry.removeprefix("- ").replace("\n  ", "\n        ").rstrip()
    assert gate(indented, BaselineGate).query.of_release("1.2").labels[1] == ("version", "1.2")


def test_the_example_of_the_page_is_the_shipped_one() -> None:
    (example,) = (text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("apiVersion"))
    assert example == (ROOT / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
    assert parse_policy(example, file="a.yaml", templates=TEMPLATES).service == "checkout"


def test_the_gates_of_the_page_can_be_put_into_a_policy() -> None:
    (gates,) = (text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("gates:"))
    example = (ROOT / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
    start, end = example.index("    gates:"), example.index("  - name: production")
    indented = "".join(f"    {line}\n" for line in gates.splitlines())
    policy = parse_policy(example[:start] + indented + example[end:], file="a.yaml", templates=TEMPLATES)
    assert [gate.name for gate in policy.stages[0].gates] == ["http-errors", "http-latency"]


def block(begin: str) -> str:
    """Return the block of the page that begins so."""
    (found,) = (text for text in re.findall(r"```[a-z]*\n(.*?)```", PAGE, re.DOTALL) if text.startswith(begin))
    return str(found)


def test_the_example_of_inheritance_comes_to_what_the_page_shows() -> None:
    inherited = Inherited(defaults=parse_defaults(block("# defaults.yaml")))
    text = block("# cart.yaml")
    policy = parse_policy(text, file="cart.yaml", templates=TEMPLATES, inherited=inherited)
    assert [stage.name for stage in policy.stages] == ["staging", "production"]
    shown = block("$ liftlock policy show").splitlines()[2:-1]
    resolved = render_tree(resolve(text, file="cart.yaml", inherited=inherited).tree).splitlines()
    assert [re.sub(" +", " ", line) for line in shown] == [re.sub(" +", " ", line) for line in resolved[: len(shown)]]
