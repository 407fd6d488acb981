"""What a webhook that was taken does: images that were pushed are expected, then the bot is woken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.engine.waking import Waker
from bot.web.deliveries import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """Wakes the bot. `expect` hears which repositories of images are said to have a new tag."""

    waker: Waker
    expect: Callable[[str], None]

    def ring(self, outcome: Outcome) -> None:
        """Wake the bot by all that an outcome names; one that names nothing wakes nothing."""
        # The sweep that the first wake begins must know of all of them.
        for name in outcome.pushed:
            self.expect(name)
        names = outcome.pushed if outcome.wakes is None else (outcome.wakes, *outcome.pushed)
        for name in names:
            self.waker.wake(name)
            structlog.get_logger().debug("webhook", woken_by=name)
