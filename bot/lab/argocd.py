"""A simulated Argo CD: applications that really read a Git repository, two lagging reconcilers, the real REST shape.

With a clock under control, call `tick()` after every change of the world or of the time: it plays all that is due.
With the machine's clock, `start()` (or `with lab:`) does so in a thread about ten times a second. Everything can be
made to go wrong: by `faults` on the wire, by the other methods in the world behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from starlette.types import ASGIApp

from bot.lab.argo.api import Account, ArgoApi, Tokens
from bot.lab.argo.controller import Controller
from bot.lab.argo.model import ConditionReport, HealthReport, ResourceName, Status, SyncRequest
from bot.lab.argo.operations import OperationScript, healthy_wave, post_sync_hook, pre_sync_hook
from bot.lab.argo.specification import ApplicationSpec, ArgoOptions, Source, SourceHydrator
from bot.lab.argo.streams import error_line
from bot.lab.argo.windows import SyncWindow, WindowKind
from bot.lab.cluster import Cluster
from bot.lab.faults import Faults
from bot.ports import Clock

__all__ = [
    "Account",
    "ApplicationSpec",
    "ArgoLab",
    "ArgoOptions",
    "OperationScript",
    "Source",
    "SourceHydrator",
    "Status",
    "healthy_wave",
    "post_sync_hook",
    "pre_sync_hook",
]

RefreshKind = Literal["normal", "hard"]
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
        self._controller = Controller(clock, cluster, repositories, chosen)
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
        self._api.streams.allow()
        self._thread = threading.Thread(target=self._run, name="lab-argocd", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, if there is one, and end all watch streams, so that the server can stop at once."""
        self._stopping.set()
        self._api.streams.end(new_ones_too=True)
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

    def add(self, spec: ApplicationSpec, *, adopted: bool = False) -> None:
        """Create an application; it is refreshed at the next tick.

        `adopted`: what it is to run runs already, so it is Synced without any operation or history.
        """
        self._controller.add(spec, adopted=adopted)

    def delete(self, name: str, *, takes: timedelta | None = None) -> None:
        """Delete an application, at once or `takes` after it shows a `deletionTimestamp`."""
        self._controller.delete(name, takes=takes)

    def rename(self, name: str, new_name: str) -> None:
        """Delete an application and make one of the same specification under another name."""
        spec = self._spec(name)
        self._controller.delete(name)
        self._controller.add(replace(spec, name=new_name))

    def relabel(self, name: str, labels: Mapping[str, str]) -> None:
        """Replace an application's labels: selectors see it at once."""
        self._controller.change(name, spec=replace(self._spec(name), labels=dict(labels)))

    def annotate(self, name: str, annotations: Mapping[str, str]) -> None:
        """Replace an application's annotations, such as `liftlock.dev/authorized-stage: checkout:production`."""
        self._controller.change(name, spec=replace(self._spec(name), annotations=dict(annotations)))

    def publish_chart(self, repo_url: str, chart: str, version: str) -> None:
        """Offer one more version of a chart in a Helm repository."""
        self._controller.publish_chart(repo_url, chart, version)

    def status(self, name: str) -> Status:
        """Return what the status says now; KeyError if there is no such application."""
        return self._controller.status(name)

    def sync(self, name: str, *, revision: str | None = None) -> None:
        """Sync by hand, as a person would in the UI; Refused while an operation is in progress."""
        asked = SyncRequest(requested_at=self._clock.now(), revision=revision, username="admin", prune=True)
        self._controller.request_sync(name, asked)

    def refresh(self, name: str, *, kind: RefreshKind = "normal") -> None:
        """Refresh by hand."""
        self._controller.refresh(name, kind)

    def refreshes(self, name: str) -> Sequence[str]:
        """Return the kinds of refresh (`normal`, `hard`) that were asked for through the API, oldest first."""
        return self._api.refreshes(name)

    def syncs(self, name: str) -> Sequence[SyncRequest]:
        """Return the syncs that were asked for through the API and accepted, oldest first."""
        return self._api.syncs(name)

    def hold_sync(self, name: str, *, tells_disabled: bool = False) -> None:
        """Turn automated sync off: changes in Git stay OutOfSync until somebody syncs.

        `tells_disabled`: the policy says `automated: {enabled: false}` (v3.1) and is not simply absent.
        """
        spec = replace(self._spec(name), automated=False, tells_disabled=tells_disabled)
        self._controller.respecify(name, spec)

    def resume_sync(self, name: str) -> None:
        """Turn automated sync on."""
        self._controller.respecify(name, replace(self._spec(name), automated=True))

    def track(self, name: str, target_revision: str) -> None:
        """Point an application at another branch, tag, commit or range of tags."""
        spec = replace(self._spec(name), target_revision=target_revision)
        self._controller.respecify(name, spec)

    def respecify(self, name: str, spec: ApplicationSpec) -> None:
        """Replace an application's specification, of the same name; it is refreshed at the next tick."""
        self._controller.respecify(name, spec)

    # --- sync windows -------------------------------------------------------------------------------------------------

    def block_sync(
        self,
        name: str,
        kind: WindowKind = "deny",
        schedule: str = "* * * * *",
        duration: str = "1h",
        *,
        manual_sync: bool = False,
    ) -> None:
        """Let one more sync window block an application: an active `deny`, or an `allow` that is not open now."""
        window = SyncWindow(kind=kind, schedule=schedule, duration=duration, manual_sync=manual_sync)
        self._controller.set_windows(name, (*self._controller.windows(name), window))

    def unblock_sync(self, name: str) -> None:
        """Take all sync windows away: what they held goes on."""
        self._controller.set_windows(name, ())

    # --- how operations go --------------------------------------------------------------------------------------------

    def script_next_sync(self, name: str, script: OperationScript) -> None:
        """Say how the next operation goes: its hooks and waves, failures, retries, the health meanwhile."""
        self._controller.change(name, script=script)

    def fail_next_sync(self, name: str, message: str) -> None:
        """Let the next operation end as Failed with a message."""
        self.script_next_sync(name, OperationScript(failure=message))

    def leave_unpruned(self, name: str, *resources: str) -> None:
        """Let resources such as `/Service/old` stand in the cluster but no longer in Git, until a sync that prunes."""
        found = tuple(ResourceName.parse(one) for one in resources)
        self._controller.change(name, leftovers=found)
        self._look_now(name)

    def drift(self, name: str, *resources: str) -> None:
        """Let resources be OutOfSync right after each sync, as with a defaulting webhook; none ends it."""
        found = tuple(ResourceName.parse(one) for one in resources)
        self._controller.change(name, drifting=found)
        self._look_now(name)

    # --- the hydrator -------------------------------------------------------------------------------------------------

    def hold_hydration(self, name: str) -> None:
        """Leave hydrations as Hydrating, for all applications that share the branch, until `resume_hydration`."""
        self._controller.change(name, hydration_held=True)

    def fail_hydration(self, name: str, message: str) -> None:
        """Let hydrations fail with a message until `resume_hydration`."""
        self._controller.change(name, hydration_failure=message)

    def resume_hydration(self, name: str) -> None:
        """Let hydrations go on: one that is held ends, one that failed is tried again at once."""
        changes = {"hydration_held": False, "hydration_failure": "", "hydration_asked": True}
        now = self._clock.now()
        self._controller.change(name, **changes, refresh_at=now, wakes_at=now)

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
        report = HealthReport(status=health, message=message)
        self._controller.change(name, forced_health=report, health_to_come=())
        self._look_now(name)

    def suspend(self, name: str) -> None:
        """Make the health Suspended, as with a paused rollout."""
        self.set_health(name, "Suspended")

    def flap(self, name: str, *changes: tuple[timedelta, str, str]) -> None:
        """Change the health by a script of (how long after the last, health, message); no health: as in the cluster."""
        at = self._clock.now()
        script: list[tuple[datetime, HealthReport | None]] = []
        for after, health, message in changes:
            at += after
            script.append((at, HealthReport(status=health, message=message) if health else None))
        self._controller.change(name, health_to_come=tuple(script))

    def clear_health(self, name: str) -> None:
        """Let the cluster decide on the health again, and refresh."""
        self._controller.change(name, forced_health=None, health_to_come=())
        self._look_now(name)

    def freeze(self, name: str, *, until_hard_refresh: bool = False) -> None:
        """Stop the controller for one application: its status gets stale, until `thaw` or a hard refresh."""
        self._controller.freeze(name, frozen=True, until_hard_refresh=until_hard_refresh)

    def thaw(self, name: str) -> None:
        """Undo `freeze`."""
        self._controller.freeze(name, frozen=False)

    def set_condition(self, name: str, kind: str, message: str) -> None:
        """Show one condition from now on (`ComparisonError` makes the sync status Unknown), and refresh."""
        condition = ConditionReport(type=kind, message=message, since=self._clock.now())
        self._controller.change(name, forced_conditions=(condition,))
        self._look_now(name)

    def clear_conditions(self, name: str) -> None:
        """Show no injected condition any more, and refresh."""
        self._controller.change(name, forced_conditions=())
        self._look_now(name)

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

    # --- the watch streams --------------------------------------------------------------------------------------------

    def open_streams(self) -> int:
        """Return how many watch streams are open."""
        return len(self._api.streams.feeds())

    def end_streams(self) -> None:
        """Close the open watch streams."""
        self._api.streams.end(new_ones_too=False)

    def restart(self) -> None:
        """Restart the server: the streams end, what was stored stays."""
        self.end_streams()

    def silence_streams(self) -> None:
        """Let the open watch streams, and new ones until `unsilence_streams`, stay open without a word."""
        self._api.streams.silence()

    def unsilence_streams(self) -> None:
        """Let new streams speak again. Those that were silenced stay so: only a new connection helps."""
        self._api.streams.unsilence()

    def lose_events(self, count: int) -> None:
        """Keep the next events from every open stream, as Argo CD does with a watcher whose queue is full."""
        for feed in self._api.streams.feeds():
            feed.lose(count)

    def cut_streams(self) -> None:
        """Send half of the next event on every open stream, then end it."""
        for feed in self._api.streams.feeds():
            feed.cut_next()

    def send_on_streams(self, line: bytes) -> None:
        """Send a line as it is on every open stream: malformed JSON, or JSON of another shape."""
        for feed in self._api.streams.feeds():
            feed.say((line,))

    def fail_streams(self, message: str, *, code: int = 14, status: int = 503) -> None:
        """Send an `error` on every open stream, then end it."""
        for feed in self._api.streams.feeds():
            feed.say((error_line(code, status, message),))
            feed.end()

    def _look_now(self, name: str) -> None:
        """Refresh, unless the application is frozen: nobody asked for it."""
        self._controller.look(name)

    def _spec(self, name: str) -> ApplicationSpec:
        return next(spec for spec in self._controller.specs() if spec.name == name)
