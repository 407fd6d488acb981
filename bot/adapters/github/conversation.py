"""The port `Conversation` at GitHub: one comment in place, reactions, and what people may do.

Rights and memberships are asked anew in each sweep (`begin_sweep`) and kept for its length only.
"""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass

from bot.adapters.github.answers import SYSTEM, NotThere
from bot.adapters.github.asking import Query, Read, Write
from bot.adapters.github.budget import Right
from bot.adapters.github.clients import Clients
from bot.adapters.github.documents import MEMBERS
from bot.adapters.github.identity import account_of_rest
from bot.adapters.github.names import check_repository, path_part, shown
from bot.adapters.github.nodes import Node, objects
from bot.adapters.github.texts import as_stored, carries_marker, with_marker
from bot.domain.authority import Permission
from bot.domain.model import Sha
from bot.forge import Reaction
from bot.ports import Permanent

_FOR_COMMANDS = Right.ROLLBACK
"""Whoever commands something may be ordering a rollback: that must be found out also when others used all up."""
_MOST_PAGES = 10
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_]|-(?=[A-Za-z0-9])){0,99}(?:\[bot\])?")
_TEAM = re.compile(r"([A-Za-z0-9][A-Za-z0-9\-]{0,99})/([A-Za-z0-9_][A-Za-z0-9_\-]{0,99})")
_MOST_COMMENT_PAGES = 30
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PERMISSIONS = {
    "read": Permission.READ,
    "triage": Permission.TRIAGE,
    "write": Permission.WRITE,
    "maintain": Permission.MAINTAIN,
    "admin": Permission.ADMIN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment of the bot's own."""

    id: int
    body: str


class GitHubConversation:
    """Comments, reactions and rights. Safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lock = threading.Lock()
        self._permissions: dict[tuple[str, int, str], Permission] = {}
        self._members: dict[tuple[str, str], bool] = {}

    def begin_sweep(self) -> None:
        """Forget all rights: what was taken from somebody a sweep ago counts from now on."""
        with self._lock:
            self._permissions.clear()
            self._members.clear()

    # --- the comment ---

    def write_comment(self, repository: str, number: int, *, marker: str, body: str, known: int | None) -> int:
        """Create or edit the bot's own comment whose first line is the hidden marker; an equal text is not written.

        Only a comment of the bot's own account counts: anyone can post one with the same first line.
        """
        check_repository(repository)
        text = with_marker(marker, body)
        found = self._known(repository, known, marker) or self._find(repository, number, marker)
        if found is not None and as_stored(found.body) == as_stored(text):
            return found.id
        tried = f"comment on pull request #{number} of {repository}"
        write = Write(
            verb="POST" if found is None else "PATCH",
            path=f"/repos/{repository}/issues/" + (f"{number}/comments" if found is None else f"comments/{found.id}"),
            tried=tried,
            body={"body": text},
            creates_content=found is None,
        )

        def look() -> int | None:
            now = self._find(repository, number, marker) if found is None else self._known(repository, found.id, marker)
            return now.id if now is not None and as_stored(now.body) == as_stored(text) else None

        send = self._clients.create_once if found is None else self._clients.write_once
        written = send(repository, write, lambda answer: Node(answer).number("id"), look=look)
        return written if found is not None else self._only(repository, number, marker, written)

    def _only(self, repository: str, number: int, marker: str, written: int) -> int:
        """Return the comment that stays: another bot with this account may have written its own at the same moment.

        GitHub has no way to create one only where there is none. The first one stays, and who wrote a later one takes
        that back.
        """
        first = self._find(repository, number, marker)
        if first is None or first.id >= written:
            return written
        write = Write(
            verb="DELETE",
            path=f"/repos/{repository}/issues/comments/{written}",
            tried=f"take back a second comment on pull request #{number} of {repository}",
        )
        with contextlib.suppress(NotThere):
            # Deleting again is harmless.
            self._clients.write_once(repository, write, lambda _: True, look=lambda: None)
        return first.id

    def _known(self, repository: str, comment: int | None, marker: str) -> Comment | None:
        if comment is None:
            return None
        path = f"/repos/{repository}/issues/comments/{comment}"
        read = Read(path=path, tried=f"read the bot's comment in {repository}", right=Right.WRITE)
        try:
            return self._clients.read(repository, read, lambda answer: self._own(Node(answer), marker))
        except NotThere:
            return None

    def _find(self, repository: str, number: int, marker: str) -> Comment | None:
        tried = f"read the comments of pull request #{number} of {repository}"
        read = Read(path=f"/repos/{repository}/issues/{number}/comments", tried=tried, right=Right.WRITE)

        def parse(answer: object) -> list[Comment]:
            return [own for node in objects(answer) if (own := self._own(node, marker)) is not None]

        return next(self._clients.read_pages(repository, read, parse, most=_MOST_COMMENT_PAGES), None)

    def _own(self, node: Node, marker: str) -> Comment | None:
        """Read a comment if it is the bot's: by its account, and for an app by the app that made it, where told."""
        body = node.maybe_text("body") or ""
        if not carries_marker(body, marker) or not self._is_by_bot(node):
            return None
        return Comment(id=node.number("id"), body=body)

    def _is_by_bot(self, node: Node) -> bool:
        own = self._clients.identity()
        author, app = account_of_rest(node.maybe_node("user")), node.maybe_node("performed_via_github_app")
        if author is None:
            return False
        if app is None:
            return author.is_same(own)
        # The app's number outlives a change of its name. A person may act through an app too, so the account counts.
        return app.number("id") == own.app_id and (author.is_app or author.is_same(own))

    # --- a comment on a commit ---

    def comment_on_commit(self, repository: str, commit: Sha, *, marker: str, body: str) -> None:
        """Comment on a commit once: one of the bot's own whose first line is the marker is left as it is."""
        check_repository(repository)
        if not _COMMIT.fullmatch(commit):
            raise Permanent(SYSTEM, f"“{shown(commit)}” is no commit that can be commented on")
        path = f"/repos/{repository}/commits/{commit}/comments"
        tried = f"comment on commit {commit[:12]} of {repository}"

        def look() -> bool | None:
            read = Read(path=path, tried=f"read the comments on commit {commit[:12]} of {repository}")
            pages = self._clients.read_pages(repository, read, lambda answer: list(objects(answer)))
            return True if any(self._own(node, marker) is not None for node in pages) else None

        if not look():
            text = {"body": with_marker(marker, body)}
            write = Write(verb="POST", path=path, tried=tried, body=text, creates_content=True)
            self._clients.create_once(repository, write, lambda _: True, look=look)

    # --- reactions ---

    def react(self, repository: str, comment: int, reaction: Reaction) -> None:
        """React to a comment. GitHub keeps one reaction of a kind for each account, so doing it twice is harmless."""
        check_repository(repository)
        write = Write(
            verb="POST",
            path=f"/repos/{repository}/issues/comments/{comment}/reactions",
            tried=f"react to a comment in {repository}",
            body={"content": reaction.value},
            creates_content=True,
        )
        try:
            self._clients.write_once(repository, write, lambda _: True, look=lambda: None)
        except NotThere:
            # The comment was deleted: nobody is left to be answered.
            return

    # --- rights ---

    def permission_of(self, repository: str, user_id: int, login: str) -> Permission:
        """Return what an account may do; NONE where the login is another account's by now."""
        check_repository(repository)
        if user_id <= 0 or not _LOGIN.fullmatch(login):
            return Permission.NONE
        key = (repository.lower(), user_id, login.lower())
        with self._lock:
            known = self._permissions.get(key)
        if known is not None:
            return known
        found = self._ask_permission(repository, user_id, login)
        with self._lock:
            self._permissions[key] = found
        return found

    def _ask_permission(self, repository: str, user_id: int, login: str) -> Permission:
        read = Read(
            path=f"/repos/{repository}/collaborators/{path_part(login)}/permission",
            tried=f"find out what {shown(login)} may do in {repository}",
            right=_FOR_COMMANDS,
        )

        def parse(answer: object) -> Permission:
            node = Node(answer)
            user = node.maybe_node("user")
            if user is None or user.number("id") != user_id:
                return Permission.NONE
            # A role of the organization's own has a name of its own; what it stands on is in `permission`.
            named = _PERMISSIONS.get(node.maybe_text("role_name") or "")
            return named if named is not None else _PERMISSIONS.get(node.text("permission"), Permission.NONE)

        try:
            return self._clients.read(repository, read, parse)
        except NotThere:
            return Permission.NONE

    def is_member(self, team: str, login: str) -> bool:
        """Say whether an account is an active member of a team; a pending invitation does not count."""
        named = _TEAM.fullmatch(team)
        if named is None or not _LOGIN.fullmatch(login):
            return False
        key = (team.lower(), login.lower())
        with self._lock:
            known = self._members.get(key)
        if known is None:
            known = self._ask_member(named[1], named[2], login)
            with self._lock:
                self._members[key] = known
        return known

    def _ask_member(self, org: str, slug: str, login: str) -> bool:
        """Look for the very login in what a search among the members finds: it finds parts of names as well."""
        tried = f"find out whether {shown(login)} is in the team {org}/{slug}"
        after: str | None = None
        for _ in range(_MOST_PAGES):
            variables = {"org": org, "team": slug, "login": login, "after": after}
            query = Query(document=MEMBERS, tried=tried, variables=variables, right=_FOR_COMMANDS)
            try:
                found, after = self._clients.query(org, query, _parse_members)
            except NotThere:
                return False
            if login.lower() in found or after is None:
                return login.lower() in found
        raise Permanent(SYSTEM, f"could not {tried}: too many accounts have such a name")


def _parse_members(data: Node) -> tuple[frozenset[str], str | None]:
    team = data.node("organization").maybe_node("team")
    if team is None:
        return frozenset(), None
    members = team.node("members")
    page = members.node("pageInfo")
    logins = frozenset(member.text("login").lower() for member in members.items("nodes"))
    return logins, page.text("endCursor") if page.flag("hasNextPage") else None
