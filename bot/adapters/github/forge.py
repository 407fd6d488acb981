"""The port `Forge` at GitHub: find, open, merge and close pull requests, delete branches, keep one comment."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from urllib.parse import quote

from github import Github
from github.IssueComment import IssueComment
from github.NamedUser import NamedUser

from bot.adapters.github.answers import SYSTEM, Refused
from bot.adapters.github.clients import Clients
from bot.adapters.github.credentials import Credentials
from bot.adapters.github.pulls import (
    Seen,
    list_of_branch,
    list_open,
    parse_pull,
    read_checks,
    read_closer,
    read_pull,
    read_reviews,
)
from bot.adapters.github.texts import as_stored, carries_marker, cut_body, cut_title, with_marker
from bot.adapters.scrub import as_sentence
from bot.domain.model import Sha
from bot.domain.pulls import Pull, PullState
from bot.ports import Conflict, MergeText, Permanent, PullText, Transient

OWN_PREFIX = "liftlock/"

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,99}/[A-Za-z0-9_.][A-Za-z0-9_.\-]{0,99}")
_MERGE_COMMIT_FORBIDDEN = "merge commits are not allowed"
_BASE_MOVED = "base branch was modified"


class GitHubForge:
    """GitHub's pull requests. Safe to share between threads."""

    def __init__(self, clients: Clients, credentials: Credentials) -> None:
        self._clients = clients
        self._credentials = credentials
        self._lock = threading.Lock()
        self._login: str | None = None

    # --- reading ---

    def find_promotion(self, repository: str, branch: str) -> Pull | None:
        """Return the newest pull request from `branch`; costs one request, four more if it is open."""
        check_repository(repository)
        tried = f"find the pull request of {_shown(branch)} in {repository}"
        login = self.login()

        def ask(github: Github) -> Pull | None:
            found = list_of_branch(github, repository, branch, state="all")
            if not found:
                return None
            pull = parse_pull(found[0])
            if pull.state is PullState.OPEN:
                return _with_decisions(github, repository, pull.number)
            if pull.state is PullState.CLOSED:
                closer = read_closer(github, repository, pull.number)
                return replace(pull, closed_by=closer, closed_by_bot=_is_same(closer, login))
            return pull

        return self._clients.read(repository, tried, ask)

    def find_open_promotions(self, repository: str, prefix: str) -> Sequence[Pull]:
        """Return the open pull requests whose branch starts with `prefix`; checks and reviews are left empty."""
        check_repository(repository)
        tried = f"list the open pull requests of {repository}"
        return self._clients.read(repository, tried, lambda github: list_open(github, repository, prefix))

    def login(self) -> str:
        """Return the bot's own login; asked once."""
        with self._lock:
            if self._login is None:
                self._login = self._clients.read(None, "find out who the bot is", self._credentials.find_login)
            return self._login

    # --- opening ---

    def open_promotion(self, repository: str, text: PullText) -> Pull:
        """Open a pull request with its labels, or return the one that is open already."""
        check_repository(repository)
        tried = f"open a pull request of {_shown(text.branch)} in {repository}"

        def send(github: Github) -> Seen:
            made = github.get_repo(repository).create_pull(
                base=text.base, head=text.branch, title=cut_title(text.title), body=cut_body(text.body)
            )
            return Seen(pull=parse_pull(made), labels=tuple(label.name for label in made.labels))

        def look() -> Seen | None:
            return self._find_open(repository, text.branch)

        try:
            seen = self._clients.write_once(repository, tried, send, look=look)
        except Refused as refused:
            found = look() if refused.status == 422 else None
            if found is None:
                raise
            seen = found
        self._add_labels(repository, seen, text.labels)
        return seen.pull

    def _find_open(self, repository: str, branch: str) -> Seen | None:
        def ask(github: Github) -> Seen | None:
            found = list_of_branch(github, repository, branch, state="open")
            if not found:
                return None
            return Seen(pull=parse_pull(found[0]), labels=tuple(label.name for label in found[0].labels))

        return self._clients.read(repository, f"find the pull request of {_shown(branch)} in {repository}", ask)

    def _add_labels(self, repository: str, seen: Seen, labels: Sequence[str]) -> None:
        missing = [label for label in labels if label not in seen.labels]
        if not missing:
            return
        tried = f"label pull request #{seen.pull.number} of {repository}"

        def send(github: Github) -> bool:
            github.get_repo(repository).get_issue(seen.pull.number).add_to_labels(*missing)
            return True

        # Adding a label that is there changes nothing, so a lost answer needs no look.
        self._clients.write_once(repository, tried, send, look=lambda: None)

    # --- merging ---

    def merge_promotion(self, repository: str, number: int, *, head: Sha, text: MergeText) -> Sha:
        """Merge at exactly `head` with a merge commit, or squashed where the repository allows no merge commits."""
        check_repository(repository)
        try:
            return self._merge(repository, number, head, text, method="merge")
        except Refused as refused:
            if _MERGE_COMMIT_FORBIDDEN not in refused.said.lower():
                raise
        return self._merge(repository, number, head, text, method="squash")

    def _merge(self, repository: str, number: int, head: Sha, text: MergeText, *, method: str) -> Sha:
        tried = f"merge pull request #{number} of {repository}"

        def send(github: Github) -> Sha:
            answer = (
                github.get_repo(repository)
                .get_pull(number)
                .merge(commit_title=cut_title(text.title), commit_message=text.message, merge_method=method, sha=head)
            )
            if not answer.merged:
                raise Refused(
                    f"GitHub refused to {tried}: {as_sentence(answer.message)}", status=405, said=answer.message
                )
            return Sha(answer.sha)

        try:
            return self._clients.write_once(
                repository, tried, send, look=lambda: self._merged_as(repository, number, head)
            )
        except Refused as refused:
            merged_as = self._merged_as(repository, number, head)
            if merged_as is not None:
                return merged_as
            if refused.status == 409 or _BASE_MOVED in refused.said.lower():
                raise Conflict(SYSTEM, f"{refused.sentence}: look again") from refused
            raise

    def _merged_as(self, repository: str, number: int, head: Sha) -> Sha | None:
        """Return the merge commit if `head` was merged, None if it still may be; `Conflict` if things have moved."""
        name = f"pull request #{number} of {repository}"
        pull = self._clients.read(repository, f"look at {name}", lambda github: read_pull(github, repository, number))
        if pull.head != head:
            raise Conflict(SYSTEM, f"{name} is at {pull.head[:12]} now, not at the checked {head[:12]}: look again")
        if pull.state is PullState.MERGED:
            if pull.merge_commit is None:
                raise Transient(SYSTEM, f"{name} is merged, but GitHub does not say as which commit yet")
            return pull.merge_commit
        if pull.state is PullState.CLOSED:
            raise Conflict(SYSTEM, f"{name} was closed without being merged: look again")
        return None

    # --- closing ---

    def close_promotion(self, repository: str, number: int) -> None:
        """Close a pull request without merging it, if it is open."""
        check_repository(repository)
        tried = f"close pull request #{number} of {repository}"

        def look() -> bool | None:
            pull = self._clients.read(repository, tried, lambda github: read_pull(github, repository, number))
            return None if pull.state is PullState.OPEN else True

        def send(github: Github) -> bool:
            github.get_repo(repository).get_pull(number).edit(state="closed")
            return True

        if look() is None:
            self._clients.write_once(repository, tried, send, look=look)

    def delete_branch(self, repository: str, branch: str) -> None:
        """Delete one of the bot's own branches; an absent one is no error."""
        check_repository(repository)
        tried = f"delete the branch {_shown(branch)} of {repository}"
        if not branch.startswith(OWN_PREFIX):
            raise Permanent(SYSTEM, f"the bot does not {tried}: only branches under {OWN_PREFIX} are its own")

        def send(github: Github) -> bool:
            # PyGithub would delete by the address of a lookup (`git/ref`), which GitHub does not have.
            github.requester.requestJsonAndCheck("DELETE", f"/repos/{repository}/git/refs/heads/{quote(branch)}")
            return True

        try:
            # Deleting again is harmless: nobody but the bot makes these branches.
            self._clients.write_once(repository, tried, send, look=lambda: None)
        except Refused as refused:
            if refused.status != 422 or "does not exist" not in refused.said.lower():
                raise

    # --- the comment ---

    def write_comment(self, repository: str, number: int, *, marker: str, body: str) -> None:
        """Create or edit the bot's own comment whose first line is the hidden marker; an equal text is not written.

        Only a comment of the bot's own account counts: anyone can post one with the same first line.
        """
        check_repository(repository)
        text = with_marker(marker, body)
        tried = f"comment on pull request #{number} of {repository}"
        login = self.login()

        def find(github: Github) -> tuple[int, str] | None:
            for comment in github.get_repo(repository).get_issue(number).get_comments():
                if _is_by(comment, login) and carries_marker(comment.body or "", marker):
                    return comment.id, comment.body
            return None

        def look() -> bool | None:
            found = self._clients.read(repository, f"read the comments of pull request #{number} of {repository}", find)
            return True if found is not None and as_stored(found[1]) == as_stored(text) else None

        found = self._clients.read(repository, tried, find)
        if found is not None and as_stored(found[1]) == as_stored(text):
            return

        def send(github: Github) -> bool:
            issue = github.get_repo(repository).get_issue(number)
            if found is None:
                issue.create_comment(text)
            else:
                issue.get_comment(found[0]).edit(text)
            return True

        self._clients.write_once(repository, tried, send, look=look)


def _with_decisions(github: Github, repository: str, number: int) -> Pull:
    pull = read_pull(github, repository, number)
    return replace(
        pull,
        checks=read_checks(github, repository, pull.head),
        reviews=read_reviews(github, repository, number, pull.head),
    )


def _is_by(comment: IssueComment, login: str) -> bool:
    # PyGithub does not say so, but an account that was deleted leaves its comments without a user.
    user = cast("NamedUser | None", comment.user)
    return user is not None and _is_same(user.login, login)


def _is_same(one: str | None, other: str) -> bool:
    return one is not None and one.lower() == other.lower()


def _shown(name: str) -> str:
    return as_sentence(name, longest=100)


def check_repository(name: str) -> None:
    """Raise `Permanent` unless the name is `owner/name`."""
    if not _REPOSITORY.fullmatch(name) or name.endswith(("/.", "/..")):
        raise Permanent(SYSTEM, f"“{_shown(name)}” cannot be used as a repository: expected a name like acme/deploy")
