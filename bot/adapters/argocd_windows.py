"""Read what Argo CD says of an application's sync windows. Pure.

An active `deny` window blocks; so does an `allow` window that is not active, unless another one is. A window may except
syncs by hand (Argo CD's `SyncWindows.CanSync` in pkg/apis/application/v1alpha1/types.go).
"""

from __future__ import annotations

from bot.adapters.argocd_json import Json, objects_at, text_at
from bot.adapters.scrub import as_sentence


def why_blocked(answer: Json, *, automated: bool) -> str:
    """Return why no sync may begin now, empty where one may. Raise MalformedItem for fields of a wrong type."""
    active, assigned = objects_at(answer, "activeWindows"), objects_at(answer, "assignedWindows")
    # Argo CD answers for a sync by hand, which ours is; where it leaves `false` out, too.
    if not automated and (answer.get("canSync") is True or not (active or assigned)):
        return ""
    denying = _of_kind("deny", active)
    if denying:
        return f"a sync window of its project denies syncs now ({_when(denying[0])})"
    closed = _of_kind("allow", assigned)
    if closed and not _of_kind("allow", active):
        return f"its project allows syncs only in a window that is not open now ({_when(closed[0])})"
    return "" if automated else "a sync window of its project is in the way"


def _of_kind(kind: str, windows: tuple[Json, ...]) -> list[Json]:
    """Return the windows of a kind, those first that do not except syncs by hand."""
    return sorted(
        (one for one in windows if text_at(one, "kind") == kind), key=lambda one: one.get("manualSync") is True
    )


def _when(window: Json) -> str:
    schedule, duration = (as_sentence(text_at(window, key), longest=60) for key in ("schedule", "duration"))
    return f"{schedule} for {duration}" if duration else schedule
