"""`liftlock doctor`: look at everything the bot needs, and say what to do about what is not in place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.adapters.clock import SystemClock
from bot.adapters.log import configure_logging
from bot.cli.faults import BAD_NEWS
from bot.cli.options import ConfigOption
from bot.compose.examination import compose_patient
from bot.compose.policies import read_policies
from bot.doctor import Finding, Mark, examinations, run_checks
from bot.doctor.findings import counted, failed, ok, warning
from bot.domain.policy import Policy
from bot.domain.text import one_line
from bot.policy.floor import FloorError
from bot.policy.in_force import Broken
from bot.ports import Clock, OutsideError
from bot.settings import Settings, SettingsError, load_settings
from bot.web.deliveries import WAKING_EVENTS

_WIDE = 100
_COLOURS = {Mark.OK: "green", Mark.WARNING: "yellow", Mark.FAILED: "red"}


def doctor(
    config: ConfigOption = Path("liftlock.toml"),
    settings: Annotated[
        Path | None, typer.Option("--settings", help="The settings file; the same as --config.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 for warnings too.")] = False,
) -> None:
    """Check credentials, permissions, branch rules, clocks and every system, one line each with the remedy.

    Changes nothing. Ends with 1 if something is in the way of the bot's work, with 0 if there are warnings alone.
    """
    configure_logging(level="error", as_json=False)
    findings = examine(settings or config, SystemClock())
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in findings], indent=2))
    else:
        print_findings(Console(), findings)
    bad = {Mark.FAILED, Mark.WARNING} if strict else {Mark.FAILED}
    if any(one.mark in bad for one in findings):
        raise typer.Exit(BAD_NEWS)


def examine(path: Path, clock: Clock) -> list[Finding]:
    """Return all findings for a settings file. What cannot be looked at without the settings is left out."""
    try:
        settings = load_settings(path)
    except SettingsError as error:
        return [failed("settings", line, "correct the file, or name another with --config") for line in _lines(error)]
    findings = [ok("settings", f"{path} can be used")]
    policies, told = _policies(settings)
    findings += told
    try:
        with compose_patient(settings, policies, clock, events=WAKING_EVENTS) as patient:
            return [*findings, *run_checks(examinations(patient))]
    except (SettingsError, OutsideError) as error:
        return [*findings, failed("settings", one_line(str(error), limit=400), "correct the settings")]


def _lines(error: SettingsError) -> list[str]:
    return [one_line(line, limit=400) for line in str(error).splitlines()] or ["cannot be read"]


def _policies(settings: Settings) -> tuple[list[Policy], list[Finding]]:
    """Return the policies that can be read, and a line for each that cannot."""
    try:
        read = read_policies(settings)
    except SettingsError as error:
        return [], [failed("policies", one_line(str(error), limit=400), "correct the settings")]
    if read.why_none:
        is_floor = any(isinstance(one.error, FloorError) for one in read.in_force.broken)
        is_local = settings.policies is None
        remedy = "set bot.policies to the directory of the policies" if is_local else "docs/policies-from-git.md"
        wanted = "correct the floor: docs/floor.md" if is_floor else remedy
        return [], [failed("policies", one_line(read.why_none, limit=600), wanted)]
    policies, broken = list(read.in_force.policies), [_broken(one) for one in read.in_force.broken]
    if read.in_force.trouble is not None:
        trouble = read.in_force.trouble
        old = f"what was fetched last is in force: {trouble.system}: {trouble.sentence}"
        broken.append(warning("policies", one_line(old, limit=600), "docs/policies-from-git.md"))
    if not policies and not broken:
        empty = "there is none: the bot has nothing to do"
        return [], [warning("policies", empty, f"write one into {settings.policies_place}: docs/policy.md")]
    return policies, [ok("policies", f"{counted(len(policies), 'policy', 'policies')} can be used"), *broken]


def _broken(one: Broken) -> Finding:
    check, remedy = f"policy {one_line(one.file)}", "correct the file: docs/policy.md"
    faults = one_line("; ".join(str(fault) for fault in one.error.faults), limit=600)
    if one.kept is None:
        return failed(check, faults, remedy)
    return warning(check, f"{one.kept.service} goes on under an older version: {faults}", remedy)


# --- showing ---------------------------------------------------------------------------------------------------------


def _as_json(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "mark": str(finding.mark),
        "found": finding.found,
        "remedy": finding.remedy,
    }


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print a line for each finding, its remedy below it, and the sums at the end.

    On a narrow terminal the name of the check stands before the sentence, so that there is room for it.
    """
    is_wide = console.width >= _WIDE
    table = Table(box=None, pad_edge=False, show_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    if is_wide:
        table.add_column(overflow="fold", max_width=console.width // 3)
    table.add_column(overflow="fold", ratio=1)
    for one in findings:
        mark, check = Text(str(one.mark), style=_COLOURS[one.mark]), Text(one_line(one.check), style="bold")
        said = Text(one_line(one.found, limit=600))
        cells = (check, said) if is_wide else (Text.assemble(check, ": ", said),)
        table.add_row(mark, *cells)
        if one.remedy:
            table.add_row("", *([""] if is_wide else []), _remedy(one))
    console.print(table)
    console.print()
    console.print(Text(summary(findings), style="bold"))


def _remedy(finding: Finding) -> Table:
    """Return the remedy behind an arrow, its further lines below its first."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("→", Text(one_line(finding.remedy, limit=400), style="" if finding.mark is Mark.FAILED else "dim"))
    return grid


def summary(findings: Sequence[Finding]) -> str:
    """Return the sums in one sentence."""
    sums = Counter(one.mark for one in findings)
    parts = [
        f"{sums[Mark.OK]} ok",
        counted(sums[Mark.WARNING], "warning"),
        f"{sums[Mark.FAILED]} failed",
    ]
    return ", ".join(parts)
