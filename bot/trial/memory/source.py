"""The source repository in memory: a line of commits, one for each release, each with its author."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bot.domain.approvals import Writer, Writers
from bot.domain.model import Sha
from bot.trial.memory.forge import account_of
from bot.trial.memory.outside import MemorySignals


@dataclass
class MemorySource(MemorySignals):
    """Signals of a source repository. `authors` are the logins of who wrote each commit, the oldest commit first."""

    authors: dict[Sha, str] = field(default_factory=dict)

    def commit(self, tag: str, author: str) -> Sha:
        """Commit what an image is built from; the second time that its tag is named, it is there already."""
        commit = Sha(hashlib.sha1(tag.encode(), usedforsecurity=False).hexdigest())
        self.authors.setdefault(commit, author)
        return commit

    def writers_of(self, repository: str, before: Sha, after: Sha) -> Writers | None:
        """Return who wrote the commits between two."""
        line = list(self.authors)
        if before not in line or after not in line:
            return None
        logins = dict.fromkeys(self.authors[one] for one in line[line.index(before) + 1 : line.index(after) + 1])
        return Writers(accounts=tuple(Writer(id=account_of(login), login=login) for login in logins))
