"""A directory on this machine: a broken file keeps its last good version, as far as anybody remembers it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from bot.domain.policy import Policy
from bot.domain.stops import Stop
from bot.policy import PolicyDirectory, PolicyError
from bot.policy.floor import FloorFile
from bot.policy.in_force import InForce, LocalPolicies
from tests.policy.a_repository import directory_of
from tests.policy.test_committed import BROKEN, CHECKOUT, TORN, of_service, the_broken, the_policy, window
from tests.policy.test_floor_in_force import HUMAN, LENIENT, SHIPPED, WEEKEND


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    (tmp_path / "checkout.yaml").write_text(CHECKOUT, encoding="utf-8")
    return tmp_path


def write(folder: Path, text: str, name: str = "checkout.yaml") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def services(loaded: InForce) -> list[str]:
    return [policy.service for policy in loaded.policies]


def test_a_broken_version_keeps_the_last_good_one_until_it_is_mended(folder: Path) -> None:
    policies = LocalPolicies(directory=directory_of(folder))
    before = the_policy(policies.load())
    for text in (BROKEN, TORN):
        write(folder, text)
        loaded = policies.load()
        assert the_policy(loaded) == before
        assert the_broken(loaded).kept == before
    write(folder, window(40))
    loaded = policies.load()
    assert (services(loaded), loaded.broken) == (["checkout"], ())
    assert the_policy(loaded) != before


def test_after_a_restart_a_broken_version_keeps_what_is_remembered_or_halts_its_service(folder: Path) -> None:
    remembered = the_policy(LocalPolicies(directory=directory_of(folder)).load())
    write(folder, BROKEN)
    asked: list[str] = []

    def recall(files: Collection[str]) -> Mapping[str, Policy]:
        asked.extend(files)
        return dict.fromkeys(files, remembered)

    assert LocalPolicies(directory=directory_of(folder)).load().policies == ()
    assert LocalPolicies(directory=directory_of(folder), recall=recall).load().policies == (remembered,)
    assert asked == ["checkout.yaml"]


def test_what_was_before_the_start_is_asked_for_all_files_at_once_and_only_once(folder: Path) -> None:
    remembered = the_policy(LocalPolicies(directory=directory_of(folder)).load())
    asked: list[Collection[str]] = []
    answers: list[Mapping[str, Policy] | None] = [None, {"checkout.yaml": remembered}]

    def recall(files: Collection[str]) -> Mapping[str, Policy] | None:
        asked.append(files)
        return answers.pop(0)

    for name in ("checkout.yaml", "never.yaml", "gates/mine.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        write(folder, TORN, name)
    policies = LocalPolicies(directory=directory_of(folder), recall=recall)
    assert policies.load().policies == ()
    for _ in range(3):
        assert policies.load().policies == (remembered,)
    assert asked == [["checkout.yaml", "never.yaml"]] * 2


def test_a_recalled_version_goes_with_its_file(folder: Path) -> None:
    remembered = the_policy(LocalPolicies(directory=directory_of(folder)).load())
    answers: list[Mapping[str, Policy]] = [{"checkout.yaml": remembered}, {}]
    policies = LocalPolicies(directory=directory_of(folder), recall=lambda _: answers.pop(0))
    write(folder, TORN)
    assert policies.load().policies == (remembered,)
    (folder / "checkout.yaml").unlink()
    policies.load()
    write(folder, TORN)
    assert policies.load().policies == ()


def test_a_file_that_is_deleted_takes_its_service_with_it_and_is_not_remembered(folder: Path) -> None:
    policies = LocalPolicies(directory=directory_of(folder))
    policies.load()
    (folder / "checkout.yaml").unlink()
    assert policies.load() == InForce()
    write(folder, BROKEN)
    assert policies.load().policies == ()


def test_the_second_file_for_a_service_is_an_error_and_has_no_older_version(folder: Path) -> None:
    write(folder, of_service("web"), "web.yaml")
    policies = LocalPolicies(directory=directory_of(folder))
    assert services(policies.load()) == ["checkout", "web"]
    write(folder, CHECKOUT, "web.yaml")
    loaded = policies.load()
    assert services(loaded) == ["checkout"]
    assert the_broken(loaded, "web.yaml").kept is None


def test_of_two_broken_files_that_were_of_one_service_the_first_goes_on(folder: Path) -> None:
    remembered = the_policy(LocalPolicies(directory=directory_of(folder)).load())
    write(folder, BROKEN)
    write(folder, TORN, "old.yaml")
    loaded = LocalPolicies(directory=directory_of(folder), recall=lambda files: dict.fromkeys(files, remembered)).load()
    assert loaded.policies == (remembered,)
    assert the_broken(loaded, "old.yaml").kept is None


def test_a_directory_that_cannot_be_read_is_an_error_as_a_whole(tmp_path: Path) -> None:
    loaded = LocalPolicies(directory=directory_of(tmp_path / "nowhere")).load()
    assert loaded.policies == ()
    (broken,) = loaded.broken
    assert (broken.file, broken.is_whole) == (str(tmp_path / "nowhere"), True)
    assert isinstance(broken.error, PolicyError)


# --- a floor ---


@pytest.fixture(name="floor")
def fixture_floor(tmp_path: Path) -> Path:
    """Return a floor's file; no policy has its name."""
    (tmp_path / "floor").mkdir()
    (tmp_path / "floor" / "floor.yaml").write_text(LENIENT)
    return tmp_path / "floor" / "floor.yaml"


def under(floor: Path, folder: Path) -> PolicyDirectory:
    file = FloorFile(path=floor, templates=SHIPPED)
    return PolicyDirectory(path=folder, templates=SHIPPED, floor=file)


@pytest.mark.parametrize("text", [HUMAN, WEEKEND], ids=["raised", "calendar"])
@pytest.mark.parametrize("broken", [BROKEN, TORN], ids=["faulty", "torn"])
def test_a_good_version_that_todays_floor_has_not_judged_is_not_kept(
    folder: Path, floor: Path, text: str, broken: str
) -> None:
    policies = LocalPolicies(directory=under(floor, folder))
    assert services(policies.load()) == ["checkout"]
    write(folder, broken)
    assert services(policies.load()) == ["checkout"]
    floor.write_text(text)
    for _ in range(2):
        loaded = policies.load()
        assert (loaded.policies, the_broken(loaded).kept) == ((), None)
    floor.write_text(LENIENT)
    assert policies.load().policies == ()
    write(folder, CHECKOUT)
    assert services(policies.load()) == ["checkout"]


def test_a_floor_that_breaks_lets_the_last_good_version_be(folder: Path, floor: Path) -> None:
    policies = LocalPolicies(directory=under(floor, folder))
    before = policies.load().policies
    write(folder, TORN)
    floor.write_text("floor: [")
    assert policies.load().policies == before


def test_with_a_floor_nothing_is_recalled_from_before_the_start(folder: Path, floor: Path) -> None:
    remembered = the_policy(LocalPolicies(directory=directory_of(folder)).load())
    write(folder, TORN)
    floor.write_text(HUMAN)
    loaded = LocalPolicies(directory=under(floor, folder), recall=lambda files: dict.fromkeys(files, remembered)).load()
    assert (loaded.policies, the_broken(loaded).kept) == ((), None)


@pytest.mark.parametrize(
    ("name", "text", "halted"),
    [
        ("shop.yaml", "service: web\nwrong: 1\n", "web"),
        ("web.yml", TORN, "web"),
        ("web.yaml", "service:\n", "web"),
        ("gates/mine.yaml", TORN, ""),
    ],
)
def test_a_broken_file_without_a_good_version_is_of_the_service_that_it_says_or_is_named_after(
    folder: Path, name: str, text: str, halted: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    write(folder, text, name)
    (broken,) = LocalPolicies(directory=directory_of(folder)).load().broken
    assert broken.halted == halted


def test_a_broken_file_that_keeps_its_last_good_version_halts_no_other_service(folder: Path) -> None:
    policies = LocalPolicies(directory=directory_of(folder))
    policies.load()
    write(folder, "service: shop\nwrong: 1\n")
    broken = the_broken(policies.load())
    assert (broken.kept is not None, broken.halted) == (True, "")


def test_a_broken_floor_halts_no_service(folder: Path, floor: Path) -> None:
    policies = LocalPolicies(directory=under(floor, folder))
    policies.load()
    floor.write_text("floor: [", encoding="utf-8")
    (broken,) = policies.load().broken
    assert broken.halted == ""


def test_the_holds_are_read_beside_the_policies(folder: Path) -> None:
    write(folder, "all: lunch\n", "HOLD")
    assert LocalPolicies(directory=directory_of(folder)).stops() == (Stop(who="HOLD, line 1", reason="lunch"),)
