"""The machine's clock, behind the port `Clock`. The only module that asks the machine what time it is."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Tell the present instant in UTC."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)
