"""Tell whoever broke a policy: a comment on the commit, once for each commit and set of files.

A note says which comment was written. It may be lost, or not be there yet after a kill: then the comment is found by
its marker, and not written again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from bot.domain.model import Sha
from bot.forge import Conversation
from bot.policy.in_force import Broken, InForce
from bot.ports import OutsideError, Permanent
from bot.records import Ledger
from bot.render.broken import BrokenFile, broken_comment

MARKER = "liftlock:policy-faults"
_MOST_AT_ONCE = 5


@dataclass(slots=True, kw_only=True)
class FaultTeller:
    """Tells of the policies of one repository. A comment that GitHub refuses for good is not tried again."""

    conversation: Conversation
    ledger: Ledger
    forge_url: str
    _refused: set[str] = field(default_factory=set, init=False)

    def tell(self, loaded: InForce) -> None:
        """Comment on each commit that left files broken, and was not told so; a failure leaves it to the next sweep."""
        if loaded.at is None:
            return
        untold = [one for one in _by_commit(loaded.broken).items() if self._is_untold(loaded.at.repository, *one)]
        for commit, broken in untold[:_MOST_AT_ONCE]:
            self._tell(loaded.at.repository, commit, broken)

    def _is_untold(self, repository: str, commit: Sha, broken: Sequence[Broken]) -> bool:
        key, files = _key(repository, commit), _files_of(broken)
        return f"{key}/{files}" not in self._refused and self.ledger.noted([key]).get(key) != files

    def _tell(self, repository: str, commit: Sha, broken: Sequence[Broken]) -> None:
        key, files = _key(repository, commit), _files_of(broken)
        body = broken_comment([_shown(one) for one in broken], self.forge_url)
        try:
            self.conversation.comment_on_commit(repository, commit, marker=f"{MARKER}:{files[:16]}", body=body)
        except OutsideError as error:
            if isinstance(error, Permanent):
                self._refused.add(f"{key}/{files}")
            log = structlog.get_logger().bind(repository=repository, commit=commit)
            log.warning("faults not told", system=error.system, reason=error.sentence)
            return
        self.ledger.note(key, files)


def _key(repository: str, commit: Sha) -> str:
    return f"policy-faults/{repository}/{commit}"


def _by_commit(broken: Sequence[Broken]) -> Mapping[Sha, Sequence[Broken]]:
    found: dict[Sha, list[Broken]] = {}
    for one in broken:
        if one.newest is not None:
            found.setdefault(one.newest, []).append(one)
    return found


def _files_of(broken: Sequence[Broken]) -> str:
    """Return what stands for a set of files."""
    return hashlib.sha256("\0".join(sorted(one.file for one in broken)).encode("utf-8", "replace")).hexdigest()


def _shown(one: Broken) -> BrokenFile:
    return BrokenFile(
        file=one.file,
        faults=tuple(str(fault) for fault in one.error.faults),
        service=one.kept.service if one.kept is not None else None,
        kept_at=one.kept.origin if one.kept is not None else None,
    )
