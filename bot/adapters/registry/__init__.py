"""OCI registries: tags, what images say of themselves, and what lies beside them. A small strict client.

`client` is the whole; `host` asks one registry, `access` is let in by it, `manifest` and `facts` read what it sends,
`tags`, `referrers` and `proofs` find what it has.
"""

from bot.adapters.found_proofs import ProofLimits
from bot.adapters.registry.access import RegistryAccess
from bot.adapters.registry.client import OciRegistry
from bot.adapters.registry.names import DOCKER_HUB, ImageName, parse_image
from bot.adapters.registry.tags import Tags

__all__ = [
    "DOCKER_HUB",
    "ImageName",
    "OciRegistry",
    "ProofLimits",
    "RegistryAccess",
    "Tags",
    "parse_image",
]
