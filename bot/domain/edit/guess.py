"""Tell from a file what kind of edit it takes, where nobody said it. What is not plain to see stays unsaid."""

from __future__ import annotations

from pathlib import PurePosixPath

from bot.domain.edit.kinds import ANY_DOCUMENT
from bot.domain.edit.sheet import chosen_roots, text_of
from bot.domain.edit.stream import Reading, read_stream

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_APPLICATIONS = ("Application", "ApplicationSet")


def guess_kind(file: str, text: str, *, reading: Reading | None = None) -> str | None:
    """Return `kustomize`, `argocd-application` or `manifest`; None for any other file. Raise EditRefused for no YAML.

    Kustomize reads a file by its name, whether or not it says its kind; all others are known by what they say.
    """
    if PurePosixPath(file.replace("\\", "/")).name in _KUSTOMIZATIONS:
        return "kustomize"
    stream = read_stream(text, file=file, reading=reading)
    kinds = {text_of(stream, root, "kind") for root in chosen_roots(stream, ANY_DOCUMENT)} - {None}
    if kinds and kinds <= {"Kustomization", "Component"}:
        return "kustomize"
    if kinds & set(_APPLICATIONS):
        return "argocd-application" if kinds <= set(_APPLICATIONS) else None
    return "manifest" if kinds else None
