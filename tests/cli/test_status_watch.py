"""`liftlock status --watch`: in place in a terminal, anew on a change elsewhere, until Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest
from rich.console import Console
from rich.live import Live
from rich.text import Text
from typer.testing import CliRunner, Result

from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.cli.watching import Anew, Board, InPlace, watch, without_instants
from bot.domain.decision import Decision, Judgement, State, WaitsOn
from bot.domain.model import Release
from bot.engine.record import as_json
from bot.ports import Transient
from bot.records import Posting
from tests.builders import IMAGE, NEW, NOON

PATIENCE_SECONDS = 60


def a_decision(reason: str, *, minutes: int = 0, service: str = "checkout") -> Decision:
    at = NOON + timedelta(minutes=minutes)
    judgement = Judgement(
        stage="staging",
        role="running",
        release=Release(image=IMAGE, tag=NEW),
        state=State.OBSERVING,
        waits_on=WaitsOn.RUNTIME,
        reason=reason,
    )
    return Decision(
        service=service,
        at=at,
        policy_version="v1",
        judgements=(judgement,),
        actions=(),
        look_again=at + timedelta(minutes=1),
    )


def a_posting(reason: str, *, minutes: int = 0, service: str = "checkout") -> Posting:
    decision = a_decision(reason, minutes=minutes, service=service)
    return Posting(subject=service, at=decision.at, body={"decision": as_json(decision)})


@dataclass
class Script:
    """What each look after the first one finds: a board, or a failure. After the last one it is over."""

    looks: list[Board | Transient] = field(default_factory=list)

    def read(self) -> Board:
        found = self.looks.pop(0)
        if isinstance(found, Transient):
            raise found
        return found

    def is_over(self) -> bool:
        return not self.looks


def text_of(board: Board) -> str:
    return " ".join(str(item.body["text"]) for item in board)


def says(*texts: str) -> list[Posting]:
    return [Posting(subject=str(number), at=NOON, body={"text": text}) for number, text in enumerate(texts)]


AWAY = Transient("ledger", "the database is locked")


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_what_is_the_same_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    script = Script([says("a"), says("a", "b"), says("a", "b"), says("a")])
    watch(says("a"), script.read, Anew(text=text_of, key=text_of), script.is_over)
    assert capsys.readouterr().out == "a\na b\na\n"


def test_a_board_that_cannot_be_read_is_told_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    script = Script([AWAY, AWAY, says("a"), AWAY, says("b")])
    watch(says("a"), script.read, Anew(text=text_of, key=text_of), script.is_over)
    captured = capsys.readouterr()
    assert captured.out == "a\nb\n"
    assert captured.err == "liftlock: ledger: the database is locked\n" * 2


def test_a_terminal_shows_the_newest_reading_and_a_complaint_below_it() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        script = Script([says("second"), AWAY])
        watch(says("first"), script.read, InPlace(live=live, view=lambda board: Text(text_of(board))), script.is_over)
    assert [line for line in screen(written.getvalue()) if line] == [
        "second",
        "liftlock: ledger: the database is locked",
    ]


def screen(written: str) -> list[str]:
    """What stands on a terminal after what was written to it: of control sequences only those that Live uses."""
    lines, at = [""], 0
    for piece in re.findall(r"\x1b\[\d*[A-Za-z]|\x1b\[\?\d+[hl]|\n|\r|[^\x1b\n\r]+", written):
        if piece == "\n":
            at += 1
            lines += [""] * (at + 1 - len(lines))
        elif piece.startswith("\x1b["):
            at -= int(piece[2:-1] or 1) if piece.endswith("A") else 0
            lines[at] = "" if piece.endswith("K") else lines[at]
        elif piece != "\r":
            lines[at] += piece
    return lines


def test_the_time_of_looking_is_no_change() -> None:
    first, later = a_posting("12 of 400 bad"), a_posting("12 of 400 bad", minutes=3)
    assert first.body != later.body
    assert without_instants(first.body) == without_instants(later.body)
    assert without_instants(first.body) != without_instants(a_posting("13 of 400 bad").body)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    settings = f"""\
[bot]
policies = "{tmp_path}"
state = "{tmp_path}/state"
[github]
token_file = "{tmp_path}/token"
[argocd]
url = "http://127.0.0.1:9"
[prometheus]
url = "http://127.0.0.1:9"
"""
    (tmp_path / "liftlock.toml").write_text(settings, encoding="utf-8")
    return tmp_path


def post(folder: Path, *postings: Posting) -> None:
    with open_ledger(f"sqlite:///{folder / 'state' / 'ledger.db'}") as ledger:
        for posting in postings:
            ledger.board.post(posting)


def status(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["status", *arguments, "--config", str(folder / "liftlock.toml")])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--watch", "--cost"], "liftlock: --watch shows releases; leave out --cost\n"),
        (["--interval", "3"], "liftlock: --interval only with --watch\n"),
        (["cart", "--watch"], "liftlock: no service 'cart' has been looked at; known are: checkout\n"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(folder: Path, arguments: Sequence[str], said: str) -> None:
    post(folder, a_posting("x"))
    result = status(folder, *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", said)


@pytest.mark.parametrize("seconds", ["0", "3601", "-1", "a"])
def test_the_interval_is_bounded(folder: Path, seconds: str) -> None:
    result = status(folder, "--watch", "--interval", seconds)
    assert result.exit_code == 2
    assert "--interval" in result.stderr


@contextmanager
def watching(folder: Path, *arguments: str, stdout: int) -> Iterator[subprocess.Popen[str]]:
    """Run the command as a user does; it looks each second."""
    command = [sys.executable, "-m", "bot", "status", "--watch", "--interval", "1", *arguments]
    with subprocess.Popen(
        [*command, "--config", str(folder / "liftlock.toml")],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """End it, and see that it ends in good order."""
    process.send_signal(number)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def lines(stream: IO[str] | None) -> Iterator[str]:
    assert stream is not None
    return iter(stream)


def test_a_pipe_gets_a_json_line_for_each_change_until_ctrl_c(folder: Path) -> None:
    post(folder, a_posting("12 of 400 bad"), a_posting("all well", service="payments"))
    with watching(folder, "checkout", "--json", stdout=subprocess.PIPE) as process:
        told = lines(process.stdout)
        assert reasons(next(told)) == ["12 of 400 bad"]
        post(folder, a_posting("12 of 400 bad", minutes=1))
        post(folder, a_posting("another", service="payments"))
        post(folder, a_posting("13 of 500 bad", minutes=2))
        assert reasons(next(told)) == ["13 of 500 bad"]
        end(process, signal.SIGINT)
        assert list(told) == []


def reasons(line: str) -> list[str]:
    return [one["reason"] for item in json.loads(line) for one in item["decision"]["judgements"]]


def test_a_terminal_is_written_in_place_until_it_is_ended(folder: Path) -> None:
    post(folder, a_posting("12 of 400 bad"))
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        with watching(folder, stdout=theirs) as process:
            os.close(theirs)
            seen = Terminal(terminal)
            seen.until("12 of 400 bad")
            post(folder, a_posting("13 of 500 bad", minutes=1))
            seen.until("13 of 500 bad")
            end(process, signal.SIGTERM)
        rows = [line for line in screen(seen.text) if "checkout" in line]
    assert len(rows) == 1
    assert "13 of 500 bad" in rows[0]


class Terminal:
    """Reads what is written to a terminal."""

    def __init__(self, stream: io.RawIOBase | IO[bytes]) -> None:
        self._stream = stream
        self.text = ""

    def until(self, words: str) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        while words not in self.text:
            assert time.monotonic() < ends, self.text
            self.text += (self._stream.read(65536) or b"").decode()
