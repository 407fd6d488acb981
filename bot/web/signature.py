"""Whether a delivery is GitHub's: the HMAC of the raw body under a secret that only GitHub and the bot know.

Enter headers, body and secrets; leaves yes or no. Nothing here says why not, since only a forger would ask.
Source: GitHub's "Validating webhook deliveries".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")


def parse_signature(headers: Sequence[str]) -> bytes | None:
    """Return the digest that the values of `X-Hub-Signature-256` state; None unless there is one of its grammar."""
    found = _SIGNATURE.fullmatch(headers[0]) if len(headers) == 1 else None
    return bytes.fromhex(found[1]) if found else None


def is_signed(body: bytes, digest: bytes, secrets: Sequence[str]) -> bool:
    """Say whether the body is signed with one of the secrets. Every secret is tried, and in constant time."""
    return sum(hmac.compare_digest(sign(body, secret), digest) for secret in secrets) > 0


def sign(body: bytes, secret: str) -> bytes:
    """Return the digest by which GitHub signs a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()
