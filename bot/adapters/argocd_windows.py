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
    if not automated:
        # For a sync by hand, which ours is, Argo CD answers itself; where it leaves `false` out, too.
        if answer.get("canSync") is True or not (active or assigned):
            return ""
        return _because(active or assigned, is_active=bool(active))
    denying = tuple(one for one in active if text_at(one, "kind") == "deny")
    if denying:
        return _because(denying, is_active=True)
    allowing = [one for one in assigned if text_at(one, "kind") == "allow"]
    if allowing and not any(text_at(one, "kind") == "allow" for one in active):
        return _because(tuple(allowing), is_active=False)
    return ""


def _because(windows: tuple[Json, ...], *, is_active: bool) -> str:
    window = windows[0]
    kind, schedule, duration = (
        as_sentence(text_at(window, key), longest=60) for key in ("kind", "schedule", "duration")
    )
    when = f"{schedule} for {duration}" if duration else schedule
    if is_active and kind == "deny":
        return f"a sync window of its project denies syncs now ({when})"
    return f"its project allows syncs only in a window that is not open now ({when})"
