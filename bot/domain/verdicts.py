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
from datetime import datetime
from enum import StrEnum
from typing import Literal


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
class CountEvidence:
    """The numbers behind a verdict on counts. Ratios are shares of 1; `e_value` is dimensionless, alarms at 20 / 100.

    `upper_bound` is the one-sided 95 % upper confidence bound of the bad share, None with no events. `course` has at
    most some two dozen slices, from the first tile to the last.
    """

    bad: float
    total: float
    limit: float
    floor: float
    upper_bound: float | None
    e_value: float
    dispersion: float
    window_start: datetime
    window_end: datetime
    seen_until: datetime
    tiles_present: int
    tiles_expected: int
    queries: tuple[str, ...]
    backend: str
    course: tuple[Slice, ...] = ()
    kind: Literal["counts"] = "counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationEvidence:
    """What Argo CD said, one sentence an application."""

    sentences: tuple[str, ...]
    kind: Literal["applications"] = "applications"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's (or trigger's) answer with one sentence of reason, what would change it, and the evidence.

    One in the shadow is shown and never decides.
    """

    gate: str
    kind: VerdictKind
    reason: str
    would_change: str = ""
    evidence: CountEvidence | ApplicationEvidence | None = None
    is_shadow: bool = False


_WORST_FIRST = (
    VerdictKind.UNHEALTHY,
    VerdictKind.CANNOT_TELL,
    VerdictKind.NO_DATA,
    VerdictKind.NOT_YET,
    VerdictKind.HEALTHY,
)


def combine(verdicts: Sequence[Verdict]) -> VerdictKind:
    """Return the worst kind of those that decide; none at all prove nothing and are `no data`."""
    return min((verdict.kind for verdict in deciding(verdicts)), key=_WORST_FIRST.index, default=VerdictKind.NO_DATA)


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
    return min(chosen, key=lambda verdict: _WORST_FIRST.index(verdict.kind))
