"""All that the lab's GitHub knows: accounts, tokens, apps, repositories. One lock guards it; a clock gives time."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

from bot.lab.github.git import Bare
from bot.lab.github.nouns import (
    Account,
    App,
    Attestation,
    CheckRun,
    Comment,
    CommitComment,
    Credential,
    Deployment,
    Label,
    MergeMethod,
    Protection,
    Pull,
    Role,
    Seal,
    Status,
    Webhook,
)
from bot.ports import Clock

_TOKEN_LIFE = timedelta(hours=1)
TeamRole = Literal["member", "maintainer"]


@dataclass(slots=True, kw_only=True)
class Repository:
    """A repository: what git does not know of it. `bare` is its git side."""

    id: int
    owner: Account
    name: str
    bare: Bare
    default_branch: str
    created_at: datetime
    pushed_at: datetime
    private: bool = True
    merge_methods: tuple[MergeMethod, ...] = ("merge", "squash", "rebase")
    delete_branch_on_merge: bool = False
    allow_auto_merge: bool = False
    archived: bool = False
    pulls: dict[int, Pull] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    check_runs: list[CheckRun] = field(default_factory=list)
    protections: dict[str, Protection] = field(default_factory=dict)
    webhooks: list[Webhook] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    attestations: list[Attestation] = field(default_factory=list)
    commit_comments: list[CommitComment] = field(default_factory=list)
    seals: dict[str, Seal] = field(default_factory=dict)
    """By commit: what GitHub vouches for."""

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"

    def comment(self, comment_id: int) -> Comment | None:
        """Find a comment of any pull request."""
        comments = (comment for pull in self.pulls.values() for comment in pull.comments)
        return next((comment for comment in comments if comment.id == comment_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that GitHub tells webhooks. `facts` are keyed by the payload's names and hold the lab's nouns."""

    repository: Repository
    event: str
    sender: Account
    facts: Mapping[str, object]
    action: str | None = None


class Listener(Protocol):
    """Who is told of happenings, under the world's lock."""

    def __call__(self, happening: Happening) -> None:
        """Take note; never raise."""
        ...


class World:
    """The lab's whole state. Whoever reads or changes it holds `lock`."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.url = ""
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[str, Repository] = {}
        self.apps: dict[int, App] = {}
        self.credentials: dict[str, Credential] = {}
        self.teams: dict[str, dict[str, TeamRole]] = {}
        self.mergeability_looks = 0
        self.async_merge_time = timedelta(0)
        self.listeners: list[Listener] = []
        self._directory = directory
        self._clock = clock
        self._ids = itertools.count(1001)

    @property
    def api(self) -> str:
        """The root of the REST API, as on a GitHub Enterprise server."""
        return f"{self.url}/api/v3"

    def now(self) -> datetime:
        """Return the lab's present, to GitHub's resolution of a second."""
        return self._clock.now().replace(microsecond=0)

    def new_id(self) -> int:
        """Return an id that nothing else has."""
        return next(self._ids)

    def tell(self, happening: Happening) -> None:
        """Let webhooks know."""
        for listener in self.listeners:
            listener(happening)

    # --- accounts and tokens ---

    def account(self, login: str, kind: Literal["User", "Organization", "Bot"] = "User") -> Account:
        """Return the account of this login; it is made if it is new."""
        key = login.lower()
        if key not in self.accounts:
            self.accounts[key] = Account(id=self.new_id(), login=login, kind=kind, created_at=self.now())
        return self.accounts[key]

    def account_by_email(self, email: str) -> Account | None:
        """Return the account that GitHub would link to a commit's address."""
        return next((account for account in self.accounts.values() if account.email == email), None)

    def issue_token(self, account: Account) -> str:
        """Make a token that acts as a user with all of the user's rights."""
        token = f"ghp_{secrets.token_urlsafe(27)}"
        self.credentials[token] = Credential(account=account)
        return token

    def issue_installation_token(
        self, app: App, permissions: dict[str, str], repositories: tuple[str, ...] | None
    ) -> tuple[str, Credential]:
        """Make a token that acts as an app's installation for an hour."""
        token = f"ghs_{secrets.token_urlsafe(27)}"
        credential = Credential(
            account=app.bot,
            app=app,
            expires_at=self.now() + _TOKEN_LIFE,
            permissions=permissions,
            repositories=repositories,
        )
        self.credentials[token] = credential
        return token, credential

    def credential(self, token: str) -> Credential | None:
        """Return what a token stands for; None if it is unknown or has expired."""
        found = self.credentials.get(token)
        if found is None or (found.expires_at is not None and found.expires_at <= self.now()):
            return None
        return found

    # --- repositories ---

    def create_repository(self, full_name: str, branch: str, *, private: bool = True) -> Repository:
        """Make an empty repository; the owner, if new, is an organisation."""
        owner_login, _, name = full_name.partition("/")
        owner = self.account(owner_login, "Organization")
        bare = Bare.create(self._directory / owner.login / f"{name}.git", branch)
        now = self.now()
        repository = Repository(
            id=self.new_id(),
            owner=owner,
            name=name,
            bare=bare,
            default_branch=branch,
            created_at=now,
            pushed_at=now,
            private=private,
        )
        self.repositories[full_name.lower()] = repository
        return repository

    def repository(self, full_name: str) -> Repository:
        """Return a repository; KeyError if there is none."""
        return self.repositories[full_name.lower()]

    def role(self, account: Account, repository: Repository) -> Role | None:
        """Return what an account may do in a repository; None for nothing at all."""
        if account is repository.owner:
            return "admin"
        given = account.roles.get(repository.full_name)
        return given if given or repository.private else "read"

    def writes(self, account: Account, repository: Repository) -> bool:
        """Say whether an account has write access: by its role, or as the bot of an app that may write contents."""
        if self.role(account, repository) in ("write", "maintain", "admin"):
            return True
        app = next((app for app in self.apps.values() if app.bot is account), None)
        if app is None or app.owner is not repository.owner or app.permissions.get("contents") != "write":
            return False
        return app.repositories is None or repository.full_name in app.repositories

    def team(self, organization: str, slug: str) -> dict[str, TeamRole] | None:
        """Return a team's members by login, with their roles in it."""
        return self.teams.get(f"{organization}/{slug}".lower())
