"""Random histories: what the adapter answers from a shallow, carried-forward mirror is what a full clone would."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.git import GitLimits, GitRepositories, GitSettings, deepening
from bot.domain.model import Sha
from tests.adapters.gitserver import GitServer, StoppedClock, contains

REPO = "acme/deploy"
PATHS = ("a.yaml", "d/b.yaml", "d/e/c.yaml", "ä ö.yaml", "[x]*.yaml")


class World:
    """A server with a history made at random: merges both ways, set backs, rewrites, deletions, folders for files."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = GitServer(root / "server", REPO)
        self.server.commit(dict.fromkeys(PATHS, "0\n"))

    def head(self) -> Sha:
        head = self.server.head("main")
        assert head
        return head

    def any_commit(self) -> Sha:
        return Sha(self.random.choice(self.server.git("rev-list", "--all").split()))

    def change(self, parents: tuple[Sha, ...], branch: str) -> Sha:
        chosen = self.random.sample(PATHS, self.random.choice((0, 1, 1, 2)))
        contents = (f"{self.random.randint(1, 4)}\n", None, ("120000", self.server.blob("link")))
        files = {path: self.random.choices(contents, (8, 1, 1))[0] for path in chosen}
        present = self.server.git("-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", parents[0]).splitlines()
        files = {path: content for path, content in files.items() if content is not None or path in present}
        return self.server.commit(files, branch=branch, parents=parents)

    def grow(self) -> None:
        kind = self.random.random()
        if kind < 0.6:
            self.change((self.head(),), "main")
        elif kind < 0.8:
            side = self.change((self.any_commit(),), "side")
            parents = (self.head(), side) if self.random.random() < 0.7 else (side, self.head())
            self.change(parents, "main")
        elif kind < 0.9:
            self.server.git("update-ref", "refs/heads/main", self.any_commit())
        else:
            self.change((self.any_commit(),), "liftlock/x")

    # --- what git itself says of the whole history ---

    def versions(self, head: Sha, path: str) -> list[Sha]:
        flags = ("--first-parent", "--no-patch", "--format=%H")
        commits = self.server.git("log", *flags, head, "--", f":(literal){path}").split()
        return [Sha(commit) for commit in commits]

    def text(self, commit: Sha, path: str) -> str | None:
        row = self.server.git("ls-tree", commit, "--", f":(literal){path}")
        return self.server.show(commit, path).decode() if row.startswith("100") else None

    def is_ancestor(self, older: Sha, newer: Sha) -> bool:
        return older in self.server.git("rev-list", newer).split()

    def touched(self, base: Sha, head: Sha) -> set[str]:
        found: set[str] = set()
        for fork in self.server.git("merge-base", "--all", base, head).split():
            names = self.server.git("diff-tree", "-r", "-z", "--no-renames", "--name-only", fork, head)
            found.update(name for name in names.split("\0") if name)
        return found


@pytest.fixture
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepening, "FIRST_STEP", 2)


def make_repositories(root: Path, world: World) -> GitRepositories:
    limits = GitLimits(pause=timedelta(milliseconds=5), packs=6)
    settings = GitSettings(mirrors=root / "mirrors", url=world.server.url, limits=limits)
    return GitRepositories(settings, token=lambda repository: None, clock=StoppedClock())


@pytest.mark.usefixtures("_small_steps")
@pytest.mark.parametrize("seed", range(8))
def test_answers_from_a_shallow_mirror_are_those_of_the_whole_history(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    repositories = make_repositories(tmp_path, world)
    known: dict[str, Sha] = {}
    for _ in range(12):
        for _ in range(world.random.randint(1, 4)):
            world.grow()
        if world.random.random() < 0.15:
            repositories = make_repositories(tmp_path, world)
        head = repositories.refresh(REPO, "main", PATHS[:3])
        assert head == world.head()
        for path in world.random.sample(PATHS, 2):
            check_history(world, repositories, head, path, known)
        commit, older = world.any_commit(), world.any_commit()
        path = world.random.choice(PATHS)
        if world.text(commit, path) is not None:
            assert repositories.read_file(REPO, commit, path) == world.text(commit, path)
        assert contains(repositories, REPO, commit, older) is world.is_ancestor(older, commit)
        assert contains(repositories, REPO, head, commit) is world.is_ancestor(commit, head)
        change = repositories.branch_change(REPO, head, "liftlock/x")
        assert (change is None) == (world.server.head("liftlock/x") is None)
        if change is not None:
            assert set(change.paths) == world.touched(head, change.head)


def check_history(world: World, repositories: GitRepositories, head: Sha, path: str, known: dict[str, Sha]) -> None:
    truth = world.versions(head, path)
    limit = world.random.choice((1, 3, 50))
    history = repositories.file_history(REPO, head, path, limit=limit)
    assert [version.commit for version in history.versions] == truth[:limit]
    assert not history.complete or len(truth) <= limit
    contents = [version.content for version in history.versions if version.content]
    texts = repositories.read_contents(REPO, contents) if contents else {}
    for version in history.versions:
        assert (texts[version.content] if version.content else None) == world.text(version.commit, path)
    since = known.get(path)
    newer = repositories.file_history(REPO, head, path, limit=50, since=since)
    if newer.joins:
        assert since
        assert [version.commit for version in newer.versions] == truth[: truth.index(since)]
    if truth:
        known[path] = truth[0]
