"""A GitHub of the lab with one repository and one pull request, and plain HTTP clients for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bot.lab.clock import ManualClock
from bot.lab.github import GitHubLab

REPO = "acme/deploy"
FILE = "apps/checkout/production/values.yaml"
BRANCH = "liftlock/checkout/production"
T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD, NEW = 'image:\n  tag: "1.4"\n', 'image:\n  tag: "1.5"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubWorld:
    """A running lab, a clock under control, and a client that holds the bot's token."""

    lab: GitHubLab
    clock: ManualClock
    http: httpx.Client

    def client(self, token: str | None) -> httpx.Client:
        """Return a client that holds another token, or none. The caller closes it."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.lab.api_url, headers=headers, timeout=20, trust_env=False)

    def propose(self, branch: str = BRANCH, text: str = NEW) -> int:
        """Push a branch with one changed file as the bot and open a pull request; return its number."""
        self.lab.commit_as("liftlock", REPO, branch, {FILE: text}, f"Promote checkout on {branch}")
        answer = self.http.post(f"/repos/{REPO}/pulls", json={"title": "Promote", "head": branch, "base": "main"})
        answer.raise_for_status()
        return int(answer.json()["number"])

    def pull(self, number: int) -> dict[str, object]:
        """Return a pull request as the API tells it."""
        found: dict[str, object] = self.http.get(f"/repos/{REPO}/pulls/{number}").raise_for_status().json()
        return found

    def head_of(self, number: int) -> str:
        """Return a pull request's head commit."""
        return self.lab.pull(REPO, number).head_sha


@contextmanager
def running_github(directory: Path) -> Iterator[GitHubWorld]:
    """Start a GitHub whose one repository holds one file; `dana` may write to it, `rita` may read it."""
    clock = ManualClock(T0)
    with GitHubLab(directory / "github", clock) as lab:
        lab.create_repository(REPO, files={FILE: OLD, "README.md": "What should run where.\n"})
        lab.add_user("dana", {REPO: "write"})
        lab.add_user("rita", {REPO: "read"})
        headers = {"authorization": f"Bearer {lab.token}"}
        with httpx.Client(base_url=lab.api_url, headers=headers, timeout=20, trust_env=False) as http:
            yield GitHubWorld(lab=lab, clock=clock, http=http)


def git(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run git as a user's machine would, without this machine's configuration."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Dana",
        "GIT_AUTHOR_EMAIL": "dana@acme.example",
        "GIT_COMMITTER_NAME": "Dana",
        "GIT_COMMITTER_EMAIL": "dana@acme.example",
    }
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=env, check=check, capture_output=True, text=True, timeout=60
    )
