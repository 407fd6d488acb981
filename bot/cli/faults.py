"""How the command line ends when something is wrong: one sentence on stderr and an exit code, never a traceback.

Exit codes: 0 done, 1 the answer is bad news (a service that could not be judged, a stale health check, a demo story
that ended wrong), 2 the command, its settings or the world around it are wrong, 3 there was nothing to do, 5 nobody can
tell, since something that was asked gave no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from bot.ports import OutsideError
from bot.settings import SettingsError

BAD_NEWS = 1
WRONG_USE = 2
NOTHING_TO_DO = 3
CANNOT_TELL = 5


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """Turn the errors that users can cause into a sentence on stderr, or one a line, and exit code 2."""
    try:
        yield
    except (SettingsError, OutsideError) as error:
        typer.echo("\n".join(f"liftlock: {line}" for line in str(error).splitlines() or [""]), err=True)
        raise typer.Exit(WRONG_USE) from None


def refusal(sentence: str) -> typer.Exit:
    """Say on stderr what is wrong with the command's use; return what ends it."""
    typer.echo(f"liftlock: {sentence}", err=True)
    return typer.Exit(WRONG_USE)
