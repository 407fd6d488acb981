"""Names of the branches on which the bot proposes: the same release has the same name in every sweep and every process.

A tag is outside text that Git may refuse as a name (`v1..2`, `a.lock`), and two tags may have one slug; so a name is a
readable slug and a hash of image and tag. The digest takes no part: it is unknown at times, and a name must not change
when it becomes known. Service and stage come from a policy, whose parser admits only lower-case letters, digits and
inner hyphens.
"""

from __future__ import annotations

import hashlib
import re

from bot.domain.model import Release

OWN_PREFIX = "liftlock/"
"""How the names of all branches and checks of the bot begin."""

_SLUG_LENGTH = 40
_OWN = re.compile(r"liftlock/[a-z0-9-]+/[a-z0-9-]+/[a-z0-9-]+-[0-9a-f]{8}")


def release_branch(service: str, stage: str, release: Release) -> str:
    """Name the branch that moves `release` into a stage: `liftlock/SERVICE/STAGE/SLUG-HASH8`."""
    return f"{promotion_prefix(service, stage)}{_slug_and_hash(release)}"


def revert_branch(service: str, stage: str, release: Release) -> str:
    """Name the branch that takes `release` back out of a stage: `liftlock/SERVICE/STAGE/revert-SLUG-HASH8`."""
    return f"{promotion_prefix(service, stage)}revert-{_slug_and_hash(release)}"


def check_name(stage: str) -> str:
    """Name the check that says on a pull request whether its release may enter a stage."""
    return f"{OWN_PREFIX}{stage}"


def promotion_prefix(service: str, stage: str) -> str:
    """Return how the name of every branch of the bot's for this stage begins, reverts included."""
    return f"{OWN_PREFIX}{service}/{stage}/"


def is_promotion_branch(branch: str) -> bool:
    """Say whether a branch is named as the bot names its own; a person's may lie beside them."""
    return _OWN.fullmatch(branch) is not None


def is_revert_branch(branch: str) -> bool:
    """Say whether a branch is named as the bot names its rollbacks."""
    return is_promotion_branch(branch) and branch.rpartition("/")[2].startswith("revert-")


def _slug_and_hash(release: Release) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", release.tag.lower())[:_SLUG_LENGTH]
    digest = hashlib.sha256(f"{release.image}:{release.tag}".encode())
    return f"{slug}-{digest.hexdigest()[:8]}"
