"""Tell from a file what kind of edit it takes, where nobody said it. What is not plain to see stays unsaid."""

from __future__ import annotations

from bot.domain.edit.kinds import ANY_DOCUMENT
from bot.domain.edit.sheet import chosen_roots, text_of
from bot.domain.edit.stream import Reading, Stream, read_stream

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KUSTOMIZE_KINDS = ("Kustomization", "Component")
_ARGO_KINDS = ("Application", "ApplicationSet")


def guess_kind(file: str, text: str, *, reading: Reading | None = None) -> str | None:
    """Return `kustomize`, `argocd-application` or `manifest`; None for any other file. Raise EditRefused for no YAML.

    Kustomize reads a file by its name, whether or not it says its kind; all others are known by what they say.
    """
    if file.replace("\\", "/").rpartition("/")[2] in _KUSTOMIZATIONS:
        return "kustomize"
    stream = read_stream(text, file=file, reading=reading)
    kinds = {_kind_of(stream, root) for root in chosen_roots(stream, ANY_DOCUMENT)} - {None}
    return kinds.pop() if len(kinds) == 1 else None


def _kind_of(stream: Stream, root: int) -> str | None:
    """Return the kind of edit for one document. Others have kinds of these names, too: Flux has a Kustomization."""
    kind, version = text_of(stream, root, "kind"), text_of(stream, root, "apiVersion")
    if kind in _KUSTOMIZE_KINDS and (version is None or version.startswith("kustomize.config.k8s.io/")):
        return "kustomize"
    if kind in _ARGO_KINDS and (version is None or version.startswith("argoproj.io/")):
        return "argocd-application"
    return "manifest" if kind else None
