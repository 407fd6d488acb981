"""The example policies have no faults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bot.policy import shipped_gate_templates
from bot.policy.checking import Measures, check_policies

EXAMPLES = Path(__file__).resolve().parents[2] / "policies" / "examples"
TESTS = sorted(EXAMPLES.glob("*.test.yaml"))


def test_no_example_has_a_fault_or_a_warning() -> None:
    checked = check_policies([EXAMPLES], shipped_gate_templates(), measures=Measures(scrape=timedelta(seconds=15)))
    assert (len(checked.findings), checked.files) == (0, len([*EXAMPLES.glob("*.yaml")]) - len(TESTS))
