"""GitHub's pull requests, statuses, check runs and reviews as the model's values. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from github import Github
from github.NamedUser import NamedUser
from github.PullRequest import PullRequest
from github.PullRequestReview import PullRequestReview
from github.Repository import Repository

from bot.domain.model import Sha
from bot.domain.pulls import Checks, Pull, PullState, Reviews

_FAILED_STATUS = frozenset({"failure", "error"})
_PASSED_RUN = frozenset({"success", "neutral", "skipped"})
_MOST_PAGES = 10
_PER_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A pull request with what only this adapter needs of it."""

    pull: Pull
    labels: tuple[str, ...]


def parse_pull(found: PullRequest) -> Pull:
    """Read what the list and the single answer have in common. `merge_commit` is set only for a merged one."""
    state = PullState.OPEN if found.state == "open" else PullState.CLOSED
    if found.merged_at is not None:
        state = PullState.MERGED
    merged_as = Sha(found.merge_commit_sha) if state is PullState.MERGED and found.merge_commit_sha else None
    return Pull(
        number=found.number,
        url=found.html_url,
        branch=found.head.ref,
        base=found.base.ref,
        head=Sha(found.head.sha),
        state=state,
        draft=bool(found.draft),
        merge_commit=merged_as,
        opened_at=found.created_at,
    )


def is_from(found: PullRequest, repository: str) -> bool:
    """Say whether the branch is the repository's own: a fork may have a branch of any name."""
    # PyGithub does not say so, but a fork that was deleted leaves its pull requests without a repository.
    source = cast("Repository | None", found.head.repo)
    return source is not None and source.full_name.lower() == repository.lower()


def list_of_branch(github: Github, repository: str, branch: str, *, state: str) -> list[PullRequest]:
    """Return the newest pull requests of the repository's own branch, newest first."""
    owner = repository.partition("/")[0]
    pages = github.get_repo(repository).get_pulls(
        state=state, head=f"{owner}:{branch}", sort="created", direction="desc"
    )
    found = [pull for pull in pages.get_page(0) if pull.head.ref == branch and is_from(pull, repository)]
    return sorted(found, key=lambda pull: pull.number, reverse=True)


def list_open(github: Github, repository: str, prefix: str) -> list[Pull]:
    """Return the open pull requests from the repository's own branches under a prefix."""
    pages = github.get_repo(repository).get_pulls(state="open", sort="created", direction="desc")
    return [parse_pull(pull) for pull in pages if pull.head.ref.startswith(prefix) and is_from(pull, repository)]


def read_pull(github: Github, repository: str, number: int) -> Pull:
    """Return one pull request with `mergeable`, which only the single answer has."""
    found = github.get_repo(repository).get_pull(number)
    return replace(parse_pull(found), mergeable=found.mergeable)


def read_closer(github: Github, repository: str, number: int) -> str | None:
    """Return the login of who closed a pull request."""
    closer = github.get_repo(repository).get_issue(number).closed_by
    return None if closer is None else closer.login


def read_checks(github: Github, repository: str, head: Sha) -> Checks:
    """Return failed and pending statuses and check runs of a commit, by name.

    The combined state is not used: GitHub says `pending` of a commit that has no status at all. A conclusion that is
    not known here does not count as passed.
    """
    failed: list[str] = []
    pending: list[str] = []
    for status in _statuses(github, repository, head):
        state, name = str(status.get("state")), str(status.get("context"))
        if state in _FAILED_STATUS:
            failed.append(name)
        elif state != "success":
            pending.append(name)
    for run in github.get_repo(repository).get_commit(head).get_check_runs():
        if run.status != "completed":
            pending.append(run.name)
        elif run.conclusion not in _PASSED_RUN:
            failed.append(run.name)
    return Checks(failed=_unique(failed), pending=_unique(pending))


def _statuses(github: Github, repository: str, head: Sha) -> Iterator[Mapping[str, Any]]:
    """Page through the combined status, of which PyGithub reads the first thirty entries only."""
    for page in range(1, _MOST_PAGES + 1):
        _, answer = github.requester.requestJsonAndCheck(
            "GET", f"/repos/{repository}/commits/{head}/status", parameters={"per_page": _PER_PAGE, "page": page}
        )
        yield from answer["statuses"]
        if page * _PER_PAGE >= int(answer["total_count"]):
            return
    yield {"state": "pending", "context": f"more than {_MOST_PAGES * _PER_PAGE} statuses"}


def read_reviews(github: Github, repository: str, number: int, head: Sha) -> Reviews:
    """Return the newest decisive review of each person. An approval of another head than the present does not count."""
    newest: dict[str, PullRequestReview] = {}
    for review in github.get_repo(repository).get_pull(number).get_reviews():
        user = cast("NamedUser | None", review.user)
        who = user.login if user is not None else "ghost"
        if review.state in ("APPROVED", "CHANGES_REQUESTED"):
            newest[who] = review
        elif review.state == "DISMISSED":
            newest.pop(who, None)
    return Reviews(
        approved_by=tuple(who for who, r in newest.items() if r.state == "APPROVED" and r.commit_id == head),
        changes_requested_by=tuple(who for who, r in newest.items() if r.state == "CHANGES_REQUESTED"),
    )


def _unique(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
