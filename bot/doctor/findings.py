"""What an examination comes to: one line for each thing looked at, with the remedy where one is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from bot.ports import OutsideError

_WARNING_SKEW, _FAILED_SKEW = timedelta(seconds=5), timedelta(seconds=30)


class Mark(StrEnum):
    """How it is: fine; working, but worth a look; or in the way of the bot's work."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line. `check` names what was looked at, `remedy` is what a person does about it; empty where all is well.

    `field` is the field of a stage that it is about, such as `promote.by`; empty where it is about no such field.
    """

    check: str
    mark: Mark
    found: str
    remedy: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something to look at. `remedy` is for when it cannot be looked at, since the outside says no or nothing."""

    name: str
    look: Callable[[], Sequence[Finding]]
    remedy: str = ""

    def unreachable(self, error: OutsideError) -> Finding:
        """Return the finding for when the outside did not let itself be looked at."""
        return failed(self.name, error.sentence, self.remedy)


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, mark=Mark.OK, found=found)


def warning(check: str, found: str, remedy: str, *, field: str = "") -> Finding:
    """The bot works, but not as it could, or not for long."""
    return Finding(check=check, mark=Mark.WARNING, found=found, remedy=remedy, field=field)


def failed(check: str, found: str, remedy: str, *, field: str = "") -> Finding:
    """The bot cannot do its work."""
    return Finding(check=check, mark=Mark.FAILED, found=found, remedy=remedy, field=field)


def judge_skew(check: str, skew: timedelta | None) -> Finding:
    """Compare our clock with another's: evidence is asked for by time, and GitHub refuses tokens from the future."""
    if skew is None:
        return warning(check, "the server does not tell the time", "look at both clocks by hand")
    size = abs(skew)
    if size <= _WARNING_SKEW:
        return ok(check, f"ours agrees within {max(1, round(size.total_seconds()))} s")
    found = f"ours is {round(size.total_seconds())} s {'behind' if skew > timedelta() else 'ahead'}"
    remedy = "let a time service (chrony, systemd-timesyncd) set this machine's clock, and the server's"
    return failed(check, found, remedy) if size > _FAILED_SKEW else warning(check, found, remedy)


def listed(names: Sequence[str], *, most: int = 5) -> str:
    """Return names for a sentence, cut where there are many."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
