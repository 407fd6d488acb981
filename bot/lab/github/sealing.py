"""GitHub's own signature of commits that it makes itself: for apps, and where a pull request is merged on its pages."""

from __future__ import annotations

import base64
import hashlib

from bot.lab.github.nouns import Seal
from bot.lab.github.world import Repository, World


def sealed(world: World, repository: Repository, sha: str) -> str:
    """Sign a commit; return the name that it has with the signature."""
    bare = repository.bare
    payload = bare.run("cat-file", "commit", sha).decode(errors="replace")
    digest = base64.b64encode(hashlib.sha256(payload.encode()).digest()).decode()
    signature = f"-----BEGIN PGP SIGNATURE-----\n\n{digest}\n-----END PGP SIGNATURE-----\n"
    signed = bare.sign_commit(sha, signature)
    repository.seals[signed] = Seal(signature=signature, payload=payload, at=world.now())
    return signed
