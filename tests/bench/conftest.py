"""Fixtures of the benchmarks: repositories by size, and a way to print past pytest's capture."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.bench.monorepo import Built, Shape

Build = Callable[[int], Built]
Show = Callable[[str], None]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Give a repository with so many files; each size is built once."""
    built: dict[int, Built] = {}

    def give(files: int) -> Built:
        if files not in built:
            built[files] = Built(tmp_path_factory.mktemp(f"monorepo-{files}"), Shape(files=files))
        return built[files]

    return give


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Print at once, whatever pytest captures."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    return write
