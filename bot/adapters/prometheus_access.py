"""How a server that speaks Prometheus' API wants to be asked: its dialect's parameters, and who we are to it.

A half answer must never look like a whole one. Prometheus has none; Thanos and VictoriaMetrics give them unless told
not to, and both may answer from a cache or from downsampled data, which counts otherwise than the raw samples.

Sources: Thanos, "Query API overview" (partial_response, dedup, max_source_resolution); VictoriaMetrics, "Cluster
version" (deny_partial_response) and "Prometheus querying API enhancements" (nocache); Grafana Mimir, "HTTP API"
(X-Scope-OrgID).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from bot.adapters.http import Endpoint, quote, read_token, show_url, tls_context

SecretSource = Callable[[], str]


class Dialect(StrEnum):
    """Whose API it is."""

    PROMETHEUS = "prometheus"
    THANOS = "thanos"
    MIMIR = "mimir"
    VICTORIAMETRICS = "victoriametrics"


_PARAMETERS: Mapping[Dialect, Mapping[str, str]] = {
    Dialect.PROMETHEUS: {},
    Dialect.THANOS: {"partial_response": "false", "dedup": "true", "max_source_resolution": "0s"},
    Dialect.MIMIR: {},
    Dialect.VICTORIAMETRICS: {"deny_partial_response": "1", "nocache": "1"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who we are, beside the endpoint's token: a tenant, a user with a password, headers, a client's certificate.

    Secrets are read anew for every request, so that a rotated one is seen. `certificate` and `key` are PEM files.
    """

    dialect: Dialect = Dialect.PROMETHEUS
    tenant: str | None = None
    user: str | None = None
    password: SecretSource | None = field(default=None, repr=False)
    headers: Mapping[str, SecretSource] = field(default_factory=dict, repr=False)
    certificate: Path | None = None
    key: Path | None = None

    @property
    def parameters(self) -> Mapping[str, str]:
        """What is added to every query's form."""
        return _PARAMETERS[self.dialect]


class Credentials(AuthBase):
    """Put what says who we are into each request. requests drops it when a redirect leaves the host."""

    def __init__(self, endpoint: Endpoint, access: Access) -> None:
        self._endpoint = endpoint
        self._access = access

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the credentials; raise `Permanent` where one of them cannot be read."""
        token = read_token(self._endpoint)
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        if self._access.user is not None and self._access.password is not None:
            HTTPBasicAuth(self._access.user, self._secret("password", self._access.password))(request)
        if self._access.tenant is not None:
            request.headers["X-Scope-OrgID"] = self._access.tenant
        for name, source in self._access.headers.items():
            request.headers[name] = self._secret(f"header {name}", source)
        return request

    def _secret(self, what: str, source: SecretSource) -> str:
        try:
            value = source().strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise self._endpoint.permanent(f"could not be asked: the {what} could not be read ({reason})") from error
        if not value or not value.isascii() or not value.isprintable():
            # Checked here because the HTTP libraries quote an illegal header value, and so the secret, in their error.
            raise self._endpoint.permanent(f"could not be asked: the {what} is empty or holds characters no header has")
        return value


def open_session(endpoint: Endpoint, access: Access) -> requests.Session:
    """Return a session that shows who we are, checks the server's certificate, and follows nobody to another host."""
    tls_context(endpoint)  # A CA file that cannot be used is told at start, not at the first look.
    session = requests.Session()
    session.verify = False if endpoint.insecure else str(endpoint.ca_file or "") or True
    session.auth = Credentials(endpoint, access)
    if access.certificate is not None:
        _check_readable(endpoint, access)
        session.cert = (str(access.certificate), str(access.key)) if access.key else str(access.certificate)
    session.headers["user-agent"] = "liftlock"

    def stay_on_host(response: requests.Response, *_: object, **__: object) -> None:
        """Stop the package's own redirects, before they are followed, where they leave the host."""
        target = urljoin(response.url, response.headers.get("location", ""))
        if response.is_redirect and urlsplit(target)[:2] != urlsplit(response.url)[:2]:
            response.close()
            raise endpoint.permanent(
                f"redirects to {show_url(target)}, which is not followed: set that address instead"
            )

    session.hooks["response"].append(stay_on_host)
    return session


def _check_readable(endpoint: Endpoint, access: Access) -> None:
    """Tell a client certificate that cannot be used at start, not at the first look."""
    try:
        ssl.create_default_context().load_cert_chain(str(access.certificate), str(access.key) if access.key else None)
    except (OSError, ssl.SSLError) as error:
        reason = f"cannot be asked: the client certificate {access.certificate} could not be used: {quote(str(error))}"
        raise endpoint.permanent(reason) from error
