"""`liftlock rollback` and `liftlock lift`: what an operator orders on the bot's machine, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.domain.commands import Verb
from bot.domain.orders import parse_order
from bot.lab.clock import ManualClock
from bot.lab.world import Lab
from bot.records import Event, Posting
from tests.scenarios.promoting import FAILING, candidate, live, merged, ready, tell_no_source
from tests.stage import START, Stage, a_bot, the_judgement


def liftlock(settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(settings)])


def refused(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("liftlock: ")


def commands(settings: Path) -> list[Event]:
    with open_ledger(f"sqlite:///{settings.parent / 'state' / 'ledger.db'}", for_reading=True) as ledger:
        return list(ledger.events(kind="command"))


# --- on a lab whose bot is running -----------------------------------------------------------------------------------


def test_an_ordered_rollback_is_done_at_the_next_look_and_a_lifted_release_is_observed_anew(
    lab: Lab, clock: ManualClock
) -> None:
    tell_no_source(lab)
    settings = lab.directory / "liftlock.toml"
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        ready(stage)
        merged(stage)
        stage.look_after(5)
        result = liftlock(settings, "rollback", "checkout", "--reason", "invoices are wrong", "--by", "dana")
        assert result.exit_code == 0, result.output
        assert result.stdout == (
            "Ordered: checkout/production goes back from 1.9.0. "
            "The bot acts at its next look, if `liftlock run` is running.\n"
        )
        # The command line goes by the machine's clock, the lab's is of another year: the order is of the future there.
        stage.look_after(1)
        assert lab.has_tag("checkout", "production", "1.8.2")
        assert "dana ordered it: invoices are wrong" in " ".join(next(iter(lab.messages())).split())
        stage.look_after(3)
        assert "only a person may move it" in candidate(stage).reason
        again = refused(liftlock(settings, "rollback", "checkout/production", "--reason", "again"))
        assert again == "checkout/production was taken back to 1.8.2 already, and no revert is reverted"
        result = liftlock(settings, "lift", "checkout", "1.9.0", "-r", "the database was full")
        assert result.stdout.startswith("Ordered: 1.9.0 of checkout is not quarantined by what was taken back so far. ")
        decision = stage.look_after(1)
        assert "quarantined" not in the_judgement(decision, "production", "candidate").state
    orders = [parse_order(event.body["order"]) for event in commands(settings)]  # type: ignore[arg-type]  # a mapping
    assert [order.kind for order in orders if order is not None] == [Verb.LIFT, Verb.ROLLBACK]


@pytest.mark.invariant("I4")
def test_what_came_by_a_rollback_that_did_not_help_is_not_taken_back_by_an_order_either(
    lab: Lab, clock: ManualClock
) -> None:
    tell_no_source(lab)
    settings = lab.directory / "liftlock.toml"
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        live(stage, production=FAILING)
        stage.play_until("checkout", lambda _: lab.has_tag("checkout", "production", "1.9.0"))
        stage.play_until("checkout", lambda _: lab.has_tag("checkout", "production", "1.8.2"))
        stage.play(2)
        # Whatever the present state is called: that the old release is as ill as the new one is not known on the board.
        _call_it_halted(settings)
        said = refused(liftlock(settings, "rollback", "checkout", "--reason", "again"))
    assert said == "checkout/production was taken back to 1.8.2 already, and no revert is reverted"
    assert commands(settings) == []


def _call_it_halted(settings: Path) -> None:
    with open_ledger(f"sqlite:///{settings.parent / 'state' / 'ledger.db'}") as ledger:
        (posting,) = (one for one in ledger.board.postings() if one.subject == "checkout")
        text = json.dumps(posting.body).replace('"rolled back"', '"halted"')
        assert '"halted"' in text
        ledger.board.post(replace(posting, body=json.loads(text)))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(lab: Lab) -> Path:
    """Settings of a bot that has looked at nothing yet, beside its ledger."""
    path = lab.write_settings(lab.directory / "liftlock.toml")
    (path.parent / "state").mkdir()
    with open_ledger(f"sqlite:///{path.parent / 'state' / 'ledger.db'}"):
        pass
    return path


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("chekout", "no policy in {policies} is of a service 'chekout'; there are: checkout"),
        ("checkout/staging", "'staging' is a first stage, which nothing is promoted into: say checkout/production"),
        ("checkout/prod", "'prod' is no stage of it: say checkout/production"),
        ("checkout", "what runs in checkout/production is not known: no look at it has succeeded lately"),
    ],
)
def test_what_cannot_be_taken_back_is_refused_in_a_sentence(settings: Path, what: str, said: str) -> None:
    found = refused(liftlock(settings, "rollback", what, "--reason", "r"))
    assert found == said.format(policies=settings.parent / "policies")
    assert commands(settings) == []


def test_a_policy_with_faults_is_named_where_its_service_is_not_found(settings: Path) -> None:
    policy = settings.parent / "policies" / "checkout.yaml"
    policy.write_text(policy.read_text(encoding="utf-8").replace("watch:", "watsh:"), encoding="utf-8")
    said = refused(liftlock(settings, "rollback", "checkout", "--reason", "r"))
    assert said.endswith("there are: none; these have faults, and halt their services: checkout.yaml")


def test_where_there_are_several_stages_one_is_to_be_named(settings: Path) -> None:
    policy = settings.parent / "policies" / "checkout.yaml"
    text = policy.read_text(encoding="utf-8")
    _, _, production = text.partition("  - name: production\n")
    other = f"  - name: us\n{production}".replace("/production/", "/us/")
    policy.write_text(text.rstrip("\n") + "\n" + other, encoding="utf-8")
    said = refused(liftlock(settings, "rollback", "checkout", "--reason", "r"))
    assert said == "checkout has more than one stage to take back: say checkout/production or checkout/us"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--reason", " \u200b "), "a reason that can be read was expected"),
        (("--reason", "r", "--by", "\u2060"), "a name that can be read was expected"),
    ],
)
def test_an_order_needs_a_reason_and_a_name(settings: Path, arguments: tuple[str, ...], said: str) -> None:
    assert refused(liftlock(settings, "lift", "checkout", "1.9.0", *arguments)) == said


def test_only_a_tag_is_lifted(settings: Path) -> None:
    said = refused(liftlock(settings, "lift", "checkout", "a b@c", "--reason", "r"))
    assert said == "'a b@c' is no tag of an image"
    assert commands(settings) == []


def test_without_a_name_it_is_the_machines_user(settings: Path) -> None:
    assert liftlock(settings, "lift", "checkout", "1.9.0", "--reason", "r").exit_code == 0
    (event,) = commands(settings)
    assert " on " in str(event.body["author"])


def test_what_another_version_decided_is_not_acted_upon(settings: Path) -> None:
    with open_ledger(f"sqlite:///{settings.parent / 'state' / 'ledger.db'}") as ledger:
        ledger.board.post(Posting(subject="checkout", at=START, body={"decision": {"strange": 1}}))
    said = refused(liftlock(settings, "rollback", "checkout", "--reason", "r"))
    assert said == "the service was last looked at by another version of Liftlock"


def test_without_a_ledger_nothing_is_ordered(settings: Path) -> None:
    (settings.parent / "state" / "ledger.db").unlink()
    said = refused(liftlock(settings, "lift", "checkout", "1.9.0", "--reason", "r"))
    assert said.startswith("bot.state: there is no ledger in ")


def test_policies_that_cannot_be_read_are_told(settings: Path, tmp_path: Path) -> None:
    text = settings.read_text(encoding="utf-8").replace(str(settings.parent / "policies"), str(tmp_path / "none"))
    settings.write_text(text, encoding="utf-8")
    result = liftlock(settings, "lift", "checkout", "1.9.0", "--reason", "r")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
