"""GitHub, as the settings describe it: who the bot is there, the ports, and what they have cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from bot.adapters.github import (
    AppCredentials,
    Clients,
    Credentials,
    GitHubAttestations,
    GitHubConversation,
    GitHubForge,
    GitHubMerging,
    GitHubSettings,
    GitHubSignals,
    TokenCredentials,
)
from bot.compose.secrets import secret_of, source_of
from bot.domain.policy import Policy
from bot.ports import Clock
from bot.settings import GitHubSection, SettingsError


@dataclass(slots=True)
class KnownRepositories:
    """The repositories that the policies name, as they were last loaded: tokens are narrowed to them."""

    _names: frozenset[str] = field(default_factory=frozenset)

    def names(self) -> frozenset[str]:
        """Return them as `owner/name`."""
        return self._names

    def learn(self, policies: Sequence[Policy]) -> None:
        """Take over what a load of the policies names."""
        named = {policy.gitops.repository for policy in policies}
        self._names = frozenset(named | {policy.source for policy in policies if policy.source is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """All ports on one set of clients, which keep one budget and one queue of writes for each installation."""

    clients: Clients
    forge: GitHubForge
    merging: GitHubMerging
    conversation: GitHubConversation
    signals: GitHubSignals
    attestations: GitHubAttestations

    def costs(self) -> Mapping[str, Mapping[str, float]]:
        """Return what each installation has used of GitHub's limits."""
        return self.clients.report()


def compose_github(
    stack: ExitStack,
    section: GitHubSection,
    credentials: Credentials,
    clock: Clock,
    *,
    telling_patience: timedelta = timedelta(seconds=30),
) -> GitHub:
    """Build the ports; leaving the stack closes their connections.

    For `telling_patience` of each sweep what only tells may wait for GitHub's limits.
    """
    settings = GitHubSettings(
        api_url=section.api.rstrip("/"),
        ca_file=str(section.ca_file) if section.ca_file else None,
        timeout=section.timeout,
        write_pause=section.write_pause,
        write_patience=section.write_patience,
        telling_patience=telling_patience,
        reserve=section.write_reserve,
    )
    clients = stack.enter_context(Clients(settings, credentials=credentials, clock=clock))
    return GitHub(
        clients=clients,
        forge=GitHubForge(clients),
        merging=GitHubMerging(clients),
        conversation=GitHubConversation(clients),
        signals=GitHubSignals(clients),
        attestations=GitHubAttestations(clients),
    )


def credentials_of(section: GitHubSection, clock: Clock, known: KnownRepositories) -> Credentials:
    """Return how the bot proves who it is; raise SettingsError where nothing is named."""
    key_file = section.private_key_file
    if section.app_id is not None and key_file is not None:
        return AppCredentials(
            section.api, app_id=section.app_id, private_key=secret_of(key_file), clock=clock, repositories=known.names
        )
    source = source_of(section.read_token, is_set=section.token is not None or section.token_file is not None)
    if source is None:
        raise SettingsError("github: no credentials: name token_file, or app_id with private_key_file")
    return TokenCredentials(source)
