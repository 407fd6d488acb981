"""Take a promotion back in Git: by a commit, or by a pull request where the policy or the branch wants one.

Races: somebody may push between the look and the push; the edit is then made anew on the new head, a few times. The
bot's own rollbacks take turns, so that many at once do not use up those times on each other. What somebody has set
since in the same value is theirs, and the revert is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import tenacity

from bot.domain.decision import RollBack
from bot.domain.model import Sha
from bot.domain.policy import Road
from bot.domain.pulls import Proposal
from bot.forge import PullText, Urgency
from bot.making import Maker
from bot.observe import World
from bot.ports import Conflict, Permanent
from bot.pushes import push_own, refusal_key
from bot.render.markdown import revert_body, revert_title

_ROLLBACK_TRIES = 3
_SHORT = 7


class _LostRace(Conflict):
    """The branch moved between the look and the push."""


class _PushRefused(Permanent):
    """The branch takes no push of the bot's, by its rules or for lack of a right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverter:
    """Takes back the promotions of one decision. `sleep` passes the seconds between two tries.

    `turn` is held from the look at the branch to the push, by one rollback at a time.
    """

    world: World
    maker: Maker
    sleep: Callable[[float], None]
    turn: AbstractContextManager[object]

    @property
    def repository(self) -> str:
        """The repository that holds the tag."""
        return self.maker.repository

    @property
    def base(self) -> str:
        """The tracked branch."""
        return self.maker.policy.gitops.branch

    def roll_back(self, action: RollBack) -> str:
        """Revert, or propose to; where the branch refuses the push, propose it instead and say so."""
        if action.road is Road.PULL_REQUEST:
            return self._propose_revert(action)
        race = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ROLLBACK_TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
            # Only a lost race: what somebody set since, or a branch that refuses, is as true at the next try.
            retry=tenacity.retry_if_exception_type(_LostRace),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            revert: Sha = race(self._push_revert, action)
        except _PushRefused as refused:
            # The note makes every later sweep look for that pull request, and merge it.
            self.world.ledger.note(refusal_key(self.repository, self.base), self.world.clock.now().isoformat())
            return f"{self._propose_revert(action)}, since {refused.sentence}"
        return f"reverted by {revert[:_SHORT]}"

    def _push_revert(self, action: RollBack) -> Sha:
        with self.turn:
            return self._push_in_turn(action)

    def _push_in_turn(self, action: RollBack) -> Sha:
        head = self.world.repositories.refresh(self.repository, self.base)
        revert = self.maker.commit_revert(action, head)
        try:
            self.world.repositories.push(self.repository, self.base, revert, expected=head)
        except Conflict as error:
            # Somebody pushed between the fetch and the push; the edit is made anew on the new head.
            times = f"{self.base} moved {_ROLLBACK_TRIES} times while reverting"
            raise _LostRace("Git", f"{times}; it is tried again at the next sweep") from error
        except Permanent as error:
            raise _PushRefused(error.system, error.sentence) from error
        return revert

    def _propose_revert(self, action: RollBack) -> str:
        seen = self.maker.seen(action.stage).revert
        if not (isinstance(seen, Proposal) and seen.branch_head is not None):
            revert = self.maker.commit_revert(action, self.maker.head(action.stage))
            push_own(self.world, self.repository, action.branch, revert, expected=None)
        view = self.maker.revert(action)
        text = PullText(
            branch=action.branch,
            base=self.base,
            title=revert_title(view),
            body=revert_body(view),
            urgency=Urgency.ROLLBACK,
        )
        pull = self.world.forge.open_promotion(self.repository, text)
        return f"opened the rollback #{pull.number}"
