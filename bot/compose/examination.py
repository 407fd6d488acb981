"""What `liftlock doctor` examines: the parts that ask the systems, as the settings describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bot.adapters.github import Credentials, TokenCredentials
from bot.adapters.github.examination import Examination, sign_as_app
from bot.adapters.http import Endpoint
from bot.compose.endpoints import (
    argocd_endpoint,
    argocd_sections,
    prometheus_access,
    prometheus_endpoint,
    registry_access,
    registry_endpoints,
)
from bot.compose.github import KnownRepositories, compose_github, credentials_of
from bot.compose.secrets import secret_of
from bot.doctor import Patient, Wanted
from bot.domain.policy import Policy
from bot.ports import Clock, Permanent
from bot.settings import GitHubSection, Settings, SettingsError


@contextmanager
def compose_patient(
    settings: Settings, policies: Sequence[Policy], clock: Clock, *, events: frozenset[str]
) -> Iterator[Patient]:
    """Build what is examined; `events` are those that wake the bot. What is wrong shows in the checks."""
    known = KnownRepositories()
    known.learn(policies)
    section = settings.github
    credentials = _credentials(section, clock, known)
    app_token = _app_token(section)

    def token_for(repository: str | None) -> str:
        return credentials.token_for(repository)

    with ExitStack() as stack:
        endpoint = Endpoint(system="GitHub", url=section.api, ca_file=section.ca_file)
        ports = compose_github(stack, section, credentials, clock)
        yield Patient(
            settings=settings,
            policies=policies,
            clock=clock,
            github=stack.enter_context(Examination(endpoint, token_for=token_for, app_token=app_token, clock=clock)),
            forge=ports.forge,
            attestations=ports.attestations,
            prometheus={name: prometheus_endpoint(one, name) for name, one in settings.sources.items()},
            access={name: prometheus_access(one) for name, one in settings.sources.items()},
            argocd={name: argocd_endpoint(one) for name, one in argocd_sections(settings).items()},
            registries=registry_endpoints(settings),
            registry_access=registry_access(settings),
            hooks=Wanted(is_taken=bool(settings.web.secret_files), events=events),
        )


def _credentials(section: GitHubSection, clock: Clock, known: KnownRepositories) -> Credentials:
    """Return the credentials; where there are none, some that say so, since all other systems are examined too."""
    try:
        return credentials_of(section, clock, known)
    except SettingsError as error:
        sentence = str(error)

    def refuse() -> str:
        raise Permanent("settings", sentence)

    return TokenCredentials(refuse)


def _app_token(section: GitHubSection) -> Callable[[], str] | None:
    app_id, key_file = section.app_id, section.private_key_file
    if app_id is None or key_file is None:
        return None
    key = secret_of(key_file)
    return lambda: sign_as_app(app_id, key())
