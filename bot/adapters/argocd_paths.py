"""Does an Argo CD application deploy a file of a repository? Judged by its sources alone, as its spec has them. Pure.

What a kustomization or a chart takes from elsewhere in the repository is not followed, so a path that does not hold the
file is no proof. A repository or a branch that it does not have is.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from bot.adapters.argocd_json import Json, object_at, text_at, texts_at
from bot.adapters.argocd_sources import Counting, sources_of
from bot.adapters.http import show_url
from bot.adapters.scrub import as_sentence
from bot.domain.argo import follows_branch

_LONGEST = 100
_DEFAULT_VALUES = "values.yaml"


class Lack(StrEnum):
    """What an application lacks of a stage's file."""

    REPOSITORY = "repository"
    BRANCH = "branch"
    PATH = "path"
    VALUES = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """What an application deploys instead, in words."""

    lack: Lack
    deploys: str


def deployed_sources(spec: Json) -> tuple[Json, ...]:
    """Return the sources that people write: of a hydrated application the dry one. Raise MalformedItem for nonsense."""
    hydrator = object_at(spec, "sourceHydrator")
    return (object_at(hydrator, "drySource"),) if hydrator else sources_of(spec)


def why_not_deployed(spec: Json, file: str, counting: Counting, *, are_values: bool = False) -> Mismatch | None:
    """Return why an application does not deploy a file, None where it does as far as its spec tells.

    `are_values` says that the file holds Helm values, which an application reads only if it names them. Raise
    MalformedItem for a spec that is none.
    """
    sources = deployed_sources(spec)
    ours = [one for one in sources if not text_at(one, "chart") and counting.is_ours(text_at(one, "repoURL"))]
    if not ours:
        return Mismatch(lack=Lack.REPOSITORY, deploys=_listed(show_url(text_at(one, "repoURL")) for one in sources))
    following = [one for one in ours if follows_branch(text_at(one, "targetRevision"), counting.branch)]
    if not following:
        return Mismatch(lack=Lack.BRANCH, deploys=_listed(text_at(one, "targetRevision") for one in ours))
    named = [path for source in sources for path in _values_of(source, following)]
    if any(_is_same(path, file) for path in named):
        return None
    holding = [one for one in following if _holds(one, file)]
    if not holding:
        return Mismatch(lack=Lack.PATH, deploys=_listed(_path_of(one) or "." for one in following))
    charts = [one for one in holding if texts_at(object_at(one, "helm"), "valueFiles")]
    defaults = [posixpath.join(_path_of(one), _DEFAULT_VALUES) for one in charts]
    if are_values and len(charts) == len(holding) and file not in defaults:
        return Mismatch(lack=Lack.VALUES, deploys=_listed(named))
    return None


def _values_of(source: Json, following: Sequence[Json]) -> Iterator[str]:
    """Give the values files that a source names, as paths in the repository; those of other repositories not."""
    for named in texts_at(object_at(source, "helm"), "valueFiles"):
        if named.startswith("$"):
            ref, _, path = named[1:].partition("/")
            if any(text_at(one, "ref") == ref for one in following):
                yield posixpath.normpath(path)
        elif "://" not in named and source in following:
            path = named[1:] if named.startswith("/") else posixpath.join(_path_of(source), named)
            yield posixpath.normpath(path)


def _is_same(path: str, file: str) -> bool:
    """Say whether a named path is a file; it may have stars, which stand for no slash."""
    parts, own = path.split("/"), file.split("/")
    return len(parts) == len(own) and all(fnmatchcase(one, part) for part, one in zip(parts, own, strict=True))


def _holds(source: Json, file: str) -> bool:
    if text_at(source, "ref") and not text_at(source, "path"):
        # It deploys nothing by itself: others take their values from it.
        return False
    path = _path_of(source)
    return not path or file.startswith(f"{path}/")


def _path_of(source: Json) -> str:
    """Return the path of a source in its repository, empty for all of it."""
    path = posixpath.normpath(text_at(source, "path").strip("/"))
    return "" if path == "." else path


def _listed(words: Iterator[str] | Sequence[str]) -> str:
    shown = list(dict.fromkeys(as_sentence(word, longest=_LONGEST) for word in words))
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f"{', '.join(shown[:3])}{more}"


def destination_namespace(spec: Json) -> str:
    """Return the namespace that an application deploys to; empty where it says none."""
    return text_at(object_at(spec, "destination"), "namespace")
