"""The servers that the settings name, as something to be asked: by the bot, and by the doctor."""

from __future__ import annotations

from collections.abc import Mapping

from bot.adapters.http import Endpoint, TokenSource
from bot.adapters.prometheus_access import Access, Dialect
from bot.adapters.registry import DOCKER_HUB, RegistryAccess
from bot.compose.secrets import secret_of, source_of
from bot.domain.argo import DEFAULT_SERVER
from bot.domain.queries import DEFAULT_SOURCE, source_name
from bot.settings import ArgoSection, PrometheusSection, RegistrySection, Settings

_HUB, _HUB_TOKENS = "registry-1.docker.io", "https://auth.docker.io"
"""Where the images of docker.io are served, and who gives tokens for them."""


def prometheus_endpoint(section: PrometheusSection, name: str = DEFAULT_SOURCE) -> Endpoint:
    """Return where a Prometheus is; `name` is its id, which people see where it is not the only one there has to be."""
    return Endpoint(system=source_name(name), url=section.url, token=_token(section), ca_file=section.ca_file)


def prometheus_access(section: PrometheusSection) -> Access:
    """Return how the bot is known to Prometheus."""
    return Access(
        dialect=Dialect(section.dialect),
        tenant=section.tenant,
        user=section.user,
        password=secret_of(section.password_file) if section.password_file is not None else None,
        headers={name: secret_of(path) for name, path in section.header_files.items()},
        certificate=section.cert_file,
        key=section.key_file,
    )


def argocd_sections(settings: Settings) -> Mapping[str, ArgoSection]:
    """Return the Argo CD servers by name."""
    return {DEFAULT_SERVER: settings.argocd, **settings.argocd_servers}


def argocd_endpoint(section: ArgoSection) -> Endpoint:
    """Return where an Argo CD server is."""
    return Endpoint(
        system="Argo CD", url=section.url, token=_token(section), ca_file=section.ca_file, insecure=section.insecure
    )


def registry_endpoints(settings: Settings) -> Mapping[str, Endpoint]:
    """Return the registries by the host in image names."""
    return {
        host: Endpoint(
            system="registry",
            url=section.url or f"https://{_HUB if host.lower() == DOCKER_HUB else host}",
            token=_token(section),
            ca_file=section.ca_file,
        )
        for host, section in settings.registries.items()
    }


def registry_access(settings: Settings) -> Mapping[str, RegistryAccess]:
    """Return how the bot is known to each registry, by the host in image names."""
    return {
        host: RegistryAccess(
            docker_config=section.docker_config,
            token_service=section.token_service or (_HUB_TOKENS if host.lower() == DOCKER_HUB else None),
        )
        for host, section in settings.registries.items()
    }


def _token(section: PrometheusSection | ArgoSection | RegistrySection) -> TokenSource | None:
    return source_of(section.read_token, is_set=section.token is not None or section.token_file is not None)
