"""The file `HOLD` beside the policies: without it everything goes on; one that cannot be read stops everything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.stops import stop_of_everything
from bot.policy.holds import read_stops


def test_without_the_file_nothing_is_stopped(tmp_path: Path) -> None:
    assert read_stops(tmp_path) == ()
    assert read_stops(tmp_path / "gone") == ()


def test_its_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "HOLD").write_text("checkout/production: sale runs\n", encoding="utf-8")
    (stop,) = read_stops(tmp_path)
    assert stop.sentence == "HOLD, line 1 holds checkout/production: sale runs"


def test_an_empty_file_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "HOLD").touch()
    assert stop_of_everything(read_stops(tmp_path)) is not None


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link", "bytes", "huge"])
def test_what_cannot_be_read_stops_everything_and_says_why(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "HOLD"
    makers: dict[str, Callable[[], object]] = {
        "folder": file.mkdir,
        "pipe": lambda: os.mkfifo(file),
        "dangling link": lambda: file.symlink_to(tmp_path / "gone"),
        "bytes": lambda: file.write_bytes(b"\xff\xfe"),
        "huge": lambda: file.write_bytes(b"#" * (1024 * 1024 + 1)),
    }
    makers[kind]()
    stop = stop_of_everything(read_stops(tmp_path))
    assert stop is not None
    assert stop.reason.startswith("found ")
