"""Who is heard at all: people, in comments that nobody edited, and not without end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.authority import Author, Said, hear, is_first_too_many, too_many, too_many_sentence
from bot.domain.commands import Command, Mistake, Verb
from tests.builders import MINUTE, NOON

SECOND = timedelta(seconds=1)
DANA = Author(id=7, login="dana")
BOT, APP = Author(id=99, login="liftlock"), Author(id=5, login="renovate[bot]", is_app=True)
SAID = Said(comment=100, number=12, author=DANA, body="/liftlock status", created_at=NOON)


def test_a_persons_comment_is_heard() -> None:
    assert hear(SAID, own_id=99) == hear(SAID, own_id=None) == (Command(verb=Verb.STATUS, line=0),)
    assert hear(replace(SAID, body="/liftlock"), own_id=99) != ()
    assert hear(replace(SAID, body="Nice."), own_id=99) == ()


@pytest.mark.parametrize("author", [APP, BOT, Author(id=0, login="ghost")], ids=lambda author: author.login)
@pytest.mark.parametrize("was_edited", [False, True])
def test_apps_the_bot_and_lost_accounts_get_no_answer(author: Author, was_edited: bool) -> None:
    assert hear(replace(SAID, author=author, was_edited=was_edited), own_id=BOT.id) == ()


def test_an_edited_comment_gets_one_explanation_and_only_if_it_commands() -> None:
    body = "/liftlock approve\n/liftlock hold x"
    assert hear(replace(SAID, body=body, was_edited=True), own_id=99) == (
        Mistake(sentence="A comment that was edited is not read for commands: write the command in a new one."),
    )
    assert hear(replace(SAID, body="Nice.", was_edited=True), own_id=99) == ()


@pytest.mark.parametrize(
    ("ages", "beyond", "first"),
    [
        ([], False, False),
        ([MINUTE] * 19, False, False),
        ([MINUTE] * 20, True, True),
        ([MINUTE] * 21, True, False),
        ([MINUTE] * 19 + [60 * MINUTE], False, False),
        ([MINUTE] * 19 + [60 * MINUTE - SECOND], True, True),
        ([MINUTE] * 19 + [-MINUTE], True, True),
    ],
    ids=["none", "19", "20", "21", "one an hour ago", "one within the hour", "one in the future"],
)
def test_more_than_twenty_commands_an_hour_are_too_many(ages: list[timedelta], beyond: bool, first: bool) -> None:
    earlier = [NOON - age for age in ages]
    assert too_many(earlier, NOON) is beyond
    assert is_first_too_many(earlier, NOON) is first


def test_too_many_are_explained() -> None:
    assert too_many_sentence(DANA) == ("@dana gave more than 20 commands within an hour: later ones are not answered.")
