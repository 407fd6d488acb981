"""The operator's settings: a TOML file, overridden by `LIFTLOCK_*` environment variables (`LIFTLOCK_GITHUB__URL`).

Secrets never stand in the file: they come by environment (`LIFTLOCK_GITHUB__TOKEN`) or by the path of a file, which is
read anew at each use, so that a rotated token takes effect. Hosts live here, never in policies.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from bot.domain.text import one_line, parse_duration

_SECRETS = ("token",)
_SERVER = r"^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$"
_GROUPS = ("registries", "argocd_servers")
"""Sections that hold one section for each of several servers."""
_NO_SECRETS = "secrets do not belong into the settings file"


class SettingsError(Exception):
    """Settings that cannot be used: one sentence a fault, each with file, key, found and expected."""


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration longer than nothing")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Lag = Annotated[timedelta, BeforeValidator(_duration)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Server(_Section):
    """A server that is asked. Plain http is for this machine only, unless `allow_http` says otherwise."""

    url: str
    token: SecretStr | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    allow_http: bool = False

    @model_validator(mode="after")
    def _check(self) -> _Server:
        _check_url(self.url, allow_http=self.allow_http)
        return self

    def read_token(self) -> str | None:
        """Return the token, read anew where it is a file's; None without one."""
        return _read_secret(self.token, self.token_file)


class BotSettings(_Section):
    """What the bot itself does, and how often. Paths are relative to the settings file."""

    policies: Path
    state: Path
    interval: Duration = timedelta(seconds=30)
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    comment_every: Duration = timedelta(minutes=1)
    ingestion_lag: Lag = timedelta(seconds=15)
    stop_within: Duration = timedelta(seconds=25)
    history_limit: Annotated[int, Field(ge=2, le=10_000)] = 50


class GitHubSection(_Section):
    """GitHub or GitHub Enterprise Server: `url` serves pages and Git, `api` the REST API."""

    url: str = "https://github.com"
    api: str = "https://api.github.com"
    token: SecretStr | None = None
    token_file: Path | None = None
    app_id: Annotated[int, Field(ge=1)] | None = None
    private_key_file: Path | None = None
    ca_file: Path | None = None
    allow_http: bool = False
    timeout: Duration = timedelta(seconds=15)
    write_pause: Lag = timedelta(seconds=1)

    @model_validator(mode="after")
    def _check(self) -> GitHubSection:
        for url in (self.url, self.api):
            _check_url(url, allow_http=self.allow_http)
        if (self.app_id is None) != (self.private_key_file is None):
            raise ValueError("app_id and private_key_file together, or neither")
        return self

    def read_token(self) -> str | None:
        """Return the token, read anew where it is a file's; None without one."""
        return _read_secret(self.token, self.token_file)


class GitSection(_Section):
    """Who the bot's commits are by and what signs them, how long one git process may use the network, how far it reads.

    `signing_key` is the path of a private SSH key, or the id of an OpenPGP key in `gnupg_home`; without a passphrase.
    """

    author_name: str = "liftlock"
    author_email: str = "liftlock@users.noreply.github.com"
    deadline: Duration = timedelta(seconds=60)
    history_commits: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000
    max_file_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    signing_format: Literal["ssh", "openpgp"] | None = None
    signing_key: Annotated[str, Field(min_length=1, pattern=r"^[^-\x00-\x1f][^\x00-\x1f]*$")] | None = None
    gnupg_home: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> GitSection:
        if (self.signing_format is None) != (self.signing_key is None):
            raise ValueError("signing_format and signing_key together, or neither")
        if self.gnupg_home is not None and self.signing_format != "openpgp":
            raise ValueError("gnupg_home only with signing_format openpgp")
        return self


class ArgoSection(_Server):
    """An Argo CD server. `insecure` accepts any certificate, and has to be said.

    `projects` narrows what is asked for. With `watch` the applications come by a stream that is kept open, with a full
    list at least every `relist`, and after `silence` without an event.
    """

    insecure: bool = False
    timeout: Duration = timedelta(seconds=20)
    projects: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][-.a-z0-9]{0,252}$")], ...] = ()
    watch: bool = False
    relist: Duration = timedelta(minutes=5)
    silence: Duration = timedelta(minutes=1)


class PrometheusSection(_Server):
    """The Prometheus server, or one that speaks its API: `dialect` says which.

    A user with `password_file`, a client's certificate, a tenant and further headers may say who we are, beside or
    instead of the token. Headers name files, since their values may be secrets.
    """

    dialect: Literal["prometheus", "thanos", "mimir", "victoriametrics"] = "prometheus"
    timeout: Duration = timedelta(seconds=20)
    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    together: Annotated[int, Field(ge=1, le=10_000)] = 1000
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9!._*'()|-]{1,150}$")] | None = None
    user: Annotated[str, Field(min_length=1, pattern=r"^[^:\x00-\x1f]+$")] | None = None
    password_file: Path | None = None
    header_files: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")], Path] = Field(default_factory=dict)
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _check_access(self) -> PrometheusSection:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file together, or neither")
        if self.user is not None and (self.token is not None or self.token_file is not None):
            raise ValueError("a user with a password, or a token, not both")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file only with cert_file")
        return self


class RegistrySection(_Section):
    """An image registry, by the host in image names; `url` only where it is served elsewhere."""

    url: str | None = None
    token: SecretStr | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    allow_http: bool = False

    @model_validator(mode="after")
    def _check(self) -> RegistrySection:
        if self.url is not None:
            _check_url(self.url, allow_http=self.allow_http)
        return self

    def read_token(self) -> str | None:
        """Return the token, read anew where it is a file's; None without one."""
        return _read_secret(self.token, self.token_file)


class LedgerSection(_Section):
    """Where the ledger is; without a URL a SQLite file in the state directory."""

    url: SecretStr | None = None


class LogSection(_Section):
    """How the bot logs, on stderr."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """All settings of one bot. Made by `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="LIFTLOCK_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    bot: BotSettings
    github: GitHubSection = Field(default_factory=GitHubSection)
    git: GitSection = Field(default_factory=GitSection)
    argocd: ArgoSection
    argocd_servers: Mapping[Annotated[str, Field(pattern=_SERVER)], ArgoSection] = Field(default_factory=dict)
    prometheus: PrometheusSection
    registries: Mapping[str, RegistrySection] = Field(default_factory=dict)
    ledger: LedgerSection = Field(default_factory=LedgerSection)
    log: LogSection = Field(default_factory=LogSection)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @model_validator(mode="after")
    def _check(self) -> Settings:
        if "argocd" in self.argocd_servers:
            raise ValueError("another name than argocd for a server of argocd_servers: that one is the section argocd")
        return self

    @property
    def ledger_url(self) -> str:
        """The ledger's database URL, with its password if it has one: never to be shown."""
        if self.ledger.url is not None:
            return self.ledger.url.get_secret_value()
        return f"sqlite:///{self.bot.state / 'ledger.db'}"


def load_settings(path: Path) -> Settings:
    """Read the settings file and the environment. Raise SettingsError with every fault."""
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such settings file; name one with --config") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is no UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is no valid TOML: {one_line(str(error))}") from error
    _refuse_secrets(path, content)
    try:
        settings = Settings(**content)
    except SourceError as error:
        # Its cause quotes the variable's text, which may be a secret.
        what = one_line(str(error)).partition(" from source")[0]
        raise SettingsError(
            f"{path}: the LIFTLOCK_* environment: {what}; expected JSON, or one variable a key"
        ) from None
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(path, item) for item in error.errors())) from None
    return _with_absolute_paths(settings, path.resolve().parent)


def _refuse_secrets(path: Path, content: Mapping[str, Any]) -> None:
    """A secret in the file ends up in a repository sooner or later; refuse it without repeating it."""
    for name, section in content.items():
        _refuse_token(path, name, section, f"set LIFTLOCK_{name.upper()}__TOKEN, or name a file with token_file")
    for group in _GROUPS:
        sections = content.get(group)
        for name, section in sections.items() if isinstance(sections, dict) else ():
            # A shell sets no variable with a host's dots in its name.
            _refuse_token(path, f"{group}.{name}", section, "name a file with token_file")
    ledger = content.get("ledger")
    if isinstance(ledger, dict) and _has_password(ledger.get("url")):
        raise SettingsError(f"{path}: ledger.url: {_NO_SECRETS}; set LIFTLOCK_LEDGER__URL")


def _refuse_token(path: Path, name: str, section: object, wanted: str) -> None:
    for key in _SECRETS:
        if isinstance(section, dict) and key in section:
            raise SettingsError(f"{path}: {name}.{key}: {_NO_SECRETS}; {wanted}")


def _has_password(url: object) -> bool:
    """Say whether a database URL carries a password; what cannot be taken apart is taken to carry one."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        return parts.password is not None or "password" in parts.query.lower()
    except ValueError:
        return True


def _sentence(path: Path, error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "settings"
    # Where a whole section was expected, what stands there instead may be a secret.
    is_whole = len(error["loc"]) < (3 if error["loc"][:1] and error["loc"][0] in _GROUPS else 2)
    secret = is_whole or any(part in ("token", "ledger") for part in error["loc"])
    found = "" if secret or isinstance(error["input"], dict) else f' found "{one_line(str(error["input"]), limit=80)}",'
    match error["type"]:
        case "missing":
            return f"{path}: {key}: is missing"
        case "extra_forbidden":
            return f"{path}: {key}: is no setting"
        case "value_error":
            return f"{path}: {key}:{found} expected {_expected(error)}"
        case _:
            return f"{path}: {key}:{found} expected otherwise: {one_line(error['msg'])}"


def _expected(error: ErrorDetails) -> str:
    said = one_line(error["msg"].removeprefix("Value error, "))
    return said.removeprefix("expected ")


def _check_url(url: str, *, allow_http: bool) -> None:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL that begins with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without user and password in it")
    if parts.scheme == "http" and not allow_http and not _is_this_machine(parts.hostname):
        raise ValueError("https:// (plain http only with allow_http = true)")


def _split(url: str) -> SplitResult | None:
    """Take a URL apart; None where its host or its port is none."""
    try:
        parts = urlsplit(url)
        usable = parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _read_secret(value: SecretStr | None, file: Path | None) -> str | None:
    if value is not None:
        return value.get_secret_value()
    return read_secret_file(file) if file is not None else None


def read_secret_file(path: Path) -> str:
    """Return a secret file's text without the white space around it. Raise SettingsError that names the path only."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"the secret file {path} cannot be read: {why}") from None
    if not secret:
        raise SettingsError(f"the secret file {path} is empty")
    return secret


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    """Resolve every path of the settings against the folder of their file."""
    changes: dict[str, object] = {}
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            changes[name] = _absolute(section, base)
    changes["registries"] = {host: _absolute(item, base) for host, item in settings.registries.items()}
    changes["argocd_servers"] = {name: _absolute(item, base) for name, item in settings.argocd_servers.items()}
    return settings.model_copy(update=changes)


def _absolute(section: BaseModel, base: Path) -> BaseModel:
    paths: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            paths[name] = base / value
        elif isinstance(value, dict) and all(isinstance(item, Path) for item in value.values()):
            paths[name] = {key: base / item for key, item in value.items()}
    return section.model_copy(update=paths)
