"""The entries of one look at an Argo CD server, found by name or by labels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.adapters.argocd_json import Json
from bot.domain.argo import NamedApplication, SelectedApplications


class NamelessItem(ValueError):
    """An entry has no name: it might be any application, and leaving it out would call that one absent."""


class Index:
    """The entries by `name`, by `namespace/name`, and by each label."""

    def __init__(self, items: Iterable[Json]) -> None:
        self._by_name: dict[str, list[Json]] = {}
        self._by_label: dict[tuple[str, str], list[Json]] = {}
        self._items: list[Json] = []
        for item in items:
            self._items.append(item)
            for name in _names(item):
                self._by_name.setdefault(name, []).append(item)
            for label, value in labels_of(item).items():
                self._by_label.setdefault((label, value), []).append(item)

    def named(self, target: NamedApplication) -> Sequence[Json]:
        """Return the entries of a name: more than one where several namespaces have it."""
        return self._by_name.get(target.name, ())

    def selected(self, target: SelectedApplications) -> Sequence[Json]:
        """Return the entries whose labels satisfy the selector, in the order of their names."""
        equal = [one for one in target.selector if len(one.values) == 1 and not one.negated]
        near = self._by_label.get((equal[0].label, equal[0].values[0]), []) if equal else self._items
        found = {
            full_name(item): item
            for item in near
            if target.namespace in {"", _namespace(item)} and all(one.holds(labels_of(item)) for one in target.selector)
        }
        return [found[name] for name in sorted(found)]


def full_name(item: Json) -> str:
    """Return `namespace/name`."""
    names = _names(item)
    return names[-1]


def labels_of(item: Json) -> Mapping[str, str]:
    """Return the labels; what is no text is no label."""
    metadata = item.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {key: value for key, value in labels.items() if isinstance(key, str) and isinstance(value, str)}


def _namespace(item: Json) -> str:
    metadata = item.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return namespace if isinstance(namespace, str) else ""


def _names(item: object) -> tuple[str, ...]:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        raise NamelessItem
    namespace = metadata.get("namespace")
    return (name, f"{namespace}/{name}") if isinstance(namespace, str) and namespace else (name,)
