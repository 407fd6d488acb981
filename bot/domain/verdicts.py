"""What a gate answers, the numbers behind it, and how the answers of a stage become one (nowhere else).

| any unhealthy | any cannot tell | any no data | any not yet | none given | combined    |
|---------------|-----------------|-------------|-------------|------------|-------------|
| yes           | *               | *           | *           | no         | unhealthy   |
| no            | yes             | *           | *           | no         | cannot tell |
| no            | no              | yes         | *           | no         | no data     |
| no            | no              | no          | yes         | no         | not yet     |
| no            | no              | no          | no          | no         | healthy     |
| -             | -               | -           | -           | yes        | no data     |

Verdicts in the shadow are left out: where all are in the shadow, none is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

SCRAPES_IN_A_TILE = 4
"""How many scrapes a tile should hold."""


class VerdictKind(StrEnum):
    """A gate's answer. Only `healthy` promotes, only `unhealthy` reverts; the other three wait."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NOT_YET = "not yet"
    NO_DATA = "no data"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Several tiles together, for people to see how counts went: `total` is None where none of them was measured."""

    start: datetime
    end: datetime
    bad: float | None
    total: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What every measurement says of itself: window, tiles of width `tile`, exact queries, backend.

    `newest_…` are of the newest stretch that is as long as the proof, `lately_absent` of the newest five tiles. Each
    query is evaluated at the end of every tile. `lag` is how old a tile must be before it is read, `scrape` how often
    the backend scrapes, None where it does not tell.
    """

    window_start: datetime
    window_end: datetime
    seen_until: datetime
    tile: timedelta
    tiles_present: int
    tiles_expected: int
    newest_present: int
    newest_expected: int
    lately_absent: int
    queries: tuple[str, ...]
    backend: str
    lag: timedelta
    scrape: timedelta | None = None

    @property
    def is_coarse(self) -> bool:
        """Whether fewer than four scrapes fit into a tile: then a single one that is lost changes the counts."""
        return self.scrape is not None and self.tile < SCRAPES_IN_A_TILE * self.scrape


@dataclass(frozen=True, slots=True, kw_only=True)
class CountEvidence:
    """The numbers behind a verdict on counts. Ratios are shares of 1; `e_value` is dimensionless, its bar is `alarm`.

    `upper_bound` is the one-sided 95 % upper confidence bound of the bad share, None with no events. `course` has at
    most some two dozen slices, from the first tile to the last.
    """

    measured: Measured
    bad: float
    total: float
    limit: float
    floor: float
    upper_bound: float | None
    e_value: float
    alarm: float
    dispersion: float
    course: tuple[Slice, ...] = ()
    kind: Literal["counts"] = "counts"

    @property
    def is_proven(self) -> bool:
        """Whether enough was counted, and the bound is below the limit."""
        return self.total >= self.floor and self.upper_bound is not None and self.upper_bound < self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueEvidence:
    """The numbers behind a verdict on values: the newest one, the worst, how many tiles were beyond the bound.

    With `is_sum`, `last` is the sum over the window. `course` holds the tiles' values, put together as the worst of
    each slice, None where nothing was measured.
    """

    measured: Measured
    last: float | None
    worst: float | None
    bound: float
    side: str
    is_sum: bool
    tiles_beyond: int
    course: tuple[float | None, ...] = ()
    kind: Literal["values"] = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineEvidence:
    """The counts of the new release and of its baseline, the share that is tolerated, and the e-value of the excess.

    Shares are shares of 1. `upper_bound` is the one-sided 95 % upper confidence bound of the new release's share.
    """

    measured: Measured
    base: str
    bad: float
    total: float
    base_bad: float
    base_total: float
    tolerated: float | None
    upper_bound: float | None
    e_value: float
    alarm: float
    course: tuple[Slice, ...] = ()
    kind: Literal["baseline"] = "baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast the error budget is spent in one pair of windows, as multiples of the rate that just spends it.

    `covered` is how much of the long window the release has lived through. A rate is None without traffic.
    """

    long: timedelta
    short: timedelta
    covered: timedelta
    factor: float
    long_rate: float | None
    short_rate: float | None
    before: float | None
    bad: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnEvidence:
    """The numbers behind a verdict on burn rates: `objective` is a share of 1, the counts are in all."""

    measured: Measured
    objective: float
    bad: float
    total: float
    upper_bound: float | None
    burns: tuple[Burn, ...]
    course: tuple[Slice, ...] = ()
    kind: Literal["burn-rate"] = "burn-rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationEvidence:
    """What Argo CD said, one sentence an application."""

    sentences: tuple[str, ...]
    kind: Literal["applications"] = "applications"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactEvidence:
    """What was asked of the artifact and what was found, a line each: who signed, of what source, in which log.

    `rule` is the kind of rule that asked: `signature`, `provenance`, `attestation` or `build`.
    """

    expected: tuple[str, ...]
    found: tuple[str, ...]
    rule: str = ""
    kind: Literal["artifact"] = "artifact"


MeasuredEvidence = CountEvidence | ValueEvidence | BaselineEvidence | BurnEvidence
Evidence = MeasuredEvidence | ApplicationEvidence | ArtifactEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's (or trigger's) answer with one sentence of reason, what would change it, and the evidence.

    One in the shadow is shown and never decides. `began_before` says of an *unhealthy* one that it was so before the
    release came: a person is told, and nothing is taken back.
    """

    gate: str
    kind: VerdictKind
    reason: str
    would_change: str = ""
    evidence: Evidence | None = None
    is_shadow: bool = False
    began_before: bool = False


WORST_FIRST = (
    VerdictKind.UNHEALTHY,
    VerdictKind.CANNOT_TELL,
    VerdictKind.NO_DATA,
    VerdictKind.NOT_YET,
    VerdictKind.HEALTHY,
)


def combine(verdicts: Sequence[Verdict]) -> VerdictKind:
    """Return the worst kind of those that decide; none at all prove nothing and are `no data`."""
    return min((verdict.kind for verdict in deciding(verdicts)), key=WORST_FIRST.index, default=VerdictKind.NO_DATA)


def deciding(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts that are not in the shadow."""
    return tuple(verdict for verdict in verdicts if not verdict.is_shadow)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the first of the verdicts that decide the combined kind; ValueError if there are none.

    Where all are in the shadow, the worst of them is what there is to say.
    """
    chosen = deciding(verdicts) or tuple(verdicts)
    if not chosen:
        raise ValueError("no verdicts to choose from")
    return min(chosen, key=lambda verdict: WORST_FIRST.index(verdict.kind))
