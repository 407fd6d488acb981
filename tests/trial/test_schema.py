"""The JSON Schema of test files takes what the reader takes, knows the same keys, and says what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from typer.testing import CliRunner

from bot.cli.app import app
from bot.trial.schema import trial_schema
from tests.trial.a_trial import TRAFFIC, with_expectation
from tests.trial.test_documentation import known_at, rows
from tests.trial.test_reading import IN_EXPECT, IN_FILE, IN_TIMELINE

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: Any = json.loads(json.dumps(trial_schema()))
EXAMPLES = sorted((ROOT / "policies" / "examples").glob("*.test.yaml"))
A_TEST = SCHEMA["properties"]["tests"]["items"]
AN_EVENT = A_TEST["properties"]["timeline"]["items"]
AN_EXPECTATION = A_TEST["properties"]["expect"]["items"]
FINE = "{at: 1m, stage: production, tag: 1.0.0}"


def complaints(text: str) -> list[str]:
    value = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))
    return [
        f"{list(error.absolute_path)}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(value)
    ]


def plain(said: str) -> str:
    """Return a cell of the page without its links."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", said).strip().rstrip("|").strip()


def test_it_is_a_schema_of_2020_12_that_the_command_prints() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    ran = CliRunner().invoke(app, ["policy", "schema", "--tests"])
    assert (ran.exit_code, json.loads(ran.output)) == (0, SCHEMA)


def test_the_published_schema_is_this_one() -> None:
    assert json.loads((ROOT / "docs" / "policy-test.schema.json").read_text("utf-8")) == SCHEMA


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_no_test_of_the_examples_is_refused(path: Path) -> None:
    assert complaints(path.read_text("utf-8")) == []


@pytest.mark.parametrize("text", [with_expectation(FINE), f"{TRAFFIC}tests: [{{name: 1, expect: [{FINE}]}}]"])
def test_what_is_read_is_not_refused(text: str) -> None:
    assert complaints(text) == []


def test_most_of_what_the_reader_refuses_is_refused_while_it_is_written() -> None:
    """What needs the policy, or is not of one key alone, only the reader can tell."""
    texts = [with_expectation(one) for one, _ in IN_EXPECT]
    texts += [with_expectation(FINE, timeline=one) for one, _ in IN_TIMELINE]
    texts += [text for text, fault in IN_FILE if "alias" not in fault and "YAML" not in fault and text]
    refused = sum(bool(complaints(text)) for text in texts)
    assert refused > len(texts) / 2


def test_it_knows_the_keys_that_the_reader_knows(tmp_path: Path) -> None:
    assert set(SCHEMA["properties"]) == known_at(tmp_path, "zzz")
    assert set(A_TEST["properties"]) == known_at(tmp_path, "tests[0].zzz")
    assert set(SCHEMA["properties"]["series"]["items"]["properties"]) == known_at(tmp_path, "series[0].zzz")
    assert {one["required"][0] for one in AN_EVENT["oneOf"]} == known_at(tmp_path, "tests[0].timeline[0]")
    known = known_at(tmp_path, "tests[0].expect[0].zzz") | known_at(tmp_path, "tests[0].expect[1].zzz")
    assert set(AN_EXPECTATION["properties"]) == known | {"trigger"}


def test_it_says_what_the_page_says() -> None:
    of_file, of_test, of_series = rows("The file"), rows("A test"), rows("Series")
    for properties, documented in (
        (SCHEMA["properties"], of_file),
        (A_TEST["properties"], of_test),
        (SCHEMA["properties"]["series"]["items"]["properties"], of_series),
    ):
        for key in properties.keys() & documented.keys():
            _, _, meaning = documented[key].partition(" | ")
            assert properties[key]["description"] == plain(meaning), key
    for key, said in rows("What happens").items():
        _, _, meaning = said.partition("| ")
        assert AN_EVENT["properties"][key]["description"] == plain(meaning), key
    for key, said in rows("What is expected").items():
        description = AN_EXPECTATION["properties"][key]["description"]
        assert key == "stage" or plain(said).startswith(description.rstrip(".")) or key == "waits_on", key
