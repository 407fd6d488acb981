"""The ledger's file is deleted at the worst moments: the story ends as it does without that, and nothing is done twice.

What is missing then is said, where people look.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import structlog
from typer.testing import CliRunner

from bot.adapters.ledger import open_ledger
from bot.adapters.ledger.chain import verify
from bot.cli.app import app
from bot.lab.world import GITOPS
from bot.records import Event
from tests.scenarios.playing import IN_WINDOW, MERGED, PASSED, Play, a_play, around, end_of, expected_end, to_main

MISSING = (
    "Git and the forge show 1 promotion before that: what was measured and decided for them is not known here, nor are "
    "holds and approvals that were given by comment on pull requests closed since: give again those that still count"
)


def delete(play: Play) -> None:
    """Somebody cleans up: the file and what SQLite keeps beside it, while the bot has them open."""
    for file in play.ledger.parent.glob("ledger.db*"):
        file.unlink()


def lose_and_restart(play: Play) -> None:
    play.stop()
    delete(play)


def also_around_the_writes(play: Play) -> None:
    """Delete it between decision and action and between action and outcome, of the merge and of the revert."""
    lose: Callable[[], None] = lambda: delete(play)  # noqa: E731  (it is what happens, not what is called)
    around(play.sweeper.world.merging, "merge_promotion", before=lose, behind=lose)
    around(play.sweeper.world.repositories, "push", where=to_main, before=lose, behind=lose)
    delete(play)


def recorded(play: Play) -> list[Event]:
    """What is found by whoever opens the file now; the chain is whole."""
    with open_ledger(f"sqlite:///{play.ledger}") as ledger:
        entries = ledger.entries()
    verify(entries)
    return [entry.event for entry in entries]


def liftlock(play: Play, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--config", str(play.settings)], env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.invariant("I9")
def test_a_ledger_that_is_deleted_again_and_again_under_the_bot_changes_no_end() -> None:
    with a_play("bad") as play:
        play.play({IN_WINDOW: also_around_the_writes, **dict.fromkeys(range(PASSED, 13), delete)})
        assert end_of(play.lab) == expected_end("bad")
        assert play.errors == []


@pytest.mark.invariant("I9")
def test_a_ledger_that_is_lost_between_any_two_runs_changes_no_end() -> None:
    with a_play("bad") as play:
        play.play(dict.fromkeys(range(1, 13), lose_and_restart))
        assert end_of(play.lab) == expected_end("bad")
        assert play.errors == []


@pytest.mark.invariant("I8")
def test_after_the_file_alone_is_deleted_under_the_bot_all_is_recorded_in_a_new_one() -> None:
    with a_play("good") as play, structlog.testing.capture_logs() as logs:
        play.play({IN_WINDOW: lambda play: play.ledger.unlink()})
        assert end_of(play.lab) == expected_end("good")
        written = [(event.kind, event.body["action"]["kind"]) for event in recorded(play) if "action" in event.body]  # type: ignore[index]  # the body of an action
        assert [one for one in written if one[1] == "merge promotion"] == [
            ("action", "merge promotion"),
            ("outcome", "merge promotion"),
        ]
        assert [line["ledger"] for line in logs if "was taken away" in line["event"]] == [str(play.ledger)]
        sentence = next(line["reason"] for line in logs if line["event"] == "history is missing")
        assert "show the open pull request #1 before that" in sentence


def test_what_a_lost_ledger_does_not_know_is_said_where_people_look() -> None:
    def hold_then_lose(play: Play) -> None:
        play.lab.github.comment_as("dana", GITOPS, 1, "/liftlock hold a look at the logs first")
        play.sweep()
        lose_and_restart(play)

    with a_play("good") as play, structlog.testing.capture_logs() as logs:
        play.play({MERGED: hold_then_lose})
        assert end_of(play.lab)["messages"] == expected_end("good")["messages"]
        told = [line for line in logs if line["event"] == "history is missing"]
        assert [(line["service"], line["log_level"], MISSING in line["reason"]) for line in told] == [
            ("checkout", "warning", True)
        ]
        for arguments in (("status",), ("explain", "checkout"), ("ledger", "show", "--kind", "beginning")):
            assert MISSING in liftlock(play, *arguments)
        (service,) = json.loads(liftlock(play, "status", "--json"))
        assert MISSING in service["beginning"]["sentence"]
        # The hold was given on the pull request that brought what runs: it is heard again, and acknowledged once.
        assert [event.body["said"] for event in recorded(play) if event.kind == "command"] == [
            "/liftlock hold a look at the logs first"
        ]
        found = play.lab.github.world.repository(GITOPS)
        assert [len(one.reactions) for one in found.pulls[1].comments if one.body.startswith("/liftlock")] == [1]
