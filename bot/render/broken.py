"""The comment on the commit that broke policies: all that is wrong, and what goes on meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.policy import Origin
from bot.render.escape import code, plain
from bot.render.links import origin_link

_MOST_FILES = 20
_MOST_FAULTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFile:
    """A file that cannot be used, in the words of its faults. `service` goes on under what stood at `kept_at`."""

    file: str
    faults: tuple[str, ...]
    service: str | None = None
    kept_at: Origin | None = None


def broken_comment(files: Sequence[BrokenFile], forge_url: str) -> str:
    """Return what is said on the commit by which these files became, or stayed, such that they cannot be used."""
    parts = ["**Liftlock cannot use these policies as this commit has them.**"]
    for one in files[:_MOST_FILES]:
        faults = [f"- {plain(fault)}" for fault in one.faults[:_MOST_FAULTS]]
        more = len(one.faults) - _MOST_FAULTS
        faults += [f"- and {more} more"] if more > 0 else []
        parts.append(f"{_heading(one, forge_url)}\n\n" + "\n".join(faults))
    if len(files) > _MOST_FILES:
        parts.append(f"{len(files) - _MOST_FILES} more files have faults; `liftlock status` shows them all.")
    parts.append("`liftlock policy check` finds the same before a push.")
    return "\n\n".join(parts)


def _heading(one: BrokenFile, forge_url: str) -> str:
    if one.service is None or one.kept_at is None:
        return f"{code(one.file)}: nothing of it is in force."
    kept = origin_link(forge_url, one.kept_at)
    return f"{code(one.file)}: {code(one.service)} goes on under the version of {kept}."
