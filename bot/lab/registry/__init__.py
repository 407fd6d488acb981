"""A small OCI registry with real content-addressed bytes: manifests, blobs, tags, referrers, the token flow, errors.

`server` is the whole; `store` holds what is pushed, `content` writes it, `tokens` lets readers in.
"""

from bot.lab.registry.content import (
    BUNDLE,
    CONFIG,
    EMPTY,
    ENVELOPE,
    INDEX,
    LAYER,
    MANIFEST,
    SIMPLE_SIGNING,
    LayerSpec,
    ReferrerSpec,
)
from bot.lab.registry.server import RegistryLab
from bot.lab.registry.store import tag_of
from bot.lab.registry.tokens import Credentials

__all__ = [
    "BUNDLE",
    "CONFIG",
    "EMPTY",
    "ENVELOPE",
    "INDEX",
    "LAYER",
    "MANIFEST",
    "SIMPLE_SIGNING",
    "Credentials",
    "LayerSpec",
    "ReferrerSpec",
    "RegistryLab",
    "tag_of",
]
