"""Every invariant of the design has a test that carries its number."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_invariant_is_shown_by_a_test() -> None:
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py")]
    shown = {number for text in texts for number in re.findall(r'mark\.invariant\("(I\d+)"\)', text)}
    assert shown == {f"I{number}" for number in range(1, 18)}
