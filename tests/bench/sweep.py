"""Bump many services in one sweep, in a process of its own, so that its memory and its children are nobody else's.

As a program: reads a `Sweep` as JSON from its input, and writes a `Swept` as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.domain.model import Sha
from tests.bench.measure import counted_processes, peak_memory_bytes
from tests.bench.ours import Bump, Ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One service's bump, and the branch that it is pushed to."""

    branch: str
    bump: Bump


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep took. `laps` are seconds by step, `changes` seconds by change, `processes` numbers by git command.

    Memory is in bytes. A child's peak is never below the bot's own memory, for the kernel counts what it was before it
    became git.
    """

    head: Sha
    laps: dict[str, float]
    changes: list[float]
    processes: dict[str, int]
    peak_bytes: int
    idle_peak_bytes: int
    children_peak_bytes: int


def sweep_apart(url: str, mirrors: Path, wanted: Sequence[Wanted]) -> Swept:
    """Run a sweep in a new process and return what it took."""
    order = json.dumps({"url": url, "mirrors": str(mirrors), "wanted": [asdict(one) for one in wanted]})
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sweep"], input=order, stdout=subprocess.PIPE, text=True, check=True
    )
    return Swept(**json.loads(done.stdout))


def _sweep(url: str, mirrors: Path, wanted: Sequence[Wanted]) -> Swept:
    ours, idle = Ours(mirrors, url), peak_memory_bytes()
    changes = []
    with counted_processes() as processes:
        head = ours.refresh([one.bump.path for one in wanted])
        for one in wanted:
            before = ours.watch.total
            ours.push(one.branch, ours.commit(head, one.bump), expected=None)
            changes.append(ours.watch.total - before)
    return Swept(
        head=head,
        laps=ours.watch.laps,
        changes=changes,
        processes=dict(processes),
        peak_bytes=peak_memory_bytes(),
        idle_peak_bytes=idle,
        children_peak_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
    )


def _main() -> None:
    order = json.load(sys.stdin)
    wanted = [Wanted(branch=one["branch"], bump=Bump(**one["bump"])) for one in order["wanted"]]
    json.dump(asdict(_sweep(order["url"], Path(order["mirrors"]), wanted)), sys.stdout)


if __name__ == "__main__":
    _main()
