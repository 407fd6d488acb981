"""Signals in the source repository: statuses, deployments, a last word; cheap, and never in the way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.model import Artifact, Digest, Sha
from bot.domain.policy import Opens, Proposing
from bot.engine.sweep import ServiceReport
from bot.ports import OutsideError, Permanent, Transient
from bot.signalling import Kinds, Signaller
from bot.telling import Telling
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import FakeWorld

NEW_COMMIT, OLD_COMMIT = Sha("1" * 40), Sha("2" * 40)
SOURCE = "acme/checkout"


class Told:
    """A world whose every sweep is signalled."""

    def __init__(self, *, kinds: Kinds | None = None, tells_source: bool = True) -> None:
        proposing = Proposing(opens=Opens.EARLY, tells_source=tells_source)
        self.world = FakeWorld(policy=a_policy(proposing=proposing))
        self.world.registry.artifacts = {
            f"{IMAGE}:{NEW}": Artifact(digest=Digest("sha256:" + "a" * 64), revision=NEW_COMMIT),
            f"{IMAGE}:{OLD}": Artifact(digest=Digest("sha256:" + "b" * 64), revision=OLD_COMMIT),
        }
        self.world.signals.source_pulls = {NEW_COMMIT: (7,)}
        telling = Telling(forge_url="https://github.example", comment_every=timedelta(0))
        self.signaller = Signaller(world=self.world.world, telling=telling, kinds=kinds or Kinds())

    def sweep(self) -> ServiceReport:
        report = self.world.report()
        assert report.policy is not None
        assert report.observation is not None
        assert report.decision is not None
        self.signaller.tell(report.policy, report.observation, report.decision)
        return report

    def sweeps(self, count: int) -> None:
        for _ in range(count):
            self.sweep()

    def status(self, stage: str, commit: Sha = NEW_COMMIT) -> tuple[str, str]:
        found = self.world.signals.statuses[SOURCE, commit, f"liftlock/checkout/{stage}"]
        return found.state, found.description

    def writes(self) -> int:
        names = ("set_status", "set_deployment", "set_check")
        return sum(self.world.signals.calls.count(name) for name in names)


def test_the_source_commit_shows_how_it_fares_in_each_stage() -> None:
    told = Told()
    told.world.release()
    told.sweep()
    told.world.pass_time(12)
    told.sweep()
    state, description = told.status("staging")
    assert state == "pending"
    assert description.startswith("staging: observing, 10 of 30 min, 0 of 2 gates unhealthy")
    assert told.status("production")[0] == "pending"


def test_a_deployment_of_the_source_commit_follows_each_stage() -> None:
    told = Told()
    told.world.release()
    told.sweep()
    (made,) = [text for _, text in told.world.signals.deployments.values()]
    assert (made.environment, made.ref, made.state) == ("checkout/staging", NEW_COMMIT, "in_progress")
    told.world.pass_time(34)
    told.sweeps(4)
    told.world.sync()
    told.sweeps(2)
    states = {text.environment: text.state for _, text in told.world.signals.deployments.values()}
    assert states["checkout/staging"] == "success"
    assert states["checkout/production"] == "in_progress"


def test_a_settled_release_that_nothing_was_told_of_stays_untold() -> None:
    told = Told()
    told.sweeps(3)
    assert told.writes() == 0


def test_numbers_alone_are_told_every_five_minutes_and_nothing_is_told_twice() -> None:
    told = Told()
    told.world.release()
    told.sweep()
    told.world.pass_time(6)
    told.sweep()
    before = told.world.signals.calls.count("set_status")
    told.sweeps(3)
    assert told.world.signals.calls.count("set_status") == before
    told.world.pass_time(1)
    told.sweep()
    assert told.world.signals.calls.count("set_status") == before
    told.world.pass_time(5)
    told.sweep()
    assert told.world.signals.calls.count("set_status") > before


def test_only_what_is_wanted_is_told() -> None:
    told = Told(kinds=Kinds(statuses=False, deployments=False))
    told.world.release()
    told.sweeps(2)
    assert (told.world.signals.statuses, told.world.signals.deployments) == ({}, {})


def test_a_release_without_a_source_commit_is_not_told_of() -> None:
    told = Told()
    told.world.registry.artifacts.clear()
    told.world.release()
    told.sweeps(2)
    assert (told.world.signals.statuses, told.world.signals.deployments) == ({}, {})


@pytest.mark.parametrize("error", [Permanent("GitHub", "no right"), Transient("GitHub", "no answer")])
def test_a_signal_that_fails_stops_nothing_and_a_repository_that_refuses_is_left_alone_for_a_while(
    error: OutsideError,
) -> None:
    told = Told()
    told.world.signals.fail["set_status"] = error
    told.world.release()
    told.sweeps(3)
    tried = told.world.signals.calls.count("set_status")
    assert (tried == 1) if isinstance(error, Permanent) else (tried == 6)
    told.world.signals.fail.clear()
    told.sweep()
    assert bool(told.world.signals.statuses) is isinstance(error, Transient)
    told.world.pass_time(11)
    told.sweep()
    assert told.world.signals.statuses


def test_the_source_pull_request_hears_that_its_release_arrived_once() -> None:
    told = Told()
    told.world.release()
    told.sweep()
    told.world.pass_time(34)
    told.sweeps(5)
    told.world.sync()
    told.sweeps(4)
    comment = told.world.forge.comments[7, "liftlock:source:checkout/production"]
    assert "reached `production`" in comment
    assert told.world.forge.written[7, "liftlock:source:checkout/production"] == 1


def test_the_source_pull_request_hears_nothing_unless_the_policy_says_so() -> None:
    told = Told(tells_source=False)
    told.world.release()
    told.sweep()
    told.world.pass_time(34)
    told.sweeps(5)
    told.world.sync()
    told.sweeps(4)
    assert not [key for key in told.world.forge.comments if key[0] == 7]
