"""Warnings about a policy that is right: what can do nothing, prove nothing, or never happen, whatever is measured.

Only what the policy alone makes certain is said. Whether a window has time for enough traffic, or a bound is ever
reached, depends on the service, and nothing here guesses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain import statistics
from bot.domain.policy import Approvals, Policy, Rollback, Stage
from bot.domain.rules import Accept, CountGate, DegradedTrigger, Gate, MeasuredRule, SyncFailedTrigger, Trigger
from bot.domain.text import count_of, format_count, format_duration, format_limit
from bot.domain.verdicts import SCRAPES_IN_A_TILE
from bot.policy.faults import PolicyFault
from bot.policy.findings import Finding, Severity
from bot.policy.places import value_at
from bot.policy.tree import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """A warning before its place in the file is known."""

    rule: str
    path: str
    found: str
    expected: str

    def at(self, tree: Value) -> Finding:
        """Return it with its place: in the file that the value came from."""
        value = value_at(tree, self.path)
        file, line, column = value.place
        fault = PolicyFault(
            file=file, line=line, column=column, path=self.path, found=self.found, expected=self.expected
        )
        return Finding(fault=fault, rule=self.rule, severity=Severity.WARNING)


def check_meaning(policy: Policy, tree: Value, *, scrape: timedelta) -> Iterator[Finding]:
    """Give the warnings of a policy whose file has this tree; `scrape` is how often metrics are scraped."""
    left_from = _left_from(policy, tree)
    for number, stage in enumerate(policy.stages):
        path = f"stages[{number}]"
        is_last = _in_list(tree, number) not in left_from
        for caution in (*_of_stage(stage, path, scrape), *(_of_last(tree, path) if is_last else ())):
            found = caution.at(tree)
            path = _in_file(tree, number, caution.path)
            yield replace(found, fault=replace(found.fault, path=path))


def _in_list(tree: Value, number: int) -> int:
    """Return the number that a stage has in the file: there one may stand for several regions."""
    index = value_at(tree, f"stages[{number}]").index
    return number if index is None else index


def _in_file(tree: Value, number: int, path: str) -> str:
    """Return a path with the number that the stage has in the file."""
    return path.replace(f"stages[{number}]", f"stages[{_in_list(tree, number)}]", 1)


def _left_from(policy: Policy, tree: Value) -> set[int]:
    """Return the stages, by their number in the file, that releases move on from."""
    sources = {source for stage in policy.stages for source in stage.sources}
    return {_in_list(tree, number) for number, stage in enumerate(policy.stages) if stage.name in sources}


def _of_last(tree: Value, path: str) -> Iterator[Caution]:
    """Warn of what judges when a release may move on, in a stage from which it moves nowhere.

    Only where the policy says so itself: defaults are for stages of all kinds.
    """
    stage = value_at(tree, path).entries or {}
    said = [key for key in ("window", "gates") if key in stage and stage[key].file == tree.file]
    if said:
        found = f"{' and '.join(said)} in a stage that no other comes from"
        expected = "neither: they say when a release moves on, and it does not; what came is watched by rollback"
        yield Caution(rule="without-effect", path=f"{path}.{said[0]}", found=found, expected=expected)


def _of_stage(stage: Stage, path: str, scrape: timedelta) -> Iterator[Caution]:
    yield from _narrow(stage.gates, f"{path}.window.tile", scrape)
    for number, gate in enumerate(stage.gates):
        if isinstance(gate, CountGate):
            yield from _of_floor(gate, f"{path}.gates[{number}]")
    yield from _of_approvals(stage.proposing.approvals, f"{path}.promote.approvals")
    if stage.rollback is not None:
        yield from _of_rollback(stage.rollback, f"{path}.rollback", scrape)


def _narrow(rules: Iterable[Gate | Trigger], path: str, scrape: timedelta) -> Iterator[Caution]:
    tiles = {rule.tile for rule in rules if isinstance(rule, MeasuredRule)}
    for tile in tiles:
        if tile < SCRAPES_IN_A_TILE * scrape:
            least = format_duration(SCRAPES_IN_A_TILE * scrape)
            expected = f"at least {least}, {SCRAPES_IN_A_TILE} scrapes of {format_duration(scrape)}: counts are rough"
            yield Caution(rule="narrow-tile", path=path, found=f"tiles of {format_duration(tile)}", expected=expected)


def _of_floor(gate: CountGate, path: str) -> Iterator[Caution]:
    """Warn of a floor that decides nothing: the limit need not be shown, or so few events never show it."""
    if gate.floor is None:
        return
    if gate.accept is Accept.NOT_SHOWN_BAD:
        expected = "one of them: what was not shown to be bad passes with fewer events, too"
        yield Caution(
            rule="without-effect", path=f"{path}.floor", found="a floor beside accept: not-shown-bad", expected=expected
        )
    elif statistics.upper_bound(0, gate.floor) >= gate.limit:
        needed = format_count(statistics.traffic_floor(gate.limit))
        expected = f"{needed} or more: even if none of fewer is bad, they do not show {format_limit(gate.limit)}"
        yield Caution(
            rule="floor-proves-nothing", path=f"{path}.floor", found=format_count(gate.floor), expected=expected
        )


def _of_approvals(approvals: Approvals | None, path: str) -> Iterator[Caution]:
    """Warn of more approvals than people are named; who is in a team, only the forge knows."""
    if approvals is None or not approvals.people or any("/" in name for name in approvals.people):
        return
    people = {name.lower() for name in approvals.people if not name.endswith("[bot]")}
    if len(people) < approvals.need:
        is_few = f"at most {len(people)}, as many as people are named" if people else "the login of a person"
        expected = f"{is_few}: nothing is ever merged into this stage"
        yield Caution(
            rule="out-of-reach", path=f"{path}.need", found=count_of(approvals.need, "approval"), expected=expected
        )


def _of_rollback(rollback: Rollback, path: str, scrape: timedelta) -> Iterator[Caution]:
    yield from _narrow(rollback.triggers, f"{path}.tile", scrape)
    for number, trigger in enumerate(rollback.triggers):
        yield from _of_trigger(trigger, f"{path}.triggers[{number}]", rollback.watch)
    if all(trigger.is_shadow for trigger in rollback.triggers):
        also = f", out of {' and '.join(rollback.also)} neither" if rollback.also else ""
        expected = f"one that decides: nothing is taken back without a person{also}"
        yield Caution(
            rule="only-shadow", path=f"{path}.triggers", found="only triggers in the shadow", expected=expected
        )


def _of_trigger(trigger: Trigger, path: str, watch: timedelta) -> Iterator[Caution]:
    if isinstance(trigger, CountGate):
        said = {"floor": trigger.floor is not None, "accept": trigger.accept is Accept.NOT_SHOWN_BAD}
        for key in (key for key, is_there in said.items() if is_there):
            expected = "it in a gate: a trigger fires by an alarm alone, and proves nothing"
            yield Caution(rule="without-effect", path=f"{path}.{key}", found=f"{key} in a trigger", expected=expected)
    if isinstance(trigger, DegradedTrigger | SyncFailedTrigger) and trigger.lasting >= watch:
        expected = (
            f"less than the watch of {format_duration(watch)}, which is over before what began in it lasts so long"
        )
        yield Caution(
            rule="outlasts-watch", path=f"{path}.for", found=format_duration(trigger.lasting), expected=expected
        )
