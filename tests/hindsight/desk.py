"""A desk to run backtests of the two months at: the servers, a folder with settings and policies, and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from bot.cli.app import app
from tests.adapters.gitserver import GitServer, served_over_http
from tests.hindsight.past import (
    BEGINNING,
    END,
    NEW_POLICY,
    POLICY,
    SETTINGS,
    History,
    commit_all,
    measured,
    the_history,
)

NOWHERE = "http://127.0.0.1:9"
TEN_DAYS = ("--since", "10d", "--until", (BEGINNING + timedelta(days=10)).isoformat())
WHOLE = ("--since", BEGINNING.isoformat(), "--until", END.isoformat())


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The servers that know the past."""

    history: History
    commits: Mapping[str, str]
    git: str
    prometheus: str


@contextmanager
def the_past(git: Path, prometheus: Path) -> Iterator[Past]:
    """Start both servers, with all of the two months."""
    history = the_history()
    server = GitServer(git)
    commit_all(server, history.commits)
    log = server.git("log", "--format=%s%x09%H", "main").splitlines()
    commits = dict(line.split("\t") for line in log)
    with measured(prometheus, history) as url, served_over_http(server) as (template, _):
        yield Past(history=history, commits=commits, git=template.partition("/{")[0], prometheus=url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A folder with settings and policies, and the command."""

    folder: Path

    @property
    def journals(self) -> list[Path]:
        return sorted((self.folder / "state" / "backtests").glob("*"))

    def arguments(self, *arguments: str) -> list[str]:
        fixed = ("--pause", "0s", "--config", str(self.folder / "liftlock.toml"))
        return ["policy", "backtest", "checkout", *fixed, *arguments]

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, self.arguments(*arguments), catch_exceptions=False)

    def report(self, *arguments: str) -> Any:
        result = self.run("--json", *arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


def a_desk(folder: Path, past: Past, *, prometheus: str | None = None, argocd: str = NOWHERE) -> Desk:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "checkout.yaml").write_text(POLICY)
    (folder / "new.yaml").write_text(NEW_POLICY)
    (folder / "token").write_text("t0ken")
    text = SETTINGS.format(git=past.git, argocd=argocd, prometheus=prometheus or past.prometheus)
    (folder / "liftlock.toml").write_text(text)
    return Desk(folder=folder)


def tables(judged: Any) -> dict[str, dict[str, dict[str, int]]]:
    """Return the tables without the rows and columns that are 0 throughout."""
    return {
        table["name"]: {
            was: {column: count for column, count in counts.items() if count}
            for was, counts in table["counts"].items()
            if any(counts.values())
        }
        for table in judged["tables"]
    }


def rows(judged: Any, name: str) -> Mapping[str, Any]:
    return {row["release"]: row for row in judged["releases"] if row["name"] == name}
