"""A simulated Argo CD: applications that really read a Git repository, two lagging reconcilers, the real REST shape.

With a clock under control, call `tick()` after every change of the world or of the time: it plays all that is due.
With the machine's clock, `start()` (or `with lab:`) does so in a thread about ten times a second. Everything can be
made to go wrong: by `faults` on the wire, by the other methods in the world behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp

from bot.lab.argo.api import Account, ArgoApi, Tokens
from bot.lab.argo.controller import Controller
from bot.lab.argo.manifests import ManifestReader
from bot.lab.argo.model import ApplicationSpec, ArgoOptions, ConditionReport, HealthReport, Status, SyncRequest
from bot.lab.cluster import Cluster
from bot.lab.faults import Faults
from bot.ports import Clock

__all__ = ["Account", "ApplicationSpec", "ArgoLab", "ArgoOptions", "Status"]

DEFAULT_TOKEN = "lab-argocd-token"  # noqa: S105 (the lab's own, worth nothing outside of it)
_TICK_SECONDS = 0.1


class ArgoLab:
    """The server: serve `app`; `repositories` maps `owner/name` to a bare repository's directory."""

    def __init__(
        self,
        clock: Clock,
        cluster: Cluster,
        repositories: Callable[[str], Path],
        options: ArgoOptions | None = None,
        *,
        token: str = DEFAULT_TOKEN,
    ) -> None:
        self._clock = clock
        chosen = options or ArgoOptions()
        self._controller = Controller(clock, cluster, ManifestReader(repositories), chosen)
        self._tokens = Tokens({token: Account(username="liftlock")})
        self._api = ArgoApi(clock, self._controller, self._tokens, chosen)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.token = token
        self.faults = Faults()
        self.app: ASGIApp = self.faults.wrap(self._api.application())

    # --- running ------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Play everything that is due by now."""
        self._controller.tick()

    def start(self) -> None:
        """Tick in a thread until `stop`."""
        if self._thread is not None:
            raise RuntimeError("the simulated Argo CD runs already")
        self._stopping.clear()
        self._api.allow_streams()
        self._thread = threading.Thread(target=self._run, name="lab-argocd", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, if there is one, and end all watch streams, so that the server can stop at once."""
        self._stopping.set()
        self._api.close_streams()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._controller.tick()
            self._stopping.wait(_TICK_SECONDS)

    # --- applications -------------------------------------------------------------------------------------------------

    def add(self, spec: ApplicationSpec) -> None:
        """Create an application; it is refreshed at the next tick."""
        self._controller.add(spec)

    def delete(self, name: str) -> None:
        """Delete an application."""
        self._controller.delete(name)

    def status(self, name: str) -> Status:
        """Return what the status says now; KeyError if there is no such application."""
        return self._controller.status(name)

    def sync(self, name: str, *, revision: str | None = None) -> None:
        """Sync by hand, as a person would in the UI; Refused while an operation is in progress."""
        asked = SyncRequest(requested_at=self._clock.now(), revision=revision, username="admin", prune=True)
        self._controller.request_sync(name, asked)

    def refresh(self, name: str) -> None:
        """Refresh by hand."""
        self._controller.refresh(name, "normal")

    def hold_sync(self, name: str) -> None:
        """Turn automated sync off: changes in Git stay OutOfSync until somebody syncs."""
        self._respecify(name, automated=False)

    def resume_sync(self, name: str) -> None:
        """Turn automated sync on."""
        self._respecify(name, automated=True)

    def track(self, name: str, target_revision: str) -> None:
        """Point an application at another branch, tag or commit."""
        spec = replace(self._spec(name), target_revision=target_revision)
        self._controller.respecify(name, spec)

    # --- accounts -----------------------------------------------------------------------------------------------------

    def grant(self, token: str, username: str, *, projects: Iterable[str] | None = None, may_sync: bool = True) -> None:
        """Accept one more token; `projects` None means all of them."""
        seen = None if projects is None else frozenset(projects)
        self._tokens.accounts[token] = Account(username=username, projects=seen, may_sync=may_sync)

    def revoke(self, token: str) -> None:
        """Accept a token no longer."""
        self._tokens.accounts.pop(token, None)

    # --- what goes wrong in the world ---------------------------------------------------------------------------------

    def set_health(self, name: str, health: str, message: str = "") -> None:
        """Make the health what is told here from now on, whatever the cluster says, and refresh."""
        self._controller.change(name, forced_health=HealthReport(status=health, message=message))
        self._controller.refresh(name, "normal")

    def suspend(self, name: str) -> None:
        """Make the health Suspended, as with a paused rollout."""
        self.set_health(name, "Suspended")

    def clear_health(self, name: str) -> None:
        """Let the cluster decide on the health again, and refresh."""
        self._controller.change(name, forced_health=None)
        self._controller.refresh(name, "normal")

    def freeze(self, name: str) -> None:
        """Stop the controller for one application: its status gets stale."""
        self._controller.freeze(name, frozen=True)

    def thaw(self, name: str) -> None:
        """Undo `freeze`."""
        self._controller.freeze(name, frozen=False)

    def set_condition(self, name: str, kind: str, message: str) -> None:
        """Show one condition from now on (`ComparisonError` makes the sync status Unknown), and refresh."""
        condition = ConditionReport(type=kind, message=message, since=self._now())
        self._controller.change(name, forced_conditions=(condition,))
        self._controller.refresh(name, "normal")

    def clear_conditions(self, name: str) -> None:
        """Show no injected condition any more, and refresh."""
        self._controller.change(name, forced_conditions=())
        self._controller.refresh(name, "normal")

    def fail_next_sync(self, name: str, message: str) -> None:
        """Let the next operation end as Failed with a message."""
        self._controller.change(name, next_failure=message)

    # --- what goes wrong on the wire ----------------------------------------------------------------------------------

    def fail_next(self, path_pattern: str, status: int, times: int = 1) -> None:
        """Answer the next matching requests with a status and Argo CD's error body; see `faults` for more."""
        body = '{"error":"injected by the lab","code":2,"message":"injected by the lab"}'
        self.faults.fail_next(
            path_pattern, status, body=body, times=times, headers={"content-type": "application/json"}
        )

    def hang(self, path_pattern: str = "") -> None:
        """Leave matching requests without an answer until `release`."""
        self.faults.hang(path_pattern)

    def release(self) -> None:
        """Let waiting requests go on."""
        self.faults.release()

    def end_streams(self) -> None:
        """Close the open watch streams."""
        self._api.end_streams()

    def _now(self) -> datetime:
        return self._clock.now()

    def _spec(self, name: str) -> ApplicationSpec:
        return next(spec for spec in self._controller.specs() if spec.name == name)

    def _respecify(self, name: str, *, automated: bool) -> None:
        self._controller.respecify(name, replace(self._spec(name), automated=automated))
