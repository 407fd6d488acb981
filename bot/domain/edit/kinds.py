"""The kinds of edit that a policy may name: which value of which file says what runs.

Values only: what reads and writes them stands beside, a module a kind. Paths are relative to the repository; paths
inside files are written as `bot.domain.edit.path` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentWhere:
    """The documents of a file that an edit looks into: those that have all that is said. `index` counts from 0."""

    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    index: int | None = None


ANY_DOCUMENT = DocumentWhere()


@dataclass(frozen=True, slots=True, kw_only=True)
class KustomizeEdit:
    """`newTag`, and `digest` where there is one, of the entry of `images` for the service's image.

    `name` is the entry's name where the manifests call the image something else. `create` lets an entry or a key that
    is missing be added. `pin` writes the digest beside the tag.
    """

    file: str
    name: str | None = None
    create: bool = False
    pin: bool = False
    document: DocumentWhere = ANY_DOCUMENT
    kind: Literal["kustomize"] = "kustomize"


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmEdit:
    """Values at dotted paths of a Helm values file: `tag`, or the whole `repo:tag@digest` at `image`.

    Exactly one of the two is given. `digest` and `repository` may stand at paths of their own beside `tag`.
    """

    file: str
    tag: str | None = None
    image: str | None = None
    digest: str | None = None
    repository: str | None = None
    pin: bool = False
    document: DocumentWhere = ANY_DOCUMENT
    kind: Literal["helm"] = "helm"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEdit:
    """`image` of every container that runs the service's image, in any workload; of `container` only if it is given."""

    file: str
    container: str | None = None
    pin: bool = False
    document: DocumentWhere = ANY_DOCUMENT
    kind: Literal["manifest"] = "manifest"


class Holds(StrEnum):
    """Where an Argo CD Application says which version runs."""

    HELM = "helm"
    KUSTOMIZE = "kustomize"
    TARGET_REVISION = "target-revision"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoApplicationEdit:
    """A value of an Argo CD Application (or of an ApplicationSet's template).

    `helm`: the value called `path` among the parameters, in `valuesObject` or in `values`. `kustomize`: the entry of
    `kustomize.images`. `target-revision`: `targetRevision`. With several sources, `source` says which: by its `name`,
    `ref`, `chart`, `path` or `repoURL`; where none is said, it is the only one that has such a value.
    """

    file: str
    holds: Holds
    path: str | None = None
    application: str | None = None
    source: str | None = None
    pin: bool = False
    kind: Literal["argocd-application"] = "argocd-application"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathEdit:
    """The tag, or tag and digest, at any path of a YAML or JSON file."""

    file: str
    path: str
    pin: bool = False
    document: DocumentWhere = ANY_DOCUMENT
    kind: Literal["path"] = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexEdit:
    """What the one group of `pattern` (RE2 syntax, `^` and `$` at lines) holds in a file of any other format."""

    file: str
    pattern: str
    pin: bool = False
    kind: Literal["regex"] = "regex"


Edit = KustomizeEdit | HelmEdit | ManifestEdit | ArgoApplicationEdit | PathEdit | RegexEdit
