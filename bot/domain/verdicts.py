"""Combine the verdicts of a stage's gates into one (the only place that does).

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

from bot.domain.model import Verdict, VerdictKind

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
