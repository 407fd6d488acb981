"""Judge an application that was saved to a file, by an ancestry that a person gives: a clone, or a table in JSON.

Enter texts and a path; leaves the same liveness that a sweep comes to. Whether a revision still has the tag is known
from the table only: a clone says whether it has the commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bot.adapters.argocd_application import parse_application
from bot.adapters.argocd_json import Json, MalformedItem
from bot.adapters.git.clone import LocalClone
from bot.adapters.git.names import check_sha
from bot.adapters.repository_url import parse_repository_url
from bot.domain.argo import Ancestry, Application, Hydration
from bot.domain.liveness import Liveness, judge_liveness, reported_revisions
from bot.domain.model import Carries, Release, Sha
from bot.domain.stance import Expected
from bot.domain.text import one_line
from bot.ports import Permanent
from bot.stage_look import dry_commit, metadata_path

_EVER = datetime.fromtimestamp(0, UTC)
_MOST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a saved application. `ancestry` is a clone's folder or a JSON file; None knows `commit` only."""

    file: Path
    name: str
    commit: str
    ancestry: Path | None = None
    repository: str | None = None
    branch: str = ""
    release: Release | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A judged application, and what it was judged by."""

    application: Application
    liveness: Liveness


def explain_saved(question: Question, now: datetime) -> Explained:
    """Judge a saved application. Raise Permanent with one sentence for what cannot be read."""
    known = _known(question)
    application = _read(question)
    carries: dict[Sha, Carries] = {}
    behind: dict[Sha, int] = {}
    dry: dict[Sha, Sha] = {}
    for reported in reported_revisions(application, _EVER):
        revision = reported if application.hydration is None else known.dry(reported, application.hydration)
        if revision is not None and revision != reported:
            dry[reported] = revision
        carries[reported], lacks = known.related(revision) if revision is not None else (Carries.UNKNOWN, None)
        if lacks is not None:
            behind[reported] = lacks
    release = question.release or Release(image="", tag="")
    expected = Expected(
        image=release.image,
        tag=release.tag or "the release",
        commit=known.commit,
        since=known.since,
        branch=question.branch,
    )
    if question.release is None:
        # Without a release named, nothing is said of the images that run.
        application = replace(application, images=())
    ancestry = Ancestry(carries=carries, behind=behind, dry=dry)
    return Explained(application=application, liveness=judge_liveness([application], expected, ancestry, now))


class _Git(Protocol):
    """What is asked of Git, whoever knows it."""

    @property
    def commit(self) -> Sha:
        """The release's commit by its full name."""
        ...

    @property
    def since(self) -> datetime:
        """When it was made; long ago where that is not known."""
        ...

    def related(self, revision: Sha) -> tuple[Carries, int | None]:
        """Return whether a revision has the commit, and how many commits it lacks on the way to it."""
        ...

    def dry(self, hydrated: Sha, hydration: Hydration) -> Sha | None:
        """Return the commit that a hydrated one was rendered from, None where nobody says."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clone:
    clone: LocalClone
    commit: Sha
    since: datetime

    def related(self, revision: Sha) -> tuple[Carries, int | None]:
        descent = self.clone.descent(revision, self.commit)
        if descent is None:
            return Carries.UNKNOWN, None
        return (Carries.YES, None) if descent.contains else (Carries.BEHIND, descent.behind)

    def dry(self, hydrated: Sha, hydration: Hydration) -> Sha | None:
        told = hydration.rendered.get(hydrated)
        return told or dry_commit(self.clone.read_file(hydrated, metadata_path(hydration)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    table: Mapping[str, object]
    commit: Sha
    since: datetime = _EVER

    def related(self, revision: Sha) -> tuple[Carries, int | None]:
        if revision == self.commit:
            return Carries.YES, None
        named = [name for name in self.table if name and revision.startswith(name.lower())]
        told = self.table[max(named, key=len)] if named else None
        if isinstance(told, int) and not isinstance(told, bool):
            return Carries.BEHIND, told
        return (Carries(told), None) if isinstance(told, str) else (Carries.UNKNOWN, None)

    def dry(self, hydrated: Sha, hydration: Hydration) -> Sha | None:
        return hydration.rendered.get(hydrated)


def _known(question: Question) -> _Git:
    if question.ancestry is not None and question.ancestry.is_dir():
        clone = LocalClone.at(question.ancestry)
        commit = clone.commit(question.commit)
        return _Clone(clone=clone, commit=commit, since=clone.committed_at(commit))
    commit = Sha(question.commit.lower())
    check_sha(commit)
    return _Table(table=_read_table(question.ancestry) if question.ancestry is not None else {}, commit=commit)


def _read_table(path: Path) -> Mapping[str, object]:
    words = [str(one) for one in Carries]
    table = _read_object(path, "with how revisions are related to the commit, by revision")
    for revision, told in table.items():
        if not (isinstance(told, int) and not isinstance(told, bool) and told > 0) and told not in words:
            wanted = f"one of {', '.join(words)}, or how many commits it is behind"
            found = f"{one_line(revision, limit=70)}: found {one_line(json.dumps(told), limit=60)}"
            raise Permanent("ancestry", f"{path}: {found}, expected {wanted}")
    return table


def _read(question: Question) -> Application:
    told = _read_object(question.file, "such as `argocd app get NAME -o json` prints")
    try:
        return parse_application(told, question.name, counts=_counts(question.repository), branch=question.branch)
    except MalformedItem as error:
        raise Permanent("application", f"{question.file}: is no Argo CD application: {error}") from error


def _counts(repository: str | None) -> Callable[[str], bool]:
    """Without a repository named every Git source counts."""
    if repository is None:
        return lambda url: parse_repository_url(url) is not None
    wanted = repository.casefold()

    def counts(url: str) -> bool:
        found = parse_repository_url(url)
        return found is not None and found.path == wanted

    return counts


def _read_object(path: Path, wanted: str) -> Json:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise Permanent("file", f"{path}: is larger than {_MOST_BYTES} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Permanent("file", f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Permanent("file", f"{path}: is no JSON") from error
    if not isinstance(value, dict):
        raise Permanent("file", f"{path}: expected a JSON object, {wanted}")
    return value
