"""Who broke a policy is told once for each commit and set of files, as far as GitHub lets the bot."""

from __future__ import annotations

import pytest

from bot.domain.model import Sha
from bot.engine.fault_teller import MARKER, FaultTeller
from bot.policy.faults import PolicyError
from bot.policy.files import fault_of
from bot.policy.in_force import Broken, InForce
from bot.ports import OutsideError, Permanent, Transient
from tests.fake_forge import FakeForge
from tests.fakes import FakeLedger
from tests.policy.a_repository import PLACE

HEAD = Sha("a" * 40)


class Telling:
    """A teller on fakes; `restart` takes its memory away."""

    def __init__(self) -> None:
        self.forge, self.ledger = FakeForge(), FakeLedger()
        self.restart()

    def restart(self) -> None:
        self.teller = FaultTeller(conversation=self.forge, ledger=self.ledger, forge_url="https://github.example")

    def tell(self, *broken: Broken) -> None:
        self.teller.tell(InForce(broken=broken, at=PLACE.origin(HEAD)))

    @property
    def asked(self) -> int:
        return self.forge.calls.count("comment_on_commit")


def broken(file: str, commit: Sha | None = HEAD, *, faults: int = 1) -> Broken:
    error = PolicyError([fault_of(file, f"thing {number}", "<another>") for number in range(faults)])
    return Broken(file=file, error=error, newest=commit)


def test_one_comment_tells_of_all_files_of_a_commit_and_is_written_once() -> None:
    telling = Telling()
    for _ in range(2):
        telling.tell(broken("a.yaml"), broken("gates/b.yaml"), broken("c.yaml", Sha("c" * 40)))
    assert telling.asked == 2
    first, second = telling.forge.on_commits.values()
    assert "`a.yaml`: nothing of it is in force." in first
    assert "`gates/b.yaml`" in first
    assert "`c.yaml`" in second


def test_another_set_of_files_of_a_commit_is_told_anew() -> None:
    telling = Telling()
    telling.tell(broken("a.yaml"))
    telling.tell(broken("a.yaml"), broken("b.yaml"))
    assert len(telling.forge.on_commits) == 2
    assert len({marker for _, _, marker in telling.forge.on_commits}) == 2
    assert all(marker.startswith(f"{MARKER}:") for _, _, marker in telling.forge.on_commits)


def test_after_a_kill_before_the_note_the_comment_is_found_by_its_marker() -> None:
    telling = Telling()
    telling.ledger.fail["note"] = Transient("ledger", "the disk is full")
    with pytest.raises(OutsideError):
        telling.tell(broken("a.yaml"))
    telling.ledger.fail.clear()
    telling.restart()
    telling.tell(broken("a.yaml"))
    assert (telling.asked, len(telling.forge.on_commits)) == (2, 1)


def test_what_fails_for_a_while_is_tried_again_and_what_is_refused_for_good_is_not() -> None:
    telling = Telling()
    for error, asked in ((Transient("GitHub", "no answer"), 3), (Permanent("GitHub", "not allowed"), 1)):
        telling.forge.calls.clear()
        telling.forge.fail["comment_on_commit"] = error
        for _ in range(3):
            telling.tell(broken("a.yaml"))
        assert telling.asked == asked
    telling.forge.fail.clear()
    telling.tell(broken("a.yaml"), broken("b.yaml", Sha("b" * 40)))
    assert len(telling.forge.on_commits) == 1


def test_no_more_than_a_few_commits_are_told_at_once() -> None:
    telling = Telling()
    many = [broken(f"{number}.yaml", Sha(f"{number}" * 40)) for number in range(8)]
    telling.tell(*many)
    assert telling.asked == 5
    telling.tell(*many)
    assert telling.asked == 8


def test_a_directory_has_no_commits_to_tell_of() -> None:
    telling = Telling()
    telling.teller.tell(InForce(broken=(broken("a.yaml"),)))
    telling.tell(broken("a.yaml", None))
    assert telling.asked == 0


def test_many_files_and_faults_are_cut_and_counted() -> None:
    telling = Telling()
    telling.tell(*(broken(f"s{number:02}.yaml", faults=12) for number in range(22)))
    (body,) = telling.forge.on_commits.values()
    assert "2 more files have faults" in body
    assert body.count("\n- and 2 more") == 20
    assert "<another>" not in body
