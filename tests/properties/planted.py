"""Faults to be planted in the decision, each with what must be said of it.

Where a second barrier stands behind the first, both are taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bot.domain import running
from bot.domain.decision import AskRefresh, StartSync
from bot.domain.policy import Rollback
from bot.domain.running import Running
from bot.domain.verdicts import Verdict, VerdictKind, combine, deciding


class Among(StrEnum):
    """Whose doings meet a fault."""

    PEOPLE = "people"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A fault: what is put where, and the sentence that it must bring about, as a pattern."""

    name: str
    among: Among
    changes: Mapping[str, object]
    shows_as: str


def _nothing(*_: object) -> None:
    return None


def _never(*_: object) -> bool:
    return False


def _always(*_: object) -> bool:
    return True


def _no_quarantine(_: object) -> Mapping[str, tuple[str, str]]:
    return {}


def _takes_silence_for_health(verdicts: Sequence[Verdict]) -> VerdictKind:
    kind = combine(verdicts)
    return VerdictKind.HEALTHY if kind is VerdictKind.NO_DATA else kind


def _reverts_upon_no_data(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    unknown = {VerdictKind.NO_DATA, VerdictKind.CANNOT_TELL}
    found = deciding(verdicts)
    return tuple(replace(one, kind=VerdictKind.UNHEALTHY) if one.kind in unknown else one for one in found)


def _reverts_a_revert(case: Any, rollback: Rollback, _: tuple[AskRefresh | StartSync, ...]) -> Running:
    return running._judge_watched(case, rollback)


PLANTED = (
    Plant(
        name="no data is health",
        among=Among.TROUBLE,
        changes={f"bot.domain.{module}.combine": _takes_silence_for_health for module in ("health_window", "running")},
        shows_as=r"I\d: ",
    ),
    Plant(
        name="no data takes back",
        among=Among.TROUBLE,
        changes={f"bot.domain.{module}.deciding": _reverts_upon_no_data for module in ("health_window", "running")},
        shows_as="I5: nothing was ever measured",
    ),
    Plant(
        name="a rejection is not seen",
        among=Among.PEOPLE,
        changes={"bot.domain.candidate._rejected": _nothing},
        shows_as="I7: .* moves although",
    ),
    Plant(
        name="a hold is not seen",
        among=Among.PEOPLE,
        changes={"bot.domain.candidate._held": _nothing},
        shows_as="I7: moved although .* holds production",
    ),
    # Behind the quarantine stand the merged pull request, and that production had the release before.
    Plant(
        name="a quarantine is not seen",
        among=Among.PEOPLE,
        changes={
            "bot.domain.observed.quarantined_tags": _no_quarantine,
            "bot.domain.candidate.quarantined_tags": _no_quarantine,
            "bot.domain.candidate._was_freed_since": _always,
            "bot.domain.candidacy.Case.had_before": False,
        },
        shows_as="I3: .* was taken back, and moves again",
    ),
    Plant(
        name="a cool-down is not seen",
        among=Among.PEOPLE,
        changes={"bot.domain.merging.is_revert": _never},
        shows_as="I4: .* moved while production cools down",
    ),
    Plant(
        name="a revert is reverted",
        among=Among.PEOPLE,
        changes={"bot.domain.running._judge_restored": _reverts_a_revert},
        shows_as="I4: a revert was to be reverted",
    ),
    Plant(
        name="a promotion is taken back twice",
        among=Among.PEOPLE,
        changes={"bot.domain.decide._is_of_before": _always},
        shows_as="I9: a second rollback of one promotion|overdue: the rollback #",
    ),
    Plant(
        name="nothing is taken along",
        among=Among.PEOPLE,
        changes={"bot.domain.running.taken_along": _nothing},
        shows_as="overdue: .* was taken back from production, and staging has it still",
    ),
    Plant(
        name="nothing is ever promoted",
        among=Among.TROUBLE,
        changes={"bot.domain.decide._candidate": _nothing},
        shows_as="overdue: .* is proven, and not",
    ),
    Plant(
        name="nothing is ever taken back",
        among=Among.TROUBLE,
        changes={"bot.domain.running.is_watched": _never},
        shows_as="overdue: .* has been failing in production",
    ),
)
