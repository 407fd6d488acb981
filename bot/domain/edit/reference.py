"""Image references as files write them: `registry:5000/team/name:tag@sha256:…`, every part but the name optional."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIGEST = r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    rf"(?:@(?P<digest>{_DIGEST}))?"
)
_TAG_AND_DIGEST = re.compile(rf"(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})(?:@(?P<digest>{_DIGEST}))?")
_DOCKER_HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """A name with registry and port as it is written, a tag, a digest."""

    name: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> ImageReference | None:
    """Read an image reference by the grammar of the distribution project; None if it is none."""
    found = _REFERENCE.fullmatch(text)
    return ImageReference(name=found["name"], tag=found["tag"], digest=found["digest"]) if found else None


def parse_tag_and_digest(text: str) -> tuple[str, str | None] | None:
    """Read `tag` or `tag@digest`; None if it is neither."""
    found = _TAG_AND_DIGEST.fullmatch(text)
    return (found["tag"], found["digest"]) if found else None


def is_digest(text: str) -> bool:
    """Say whether `text` is a digest by one of the algorithms of the OCI image specification."""
    return re.fullmatch(_DIGEST, text) is not None


def is_same_image(one: str, other: str) -> bool:
    """Say whether two names without tag mean one repository: `redis` is `docker.io/library/redis`."""
    return _in_full(one) == _in_full(other)


def _in_full(name: str) -> str:
    for host in _DOCKER_HUB:
        if name.startswith(host):
            name = name.removeprefix(host)
            return name if "/" in name else f"library/{name}"
    first, slash, _ = name.partition("/")
    if slash and (set(first) & set(".:") or first == "localhost"):
        return name
    return name if slash else f"library/{name}"
