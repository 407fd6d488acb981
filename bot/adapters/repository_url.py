"""Compare repository URLs in normal form: `git@github.com:Acme/Deploy.git` is `https://github.com/acme/deploy`.

Scheme, user, port, a `.git` at the end and the case of letters do not count. Ports do not, since one forge serves the
same repository over SSH and HTTPS on different ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

# GitHub's own other names for itself: SSH over the HTTPS port, and the old web name.
_SAME_HOST = {"ssh.github.com": "github.com", "www.github.com": "github.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryName:
    """Where a repository lives (empty for a path of the file system) and its `owner/name`, both in lower case."""

    host: str
    path: str


def parse_repository_url(url: str) -> RepositoryName | None:
    """Return a repository URL in normal form; None for what is none (an OCI reference, say, has no `owner/name`)."""
    url = url.strip()
    if "://" not in url:
        return _parse_scp_like(url)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    return _normal(host, parts.path)


def _parse_scp_like(url: str) -> RepositoryName | None:
    """`user@host:owner/name`: a colon before the first slash."""
    before, colon, path = url.partition(":")
    if not colon or "/" in before:
        return None
    return _normal(before.rpartition("@")[2], path)


def _normal(host: str, path: str) -> RepositoryName | None:
    host = host.rstrip(".").casefold()
    path = path.strip("/").casefold().removesuffix(".git").rstrip("/")
    if not path:
        return None
    return RepositoryName(host=_SAME_HOST.get(host, host), path=path)


def is_repository(url: str, repository: str, *, forge_host: str | None) -> bool:
    """Say whether `url` is the forge's repository `owner/name`. Without a known forge host the path decides alone."""
    found = parse_repository_url(url)
    if found is None or found.path != repository.strip("/").casefold():
        return False
    if forge_host is None:
        return True
    host = forge_host.casefold()
    return found.host == _SAME_HOST.get(host, host)
