"""Many services of one large repository bumped in one sweep, each pushed to a branch of its own.

The rival makes a few of the same bumps with a new clone each; its time for all of them is computed from these.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from statistics import median

import pytest

from tests.adapters.gitserver import GitServer
from tests.bench.conftest import Build, Show
from tests.bench.measure import Watch, disk_bytes, mebibytes, ratio, render_table, seconds
from tests.bench.monorepo import Shape
from tests.bench.ours import BRANCH, Bump
from tests.bench.rivals import clone_without_blobs
from tests.bench.serving import served_apart
from tests.bench.sweep import Swept, Wanted, sweep_apart

FILES = int(os.environ.get("LIFTLOCK_BENCH_FILES", "100000"))
SERVICES = min(int(os.environ.get("LIFTLOCK_BENCH_SERVICES", "1000")), Shape(files=FILES).services)
RIVAL_CHANGES = 3
TAG = "v3.0.0"


@pytest.mark.timeout(3600)
def test_all_services_are_bumped_in_one_sweep(build: Build, tmp_path: Path, show: Show) -> None:
    built = build(FILES)
    server = built.copy_to(tmp_path / "server")
    wanted = [make_wanted(built.shape, number) for number in range(SERVICES)]
    mirrors = tmp_path / "mirrors"
    with served_apart(tmp_path / "server") as served:
        swept = sweep_apart(served.url, mirrors, wanted)
        requests = served.requests()
        url = served.url.replace("{repository}", server.repository)
        rival_seconds = median(measure_rival(url, tmp_path / "clone", one.bump) for one in wanted[:RIVAL_CHANGES])
    show(render_swept(swept, rival_seconds, requests=requests, disk=disk_bytes(mirrors)))
    check_branches(server, swept, wanted)
    assert swept.processes["push"] == SERVICES
    # One for the branch, and one for the contents of all files.
    assert swept.processes["fetch"] == 2


def make_wanted(shape: Shape, number: int) -> Wanted:
    """Say what becomes of one service."""
    bump = Bump(path=shape.values_path(number), image=shape.image(number), tag=TAG)
    return Wanted(branch=f"liftlock/{shape.service(number)}/production/x", bump=bump)


def measure_rival(url: str, clone: Path, bump: Bump) -> float:
    """Return the seconds of one bump with a new clone."""
    watch = Watch()
    with watch.lap("all"):
        clone_without_blobs(url, clone, bump)
    shutil.rmtree(clone)
    return watch.total


def check_branches(server: GitServer, swept: Swept, wanted: list[Wanted]) -> None:
    """Assert that each branch is one commit above the head and has the new tag in its file."""
    listed = server.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/liftlock").split()
    assert sorted(listed) == sorted(one.branch for one in wanted)
    for one in (*wanted[:3], wanted[-1]):
        assert server.git("rev-parse", f"{one.branch}^") == swept.head
        assert server.git("diff", "--name-only", swept.head, one.branch).split() == [one.bump.path]
        assert f"  tag: {TAG}\n" in server.show(one.branch, one.bump.path).decode()
    assert server.git("rev-list", "--count", "--branches=liftlock/*", f"^{swept.head}") == str(len(wanted))
    assert BRANCH not in listed


def render_swept(swept: Swept, rival_seconds: float, *, requests: int, disk: int) -> str:
    """Render what the sweep took as a whole and for one change."""
    total, tenth = sum(swept.laps.values()), max(1, SERVICES // 10)
    rows = [
        ("seconds", seconds(total), seconds(total / SERVICES)),
        *((f"  of that {lap}", seconds(took), seconds(took / SERVICES)) for lap, took in swept.laps.items()),
        ("  the first tenth of the changes", "-", seconds(median(swept.changes[:tenth]))),
        ("  the last tenth", "-", seconds(median(swept.changes[-tenth:]))),
        ("B, a new clone for each (computed)", seconds(rival_seconds * SERVICES), seconds(rival_seconds)),
        ("B / ours", ratio(rival_seconds * SERVICES, total), ratio(rival_seconds * SERVICES, total)),
        ("git processes", *render_count(sum(swept.processes.values()))),
        *((f"  of that {name}", *render_count(count)) for name, count in sorted(swept.processes.items())),
        ("requests to the server", *render_count(requests)),
        ("MiB of memory, at the most", mebibytes(swept.peak_bytes), "-"),
        ("  before the sweep", mebibytes(swept.idle_peak_bytes), "-"),
        ("  of the largest child (upper bound)", mebibytes(swept.children_peak_bytes), "-"),
        ("MiB of disk of the mirror", mebibytes(disk), "-"),
    ]
    return render_table(f"{SERVICES:,} services bumped in {FILES:,} files", ("a sweep", "in all", "a change"), rows)


def render_count(count: int) -> tuple[str, str]:
    """Render a number, and how many that is a change."""
    return f"{count:,}", f"{count / SERVICES:.2f}"
