"""Which policies of a repository are in force: as of the head, and of what is broken the last good version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.model import Sha
from bot.domain.policy import Origin, Policy
from bot.domain.stops import Stop
from bot.policy import shipped_gate_templates
from bot.policy.committed import CommittedPolicies
from bot.policy.faults import PolicyError
from bot.policy.files import fault_of
from bot.policy.floor import FloorFile
from bot.policy.in_force import Broken, InForce
from bot.policy.past import MOST_VERSIONS
from bot.policy.tree import MAX_BYTES
from tests.policy.a_repository import DOWN, PLACE, FakeFolders, directory_of, policies_of

LENIENT = """\
apiVersion: liftlock.dev/v1
floor:
  - {every: promoted, services: [checkout], promote: {by: pull-request}}
"""
CHECKOUT = (Path(__file__).resolve().parents[2] / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
BROKEN = CHECKOUT.replace("service: checkout", "service: checkout\nwrong: 1")
TORN = "service: ["
USING = CHECKOUT.replace("use: http-errors, limit", "use: broken-things, limit")
GATE = (
    (Path(__file__).resolve().parents[2] / "policies" / "gates" / "http-errors.yaml")
    .read_text(encoding="utf-8")
    .replace("name: http-errors", "name: broken-things")
)


def of_service(service: str, *, text: str = CHECKOUT) -> str:
    """Return the policy of another service, whose files are its own."""
    return text.replace("checkout", service)


def extending(service: str) -> str:
    """Return the policy of a service that inherits something."""
    return of_service(service).replace("service:", "extends: defaults.yaml\nservice:", 1)


DEFAULTS = "apiVersion: liftlock.dev/v1\nstage: {}\n"


def window(minutes: int) -> str:
    """Return a version of the policy that can be told from others."""
    changed = CHECKOUT.replace("for: 30m", f"for: {minutes}m")
    assert changed != CHECKOUT or minutes == 30
    return changed


def the_policy(loaded: InForce, service: str = "checkout") -> Policy:
    return next(one for one in loaded.policies if one.service == service)


def the_broken(loaded: InForce, file: str = "checkout.yaml") -> Broken:
    return next(one for one in loaded.broken if one.file == file)


def commit_of(loaded: InForce, service: str = "checkout") -> Sha:
    origin = the_policy(loaded, service).origin
    assert origin is not None
    assert origin.repository == "acme/policies"
    return origin.commit


@pytest.fixture(name="folders")
def fixture_folders() -> FakeFolders:
    return FakeFolders()


# --- the head --------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I6")
def test_the_policies_in_force_are_those_of_the_head_each_at_the_commit_that_changed_it_last(
    folders: FakeFolders,
) -> None:
    first = folders.commit({"checkout.yaml": window(20)})
    second = folders.commit({"web.yaml": of_service("web")})
    policies = policies_of(folders)
    loaded = policies.load()
    assert (commit_of(loaded), commit_of(loaded, "web")) == (first, second)
    assert loaded.at == Origin(repository="acme/policies", commit=second)
    third = folders.commit({"checkout.yaml": window(25)})
    for source in (policies, policies_of(folders)):
        loaded = source.load()
        assert (commit_of(loaded), commit_of(loaded, "web")) == (third, second)
        assert (loaded.broken, loaded.trouble) == ((), None)


@pytest.mark.invariant("I6")
def test_a_policy_tells_when_its_commit_came(folders: FakeFolders) -> None:
    folders.commit({"web.yaml": of_service("web")})
    changed = folders.commit({"checkout.yaml": window(20)})
    folders.commit({"checkout.yaml": "service: [", "web.yaml": of_service("web") + "# changed"})
    origin = the_policy(policies_of(folders).load()).origin
    assert origin == Origin(repository="acme/policies", commit=changed, since=folders.commits[changed].at)


def test_a_load_without_news_reads_and_parses_nothing_again(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    policies = policies_of(folders)
    before = policies.load()
    folders.asked.clear()
    assert policies.load() is not before
    assert policies.load().policies == before.policies
    assert set(folders.asked) == {"refresh"}


def test_only_changed_files_are_read_and_those_that_are_no_policies_never(folders: FakeFolders) -> None:
    texts = {"checkout.yaml": CHECKOUT, "web.yaml": of_service("web"), "README.md": "hello", "web.test.yaml": "x"}
    folders.commit(texts)
    policies = policies_of(folders)
    policies.load()
    assert len(folders.read) == 2
    folders.read.clear()
    folders.commit({"README.md": "hi", "web.yaml": of_service("web").replace("for: 30m", "for: 31m")})
    policies.load()
    assert len(folders.read) == 1


def test_the_commit_of_a_policy_is_that_of_a_template_it_uses_where_that_changed_later(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": USING, "gates/things.yaml": GATE, "web.yaml": of_service("web")})
    changed = folders.commit({"gates/things.yaml": GATE.replace("default: 5..", "default: 5.*")})
    loaded = policies_of(folders).load()
    assert loaded.broken == ()
    assert commit_of(loaded) == changed
    assert commit_of(loaded, "web") != changed


def test_a_file_that_no_commit_in_reach_touched_is_of_the_oldest_one(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    second = folders.commit({"web.yaml": of_service("web")})
    folders.longest = 1
    assert commit_of(policies_of(folders).load()) == second


def test_a_file_that_is_deleted_takes_its_service_with_it(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    policies = policies_of(folders)
    policies.load()
    folders.commit({"checkout.yaml": None})
    for source in (policies, policies_of(folders)):
        loaded = source.load()
        assert [one.service for one in loaded.policies] == ["web"]
        assert loaded.broken == ()


def test_a_link_or_too_large_a_file_is_an_error_of_the_file(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": "!a symbolic link, which is never followed", "web.yaml": "#" * (MAX_BYTES + 1)})
    loaded = policies_of(folders).load()
    assert loaded.policies == ()
    assert [str(one.error) for one in loaded.broken] == [
        "checkout.yaml: found a symbolic link, which is never followed, expected a file that can be read",
        "web.yaml: found more than 1 MiB, expected a file that can be read",
    ]


def test_a_folder_of_templates_that_is_a_link_lets_no_policy_use_shipped_ones_unseen(folders: FakeFolders) -> None:
    good = folders.commit({"checkout.yaml": CHECKOUT})
    folders.commit({"gates": "!a symbolic link"})
    loaded = policies_of(folders).load()
    assert commit_of(loaded) == good
    assert [one.file for one in loaded.broken] == ["gates", "checkout.yaml"]


def test_a_folder_that_is_not_there_is_said_and_nothing_is_in_force(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    policies = policies_of(folders)
    policies.load()
    gone = folders.commit({"checkout.yaml": None})
    loaded = policies.load()
    assert loaded.policies == ()
    assert str(loaded.broken[0].error) == (
        f"acme/policies@{gone[:7]}: found no folder policies, expected a folder of policies"
    )
    assert loaded.broken[0].is_whole
    folders.commit({"checkout.yaml": CHECKOUT})
    assert the_policy(policies.load()).service == "checkout"


def test_what_makes_the_folder_as_a_whole_useless_is_said(folders: FakeFolders) -> None:
    class Refusing:
        path = None

        def load(self) -> None:
            raise PolicyError([fault_of("floor.yaml", "nothing", "a floor")])

    folders.commit({"checkout.yaml": CHECKOUT})
    policies = CommittedPolicies(folders=folders, place=PLACE, directory_of=lambda _: Refusing())  # type: ignore[arg-type,return-value]  # it does nothing else
    loaded = policies.load()
    assert (loaded.policies, loaded.broken[0].file, loaded.broken[0].is_whole) == ((), "floor.yaml", True)


def test_when_the_floor_changes_all_policies_are_judged_anew(folders: FakeFolders, tmp_path: Path) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    (tmp_path / "floor.yaml").write_text(LENIENT)
    floor = FloorFile(path=tmp_path / "floor.yaml", templates=shipped_gate_templates())
    policies = CommittedPolicies(folders=folders, place=PLACE, directory_of=directory_of, floor=floor)
    before = policies.load().policies
    assert policies.load().policies is before
    (tmp_path / "floor.yaml").write_text(LENIENT.replace("checkout", "web"))
    after = policies.load().policies
    assert after is not before
    assert after == before


# --- what is broken --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I6")
def test_a_broken_version_keeps_the_last_good_one_also_after_a_restart_and_says_since_when(
    folders: FakeFolders,
) -> None:
    folders.commit({"checkout.yaml": window(20)})
    good = folders.commit({"checkout.yaml": window(25)})
    other = folders.commit({"web.yaml": of_service("web")})
    policies = policies_of(folders)
    in_force = the_policy(policies.load())
    breaking = folders.commit({"checkout.yaml": BROKEN})
    newest = folders.commit({"checkout.yaml": TORN})
    for source in (policies, policies_of(folders)):
        loaded = source.load()
        assert the_policy(loaded) == in_force
        assert (commit_of(loaded), commit_of(loaded, "web")) == (good, other)
        told = the_broken(loaded)
        assert told.kept == in_force
        assert told.broken_at is not None
        assert (told.broken_at.commit, told.newest) == (breaking, newest)
        assert "invalid YAML" in str(told.error)


def test_a_mended_version_is_in_force_at_once(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": window(20)})
    policies = policies_of(folders)
    folders.commit({"checkout.yaml": BROKEN})
    policies.load()
    mended = folders.commit({"checkout.yaml": window(40)})
    loaded = policies.load()
    assert loaded.broken == ()
    assert commit_of(loaded) == mended


def test_a_file_that_was_never_good_halts_its_service_alone(folders: FakeFolders) -> None:
    folders.commit({"web.yaml": of_service("web")})
    created = folders.commit({"checkout.yaml": BROKEN})
    loaded = policies_of(folders).load()
    assert [one.service for one in loaded.policies] == ["web"]
    told = the_broken(loaded)
    assert told.broken_at is not None
    assert (told.kept, told.broken_at.commit, told.newest) == (None, created, created)


def test_a_file_that_came_back_broken_does_not_revive_what_was_deleted(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    folders.commit({"checkout.yaml": None})
    folders.commit({"checkout.yaml": BROKEN})
    assert the_broken(policies_of(folders).load()).kept is None


def test_a_renamed_file_keeps_its_service_also_where_it_breaks_at_the_same_time(folders: FakeFolders) -> None:
    good = folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web"), "empty.yaml": TORN})
    folders.commit({"checkout.yaml": None, "empty.yaml": None, "gone.txt": "x", "shop.yaml": BROKEN})
    loaded = policies_of(folders).load()
    assert commit_of(loaded) == good
    kept = the_broken(loaded, "shop.yaml").kept
    assert kept is not None
    assert (kept.file, kept.service) == ("checkout.yaml", "checkout")


@pytest.mark.parametrize(
    "text", [TORN, BROKEN.replace("service: checkout", "service: other"), "service: [a]\n", "- a\n", "!a symbolic link"]
)
def test_a_new_broken_file_takes_over_no_service_that_it_does_not_name(folders: FakeFolders, text: str) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    folders.commit({"checkout.yaml": None, "shop.yaml": text})
    loaded = policies_of(folders).load()
    assert [one.service for one in loaded.policies] == ["web"]
    assert the_broken(loaded, "shop.yaml").kept is None


def test_the_first_commit_of_all_has_nothing_before_it(folders: FakeFolders) -> None:
    folders.commit({"shop.yaml": BROKEN})
    assert the_broken(policies_of(folders).load(), "shop.yaml").kept is None


def test_a_broken_template_keeps_what_uses_it_with_the_template_as_it_was(folders: FakeFolders) -> None:
    files = {"checkout.yaml": USING, "gates/things.yaml": GATE, "web.yaml": of_service("web")}
    good = folders.commit(files)
    in_force = the_policy(policies_of(folders).load())
    breaking = folders.commit({"gates/things.yaml": GATE.replace("counts: bad", "counts: much")})
    loaded = policies_of(folders).load()
    assert replace(the_policy(loaded), origin=None) == replace(in_force, origin=None)
    assert commit_of(loaded) == good
    assert {one.file: one.newest for one in loaded.broken} == {"gates/things.yaml": breaking, "checkout.yaml": breaking}
    assert the_broken(loaded, "gates/things.yaml").kept is None


def test_another_file_that_describes_the_service_by_now_wins_over_an_old_version(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    moved = folders.commit({"checkout.yaml": BROKEN, "zebra.yaml": CHECKOUT})
    loaded = policies_of(folders).load()
    assert [one.file for one in loaded.policies] == ["zebra.yaml"]
    assert commit_of(loaded) == moved
    assert the_broken(loaded).kept is None


def test_the_second_file_for_a_service_is_an_error_and_has_no_older_version(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    folders.commit({"web.yaml": CHECKOUT})
    loaded = policies_of(folders).load()
    assert [one.service for one in loaded.policies] == ["checkout"]
    assert "which checkout.yaml describes" in str(the_broken(loaded, "web.yaml").error)


def test_no_further_back_than_so_many_versions_is_looked(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "web.yaml": of_service("web")})
    for number in range(MOST_VERSIONS):
        folders.commit({"checkout.yaml": f"{TORN} # {number}"})
    assert the_broken(policies_of(folders).load()).kept is None


def test_a_broken_file_that_no_commit_in_reach_touched_has_no_known_beginning(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": TORN})
    folders.commit({"web.yaml": of_service("web")})
    folders.longest = 1
    told = the_broken(policies_of(folders).load())
    assert (told.kept, told.broken_at, told.newest) == (None, None, None)


def test_a_force_push_makes_the_last_good_version_that_of_the_branch_as_it_is(folders: FakeFolders) -> None:
    first = folders.commit({"checkout.yaml": window(20)})
    folders.commit({"checkout.yaml": window(25)})
    policies = policies_of(folders)
    policies.load()
    folders.commit({"checkout.yaml": BROKEN}, onto=first)
    assert commit_of(policies.load()) == first
    again = folders.commit({"checkout.yaml": window(25)}, onto=first)
    assert commit_of(policies.load()) == again
    same = folders.commit({"checkout.yaml": window(25)}, onto=first)
    assert commit_of(policies.load()) == same


# --- the server ------------------------------------------------------------------------------------------------------


def test_without_the_server_what_was_fetched_last_stays_in_force_also_after_a_restart(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": window(20)})
    policies = policies_of(folders)
    before = policies.load()
    folders.commit({"checkout.yaml": window(25)})
    folders.fail["refresh"] = DOWN
    for source in (policies, policies_of(folders)):
        loaded = source.load()
        assert loaded.policies == before.policies
        assert loaded.at == before.at
        assert loaded.trouble == DOWN.as_trouble()
    folders.fail.clear()
    assert policies.load().trouble is None


def test_where_nothing_was_ever_fetched_nothing_is_in_force(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT})
    folders.fail["refresh"] = DOWN
    loaded = policies_of(folders).load()
    assert loaded == InForce(trouble=DOWN.as_trouble())
    folders.last_fetched = folders.head
    folders.fail["list_folder"] = DOWN
    assert policies_of(folders).load() == InForce(trouble=DOWN.as_trouble())


def test_a_head_that_cannot_be_read_whole_is_not_in_force_in_part(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": window(20), "HOLD": "all: lunch\n"})
    policies = policies_of(folders)
    before = policies.load()
    folders.commit({"checkout.yaml": window(25), "HOLD": None})
    folders.fail["read_small"] = DOWN
    loaded = policies.load()
    assert loaded == replace(before, trouble=DOWN.as_trouble())
    assert policies.stops() == (Stop(who="HOLD, line 1", reason="lunch"),)
    folders.fail.clear()
    assert policies.load().trouble is None
    assert policies.stops() == ()


def test_without_the_history_the_version_in_force_stays_until_git_tells(folders: FakeFolders) -> None:
    first = folders.commit({"checkout.yaml": window(20)})
    policies = policies_of(folders)
    policies.load()
    folders.fail["folder_history"] = DOWN
    newer = folders.commit({"checkout.yaml": BROKEN, "web.yaml": of_service("web")})
    loaded = policies.load()
    assert (commit_of(loaded), commit_of(loaded, "web")) == (first, newer)
    assert the_broken(loaded).newest is None
    anew = policies_of(folders)
    assert the_broken(anew.load()).kept is None
    folders.fail.clear()
    for source in (policies, anew):
        assert the_broken(source.load()).newest == newer
        assert commit_of(source.load()) == first


def test_an_older_version_that_cannot_be_read_now_is_read_later(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": window(20)})
    folders.commit({"checkout.yaml": BROKEN})
    policies = policies_of(folders)
    folders.texts.clear()
    real = folders.read_small

    def only_the_head(repository: str, contents: list[Sha], *, most_bytes: int) -> object:
        if folders.read:
            raise DOWN
        return real(repository, contents, most_bytes=most_bytes)

    folders.read_small = only_the_head  # type: ignore[method-assign,assignment]  # a server that goes down meanwhile
    assert the_broken(policies.load()).kept is None
    folders.read_small = real  # type: ignore[method-assign]  # it is back
    assert the_broken(policies.load()).kept is not None


# --- holds -----------------------------------------------------------------------------------------------------------


def test_the_holds_are_read_where_every_policy_is_broken(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": TORN, "HOLD": "checkout: invoices\n"})
    policies = policies_of(folders)
    assert policies.stops() == ()
    loaded = policies.load()
    assert (loaded.policies, the_broken(loaded).halted) == ((), "checkout")
    assert policies.stops() == (Stop(who="HOLD, line 1", reason="invoices", service="checkout"),)


def test_holds_that_cannot_be_read_stop_everything(folders: FakeFolders) -> None:
    folders.commit({"checkout.yaml": CHECKOUT, "HOLD": "!a symbolic link"})
    policies = policies_of(folders)
    policies.load()
    (stop,) = policies.stops()
    assert (stop.service, stop.reason) == (None, "found a symbolic link, expected a file that can be read")
