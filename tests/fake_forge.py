"""A forge in memory: pull requests over `FakeRepositories`, their conversation, and signals. Fails on demand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.approvals import Writers
from bot.domain.authority import Permission
from bot.domain.model import Sha
from bot.domain.pulls import Bystander, MergeRoad, MergeRules, Proposals, Pull, PullState, Remark
from bot.forge import CheckText, DeploymentText, MergeOrder, PullText, Reaction, Span, StatusText, Urgency
from bot.ports import Conflict
from tests.fakes import Failing, FakeRepositories

BOT = "liftlock"


@dataclass
class FakeForge(Failing):
    """Proposals and merges; a merge really changes the base branch. People act by `edit` and `say`."""

    repositories: FakeRepositories = field(default_factory=FakeRepositories)
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

    # --- what people do ---

    def edit(self, number: int, **changes: object) -> None:
        """Change a pull request as a person does."""
        self.pulls[number] = replace(self.pulls[number], **changes)  # type: ignore[arg-type]  # a test's own fields

    def say(self, number: int, body: str, *, by: str = "dana", at: datetime | None = None) -> int:
        """Comment as a person; return the comment's id."""
        remarks = self.pulls[number].remarks
        made = 1 + max((one.id for pull in self.pulls.values() for one in pull.remarks), default=1000)
        remark = Remark(
            id=made,
            author_id=sum(by.encode()),
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

    def _current(self, pull: Pull) -> Pull:
        return replace(pull, head=self.repositories.branches.get(pull.branch, pull.head))

    # --- Forge ---

    def look_at(self, repository: str, base: str, branches: Collection[str]) -> Proposals:
        self.called("look_at")
        self.looks.append((repository, frozenset(branches)))
        now = self.repositories.clock.now()
        pulls = [self._current(pull) for pull in self.pulls.values()]
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
        self.called("open_promotion")
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
        self.called("edit_promotion")
        if number in self.sections_gone:
            return False
        self.bodies[number] = body
        return True

    def mark_ready(self, repository: str, number: int) -> None:
        self.called("mark_ready")
        self.edit(number, draft=False)

    def withdraw(self, repository: str, number: int, branch: str | None) -> None:
        self.called("withdraw")
        now = self.repositories.clock.now()
        self.edit(number, state=PullState.CLOSED, closed_by=BOT, closed_by_bot=True, closed_at=now)
        if branch is not None:
            self.repositories.branches.pop(branch, None)

    def delete_branch(self, repository: str, branch: str) -> None:
        self.called("delete_branch")
        self.repositories.branches.pop(branch, None)

    # --- Merging ---

    def look_again(self, repository: str, number: int, urgency: Urgency = Urgency.MERGE) -> Pull:
        self.called("look_again")
        return self._current(self.pulls[number])

    def merge_promotion(self, repository: str, order: MergeOrder) -> Sha | None:
        self.called("merge_promotion")
        pull = self._current(self.pulls[order.number])
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
        pull = self._current(self.pulls[number])
        files = self.repositories.commits[pull.head].files
        fork = {item.sha for item in self.repositories.line(self.repositories.branches[pull.base])}
        at = next(item for item in self.repositories.line(pull.head) if item.sha in fork)
        changed = {path: text for path, text in files.items() if at.files.get(path) != text}
        merged = self.repositories.commit(pull.base, changed, message, author=by)
        now = self.repositories.clock.now()
        self.edit(number, state=PullState.MERGED, merge_commit=merged, merged_by=by, head=pull.head, closed_at=now)
        return merged

    def disarm(self, repository: str, number: int) -> None:
        self.called("disarm")
        self.edit(number, armed_by=None, armed_by_bot=False, is_queued=False, queued_by_bot=False)

    # --- Conversation ---

    def write_comment(self, repository: str, number: int, *, marker: str, body: str, known: int | None) -> int:
        self.called("write_comment")
        self.comments[number, marker] = body
        self.written[number, marker] = self.written.get((number, marker), 0) + 1
        return 500 + number

    def comment_on_commit(self, repository: str, commit: Sha, *, marker: str, body: str) -> None:
        self.called("comment_on_commit")
        self.on_commits.setdefault((repository, commit, marker), body)

    def react(self, repository: str, comment: int, reaction: Reaction) -> None:
        self.called("react")
        self.reactions[comment] = reaction

    def permission_of(self, repository: str, user_id: int, login: str) -> Permission:
        self.called("permission_of")
        return self.permissions.get(login, Permission.READ)

    def is_member(self, team: str, login: str) -> bool:
        self.called("is_member")
        return login in self.teams.get(team, set())


@dataclass
class FakeSignals(Failing):
    """Checks, statuses and deployments as they stand, and source commits as a test sets them."""

    checks: dict[tuple[str, Sha, str], CheckText] = field(default_factory=dict)
    statuses: dict[tuple[str, Sha, str], StatusText] = field(default_factory=dict)
    deployments: dict[int, tuple[str, DeploymentText]] = field(default_factory=dict)
    source_pulls: dict[Sha, tuple[int, ...]] = field(default_factory=dict)
    files: dict[tuple[Sha, str], str] = field(default_factory=dict)
    spans: dict[tuple[Sha, Sha], Span] = field(default_factory=dict)
    writers: dict[tuple[Sha, Sha], Writers] = field(default_factory=dict)
    reported: dict[tuple[Sha, str], str] = field(default_factory=dict)

    def set_check(self, repository: str, commit: Sha, check: CheckText) -> None:
        self.called("set_check")
        self.checks[repository, commit, check.name] = check

    def set_status(self, repository: str, commit: Sha, status: StatusText) -> None:
        self.called("set_status")
        self.statuses[repository, commit, status.context] = status

    def set_deployment(self, repository: str, deployment: DeploymentText, known: int | None) -> int:
        self.called("set_deployment")
        number = known if known is not None else len(self.deployments) + 1
        self.deployments[number] = (repository, deployment)
        return number

    def pulls_of(self, repository: str, commit: Sha) -> Sequence[int]:
        self.called("pulls_of")
        return self.source_pulls.get(commit, ())

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        self.called("read_file")
        return self.files.get((commit, path))

    def checks_of(self, repository: str, commit: Sha, names: Sequence[str], *, app: int | None) -> Mapping[str, str]:
        self.called("checks_of")
        return {name: self.reported[commit, name] for name in names if (commit, name) in self.reported}

    def span(self, repository: str, before: Sha, after: Sha, *, limit: int) -> Span | None:
        self.called("span")
        return self.spans.get((before, after))

    def writers_of(self, repository: str, before: Sha, after: Sha) -> Writers | None:
        self.called("writers_of")
        return self.writers.get((before, after))
