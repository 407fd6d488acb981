"""The port `Proving`: what lies beside an image in its registry, or is kept by GitHub, verified by what is trusted.

The files of keys and of a trusted root are read anew at each use, so that an exchanged one takes effect; what was
verified is remembered as long as they stay the same.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bot.adapters.found_proofs import Found
from bot.adapters.registry import OciRegistry
from bot.domain.model import Digest
from bot.domain.proofs import Proofs
from bot.ports import Permanent

if TYPE_CHECKING:
    from bot.adapters.github import GitHubAttestations
    from bot.adapters.sigstore import SigstoreVerifier

SYSTEM = "signatures"
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class TrustFiles:
    """Whom the settings trust: a trusted root, None for the public instance's, and public keys by name.

    Safe to share between threads.
    """

    trusted_root: Path | None = None
    keys: Mapping[str, Path] = field(default_factory=dict)
    _made: tuple[object, SigstoreVerifier] | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def verifier(self) -> SigstoreVerifier:
        """Return what verifies by the files as they are now. Raise Permanent for a file that is of no use."""
        root = _read(self.trusted_root) if self.trusted_root is not None else None
        keys = {name: _read(path) for name, path in self.keys.items()}
        with self._lock:
            if self._made is None or self._made[0] != (root, keys):
                self._made = ((root, keys), self._make(root, keys))
            return self._made[1]

    def _make(self, root: bytes | None, keys: Mapping[str, bytes]) -> SigstoreVerifier:
        # Importing it takes as long as all else of a short command, and most policies ask for no signature.
        from bot.adapters.sigstore import (  # noqa: PLC0415
            BadKey,
            BadTrustRoot,
            SigstoreVerifier,
            parse_public_key,
            parse_trust_root,
            public_trust_root,
        )

        try:
            trusted = public_trust_root() if root is None else parse_trust_root(root)
        except BadTrustRoot as error:
            raise Permanent(SYSTEM, f"{self.trusted_root}: {error}") from error
        named = []
        for name, content in keys.items():
            try:
                named.append(parse_public_key(name, content.decode("ascii", errors="replace")))
            except BadKey as error:
                raise Permanent(SYSTEM, f"{self.keys[name]}: {error}") from error
        try:
            return SigstoreVerifier(root=trusted, keys=named)
        except BadKey as error:
            raise Permanent(SYSTEM, f"the keys of the settings: {error}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Permanent(SYSTEM, f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise Permanent(SYSTEM, f"{path}: is too large to be read")
    return content


class ArtifactProofs:
    """Finds and verifies. Safe to share between threads."""

    def __init__(self, registry: OciRegistry, attestations: GitHubAttestations, trust: TrustFiles) -> None:
        self._registry = registry
        self._attestations = attestations
        self._trust = trust

    def proofs_of(
        self, image: str, digest: Digest, *, in_registry: bool = True, source: str | None = None
    ) -> Proofs | None:
        """Find in all places that are asked, then verify; None when the registry is one and none is configured."""
        found: list[Found] = []
        if in_registry:
            if not self._registry.serves(image):
                return None
            found += self._registry.find_proofs(image, digest)
        if source is not None:
            found += self._attestations.find_proofs(source, digest)
        return self._trust.verifier().verify(found, digest)
