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

from bot.adapters.argocd_application import parse_application
from bot.adapters.argocd_json import Json, MalformedItem
from bot.adapters.git.clone import LocalClone
from bot.adapters.git.names import check_sha
from bot.adapters.repository_url import parse_repository_url
from bot.domain.argo import Ancestry, Application
from bot.domain.liveness import Liveness, judge_liveness, reported_revisions
from bot.domain.model import Carries, Release, Sha
from bot.domain.stance import Expected
from bot.ports import Permanent

_EVER = datetime.min.replace(tzinfo=UTC)
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
    related, commit, since = _relation(question)
    application = _read(question)
    carries: dict[Sha, Carries] = {}
    behind: dict[Sha, int] = {}
    dry = dict(application.hydration.rendered) if application.hydration is not None else {}
    for revision in reported_revisions(application, _EVER):
        carries[revision], lacks = related(dry.get(revision, revision))
        if lacks is not None:
            behind[revision] = lacks
    release = question.release or Release(image="", tag="")
    expected = Expected(
        image=release.image, tag=release.tag or "the release", commit=commit, since=since, branch=question.branch
    )
    if question.release is None:
        # Without a release named, nothing is said of the images that run.
        application = replace(application, images=())
    ancestry = Ancestry(carries=carries, behind=behind, dry=dry)
    return Explained(application=application, liveness=judge_liveness([application], expected, ancestry, now))


_Relation = Callable[[Sha], tuple[Carries, int | None]]


def _relation(question: Question) -> tuple[_Relation, Sha, datetime]:
    """Return how revisions are related to the commit, its full name, and when it was made where that is known."""
    if question.ancestry is not None and question.ancestry.is_dir():
        clone = LocalClone.at(question.ancestry)
        commit = clone.commit(question.commit)
        return (lambda revision: _by_clone(clone, revision, commit)), commit, clone.committed_at(commit)
    commit = Sha(question.commit.lower())
    check_sha(commit)
    table = _read_table(question.ancestry) if question.ancestry is not None else {}
    return (lambda revision: _by_table(table, revision, commit)), commit, _EVER


def _by_clone(clone: LocalClone, revision: Sha, commit: Sha) -> tuple[Carries, int | None]:
    descent = clone.descent(revision, commit)
    if descent is None:
        return Carries.UNKNOWN, None
    return (Carries.YES, None) if descent.contains else (Carries.BEHIND, descent.behind)


def _by_table(table: Mapping[str, object], revision: Sha, commit: Sha) -> tuple[Carries, int | None]:
    if revision == commit:
        return Carries.YES, None
    told = next((value for name, value in table.items() if name and revision.startswith(name.lower())), None)
    if isinstance(told, int) and not isinstance(told, bool):
        return Carries.BEHIND, told
    return (Carries(told), None) if isinstance(told, str) else (Carries.UNKNOWN, None)


def _read_table(path: Path) -> Mapping[str, object]:
    words = [str(one) for one in Carries]
    table = _read_object(path)
    for revision, told in table.items():
        if not (isinstance(told, int) and not isinstance(told, bool) and told > 0) and told not in words:
            wanted = f"one of {', '.join(words)}, or how many commits it is behind"
            raise Permanent("ancestry", f"{path}: {revision}: found {json.dumps(told)[:60]}, expected {wanted}")
    return table


def _read(question: Question) -> Application:
    told = _read_object(question.file)
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


def _read_object(path: Path) -> Json:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise Permanent("file", f"{path}: is larger than {_MOST_BYTES} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Permanent("file", f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Permanent("file", f"{path}: is no JSON") from error
    if not isinstance(value, dict):
        raise Permanent("file", f"{path}: expected a JSON object, such as `argocd app get NAME -o json` prints")
    return value
