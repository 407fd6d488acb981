"""A Sigstore instance in miniature, whose signatures a verifier accepts by its trusted root, for the lab and tests.

lab = SigstoreLab(clock)
bundle = lab.attest(identity, digest, "https://slsa.dev/provenance/v1", {...})
"""

from bot.lab.sigstore.faults import Fault
from bot.lab.sigstore.instance import SigstoreLab, statement_about
from bot.lab.sigstore.keys import derive_key, public_pem

__all__ = ["Fault", "SigstoreLab", "derive_key", "public_pem", "statement_about"]
