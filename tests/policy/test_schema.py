"""The JSON Schema, docs/policy.md and the parser say the same: keys, sentences, and nothing refused that is taken."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.domain.text import parse_duration, parse_share
from bot.policy import GateTemplates, PolicyError, parse_policy, shipped_gate_templates
from bot.policy.defaults import parse_defaults
from bot.policy.files import yaml_files
from bot.policy.grammar import parse_number
from bot.policy.schema import defaults_schema, policy_schema
from bot.policy.schema.shapes import DURATION, SHARE, Shape, number
from bot.policy.templates import GateTemplate
from tests.policy.a_rule import TEMPLATES, with_gate, with_trigger
from tests.policy.test_documentation import FIELDS, PAGE, rows

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = shipped_gate_templates()
SCHEMA: Any = policy_schema(SHIPPED)
FOLDER = ROOT / "policies" / "examples"
EXAMPLES = [(FOLDER / name).read_text("utf-8") for name in yaml_files(FOLDER, expected="the examples")]


def typed(text: str) -> Any:
    """Return YAML as editors read it: with numbers, booleans and null, but without dates."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=_as_text))


def _as_text(value: object) -> str:
    assert isinstance(value, dt.date)
    return value.isoformat()


@cache
def validator(own: bool = True) -> Draft202012Validator:
    return Draft202012Validator(json.loads(json.dumps(policy_schema(TEMPLATES if own else SHIPPED))))


def complaints(text: str) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator().iter_errors(typed(text))]


def is_policy(text: str, *, templates: GateTemplates = TEMPLATES) -> bool:
    try:
        parse_policy(text, file="a.yaml", templates=templates)
    except PolicyError:
        return False
    return True


def test_it_is_a_schema_of_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


# --- the documentation ---


def fields(shape: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give all fields below a shape by their paths; those of gates and triggers are not followed."""
    for key, inner in shape.get("properties", {}).items():
        if isinstance(inner, dict):
            yield f"{path}.{key}".lstrip("."), inner
            yield from fields(inner, f"{path}.{key}".lstrip("."))
    for one in (*shape.get("anyOf", ()), *shape.get("allOf", ()), *([shape["then"]] if "then" in shape else [])):
        yield from fields(one, path)
    if isinstance(shape.get("items"), dict):
        yield from fields(shape["items"], f"{path}[]")


def documented(path: str) -> str:
    """Return a path as the page writes it, which has what is alike in many places once."""
    path = path.replace("with[].edit.", "edit.")
    path = re.sub(r"edit\.[a-z-]+\.(pin|document)$", r"edit.*.\1", path)
    path = re.sub(r"require\[\]\.signer\.", "signer.", path).replace("argocd[].", "argocd.")
    path = path.removeprefix("stages[].") if path.startswith("stages[].calendar.") else path
    return re.sub(r"^calendar\.(allow|freeze)\[\]\.(?!reason$)", "calendar.*[].", path)


def described() -> dict[str, dict[str, Any]]:
    """Return what the schema says of each documented field."""
    found: dict[str, dict[str, Any]] = {}
    for path, shape in fields(SCHEMA):
        if ".document." not in path and shape != {}:
            found.setdefault(documented(path), {}).update(shape)
    return found


def plain(sentence: str) -> str:
    """Return a sentence without its links, and without a code mark at its ends, which `rows` takes away, too."""
    return re.sub(r"\[([^\]]+)\]\((?:[^()]|\([^)]*\))+\)", r"\1", sentence).strip("`")


def documented_rows() -> dict[str, list[str]]:
    return {row[0]: row for heading in FIELDS for row in rows(heading)}


def test_every_field_is_documented_and_described_in_the_same_words() -> None:
    page = {path: plain(row[3]) for path, row in documented_rows().items()}
    assert {path: plain(shape.get("description", "")) for path, shape in described().items()} == page


def test_the_fields_of_gates_and_triggers_are_described_in_the_same_words() -> None:
    page = {row[0]: plain(row[3]) for row in rows("Gates and triggers")}
    options = {
        name.removeprefix("option-"): plain(shape["description"])
        for name, shape in SCHEMA["$defs"].items()
        if name.startswith("option-")
    }
    uses = {SCHEMA["$defs"][kind]["properties"]["use"]["description"] for kind in ("gate", "trigger")}
    assert {**options, "use": "".join(uses)} == page


def test_a_default_and_what_is_required_are_those_of_the_page() -> None:
    page = {path: row[2] for path, row in documented_rows().items()}
    shapes = [("", SCHEMA), *fields(SCHEMA)]
    required = {f"{path}{key}".lstrip(".") for path, shape in shapes for key in needed(shape)}
    # The default of a field may be the word itself.
    assert {documented(path) for path in required} >= {
        path for path, said in page.items() if said == "required" and "default" not in described()[path]
    }
    options = {row[0]: row[2] for row in rows("Gates and triggers")}
    entries = {name: SCHEMA["$defs"][f"option-{name}"] for name in options if name != "use"}
    for path, shape in [*described().items(), *entries.items()]:
        if "default" in shape:
            said = (page | options)[path].strip("`")
            assert str(shape["default"]).removesuffix(".0") in (said, said.title()), path


def needed(shape: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Give the keys that a shape must have, through lists and alternatives."""
    yield from (f"{path}.{key}" for key in shape.get("required", ()))
    for one in (*shape.get("anyOf", ()), *shape.get("allOf", ()), *([shape["then"]] if "then" in shape else [])):
        yield from needed(one, path)
    if isinstance(shape.get("items"), dict):
        yield from needed(shape["items"], f"{path}[]")


def test_the_file_is_what_the_command_prints() -> None:
    published = (ROOT / "docs" / "policy.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n", (
        "run: liftlock policy schema > docs/policy.schema.json"
    )


# --- the parser ---


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_a_template_s_entry_has_the_keys_that_the_parser_knows(template: GateTemplate) -> None:
    known: set[str] = set()
    for way in ("", ", above: 1", ", limit: 1%", ", against: {labels: {a: b}}", ", objective: 99%"):
        with pytest.raises(PolicyError) as caught:
            parse_policy(with_gate(f"{{use: {template.name}, zzz: 1{way}}}"), file="a.yaml", templates=TEMPLATES)
        (fault,) = (one for one in caught.value.faults if one.path.endswith(".zzz"))
        known.update(fault.expected.removeprefix("one of ").split("; ")[0].split(", "))
    shape: Any = policy_schema(TEMPLATES)["$defs"]
    # Of a share each way forbids the options of the others, which the parser then does not know.
    assert set(shape[f"use-{template.name}"]["properties"]) - {"limit"} == known - {"limit", "against", "objective"} | (
        {"against", "objective"} if template.kind == "share" else set()
    )


def strings_of_tests() -> Iterator[str]:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@cache
def valid_policies() -> tuple[str, ...]:
    """Return every policy of the examples, the page and the tests that the parser takes."""
    texts = list(EXAMPLES)
    for text in strings_of_tests():
        if "apiVersion: liftlock.dev/v1" in text and "stages:" in text:
            texts.append(text)
        elif re.match(r"\{use: .*\}$", text):
            texts += [with_gate(text), with_trigger(text)]
    texts += [with_gate(entry) for entry in re.findall(r"`(\{use: [^`]+\})`", PAGE)]
    return tuple(text for text in dict.fromkeys(texts) if is_policy(text))


def test_every_valid_policy_of_the_examples_the_page_and_the_tests_is_valid_by_the_schema() -> None:
    assert len(valid_policies()) > 100
    refused = {text: complaints(text) for text in valid_policies()}
    assert {text: said for text, said in refused.items() if said} == {}


KEY = re.compile(r"(?<=[{ ,\n])([A-Za-z_-]+)(?=: )")
VALUE = re.compile(r"(?<=: )[^{}\[\],\n#]+")
WORDS = st.sampled_from(
    ["liftlock.dev/v1", "checkout", "1.10", "true", "acme/deploy", "main", "a.yaml", "argocd-healthy", "http-errors",
     "soak", "1%", "0.01", "5", "100", "0", "30m", "1h 30m", "500ms", "production", "staging", "registry", "auto",
     "human", "commit", "3 of 5", "$tag", "''", "[a]", "{a: b}", "{namespace: x}", "[]", "{}", "99.9%", "0x10", "2026"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_a_changed_key_is_refused_by_both_or_by_none(text: str, data: st.DataObject) -> None:
    start, end = data.draw(st.sampled_from([found.span() for found in KEY.finditer(text)]))
    changed = text[:start] + text[start:end] + data.draw(st.sampled_from(["s", "_", "-x"])) + text[end:]
    assert is_policy(changed) == (complaints(changed) == [])


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_whatever_value_the_parser_takes_the_schema_takes(text: str, data: st.DataObject) -> None:
    start, end = data.draw(st.sampled_from([found.span() for found in VALUE.finditer(text)]))
    changed = text[:start] + data.draw(WORDS) + text[end:]
    if is_policy(changed):
        assert complaints(changed) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    from: staging\n", ""),
        ("merge: auto", "merge: atuo"),
        ("limit: 1%", "limit: 1 percent"),
        ("limit: 1%", "limit: 5"),
        ("for: 30m", "for: 30"),
        ("use: http-errors, limit: 1%", "use: http-error, limit: 1%"),
        ("use: http-errors, limit: 1%", "use: http-errors, limit: 1%, floor: 0.5"),
        ("use: http-errors, limit: 1%", "use: http-errors, limit: 1%, times: 2"),
        ("use: http-errors, limit: 1%", "use: http-errors"),
        ("use: http-errors, limit: 1%", "use: kafka-lag"),
        ("use: http-errors, limit: 1%", "use: kafka-lag, above: 1, below: 2"),
        ("use: http-latency, slower_than: 500ms, limit: 5%", "use: http-latency, limit: 5%"),
        ("edit: {kustomize: apps/checkout/staging/kustomization.yaml}", "edit: {kustomize: a, regex: {file: a}}"),
        ("by: pull-request, merge: auto", "by: commit, merge: auto"),
        ("name: staging\n", "name: staging\n    releases: {follow: stable}\n"),
        ("    window: {for: 30m, warmup: 2m, deadline: 6h}\n", ""),
        ("triggers: [{use: http-errors, limit: 2%}, {use: argocd-degraded, for: 3m}]", "triggers: []"),
    ],
)
def test_an_editor_says_what_the_parser_would(old: str, new: str) -> None:
    text = (ROOT / "policies" / "examples" / "checkout.yaml").read_text("utf-8")
    assert old in text
    changed = text.replace(old, new, 1)
    assert not is_policy(changed)
    assert complaints(changed)


# --- shapes of texts ---


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789.%dhms -e+kKMGTi", max_size=12))
def test_a_text_that_is_a_duration_a_share_or_a_number_has_its_shape(text: str) -> None:
    for parse, shape in ((parse_duration, DURATION), (parse_share, SHARE), (parse_number, number())):
        try:
            parse(text)
        except ValueError:
            continue
        Draft202012Validator(json.loads(json.dumps(shape))).validate(text)


def test_a_date_and_a_document_that_is_no_yaml_are_no_matter_of_the_schema() -> None:
    assert typed("a: 2026-12-20") == {"a": "2026-12-20"}
    with pytest.raises(YAMLError):
        typed("a: [")


def test_a_schema_with_own_templates_knows_them() -> None:
    shape: Shape = policy_schema(TEMPLATES)
    assert "use-jobs" in str(shape)
    assert "use-jobs" not in str(policy_schema(SHIPPED))


# --- inheritance ---


def complaints_of(schema: Any, text: str) -> list[str]:
    checker = Draft202012Validator(json.loads(json.dumps(schema)))
    return [f"{list(error.absolute_path)}: {error.message}" for error in checker.iter_errors(typed(text))]


EXTENDING = """\
apiVersion: liftlock.dev/v1
extends: defaults.yaml
service: cart
calendar: {timezone: UTC}
stages:
  - {name: staging}
  - {name: production, from: staging, window: {warmup: 1m}, rollback: {by: commit}, releases: {follow: x}, metrics: {}}
"""
DEFAULTS_TEXT = """\
apiVersion: liftlock.dev/v1
image: "ghcr.io/acme/{service}"
gitops: {branch: main}
stage:
  edit: {kustomize: "apps/{service}/{stage}/kustomization.yaml"}
  argocd: "{service}-{stage}"
  window: {for: 30m}
  gates: [{use: http-errors, limit: 1%, labels: {a: "{stage}"}}, {use: jobs, queue: "{service}", limit: 1%}]
stages:
  production: {rollback: {triggers: [{use: argocd-degraded}]}}
"""


def test_nothing_is_required_of_a_policy_that_extends_defaults() -> None:
    assert complaints(EXTENDING) == []
    assert len(complaints(EXTENDING.replace("extends: defaults.yaml\n", ""))) > 5


def test_but_what_it_takes_whole_and_what_it_misspells_is_told() -> None:
    assert complaints(EXTENDING.replace("name: staging", "name: staging, edit: {helm: {file: a}}"))
    assert complaints(EXTENDING.replace("warmup", "warmpu"))
    assert complaints(EXTENDING.replace("by: commit", "triggers: []"))
    assert complaints(EXTENDING.replace("defaults.yaml", "other.yaml"))


def test_defaults_have_a_schema_of_their_own() -> None:
    schema = defaults_schema(TEMPLATES)
    Draft202012Validator.check_schema(json.loads(json.dumps(schema)))
    assert complaints_of(schema, DEFAULTS_TEXT) == []
    assert parse_defaults(DEFAULTS_TEXT).stages.keys() == {"production"}
    for wrong in (
        DEFAULTS_TEXT.replace("apiVersion: liftlock.dev/v1\n", ""),
        DEFAULTS_TEXT.replace("stage:\n", "stage:\n  name: a\n"),
        DEFAULTS_TEXT.replace("image:", "service:"),
        DEFAULTS_TEXT.replace("window", "widnow"),
        DEFAULTS_TEXT.replace("limit: 1%", "limit: much"),
    ):
        assert complaints_of(schema, wrong), wrong
