"""docs/floor.md names what the parser of floors knows, no more and no less, and its examples are floors."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from bot.policy import PolicyError, shipped_gate_templates
from bot.policy.floor import parse_floor

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "floor.md").read_text(encoding="utf-8")
SHIPPED = shipped_gate_templates()
EVERY_SECTION = """\
apiVersion: liftlock.dev/v1
floor:
  - zzz: 1
    before: {zzz: 1}
    window: {zzz: 1}
    gates: [{zzz: 1}]
    promote: {zzz: 1}
    artifact: {zzz: 1}
    rollback: {zzz: 1}
"""


def keys_of_parser() -> dict[str, set[str]]:
    with pytest.raises(PolicyError) as caught:
        parse_floor(EVERY_SECTION, file="floor.yaml", templates=SHIPPED)
    found = {}
    for fault in caught.value.faults:
        if fault.found == "an unknown key":
            mapping = fault.path.removesuffix("zzz").rstrip(".")
            found[mapping] = set(re.sub(r"one of |; did you.*", "", fault.expected).split(", ")) - {"zzz"}
    return found


def fields_of_page(prefix: str) -> set[str]:
    return set(re.findall(rf"^\| `{re.escape(prefix)}([a-z_]+)` \|", PAGE, re.MULTILINE))


def test_every_field_stands_on_the_page_and_every_field_of_the_page_is_read() -> None:
    known = keys_of_parser()
    assert known["floor[0]"] == fields_of_page("floor[].")
    assert known["floor[0].before"] == {"window", "gates", *fields_of_page("floor[].before.")}
    for section in ("window", "promote", "artifact", "rollback"):
        assert known[f"floor[0].{section}"] == fields_of_page(f"{section}."), section
    below = PAGE[PAGE.index("## Gates and triggers") : PAGE.index("## Calendars")]
    assert known["floor[0].gates[0]"] == set(re.findall(r"^\| `([a-z_]+)` \|", below, re.MULTILINE))


def test_the_examples_are_floors() -> None:
    whole, gates = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(parse_floor(whole, file="floor.yaml", templates=SHIPPED).rules) == 2
    rule = f"apiVersion: liftlock.dev/v1\nfloor:\n  - every: stage\n{textwrap.indent(gates, '    ')}"
    assert len(parse_floor(rule, file="floor.yaml", templates=SHIPPED).rules[0].judged.gates) == 2
