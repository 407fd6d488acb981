"""Read the settings file and the environment, or say all that is wrong with them: file, key, found, expected."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from bot.domain.argo import DEFAULT_SERVER
from bot.domain.queries import DEFAULT_SOURCE
from bot.domain.text import one_line
from bot.settings.sections import (
    ArgoSection,
    BotSettings,
    GitHubSection,
    GitSection,
    LedgerSection,
    LogSection,
    PoliciesSection,
    PrometheusSection,
    RegistrySection,
    SigstoreSection,
    SummariesSection,
    WebSection,
)
from bot.settings.values import SettingsError

_SECRETS = ("token",)
_SERVER = r"^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$"
_GROUPS = ("registries", "argocd_servers", "prometheus_servers")
"""Sections that hold one section for each of several servers."""
_NO_SECRETS = "secrets do not belong into the settings file"


class Settings(BaseSettings):
    """All settings of one bot. Made by `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="LIFTLOCK_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    bot: BotSettings
    policies: PoliciesSection | None = None
    github: GitHubSection = Field(default_factory=GitHubSection)
    git: GitSection = Field(default_factory=GitSection)
    argocd: ArgoSection
    argocd_servers: Mapping[Annotated[str, Field(pattern=_SERVER)], ArgoSection] = Field(default_factory=dict)
    prometheus: PrometheusSection
    prometheus_servers: Mapping[Annotated[str, Field(pattern=_SERVER)], PrometheusSection] = Field(default_factory=dict)
    registries: Mapping[str, RegistrySection] = Field(default_factory=dict)
    sigstore: SigstoreSection = Field(default_factory=SigstoreSection)
    summaries: SummariesSection = Field(default_factory=SummariesSection)
    ledger: LedgerSection = Field(default_factory=LedgerSection)
    log: LogSection = Field(default_factory=LogSection)
    web: WebSection = Field(default_factory=WebSection)

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
        if DEFAULT_SERVER in self.argocd_servers:
            taken = f"that one is the section {DEFAULT_SERVER}"
            raise ValueError(f"another name than {DEFAULT_SERVER} for a server of argocd_servers: {taken}")
        if DEFAULT_SOURCE in self.prometheus_servers:
            taken = f"that one is the section {DEFAULT_SOURCE}"
            raise ValueError(f"another name than {DEFAULT_SOURCE} for a server of prometheus_servers: {taken}")
        if (self.bot.policies is None) == (self.policies is None):
            found = "neither" if self.policies is None else "both"
            raise ValueError(f"bot.policies, a directory, or the section policies, a repository; found {found}")
        return self

    @property
    def sources(self) -> Mapping[str, PrometheusSection]:
        """The data sources by the ids that policies name."""
        return {DEFAULT_SOURCE: self.prometheus, **self.prometheus_servers}

    @property
    def policy_directory(self) -> Path:
        """The directory of the policies; raise SettingsError where they are in a repository."""
        if self.policies is not None:
            raise SettingsError(
                f"the settings read policies from {_in_words(self.policies)}, not from this machine: name the "
                "directory of your checkout, such as policies"
            )
        # Exactly one of the two is there: see _check.
        return cast("Path", self.bot.policies)

    @property
    def policies_place(self) -> str:
        """Where the policies are, in words."""
        section = self.policies
        return (
            str(self.bot.policies) if section is None else f"{section.repository}, {section.path} on {section.branch}"
        )

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


def _in_words(section: PoliciesSection) -> str:
    folder = "the root" if section.path == "." else f"the folder {section.path}"
    return f"{folder} of {section.repository} (branch {section.branch})"


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


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    """Resolve every path of the settings against the folder of their file."""
    changes: dict[str, object] = {}
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            changes[name] = _absolute(section, base)
    for group in _GROUPS:
        changes[group] = {name: _absolute(item, base) for name, item in getattr(settings, group).items()}
    return settings.model_copy(update=changes)


def _absolute(section: BaseModel, base: Path) -> BaseModel:
    paths: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            paths[name] = base / value
        elif isinstance(value, tuple) and all(isinstance(item, Path) for item in value):
            paths[name] = tuple(base / item for item in value)
        elif isinstance(value, dict) and all(isinstance(item, Path) for item in value.values()):
            paths[name] = {key: base / item for key, item in value.items()}
    return section.model_copy(update=paths)
