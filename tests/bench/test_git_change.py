"""One tag bump, committed and pushed: the bot's mirrors against a new clone every time, by size of the repository.

All three push the same bumps to `main` of their own copy of one repository, and another author commits before each
bump, so that there is always something to fetch. Only the speed is not asserted.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from tests.adapters.gitserver import GitServer
from tests.bench.conftest import Build, Show
from tests.bench.measure import Watch, counted_processes, disk_bytes, mebibytes, ratio, render_table, seconds
from tests.bench.monorepo import Built, Shape
from tests.bench.ours import BRANCH, Bump, Ours
from tests.bench.rivals import clone_and_check_out, clone_without_blobs
from tests.bench.serving import Served, served_apart

SIZES = tuple(int(size) for size in os.environ.get("LIFTLOCK_BENCH_SIZES", "1000,10000,100000").split(","))
LATER_CHANGES = 15
RIVAL_CHANGES = 3
LAPS = ("refresh", "read", "edit", "commit", "push")

Rival = Callable[[str, Path, Bump], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one bump took, and the tree that the branch had after it."""

    tree: str
    seconds: float
    requests: int
    disk: int
    processes: Counter[str] = field(default_factory=Counter)
    laps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The changes of each contender in a repository with so many files."""

    files: int
    checked_out: Sequence[Change]
    without_blobs: Sequence[Change]
    first: Change
    later: Sequence[Change]


class Scene:
    """One contender's server: makes what happens there, and looks at what came of it."""

    def __init__(self, server: GitServer, served: Served, shape: Shape) -> None:
        self.server = server
        self.url = served.url
        self._served = served
        self._shape = shape
        self._requests = 0

    def path_of(self, number: int) -> str:
        """Return the file of one bump."""
        return self._shape.values_path(self._service(number))

    def _service(self, number: int) -> int:
        return 7 * number % self._shape.services

    def begin(self, number: int) -> Bump:
        """Commit as another author, and say which bump comes next. Counting of requests starts."""
        path, image = self.path_of(number), self._shape.image(self._service(number))
        self.server.commit({path.replace("/production/", "/staging/"): f"round: {number}\n"})
        self._requests = self._served.requests()
        return Bump(path=path, image=image, tag=f"v2.0.{number}")

    def end(self, bump: Bump, watch: Watch, *, disk: int, processes: Counter[str] | None = None) -> Change:
        """Check that the branch has the bump and nothing else, and sum up."""
        requests = self._served.requests() - self._requests
        assert self.server.git("diff", "--name-only", f"{BRANCH}^", BRANCH).split() == [bump.path]
        before, after = (self.server.show(commit, bump.path).decode() for commit in (f"{BRANCH}^", BRANCH))
        changed = set(after.splitlines()) ^ set(before.splitlines())
        assert len(changed) == 2
        assert f"  tag: {bump.tag}" in changed
        tree = self.server.git("rev-parse", f"{BRANCH}^{{tree}}")
        counted = processes or Counter()
        return Change(tree=tree, seconds=watch.total, requests=requests, disk=disk, processes=counted, laps=watch.laps)


@contextmanager
def a_scene(built: Built, root: Path) -> Iterator[Scene]:
    """Serve a fresh copy below `root`, and remove everything at the end."""
    server = built.copy_to(root / "server")
    with served_apart(root / "server") as served:
        yield Scene(server, served, built.shape)
    shutil.rmtree(root)


def bump_with(rival: Rival, built: Built, root: Path) -> list[Change]:
    """Let a rival make its changes, each with a new clone."""
    changes = []
    with a_scene(built, root) as scene:
        for number in range(RIVAL_CHANGES):
            bump, watch, folder = scene.begin(number), Watch(), root / "clone"
            with watch.lap("all"):
                rival(scene.url.replace("{repository}", scene.server.repository), folder, bump)
            changes.append(scene.end(bump, watch, disk=disk_bytes(folder)))
            shutil.rmtree(folder)
    return changes


def bump_with_ours(built: Built, root: Path) -> list[Change]:
    """Let the bot make its changes on one mirror; the first finds none."""
    changes = []
    with a_scene(built, root) as scene:
        ours = Ours(root / "mirrors", scene.url)
        watched = [scene.path_of(number) for number in range(1 + LATER_CHANGES)]
        for number in range(1 + LATER_CHANGES):
            bump = scene.begin(number)
            ours.watch = Watch()
            with counted_processes() as processes:
                head = ours.refresh(watched)
                ours.push(BRANCH, ours.commit(head, bump), expected=head)
            changes.append(scene.end(bump, ours.watch, disk=disk_bytes(ours.mirrors), processes=processes))
    return changes


def compete(built: Built, root: Path) -> Contest:
    """Let all three make their changes in copies of one repository."""
    checked_out = bump_with(clone_and_check_out, built, root / "a")
    without_blobs = bump_with(clone_without_blobs, built, root / "b")
    first, *later = bump_with_ours(built, root / "ours")
    return Contest(
        files=built.shape.files, checked_out=checked_out, without_blobs=without_blobs, first=first, later=later
    )


@pytest.mark.timeout(1800)
def test_one_bump_by_size_of_the_repository(build: Build, tmp_path: Path, show: Show) -> None:
    contests = []
    for files in SIZES:
        contest = compete(build(files), tmp_path / str(files))
        show(render_contest(contest))
        check_facts(contest)
        contests.append(contest)
    show(render_flatness(contests))


def check_facts(contest: Contest) -> None:
    """Assert what does not depend on speed: the same trees, steady work, and less disk than a clone with its files."""
    trees = [change.tree for change in (contest.first, *contest.later)]
    for rival in (contest.checked_out, contest.without_blobs):
        assert [change.tree for change in rival] == trees[: len(rival)]
    assert len({tuple(sorted(change.processes.items())) for change in contest.later}) == 1
    assert not any(change.processes["init"] for change in contest.later), "the mirror was made anew"
    assert all(change.processes["fetch"] <= 2 for change in contest.later)
    assert all(change.processes["push"] == 1 for change in contest.later)
    assert len({change.requests for change in contest.later}) == 1
    if contest.files >= 10_000:
        assert contest.later[-1].disk < contest.checked_out[0].disk


def median_seconds(changes: Sequence[Change]) -> float:
    """Return the middle of the changes' times."""
    return median(change.seconds for change in changes)


def render_contest(contest: Contest) -> str:
    """Render one size: the contenders, then where the bot's time and processes go."""
    a, b = median_seconds(contest.checked_out), median_seconds(contest.without_blobs)
    disk_a, disk_b = contest.checked_out[-1].disk, contest.without_blobs[-1].disk
    contenders: tuple[tuple[str, Sequence[Change]], ...] = (
        ("A: clone, check out", contest.checked_out),
        ("B: clone without blobs", contest.without_blobs),
        ("ours, first", [contest.first]),
        ("ours, later", contest.later),
    )
    rows = []
    for name, changes in contenders:
        middle, disk = median_seconds(changes), changes[-1].disk
        processes = str(changes[-1].processes.total() or "-")
        times = (seconds(middle), ratio(a, middle), ratio(b, middle))
        space = (mebibytes(disk), ratio(disk_a, disk), ratio(disk_b, disk))
        rows.append((name, *times, *space, processes, str(changes[-1].requests)))
    header = ("one bump", "seconds", "A/it", "B/it", "MiB", "MiB A/it", "MiB B/it", "git processes", "requests")
    title = f"{contest.files:,} files (median of {RIVAL_CHANGES} clones, of {LATER_CHANGES} later changes)"
    return render_table(title, header, rows) + render_laps(contest)


def render_laps(contest: Contest) -> str:
    """Render what the steps of the bot's changes took, and its processes by git command."""
    rows = [
        ("first", *(seconds(contest.first.laps[lap]) for lap in LAPS)),
        ("later", *(seconds(median(change.laps[lap] for change in contest.later)) for lap in LAPS)),
    ]
    counted = ", ".join(f"{count} {name}" for name, count in sorted(contest.later[-1].processes.items()))
    table = render_table(f"{contest.files:,} files: the steps of ours", ("change", *LAPS), rows)
    return f"{table}git processes of a later change: {counted}\n"


def render_flatness(contests: Sequence[Contest]) -> str:
    """Render how the time of one bump grows with the repository: the smallest is 1."""
    contenders: tuple[tuple[str, Callable[[Contest], float]], ...] = (
        ("A: clone, check out", lambda contest: median_seconds(contest.checked_out)),
        ("B: clone without blobs", lambda contest: median_seconds(contest.without_blobs)),
        ("ours, first", lambda contest: contest.first.seconds),
        ("ours, later", lambda contest: median_seconds(contest.later)),
    )
    rows = [(name, *(ratio(of(contest), of(contests[0])) for contest in contests)) for name, of in contenders]
    header = ("growth of the time of one bump", *(f"{contest.files:,} files" for contest in contests))
    title = f"Is the cost of a change flat? Ours, later: {judge_flat(contests)}"
    return render_table(title, header, rows)


def judge_flat(contests: Sequence[Contest]) -> str:
    """Call it flat where the largest repository takes at most half as long again as the smallest."""
    growth = median_seconds(contests[-1].later) / median_seconds(contests[0].later)
    files = contests[-1].files / contests[0].files
    word = "flat" if growth <= 1.5 else "not flat"
    return f"{word} ({growth:.2f} times the time for {files:.0f} times the files)"
