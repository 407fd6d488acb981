"""How many people must approve a release, and who: `promote.approvals` of a stage, read into `Approvals`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bot.domain.intake import REGISTRY
from bot.domain.policy import Approvals, ApprovedWhen, Stage
from bot.policy.grammar import HANDLE
from bot.policy.reading import Faults, Section, matching, one_of, parsed
from bot.policy.tree import Value

_NEED = "a whole number from 1 to 10"


def read_approvals(section: Section | None, approvers: Sequence[str]) -> Approvals | None:
    """Read it; None where there is none. Who is not said to be asked are the `approvers` of the stage."""
    if section is None:
        return None
    need = section.read("need", _parse_need, _NEED, default=1)
    people = _people(section)
    four_eyes = section.read("four_eyes", one_of(("true", "false")), "true or false", default="false")
    when = section.read("when", ApprovedWhen, "after-window or any-time", default=ApprovedWhen.ANY_TIME)
    section.finish()
    return Approvals(
        need=need or 1,
        people=tuple(approvers) if people is None else people,
        four_eyes=four_eyes == "true",
        when=when or ApprovedWhen.ANY_TIME,
    )


def _parse_need(text: str) -> int:
    if not re.fullmatch(r"[1-9]|10", text):
        raise ValueError(text)
    return int(text)


def _people(section: Section) -> tuple[str, ...] | None:
    """Read who is asked; None where nobody is named. An empty list must not pass for everybody."""
    listed = section.get("from")
    if listed is None:
        return None
    expected = "a login or a team, such as @dana or @acme/release"
    found = (parsed(value, path, section.faults, matching(HANDLE), expected) for path, value in section.items("from"))
    people = tuple(dict.fromkeys(name for name in found if name is not None))
    if listed.kind == "list" and not listed.items:
        section.faults.note(listed, section.at("from"), "an empty list", "at least one login or team")
    return people


def check_approvals(stages: Iterable[tuple[Stage, str, Value]], source: Value | None, faults: Faults) -> None:
    """Note what cannot be found out or never comes: each stage with its path and value, and the policy's `source`."""
    for stage, path, value in stages:
        wanted, at = stage.proposing.approvals, f"{path}.promote.approvals"
        if wanted is not None and wanted.four_eyes and source is None:
            expected = "source at the top of the policy: who wrote the commits is asked of that repository"
            faults.note(value, f"{at}.four_eyes", '"true" without a source', expected)
        if wanted is not None and wanted.when is ApprovedWhen.AFTER_WINDOW and stage.source == REGISTRY:
            expected = '"any-time", since what comes from the registry has no window before'
            faults.note(value, f"{at}.when", '"after-window" with from: registry', expected)
