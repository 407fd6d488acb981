"""Policies of a repository under a floor that changes: nothing stays in force that today's does not accept."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.policy import PolicyDirectory
from bot.policy.committed import CommittedPolicies
from bot.policy.directory import BelowFloor
from bot.policy.floor import FloorFile
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

    return CommittedPolicies(folders=folders, place=PLACE, directory_of=directory_of, floor=file)


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


# --- a floor that is raised ------------------------------------------------------------------------------------------

HUMAN_MERGE = CHECKOUT.replace("merge: auto", "merge: human")


def test_a_raised_floor_puts_no_older_version_into_force(folders: FakeFolders, floor: Path) -> None:
    folders.commit({"checkout.yaml": HUMAN_MERGE})
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    policies = policies_under(floor, folders)
    assert len(policies.load().policies) == 2
    floor.write_text(HUMAN)
    for source in (policies, policies_under(floor, folders)):
        loaded = source.load()
        assert [one.service for one in loaded.policies] == ["web"]
        assert the_broken(loaded).kept is None


def test_a_torn_file_does_not_go_back_beyond_a_version_below_the_floor(folders: FakeFolders, floor: Path) -> None:
    folders.commit({"checkout.yaml": HUMAN_MERGE})
    folders.commit({"checkout.yaml": CHECKOUT})
    torn = folders.commit({"checkout.yaml": TORN})
    policies = policies_under(floor, folders)
    assert the_policy(policies.load()).file == "checkout.yaml"
    floor.write_text(HUMAN)
    for source in (policies, policies_under(floor, folders)):
        told = the_broken(source.load())
        assert told.broken_at is not None
        assert (told.kept, told.newest, told.broken_at.commit) == (None, torn, torn)


def test_a_raised_floor_is_no_commits_fault(folders: FakeFolders, floor: Path) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    folders.commit({"checkout.yaml": f"{CHECKOUT}# again\n"})
    floor.write_text(HUMAN)
    told = the_broken(policies_under(floor, folders).load())
    assert (told.newest, told.broken_at) == (None, None)


def test_a_policy_that_came_below_the_floor_is_no_commits_fault(folders: FakeFolders, floor: Path) -> None:
    """Whether the floor was so already, nobody knows."""
    folders.commit({"web.yaml": of_service("web")})
    folders.commit({"checkout.yaml": CHECKOUT})
    floor.write_text(HUMAN)
    told = the_broken(policies_under(floor, folders).load())
    assert (told.newest, told.broken_at) == (None, None)


def test_a_commit_that_takes_a_policy_below_the_floor_is_told(folders: FakeFolders, floor: Path) -> None:
    floor.write_text(HUMAN)
    folders.commit({"checkout.yaml": HUMAN_MERGE})
    lowered = folders.commit({"checkout.yaml": CHECKOUT})
    loaded = policies_under(floor, folders).load()
    told = the_broken(loaded)
    assert told.broken_at is not None
    assert (loaded.policies, told.kept, told.newest, told.broken_at.commit) == ((), None, lowered, lowered)


def test_what_is_below_the_floor_may_have_been_torn_before(folders: FakeFolders, floor: Path) -> None:
    floor.write_text(HUMAN)
    folders.commit({"checkout.yaml": HUMAN_MERGE})
    torn = folders.commit({"checkout.yaml": TORN})
    lowered = folders.commit({"checkout.yaml": CHECKOUT})
    told = the_broken(policies_under(floor, folders).load())
    assert told.broken_at is not None
    assert (told.kept, told.newest, told.broken_at.commit) == (None, lowered, torn)


# --- a floor that breaks ---------------------------------------------------------------------------------------------


def test_a_floor_that_breaks_is_no_commits_fault(folders: FakeFolders, floor: Path) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    folders.commit({"defaults.yaml": "apiVersion: liftlock.dev/v1\nstage: {}\n"})
    policies = policies_under(floor, folders)
    before = policies.load()
    floor.write_text("floor: [")
    loaded = policies.load()
    assert loaded.policies == before.policies
    told = the_broken(loaded, str(floor))
    assert (told.newest, told.broken_at, told.kept) == (None, None, None)
    assert "the last good one stays in force" in str(told.error)


@pytest.mark.parametrize("is_good_before", [True, False])
def test_a_floor_that_stays_broken_lets_nothing_be_judged_anew(
    folders: FakeFolders, floor: Path, *, is_good_before: bool
) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    policies = policies_under(floor, folders)
    if is_good_before:
        policies.load()
    floor.write_text("floor: [")
    before = policies.load()
    for _ in range(2):
        after = policies.load()
        assert after.policies is before.policies
        assert after.broken is before.broken
