"""Resolve what a source's `targetRevision` names: a branch, a tag, a commit, `HEAD`, a range of tags or of charts."""

from __future__ import annotations

import re

from bot.lab.argo.model import SourceRevisions
from bot.lab.argo.repositories import GitRepositories, ManifestError
from bot.lab.argo.specification import ApplicationSpec, Source
from bot.lab.argo.versions import best_version, is_range

_COMMIT = re.compile(r"[0-9a-f]{40}")


class Targets:
    """Knows where everything points. What was looked up is kept until `look_again`."""

    def __init__(self, repositories: GitRepositories) -> None:
        self._repositories = repositories
        self._charts: dict[tuple[str, str], list[str]] = {}
        self._heads: dict[tuple[str, str], str] = {}

    def publish_chart(self, repo_url: str, chart: str, version: str) -> None:
        """Offer one more version of a chart."""
        self._charts.setdefault((repo_url, chart), []).append(version)

    def look_again(self) -> None:
        """Forget where branches and tags point: they are read once between two calls."""
        self._heads.clear()

    def resolve_all(self, spec: ApplicationSpec, asked: tuple[str, ...] = ()) -> SourceRevisions:
        """Return the revision of every source: the one asked for at its place, or (none or empty) its target's."""
        sources = spec.compared_sources
        wanted = asked or ("",) * len(sources)
        revisions = tuple(
            self._resolve(source, revision, f"source {index} of {len(sources)}")
            for index, (source, revision) in enumerate(zip(sources, wanted, strict=True), start=1)
        )
        return SourceRevisions(sources=sources, revisions=revisions, multiple=spec.has_multiple_sources)

    def resolve(self, source: Source) -> str:
        """Return the revision that a source's target names now."""
        return self._resolve(source, "", "source 1 of 1")

    def _resolve(self, source: Source, asked: str, place: str) -> str:
        wanted = asked or source.target_revision or "HEAD"
        try:
            return self._chart_version(source, wanted) if source.chart else self._commit(source.repo_url, wanted)
        except _Unresolved as error:
            raise ManifestError(
                f"Failed to load target state: failed to generate manifest for {place}: {error}"
            ) from error

    def _chart_version(self, source: Source, wanted: str) -> str:
        offered = self._charts.get((source.repo_url, source.chart), [])
        found = best_version(wanted, offered) if is_range(wanted) else wanted
        if found not in offered:
            raise _Unresolved(f"chart {source.chart!r} version {wanted!r} not found in {source.repo_url} repository")
        return found

    def _commit(self, url: str, wanted: str) -> str:
        if _COMMIT.fullmatch(wanted):
            # Argo CD does not look a whole commit up: whether it exists shows when manifests are generated.
            return wanted
        if (url, wanted) not in self._heads:
            self._heads[url, wanted] = self._look_up(url, self._tag_in_range(url, wanted) or wanted)
        return self._heads[url, wanted]

    def _tag_in_range(self, url: str, wanted: str) -> str | None:
        if not is_range(wanted):
            return None
        tags = self._repositories.ask(url, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags") or ""
        return best_version(wanted, tags.split())

    def _look_up(self, url: str, wanted: str) -> str:
        found = self._repositories.find_commit(url, wanted)
        if found is None:
            raise _Unresolved(f"unable to resolve '{wanted}' to a commit SHA")
        return found


class _Unresolved(Exception):
    """There is no such revision."""
