"""Where a repository's files say which tag of an image runs: each place as the edit that would change it.

A place counts only if the edit reads one tag there, for certain. A file that names the image and cannot be read is told
with the reason, so that nobody wonders why it is missing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.edit import (
    ArgoApplicationEdit,
    Edit,
    EditRefused,
    HelmEdit,
    Holds,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    guess_kind,
    parse_path,
    read_image,
    render_path,
)
from bot.domain.edit.reference import is_same_image, parse_reference
from bot.draft.plain import Plain, at, documents_of, text_at, walk

_APPLICATION = "Application"
_SETS = "ApplicationSet"
_NAMING = frozenset({"image", "name", "newName", "value"})
"""Keys under which an image stands without a tag: of kustomize's entries, and of a chart's parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A value that says the tag: its edit, what it says now, the namespace and Application that its file names."""

    edit: Edit
    tag: str
    namespace: str = ""
    application: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A file that names the image, and why its tag cannot be read for certain."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """An Argo CD Application of the repository: its name, its spec, and the file that it is in."""

    name: str
    spec: Mapping[str, object]
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a repository says of an image. `sets` are the files of ApplicationSets, which name Applications later."""

    places: tuple[Place, ...]
    unclear: tuple[Unclear, ...]
    deployers: tuple[Deployer, ...]
    sets: tuple[str, ...] = ()


def survey(texts: Mapping[str, str], image: str) -> Survey:
    """Look through the texts of a repository, by path, for an image without a tag."""
    last = image.rpartition("/")[2]
    read = {file: documents_of(text, file=file) for file, text in texts.items() if last in text or _has_kind(text)}
    # Policies name images, too, but run nothing.
    read = {file: documents for file, documents in read.items() if not any(map(_is_policy, documents))}
    places: list[Place] = []
    unclear: list[Unclear] = []
    for file, documents in read.items():
        found = _places_in(file, texts[file], documents, image)
        places += [one for one in found if isinstance(one, Place)]
        unclear += [one for one in found if isinstance(one, Unclear)]
    deployers = tuple(one for file, documents in read.items() for one in _deployers(file, documents))
    sets = tuple(file for file, docs in read.items() if any(text_at(one, "kind") == _SETS for one in docs))
    places += _overrides(texts, places, deployers, image)
    return Survey(places=tuple(places), unclear=tuple(unclear), deployers=deployers, sets=sets)


def _is_policy(document: Plain) -> bool:
    return text_at(document, "apiVersion").startswith("liftlock.dev/")


def _has_kind(text: str) -> bool:
    return "argoproj.io/" in text


def _deployers(file: str, documents: Sequence[Plain]) -> Iterator[Deployer]:
    for document in documents:
        name, spec = text_at(document, "metadata", "name"), at(document, "spec")
        if _is_argo(document, _APPLICATION) and name and "{{" not in name and isinstance(spec, Mapping):
            yield Deployer(name=name, spec=dict(spec), file=file)


def _is_argo(document: Plain, kind: str) -> bool:
    return text_at(document, "kind") == kind and text_at(document, "apiVersion").startswith("argoproj.io/")


# --- one file --------------------------------------------------------------------------------------------------------


def _places_in(file: str, text: str, documents: Sequence[Plain], image: str) -> list[Place | Unclear]:
    """Return the places of one file; where none can be read though the image is named, why."""
    if not any(_is_named(value, image) for document in documents for _, value in walk(document)):
        return []
    found: list[Place | Unclear] = []
    for edit, namespace, application in _edits(file, text, documents, image):
        try:
            tag = read_image(edit, image, text).shown
        except EditRefused as refused:
            found.append(Unclear(file=file, reason=refused.reason))
        else:
            found.append(Place(edit=edit, tag=tag, namespace=namespace, application=application))
    return found


def _is_named(value: Plain, image: str) -> bool:
    """Say whether a value names the image: as a whole, or as a mapping of registry and repository."""
    if isinstance(value, Mapping):
        return is_same_image(_repository_of(value), image)
    return isinstance(value, str) and _is_image(value.rpartition("=")[2], image)


def _is_image(text: str, image: str) -> bool:
    reference = parse_reference(text)
    return reference is not None and is_same_image(reference.name, image)


def _repository_of(mapping: Mapping[str, Plain]) -> str:
    repository, registry = text_at(mapping, "repository"), text_at(mapping, "registry")
    return f"{registry.rstrip('/')}/{repository}" if registry and repository else repository


def _edits(file: str, text: str, documents: Sequence[Plain], image: str) -> Iterator[tuple[Edit, str, str]]:
    """Give the edits that a file may take, each with the namespace and the Application that it names."""
    try:
        kind = None if file.endswith(".json") else guess_kind(file, text)
    except EditRefused:
        return
    first = documents[0] if documents else None
    if kind == "kustomize":
        yield KustomizeEdit(file=file), text_at(first, "namespace"), ""
    elif kind == "manifest":
        namespaces = {text_at(one, "metadata", "namespace") for one in documents} - {""}
        yield ManifestEdit(file=file), namespaces.pop() if len(namespaces) == 1 else "", ""
    elif kind == "argocd-application":
        applications = [one for one in documents if _is_argo(one, _APPLICATION)]
        for document in applications:
            name = text_at(document, "metadata", "name")
            for edit in _in_application(file, document, image, name=name if len(applications) > 1 else None):
                yield edit, text_at(document, "spec", "destination", "namespace"), name
    else:
        yield from ((edit, "", "") for document in documents for edit in _in_values(file, document, image))


def _in_values(file: str, document: Plain, image: str) -> Iterator[Edit]:
    is_helm = "values" in posixpath.basename(file).lower() and not file.endswith(".json")
    for tag, whole, digest in _values(document, image):
        if is_helm:
            yield HelmEdit(file=file, tag=tag, image=whole, digest=digest)
        else:
            yield PathEdit(file=file, path=tag or whole or "")


def _values(document: Plain, image: str) -> Iterator[tuple[str | None, str | None, str | None]]:
    """Give the paths of values: of a tag or of a whole image, and of a digest beside a tag."""
    for steps, value in walk(document):
        if isinstance(value, Mapping) and is_same_image(_repository_of(value), image) and text_at(value, "tag"):
            digest = render_path((*steps, "digest")) if text_at(value, "digest") else None
            yield render_path((*steps, "tag")), None, digest
        elif isinstance(value, str) and steps and steps[-1] != "repository" and _is_image(value, image):
            yield None, render_path(steps), None


def _in_application(file: str, document: Plain, image: str, *, name: str | None) -> Iterator[Edit]:
    sources = at(document, "spec", "sources")
    listed = sources if isinstance(sources, list) else [at(document, "spec", "source")]
    for source in listed:
        overrides = at(source, "kustomize", "images")
        if isinstance(overrides, list) and any(_is_named(one, image) for one in overrides):
            yield ArgoApplicationEdit(file=file, holds=Holds.KUSTOMIZE, application=name)
        for path in _helm_paths(at(source, "helm"), image):
            yield ArgoApplicationEdit(file=file, holds=Holds.HELM, path=path, application=name)


def _helm_paths(helm: Plain, image: str) -> Iterator[str]:
    nested = documents_of(text_at(helm, "values"), file="values")
    for document in (at(helm, "valuesObject"), *nested):
        yield from (tag or whole or "" for tag, whole, _ in _values(document, image))
    parameters = at(helm, "parameters")
    pairs = {text_at(one, "name"): text_at(one, "value") for one in parameters} if isinstance(parameters, list) else {}
    for name, value in pairs.items():
        above, _, last = name.rpartition(".")
        if last == "repository" and is_same_image(value, image) and f"{above}.tag" in pairs:
            yield f"{above}.tag"
        elif last != "repository" and _is_image(value, image):
            yield name


# --- values files that name the tag alone ----------------------------------------------------------------------------


def _overrides(
    texts: Mapping[str, str], places: Sequence[Place], deployers: Sequence[Deployer], image: str
) -> Iterator[Place]:
    """Give the tags of values files that take the repository from their chart's own values.

    They lie below the chart, or an Application reads them together with it.
    """
    bases = [one.edit for one in places if isinstance(one.edit, HelmEdit) and one.edit.tag]
    taken = {one.edit.file for one in places}
    for base in bases:
        chart = posixpath.dirname(base.file)
        if posixpath.basename(base.file) != "values.yaml":
            continue
        named = _named_with(chart, deployers)
        for file in texts:
            is_below = not chart or file.startswith(f"{chart}/")
            is_values = "values" in posixpath.basename(file).lower() and file.endswith((".yaml", ".yml"))
            if file not in taken and ((is_below and is_values) or file in named):
                place = _override(file, texts[file], base.tag or "", image)
                if place is not None:
                    taken.add(file)
                    yield place


def _named_with(chart: str, deployers: Sequence[Deployer]) -> frozenset[str]:
    """Return the values files that Applications of a chart's path name, as paths in the repository."""
    found = set()
    for one in deployers:
        spec: Plain = one.spec  # type: ignore[assignment]  # plain values, as they were read
        source = at(spec, "source")
        if posixpath.normpath(text_at(source, "path") or ".") == (chart or "."):
            files = at(source, "helm", "valueFiles")
            names = [name for name in files if isinstance(name, str)] if isinstance(files, list) else []
            found |= {
                posixpath.normpath(name[1:] if name.startswith("/") else posixpath.join(chart, name)) for name in names
            }
    return frozenset(found)


def _override(file: str, text: str, tag: str, image: str) -> Place | None:
    documents = documents_of(text, file=file)
    steps = [step for step in parse_path(tag) if isinstance(step, str)]
    if len(documents) != 1 or len(steps) != len(parse_path(tag)) or not text_at(documents[0], *steps):
        return None
    mapping = at(documents[0], *steps[:-1])
    repository = _repository_of(mapping) if isinstance(mapping, Mapping) else ""
    edit = HelmEdit(file=file, tag=tag)
    if repository and not is_same_image(repository, image):
        return None
    try:
        return Place(edit=edit, tag=read_image(edit, image, text).shown)
    except EditRefused:
        return None


# --- images ----------------------------------------------------------------------------------------------------------


def images_near(texts: Mapping[str, str], service: str) -> tuple[str, ...]:
    """Return the images of a repository whose last part is a service's name, sorted."""
    found = set()
    for file, text in texts.items():
        if service in text:
            for document in documents_of(text, file=file):
                found |= {name for name in _images(document) if name.rpartition("/")[2] == service and "/" in name}
    return tuple(sorted(found))


def _images(document: Plain) -> Iterator[str]:
    for steps, value in walk(document):
        if isinstance(value, Mapping):
            yield _repository_of(value)
        elif isinstance(value, str) and steps and steps[-1] != "repository":
            reference = parse_reference(value.rpartition("=")[2])
            if reference is not None and (reference.tag or reference.digest or steps[-1] in _NAMING):
                yield reference.name
