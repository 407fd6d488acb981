"""The port `Forge` at GitHub: look, open, edit, make ready, withdraw.

Accepted race: GitHub has no conditional edit of a body, so a person's edit that falls into the moment between our read
and our write is lost; only the bot's section is then what it was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.adapters.github.answers import SYSTEM, Refused
from bot.adapters.github.asking import GRAPHQL, Read, Write
from bot.adapters.github.budget import Right
from bot.adapters.github.clients import Clients
from bot.adapters.github.documents import mutation
from bot.adapters.github.identity import account_of_rest
from bot.adapters.github.looks import Looks
from bot.adapters.github.names import check_repository, is_own_branch, path_part, shown
from bot.adapters.github.nodes import Node, objects
from bot.adapters.github.texts import cut_title, replace_section, with_section
from bot.adapters.github.writes import right_of
from bot.domain.pulls import Proposals, Pull, PullState
from bot.forge import PullText, Urgency
from bot.ports import Permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A pull request as REST tells it, with what only this adapter needs."""

    pull: Pull
    node_id: str
    body: str
    reviewers: frozenset[str]
    assignees: frozenset[str] = frozenset()


class GitHubForge:
    """GitHub's pull requests. Safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._looks = Looks(clients)

    def look_at(self, repository: str, base: str, branches: Collection[str]) -> Proposals:
        """Look at all open promotions and the newest pull request of each branch; one request where nothing is new."""
        check_repository(repository)
        return self._looks.look_at(repository, base, branches)

    # --- opening ---

    def open_promotion(self, repository: str, text: PullText) -> Pull:
        """Open a pull request with its labels, assignees and reviewers, or return the one that is open already.

        A label or a reviewer that GitHub refuses is `Permanent`; the pull request is open then, and found by a look.
        """
        check_repository(repository)
        tried = f"open a pull request of {shown(text.branch)} in {repository}"
        body = {
            "title": cut_title(text.title),
            "head": text.branch,
            "base": text.base,
            "body": with_section(text.body),
            "draft": text.is_draft,
        }
        write = Write(
            verb="POST",
            path=f"/repos/{repository}/pulls",
            tried=tried,
            body=body,
            urgency=text.urgency,
            creates_content=True,
        )

        def look() -> Opened | None:
            return self._find_open(repository, text.branch, right_of(text.urgency))

        try:
            opened = self._clients.write_once(repository, write, self._parse, look=look)
        except Refused as refused:
            found = look() if refused.status == 422 else None
            if found is None:
                raise
            opened = found
        self._add_labels(repository, opened, text)
        self._assign(repository, opened, text)
        self._ask_reviewers(repository, opened, text)
        return opened.pull

    def _find_open(self, repository: str, branch: str, right: Right) -> Opened | None:
        owner = repository.partition("/")[0]
        read = Read(
            path=f"/repos/{repository}/pulls",
            params={"state": "open", "head": f"{owner}:{branch}", "sort": "created", "direction": "desc"},
            tried=f"find the pull request of {shown(branch)} in {repository}",
            right=right,
        )

        def parse(answer: object) -> Opened | None:
            own = [self._parse(item) for item in _items(answer) if _is_of(Node(item), repository, branch)]
            return max(own, key=lambda opened: opened.pull.number, default=None)

        return self._clients.read(repository, read, parse)

    def _add_labels(self, repository: str, opened: Opened, text: PullText) -> None:
        missing = [label for label in text.labels if label not in opened.pull.labels]
        self._add(repository, opened, text.urgency, "labels", missing)

    def _assign(self, repository: str, opened: Opened, text: PullText) -> None:
        """Assign people; GitHub leaves out, without a word, who cannot be assigned in this repository."""
        missing = [login for login in text.assignees if login.lower() not in opened.assignees]
        self._add(repository, opened, text.urgency, "assignees", missing)

    def _add(self, repository: str, opened: Opened, urgency: Urgency, kind: str, names: Sequence[str]) -> None:
        """Add labels or assignees; what is there already changes nothing, so a lost answer needs no look."""
        if not names:
            return
        number = opened.pull.number
        write = Write(
            verb="POST",
            path=f"/repos/{repository}/issues/{number}/{kind}",
            tried=f"add {kind} to pull request #{number} of {repository}, which is open",
            body={kind: list(names)},
            urgency=urgency,
        )
        self._clients.write_once(repository, write, _done, look=lambda: None)

    def _ask_reviewers(self, repository: str, opened: Opened, text: PullText) -> None:
        """Ask people, and teams by `org/slug`; asking somebody again changes nothing."""
        missing = [name for name in text.reviewers if _asked_as(name) not in opened.reviewers]
        if not missing:
            return
        number = opened.pull.number
        write = Write(
            verb="POST",
            path=f"/repos/{repository}/pulls/{number}/requested_reviewers",
            tried=f"ask for reviews of pull request #{number} of {repository}, which is open",
            body={
                "reviewers": [name for name in missing if "/" not in name],
                "team_reviewers": [name.partition("/")[2] for name in missing if "/" in name],
            },
            urgency=text.urgency,
            creates_content=True,
        )
        self._clients.write_once(repository, write, _done, look=lambda: None)

    # --- editing ---

    def edit_promotion(self, repository: str, number: int, body: str) -> bool:
        """Replace the bot's section if its text has changed; False where it is gone."""
        check_repository(repository)
        present = self._read(repository, number).body
        wanted = replace_section(present, body)
        if wanted is None:
            return False
        if wanted == present.replace("\r\n", "\n"):
            return True
        write = Write(
            verb="PATCH",
            path=f"/repos/{repository}/pulls/{number}",
            tried=f"edit pull request #{number} of {repository}",
            body={"body": wanted},
        )

        def look() -> bool | None:
            return True if self._read(repository, number).body.replace("\r\n", "\n") == wanted else None

        return self._clients.write_once(repository, write, _done, look=look)

    def mark_ready(self, repository: str, number: int) -> None:
        """Make a draft ready for review."""
        check_repository(repository)
        present = self._read(repository, number)
        if not present.pull.draft or present.pull.state is not PullState.OPEN:
            return
        write = Write(
            verb=GRAPHQL,
            path=mutation("markPullRequestReadyForReview"),
            tried=f"make pull request #{number} of {repository} ready for review",
            body={"pullRequestId": present.node_id},
            urgency=Urgency.PROPOSE,
        )

        def look() -> bool | None:
            return None if self._read(repository, number).pull.draft else True

        self._clients.write_once(repository, write, _done, look=look)

    # --- closing ---

    def withdraw(self, repository: str, number: int, branch: str | None) -> None:
        """Close a pull request without merging it, if it is open, and delete its branch where one is named."""
        check_repository(repository)
        write = Write(
            verb="PATCH",
            path=f"/repos/{repository}/pulls/{number}",
            tried=f"close pull request #{number} of {repository}",
            body={"state": "closed"},
            urgency=Urgency.PROPOSE,
        )

        def look() -> bool | None:
            return None if self._read(repository, number).pull.state is PullState.OPEN else True

        if look() is None:
            self._clients.write_once(repository, write, _done, look=look)
        if branch is not None:
            self.delete_branch(repository, branch)

    def delete_branch(self, repository: str, branch: str) -> None:
        """Delete one of the bot's own branches; an absent one is no error."""
        check_repository(repository)
        tried = f"delete the branch {shown(branch)} of {repository}"
        if not is_own_branch(branch):
            raise Permanent(SYSTEM, f"the bot does not {tried}: only branches under liftlock/ are its own")
        path = f"/repos/{repository}/git/refs/heads/{'/'.join(path_part(part) for part in branch.split('/'))}"
        write = Write(verb="DELETE", path=path, tried=tried)
        try:
            # Deleting again is harmless: nobody but the bot makes these branches.
            self._clients.write_once(repository, write, _done, look=lambda: None)
        except Refused as refused:
            if refused.status != 422 or "does not exist" not in refused.said.lower():
                raise

    # --- reading ---

    def _read(self, repository: str, number: int) -> Opened:
        tried = f"look at pull request #{number} of {repository}"
        read = Read(path=f"/repos/{repository}/pulls/{number}", tried=tried, right=Right.WRITE)
        return self._clients.read(repository, read, self._parse)

    def _parse(self, answer: object) -> Opened:
        return parse_opened(Node(answer), self._clients)


def parse_opened(node: Node, clients: Clients) -> Opened:
    """Read a pull request of REST's."""
    author, own = account_of_rest(node.maybe_node("user")), clients.identity()
    state = PullState.OPEN if node.text("state") == "open" else PullState.CLOSED
    state = PullState.MERGED if node.raw("merged_at") is not None else state
    people = [one.text("login").lower() for one in _maybe_items(node, "requested_reviewers")]
    teams = [f"/{one.text('slug').lower()}" for one in _maybe_items(node, "requested_teams")]
    return Opened(
        pull=Pull(
            number=node.number("number"),
            url=node.text("html_url"),
            branch=node.node("head").text("ref"),
            base=node.node("base").text("ref"),
            head=node.node("head").sha("sha"),
            state=state,
            is_own=author is not None and author.is_same(own),
            draft=node.raw("draft") is True,
            opened_at=node.instant("created_at"),
            closed_at=node.maybe_instant("closed_at"),
            labels=tuple(label.text("name") for label in _maybe_items(node, "labels")),
        ),
        node_id=node.maybe_text("node_id") or "",
        body=node.maybe_text("body") or "",
        reviewers=frozenset([*people, *teams]),
        assignees=frozenset(one.text("login").lower() for one in _maybe_items(node, "assignees")),
    )


def _asked_as(name: str) -> str:
    """Return a person as `login` and a team as `/slug`: GitHub names no owner where it lists who was asked."""
    owner, slash, slug = name.lower().partition("/")
    return f"/{slug}" if slash else owner


def _maybe_items(node: Node, name: str) -> Sequence[Node]:
    return () if node.raw(name) is None else tuple(node.items(name))


def _items(answer: object) -> list[object]:
    # Checked as objects where each is read.
    return list(answer) if isinstance(answer, list) else list(objects(answer))


def _is_of(node: Node, repository: str, branch: str) -> bool:
    """A fork may have a branch of any name; one that was deleted leaves its pull requests without a repository."""
    head = node.node("head")
    source = head.maybe_node("repo")
    is_here = source is not None and source.text("full_name").lower() == repository.lower()
    return is_here and head.text("ref") == branch


def _done(_: object) -> bool:
    return True
