"""The world that `fixtures/argocd/*.json` play in, and how its files are read and altered.

Release 1.9.0 of checkout came with commit C at noon; the tag before was 1.8.2, commit B. D is a later, unrelated commit
of the branch, E one that moved the tag on, X is not in the mirror. A hydrated commit is named after its dry one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bot.adapters.argocd_application import parse_application
from bot.adapters.repository_url import is_repository
from bot.domain.argo import Ancestry, Application, NoApplication
from bot.domain.model import Carries, Sha, Trouble
from bot.domain.stance import Expected

FOLDER = Path(__file__).parents[2] / "fixtures" / "argocd"
SYNC_WINDOWS = "syncwindows_deny"
"""The one file that is no Application: what Argo CD answers of the windows of `sync_window_blocks`."""
NAME = "checkout-production"
NOW = datetime(2026, 3, 2, 12, 10, tzinfo=UTC)

B = Sha("4be1c2a9d07f35e86a1b4c2d9e0f7a6b5c3d2e1f")
C = Sha("c17a90e4b2d85f6391c0e7ab44d2f8036e5b9a1c")
D = Sha("d83f5b06e1c94a7728b0d5f3c6a9e14b72088f5d")
E = Sha("e60b94d7f38a215c0d96e4b1a7f2c583903d1e6e")
X = Sha("9f42d8c5a6b7013e2f84c9d0b5a16e7f38c20d49")
HYDRATED_B = Sha("1b7e0d5c93f8a246b0e1d7c5f4a3928b6c0d5e1b")
HYDRATED_C = Sha("7c2f81e0a4d96b35c8f0e2a1d7b4936f5c0a8e2c")
HYDRATED_D = Sha("2e94c7b1f0d3a8566c1e9b0f7d5a4238e1c6b0d7")
PINNED = Sha("5a0d3c7e1f2b4968a7c5e0d1b3f29486c7a1d0e5")
"""What the tag `base-2026.02` points at, which a source of a multi-source application is pinned to: long before B."""

IMAGES_BEFORE = ["ghcr.io/acme/checkout:1.8.2"]

EXPECTED = Expected(
    image="ghcr.io/acme/checkout", tag="1.9.0", commit=C, since=datetime(2026, 3, 2, 12, tzinfo=UTC), branch="main"
)
ANCESTRY = Ancestry(
    carries={
        **dict.fromkeys((C, D, HYDRATED_C, HYDRATED_D), Carries.YES),
        **dict.fromkeys((B, HYDRATED_B, PINNED), Carries.BEHIND),
        E: Carries.OTHER_TAG,
        X: Carries.UNKNOWN,
    },
    behind={B: 2, HYDRATED_B: 2, PINNED: 40},
    dry={HYDRATED_B: B, HYDRATED_C: C, HYDRATED_D: D},
)

Seen = Application | NoApplication | Trouble
# A fixture is JSON that the tests take apart: here is the edge at which its types are not known.
Item = dict[str, Any]
Path_ = tuple[str | int, ...]


def fixture_names() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in FOLDER.glob("*.json") if file.stem != SYNC_WINDOWS))


@cache
def text_of(fixture: str) -> str:
    return (FOLDER / f"{fixture}.json").read_text(encoding="utf-8")


def item_of(fixture: str) -> Item:
    """Return the fixture's JSON, each time anew, so that a test may alter it."""
    item: Item = json.loads(text_of(fixture))
    return item


def is_ours(url: str) -> bool:
    return is_repository(url, "acme/deploy", forge_host="github.com")


def parsed(item: Item, name: str = NAME) -> Application:
    return parse_application(item, name, counts=is_ours, branch=EXPECTED.branch)


def seen(fixture: str, name: str = NAME) -> Seen:
    """Return what the bot sees of a fixture, or of an application that is not there or cannot be read."""
    if fixture == "no application":
        return NoApplication(name=name)
    if fixture == "no answer":
        return Trouble(system="Argo CD", sentence=f"no answer for {name}")
    return parsed(item_of(fixture), name)


def at_later_commit(item: Item) -> Item:
    """Put D in the place of C everywhere: what Argo CD would say had it met the newer, unrelated commit only."""
    text = json.dumps(item)
    for before, after in ((C, D), (HYDRATED_C, HYDRATED_D)):
        text = text.replace(before, after).replace(before[:7], after[:7])
    moved: Item = json.loads(text)
    return moved


def compared_with_later_commit(item: Item) -> Item:
    """Put D in the place of C where Argo CD compares; what was synced stays."""
    moved = copy.deepcopy(item)
    moved["status"]["sync"] = at_later_commit(moved["status"].get("sync", {}))
    return moved


def synced_later_commit(item: Item) -> Item:
    """Put D in the place of C in all but the history: C had been deployed before."""
    moved = at_later_commit(item)
    if "history" in item["status"]:
        moved["status"]["history"] = copy.deepcopy(item["status"]["history"])
    return moved


PARTS = ("spec", "sync", "operationState", "history")
"""Where an application names its sources; each part lists its own revisions beside them."""


def with_sources_reordered(item: Item, orders: Sequence[Sequence[int]]) -> Item:
    """Reorder the sources and their revisions, in each of `PARTS` by an order of its own."""
    moved = copy.deepcopy(item)
    for part, order in zip(PARTS, orders, strict=True):
        _reorder(moved.get("spec") if part == "spec" else moved["status"].get(part), order)
    _reorder(moved.get("operation"), orders[0])
    return moved


def _reorder(node: Any, order: Sequence[int]) -> None:
    for child in node if isinstance(node, list) else ():
        _reorder(child, order)
    if not isinstance(node, dict):
        return
    for key, child in node.items():
        if key in {"sources", "revisions"} and len(child) == len(order):
            node[key] = [child[position] for position in order]
        else:
            _reorder(child, order)


def paths_of(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the way to each field and entry of a JSON value."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in entries:
        yield (*path, key)
        yield from paths_of(child, (*path, key))


def without(item: Item, paths: Sequence[Path_]) -> Item:
    """Return a copy from which the fields at `paths` are gone."""
    changed = copy.deepcopy(item)
    # Entries of a list from its end, so that the places of those before do not move.
    for path in sorted(set(paths), key=repr, reverse=True):
        parent = _parent(changed, path)
        if isinstance(parent, dict):
            parent.pop(path[-1], None)
        elif isinstance(parent, list) and isinstance(path[-1], int) and path[-1] < len(parent):
            del parent[path[-1]]
    return changed


def with_value(item: Item, path: Path_, value: object) -> Item:
    """Return a copy in which the field at `path` is `value`."""
    changed = copy.deepcopy(item)
    _parent(changed, path)[path[-1]] = value
    return changed


def _parent(node: Any, path: Path_) -> Any:
    for step in path[:-1]:
        try:
            node = node[step]
        except (KeyError, IndexError):
            return None
    return node
