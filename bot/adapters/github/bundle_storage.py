"""The storage where GitHub has the bundles of attestations, by the addresses that its API names.

An address lets in whoever has it, for some minutes. So it is in no message, and the bot's token never goes along with
it. The same bundle has another address in each answer, but for its query: by the rest of it what was read is remembered
for as long as there is room. Nothing of a bundle is believed here, and so nothing of the storage.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cramjam import DecompressionError, snappy

from bot.adapters.found_proofs import ProofLimits
from bot.adapters.github.answers import SYSTEM
from bot.adapters.github.cache import AnswerCache, CacheKey, Kept
from bot.adapters.github.settings import GitHubSettings
from bot.adapters.http import Endpoint, HttpClient, Limits, Question
from bot.ports import Permanent, Transient

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*")
"""No user, no fragment, and no character that would have to be written in another way."""
_LONGEST_ADDRESS = 4000
_LIMITS = Limits(deadline=timedelta(seconds=15))
_KEPT_BYTES = 16 * 1024 * 1024


class BundleStorage:
    """Reads bundles. Safe to share between threads.

    Its certificate is checked as GitHub's is. An address that is not encrypted is taken only where GitHub's own API is
    not: in tests.
    """

    def __init__(self, settings: GitHubSettings, limits: ProofLimits) -> None:
        self._limits = limits
        self._schemes = ("https", "http") if settings.api_url.startswith("http://") else ("https",)
        self._ca_file = Path(settings.ca_file) if settings.ca_file is not None else None
        self._kept = AnswerCache(_KEPT_BYTES)

    def read(self, address: str, what: str, *, ends: float) -> bytes:
        """Return a bundle as canonical JSON. `what` names it in messages, `ends` is when to give up (monotonic)."""
        parts = self._require_address(address, what)
        endpoint = Endpoint(system=SYSTEM, url=f"{parts.scheme}://{parts.netloc}", ca_file=self._ca_file)
        key = CacheKey(asker="", url=f"{endpoint.url}{parts.path}", accept="")
        kept = self._kept.find(key)
        if kept is not None:
            return kept.body.encode()
        content = self._download(endpoint, parts, what, ends=ends)
        self._kept.keep(key, Kept(etag="", body=content.decode(), link=""))
        return content

    def _require_address(self, address: str, what: str) -> SplitResult:
        is_one = len(address) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(address) is not None
        parts = urlsplit(address if is_one else "")
        if parts.scheme not in self._schemes:
            raise Permanent(SYSTEM, f"GitHub names an address of {what} that is no https URL of a file")
        return parts

    def _download(self, endpoint: Endpoint, parts: SplitResult, what: str, *, ends: float) -> bytes:
        seconds = ends - time.monotonic()
        if seconds <= 0:
            lasts = self._limits.lasts.total_seconds()
            raise Transient(SYSTEM, f"GitHub did not hand out {what} with all others within {lasts:g} s")
        deadline = min(_LIMITS.deadline, timedelta(seconds=seconds))
        limits = replace(_LIMITS, deadline=deadline, max_bytes=self._limits.most_bytes)
        with HttpClient(endpoint, limits) as client:
            # Byte for byte: a signature stands in the query.
            answer = client.read(Question(path=f"{parts.path}?{parts.query}" if parts.query else parts.path))
        if answer.status != 200:
            raise endpoint.transient(f"did not hand out {what} (HTTP {answer.status})")
        try:
            return as_canonical(json.loads(self._unpacked(answer.body)))
        except (ValueError, RecursionError) as error:
            raise endpoint.transient(f"sent for {what} something that is no JSON, packed by Snappy or not") from error

    def _unpacked(self, body: bytes) -> bytes:
        """Unpack what is not JSON as it is. Of the blocks of Snappy's only those of 123 bytes begin as JSON does."""
        if body.startswith(b"{"):
            return body
        try:
            # It says how long it is, before it is unpacked.
            if snappy.decompress_raw_len(body) > self._limits.most_bytes:
                raise ValueError("it unpacks to more than is accepted")
            return bytes(snappy.decompress_raw(body))
        except DecompressionError as error:
            raise ValueError("neither JSON nor a block of Snappy's") from error


def as_canonical(value: object) -> bytes:
    """Write JSON in one way only: a bundle has one digest, however GitHub has written it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
