"""What the bot should have done by now: a bot that does nothing does nothing wrongly either.

Asked only where nothing fails and nothing has failed of late. Whatever might be a reason to wait is taken for one, so
what is left is overdue beyond doubt.
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.model import Release
from bot.domain.naming import is_revert_branch, revert_branch
from bot.domain.policy import Merge, Road
from bot.domain.pulls import Pull, PullState
from tests.builders import IMAGE
from tests.fake_forge import BOT
from tests.properties.chronicle import Arrival
from tests.properties.ground_truth import GroundTruth, stage_of
from tests.properties.proof import is_bad_beyond_doubt, is_beyond_doubt


def overdue_rollbacks(truth: GroundTruth) -> list[str]:
    """Return what is to be taken back from production, and was neither taken back nor proposed to be."""
    came = truth.chronicle.came("production")
    if came.how != "promoted" or came.commit in truth.reverts.values() or not _has_way_back(truth, came):
        return []
    if _is_ordered_back(truth, came):
        return [f"overdue: {came.tag} was ordered back from production"]
    is_left_to_people = len(truth.chronicle.taken_back("production")) >= truth.rollback.at_most
    if is_left_to_people or not is_bad_beyond_doubt(truth.world, came):
        return []
    return [f"overdue: {came.tag} has been failing in production since {came.at:%H:%M:%S}"]


def _has_way_back(truth: GroundTruth, came: Arrival) -> bool:
    """Say whether there is a release to go back to that was never taken back, and nothing lies on the road."""
    world, arrivals = truth.world, truth.chronicle.arrivals["production"]
    before = {one.tag for one in arrivals} - {came.tag}
    is_known = any(
        truth.chronicle.taken_back_at(tag) is None and not truth.way_back("production", tag) for tag in before
    )
    branch = revert_branch("checkout", "production", Release(image=IMAGE, tag=came.tag))
    return is_known and branch not in world.repositories.branches


def _is_ordered_back(truth: GroundTruth, came: Arrival) -> bool:
    branch = truth.world.branch_of(came.tag)
    order, pull = truth.sayings.last("rollback", branch=branch), truth.world.newest_on(branch)
    if order is None or pull is None or not order.was_heard or order.number != pull.number:
        return False
    later = truth.sayings.last("approve", "retry", "lift", branch=branch)
    return order.at > came.at and (later is None or later.at < order.at)


def overdue_along(truth: GroundTruth) -> list[str]:
    """Return what is to be taken along from a stage before production, and was not."""
    found = []
    for stage in truth.rollback.also:
        came = truth.chronicle.came(stage)
        if came.commit in truth.reverts.values() or truth.unwarranted(stage) or not truth.is_barred(came.tag):
            continue
        # It is seen at the look after the one that took it back.
        if truth.chronicle.taken_back("production")[-1].at >= truth.world.clock.now():
            continue
        ways = {one.tag for one in truth.chronicle.arrivals[stage]} - {came.tag}
        branch = revert_branch("checkout", stage, Release(image=IMAGE, tag=came.tag))
        if branch in truth.world.repositories.branches or all(truth.chronicle.taken_back_at(tag) for tag in ways):
            continue
        found.append(f"overdue: {came.tag} was taken back from production, and {stage} has it still")
    return found


def overdue_merges_of_rollbacks(truth: GroundTruth) -> list[str]:
    """Return the pull requests of rollbacks that nothing keeps from being merged."""
    return [
        f"overdue: the rollback #{pull.number} was opened, and is not merged"
        for pull in truth.world.open_pulls()
        if is_revert_branch(pull.branch)
        and stage_of(pull.branch) == "production"
        and truth.reverts.get(pull.number) == truth.chronicle.came("production").commit
        and _is_untouched(truth, pull)
        # Where the file was changed meanwhile it conflicts, and a person is called.
        and pull.mergeable
        and not truth.way_back("production", truth.world.tag("production", pull.head))
    ]


def _is_untouched(truth: GroundTruth, pull: Pull) -> bool:
    """Say whether a pull request is as the bot made it, and it remembers that: what it has forgotten it never mends."""
    forgot, opened = truth.sayings.forgot_at, pull.opened_at
    if forgot is not None and opened is not None and opened <= forgot:
        return False
    line = truth.world.repositories.line(pull.head)
    main = {one.sha for one in truth.world.repositories.line(truth.world.head)}
    is_own = all(one.author == BOT for one in line if one.sha not in main)
    return is_own and not pull.labels and pull.draft_by is None and pull.reopened_by is None


def overdue_moves(truth: GroundTruth, calm: timedelta) -> list[str]:
    """Return what is proven in staging beyond doubt, and was not proposed to production, or not merged.

    `calm` is for how long everything has been well.
    """
    world, production = truth.world, truth.world.policy.stage("production")
    tag = world.tag("staging")
    # What was set away and back between two looks of Argo CD's was never synced anew, and is not live for the bot.
    was_synced = world.deployments.running["staging"][1] >= truth.chronicle.came("staging").at
    is_proven = calm >= timedelta(minutes=15) and was_synced and is_beyond_doubt(world, tag)
    if tag == world.tag("production") or not is_proven or _is_in_somebodys_hands(truth, tag):
        return []
    pull = world.newest_on(world.branch_of(tag))
    is_open = pull is not None and pull.state is PullState.OPEN
    by_commit = production.proposing.by is Road.COMMIT
    if not by_commit and not is_open:
        return [f"overdue: {tag} is proven, and not proposed"]
    if truth.needs_person(tag) or truth.cools_down() or (by_commit and (is_open or world.repositories.is_protected)):
        return []
    if by_commit:
        return [f"overdue: {tag} is proven, and not in production"]
    is_left_to_people = production.merge is Merge.HUMAN or pull is None or not _is_untouched(truth, pull)
    return [] if is_left_to_people else [f"overdue: {tag} is proven, and not merged"]


def _is_in_somebodys_hands(truth: GroundTruth, tag: str) -> bool:
    """Say whether a person has said or done anything that the bot may have to wait for."""
    world, sayings, branch = truth.world, truth.sayings, truth.world.branch_of(tag)
    taken_back = truth.chronicle.taken_back_at(tag)
    is_barred = taken_back is not None and not truth.is_freed_since(tag, taken_back, is_heard=True)
    if is_barred or sayings.may_hold():
        return True
    if sayings.rejection(tag) is not None or sayings.last("reject", branch=branch) is not None:
        return True
    pull = world.newest_on(branch)
    if any(is_revert_branch(one.branch) for one in world.open_pulls()):
        return True
    return pull is not None and _is_ended_by_people(truth, pull, tag)


def _is_ended_by_people(truth: GroundTruth, pull: Pull, tag: str) -> bool:
    """Say whether people have closed, merged or changed the pull request of a release, and nothing since lets it go."""
    if pull.state is PullState.MERGED and not truth.is_freed_since(tag, pull.closed_at, is_heard=True):
        return True
    if pull.state is PullState.CLOSED and not pull.closed_by_bot:
        return True
    return pull.branch in truth.world.repositories.branches and not _is_untouched(truth, pull)
