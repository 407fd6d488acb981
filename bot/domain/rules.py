"""The gate kinds as frozen values: what each asks of Prometheus, and what it must not find.

A rule is a gate in a health window and a trigger in a watch. One in the shadow is judged and shown, and never decides:
for trying it out. Which module of `bot.domain.gates` judges a kind stands in its `kind`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from bot.domain.queries import Query
from bot.domain.statistics import EFFECT_POINTS, EFFECT_TIMES


class Counts(StrEnum):
    """What a gate's first query counts: bad events, or good ones (a latency bucket counts requests that were fast)."""

    BAD = "bad"
    GOOD = "good"


class Accept(StrEnum):
    """What a gate that counts takes for healthy at the end of its window.

    `proven`: the share is shown to be below the limit. `not-shown-bad`: no alarm is enough, however little was counted,
    but never nothing.
    """

    PROVEN = "proven"
    NOT_SHOWN_BAD = "not-shown-bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A query of a gate. `back` is how much earlier than the gate's own tiles its tiles are: a look into the past."""

    query: Query
    back: timedelta = timedelta(0)


Asks = Mapping[str, Ask]
"""The queries of a gate by their role."""

NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountGate:
    """A share of bad events must stay below `limit`.

    `query` counts what `counts` says, `total` counts all. `floor` is the least number of events that can prove it, None
    for the rule of three. `buckets` selects the histogram whose bounds are named where no bucket matches.
    """

    name: str
    template: str
    title: str
    limit: float
    counts: Counts
    query: Query
    total: Query
    tile: timedelta
    floor: float | None = None
    accept: Accept = Accept.PROVEN
    buckets: Query | None = None
    is_shadow: bool = False
    kind: Literal["counts"] = "counts"

    @property
    def asks(self) -> Asks:
        """The queries by role: `counted` and `total`."""
        return {"counted": Ask(query=self.query), "total": Ask(query=self.total)}

    @property
    def reach(self) -> timedelta:
        """How long before the release it must look, to tell what began before."""
        return NO_TIME


class Side(StrEnum):
    """On which side of its bound a value is bad."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueGate:
    """A value must not be beyond `bound` in `bad_tiles` of `of_tiles` successive tiles, nor once beyond `hard`.

    With `is_sum` the values are events of their tiles, and their sum over the window must not be above `bound`. `alive`
    is a query that has data whenever the source is measured: where it has, no series means 0. Without it no series is
    no data.
    """

    name: str
    template: str
    title: str
    query: Query
    bound: float
    side: Side
    tile: timedelta
    bad_tiles: int = 3
    of_tiles: int = 5
    hard: float | None = None
    is_sum: bool = False
    alive: Query | None = None
    is_shadow: bool = False
    kind: Literal["values"] = "values"

    @property
    def asks(self) -> Asks:
        """The queries by role: `value`, and `alive` where there is one."""
        asks = {"value": Ask(query=self.query)}
        return asks if self.alive is None else asks | {"alive": Ask(query=self.alive)}

    @property
    def reach(self) -> timedelta:
        """How long before the release it must look, to tell what began before."""
        return NO_TIME if self.is_sum else self.tile * self.of_tiles


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineGate:
    """A share of bad events must not be worse than that of a baseline at the same time.

    Worse is more than `times` the baseline's share and more than `points` (a share of 1) above it. `past` is how long
    ago the baseline was measured: then it is the same series, and the comparison is weak. `base_stage` is the stage
    that is the baseline, None for other series: one that has this release, too, is no baseline.
    """

    name: str
    template: str
    title: str
    counts: Counts
    query: Query
    total: Query
    base_query: Query
    base_total: Query
    base: str
    tile: timedelta
    base_stage: str | None = None
    times: float = EFFECT_TIMES
    points: float = EFFECT_POINTS
    past: timedelta = NO_TIME
    buckets: Query | None = None
    is_shadow: bool = False
    kind: Literal["baseline"] = "baseline"

    @property
    def asks(self) -> Asks:
        """The queries by role: `counted` and `total`, and the same of the baseline."""
        return {
            "counted": Ask(query=self.query),
            "total": Ask(query=self.total),
            "base counted": Ask(query=self.base_query, back=self.past),
            "base total": Ask(query=self.base_total, back=self.past),
        }

    @property
    def reach(self) -> timedelta:
        """How long before the release it must look, to tell what began before."""
        return NO_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnWindow:
    """It burns when the error budget is spent `factor` times too fast in the `long` and in the `short` window."""

    long: timedelta
    short: timedelta
    factor: float


BURN_WINDOWS = (
    BurnWindow(long=timedelta(hours=1), short=timedelta(minutes=5), factor=14.4),
    BurnWindow(long=timedelta(hours=6), short=timedelta(minutes=30), factor=6.0),
)
"""Fast and slow: 2 % of a month's budget in an hour, 5 % in six hours (Site Reliability Workbook, chapter 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRateGate:
    """The error budget of `objective` (a share of 1, such as 0.999) must not burn in any of `windows`.

    Windows reach no further back than the release. `least_bad` is the least number of bad events in the long window.
    """

    name: str
    template: str
    title: str
    objective: float
    counts: Counts
    query: Query
    total: Query
    tile: timedelta
    windows: tuple[BurnWindow, ...] = BURN_WINDOWS
    least_bad: float = 10.0
    buckets: Query | None = None
    is_shadow: bool = False
    kind: Literal["burn-rate"] = "burn-rate"

    @property
    def asks(self) -> Asks:
        """The queries by role: `counted` and `total`."""
        return {"counted": Ask(query=self.query), "total": Ask(query=self.total)}

    @property
    def reach(self) -> timedelta:
        """How long before the release it must look, to tell what began before."""
        return max(window.long for window in self.windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakGate:
    """The release must have been live for the whole window: plain time, which measures nothing."""

    name: str
    is_shadow: bool = False
    title: str = "the release has been live for the whole window"
    kind: Literal["soak"] = "soak"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoHealthyGate:
    """Every application of the stage is live and stays Healthy for the whole window.

    `history` asks Prometheus, for each application, how often it was seen ill: that knows what happened while the bot
    was down. `of_members` is the same question, open for the names of applications that a selector finds. An
    application that is OutOfSync after its sync is reported, and unhealthy only with `must_be_synced`.
    """

    name: str
    is_shadow: bool = False
    title: str = "Argo CD reports every application synced and Healthy"
    history: tuple[Query, ...] = ()
    of_members: Query | None = None
    must_be_synced: bool = False
    tile: timedelta = timedelta(minutes=1)
    kind: Literal["argocd-healthy"] = "argocd-healthy"

    def with_members(self, names: Iterable[str]) -> ArgoHealthyGate:
        """Return the gate that asks for these applications, too."""
        if self.of_members is None:
            return self
        asked = (self.of_members.of_labels(name=name) for name in sorted(set(names)))
        return replace(self, history=tuple(dict.fromkeys([*self.history, *asked])))

    @property
    def asks(self) -> Asks:
        """The queries by role: one for each application."""
        return {f"ill {number}": Ask(query=query) for number, query in enumerate(self.history)}

    @property
    def reach(self) -> timedelta:
        """How long before the release it must look, to tell what began before."""
        return NO_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedTrigger:
    """An application of the stage has been Degraded for `lasting` or longer."""

    name: str
    lasting: timedelta
    is_shadow: bool = False
    title: str = "Argo CD reports an application Degraded"
    kind: Literal["argocd-degraded"] = "argocd-degraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFailedTrigger:
    """Argo CD could not sync an application to the release, `lasting` or longer after it knew of it."""

    name: str
    lasting: timedelta
    is_shadow: bool = False
    title: str = "Argo CD cannot sync an application to the release"
    kind: Literal["argocd-sync-failed"] = "argocd-sync-failed"


MeasuredRule = CountGate | ValueGate | BaselineGate | BurnRateGate
"""What Prometheus measures and what may be a gate as well as a trigger."""
Gate = MeasuredRule | SoakGate | ArgoHealthyGate
Trigger = MeasuredRule | DegradedTrigger | SyncFailedTrigger
