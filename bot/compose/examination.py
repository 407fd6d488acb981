"""What `liftlock doctor` examines: the parts that ask the systems, as the settings describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bot.adapters.github import Credentials, TokenCredentials
from bot.adapters.github.examination import Examination, sign_as_app
from bot.adapters.http import Endpoint
from bot.adapters.prometheus_access import Access, Dialect
from bot.compose.github import KnownRepositories, compose_github, credentials_of
from bot.compose.secrets import source_of
from bot.doctor import Patient, Wanted
from bot.domain.argo import DEFAULT_SERVER
from bot.domain.policy import Policy
from bot.ports import Clock, Permanent
from bot.settings import ArgoSection, GitHubSection, Settings, SettingsError, read_secret_file


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
        yield Patient(
            settings=settings,
            policies=policies,
            clock=clock,
            github=stack.enter_context(Examination(endpoint, token_for=token_for, app_token=app_token, clock=clock)),
            forge=compose_github(stack, section, credentials, clock).forge,
            prometheus=_prometheus(settings),
            access=_access(settings),
            argocd={name: _argocd(one) for name, one in _servers(settings).items()},
            registries=_registries(settings),
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
    return lambda: sign_as_app(app_id, _secret(key_file))


def _secret(path: Path) -> str:
    try:
        return read_secret_file(path)
    except SettingsError as error:
        raise Permanent("settings", str(error)) from error


def _prometheus(settings: Settings) -> Endpoint:
    section = settings.prometheus
    token = source_of(section.read_token, is_set=section.token is not None or section.token_file is not None)
    return Endpoint(system="Prometheus", url=section.url, token=token, ca_file=section.ca_file)


def _access(settings: Settings) -> Access:
    section = settings.prometheus
    password_file = section.password_file
    return Access(
        dialect=Dialect(section.dialect),
        tenant=section.tenant,
        user=section.user,
        password=(lambda: _secret(password_file)) if password_file is not None else None,
        headers={name: _reader(path) for name, path in section.header_files.items()},
        certificate=section.cert_file,
        key=section.key_file,
    )


def _reader(path: Path) -> Callable[[], str]:
    return lambda: _secret(path)


def _servers(settings: Settings) -> Mapping[str, ArgoSection]:
    return {DEFAULT_SERVER: settings.argocd, **settings.argocd_servers}


def _argocd(section: ArgoSection) -> Endpoint:
    token = source_of(section.read_token, is_set=section.token is not None or section.token_file is not None)
    return Endpoint(system="Argo CD", url=section.url, token=token, ca_file=section.ca_file, insecure=section.insecure)


def _registries(settings: Settings) -> Mapping[str, Endpoint]:
    return {
        host: Endpoint(
            system="registry",
            url=section.url or f"https://{host}",
            token=source_of(section.read_token, is_set=section.token is not None or section.token_file is not None),
            ca_file=section.ca_file,
        )
        for host, section in settings.registries.items()
    }
