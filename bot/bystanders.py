"""Pull requests that promote nothing: a branch that requires the bot's check must not keep them from being merged.

GitHub asks a required check of every pull request to a branch. So the bot passes it, once for each head, on those that
are none of its promotions: other people's, and its own rollbacks. Where nothing requires the check, nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import structlog

from bot.domain.naming import check_name, is_promotion_branch, is_revert_branch
from bot.domain.pulls import Bystander, Proposals, Pull
from bot.forge import CheckText
from bot.observe import World
from bot.ports import OutsideError
from bot.render.signals import bystander_text

_MOST_AT_ONCE = 20
"""How many are told in one sweep; the others are told in the next."""


def tell_bystanders(
    world: World, repository: str, told: Proposals, stages: Collection[str], *, only_rollbacks: bool = False
) -> None:
    """Pass the required checks where there is nothing to judge; what the outside does is logged, never raised.

    `stages` are the names of those that policies promote to in this repository: no other check is the bot's to give.
    """
    own = {check_name(stage) for stage in stages}
    required = [check for check in told.rules.required_checks if check.app_id in (None, told.own_app_id)]
    names = [check.name for check in required if check.name in own]
    others = [one for one in _bystanders(told) if one.is_rollback or not only_rollbacks]
    wanted = {_key(repository, pull, name): (pull, name) for pull in others for name in names}
    wanted |= {
        _key(repository, one, name): (one, name)
        for pull in told.open
        if _promotes(pull) and not only_rollbacks
        for one in [Bystander(number=pull.number, head=pull.head)]
        # A promotion is judged for its own stage only; the check of another one has nothing to say of it.
        for name in names
        if name != check_name(pull.branch.split("/")[2])
    }
    try:
        known = world.ledger.noted(list(wanted))
        for key in [key for key in wanted if key not in known][:_MOST_AT_ONCE]:
            pull, name = wanted[key]
            world.signals.set_check(repository, pull.head, _check(world, name, pull))
            world.ledger.note(key, "passed")
    except OutsideError as error:
        structlog.get_logger().warning(
            "check not set", repository=repository, system=error.system, reason=error.sentence
        )


def _key(repository: str, pull: Bystander, name: str) -> str:
    return f"bystander/{repository}/{pull.head}/{name}"


def _bystanders(told: Proposals) -> Iterable[Bystander]:
    """Return them without those that share a head with a promotion: a check is of the commit, not of the proposal."""
    promotions = {pull.head for pull in told.open if _promotes(pull)}
    others = [
        Bystander(number=pull.number, head=pull.head, is_rollback=is_revert_branch(pull.branch))
        for pull in told.open
        if not _promotes(pull)
    ]
    return [one for one in (*told.others, *others) if one.head not in promotions]


def _promotes(pull: Pull) -> bool:
    return is_promotion_branch(pull.branch) and not is_revert_branch(pull.branch)


def _check(world: World, name: str, pull: Bystander) -> CheckText:
    return bystander_text(name, world.clock.now(), is_rollback=pull.is_rollback)
