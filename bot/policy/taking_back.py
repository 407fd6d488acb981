"""What takes a release back after it entered: `rollback` of a stage, read into `Rollback`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.policy import Road, Rollback
from bot.domain.rules import DegradedTrigger, MeasuredRule, SyncFailedTrigger, Trigger
from bot.domain.text import format_duration, parse_duration
from bot.policy.entries import Entry
from bot.policy.filling import Surroundings
from bot.policy.grammar import A_DURATION, NAME, TIMES, parse_tile, parse_times
from bot.policy.reading import Section, matching, one_of, parsed, positive_duration
from bot.policy.tree import Value

_TILE, _LASTING = timedelta(minutes=1), timedelta(minutes=5)
_A_DAY_AT_MOST = 3
_OF_ARGOCD: dict[str, type[DegradedTrigger | SyncFailedTrigger]] = {
    "argocd-degraded": DegradedTrigger,
    "argocd-sync-failed": SyncFailedTrigger,
}


def read_rollback(
    section: Section | None,
    around: Surroundings,
    entry_of: Callable[[str, Value], Entry | None],
    check_names: Callable[[Section, str, Sequence[str]], None],
) -> Rollback | None:
    """Read it; None where there is none, or its faults leave nothing to go by.

    `entry_of` opens a trigger's entry, `check_names` notes what has one name twice.
    """
    if section is None:
        return None
    watch = section.read("watch", positive_duration, A_DURATION)
    by = section.read("by", one_of(("commit", "pull-request")), "commit or pull-request", default="commit")
    tile = section.read("tile", parse_tile, f"{A_DURATION}, at least 1s", default=_TILE)
    at_most = section.read("at_most", parse_times, TIMES, default=_A_DAY_AT_MOST)
    cool_down = section.read("cool_down", parse_duration, A_DURATION, default=watch or timedelta(0))
    also = _also(section)
    during_freeze = section.read("during_freeze", one_of(("true", "false")), "true or false", default="true")
    around = replace(around, tile=tile or _TILE, window=None, watch=watch, is_trigger=True)
    found = (_trigger(entry_of(path, value), around) for path, value in section.items("triggers", required=True))
    triggers = tuple(trigger for trigger in found if trigger is not None)
    section.finish()
    check_names(section, "triggers", [trigger.name for trigger in triggers])
    listed = section.get("triggers")
    if listed is not None and listed.kind == "list" and not listed.items:
        section.faults.note(listed, section.at("triggers"), "an empty list", "at least one trigger")
    if watch is None or by is None:
        return None
    _check_watch(section, watch, tile or _TILE, triggers)
    return Rollback(
        watch=watch,
        by=Road(by),
        triggers=triggers,
        at_most=at_most or _A_DAY_AT_MOST,
        cool_down=watch if cool_down is None else cool_down,
        also=also,
        during_freeze=during_freeze != "false",
    )


def _also(section: Section) -> tuple[str, ...]:
    expected = "the name of a stage that releases pass before this one"
    names = (parsed(value, path, section.faults, matching(NAME), expected) for path, value in section.items("also"))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _trigger(entry: Entry | None, around: Surroundings) -> Trigger | None:
    if entry is None:
        return None
    kind = _OF_ARGOCD.get(entry.use)
    if kind is None:
        return entry.measured(around, others=tuple(_OF_ARGOCD))
    lasting = entry.section.read("for", positive_duration, A_DURATION, default=_LASTING) or _LASTING
    entry.section.finish()
    return kind(name=entry.name, lasting=lasting, is_shadow=entry.is_shadow)


def _check_watch(section: Section, watch: timedelta, tile: timedelta, triggers: Sequence[Trigger]) -> None:
    """Refuse a watch that is over before a trigger could have stood on two whole tiles, aligned and read."""
    if watch < 4 * tile and any(isinstance(trigger, MeasuredRule) for trigger in triggers):
        expected = f"at least four tiles of {format_duration(tile)}, since a trigger must stand on two"
        section.faults.note(section.entries["watch"], section.at("watch"), format_duration(watch), expected)
