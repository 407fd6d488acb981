"""Combine the verdicts of a stage's gates into one (the only place that does).

| any unhealthy | any cannot tell | any no data | any not yet | none given | combined    |
|---------------|-----------------|-------------|-------------|------------|-------------|
| yes           | *               | *           | *           | no         | unhealthy   |
| no            | yes             | *           | *           | no         | cannot tell |
| no            | no              | yes         | *           | no         | no data     |
| no            | no              | no          | yes         | no         | not yet     |
| no            | no              | no          | no          | no         | healthy     |
| -             | -               | -           | -           | yes        | no data     |
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
    """Return the worst kind; no verdicts at all prove nothing and are `no data`."""
    if not verdicts:
        return VerdictKind.NO_DATA
    return min((verdict.kind for verdict in verdicts), key=_WORST_FIRST.index)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the first of the verdicts that decide the combined kind; ValueError if there are none."""
    kind = combine(verdicts)
    for verdict in verdicts:
        if verdict.kind is kind:
            return verdict
    raise ValueError("no verdicts to choose from")
