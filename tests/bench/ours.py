"""All that the benchmarks know of the bot's own edit and Git adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.git import GitRepositories, GitSettings
from bot.domain.edit import HelmEdit, Reading, write_tag
from bot.domain.model import Sha
from bot.ports import FileCommit
from tests.adapters.gitserver import StoppedClock
from tests.bench.measure import Watch
from tests.bench.monorepo import REPOSITORY

BRANCH = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bump:
    """A new tag for one file."""

    path: str
    image: str
    tag: str

    @property
    def message(self) -> str:
        """What the commit says."""
        return f"Set {self.image} to {self.tag}\n"


def edit_text(text: str, bump: Bump, *, at: str, reading: Reading | None = None) -> str:
    """Set the tag at a dotted path of a values file."""
    return write_tag(HelmEdit(file=bump.path, tag=at), bump.image, text, bump.tag, reading=reading)


class Ours:
    """The bot's way to change a file, on mirrors that live on. `watch` may be changed between two changes."""

    def __init__(self, mirrors: Path, url: str) -> None:
        self.mirrors = mirrors
        self.watch = Watch()
        settings = GitSettings(mirrors=mirrors, url=url)
        self._repositories = GitRepositories(settings, token=lambda repository: None, clock=StoppedClock())

    def refresh(self, paths: Sequence[str]) -> Sha:
        """Fetch the branch and return its head; `paths` are the files that will be asked for."""
        with self.watch.lap("refresh"):
            return self._repositories.refresh(REPOSITORY, BRANCH, paths)

    def commit(self, head: Sha, bump: Bump) -> Sha:
        """Read the file, edit it and commit it on top of the head."""
        with self.watch.lap("read"):
            text = self._repositories.read_file(REPOSITORY, head, bump.path)
        assert text is not None
        with self.watch.lap("edit"):
            edited = edit_text(text, bump, at="image.tag")
        plan = FileCommit(repository=REPOSITORY, parent=head, files={bump.path: edited}, message=bump.message)
        with self.watch.lap("commit"):
            return self._repositories.commit_file(plan)

    def push(self, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        """Push a commit."""
        with self.watch.lap("push"):
            self._repositories.push(REPOSITORY, branch, commit, expected=expected)
