"""Whatever a scenario plays: all that the bot asked and all that the lab answered conforms to what is published."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.lab.world import Lab
from tests.scenarios.conforming import violations


@pytest.fixture(autouse=True)
def _all_that_was_said_conforms(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    lab = request.node.funcargs.get("lab")
    if isinstance(lab, Lab):
        assert sorted(violations(lab)) == []
