"""What a registry asks for when it does not let somebody in: the header `WWW-Authenticate`. Pure.

Sources: RFC 9110 section 11, the token authentication specification of github.com/distribution/distribution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_SCHEME = re.compile(r"(?:^|,)\s*(bearer|basic)(?=[\s,]|$)", re.IGNORECASE)
# Both take linear time, whatever a registry sends.
_PARAMETER = re.compile(r'(?<![a-z_])([a-z_]{1,32})\s*=\s*(?:"([^"]*)"|([^\s",]+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A way to be let in, `bearer` or `basic`, with the parameters a registry named. Names are lower-case."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def realm(self) -> str:
        """For a bearer token: the address of the service that gives it."""
        return self.parameters.get("realm", "")


def parse_challenge(header: str) -> Challenge | None:
    """Return the challenge for a token, else the one for a password; None where neither is known."""
    starts = list(_SCHEME.finditer(header))
    if not starts:
        return None
    ends = [start.start() for start in starts[1:]] + [len(header)]
    found = [_challenge(start, header[start.end() : end]) for start, end in zip(starts, ends, strict=True)]
    return next((one for one in found if one.scheme == "bearer"), found[0])


def _challenge(start: re.Match[str], rest: str) -> Challenge:
    parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
    return Challenge(scheme=start[1].lower(), parameters=parameters)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port; nothing where the text is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port or {"https": 443, "http": 80}.get(parts.scheme)
