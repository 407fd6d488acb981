"""Time that stands still until it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class SteppedClock:
    """The port `Clock`, which is moved by hand."""

    at: datetime

    def now(self) -> datetime:
        """Return the instant that it was set to."""
        return self.at

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.at += by
