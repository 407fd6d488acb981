"""How far back the last good version of a file is looked for, and what work and memory that takes."""

from __future__ import annotations

import pytest

from bot.domain.policy import Policy
from bot.policy import PolicyDirectory
from bot.policy.faults import PolicyError
from bot.policy.past import MOST_VERSIONS
from tests.policy.a_repository import DOWN, FakeFolders, policies_of
from tests.policy.test_committed import (
    BROKEN,
    CHECKOUT,
    DEFAULTS,
    GATE,
    TORN,
    commit_of,
    extending,
    of_service,
    the_broken,
)


@pytest.fixture(name="folders")
def fixture_folders() -> FakeFolders:
    return FakeFolders()


@pytest.fixture(name="parsed")
def fixture_parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are parsed from now on."""
    names: list[str] = []
    real = PolicyDirectory._parsed

    def counted(self: PolicyDirectory, text: str, name: str) -> Policy | PolicyError:
        names.append(name)
        return real(self, text, name)

    monkeypatch.setattr(PolicyDirectory, "_parsed", counted)
    return names


def test_memory_does_not_grow_with_the_commits_of_a_branch(folders: FakeFolders, parsed: list[str]) -> None:
    folders.commit({"shop.yaml": of_service("shop"), "web.yaml": of_service("web")})
    folders.commit({"shop.yaml": TORN})
    policies = policies_of(folders)
    sizes = []
    for number in range(40):
        folders.commit({"web.yaml": f"{of_service('web')}# {number}\n"})
        parsed.clear()
        assert the_broken(policies.load(), "shop.yaml").kept is not None
        sizes.append(len(policies._snapshots._parsed) + len(policies._snapshots._kept))
    assert parsed == ["web.yaml"]
    assert sizes[-1] == sizes[20] < 20


def test_many_snapshots_are_not_all_kept(folders: FakeFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.policy.snapshots._MOST_SNAPSHOTS", 2)
    good = folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    for number in range(5):
        folders.commit({"checkout.yaml": f"{TORN} # {number}"})
    policies = policies_of(folders)
    assert commit_of(policies.load()) == good
    folders.commit({"checkout.yaml": f"{TORN} # again"})
    assert commit_of(policies.load()) == good


@pytest.mark.parametrize(
    "path", ["gates/README.md", "gates/unused.test.yaml", "defaults.yaml", "gates/unused.yaml"], ids=str
)
def test_commits_that_change_nothing_of_a_file_count_for_no_version_of_it(folders: FakeFolders, path: str) -> None:
    good = folders.commit({"checkout.yaml": CHECKOUT})
    torn = folders.commit({"checkout.yaml": BROKEN})
    for number in range(MOST_VERSIONS + 1):
        text = GATE.replace("broken-things", "unused") if path == "gates/unused.yaml" else DEFAULTS
        folders.commit({path: f"{text}# {number}\n"})
    loaded = policies_of(folders).load()
    assert commit_of(loaded) == good
    told = the_broken(loaded)
    assert told.broken_at is not None
    assert (told.broken_at.commit, told.newest) == (torn, torn)


def test_a_commit_that_adds_a_fault_to_a_broken_file_is_told(folders: FakeFolders) -> None:
    folders.commit({"defaults.yaml": DEFAULTS, "shop.yaml": extending("shop")})
    broken = folders.commit({"shop.yaml": extending("shop").replace("service: shop", "service: shop\nwrong: 1")})
    worse = folders.commit({"defaults.yaml": "stage: ["})
    told = the_broken(policies_of(folders).load(), "shop.yaml")
    assert told.kept is not None
    assert told.broken_at is not None
    assert (told.broken_at.commit, told.newest) == (broken, worse)


def test_no_more_than_so_many_commits_are_looked_at(folders: FakeFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.policy.past.MOST_LOOKED_AT", 3)
    folders.commit({"checkout.yaml": CHECKOUT})
    folders.commit({"checkout.yaml": BROKEN})
    reached = [folders.commit({"defaults.yaml": f"{DEFAULTS}# {number}\n"}) for number in range(3)]
    told = the_broken(policies_of(folders).load())
    assert told.broken_at is not None
    assert (told.kept, told.newest, told.broken_at.commit) == (None, reached[0], reached[0])


def test_files_that_break_together_are_parsed_once_at_each_older_commit(
    folders: FakeFolders, parsed: list[str]
) -> None:
    folders.commit({"defaults.yaml": DEFAULTS})
    names = [f"svc{number}" for number in range(12)]
    for name in names:
        folders.commit({f"{name}.yaml": extending(name)})
    folders.commit({"defaults.yaml": "stage: ["})
    loaded = policies_of(folders).load()
    assert sorted(one.service for one in loaded.policies) == sorted(names)
    # Each at the head, and its last good version.
    assert len(parsed) == 2 * len(names)


def test_what_is_too_much_for_one_load_follows_at_the_next_ones(
    folders: FakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.policy.snapshots.MOST_AT_ONCE", 2)
    folders.commit(
        {"defaults.yaml": DEFAULTS, **{f"svc{number}.yaml": extending(f"svc{number}") for number in "12345"}}
    )
    running = policies_of(folders)
    assert len(running.load().policies) == 5
    folders.commit({"defaults.yaml": "stage: ["})
    anew = policies_of(folders)
    counts = [len(anew.load().policies) for _ in range(2)]
    folders.fail["refresh"] = DOWN
    counts.append(len(anew.load().policies))
    assert counts == [2, 4, 5]
    folders.fail.clear()
    for _ in range(3):
        loaded = running.load()
        assert len(loaded.policies) == 5
    assert all(one.newest is not None for one in (*loaded.broken, *anew.load().broken))


def test_what_is_in_force_does_not_depend_on_what_was_broken_beside_it_before(folders: FakeFolders) -> None:
    folders.commit({"b.yaml": of_service("shop")})
    folders.commit({"a.yaml": of_service("shop"), "b.yaml": f"{of_service('shop')}# changed\n"})
    folders.commit({"a.yaml": TORN, "b.yaml": TORN})
    running = policies_of(folders)
    running.load()
    folders.commit({"a.yaml": of_service("till")})
    before, after = running.load(), policies_of(folders).load()
    assert [one.service for one in after.policies] == ["till", "shop"]
    assert before.policies == after.policies
    assert [one.kept for one in before.broken] == [one.kept for one in after.broken]
