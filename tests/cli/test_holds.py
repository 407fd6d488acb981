"""`liftlock hold` and `liftlock resume`: what they stop on a running bot, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.app import app
from bot.domain.decision import State
from bot.lab.clock import ManualClock
from bot.lab.world import Lab
from tests.scenarios.promoting import candidate, live, merged, pass_window, promoted, tell_no_source
from tests.stage import Stage, a_bot

THEN = "The bot acts at its next look, if `liftlock run` is running.\n"


def liftlock(settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(settings)])


def refused(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("liftlock: ")


@pytest.fixture(name="settings")
def fixture_settings(lab: Lab) -> Path:
    return lab.directory / "liftlock.toml"


@pytest.mark.parametrize(
    ("what", "said", "reason"),
    [
        (("checkout",), "nothing moves into any stage of checkout", "holds checkout: sale"),
        (("checkout/production",), "nothing moves into checkout/production", "dana holds production: sale"),
        (("--all",), "everything is held", "holds everything: sale"),
        (("--all", "--except-rollbacks"), "everything but rollbacks is held", "holds everything but rollbacks: sale"),
        (("--all", "--except-rollback"), "everything but rollbacks is held", "holds everything but rollbacks: sale"),
    ],
)
def test_what_is_held_does_not_move_until_it_is_resumed(
    lab: Lab, clock: ManualClock, settings: Path, what: tuple[str, ...], said: str, reason: str
) -> None:
    tell_no_source(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        live(stage)
        result = liftlock(settings, "hold", *what, "--reason", "sale", "--by", "dana")
        assert result.output == f"Ordered: {said}. {THEN}"
        pass_window(stage)
        judgement = candidate(stage)
        assert judgement.state is State.HELD_BY_HUMAN
        assert reason in judgement.reason
        stage.look_after(2)
        assert not promoted(lab)
        resumed = [word for word in what if not word.startswith("--except")]
        result = liftlock(settings, "resume", *resumed, "--by", "dana")
        assert result.exit_code == 0, result.output
        merged(stage)


def test_a_line_of_the_file_that_names_nothing_stops_everything(lab: Lab, clock: ManualClock, settings: Path) -> None:
    tell_no_source(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        live(stage)
        (lab.directory / "policies" / "HOLD").write_text("chekout: invoices are wrong\n", encoding="utf-8")
        pass_window(stage)
        assert "HOLD, line 1 holds everything: found 'chekout'" in candidate(stage).reason
        told = liftlock(settings, "status").output
        assert told.startswith("HOLD, line 1 holds everything: found 'chekout'")
        assert liftlock(settings, "explain", "checkout").output.startswith("HOLD, line 1 holds everything: found")


def test_a_file_beside_the_policies_stops_the_bot_and_resume_says_that_it_is_there(
    lab: Lab, clock: ManualClock, settings: Path
) -> None:
    tell_no_source(lab)
    file = lab.directory / "policies" / "HOLD"
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        live(stage)
        file.write_text("all: GitHub is moving house\n", encoding="utf-8")
        pass_window(stage)
        assert "HOLD, line 1 holds everything: GitHub is moving house" in candidate(stage).reason
        result = liftlock(settings, "resume", "--all")
        assert " But HOLD, line 1 holds everything: GitHub is moving house." in result.output
        file.unlink()
        merged(stage)


INVOICES = "HOLD, line 1 holds checkout: invoices"


@pytest.mark.parametrize(
    ("line", "held", "resumed", "said"),
    [
        (
            "chekout: invoices",
            None,
            "--all",
            "the hold of everything is taken back. {then} But HOLD, line 1 holds everything: found 'chekout', ",
        ),
        ("checkout: invoices", None, "--all", f"the hold of everything is taken back. {{then}} But {INVOICES}."),
        ("checkout: invoices", None, "checkout", f"the hold of checkout is taken back. {{then}} But {INVOICES}."),
        (
            "checkout: invoices",
            None,
            "checkout/production",
            f"the hold of checkout/production is taken back. {{then}} But {INVOICES}.",
        ),
        (None, "checkout", "checkout/production", "the hold of checkout/production is taken back. {then} But dana ("),
        (
            None,
            "checkout/production",
            "--all",
            "the hold of everything is taken back. {then} But dana holds checkout/production: sale.",
        ),
        (None, "--all", "checkout", "the hold of checkout is taken back. {then} But dana (since "),
        (None, "checkout/production", "checkout", "releases may move into the stages of checkout. {then}\n"),
        (None, "checkout", "checkout", "releases may move into the stages of checkout. {then}\n"),
        (None, "checkout/production", "checkout/production", "releases may move into checkout/production. {then}\n"),
        (None, "--all", "--all", "everything goes on. {then}\n"),
    ],
)
def test_resume_says_what_still_holds(
    lab: Lab, clock: ManualClock, line: str | None, held: str | None, resumed: str, said: str
) -> None:
    settings = lab.directory / "liftlock.toml"
    with a_bot(lab, clock) as sweeper:
        sweeper.sweep()
    if line is not None:
        (lab.directory / "policies" / "HOLD").write_text(f"{line}\n", encoding="utf-8")
    if held is not None:
        assert liftlock(settings, "hold", held, "--reason", "sale", "--by", "dana").exit_code == 0
    result = liftlock(settings, "resume", resumed)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Ordered: {said.format(then=THEN.strip())}"), result.output


def test_resume_says_how_many_holds_there_are_where_it_does_not_show_all(
    lab: Lab, clock: ManualClock, settings: Path
) -> None:
    with a_bot(lab, clock) as sweeper:
        sweeper.sweep()
    lines = "".join(f"checkout: reason {number}\n" for number in range(7))
    (lab.directory / "policies" / "HOLD").write_text(lines, encoding="utf-8")
    told = liftlock(settings, "resume", "checkout").output
    assert "HOLD, line 5 holds checkout: reason 4; in all there are 7 holds." in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("hold", "--reason", "x"), "name a service, or --all: one of the two"),
        (("hold", "checkout", "--all", "--reason", "x"), "name a service, or --all: one of the two"),
        (("resume",), "name a service, or --all: one of the two"),
        (
            ("hold", "checkout", "--except-rollbacks", "--reason", "x"),
            "--except-rollbacks goes with --all: a hold of a service never stops its rollbacks",
        ),
        (
            ("hold", "checkout/staging", "--reason", "x"),
            "nothing is promoted into a stage 'staging' of checkout: say checkout/production",
        ),
        (
            ("hold", "checkout/", "--reason", "x"),
            "nothing is promoted into a stage '' of checkout: say checkout/production",
        ),
        (("hold", "--all", "--reason", "\x1b"), "a reason that can be read was expected"),
        (("hold", "checkout", "--reason", " "), "a reason that can be read was expected"),
    ],
)
def test_what_makes_no_sense_is_refused(
    lab: Lab, clock: ManualClock, settings: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    with a_bot(lab, clock) as sweeper:
        sweeper.sweep()
    assert refused(liftlock(settings, *arguments)) == sentence
