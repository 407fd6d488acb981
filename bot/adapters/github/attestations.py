"""Attestations that GitHub keeps of what a repository built, as `actions/attest-build-provenance` hands them in.

What enters is a repository and a digest; what leaves are bundles that claim to prove something of it, and of which
nothing is verified here. GitHub looks at them no further either: whoever may write to the repository can hand some in.

GitHub answers 404 both where it keeps none and where the repository is hidden: only where it shows the repository are
there none for certain. Bundles used to stand in the answer; since the API's version 2026-03-10, and on github.com since
July 2026 in older ones as well, it names the address of each instead. Both are read.
Sources: "REST API endpoints for artifact attestations" and "Breaking changes" of GitHub's documentation; the issues
terraform-linters/tflint#2591 and aaif-goose/goose#10556.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bot.adapters.found_proofs import FoundBundle, ProofLimits
from bot.adapters.github.answers import SYSTEM, NotThere
from bot.adapters.github.asking import Read
from bot.adapters.github.bundle_storage import BundleStorage, as_canonical
from bot.adapters.github.clients import PER_PAGE, Clients
from bot.adapters.github.names import check_repository, shown
from bot.adapters.github.nodes import Node
from bot.domain.model import Digest
from bot.ports import Permanent

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What GitHub lists of one attestation: its bundle as canonical JSON, or the address of it."""

    content: bytes | None
    address: str | None


class GitHubAttestations:
    """Finds attestations. Safe to share between threads."""

    def __init__(self, clients: Clients, *, limits: ProofLimits | None = None) -> None:
        self._clients = clients
        self._limits = limits or ProofLimits()
        self._storage = BundleStorage(clients.settings, self._limits)

    def find_proofs(self, repository: str, digest: Digest) -> Sequence[FoundBundle]:
        """Return all attestations of one digest; none where GitHub shows the repository and keeps none of it."""
        check_repository(repository)
        if not _DIGEST.fullmatch(digest):
            raise Permanent(SYSTEM, f"“{shown(digest)}” is no sha256 digest")
        try:
            entries = self._list(repository, digest)
        except NotThere:
            self._require_repository(repository)
            return ()
        return self._read_all(entries, f"the attestations of {digest} in {repository}")

    def _list(self, repository: str, digest: Digest) -> list[_Entry]:
        read = Read(
            path=f"/repos/{repository}/attestations/{digest}",
            # Pages follow by cursors, and there is no `page`: one that is not the last is refused below.
            params={"per_page": PER_PAGE},
            tried=f"list the attestations of {digest[:19]}… in {repository}",
            of_attestations=True,
        )
        entries, has_more = self._clients.read_page(repository, read, _parse)
        if has_more or len(entries) > self._limits.found:
            most = f"more attestations of {digest} than the {self._limits.found} that are read"
            raise Permanent(SYSTEM, f"GitHub keeps {most} in {repository}")
        return entries

    def _require_repository(self, repository: str) -> None:
        """Raise NotThere where the repository is hidden or gone."""
        self._clients.read(repository, Read(path=f"/repos/{repository}", tried=f"look at {repository}"), Node)

    def _read_all(self, entries: Sequence[_Entry], what: str) -> Sequence[FoundBundle]:
        ends = time.monotonic() + self._limits.lasts.total_seconds()
        found: dict[FoundBundle, None] = {}
        size = 0
        for entry in entries:
            content = self._content(entry, what, ends=ends)
            size += len(content)
            if len(content) > self._limits.most_bytes or size > self._limits.all_bytes:
                most = f"{self._limits.most_bytes} bytes of one and {self._limits.all_bytes} of all"
                raise Permanent(SYSTEM, f"GitHub keeps more than the {most} that are read of {what}")
            found[FoundBundle(digest=_digest_of(content), content=content)] = None
        return tuple(found)

    def _content(self, entry: _Entry, what: str, *, ends: float) -> bytes:
        if entry.content is not None:
            return entry.content
        if not entry.address:
            # It may be the very proof that is asked for, so nobody can say what it proves.
            raise Permanent(SYSTEM, f"GitHub lists one of {what} without its bundle and without an address of it")
        return self._storage.read(entry.address, f"one of {what}", ends=ends)


def _parse(answer: object) -> list[_Entry]:
    return [_parse_entry(node) for node in Node(answer).items("attestations")]


def _parse_entry(node: Node) -> _Entry:
    bundle = node.raw("bundle")
    # Whatever stands there is handed on, an object or not: the verifier says why it proves nothing.
    content = None if bundle is None else as_canonical(bundle)
    return _Entry(content=content, address=node.maybe_text("bundle_url"))


def _digest_of(content: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())
