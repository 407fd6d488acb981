"""What is read of the past on fakes, what is said where it is cut, and that a backtest says what the bot has done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.backtest.facts import Facts, LiveFrom
from bot.backtest.fates import Range
from bot.backtest.replay import End
from bot.backtest.report import Report
from bot.domain.argo import Application, Deployed
from bot.domain.model import Numbers, Sha, Trouble
from bot.domain.policy import Policy, Proposing, Road
from bot.hindsight.history import HistoryReader
from bot.hindsight.journal import Inputs, Journal
from bot.hindsight.running import Backtest
from bot.hindsight.tiles import PastTiles
from bot.ports import FileHistory, Look
from tests.builders import MINUTE, NOON, OLD, a_count_gate, a_policy, a_rollback
from tests.fake_world import LAG, PRODUCTION_FILE, STAGING_FILE, FakeWorld, kustomization, values
from tests.fakes import FakeMetrics, FakeRepositories

DAY = timedelta(days=1)
DELAY = 2 * MINUTE


@dataclass
class Remembering(FakeMetrics):
    """What was measured by minute: a third of all requests is bad from an instant on."""

    bad_since: datetime = NOON

    def _numbers(self, look: Look) -> Numbers:
        count = (look.end - look.start) // look.width
        is_bad = look.query.text.startswith("bad-")
        late = [look.start + n * look.width >= self.bad_since for n in range(count)]
        return tuple((30.0 if bad else 0.0) if is_bad else 100.0 for bad in late)


@dataclass
class ShortRepositories(FakeRepositories):
    """Its history is cut: no more than the newest `known` commits of a file are there."""

    known: int = 3

    def file_history(
        self, repository: str, head: Sha, path: str, *, limit: int, since: Sha | None = None
    ) -> FileHistory:
        found = super().file_history(repository, head, path, limit=limit, since=since)
        if len(found.versions) <= self.known:
            return found
        return FileHistory(versions=found.versions[: self.known], complete=False)


def set_tags(world: FakeWorld, path: str, tags: Sequence[str], *, every: timedelta = DAY) -> None:
    """Commit one tag after the other, so long apart."""
    text = kustomization if path == STAGING_FILE else values
    for tag in tags:
        world.clock.advance(every)
        world.repositories.commit("main", {path: text(tag)}, f"Set {tag}")


def read(world: FakeWorld, *, delay: timedelta | None = DELAY, days: int = 5) -> Facts:
    since = world.clock.now() - days * DAY
    return HistoryReader(world=world.world, since=since, deploy_delay=delay).read(world.policy)


def test_each_stage_is_read_with_who_stood_there_and_when_it_was_live() -> None:
    world = FakeWorld()
    set_tags(world, STAGING_FILE, ["1.9.0", "1.10.0"])
    facts = read(world)
    assert [one.tag for one in facts.stands("staging")] == [OLD, "1.9.0", "1.10.0"]
    stand = facts.stands("staging")[-1]
    live = facts.live["staging", stand.since.commit]
    assert (live.at, live.known_from) == (stand.at + DELAY, LiveFrom.ASSUMED)
    assert facts.notes == ()
    assert facts.members == {"staging": ("checkout-staging",), "production": ("checkout-production",)}


def test_argo_cds_history_is_believed_where_it_has_the_commit_and_not_for_one_before() -> None:
    world = FakeWorld()
    set_tags(world, STAGING_FILE, ["1.9.0", "1.10.0"])
    facts = read(world)
    older, newer = facts.stands("staging")[1:]
    app = world.deployments.applications["checkout-staging"]
    entries = (Deployed(revisions=(newer.since.commit,), at=newer.at + 7 * MINUTE, number=8),)
    assert isinstance(app, Application)
    world.deployments.applications["checkout-staging"] = replace(app, history=entries)
    live = read(world, delay=None).live
    assert live["staging", newer.since.commit].at == newer.at + 7 * MINUTE
    assert ("staging", older.since.commit) not in live


def test_a_history_that_is_cut_says_from_when_on_it_is_known_and_guesses_nothing() -> None:
    world = FakeWorld()
    world.repositories = ShortRepositories(**vars(world.repositories))
    set_tags(world, STAGING_FILE, ["1.9.0", "1.10.0", "1.11.0"])
    facts = read(world)
    assert [one.tag for one in facts.stands("staging")] == ["1.10.0", "1.11.0"]
    assert facts.notes == (
        "staging: Git's history is known from 2026-03-03 12:00:00 UTC on only, so earlier releases are not looked at",
    )
    assert read(world, days=1).notes == ()


def test_a_long_history_is_read_back_to_before_what_is_looked_at() -> None:
    world = FakeWorld()
    set_tags(world, STAGING_FILE, [f"1.{number}.0" for number in range(9, 409)], every=timedelta(hours=1))
    facts = read(world, days=10)
    assert len(facts.stands("staging")) > 240
    assert facts.stands("staging")[1].at < world.clock.now() - 16 * DAY
    assert facts.notes == ()


def test_a_file_that_cannot_be_read_is_told_of_and_its_stage_has_no_releases() -> None:
    world = FakeWorld()
    world.repositories.commit("main", {PRODUCTION_FILE: "image: {repository: ghcr.io/acme/checkout}\n"}, "Break it")
    facts = read(world)
    assert isinstance(facts.tags["production"], Trouble)
    assert facts.stands("production") == ()
    assert facts.notes[0].startswith("production: Git: ")


# --- the bot and its backtest ----------------------------------------------------------------------------------------


def by_commit() -> Policy:
    rollback = a_rollback(triggers=(a_count_gate(limit=0.02),))
    return a_policy(gates=(a_count_gate(),), rollback=rollback, proposing=Proposing(by=Road.COMMIT))


def play(world: FakeWorld, minutes: int) -> None:
    """Let the bot look every minute, and Argo CD sync what it finds."""
    for _ in range(minutes):
        head = world.head
        world.clock.advance(MINUTE)
        world.sweeper.sweep()
        if world.head != head:
            world.sync()


def backtest(world: FakeWorld) -> Report:
    now = world.clock.now()
    journal = Journal(path=None, inputs=Inputs(of={}, since=NOON, until=now))
    return Backtest(
        policy=world.policy,
        new=None,
        history=HistoryReader(world=world.world, since=NOON + MINUTE, deploy_delay=timedelta(0)),
        tiles=PastTiles(metrics=world.metrics, journal=journal, sleep=lambda _: None),
        asked=Range(since=NOON + MINUTE, until=now, hotfix=timedelta(0)),
        lag=LAG,
    ).run(lambda *_: None)


def test_a_backtest_says_what_the_bot_itself_has_done_and_when() -> None:
    world = FakeWorld(policy=by_commit())
    play(world, 90)
    world.release("1.9.0")
    play(world, 45)
    assert '"1.9.0"' in world.tag_in(PRODUCTION_FILE)
    world.metrics.bad_share = {"http-errors": 0.3}
    play(world, 20)
    assert f'"{OLD}"' in world.tag_in(PRODUCTION_FILE)
    # The first bad tile that the bot has read is the one that ended a minute before its next look.
    world.metrics = Remembering(bad_since=NOON + 134 * MINUTE)
    (move, watch) = backtest(world).old.rows
    assert (move.outcome.end, watch.outcome.end) == (End.PROMOTED, End.ROLLED_BACK)
    assert watch.fate.sentence.startswith("taken out of production by Liftlock after")
    for did, says in ((move.moved_on_at, move.outcome.at), (watch.fate.undone_at, watch.outcome.at)):
        assert did is not None
        assert says is not None
        assert abs(did - says) <= MINUTE
