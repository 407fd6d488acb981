"""What is built for others to install is whole: the code, its data files, and the policies that are shipped."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(name="contents", scope="module")
def _contents(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    pytest.importorskip("hatchling", reason="the build backend is not installed; make install-dev installs it")
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def files_under(folder: str) -> set[str]:
    """List a folder's files by their path in the project, without what Python leaves there."""
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


def test_a_wheel_has_every_file_of_the_package(contents: frozenset[str]) -> None:
    assert files_under("bot") - contents == set()


def test_a_wheel_has_every_shipped_policy(contents: frozenset[str]) -> None:
    policies = {f"bot/shipped/{name.removeprefix('policies/')}" for name in files_under("policies")}
    assert policies - contents == set()


def test_a_wheel_says_that_its_types_can_be_trusted(contents: frozenset[str]) -> None:
    assert "bot/py.typed" in contents


@pytest.mark.parametrize(
    "wanted",
    ["bot/shipped/gates/*.yaml", "bot/adapters/ledger/migrations/versions/*.py", "bot/lab/github/templates/*"],
)
def test_a_wheel_has_what_is_found_by_folder_at_run_time(contents: frozenset[str], wanted: str) -> None:
    assert [name for name in contents if Path(name).match(wanted)]


def test_a_wheel_brings_its_licence_and_the_command_and_nothing_of_the_workshop(contents: frozenset[str]) -> None:
    top = {name.partition("/")[0] for name in contents}
    (described,) = (name for name in top if name.endswith(".dist-info"))
    assert top == {"bot", described}
    assert {f"{described}/entry_points.txt", f"{described}/licenses/LICENSE"} <= contents
