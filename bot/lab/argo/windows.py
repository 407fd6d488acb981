"""Sync windows, as far as a scenario needs them: one that blocks now, and is gone when the script says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

WindowKind = Literal["deny", "allow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWindow:
    """A window that blocks an application: a `deny` that is active, or an `allow` that is not.

    The schedule is only told, never evaluated. `manual_sync` lets people and the API sync all the same.
    """

    kind: WindowKind = "deny"
    schedule: str = "* * * * *"
    duration: str = "1h"
    manual_sync: bool = False

    @property
    def active(self) -> bool:
        """Whether the window is open now."""
        return self.kind == "deny"


def can_sync(windows: Sequence[SyncWindow], *, by_hand: bool) -> bool:
    """Say whether windows let a sync start. An active `deny` comes first, as in Argo CD."""
    deciding = [window for window in windows if window.active] or windows
    return all(by_hand and window.manual_sync for window in deciding)


def render_windows(windows: Sequence[SyncWindow]) -> dict[str, object]:
    """Return the answer of the `syncwindows` endpoint; empty lists are left out there."""
    told: dict[str, object] = {"canSync": can_sync(windows, by_hand=True)}
    active = [_render(window) for window in windows if window.active]
    assigned = [_render(window) for window in windows]
    return told | ({"activeWindows": active} if active else {}) | ({"assignedWindows": assigned} if assigned else {})


def _render(window: SyncWindow) -> dict[str, object]:
    return {
        "kind": window.kind,
        "schedule": window.schedule,
        "duration": window.duration,
        "manualSync": window.manual_sync,
    }
