"""What the scripted GitHub of the adapter's tests keeps: pull requests and what hangs on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

T0 = "2026-03-01T11:00:00Z"
APP_ID = 7
IDS = {"lift-bot": 501, "liftlock[bot]": 502, "dana": 11, "rita": 12, "ci[bot]": 601}


def actor(login: str | None) -> Json | None:
    """An account as GraphQL shows it: an app without `[bot]`."""
    if login is None:
        return None
    is_app = login.endswith("[bot]")
    return {
        "__typename": "Bot" if is_app else "User",
        "login": login.removesuffix("[bot]"),
        "databaseId": IDS.setdefault(login, 1000 + len(IDS)),
    }


def user(login: str | None) -> Json | None:
    """An account as REST shows it."""
    if login is None:
        return None
    kind = "Bot" if login.endswith("[bot]") else "User"
    return {"login": login, "type": kind, "id": IDS.setdefault(login, 1000 + len(IDS))}


def run(name: str, conclusion: str | None = "SUCCESS", *, app: int = 15368) -> Json:
    """A check run; without a conclusion it is still running."""
    return {
        "__typename": "CheckRun",
        "name": name,
        "status": "IN_PROGRESS" if conclusion is None else "COMPLETED",
        "conclusion": conclusion,
        "checkSuite": {"app": {"databaseId": app}},
    }


def status(context: str, state: str = "SUCCESS", *, by: str = "ci[bot]", required: bool = False) -> Json:
    """A commit status."""
    return {
        "__typename": "StatusContext",
        "context": context,
        "state": state,
        "creator": actor(by),
        "isRequired": required,
    }


def event(kind: str, by: str | None = None, at: str = T0, **more: Any) -> Json:
    """An entry of the timeline."""
    return {"__typename": kind, "createdAt": at, "actor": actor(by), **more}


def pushed(sha: str, at: str = T0) -> Json:
    """A commit in the timeline."""
    return {"__typename": "PullRequestCommit", "commit": {"oid": sha, "committedDate": at}}


def review(by: str, state: str, sha: str | None, at: str = "2026-03-01T11:00:00Z") -> Json:
    """A review."""
    commit = None if sha is None else {"oid": sha}
    return {"state": state, "author": actor(by), "commit": commit, "submittedAt": at}


@dataclass
class FakePull:
    """A pull request; `url` is the server's."""

    number: int
    branch: str
    head: str
    url: str
    base: str = "main"
    state: str = "open"
    merged_as: str | None = None
    merged_by: str | None = None
    draft: bool = False
    author: str | None = "lift-bot"
    fork: bool = False
    created: str = T0
    updated: str = T0
    title: str = ""
    body: str = ""
    labels: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    mergeable: str = "MERGEABLE"
    merge_state: str = "CLEAN"
    decision: str | None = None
    armed_by: str | None = None
    queued_by: str | None = None
    closed: str | None = None
    events: list[Json] = field(default_factory=list)
    reviews: list[Json] = field(default_factory=list)
    contexts: list[Json] | None = None

    def rest(self) -> Json:
        """The pull request as REST shows it."""
        owner = "mallory" if self.fork else "acme"
        return {
            "number": self.number,
            "node_id": f"PR_{self.number}",
            "html_url": f"https://github.test/acme/deploy/pull/{self.number}",
            "state": self.state,
            "draft": self.draft,
            "merged_at": T0 if self.merged_as else None,
            "created_at": self.created,
            "closed_at": self.closed,
            "body": self.body,
            "user": user(self.author),
            "labels": [{"name": name} for name in self.labels],
            "requested_reviewers": [user(name) for name in self.reviewers if not name.startswith("@")],
            "assignees": [user(name) for name in self.assignees],
            "requested_teams": [{"slug": name[1:]} for name in self.reviewers if name.startswith("@")],
            "head": {"ref": self.branch, "sha": self.head, "repo": {"full_name": f"{owner}/deploy"}},
            "base": {"ref": self.base},
        }
