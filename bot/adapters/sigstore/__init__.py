"""What Sigstore signatures and public keys prove of an image, verified without a network.

verifier = SigstoreVerifier(root=public_trust_root(), keys=[parse_public_key("release", pem)])
proofs = verifier.verify(found, digest)
"""

from bot.adapters.sigstore.keys import BadKey, NamedKey, parse_public_key
from bot.adapters.sigstore.trust import BadTrustRoot, TrustRoot, parse_trust_root, public_trust_root
from bot.adapters.sigstore.verifier import SigstoreVerifier

__all__ = [
    "BadKey",
    "BadTrustRoot",
    "NamedKey",
    "SigstoreVerifier",
    "TrustRoot",
    "parse_public_key",
    "parse_trust_root",
    "public_trust_root",
]
