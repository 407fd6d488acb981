"""What people do: to pull requests, to files in Git, and by commands in comments."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bot.domain.pulls import Pull, PullState
from tests.fake_world import PRODUCTION_FILE, STAGING_FILE, kustomization
from tests.properties.living_machine import MOST_TAGS, LivingMachine, Pauses, picks, some
from tests.properties.sayings import HOLD, Said

MOST_SAID = 18

people = st.sampled_from(("dana", "dana", "bob", "eve"))
VERBS = ("hold", "resume", "approve", "reject", "rollback", "retry", "promote", "lift")


class People(LivingMachine):
    """The rules of what people do."""

    # --- pull requests -----------------------------------------------------------------------------------------------

    def _open(self, pick: int) -> Pull:
        pulls = self.world.open_pulls()
        return pulls[pick % len(pulls)]

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, by=people)
    def a_person_merges(self, pick: int, by: str) -> None:
        pull = self._open(pick)
        if pull.draft or not pull.mergeable:
            return
        self._merge(pull, by)

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, by=people)
    def a_person_closes(self, pick: int, by: str) -> None:
        self._close(self._open(pick), by)

    @precondition(lambda self: self._closed())
    @rule(pick=picks, by=people)
    def a_person_opens_again(self, pick: int, by: str) -> None:
        self._act()
        closed = self._closed()
        pull = closed[pick % len(closed)]
        self.world.repositories.branches.setdefault(pull.branch, pull.head)
        self.world.forge.edit(
            pull.number, state=PullState.OPEN, closed_by=None, closed_by_bot=False, closed_at=None, reopened_by=by
        )

    def _closed(self) -> list[Pull]:
        """The pull requests that GitHub lets people open again: none that was merged, and one for each branch."""
        taken = {pull.branch for pull in self.world.open_pulls()}
        pulls = self.world.forge.pulls.values()
        return [pull for pull in pulls if pull.state is PullState.CLOSED and pull.branch not in taken]

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, change=st.sampled_from(("draft", "ready", "hold", "let go")))
    def a_person_marks_a_pull_request(self, pick: int, change: str) -> None:
        self._act()
        marks: dict[str, dict[str, object]] = {
            "draft": {"draft": True, "draft_by": "bob"},
            "ready": {"draft": False, "draft_by": None},
            "hold": {"labels": (HOLD,)},
            "let go": {"labels": ()},
        }
        self.world.forge.edit(self._open(pick).number, **marks[change])

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, what=st.sampled_from(("another file", "the tag")))
    def a_person_pushes_to_the_branch(self, pick: int, what: str) -> None:
        self._act()
        pull = self._open(pick)
        text = self.world.repositories.commits[pull.head].files[PRODUCTION_FILE]
        files = (
            {"notes.txt": str(self.world.clock.now())} if what == "another file" else {PRODUCTION_FILE: text + "#\n"}
        )
        self.world.repositories.commit(pull.branch, files, "Mine", author="alice", parent=pull.head)

    # --- files -------------------------------------------------------------------------------------------------------

    @rule(pick=picks)
    def staging_goes_to_a_known_release(self, pick: int) -> None:
        self._act()
        self._commit({STAGING_FILE: kustomization(self.tags[pick % len(self.tags)])}, "Try another one")

    @rule(pick=picks)
    def a_person_sets_the_production_tag(self, pick: int) -> None:
        self._act()
        text = self.world.repositories.commits[self.world.head].files[PRODUCTION_FILE]
        old, new = self.world.tag("production"), self.tags[pick % len(self.tags)]
        self._commit(
            {PRODUCTION_FILE: text.replace(f'"{old}"', f'"{new}"').replace(f" {old}\n", f" {new}\n")}, "By hand"
        )

    @rule(replicas=st.integers(1, 9))
    def a_person_edits_something_else_in_the_file(self, replicas: int) -> None:
        self._act()
        text = self.world.repositories.commits[self.world.head].files[PRODUCTION_FILE]
        lines = [line for line in text.splitlines() if "replicas" not in line]
        self._commit({PRODUCTION_FILE: "\n".join([*lines, f"replicas: {replicas}", ""])}, "Scale")

    # --- commands ----------------------------------------------------------------------------------------------------

    def _may_speak(self) -> bool:
        return bool(self.world.forge.pulls) and len(self.truth.sayings.said) < MOST_SAID

    @precondition(_may_speak)
    @rule(
        pick=picks,
        by=people,
        verb=st.sampled_from(VERBS),
        gate=st.sampled_from(("http-errors", "argocd-healthy")),
    )
    def a_person_commands(self, pick: int, by: str, verb: str, gate: str) -> None:
        numbers = sorted(self.world.in_view()) or list(self.world.forge.pulls)
        self._say(numbers[pick % len(numbers)], by, verb, gate=gate, names_head=bool(pick % 2))

    @precondition(_may_speak)
    @rule(pick=picks, verb=st.sampled_from(("hold", "rollback", "rollback", "retry", "approve")), sweeps=some)
    def a_maintainer_commands_and_waits(self, pick: int, verb: str, sweeps: Pauses) -> None:
        numbers = sorted(self.world.in_view()) or list(self.world.forge.pulls)
        self._say(numbers[pick % len(numbers)], "dana", verb)
        self._go_on(sweeps)

    @precondition(lambda self: self._may_speak() and self._taken_back())
    @rule(pick=picks, sweeps=some)
    def a_maintainer_lifts_a_quarantine(self, pick: int, sweeps: Pauses) -> None:
        pulls = self._taken_back()
        self._say(pulls[pick % len(pulls)].number, "dana", "lift")
        self._go_on(sweeps)

    @precondition(lambda self: self._may_speak() and len(self.tags) < MOST_TAGS)
    @rule(how=st.sampled_from(("hold", "reject", "close")), sweeps=some)
    def a_release_is_stopped_when_it_is_proposed(self, how: str, sweeps: Pauses) -> None:
        self._act()
        self._release(0.0, 0.0)
        self._go_on((1, 9))
        pull = self.world.newest_on(self.world.branch_of(self.tags[-1]))
        if pull is None or pull.state is not PullState.OPEN:
            return
        if how == "close":
            self._close(pull, "bob")
        else:
            self._say(pull.number, "bob", how)
        self._go_on(sweeps)

    def _taken_back(self) -> list[Pull]:
        """The pull requests in view of releases that are quarantined."""
        found = [self.world.newest_on(self.world.branch_of(tag)) for tag in self.tags if self.truth.is_barred(tag)]
        return [pull for pull in found if pull is not None and pull.number in self.world.in_view()]

    def _say(self, number: int, by: str, verb: str, *, gate: str = "", names_head: bool = False) -> None:
        self._act()
        pull = self.world.forge.current(self.world.forge.pulls[number])
        body = {
            "hold": "hold for reasons",
            "reject": "reject for reasons",
            "rollback": "rollback for reasons",
            "lift": "lift for reasons",
            "promote": f"promote --override {gate} for reasons",
            "approve": f"approve {pull.head}" if names_head else "approve",
        }.get(verb, verb)
        self.world.forge.say(pull.number, f"/liftlock {body}", by=by)
        said = Said(
            number=pull.number,
            branch=pull.branch,
            verb=verb,
            by=by,
            at=self.world.clock.now(),
            head=pull.head,
            gate=gate,
        )
        self.truth.sayings.said.append(said)
