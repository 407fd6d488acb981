"""`--live` of `liftlock policy check`: what the servers say, added to what the files say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bot.adapters.clock import SystemClock
from bot.adapters.log import configure_logging
from bot.cli.faults import told_in_one_sentence
from bot.domain.text import count_of
from bot.policy.checking import Checked, KeptPolicy
from bot.policy.findings import Finding
from bot.settings import load_settings


def with_live(checked: Checked, config: Path) -> Checked:
    """Return what was found in files with what the servers say of the policies in them."""
    # What asks servers takes a while to import, and without --live nobody needs it.
    from bot.compose.examination import compose_patient  # noqa: PLC0415 - see above
    from bot.compose.metrics import force_of  # noqa: PLC0415 - see above
    from bot.live_check import check_live  # noqa: PLC0415 - see above

    configure_logging(level="error", as_json=False)
    policies = checked.policies
    number = count_of(len(policies), "policy", "policies")
    waiting = Console(stderr=True).status(f"asking about {number}") if sys.stderr.isatty() else nullcontext()
    with told_in_one_sentence():
        settings = load_settings(config)
        named = [read.policy for read in policies]
        with compose_patient(settings, named, SystemClock(), events=frozenset()) as patient, waiting:
            found = check_live(patient, policies, force=force_of(settings))
    return replace(checked, findings=_by_file(checked.findings, found, policies), policies=())


def _by_file(
    before: Sequence[Finding], found: Sequence[Finding], policies: Sequence[KeptPolicy]
) -> tuple[Finding, ...]:
    """Return all findings file by file, the files in the order in which they were checked."""
    groups: dict[str, list[Finding]] = {read.file: [] for read in policies}
    for finding in (*before, *found):
        groups.setdefault(finding.fault.file, []).append(finding)
    return tuple(finding for group in groups.values() for finding in sorted(group))
