"""A forge in memory: the ports `Forge`, `Merging` and `Conversation` over the commits of `MemoryRepositories`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.authority import Permission
from bot.domain.model import Sha
from bot.domain.pulls import Bystander, MergeRoad, MergeRules, Proposals, Pull, PullState, Remark
from bot.forge import MergeOrder, PullText, Reaction, Urgency
from bot.ports import Conflict
from bot.trial.memory.repositories import BOT, MemoryRepositories


def account_of(login: str) -> int:
    """Return the number of an account: another one for each login."""
    return int.from_bytes(login.encode())


@dataclass
class MemoryForge:
    """Pull requests and what is said of them; a merge really changes the base. People act by `edit`, `say`, `merge`."""

    repositories: MemoryRepositories
    pulls: dict[int, Pull] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    bodies: dict[int, str] = field(default_factory=dict)
    comments: dict[tuple[int, str], str] = field(default_factory=dict)
    written: dict[tuple[int, str], int] = field(default_factory=dict)
    orders: list[MergeOrder] = field(default_factory=list)
    rules: MergeRules = field(default_factory=MergeRules)
    own_app_id: int | None = None
    others: tuple[Bystander, ...] = ()
    permissions: dict[str, Permission] = field(default_factory=dict)
    teams: dict[str, set[str]] = field(default_factory=dict)
    on_commits: dict[tuple[str, Sha, str], str] = field(default_factory=dict)
    reactions: dict[int, Reaction] = field(default_factory=dict)
    sections_gone: set[int] = field(default_factory=set)
    looks: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    usual: Permission = Permission.READ
    """What those may do of whom nothing is said."""

    # --- what people do ---

    def edit(self, number: int, **changes: object) -> None:
        """Change a pull request as a person does."""
        self.pulls[number] = replace(self.pulls[number], **changes)  # type: ignore[arg-type]  # fields of `Pull`

    def say(self, number: int, body: str, *, by: str = "dana", at: datetime | None = None) -> int:
        """Comment as a person; return the comment's id."""
        remarks = self.pulls[number].remarks
        made = 1 + max((one.id for pull in self.pulls.values() for one in pull.remarks), default=1000)
        remark = Remark(
            id=made,
            author_id=account_of(by),
            author=by,
            is_app=False,
            body=body,
            created_at=at or self.repositories.clock.now(),
        )
        self.edit(number, remarks=(*remarks, remark))
        return made

    @property
    def merges(self) -> list[int]:
        """The numbers of all that were merged by the bot."""
        return [order.number for order in self.orders if order.road is MergeRoad.NOW]

    def comment(self, number: int) -> str:
        """Return the evidence comment."""
        return self.comments[number, "liftlock:evidence"]

    def current(self, pull: Pull) -> Pull:
        """Return a pull request with the head that its branch has now, and when that came."""
        head = self.repositories.branches.get(pull.branch, pull.head)
        made = self.repositories.commits.get(head)
        return replace(pull, head=head, head_at=pull.head_at or (made.at if made is not None else None))

    # --- Forge ---

    def look_at(self, repository: str, base: str, branches: Collection[str]) -> Proposals:
        """Return all open promotions and the newest pull request of each branch."""
        self.looks.append((repository, frozenset(branches)))
        now = self.repositories.clock.now()
        pulls = [self.current(pull) for pull in self.pulls.values()]
        opened = sorted(pull.opened_at for pull in pulls if pull.opened_at is not None)
        return Proposals(
            newest={pull.branch: pull for pull in pulls if pull.branch in branches},
            open=tuple(pull for pull in pulls if pull.state is PullState.OPEN and pull.branch.startswith("liftlock/")),
            opened_at=tuple(at for at in opened if at > now - timedelta(hours=1)),
            others=self.others,
            rules=self.rules,
            own_app_id=self.own_app_id,
        )

    def open_promotion(self, repository: str, text: PullText) -> Pull:
        """Open a pull request, or return the open one of the same branch."""
        for pull in self.pulls.values():
            if pull.branch == text.branch and pull.state is PullState.OPEN:
                return pull
        number = len(self.pulls) + 1
        self.pulls[number] = Pull(
            number=number,
            url=f"https://github.example/{repository}/pull/{number}",
            branch=text.branch,
            base=text.base,
            head=self.repositories.branches[text.branch],
            state=PullState.OPEN,
            draft=text.is_draft,
            labels=text.labels,
            mergeable=True,
            opened_at=self.repositories.clock.now(),
        )
        self.titles[number], self.bodies[number] = text.title, text.body
        return self.pulls[number]

    def edit_promotion(self, repository: str, number: int, body: str) -> bool:
        """Replace the bot's section of the body, if it is still there."""
        if number in self.sections_gone:
            return False
        self.bodies[number] = body
        return True

    def mark_ready(self, repository: str, number: int) -> None:
        """Make a draft ready for review."""
        self.edit(number, draft=False)

    def withdraw(self, repository: str, number: int, branch: str | None) -> None:
        """Close without merging, and delete the branch if one is named."""
        now = self.repositories.clock.now()
        self.edit(number, state=PullState.CLOSED, closed_by=BOT, closed_by_bot=True, closed_at=now)
        if branch is not None:
            self.repositories.branches.pop(branch, None)

    def delete_branch(self, repository: str, branch: str) -> None:
        """Delete a branch."""
        self.repositories.branches.pop(branch, None)

    # --- Merging ---

    def look_again(self, repository: str, number: int, urgency: Urgency = Urgency.MERGE) -> Pull:
        """Read one pull request as it is now."""
        return self.current(self.pulls[number])

    def merge_promotion(self, repository: str, order: MergeOrder) -> Sha | None:
        """Merge, arm or enqueue; raise Conflict if the head has moved."""
        pull = self.current(self.pulls[order.number])
        if pull.head != order.head:
            raise Conflict("GitHub", "the head has moved")
        self.orders.append(order)
        if order.road is MergeRoad.ARM:
            self.edit(order.number, armed_by=BOT, armed_by_bot=True)
            return None
        if order.road is MergeRoad.QUEUE:
            self.edit(order.number, is_queued=True, queued_by_bot=True)
            return None
        return self.merge(order.number, f"{order.text.title}\n\n{order.text.message}")

    def merge(self, number: int, message: str, *, by: str = BOT) -> Sha:
        """Merge as somebody: the base really gets what the branch changed."""
        pull = self.current(self.pulls[number])
        files = self.repositories.commits[pull.head].files
        fork = {item.sha for item in self.repositories.line(self.repositories.branches[pull.base])}
        at = next(item for item in self.repositories.line(pull.head) if item.sha in fork)
        changed = {path: text for path, text in files.items() if at.files.get(path) != text}
        merged = self.repositories.commit(pull.base, changed, message, author=by)
        now = self.repositories.clock.now()
        self.edit(number, state=PullState.MERGED, merge_commit=merged, merged_by=by, head=pull.head, closed_at=now)
        return merged

    def disarm(self, repository: str, number: int) -> None:
        """Take back auto-merge or a place in the merge queue."""
        self.edit(number, armed_by=None, armed_by_bot=False, is_queued=False, queued_by_bot=False)

    # --- Conversation ---

    def write_comment(self, repository: str, number: int, *, marker: str, body: str, known: int | None) -> int:
        """Create or edit the bot's comment with this marker."""
        self.comments[number, marker] = body
        self.written[number, marker] = self.written.get((number, marker), 0) + 1
        return 500 + number

    def comment_on_commit(self, repository: str, commit: Sha, *, marker: str, body: str) -> None:
        """Comment on a commit, once for each marker."""
        self.on_commits.setdefault((repository, commit, marker), body)

    def react(self, repository: str, comment: int, reaction: Reaction) -> None:
        """React to a comment."""
        self.reactions[comment] = reaction

    def permission_of(self, repository: str, user_id: int, login: str) -> Permission:
        """Return what an account may do."""
        return self.permissions.get(login, self.usual)

    def is_member(self, team: str, login: str) -> bool:
        """Say whether an account is a member of a team."""
        return login in self.teams.get(team, set())
