"""What people said on pull requests, and what of it stands: holds, rejections, approvals, overrides, lifts.

A command counts here if its author has the right to give it, whether the bot has heard it or not, but for a hold: that
is spoken where the bot may not look, and is forgotten with the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.authority import Permission
from bot.domain.model import Sha
from bot.domain.pulls import Pull, PullState
from tests.properties.living_world import PERMISSIONS, LivingWorld

HOLD = "liftlock/hold"
_MAY = {name for name, permission in PERMISSIONS.items() if permission >= Permission.WRITE}
_MAINTAIN = {name for name, permission in PERMISSIONS.items() if permission >= Permission.MAINTAIN}
_NEEDS_MORE = frozenset({"promote", "lift"})
_LETS_GO = ("approve", "retry")


@dataclass
class Said:
    """A command that somebody wrote on a pull request, whose head was `head` then."""

    number: int
    branch: str
    verb: str
    by: str
    at: datetime
    head: Sha
    gate: str = ""
    was_heard: bool = False

    @property
    def is_allowed(self) -> bool:
        """Whether its author has the right to it."""
        return self.by in (_MAINTAIN if self.verb in _NEEDS_MORE else _MAY)


@dataclass
class Sayings:
    """All that was said, in sequence."""

    world: LivingWorld
    said: list[Said] = field(default_factory=list)
    forgot_at: datetime | None = None

    def hear(self, *, all_went_well: bool) -> None:
        """Note that a sweep is over: what was in view is heard if nothing failed."""
        in_view = self.world.in_view()
        for one in self.said:
            one.was_heard |= all_went_well and one.number in in_view

    def forget(self) -> None:
        """Note that the ledger was lost: what cannot be read again is forgotten, which is known and accepted."""
        self.forgot_at = self.world.clock.now()
        for one in self.said:
            one.was_heard = False

    def last(self, *verbs: str, branch: str) -> Said | None:
        """Return the newest of some commands that was given for a release by somebody who may."""
        allowed = (one for one in reversed(self.said) if one.is_allowed and one.branch == branch)
        return next((one for one in allowed if one.verb in verbs), None)

    def rejection(self, tag: str) -> str | None:
        """Return who keeps a release out of production."""
        branch = self.world.branch_of(tag)
        reject, lets_go = self.last("reject", "rollback", branch=branch), self.last(*_LETS_GO, branch=branch)
        if reject is not None and reject.verb == "reject" and (lets_go is None or lets_go.at < reject.at):
            return f"{reject.by} rejected it"
        pull = self.world.newest_on(branch)
        if pull is None or pull.state is not PullState.CLOSED or pull.closed_by_bot:
            return None
        retry = self.last("retry", branch=branch)
        is_tried_again = retry is not None and pull.closed_at is not None and retry.at >= pull.closed_at
        return None if is_tried_again else f"{pull.closed_by} closed #{pull.number}"

    def hold(self, number: int | None) -> str | None:
        """Return who holds production, as the bot must know it now."""
        in_view = self.world.in_view()
        for one in reversed(self.said):
            if not one.is_allowed:
                continue
            if one.verb == "resume":
                return None
            is_known = one.was_heard or one.number == number or (one.number in in_view and not self.world.faults.any)
            if one.verb == "hold" and is_known:
                return f"{one.by} holds production"
        return None

    def may_hold(self) -> bool:
        """Say whether the bot may think that production is held: a hold that is not surely resumed."""
        for one in reversed(self.said):
            if one.is_allowed and one.verb == "resume" and one.was_heard:
                return False
            if one.is_allowed and one.verb == "hold":
                return True
        return False

    def overridden(self, pull: Pull | None) -> set[str]:
        """Return the gates that a person with the right has overridden for the present head of a pull request."""
        if pull is None:
            return set()
        return {one.gate for one in self._at_head(pull) if one.verb == "promote"}

    def is_approved(self, pull: Pull) -> bool:
        """Say whether a person has approved the present head."""
        return any(one.verb == "approve" for one in self._at_head(pull))

    def _at_head(self, pull: Pull) -> list[Said]:
        at = (pull.number, pull.head)
        return [one for one in self.said if one.is_allowed and (one.number, one.head) == at]

    def lifted_since(self, tag: str, at: datetime | None, *, is_heard: bool = False) -> Said | None:
        """Return who lifted a release's quarantine after an instant; with `is_heard` only what the bot surely knows."""
        lift = self.last("lift", branch=self.world.branch_of(tag))
        if lift is None or at is None or lift.at <= at or (is_heard and not lift.was_heard):
            return None
        return lift
