"""The fields of `edit`: which value of which file a promotion changes."""

from __future__ import annotations

from bot.domain.edit import Holds
from bot.policy.schema.shapes import (
    AN_IMAGE,
    FLAG,
    TEXT,
    Fields,
    either,
    field,
    mapping,
    one_of_keys,
    where,
    whole,
    without,
    words,
)

_OF_DOCUMENTS: Fields = {
    "kind": field(TEXT),
    "name": field(TEXT),
    "namespace": field(TEXT),
    "index": field(whole(0)),
}
_PIN: Fields = {
    "pin": field(
        words("digest", "none"),
        "Whether the digest is written beside the tag. A digest that the file pins already always moves with its tag.",
        default="none",
    ),
}

_DOCUMENT: Fields = {
    "document": field(
        mapping(_OF_DOCUMENTS, minProperties=1),
        "Which documents of the file are meant: those that have all of `kind`, `name`, `namespace` and "
        "`index` (from 0) that are given. Not with `argocd-application` and `regex`.",
    ),
}

_KUSTOMIZE: Fields = {
    "file": field(
        TEXT,
        "The kustomization.",
        required=True,
    ),
    "name": field(
        AN_IMAGE,
        "The entry's `name`, where the manifests call the image something else.",
    ),
    "create": field(
        FLAG,
        "Whether an entry or `newTag` that is missing is added.",
        default=False,
    ),
    **_PIN,
    **_DOCUMENT,
}
_HELM: Fields = {
    "file": field(
        TEXT,
        "The values file.",
        required=True,
    ),
    "tag": field(
        TEXT,
        "Where the tag stands.",
    ),
    "image": field(
        TEXT,
        "Where `repository:tag` stands as one text, with or without `@digest`.",
    ),
    "digest": field(
        TEXT,
        "Where the digest stands. It is set with the tag.",
    ),
    "repository": field(
        TEXT,
        "Where the repository stands; it is read, never changed.",
    ),
    **_PIN,
    **_DOCUMENT,
}
_MANIFEST: Fields = {
    "file": field(
        TEXT,
        "The manifests.",
        required=True,
    ),
    "container": field(
        TEXT,
        "The container's name, where only one is meant.",
    ),
    **_PIN,
    **_DOCUMENT,
}
_APPLICATION: Fields = {
    "file": field(
        TEXT,
        "The file it is in.",
        required=True,
    ),
    "name": field(
        TEXT,
        "The Application's name.",
    ),
    "holds": field(
        words(*Holds),
        "Where the version stands: a Helm value, `kustomize.images`, or `targetRevision`.",
        required=True,
    ),
    "path": field(
        TEXT,
        "The Helm value, in `parameters`, `valuesObject` or `values`. One that stands in two of them is refused.",
    ),
    "source": field(
        TEXT,
        "Which of several sources: its `name`, `ref`, `chart`, `path` or `repoURL`.",
    ),
    **_PIN,
}
_PATH: Fields = {
    "file": field(
        TEXT,
        "The file; `.json` is read as JSON.",
        required=True,
    ),
    "path": field(
        TEXT,
        "Where the value stands.",
        required=True,
    ),
    **_PIN,
    **_DOCUMENT,
}
_REGEX: Fields = {
    "file": field(
        TEXT,
        "The file.",
        required=True,
    ),
    "pattern": field(
        TEXT,
        "One group around the tag; it must match exactly once. `^` and `$` match at lines.",
        required=True,
    ),
    **_PIN,
}
_KINDS: Fields = {
    "kustomize": field(
        either(TEXT, mapping(_KUSTOMIZE)),
        "A kustomization; the tag is `newTag` of the image's entry in `images`, found by `name` or `newName`.",
    ),
    "helm": field(
        mapping(_HELM, **one_of_keys("tag", "image")),
        "Values of a Helm values file.",
    ),
    "manifest": field(
        either(TEXT, mapping(_MANIFEST)),
        "Kubernetes manifests; `image` of every container that runs the service's image, in any workload.",
    ),
    "argocd-application": field(
        mapping(_APPLICATION, **where("holds", Holds.HELM, {"required": ["path"]}, without("path"))),
        "An Argo CD Application, or an ApplicationSet's template.",
    ),
    "path": field(
        mapping(_PATH),
        "Any value of a YAML or JSON file: a tag, or a whole image.",
    ),
    "regex": field(
        mapping(_REGEX),
        "A file of any other format.",
    ),
}


AN_EDIT = mapping(_KINDS, minProperties=1, maxProperties=1)
