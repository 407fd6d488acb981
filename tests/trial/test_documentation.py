"""docs/policy-tests.md names what the reader of test files knows, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.domain.decision import State, WaitsOn
from bot.domain.verdicts import VerdictKind
from bot.policy import PolicyError
from bot.trial.cases import Syncs
from bot.trial.expectations import DEEDS, PULL_REQUEST
from bot.trial.happenings import HEALTHS
from bot.trial.people import ROLES, USUAL
from bot.trial.reading import MOST_TESTS, read_trial
from tests.trial.a_trial import written

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy-tests.md").read_text(encoding="utf-8")
EVERYWHERE = """\
zzz: 1
given: {}
series: [{zzz: 1}]
tests:
  - zzz: 1
    name: a
    timeline: [{at: 1m}, {at: 1m, argocd: shop-staging, health: Healthy, zzz: 1}, {at: 1m, release: a, zzz: 1}]
    expect:
      - {at: 1m, stage: production, zzz: 1}
      - {at: 1m, stage: staging, gate: http-errors, zzz: 1}
"""


def known_at(folder: Path, path: str) -> set[str]:
    """Return the keys that the reader says it knows at a path."""
    with pytest.raises(PolicyError) as caught:
        read_trial(written(folder, EVERYWHERE))
    (fault,) = [one for one in caught.value.faults if one.path == path]
    return set(re.sub(r"^(exactly )?one of ", "", fault.expected).split("; ")[0].split(", "))


def rows(heading: str, table: int = 0) -> dict[str, str]:
    """Return what a table below a heading says of each key, all its other cells together."""
    below = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", below, re.MULTILINE)
    lines = [line.strip().strip("|").split(" | ", 1) for line in tables[table].splitlines()[2:]]
    return {key.strip().strip("`"): rest for key, rest in lines}


def test_every_key_of_a_file_and_of_a_test_is_documented(tmp_path: Path) -> None:
    of_file = {name for key in rows("The file") for name in key.split("`, `")}
    assert of_file == known_at(tmp_path, "zzz")
    assert set(rows("A test")) == known_at(tmp_path, "tests[0].zzz")
    assert set(rows("Series")) == known_at(tmp_path, "series[0].zzz")
    assert f"1 to {MOST_TESTS}" in rows("The file")["tests"]
    assert all(f"`{role}`" in rows("The file")["people"] for role in ROLES)
    assert rows("The file")["people"].endswith(f"may `{USUAL.name.lower()}`. ")


def test_every_kind_of_happening_is_documented_with_its_keys(tmp_path: Path) -> None:
    documented = rows("What happens")
    assert set(documented) == known_at(tmp_path, "tests[0].timeline[0]")
    assert known_at(tmp_path, "tests[0].timeline[1].zzz") - {"at", "argocd"} == set(
        re.findall(r"`(\w+)`", documented["argocd"].partition(" | ")[0])
    )
    assert known_at(tmp_path, "tests[0].timeline[2].zzz") - {"at", "release"} == {"stage", "by"}
    assert all(f"`{health}`" in PAGE for health in HEALTHS)
    assert all(f"`{does}`" in PAGE for does in Syncs)


def test_every_thing_that_can_be_expected_is_documented_with_its_words(tmp_path: Path) -> None:
    of_stage, of_rule = rows("What is expected"), rows("What is expected", 1)
    assert set(of_stage) == known_at(tmp_path, "tests[0].expect[0].zzz") - {"at"}
    named = {name for key in of_rule for name in key.split("` or `")}
    assert named - {"trigger"} == known_at(tmp_path, "tests[0].expect[1].zzz") - {"at"}
    assert re.findall(r"`([^`]+)`", of_stage["did"]) == list(DEEDS)
    assert re.findall(r"`([^`]+)`", of_stage["waits_on"]) == list(WaitsOn)
    assert re.findall(r"`([^`]+)`", of_stage["pull_request"]) == list(PULL_REQUEST)
    assert re.findall(r"`([^`]+)`", of_rule["verdict"]) == list(VerdictKind)
    states = set(re.findall(r"`([^`]+)`", of_stage["state"])) - {"liftlock status"}
    assert states <= set(State)
