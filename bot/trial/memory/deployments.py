"""Argo CD in memory: the port `Deployments` over applications that are set from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.argo import Application, NoApplication, Operation, SelectedApplications, Target
from bot.domain.model import Sha, Trouble
from bot.ports import Clock, SyncOrder


@dataclass
class MemoryDeployments:
    """Applications by name; `members` are those of a selector, by the selector's text. `sync` makes one live."""

    clock: Clock
    applications: dict[str, Application | NoApplication | Trouble] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    refreshed: list[str] = field(default_factory=list)
    syncs: list[tuple[str, SyncOrder]] = field(default_factory=list)

    def sync(self, name: str, revision: Sha, image: str, *, health: str = "Healthy") -> None:
        """Let Argo CD sync an application, see the result and judge it, all at this instant."""
        now = self.clock.now()
        operation = Operation(phase="Succeeded", revisions=(revision,), started_at=now, finished_at=now)
        self.applications[name] = Application(
            name=name,
            sync="Synced",
            health=health,
            revisions=(revision,),
            operation=operation,
            reconciled_at=now + timedelta(seconds=1),
            health_since=now,
            images=(image,),
        )

    # --- the port ---

    def find_applications(
        self, targets: Sequence[Target], *, repository: str, branch: str
    ) -> Mapping[Target, tuple[Application | NoApplication | Trouble, ...]]:
        """Return the applications of each target."""
        return {target: tuple(self._find(target)) for target in targets}

    def _find(self, target: Target) -> Iterator[Application | NoApplication | Trouble]:
        names = self.members.get(target.shown, []) if isinstance(target, SelectedApplications) else [target.shown]
        for name in names:
            yield self.applications.get(name, NoApplication(name=name))
        if not names:
            yield NoApplication(name=target.shown, is_selector=True)

    def ask_refresh(self, application: str, *, hard: bool) -> None:
        """Note what was asked for."""
        self.refreshed.append(f"{application} (hard)" if hard else application)

    def why_blocked(self, application: str, *, automated: bool) -> str:
        """Return why a sync window lets no sync begin now."""
        return self.blocked.get(application, "")

    def start_sync(self, application: str, order: SyncOrder) -> None:
        """Note the order to sync."""
        self.syncs.append((application, order))
