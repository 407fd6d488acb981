"""What an application is told to be: its sources, where they are hydrated, and the habits of the whole server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source of an application.

    With `chart`, `repo_url` is a Helm repository and `target_revision` a version or a range of versions. With `ref`,
    other sources may name files of this one in `value_files`, as `$ref/path`; a source that has a `ref` and no path
    deploys nothing by itself. Without either, `path` is a folder of the Git repository.
    """

    repo_url: str
    path: str = ""
    target_revision: str = "main"
    chart: str = ""
    ref: str = ""
    name: str = ""
    value_files: tuple[str, ...] = ()

    @property
    def deploys(self) -> bool:
        """Whether manifests come from this source."""
        return bool(self.chart or self.path or not self.ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHydrator:
    """Dry files that Argo CD itself renders to a branch, which the application then follows.

    `branch` and `path` are what the application syncs from. With `hydrate_to` the hydrator writes to that branch, and
    somebody else brings the commits over to `branch`.
    """

    dry: Source
    branch: str
    path: str
    hydrate_to: str = ""

    @property
    def written_branch(self) -> str:
        """The branch that the hydrator writes to."""
        return self.hydrate_to or self.branch

    @property
    def synced(self) -> Source:
        """The source that is compared with the cluster."""
        return Source(repo_url=self.dry.repo_url, path=self.path, target_revision=self.branch)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSpec:
    """What an application deploys into one namespace: one path of a repository, `sources`, or what a `hydrator` wrote.

    `image` is the image of a Helm chart whose values name no repository; the dotted paths say where the values file
    keeps tag, repository and digest. A `kustomization.yaml` in the path comes before a values file. Automated sync
    that is off is left out of the JSON, or told as `enabled: false` (v3.1) with `tells_disabled`.
    """

    name: str
    namespace: str
    repo_url: str = ""
    path: str = ""
    image: str = ""
    target_revision: str = "main"
    sources: tuple[Source, ...] = ()
    hydrator: SourceHydrator | None = None
    project: str = "default"
    automated: bool = True
    prune: bool = True
    self_heal: bool = True
    tells_disabled: bool = False
    values_file: str = "values.yaml"
    tag_path: str = "image.tag"
    repository_path: str = "image.repository"
    digest_path: str = "image.digest"
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def compared_sources(self) -> tuple[Source, ...]:
        """The sources that are compared with the cluster, in their order."""
        if self.hydrator is not None:
            return (self.hydrator.synced,)
        single = Source(repo_url=self.repo_url, path=self.path, target_revision=self.target_revision)
        return self.sources or (single,)

    @property
    def has_multiple_sources(self) -> bool:
        """Whether the application tells `sources` and `revisions`; even one entry of `sources` makes it so."""
        return self.hydrator is None and bool(self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoOptions:
    """How slow the simulated Argo CD is, and which version's habits it has.

    `refresh_every` is the time between two looks at Git (3 min in reality), `operation_lag` passes until a requested
    operation is taken up, `sync_takes` until it succeeded, and `settle_after` until the refresh that follows it:
    until then the status is that of before. `hydration_takes` is how long the hydrator needs to write a branch.
    `hides_unknown`: an unknown name is answered with 403 unless the request names the project (since 2.6.x), else
    with 404. `transition_times`: health says since when it is so.
    """

    refresh_every: timedelta = timedelta(seconds=3)
    operation_lag: timedelta = timedelta(milliseconds=200)
    sync_takes: timedelta = timedelta(seconds=1)
    settle_after: timedelta = timedelta(seconds=1)
    hydration_takes: timedelta = timedelta(seconds=1)
    hides_unknown: bool = True
    transition_times: bool = True
    version: str = "v3.1.8+lab"
