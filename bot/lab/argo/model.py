"""An application's specification and the state that the simulated controller keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSpec:
    """What an application deploys: one path of a Git repository into one namespace.

    `image` is the image of a Helm chart whose values name no repository; the dotted paths say where the values file
    keeps tag, repository and digest. A `kustomization.yaml` in the path comes before a values file.
    """

    name: str
    repo_url: str
    path: str
    namespace: str
    image: str = ""
    target_revision: str = "main"
    project: str = "default"
    automated: bool = True
    values_file: str = "values.yaml"
    tag_path: str = "image.tag"
    repository_path: str = "image.repository"
    digest_path: str = "image.digest"
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoOptions:
    """How slow the simulated Argo CD is, and which version's habits it has.

    `refresh_every` is the time between two looks at Git (3 min in reality), `operation_lag` passes until a requested
    operation is taken up, `sync_takes` until it succeeded, and `settle_after` until the refresh that follows it:
    until then the status is that of before. `hides_unknown`: an unknown name is answered with 403 unless the request
    names the project (since 2.6.x), else with 404. `transition_times`: health says since when it is so.
    """

    refresh_every: timedelta = timedelta(seconds=3)
    operation_lag: timedelta = timedelta(milliseconds=200)
    sync_takes: timedelta = timedelta(seconds=1)
    settle_after: timedelta = timedelta(seconds=1)
    hides_unknown: bool = True
    transition_times: bool = True
    version: str = "v3.1.8+lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as the manifests name it. `tag` is empty where only a digest is given."""

    name: str
    tag: str
    digest: str = ""

    @property
    def version(self) -> str:
        """What tells this release from another: the tag, or the digest where there is none."""
        return self.tag or self.digest

    @property
    def reference(self) -> str:
        """The image as a container runtime takes it."""
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """An operation that was asked for. `revision` None means the target's head when it is taken up."""

    requested_at: datetime
    revision: str | None = None
    automated: bool = False
    username: str = ""
    dry_run: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationState:
    """The running or last operation."""

    request: SyncRequest
    phase: str
    message: str
    revision: str
    started_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One entry of the history."""

    id: int
    revision: str
    started_at: datetime
    deployed_at: datetime
    automated: bool
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """The health that the status shows. `since` is when it became so."""

    status: str
    message: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionReport:
    """One entry of `status.conditions`."""

    type: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the API tells of an application; nothing is in here that was not seen at a refresh or an operation."""

    sync: str = "Unknown"
    revision: str = ""
    health: HealthReport = HealthReport(status="Missing")
    reconciled_at: datetime | None = None
    images: tuple[str, ...] = ()
    conditions: tuple[ConditionReport, ...] = ()
    operation: OperationState | None = None
    history: tuple[Deployed, ...] = ()


@dataclass(slots=True, kw_only=True)
class Managed:
    """One application under control. Mutable: only the controller writes to it, under its lock."""

    spec: ApplicationSpec
    created_at: datetime
    refresh_at: datetime
    status: Status = field(default_factory=Status)
    pending: SyncRequest | None = None
    live: tuple[Image, ...] = ()
    """What the last successful sync deployed."""
    resource_version: int = 0
    refresh_kind: str | None = None
    """The refresh annotation, while it was not honoured yet."""
    frozen: bool = False
    forced_health: HealthReport | None = None
    forced_conditions: tuple[ConditionReport, ...] = ()
    next_failure: str | None = None
    """The message with which the next operation fails."""
    wakes_at: datetime | None = None
    """Events that were due while the application was frozen happen no earlier than this."""

    @property
    def running(self) -> OperationState | None:
        """The operation that is running."""
        operation = self.status.operation
        return operation if operation is not None and operation.phase == "Running" else None
