"""Policies of a repository under a floor that changes: nothing stays in force that today's does not accept."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.policy import PolicyDirectory
from bot.policy.committed import CommittedPolicies
from bot.policy.directory import BelowFloor
from bot.policy.floor import FloorError, FloorFile
from bot.policy.folders import Folder
from tests.policy.a_repository import DOWN, PLACE, FakeFolders
from tests.policy.test_committed import BROKEN, CHECKOUT, TORN, of_service, the_broken, the_policy
from tests.policy.test_floor_in_force import HUMAN, LENIENT, SHIPPED


@pytest.fixture(name="folders")
def fixture_folders() -> FakeFolders:
    return FakeFolders()


@pytest.fixture(name="floor")
def fixture_floor(tmp_path: Path) -> Path:
    (tmp_path / "floor.yaml").write_text(LENIENT)
    return tmp_path / "floor.yaml"


def policies_under(floor: Path, folders: FakeFolders) -> CommittedPolicies:
    """Start the bot anew on a repository, with a floor's file."""
    file = FloorFile(path=floor, templates=SHIPPED)

    def directory_of(folder: Folder) -> PolicyDirectory:
        return PolicyDirectory(path=folder, templates=SHIPPED, floor=file)

    def basis() -> object:
        try:
            return file.read()
        except FloorError as error:
            return str(error)

    return CommittedPolicies(folders=folders, place=PLACE, directory_of=directory_of, basis=basis)


# --- without the server ----------------------------------------------------------------------------------------------


def test_without_the_server_a_raised_floor_stops_what_is_below_it(folders: FakeFolders, floor: Path) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    policies = policies_under(floor, folders)
    before = policies.load()
    folders.fail["refresh"] = DOWN
    floor.write_text(HUMAN)
    for source in (policies, policies_under(floor, folders)):
        loaded = source.load()
        assert [one.service for one in loaded.policies] == ["web"]
        assert isinstance(the_broken(loaded).error, BelowFloor)
        assert (loaded.at, loaded.trouble) == (before.at, DOWN.as_trouble())


def test_without_the_server_a_floor_that_is_mended_lets_the_policies_go_on(folders: FakeFolders, floor: Path) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    floor.write_text("floor: [")
    policies = policies_under(floor, folders)
    assert policies.load().policies == ()
    folders.fail["refresh"] = DOWN
    floor.write_text(LENIENT)
    assert the_policy(policies.load()).service == "checkout"


@pytest.mark.parametrize("text", [CHECKOUT, BROKEN, TORN], ids=["below", "faulty", "torn"])
def test_without_the_history_nothing_stays_that_another_floor_let_through(
    folders: FakeFolders, floor: Path, text: str
) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    policies = policies_under(floor, folders)
    policies.load()
    floor.write_text(HUMAN)
    folders.commit({"checkout.yaml": text, "web.yaml": of_service("web")})
    folders.fail["folder_history"] = DOWN
    for _ in range(2):
        loaded = policies.load()
        assert [one.service for one in loaded.policies] == ["web"]
        assert the_broken(loaded).kept is None


def test_without_the_history_a_version_below_the_same_floor_keeps_nothing(folders: FakeFolders, floor: Path) -> None:
    good = CHECKOUT.replace("merge: auto", "merge: human")
    assert good != CHECKOUT
    floor.write_text(HUMAN)
    folders.commit({"checkout.yaml": good})
    policies = policies_under(floor, folders)
    policies.load()
    folders.fail["folder_history"] = DOWN
    folders.commit({"checkout.yaml": CHECKOUT})
    loaded = policies.load()
    assert (loaded.policies, the_broken(loaded).kept) == ((), None)


def test_without_the_history_the_second_file_for_a_service_keeps_nothing(folders: FakeFolders, floor: Path) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    policies = policies_under(floor, folders)
    policies.load()
    folders.fail["folder_history"] = DOWN
    folders.commit({"web.yaml": CHECKOUT})
    loaded = policies.load()
    assert [one.service for one in loaded.policies] == ["checkout"]
    assert the_broken(loaded, "web.yaml").kept is None
