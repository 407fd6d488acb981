"""The machine's clock, behind the port `Clock`. The only module that asks the machine what time it is."""

from __future__ import annotations

from datetime import UTC, datetime


class StandingClock:
    """Tell one instant for ever: for judging as of a past time."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return that instant."""
        return self._at


class SystemClock:
    """Tell the present instant in UTC."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)
