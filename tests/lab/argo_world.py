"""A small world for tests of the simulated Argo CD: a real bare repository, a manual clock, one application."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.lab.argocd import ApplicationSpec, ArgoLab, ArgoOptions, Source, SourceHydrator
from bot.lab.clock import ManualClock
from bot.lab.cluster import Cluster

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IMAGE = "ghcr.io/acme/checkout"
APP = "checkout-staging"
PATH = "apps/checkout/staging"
REPOSITORY = "http://127.0.0.1:1/acme/deploy.git"
_IDENTITY = ("-c", "user.name=Dana", "-c", "user.email=dana@example.org")


def kustomization(tag: str, *, image: str = IMAGE) -> str:
    return f'images:\n  - name: {image}\n    newTag: "{tag}"\n'


def a_spec(
    name: str = APP,
    *,
    path: str = PATH,
    automated: bool = True,
    project: str = "default",
    target_revision: str = "main",
    sources: tuple[Source, ...] = (),
    hydrator: SourceHydrator | None = None,
    prune: bool = True,
) -> ApplicationSpec:
    is_single = not sources and hydrator is None
    return ApplicationSpec(
        name=name,
        namespace=name,
        repo_url=REPOSITORY if is_single else "",
        path=path if is_single else "",
        target_revision=target_revision,
        image=IMAGE,
        automated=automated,
        project=project,
        sources=sources,
        hydrator=hydrator,
        prune=prune,
        labels={"team": "shop"},
    )


class ArgoWorld:
    """`commit` changes Git, `run` lets time pass in steps of 100 ms, ticking as it goes."""

    def __init__(self, directory: Path, options: ArgoOptions | None = None) -> None:
        self._bare = directory / "acme" / "deploy.git"
        self._work = directory / "work"
        self._git(directory, "init", "-q", "--bare", "-b", "main", str(self._bare))
        self._git(directory, "clone", "-q", str(self._bare), str(self._work))
        self.clock = ManualClock(T0)
        self.cluster = Cluster(self.clock)
        self.argocd = ArgoLab(self.clock, self.cluster, lambda name: directory / f"{name}.git", options)

    def commit(self, files: dict[str, str], *, branch: str = "main") -> str:
        """Commit on a branch; a new one begins at the head of the last commit."""
        self._git(self._work, "checkout", "-q", *(() if self._has(branch) else ("-B",)), branch)
        for path, text in files.items():
            file = self._work / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self._git(self._work, "add", ".")
        self._git(self._work, *_IDENTITY, "commit", "-q", "--allow-empty", "-m", "Change")
        self._git(self._work, "push", "-q", "origin", branch)
        return self._git(self._work, "rev-parse", "HEAD").strip()

    def tag(self, name: str) -> str:
        """Tag the last commit; return it."""
        self._git(self._work, *_IDENTITY, "tag", "-a", name, "-m", name)
        self._git(self._work, "push", "-q", "origin", name)
        return self._git(self._work, "rev-parse", "HEAD").strip()

    def show(self, what: str) -> str:
        """Return what `git show` says of something in the bare repository."""
        return self._git(self._bare, "show", what)

    def git(self, *arguments: str) -> str:
        """Run git in the bare repository."""
        return self._git(self._bare, *arguments).strip()

    def release(self, tag: str) -> str:
        return self.commit({f"{PATH}/kustomization.yaml": kustomization(tag)})

    def add(self, name: str = APP, *, path: str = PATH, automated: bool = True, project: str = "default") -> None:
        self.argocd.add(a_spec(name, path=path, automated=automated, project=project))

    def run(self, seconds: float) -> None:
        self.argocd.tick()
        for _ in range(round(seconds * 10)):
            self.clock.advance(timedelta(milliseconds=100))
            self.argocd.tick()

    def _has(self, branch: str) -> bool:
        return branch in self._git(self._work, "branch", "--format=%(refname:short)").split()

    def _git(self, directory: Path, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True, text=True)
        return done.stdout
