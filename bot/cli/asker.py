"""Ask people at a terminal; where there are none, take what is certain or end with the option that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from bot.cli.faults import refusal
from bot.domain.edit import visible
from bot.domain.text import join_words

MOST_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks people, or takes what is certain where there is nobody to ask."""

    asks: bool

    def ask(self, question: str, option: str, *, default: str = "", why: str = "") -> str:
        """Return an answer; without anybody to ask the default, and where there is none refuse with the option."""
        if not self.asks:
            if default:
                return default
            raise refusal(f"{why or question}: say {option}")
        if why:
            typer.echo(visible(why), err=True)
        answer: str = typer.prompt(question, default=default or None, err=True)
        return answer.strip()

    def choose(self, question: str, option: str, places: Sequence[str], why: str) -> int:
        """Return the number of one of several things; refuse with all of them where nobody can be asked."""
        if not self.asks:
            shown = join_words([visible(place) for place in places[:MOST_SHOWN]], "or")
            raise refusal(f"{why}: {shown}: say {option}")
        typer.echo(f"{visible(why)}:", err=True)
        for number, place in enumerate(places, start=1):
            typer.echo(f"  {number}  {visible(place)}", err=True)
        while True:
            answer: int = typer.prompt(question, type=int, default=1, err=True)
            if 1 <= answer <= len(places):
                return answer - 1

    def confirm(self, question: str) -> bool:
        """Say whether it is to be done; without anybody to ask it is."""
        return not self.asks or typer.confirm(question, default=True, err=True)
