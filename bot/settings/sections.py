"""The sections of the settings, each a frozen model: what a key may hold, and what it is where nobody says.

Secrets never stand in a section: it holds the path of a file, which is read anew at each use, or what the environment
gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from bot.domain.tenancy import Tenancy
from bot.settings.tenants import ForcedLabels, TenantSection, tenancy_of
from bot.settings.values import (
    BranchName,
    Duration,
    FolderName,
    Lag,
    Listen,
    RepositoryName,
    Uri,
    check_url,
    files_of,
    read_secret,
    split_listen,
)


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
        check_url(self.url, allow_http=self.allow_http)
        return self

    def read_token(self) -> str | None:
        """Return the token, read anew where it is a file's; None without one."""
        return read_secret(self.token, self.token_file)


class BotSettings(_Section):
    """What the bot itself does, and how often. Paths are relative to the settings file.

    `policies` is a directory on this machine; None where the section `policies` names a repository instead. `floor` is
    the file of an organisation's minimum, below which no policy is accepted.
    Without a person, at most `most_rollbacks` releases of all services are taken back in any `rollbacks_within`.
    """

    policies: Path | None = None
    state: Path
    floor: Path | None = None
    interval: Duration = timedelta(seconds=30)
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    comment_every: Duration = timedelta(minutes=1)
    ingestion_lag: Lag = timedelta(seconds=15)
    stop_within: Duration = timedelta(seconds=25)
    history_limit: Annotated[int, Field(ge=2, le=10_000)] = 50
    most_rollbacks: Annotated[int, Field(ge=1, le=10_000)] = 5
    rollbacks_within: Duration = timedelta(minutes=10)


class PoliciesSection(_Section):
    """The repository (`owner/name`) whose policies are in force as the head of `branch` has them, in the folder `path`.

    `.` is the repository's root.
    """

    repository: RepositoryName
    branch: BranchName = "main"
    path: FolderName = "policies"


class GitHubSection(_Section):
    """GitHub or GitHub Enterprise Server: `url` serves pages and Git, `api` the REST API.

    At most `openings_per_hour` promotions are opened in a repository within an hour. `signals` are what source
    repositories are told. `write_reserve` is the part of GitHub's limits that only a rollback may use; a write that has
    no place in the rest waits for `write_patience`, and is then left to the next sweep.
    """

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
    write_patience: Lag = timedelta(seconds=5)
    write_reserve: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    openings_per_hour: Annotated[int, Field(ge=1, le=500)] = 30
    signals: tuple[Literal["statuses", "deployments"], ...] = ("statuses", "deployments")

    @model_validator(mode="after")
    def _check(self) -> GitHubSection:
        for url in (self.url, self.api):
            check_url(url, allow_http=self.allow_http)
        if (self.app_id is None) != (self.private_key_file is None):
            raise ValueError("app_id and private_key_file together, or neither")
        return self

    def read_token(self) -> str | None:
        """Return the token, read anew where it is a file's; None without one."""
        return read_secret(self.token, self.token_file)


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
    instead of the token. Headers name files, since their values may be secrets. `lag` is how old a tile must be before
    it is read, in place of `bot.ingestion_lag`. `force` and `tenants` are the labels that stand in every query,
    whatever a policy says; `most_per_service` is how much may be asked for one service in one sweep.
    """

    dialect: Literal["prometheus", "thanos", "mimir", "victoriametrics"] = "prometheus"
    timeout: Duration = timedelta(seconds=20)
    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    together: Annotated[int, Field(ge=1, le=10_000)] = 1000
    most_per_service: Annotated[int, Field(ge=1, le=100_000)] = 500
    lag: Lag | None = None
    force: ForcedLabels = Field(default_factory=dict)
    tenants: tuple[TenantSection, ...] = ()
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

    @property
    def tenancy(self) -> Tenancy:
        """What is forced on queries to it."""
        return tenancy_of(self.force, self.tenants)


class RegistrySection(_Section):
    """An image registry, by the host in image names; `url` only where it is served elsewhere.

    `docker_config` is the path of Docker's `config.json`, whose credential helpers are used too. `token_service` is the
    address of a token service on another host that may be told who we are.
    """

    url: str | None = None
    token: SecretStr | None = None
    token_file: Path | None = None
    docker_config: Path | None = None
    token_service: str | None = None
    ca_file: Path | None = None
    allow_http: bool = False

    @model_validator(mode="after")
    def _check(self) -> RegistrySection:
        for url in (self.url, self.token_service):
            if url is not None:
                check_url(url, allow_http=self.allow_http)
        if self.docker_config is not None and (self.token is not None or self.token_file is not None):
            raise ValueError("docker_config, or a token, not both")
        return self

    def read_token(self) -> str | None:
        """Return the token, read anew where it is a file's; None without one."""
        return read_secret(self.token, self.token_file)


class SigstoreSection(_Section):
    """Whose signatures are verified: by `trusted_root` those of a private instance, without it the public one's.

    `keys` are files of public keys (PEM) by the names that policies call them.
    """

    trusted_root: Path | None = None
    keys: Mapping[str, Path] = Field(default_factory=dict)


class SummariesSection(_Section):
    """The summaries of what was verified before a release moved: who the bot is in them, and where they go to.

    They are signed with the private key in `key_file` (PEM, ECDSA on P-256 or Ed25519), and written to `directory`.
    Without these two the ledger alone has them, unsigned.
    """

    verifier: Uri = "https://liftlock.dev"
    key_file: Path | None = None
    directory: Path | None = None


class LedgerSection(_Section):
    """Where the ledger is; without a URL a SQLite file in the state directory.

    After `keep` the bodies of entries are taken away, except those of commands, policies and summaries; the chain stays
    whole.
    """

    url: SecretStr | None = None
    keep: Duration = timedelta(days=180)


class WebSection(_Section):
    """The web server for webhooks, health and metrics: off unless `listen` says where, such as `127.0.0.1:8080`.

    GitHub's webhooks are taken only with `webhook_secret_file`, Alertmanager's notifications only with
    `alertmanager_token_file`, registries' only with `registry_token_file`; several files hold the old and the new
    secret while they change.
    Two sweeps begin at least `wake_pause` apart, however often webhooks wake the bot.
    """

    listen: Listen | None = None
    webhook_secret_file: Path | tuple[Path, ...] = ()
    alertmanager_token_file: Path | tuple[Path, ...] = ()
    registry_token_file: Path | tuple[Path, ...] = ()
    wake_pause: Duration = timedelta(seconds=5)

    @model_validator(mode="after")
    def _check(self) -> WebSection:
        if self.secret_files and self.listen is None:
            raise ValueError("webhook_secret_file only with listen")
        if self.alertmanager_files and self.listen is None:
            raise ValueError("alertmanager_token_file only with listen")
        if self.registry_files and self.listen is None:
            raise ValueError("registry_token_file only with listen")
        return self

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """The files of the webhook secrets; none where GitHub's webhooks are not taken."""
        return files_of(self.webhook_secret_file)

    @property
    def alertmanager_files(self) -> tuple[Path, ...]:
        """The files of Alertmanager's tokens; none where its notifications are not taken."""
        return files_of(self.alertmanager_token_file)

    @property
    def registry_files(self) -> tuple[Path, ...]:
        """The files of the registries' tokens; none where their notifications are not taken."""
        return files_of(self.registry_token_file)

    @property
    def address(self) -> tuple[str, int] | None:
        """The host and the port to listen on; None where the server is off."""
        return split_listen(self.listen) if self.listen is not None else None


class LogSection(_Section):
    """How the bot logs, on stderr."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"
