"""What Argo CD says of the applications of a stage, as frozen values, and how a policy names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from bot.domain.model import Carries, Sha

DEFAULT_SERVER = "argocd"
"""The server that a policy means when it names none: the `[argocd]` section of the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedApplication:
    """One application by its name, `name` or `namespace/name` as Argo CD has it, on a server of the settings."""

    name: str
    server: str = DEFAULT_SERVER
    kind: Literal["named"] = "named"

    @property
    def shown(self) -> str:
        """The name as people and spells have it: unique among all servers."""
        return application_name(self.server, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedApplications:
    """All applications whose labels satisfy every requirement: the members may change at any time."""

    selector: tuple[Requirement, ...]
    server: str = DEFAULT_SERVER
    namespace: str = ""
    kind: Literal["selected"] = "selected"

    @property
    def shown(self) -> str:
        """The selector as a sentence names it."""
        labels = ",".join(str(one) for one in self.selector)
        return application_name(self.server, labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition of a label selector: the label's value is among `values`, or is not; none asks if it is there."""

    label: str
    values: tuple[str, ...] = ()
    negated: bool = False

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels satisfy it, as Kubernetes does: what is absent is not among the values."""
        found = self.label in labels if not self.values else labels.get(self.label) in self.values
        return found is not self.negated

    def __str__(self) -> str:
        if not self.values:
            return f"{'!' if self.negated else ''}{self.label}"
        if len(self.values) == 1:
            return f"{self.label}{'!=' if self.negated else '='}{self.values[0]}"
        return f"{self.label} {'notin' if self.negated else 'in'} ({','.join(self.values)})"


Target = NamedApplication | SelectedApplications
"""What a policy says of the applications of a stage."""


def application_name(server: str, name: str) -> str:
    """Return an application's name among all servers: as it is on the default one, else `server:name`."""
    return name if server == DEFAULT_SERVER else f"{server}:{name}"


def follows_branch(target: str, branch: str) -> bool:
    """Say whether a `targetRevision` follows a branch, which an empty one and `HEAD` are taken to."""
    return target in {"", "HEAD", branch, f"refs/heads/{branch}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The last or running sync operation. `phase` is Argo CD's word: Running, Terminating, Succeeded, Failed, Error.

    `retries` is how often Argo CD has tried again already. A dry run, or a sync of some resources only, is partial: it
    deploys no release, and Argo CD does not write it into its history.
    """

    phase: str
    revisions: tuple[Sha, ...]
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str = ""
    retries: int = 0
    is_partial: bool = False

    @property
    def is_under_way(self) -> bool:
        """Whether it goes on; between two attempts it has an end, and goes on all the same."""
        return self.phase in {"Running", "Terminating"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An entry of `status.history`: a sync that succeeded, when it ended, and when it began, where Argo CD tells.

    Argo CD counts them by `number` from 0.
    """

    revisions: tuple[Sha, ...]
    at: datetime
    started_at: datetime | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """An entry of `status.conditions`: `ComparisonError`, `InvalidSpecError`, `SyncError` …"""

    type: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hydration:
    """`status.sourceHydrator`: the commit people write (dry) and the one that was rendered from it (hydrated).

    `phase` is of the newest attempt: Hydrating, Hydrated, Failed. `rendered` are the dry commits by the hydrated ones
    that Argo CD names; `path` is where the rendered files lie, which name their dry commit too.
    """

    phase: str = ""
    dry: Sha | None = None
    message: str = ""
    rendered: Mapping[Sha, Sha] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """The resources by which an application is not what Git says, or not healthy: a few names, and how many in all."""

    out_of_sync: tuple[str, ...] = ()
    prunable: tuple[str, ...] = ()
    ill: tuple[str, ...] = ()
    out_of_sync_count: int = 0
    prunable_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What Argo CD reports of one application; field names follow its API, in our types.

    `operation_pending` is true when `operation` is set and has not been taken up yet. `revisions` has one entry for
    each source that counts, as Argo CD reports it: of a hydrated application the hydrated commit. `targets` are those
    sources' target revisions, `positions` their places among all sources, from 1. `history` tells when a release was
    deployed for the first time: the last operation may be a later sync of the same release. `consents` is the text of
    the annotation by which an application lets the bot sync it. `blocked` is why no sync may begin now, where that was
    asked, `windows_unknown` why nobody could say.
    """

    name: str
    sync: str
    health: str
    revisions: tuple[Sha, ...]
    operation: Operation | None = None
    operation_pending: bool = False
    reconciled_at: datetime | None = None
    health_since: datetime | None = None
    health_message: str = ""
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()
    history: tuple[Deployed, ...] = ()
    targets: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    several_sources: bool = False
    automated: bool = True
    hydration: Hydration | None = None
    leftovers: Leftovers = Leftovers()
    is_being_deleted: bool = False
    consents: str = ""
    blocked: str = ""
    windows_unknown: str = ""
    kind: Literal["application"] = "application"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoApplication:
    """Argo CD answered that it has no application of this name or none so labelled (or that we may not see it)."""

    name: str
    is_selector: bool = False
    kind: Literal["no application"] = "no application"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSpell:
    """A run of looks during which an application of a stage had one health, kept in the ledger.

    `last_seen` is an instant of the bot's own looks; `first_seen` is Argo CD's own where it told one, else a look, too.
    A gap between spells is time not looked at.
    """

    application: str
    health: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A run of looks at which a stage had these applications, kept in the ledger."""

    members: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime


class MarkKind(StrEnum):
    """What the bot notes of an application on the way of a release: what it saw first, and what it asked for."""

    SAW = "saw"
    SYNCED = "synced"
    RAN = "ran"
    LEFT = "synced to something else"
    ASKED_REFRESH = "asked for a refresh"
    ASKED_HARD_REFRESH = "asked for a hard refresh"
    ASKED_SYNC = "asked for a sync"


_OF_ARGO_CD = frozenset({MarkKind.SAW, MarkKind.SYNCED, MarkKind.RAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A note of the ledger's on one application and the release that arrives in the stage."""

    application: str
    kind: MarkKind
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestry:
    """What Git says of the revisions that Argo CD reports; all keyed by the revision as it is reported.

    `behind` is how many commits of the branch lie between a revision and the release's, where it is an ancestor of
    that; `dry` the commit that a hydrated one was rendered from.
    """

    carries: Mapping[Sha, Carries] = field(default_factory=dict)
    behind: Mapping[Sha, int] = field(default_factory=dict)
    dry: Mapping[Sha, Sha] = field(default_factory=dict)

    def all_carry(self, revisions: tuple[Sha, ...]) -> bool:
        """Say whether there are revisions and all of them have the release."""
        return bool(revisions) and all(self.carries.get(revision) is Carries.YES for revision in revisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the ledger remembers of a stage's applications since the release was committed; may be lost at any time.

    `gap` is how long a pause between two looks may be that still counts as looking all the time.
    """

    spells: tuple[HealthSpell, ...] = ()
    marks: tuple[Mark, ...] = ()
    memberships: tuple[Membership, ...] = ()
    gap: timedelta | None = None

    @property
    def members_since(self) -> datetime | None:
        """When the present members were first seen, None if no others were seen before."""
        return self.memberships[-1].first_seen if len(self.memberships) > 1 else None

    @property
    def members_before(self) -> tuple[str, ...]:
        """Who the members were before the present ones."""
        return self.memberships[-2].members if len(self.memberships) > 1 else ()


def remember(
    spells: Iterable[HealthSpell], memberships: Iterable[Membership], marks: Iterable[Mark], until: datetime
) -> Memory:
    """Put together what was known at an instant: a look as of then knows nothing of what the bot saw later."""
    return Memory(
        spells=tuple(
            replace(spell, last_seen=min(spell.last_seen, until)) for spell in spells if spell.first_seen <= until
        ),
        memberships=_joined(run for run in memberships if run.first_seen <= until),
        # What Argo CD told is on its clock, which may be ahead of ours.
        marks=tuple(mark for mark in marks if mark.at <= until or mark.kind in _OF_ARGO_CD),
    )


def _joined(runs: Iterable[Membership]) -> tuple[Membership, ...]:
    """Join runs of the same members, such as two bots or a dry run beside the real one may write."""
    joined: list[Membership] = []
    for run in runs:
        if joined and joined[-1].members == run.members:
            joined[-1] = replace(joined[-1], last_seen=max(joined[-1].last_seen, run.last_seen))
        else:
            joined.append(run)
    return tuple(joined)
