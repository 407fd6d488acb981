"""Image names and tags as the OCI distribution specification and Docker write them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.adapters.http import quote
from bot.ports import Permanent

SYSTEM = "registry"
DOCKER_HUB = "docker.io"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """An image's registry host and its repository there."""

    host: str
    repository: str


def parse_image(image: str) -> ImageName:
    """Split an image name as Docker does: a first part without dot, colon or `localhost` is no host."""
    host, slash, repository = image.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, repository = DOCKER_HUB, image if slash else f"library/{image}"
    if len(repository) > 255 or not _REPOSITORY.match(repository):
        raise Permanent(SYSTEM, f"{quote(image, longest=80)} is no image name: write host/owner/name without a tag")
    return ImageName(host=host.lower(), repository=repository)


def is_tag(text: str) -> bool:
    """Say whether the text is a tag of the specification's grammar."""
    return _TAG.match(text) is not None


def require_tag(tag: str) -> None:
    """Raise unless the text is a tag: nothing else is ever put into an address."""
    if not is_tag(tag):
        raise Permanent(SYSTEM, f"{quote(tag, longest=80)} is no image tag")
