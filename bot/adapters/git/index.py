"""What is known of a branch's files at its head, carried forward as the branch moves.

When a branch moves from A to B, one walk over A..B says which files changed; every other file is as it was. So "which
commit changed this file last" costs what changed since the last sweep, not the history, and not the number of files.
If A is not on B's line of first parents (the branch was set back, or merged into something), all is read anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.adapters.git.fetching import fetch_blobs, has_or_fetches
from bot.adapters.git.history import Past, read_pasts, walk
from bot.adapters.git.mirror import Mirror
from bot.adapters.git.objects import list_blobs, missing_blobs, read_blobs, read_commits
from bot.domain.model import Sha

_MOST_NEW_COMMITS = 2000
_LONGEST_LINE = 4096
_MOST_VERSIONS = 1000
_FILES_AT_ONCE = 200


class BranchIndex:
    """The files of one branch at its head. Use it only inside `Mirror.work`."""

    def __init__(self, head: Sha) -> None:
        self.head = head
        self._watched: dict[str, None] = {}
        self._pasts: dict[str, Past] = {}
        self._blobs: dict[str, Sha | None] = {}
        # The newest part of the line of first parents; a larger number is newer.
        self._places: dict[Sha, int] = {head: 0}

    def watch(self, paths: Sequence[str]) -> None:
        """Note files that will be asked for, so that the first question reads them all together."""
        self._watched.update(dict.fromkeys(paths))

    def advance(self, mirror: Mirror, head: Sha) -> None:
        """Move on to a new head."""
        if head == self.head:
            return
        known = has_or_fetches(mirror, self.head)
        seen = walk(mirror, [head, f"^{self.head}"], most=_MOST_NEW_COMMITS) if known else None
        if seen is None or not seen.line or seen.line[-1][1] != self.head:
            self._forget(head)
            return
        for path, touched in seen.files.items():
            if path in self._blobs:
                self._blobs[path] = touched[0].blob
            if path in self._pasts:
                past = self._pasts[path]
                versions = (*touched, *past.versions)
                cut = versions[:_MOST_VERSIONS]
                self._pasts[path] = Past(versions=cut, complete=past.complete and len(cut) == len(versions))
        self._lengthen(seen.line)
        self.head = head

    def past(self, mirror: Mirror, path: str, *, limit: int) -> Past:
        """Return at least the newest `limit` versions of a file, or all of them as far as the mirror may go."""
        known = self._pasts.get(path)
        if known is None or (not known.complete and len(known.versions) < limit):
            others = [other for other in self._watched if other not in self._pasts and other != path]
            self._pasts |= read_pasts(mirror, self.head, [path, *others], limit=limit)
            self._bring_contents(mirror, [path, *others])
        return self._pasts[path]

    def blob_at(self, mirror: Mirror, commit: Sha, path: str) -> Sha | None:
        """Return what a watched file is at a commit of the line; None if that is not known here, or no regular file."""
        if path not in self._watched:
            return None
        if commit == self.head:
            if path not in self._blobs:
                self._read_head(mirror)
            return self._blobs.get(path)
        place, past = self._places.get(commit), self._pasts.get(path)
        if place is None or past is None:
            return None
        # A commit that has no place is older than all that have one.
        version = next((one for one in past.versions if self._places.get(one.commit, -1) <= place), None)
        return version.blob if version is not None else None

    def ahead(self, commit: Sha, other: Sha) -> int | None:
        """Return how far one commit of the line is ahead of another; None if one of them is not known here."""
        here, there = self._places.get(commit), self._places.get(other)
        return None if here is None or there is None else here - there

    def _read_head(self, mirror: Mirror) -> None:
        """Read what all watched files are at the head, and their contents, all at once."""
        self._blobs |= list_blobs(mirror, self.head, [path for path in self._watched if path not in self._blobs])
        blobs = [blob for blob in self._blobs.values() if blob is not None]
        _bring(mirror, blobs)
        for start in range(0, len(blobs), _FILES_AT_ONCE):
            read_blobs(mirror, blobs[start : start + _FILES_AT_ONCE])

    def _bring_contents(self, mirror: Mirror, paths: Sequence[str]) -> None:
        """Fetch what the partial mirror left out of these files, all at once, and read their commits together."""
        touched = [one for path in paths for one in self._pasts[path].versions]
        _bring(mirror, [one.blob for one in touched if one.blob])
        read_commits(mirror, [one.commit for one in touched])

    def _lengthen(self, line: Sequence[tuple[Sha, Sha | None]]) -> None:
        newest = self._places[self.head]
        for back, (commit, _) in enumerate(reversed(line), start=1):
            self._places[commit] = newest + back
        if len(self._places) > _LONGEST_LINE:
            kept = sorted(self._places.items(), key=lambda item: item[1])[-_LONGEST_LINE // 2 :]
            self._places = dict(kept)

    def _forget(self, head: Sha) -> None:
        self.head = head
        self._pasts.clear()
        self._blobs.clear()
        self._places = {head: 0}


def _bring(mirror: Mirror, blobs: Sequence[Sha]) -> None:
    lacking = missing_blobs(mirror, list(dict.fromkeys(blobs)))
    if lacking:
        fetch_blobs(mirror, lacking)
