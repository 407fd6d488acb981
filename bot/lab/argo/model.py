"""The state that the simulated controller keeps of an application."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bot.lab.argo.operations import OperationScript
from bot.lab.argo.specification import ApplicationSpec, Source, SourceHydrator
from bot.lab.argo.windows import SyncWindow


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
class Manifests:
    """What an application is to run. A new chart version is a difference even where the images stay the same."""

    images: tuple[Image, ...] = ()
    charts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRevisions:
    """Sources, and for each the revision that was looked at: a commit, or a chart's version."""

    sources: tuple[Source, ...] = ()
    revisions: tuple[str, ...] = ()
    multiple: bool = False

    @property
    def revision(self) -> str:
        """The one revision; empty for an application of several sources, as in Argo CD."""
        return "" if self.multiple or not self.revisions else self.revisions[0]


NOWHERE = SourceRevisions()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """An operation that was asked for.

    `revision` and `at_positions` (a position, counted from one, with its revision) are what the request names; None
    and nothing mean the targets. `target` is what that resolved to when it was asked for.
    """

    requested_at: datetime
    revision: str | None = None
    at_positions: tuple[tuple[int, str], ...] = ()
    target: SourceRevisions = NOWHERE
    automated: bool = False
    username: str = ""
    dry_run: bool = False
    prune: bool = False
    retry_limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationState:
    """The running or last operation. One that waits for its next attempt is Running and has a `finished_at`."""

    request: SyncRequest
    phase: str
    message: str
    target: SourceRevisions
    started_at: datetime
    finished_at: datetime | None = None
    retry_count: int = 0

    @property
    def revision(self) -> str:
        """The one revision; empty for an application of several sources."""
        return self.target.revision

    @property
    def revisions(self) -> tuple[str, ...]:
        """One revision for each source."""
        return self.target.revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One entry of the history."""

    id: int
    target: SourceRevisions
    started_at: datetime
    deployed_at: datetime
    automated: bool
    username: str

    @property
    def revision(self) -> str:
        """The one revision; empty for an application of several sources."""
        return self.target.revision

    @property
    def revisions(self) -> tuple[str, ...]:
        """One revision for each source."""
        return self.target.revisions


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


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ResourceName:
    """A resource of the cluster, written as in Argo CD's messages: `apps/Deployment/checkout`, `/Service/checkout`."""

    group: str
    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ResourceName:
        """Read `group/Kind/name`; ValueError for anything else."""
        group, kind, name = text.split("/")
        return cls(group=group, kind=kind, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """One entry of `status.resources`. An empty health is not told: a ConfigMap has none."""

    resource: ResourceName
    sync: str
    health: str = ""
    requires_pruning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HydrateOperation:
    """The hydrator's running or last operation: Hydrating, Hydrated or Failed."""

    phase: str
    hydrator: SourceHydrator
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""
    dry_sha: str = ""
    hydrated_sha: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HydrationStatus:
    """`status.sourceHydrator`."""

    current: HydrateOperation
    last_successful: HydrateOperation | None = None
    last_compared_dry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the API tells of an application; nothing is in here that was not seen at a refresh or an operation."""

    sync: str = "Unknown"
    compared: SourceRevisions = NOWHERE
    health: HealthReport = HealthReport(status="Missing")
    reconciled_at: datetime | None = None
    images: tuple[str, ...] = ()
    resources: tuple[ResourceReport, ...] = ()
    conditions: tuple[ConditionReport, ...] = ()
    operation: OperationState | None = None
    history: tuple[Deployed, ...] = ()
    hydration: HydrationStatus | None = None

    @property
    def revision(self) -> str:
        """The one revision that was compared; empty for an application of several sources."""
        return self.compared.revision

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revision of each source that was compared."""
        return self.compared.revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Where the running operation stands. `next_at` None: a sync window holds it.

    `step` counts the steps of the script that began; `backing_off` waits for the next attempt.
    """

    next_at: datetime | None
    step: int = 0
    applied: bool = False
    backing_off: bool = False


@dataclass(slots=True, kw_only=True)
class Managed:
    """One application under control. Mutable: only the controller writes to it, under its lock."""

    spec: ApplicationSpec
    created_at: datetime
    refresh_at: datetime
    serial: int = 0
    """Tells this application from an earlier one of the same name."""
    status: Status = field(default_factory=Status)
    pending: SyncRequest | None = None
    attempt: Attempt | None = None
    script: OperationScript | None = None
    """How the running operation, or else the next one, goes."""
    live: Manifests | None = None
    """What the last successful sync deployed."""
    adopts: bool = False
    """What it is to run runs already when it is looked at for the first time."""
    resource_version: int = 0
    refresh_kind: str | None = None
    """The refresh annotation, while it was not honoured yet."""
    frozen: bool = False
    wakes_on_hard_refresh: bool = False
    forced_health: HealthReport | None = None
    health_to_come: tuple[tuple[datetime, HealthReport | None], ...] = ()
    forced_conditions: tuple[ConditionReport, ...] = ()
    leftovers: tuple[ResourceName, ...] = ()
    """Resources that Git names no longer and nobody has pruned."""
    drifting: tuple[ResourceName, ...] = ()
    """Resources that something in the cluster changes right after each sync."""
    windows: tuple[SyncWindow, ...] = ()
    hydration_held: bool = False
    hydration_failure: str = ""
    hydration_asked: bool = False
    deletion_asked_at: datetime | None = None
    gone_at: datetime | None = None
    wakes_at: datetime | None = None
    """Events that were due while the application was frozen happen no earlier than this."""

    @property
    def running(self) -> OperationState | None:
        """The operation that is running."""
        operation = self.status.operation
        return operation if operation is not None and operation.phase == "Running" else None
