"""A simulated cluster: which release runs in which namespace since when, how it behaves, and what its counters say.

Every answer is a pure function of the timeline of deployments and behaviours, so the past can be asked as well as the
present. A rolling update is played as the real one: the old pods serve until the new ones are ready, and go on serving
if the new ones crash before they ever are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from bot.lab.counters import Labels, Piece, Run, Sample, growth, samples_of, sum_by_series
from bot.ports import Clock

_EVER = datetime.min.replace(tzinfo=UTC)

Health = Literal["Missing", "Progressing", "Healthy", "Degraded"]
_WORST_FIRST: tuple[Health, ...] = ("Degraded", "Progressing", "Healthy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a release behaves. Ratios are shares of 1.

    `start_after` is how long a rollout takes. `slow_ratio` of the requests take `slow_seconds`. What is bad about a
    release (errors, slowness, crashing, silence) begins `error_after` its first request; a release that crashes from
    the start never becomes ready.
    """

    requests_per_second: float = 20.0
    error_ratio: float = 0.0
    slow_ratio: float = 0.0
    slow_seconds: float = 2.0
    crashing: bool = False
    silent: bool = False
    error_after: timedelta = timedelta(0)
    start_after: timedelta = timedelta(seconds=1)

    @property
    def fails_to_start(self) -> bool:
        """Whether the pods never become ready."""
        return self.crashing and not self.error_after

    def before_it_goes_bad(self) -> Behaviour:
        """Return the same traffic with nothing bad about it."""
        return replace(self, error_ratio=0.0, slow_ratio=0.0, crashing=False, silent=False)


GOOD = Behaviour()


def slow(ratio: float, *, seconds: float = 2.0) -> Behaviour:
    """Return a behaviour where a share of the requests takes `seconds`."""
    return Behaviour(slow_ratio=ratio, slow_seconds=seconds)


def failing(ratio: float, *, after: timedelta = timedelta(0)) -> Behaviour:
    """Return a behaviour where a share of the requests fails, from `after` the start on."""
    return Behaviour(error_ratio=ratio, error_after=after)


def crashing(*, after: timedelta = timedelta(0)) -> Behaviour:
    """Return a behaviour where the pods crash, from `after` the start on (zero: they never become ready)."""
    return Behaviour(crashing=True, error_after=after)


def silent() -> Behaviour:
    """Return a behaviour where the pods run and expose no metrics at all."""
    return Behaviour(silent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """From `at` on, the workload of `image` in `namespace` is being rolled to `tag`."""

    namespace: str
    image: str
    tag: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """From `since` on a release behaves so; `namespace` None means everywhere that has nothing of its own."""

    image: str
    tag: str
    namespace: str | None
    since: datetime
    behaviour: Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A stretch of time in which pods of a deployment existed and behaved in one way."""

    start: datetime
    end: datetime | None
    behaviour: Behaviour


class Cluster:
    """Deployments and behaviours over time. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._deployments: list[Deployment] = []
        self._changes: list[_Change] = []

    def now(self) -> datetime:
        """Return the cluster's present instant."""
        return self._clock.now()

    def behave(self, image: str, tag: str, behaviour: Behaviour, namespace: str | None = None) -> None:
        """Say how a release behaves: from the start if it was not deployed yet, else from now on."""
        now = self._clock.now()
        with self._lock:
            deployed = any((d.image, d.tag) == (image, tag) for d in self._deployments)
            since = now if deployed else _EVER
            self._changes.append(_Change(image=image, tag=tag, namespace=namespace, since=since, behaviour=behaviour))

    def deploy(self, namespace: str, image: str, tag: str, at: datetime | None = None) -> None:
        """Roll the workload of `image` to `tag`. Deploying what is deployed already changes nothing."""
        deployment = Deployment(namespace=namespace, image=image, tag=tag, at=at or self._clock.now())
        with self._lock:
            current = _latest(self._deployments, namespace, image, deployment.at)
            if current is None or current.tag != tag:
                self._deployments.append(deployment)
                self._deployments.sort(key=lambda one: one.at)

    def deployments(self, namespace: str) -> Sequence[Deployment]:
        """Return all deployments to a namespace, oldest first."""
        with self._lock:
            return tuple(d for d in self._deployments if d.namespace == namespace)

    def health(self, namespace: str, image: str | None = None, at: datetime | None = None) -> Health:
        """Return what a controller that looked now would report: the worst of the namespace's (or one) workload."""
        instant = at or self._clock.now()
        with self._lock:
            images = {d.image for d in self._deployments if d.namespace == namespace and image in {None, d.image}}
            latest = [_latest(self._deployments, namespace, one, instant) for one in sorted(images)]
            seen = {self._health_of(deployment, instant) for deployment in latest if deployment is not None}
        return next((word for word in _WORST_FIRST if word in seen), "Missing")

    def running(self, namespace: str, at: datetime | None = None) -> Sequence[Deployment]:
        """Return the deployments that have pods: the newest of each workload, and the one it has not replaced yet."""
        instant = at or self._clock.now()
        with self._lock:
            images = sorted({d.image for d in self._deployments if d.namespace == namespace})
            newest = [_latest(self._deployments, namespace, image, instant) for image in images]
            serving = [
                deployment
                for image in images
                for deployment, start, end in self._served(namespace, image)
                if start <= instant and (end is None or instant < end)
            ]
        return tuple(dict.fromkeys([deployment for deployment in newest if deployment is not None] + serving))

    def samples(self, at: datetime | None = None) -> Sequence[Sample]:
        """Return all series that the pods running at an instant expose."""
        instant = at or self._clock.now()
        runs = [run for run in self.runs() if run.is_running(instant)]
        return sum_by_series(sample for run in runs for sample in samples_of(run, instant))

    def growth(self, metric: str, after: datetime, until: datetime) -> Mapping[Labels, float]:
        """Return each series' exact increase over `(after, until]`; series absent from the window do not appear."""
        return growth(self.runs(), metric, after, until)

    def runs(self) -> Sequence[Run]:
        """Return the lives of all pods that ever exposed metrics."""
        with self._lock:
            workloads = sorted({(d.namespace, d.image) for d in self._deployments})
            return tuple(run for namespace, image in workloads for run in self._runs_of(namespace, image))

    def _health_of(self, deployment: Deployment, at: datetime) -> Health:
        ready = self._ready_at(deployment)
        if ready is None or at < ready:
            rolled_by = deployment.at + self._behaviour(deployment, deployment.at).start_after
            return "Progressing" if at < rolled_by else "Degraded"
        stretches = self._stretches(deployment, ready, None)
        present = next((s for s in stretches if s.start <= at and (s.end is None or at < s.end)), None)
        return "Degraded" if present is not None and present.behaviour.crashing else "Healthy"

    def _runs_of(self, namespace: str, image: str) -> Iterator[Run]:
        for deployment, start, end in self._served(namespace, image):
            for pieces in _exposed(self._stretches(deployment, start, end)):
                yield Run(
                    namespace=namespace, service=image.rsplit("/", 1)[-1], version=deployment.tag, pieces=tuple(pieces)
                )

    def _served(self, namespace: str, image: str) -> Iterator[tuple[Deployment, datetime, datetime | None]]:
        """Yield which deployment's pods served from when to when."""
        rolled = [d for d in self._deployments if (d.namespace, d.image) == (namespace, image)]
        ready: list[tuple[Deployment, datetime]] = []
        for deployment, successor in pairwise([*rolled, None]):
            instant = self._ready_at(deployment) if deployment else None
            replaced = successor is not None and instant is not None and successor.at <= instant
            if deployment is not None and instant is not None and not replaced:
                ready.append((deployment, instant))
        ends: list[datetime | None] = [instant for _, instant in ready[1:]]
        for (deployment, start), end in zip(ready, [*ends, None], strict=False):
            yield deployment, start, end

    def _ready_at(self, deployment: Deployment) -> datetime | None:
        """Return when the pods first take traffic; None if they crash from the start and were never mended."""
        rolled = deployment.at + self._behaviour(deployment, deployment.at).start_after
        mended = sorted(instant for instant in self._turns(deployment) if instant > rolled)
        starts = (at for at in [rolled, *mended] if not self._behaviour(deployment, at).fails_to_start)
        return next(starts, None)

    def _turns(self, deployment: Deployment) -> set[datetime]:
        return {c.since for c in self._changes if (c.image, c.tag) == (deployment.image, deployment.tag)}

    def _stretches(self, deployment: Deployment, start: datetime, end: datetime | None) -> Iterator[_Stretch]:
        turns = self._turns(deployment)
        inner = sorted(instant for instant in turns if instant > start and (end is None or instant < end))
        for begin, stop in pairwise([start, *inner, end]):
            if begin is not None:
                yield from _split(self._behaviour(deployment, begin), begin, stop)

    def _behaviour(self, deployment: Deployment, at: datetime) -> Behaviour:
        release = (deployment.image, deployment.tag)
        told = [c for c in self._changes if (c.image, c.tag) == release and c.since <= at]
        own = [change for change in told if change.namespace == deployment.namespace]
        everywhere = [change for change in told if change.namespace is None]
        chosen = max(own or everywhere, key=lambda change: change.since, default=None)
        if chosen is None:
            return GOOD
        same = [change for change in own or everywhere if change.since == chosen.since]
        return same[-1].behaviour


def _latest(deployments: Iterable[Deployment], namespace: str, image: str, at: datetime) -> Deployment | None:
    mine = [d for d in deployments if (d.namespace, d.image) == (namespace, image) and d.at <= at]
    return mine[-1] if mine else None


def _split(behaviour: Behaviour, start: datetime, end: datetime | None) -> Iterator[_Stretch]:
    turn = start + behaviour.error_after
    if not behaviour.error_after:
        yield _Stretch(start=start, end=end, behaviour=behaviour)
    elif end is not None and turn >= end:
        yield _Stretch(start=start, end=end, behaviour=behaviour.before_it_goes_bad())
    else:
        yield _Stretch(start=start, end=turn, behaviour=behaviour.before_it_goes_bad())
        yield _Stretch(start=turn, end=end, behaviour=behaviour)


def _exposed(stretches: Iterable[_Stretch]) -> Iterator[list[Piece]]:
    """Yield the pieces between crashes and silences: what comes after one is a new process with new counters."""
    pieces: list[Piece] = []
    for stretch in stretches:
        if stretch.behaviour.crashing or stretch.behaviour.silent:
            if pieces:
                yield pieces
            pieces = []
        else:
            pieces.append(_piece(stretch))
    if pieces:
        yield pieces


def _piece(stretch: _Stretch) -> Piece:
    behaviour = stretch.behaviour
    return Piece(
        start=stretch.start,
        end=stretch.end,
        requests_per_second=behaviour.requests_per_second,
        error_ratio=behaviour.error_ratio,
        slow_ratio=behaviour.slow_ratio,
        slow_seconds=behaviour.slow_seconds,
    )
