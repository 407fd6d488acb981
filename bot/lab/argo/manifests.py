"""Read from a real bare Git repository which images an application is to run, as Argo CD's repo server would."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from bot.lab.argo.model import ApplicationSpec, Image

_GIT_DEADLINE_SECONDS = 20.0


class ManifestError(Exception):
    """The manifests of an application cannot be generated; the text becomes its ComparisonError."""


class ManifestReader:
    """Resolves revisions and reads images; `repositories` maps `owner/name` to the bare repository's directory."""

    def __init__(self, repositories: Callable[[str], Path]) -> None:
        self._repositories = repositories
        self._heads: dict[tuple[str, str], str] = {}
        self._images: dict[tuple[str, ...], tuple[Image, ...]] = {}

    def look_again(self) -> None:
        """Forget where branches and tags point: they are read once between two calls."""
        self._heads.clear()

    def resolve(self, spec: ApplicationSpec, revision: str | None = None) -> str:
        """Return the commit that a revision (None: the application's target) names now."""
        wanted = revision or spec.target_revision
        key = (spec.repo_url, wanted)
        if key not in self._heads:
            self._heads[key] = self._resolve(spec, wanted)
        return self._heads[key]

    def images(self, spec: ApplicationSpec, commit: str) -> tuple[Image, ...]:
        """Return the images that the application's manifests name at a commit, sorted by name."""
        key = (spec.repo_url, spec.path, spec.image, spec.values_file, spec.tag_path, spec.repository_path, commit)
        if key not in self._images:
            self._images[key] = self._read_images(spec, commit)
        return self._images[key]

    def _resolve(self, spec: ApplicationSpec, wanted: str) -> str:
        for name in (f"refs/heads/{wanted}", f"refs/tags/{wanted}", wanted):
            found = self._git(spec, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
            if found is not None:
                return found.strip()
        raise ManifestError(
            f"Failed to load target state: failed to generate manifest for source 1 of 1: "
            f"unable to resolve '{wanted}' to a commit SHA"
        )

    def _read_images(self, spec: ApplicationSpec, commit: str) -> tuple[Image, ...]:
        kustomization = self._document(spec, commit, "kustomization.yaml")
        if kustomization is not None:
            found = tuple(_kustomize_images(kustomization))
        else:
            found = tuple(self._helm_images(spec, commit))
        if not found:
            raise ManifestError(f"Failed to load target state: {spec.path} at {commit[:7]} names no image with a tag")
        return tuple(sorted(found, key=lambda image: image.name))

    def _helm_images(self, spec: ApplicationSpec, commit: str) -> Iterator[Image]:
        values = self._document(spec, commit, spec.values_file)
        if values is None:
            raise ManifestError(f"Failed to load target state: {spec.path}: app path does not exist")
        tag = _at(values, spec.tag_path)
        name = _at(values, spec.repository_path) or spec.image
        if name and tag:
            yield _image(name, tag, _at(values, spec.digest_path))

    def _document(self, spec: ApplicationSpec, commit: str, file: str) -> Mapping[str, object] | None:
        path = "/".join(part for part in (spec.path.strip("/"), file) if part not in {"", "."})
        text = self._git(spec, "show", f"{commit}:{path}")
        if text is None:
            return None
        try:
            loaded = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ManifestError(f"Failed to load target state: error unmarshaling {path}: {error}") from error
        if not isinstance(loaded, dict):
            raise ManifestError(f"Failed to load target state: {path} is not a mapping")
        return loaded

    def _git(self, spec: ApplicationSpec, *arguments: str) -> str | None:
        directory = self._repositories(repository_name(spec.repo_url))
        if not directory.is_dir():
            raise ManifestError(f"Failed to load target state: repository {spec.repo_url} not found")
        command = ["git", "--git-dir", str(directory), *arguments]
        done = subprocess.run(command, capture_output=True, check=False, timeout=_GIT_DEADLINE_SECONDS)
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def repository_name(url: str) -> str:
    """Return `owner/name` of a repository URL."""
    parts = urlsplit(url).path.removesuffix("/").removesuffix(".git").split("/")
    return "/".join(parts[-2:])


def _kustomize_images(document: Mapping[str, object]) -> Iterator[Image]:
    entries = document.get("images")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and (entry.get("newTag") is not None or entry.get("digest")):
            name = str(entry.get("newName") or entry.get("name"))
            yield _image(name, str(entry.get("newTag") or ""), str(entry.get("digest") or ""))


def _image(name: str, tag: str, digest: str) -> Image:
    return Image(name=name, tag=tag, digest=digest)


def _at(values: Mapping[str, object], dotted: str) -> str:
    found: object = values
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return "" if found is None or isinstance(found, dict | list) else str(found)
