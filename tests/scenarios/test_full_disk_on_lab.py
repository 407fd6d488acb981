"""The disk of the mirrors is full, when a release is to be promoted and when it is to be taken back: real git fails.

Each write of git's fails as on a full disk. Nothing is left half-done, and it goes on by itself when there is room.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.domain.decision import Judgement
from bot.engine.sweep import ServiceReport
from bot.lab.world import BRANCH, DEVELOPER, GITOPS
from tests.scenarios.playing import MERGED, Play, a_play, end_of, expected_end

FULL = "git: work in the mirror of acme/deploy found no space left on the disk of the mirrors: make room"
NO_MIRROR = (
    "git: no mirror of acme/deploy could be made: error: unable to write symref for HEAD: No space left on device"
)
NOTE = "Say more of what this is"
_GIT = """#!/bin/bash
if [ -e {flag} ] && [[ "$GIT_DIR" == */mirrors/* ]]; then
  # A limit of the system in place of the disk's: the same call fails, with another word for it.
  trap '' XFSZ
  ulimit -f 0
  exec {git} "$@" 2> >(sed -u 's/File too large/No space left on device/' >&2)
fi
exec {git} "$@"
"""


@pytest.fixture(name="flag")
def fixture_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While this file is there, the disk of the mirrors is full."""
    real, flag, folder = shutil.which("git"), tmp_path / "full", tmp_path / "bin"
    assert real is not None
    folder.mkdir()
    (folder / "git").write_text(_GIT.format(git=real, flag=flag), encoding="utf-8")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return flag


def in_git(play: Play) -> list[object]:
    """What was pushed, merged and proposed; that it is being taken back may be said already."""
    return [value for name, value in end_of(play.lab).items() if name != "comments"]


def judgements(report: ServiceReport) -> tuple[Judgement, ...]:
    return report.decision.judgements if report.decision is not None else ()


@pytest.mark.invariant("I9")
def test_a_full_disk_of_the_mirrors_only_delays_what_is_due(flag: Path) -> None:
    def fill(_: Play) -> None:
        flag.touch()

    def clear(play: Play) -> None:
        before = in_git(play)
        play.sweep()
        assert in_git(play) == before
        flag.unlink()

    def fill_before_somebody_pushes(play: Play) -> None:
        play.lab.github.commit_as(DEVELOPER, GITOPS, BRANCH, {"README.md": "More.\n"}, NOTE)
        flag.touch()

    with a_play("bad") as play:
        play.play({0: fill, 1: clear, MERGED: fill_before_somebody_pushes, MERGED + 3: clear})
        end = end_of(play.lab)
        messages = [message for message in play.lab.messages() if message != NOTE]
        assert dict(end) | {"messages": [one.partition("\n")[0] for one in messages]} == expected_end("bad")
        said = {one.reason for report in play.reports for one in judgements(report) if one.reason.startswith("git: ")}
        assert said == {NO_MIRROR, FULL}
        assert play.errors == []
