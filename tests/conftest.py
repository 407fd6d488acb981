"""Fixtures that several folders share: a lab with its clock under control, and a bot on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from bot.lab.clock import ManualClock
from bot.lab.world import Lab, running_lab
from tests.stage import START, STEP, Stage, a_bot

# No test depends on speed. CI tries the same examples each time, so that it fails for a change and not for a draw;
# everywhere else new ones are drawn.
settings.register_profile("everywhere", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "everywhere")


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    """Keep a failing test's output to what failed, and the level of a command's log from the next test."""
    with structlog.testing.capture_logs():
        yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def lab(tmp_path: Path, clock: ManualClock) -> Iterator[Lab]:
    """A lab in which checkout runs 1.8.2 in both stages, at rest."""
    with running_lab(tmp_path, clock) as lab:
        lab.add_service("checkout", "1.8.2")
        for _ in range(20):
            clock.advance(STEP)
            lab.argocd.tick()
        yield lab


@pytest.fixture
def stage(lab: Lab, clock: ManualClock) -> Iterator[Stage]:
    with a_bot(lab, clock) as sweeper:
        yield Stage(lab=lab, clock=clock, sweeper=sweeper)
