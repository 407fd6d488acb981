"""What is true of a living world, and whether each write of the bot was right by that, whatever the bot says of it.

The witness sees a write at the moment at which it takes effect. It knows the weather, what ran when, what was ever
measured, and what people said and did; it never reads the ledger. What it finds wrong is a sentence in `wrongs`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.model import Sha
from bot.domain.naming import is_revert_branch
from bot.domain.policy import Merge, Rollback
from bot.domain.pulls import Pull, PullState
from bot.forge import PullText
from tests.fake_forge import BOT
from tests.properties.chronicle import Chronicle, how_it_came
from tests.properties.living_world import STAGES, LivingWorld
from tests.properties.proof import unproven, was_bad, was_ill
from tests.properties.sayings import HOLD, Sayings


@dataclass
class GroundTruth:
    """The witness of one world. `reverts` are the pull requests of rollbacks, each with the arrival it takes back."""

    world: LivingWorld
    wrongs: list[str] = field(default_factory=list)
    reverts: dict[int, Sha] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sayings = Sayings(self.world)
        self.chronicle = Chronicle(self.world, wrongs=self.wrongs)
        self.chronicle.read()
        self.world.forge.witness = self
        self.world.repositories.witness = self

    @property
    def rollback(self) -> Rollback:
        """What the policy says of rollbacks of production."""
        found = self.world.policy.stage("production").rollback
        assert found is not None
        return found

    def is_barred(self, tag: str) -> bool:
        """Say whether a release is quarantined: taken back, and not lifted by a person since (I3)."""
        at = self.chronicle.taken_back_at(tag)
        return at is not None and self.sayings.lifted_since(tag, at) is None

    def is_freed_since(self, tag: str, at: datetime | None, *, is_heard: bool = False) -> bool:
        """Say whether a person lifted a release's quarantine after an instant; of any other, a lift is refused."""
        taken_back = self.chronicle.taken_back_at(tag)
        if at is None or taken_back is None:
            return False
        return self.sayings.lifted_since(tag, max(at, taken_back), is_heard=is_heard) is not None

    def needs_person(self, tag: str) -> bool:
        """Say whether production had a release before, and nobody has freed it since."""
        at = self.chronicle.had_at(tag)
        return at is not None and not self.is_freed_since(tag, at)

    def cools_down(self) -> bool:
        """Say whether the last that came to production was a rollback, and its cool-down is not over.

        What a person sets or merges meanwhile ends it: then they have looked.
        """
        came = self.chronicle.came("production")
        return came.how == "taken back" and self.world.clock.now() < came.at + self.rollback.cool_down

    # --- whether it may be taken back --------------------------------------------------------------------------------

    def unwarranted(self, stage: str) -> list[str]:
        """Return why what a stage has must not be taken back now; nothing if it may."""
        return self._unwarranted_in_production() if stage == "production" else self._unwarranted_along(stage)

    def _unwarranted_in_production(self) -> list[str]:
        """Look for what was measured, or for an order (I4, I5, I7)."""
        came = self.chronicle.came("production")
        order = self.sayings.last("rollback", branch=self.world.branch_of(came.tag))
        is_ordered = order is not None and order.at > came.at
        found = []
        if came.how == "taken back":
            found.append("I4: a revert was to be reverted")
        if came.how == "by hand" and not is_ordered:
            found.append("I7: what a person set was to be reverted")
        if len(self.chronicle.taken_back("production")) >= self.rollback.at_most and not is_ordered:
            found.append("I4: it was taken back three times within a day")
        if not is_ordered and not was_bad(self.world, came) and not was_ill(self.world, came):
            found.append("I5: nothing was ever measured to be wrong in production")
        return found

    def _unwarranted_along(self, stage: str) -> list[str]:
        """Look for a rollback of production that takes its release along from a stage before (I4, I7)."""
        came = self.chronicle.came(stage)
        if stage not in self.rollback.also:
            return [f"I7: {stage} was to be set back, of which the policy says nothing"]
        taken = [one for one in self.chronicle.taken_back("production") if one.before == came.tag]
        if not taken:
            return [f"I4: {stage} was to be set back, and {came.tag} was never taken back from production"]
        found = []
        if came.how == "taken back":
            found.append(f"I4: a revert was to be reverted in {stage}")
        if came.at > taken[-1].at:
            found.append(f"I7: {came.tag} was set in {stage} since it was taken back from production")
        if self.sayings.lifted_since(came.tag, taken[-1].at, is_heard=True) is not None:
            found.append(f"I7: {came.tag} was lifted, and is taken along from {stage}")
        return found

    def way_back(self, stage: str, tag: str) -> list[str]:
        """Return why a release must not come back to a stage."""
        if self.is_barred(tag):
            return [f"I4: {tag} is quarantined, and was to come back to {stage}"]
        if not self.chronicle.has_proven(stage, tag):
            return [f"I4: {tag} has never proven itself in {stage}"]
        return []

    # --- the witness -------------------------------------------------------------------------------------------------

    def pushes(self, branch: str, commit: Sha, before: Sha | None) -> None:
        commits = self.world.repositories.commits
        if branch == "main":
            self._pushes_main(commit)
            return
        if before is not None and commits[before].author != BOT:
            self.wrongs.append(f"I7: the bot pushed over the commit of {commits[before].author} on {branch}")

    def _pushes_main(self, commit: Sha) -> None:
        made = self.world.repositories.commits[commit]
        tags = {stage: self.world.tag(stage, commit) for stage in STAGES}
        changed = [stage for stage in STAGES if tags[stage] != self.world.tag(stage, made.parent)]
        if how_it_came(made.message) == "taken back":
            for stage in changed:
                self.wrongs += [*self.unwarranted(stage), *self.way_back(stage, tags[stage])]
            return
        if changed != ["production"]:
            self.wrongs.append(f"I7: the bot promoted into {changed}")
        self._moves(tags["production"], None)
        if self.needs_person(tags["production"]):
            self.wrongs.append(f"I3: {tags['production']} came back to production without a person")

    def _moves(self, tag: str, pull: Pull | None) -> None:
        self._proposes(tag)
        self.wrongs += unproven(self.world, tag, self.sayings.overridden(pull))
        held = self.sayings.hold(pull.number if pull is not None else None)
        if held is not None:
            self.wrongs.append(f"I7: moved although {held}")
        if self.cools_down() and not (pull is not None and self.sayings.is_approved(pull)):
            self.wrongs.append(f"I4: {tag} moved while production cools down after a rollback")

    def _proposes(self, tag: str) -> None:
        if self.is_barred(tag):
            self.wrongs.append(f"I3: {tag} was taken back, and moves again")
        rejected = self.sayings.rejection(tag)
        if rejected is not None:
            self.wrongs.append(f"I7: {tag} moves although {rejected}")

    def opens(self, text: PullText) -> None:
        head = self.world.repositories.branches[text.branch]
        if is_revert_branch(text.branch):
            self._opens_rollback(stage_of(text.branch), head)
            return
        tag, before = self.world.tag("production", head), self.world.newest_on(text.branch)
        is_done = before is not None and before.state is PullState.MERGED
        if before is not None and is_done and not self.is_freed_since(tag, before.closed_at):
            self.wrongs.append(f"I9: {tag} is proposed again, although #{before.number} was merged")
        self._proposes(tag)
        if not text.is_draft:
            self.wrongs += unproven(self.world, tag, set())

    def _opens_rollback(self, stage: str, head: Sha) -> None:
        came = self.chronicle.came(stage).commit
        self.wrongs += [*self.unwarranted(stage), *self.way_back(stage, self.world.tag(stage, head))]
        twice = [number for number, commit in self.reverts.items() if commit == came]
        if twice:
            self.wrongs.append(f"I9: a second rollback of one promotion, after #{twice[0]}")
        self.reverts[len(self.world.forge.pulls) + 1] = came

    def marks_ready(self, pull: Pull) -> None:
        if pull.draft_by is not None:
            self.wrongs.append(f"I7: marked ready what {pull.draft_by} had made a draft")
        tag = self.world.tag("production", pull.head)
        self._proposes(tag)
        self.wrongs += unproven(self.world, tag, self.sayings.overridden(pull))

    def merges(self, pull: Pull) -> None:
        commits = self.world.repositories.commits
        if commits[pull.head].author != BOT:
            self.wrongs.append(f"I2: merged #{pull.number} with a commit of {commits[pull.head].author}")
        if HOLD in pull.labels:
            self.wrongs.append(f"I7: merged #{pull.number} with the label {HOLD}")
        if is_revert_branch(pull.branch):
            self._merges_rollback(pull, stage_of(pull.branch))
            return
        tag = self.world.tag("production", pull.head)
        self._moves(tag, pull)
        is_left_to_people = self.world.policy.stage("production").merge is Merge.HUMAN or self.needs_person(tag)
        if is_left_to_people and not self.sayings.is_approved(pull):
            self.wrongs.append(f"I1: merged #{pull.number}, which is left to people")

    def _merges_rollback(self, pull: Pull, stage: str) -> None:
        came = self.chronicle.came(stage)
        self.wrongs += self.way_back(stage, self.world.tag(stage, pull.head))
        if stage != "production" or self.reverts.get(pull.number) != came.commit:
            self.wrongs += self.unwarranted(stage)
        elif came.how == "taken back":
            self.wrongs.append("I4: a revert was reverted")

    def withdraws(self, pull: Pull) -> None:
        if pull.reopened_by is not None:
            self.wrongs.append(f"I7: closed #{pull.number}, which {pull.reopened_by} had opened again")

    def deletes(self, branch: str) -> None:
        head = self.world.repositories.branches[branch]
        author = self.world.repositories.commits[head].author
        pull = self.world.newest_on(branch)
        is_merged = pull is not None and pull.state is PullState.MERGED and pull.head == head
        if author != BOT and not is_merged:
            self.wrongs.append(f"I7: deleted {branch} with a commit of {author}")


def stage_of(branch: str) -> str:
    """Return the stage that a branch of the bot's is for."""
    return branch.split("/")[2]
