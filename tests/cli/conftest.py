"""A lab with a policy that fits it, for what asks the servers. Nothing is ever written there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.live_world import Live, a_live_lab, a_prometheus, writes


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_prometheus(tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture
def live(tmp_path: Path, prometheus: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)
    with a_live_lab(tmp_path, prometheus) as (lab, settings):
        before = len(lab.github.exchanges), len(lab.argocd_wire.exchanges)
        yield Live(lab=lab, settings=settings)
        asked = [*lab.github.exchanges[before[0] :], *lab.argocd_wire.exchanges[before[1] :]]
        assert [one for one in asked if writes(one)] == []
