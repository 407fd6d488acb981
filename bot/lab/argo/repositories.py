"""Run git in the bare repositories that applications name by their URLs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bot.lab.github.git import Bare

_GIT_DEADLINE_SECONDS = 20.0


class ManifestError(Exception):
    """The manifests of an application cannot be generated; the text becomes its ComparisonError."""


class GitRepositories:
    """The repositories; `locate` maps `owner/name` to a bare repository's directory."""

    def __init__(self, locate: Callable[[str], Path]) -> None:
        self._locate = locate
        self._bares: dict[Path, Bare] = {}

    def directory(self, url: str) -> Path:
        """Return where a repository lies; ManifestError if there is no such repository."""
        directory = self._locate(repository_name(url))
        if not directory.is_dir():
            raise ManifestError(f"Failed to load target state: repository {url} not found")
        return directory

    def find_commit(self, url: str, name: str) -> str | None:
        """Return the commit that a branch, a tag or any other name means; ManifestError if there is no repository."""
        return self._bare(url).resolve(name)

    def read_text(self, url: str, commit: str, path: str) -> str | None:
        """Return a file's text at a commit, None if there is none; ManifestError if there is no repository."""
        content = self._bare(url).blob(commit, path)
        return None if content is None else content.decode("utf-8", "replace")

    def _bare(self, url: str) -> Bare:
        directory = self.directory(url)
        return self._bares.setdefault(directory, Bare(directory))

    def ask(self, url: str, *arguments: str) -> str | None:
        """Return what git prints, None if it fails; ManifestError if there is no such repository."""
        done = self._run(url, arguments, stdin="", environment={})
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

    def tell(self, url: str, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
        """Return what git prints, without the line's end; ManifestError if it fails."""
        done = self._run(url, arguments, stdin=stdin, environment=environment or {})
        if done.returncode != 0:
            raise ManifestError(f"git {arguments[0]} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout.decode("utf-8", "replace").strip()

    def _run(
        self, url: str, arguments: tuple[str, ...], *, stdin: str, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", "--git-dir", str(self.directory(url)), *arguments],
            input=stdin.encode(),
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
            timeout=_GIT_DEADLINE_SECONDS,
        )


def repository_name(url: str) -> str:
    """Return `owner/name` of a repository URL, also of one like `git@host:owner/name.git`."""
    path = urlsplit(url).path if "://" in url else url.partition(":")[2]
    return "/".join(path.removesuffix("/").removesuffix(".git").split("/")[-2:])
