"""Read from a real bare Git repository which images an application is to run, as Argo CD's repo server would.

Understood are a `kustomization.yaml` with `images`, a Helm values file (also one that another source names as
`$ref/path`), and a `manifest.yaml` of plain Deployments, which is what the hydrator writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from bot.lab.argo.model import Image, Manifests, SourceRevisions
from bot.lab.argo.repositories import GitRepositories, ManifestError
from bot.lab.argo.specification import ApplicationSpec, Source

MANIFEST_FILE = "manifest.yaml"


class ManifestReader:
    """Reads images; what was read of a commit is kept."""

    def __init__(self, repositories: GitRepositories) -> None:
        self._repositories = repositories
        self._read: dict[tuple[object, ...], Manifests] = {}

    def manifests(self, spec: ApplicationSpec, target: SourceRevisions) -> Manifests:
        """Return what the application's sources name at these revisions; images are sorted by name."""
        dotted = (spec.tag_path, spec.repository_path, spec.digest_path)
        key = (target, spec.image, spec.values_file, *dotted)
        if key not in self._read:
            self._read[key] = self._manifests(spec, target)
        return self._read[key]

    def _manifests(self, spec: ApplicationSpec, target: SourceRevisions) -> Manifests:
        pairs = list(zip(target.sources, target.revisions, strict=True))
        refs = {source.ref: (source, revision) for source, revision in pairs if source.ref}
        images: set[Image] = set()
        for source, revision in pairs:
            if source.deploys:
                reading = _Reading(spec=spec, source=source, revision=revision, refs=refs)
                images.update(self._images(reading))
        charts = tuple(f"{source.chart} {revision}" for source, revision in pairs if source.chart)
        return Manifests(images=tuple(sorted(images, key=lambda image: image.name)), charts=charts)

    def _images(self, reading: _Reading) -> tuple[Image, ...]:
        source = reading.source
        found = tuple(self._helm_images(reading) if source.value_files or source.chart else self._file_images(reading))
        if not found:
            where = source.path or source.chart
            raise ManifestError(
                f"Failed to load target state: {where} at {reading.revision[:7]} names no image with a tag"
            )
        return found

    def _file_images(self, reading: _Reading) -> Iterator[Image]:
        rendered = self._text(reading.source, reading.revision, MANIFEST_FILE)
        kustomization = self._document(reading.source, reading.revision, "kustomization.yaml")
        if rendered is not None:
            yield from _deployed_images(rendered)
        elif kustomization is not None:
            yield from _kustomize_images(kustomization)
        else:
            yield from self._helm_images(reading)

    def _helm_images(self, reading: _Reading) -> Iterator[Image]:
        spec, source = reading.spec, reading.source
        values: dict[str, object] = {}
        for holder, revision, file in reading.values_files():
            document = self._document(holder, revision, file)
            if document is None:
                raise ManifestError(f"Failed to load target state: {holder.path or file}: app path does not exist")
            values.update(document)
        # A chart that is told no tag runs the one of its own version.
        tag = _at(values, spec.tag_path) or (reading.revision if source.chart else "")
        name = _at(values, spec.repository_path) or spec.image
        if name and tag:
            yield Image(name=name, tag=tag, digest=_at(values, spec.digest_path))

    def _document(self, source: Source, commit: str, file: str) -> Mapping[str, object] | None:
        text = self._text(source, commit, file)
        if text is None:
            return None
        path = _joined(source.path, file)
        try:
            loaded = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ManifestError(f"Failed to load target state: error unmarshaling {path}: {error}") from error
        if not isinstance(loaded, dict):
            raise ManifestError(f"Failed to load target state: {path} is not a mapping")
        return loaded

    def _text(self, source: Source, commit: str, file: str) -> str | None:
        return self._repositories.read_text(source.repo_url, commit, _joined(source.path, file))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One source that is read, and the others that it may refer to."""

    spec: ApplicationSpec
    source: Source
    revision: str
    refs: Mapping[str, tuple[Source, str]]

    def values_files(self) -> Iterator[tuple[Source, str, str]]:
        """Yield whose files give the values: the source, its revision, the path from the source's own."""
        if not self.source.value_files and not self.source.chart:
            yield self.source, self.revision, self.spec.values_file
        for file in self.source.value_files:
            if file.startswith("$"):
                ref, _, path = file.removeprefix("$").partition("/")
                yield self._referred(ref, file, path)
            else:
                yield self.source, self.revision, file

    def _referred(self, ref: str, file: str, path: str) -> tuple[Source, str, str]:
        if ref not in self.refs:
            raise ManifestError(f"Failed to load target state: source referenced {file!r}, but no source has that ref")
        holder, revision = self.refs[ref]
        # A `$ref` stands for the root of the repository, whatever path the source itself deploys.
        return Source(repo_url=holder.repo_url), revision, path


def render_manifest(images: tuple[Image, ...]) -> str:
    """Render plain Deployments of these images, as the hydrator writes them."""
    documents = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": _short(image.name)},
            "spec": {
                "template": {"spec": {"containers": [{"name": _short(image.name), "image": image.reference}]}},
            },
        }
        for image in images
    ]
    return yaml.safe_dump_all(documents, sort_keys=True)


def _deployed_images(text: str) -> Iterator[Image]:
    for document in yaml.safe_load_all(text):
        found: object = document
        for part in ("spec", "template", "spec", "containers"):
            found = found.get(part) if isinstance(found, dict) else None
        for container in found if isinstance(found, list) else []:
            yield _parse_reference(str(container["image"]))


def _parse_reference(reference: str) -> Image:
    tagged, _, digest = reference.partition("@")
    name, _, tag = tagged.rpartition(":")
    # The colon of a registry's port is followed by a path.
    return (
        Image(name=tagged, tag="", digest=digest)
        if not name or "/" in tag
        else Image(name=name, tag=tag, digest=digest)
    )


def _kustomize_images(document: Mapping[str, object]) -> Iterator[Image]:
    entries = document.get("images")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and (entry.get("newTag") is not None or entry.get("digest")):
            name = str(entry.get("newName") or entry.get("name"))
            yield Image(name=name, tag=str(entry.get("newTag") or ""), digest=str(entry.get("digest") or ""))


def _at(values: Mapping[str, object], dotted: str) -> str:
    found: object = values
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return "" if found is None or isinstance(found, dict | list) else str(found)


def _joined(folder: str, file: str) -> str:
    return "/".join(part for part in (folder.strip("/"), file) if part not in {"", "."})


def _short(image: str) -> str:
    return image.rsplit("/", 1)[-1]
