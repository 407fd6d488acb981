"""The lab's GitHub as tests and the demo use it: a running server, and what people do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bot.domain.model import Sha
from bot.lab.exchanges import Exchange, ExchangeRecorder
from bot.lab.faults import Faults
from bot.lab.github.conduct import (
    Merging,
    close_pull,
    commit_files,
    merge_pull,
    reopen_pull,
    synchronise,
)
from bot.lab.github.git import Commit
from bot.lab.github.nouns import (
    Account,
    App,
    CheckRun,
    Comment,
    Protection,
    Pull,
    Review,
    ReviewState,
    Role,
    Status,
    Webhook,
)
from bot.lab.github.server import Server
from bot.lab.github.webhooks import Deliverer, Delivery
from bot.lab.github.world import Repository, World
from bot.lab.serving import Served
from bot.ports import Clock

BOT = "liftlock"


class GitHubLab:
    """A GitHub on this machine; a context manager. Repositories live in `directory` and stay there."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._world = World(directory, clock)
        self._server = Server(self._world)
        self.faults = Faults()
        self._recorder = ExchangeRecorder(self.faults.wrap(self._server.application()))
        self._served: Served | None = None
        self._deliverer: Deliverer | None = None
        self.bot_login = BOT
        self.token = self._world.issue_token(self._world.account(BOT))

    def __enter__(self) -> Self:
        self._served = Served(self._recorder).__enter__()
        self._world.url = self._served.url
        self._deliverer = Deliverer(self._world)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._deliverer is not None:
            self._deliverer.stop()
        if self._served is not None:
            self._served.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        """The root of pages and of Git."""
        return self._world.url

    @property
    def api_url(self) -> str:
        """The root of the REST API."""
        return self._world.api

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request so far, and its answer."""
        return self._recorder.exchanges

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every webhook delivery so far."""
        return () if self._deliverer is None else tuple(self._deliverer.deliveries)

    # --- accounts and repositories ---

    def add_user(self, login: str, roles: Mapping[str, Role]) -> str:
        """Give a person roles by repository; return a token that acts as the person."""
        with self._world.lock:
            account = self._world.account(login)
            account.roles.update(roles)
            return self._world.issue_token(account)

    def add_app(self, app_id: int, public_key_pem: str, *, owner: str = "acme", slug: str = "liftlock") -> App:
        """Register a GitHub App and install it on an account."""
        with self._world.lock:
            permissions = {"contents": "write", "pull_requests": "write", "issues": "write", "checks": "write"}
            app = App(
                id=app_id,
                slug=slug,
                owner=self._world.account(owner, "Organization"),
                bot=self._world.account(f"{slug}[bot]", "Bot"),
                public_key=public_key_pem,
                installation_id=self._world.new_id(),
                permissions={**permissions, "statuses": "write", "metadata": "read"},
                created_at=self._world.now(),
            )
            self._world.apps[app_id] = app
            return app

    def create_repository(self, name: str, *, files: Mapping[str, str], branch: str = "main") -> None:
        """Make a repository with a first commit; the bot may write to it."""
        with self._world.lock:
            repo = self._world.create_repository(name, branch)
            self._world.account(BOT).roles[repo.full_name] = "write"
            founder = self._world.account("founder")
            commit_files(self._world, repo, founder, branch, (dict(files), "Start"))

    def repository(self, name: str) -> Repository:
        """Return what the lab keeps of a repository, to look at or to change its settings."""
        return self._world.repository(name)

    def git_directory(self, name: str) -> Path:
        """Return the bare repository's directory."""
        return self.repository(name).bare.directory

    def clone_url(self, name: str, login: str) -> str:
        """Return an address with a person's token in it, for typing in a terminal."""
        with self._world.lock:
            token = self._world.issue_token(self._world.account(login))
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{login}:{token}@{parts.netloc}/{name}.git"

    def protect(self, name: str, branch: str, rules: Protection) -> None:
        """Protect a branch."""
        self.repository(name).protections[branch] = rules

    def add_webhook(self, name: str, url: str, secret: str) -> None:
        """Send a repository's events somewhere."""
        hook = Webhook(id=self._world.new_id(), url=url, secret=secret)
        self.repository(name).webhooks.append(hook)

    # --- what people do in Git ---

    def commit_as(
        self, login: str, name: str, branch: str, files: Mapping[str, str | None], message: str
    ) -> Sha:
        """Commit files to a branch; None deletes one. A branch that is not there starts at the default branch."""
        with self._world.lock:
            repo, account = self.repository(name), self._account(login)
            if repo.bare.branch(branch) is None:
                start = repo.bare.branch(repo.default_branch)
                if start is not None:
                    repo.bare.set_ref(f"refs/heads/{branch}", start)
            return Sha(commit_files(self._world, repo, account, branch, (files, message)))

    def read(self, name: str, ref: str, path: str) -> str | None:
        """Return a file's text at a branch or commit."""
        repo = self.repository(name)
        sha = repo.bare.resolve(ref)
        content = repo.bare.blob(sha, path) if sha else None
        return None if content is None else content.decode()

    def log(self, name: str, branch: str) -> Sequence[Commit]:
        """Return a branch's commits, newest first, merged ones included."""
        repo = self.repository(name)
        head = repo.bare.branch(branch)
        return repo.bare.commits(head) if head else ()

    def refs(self, name: str) -> Mapping[str, str]:
        """Return all refs of a repository."""
        return self.repository(name).bare.refs()

    # --- what people do on pull requests ---

    def pulls(self, name: str) -> Sequence[Pull]:
        """Return all pull requests, oldest first, as they are now."""
        with self._world.lock:
            repo = self.repository(name)
            synchronise(self._world, repo)
            return tuple(repo.pulls.values())

    def pull(self, name: str, number: int) -> Pull:
        """Return one pull request as it is now."""
        return next(pull for pull in self.pulls(name) if pull.number == number)

    def close_pull(self, name: str, number: int, login: str) -> None:
        """Close without merging."""
        with self._world.lock:
            close_pull(self._world, self.repository(name), self.pull(name, number), self._account(login))

    def reopen_pull(self, name: str, number: int, login: str) -> None:
        """Open again."""
        with self._world.lock:
            reopen_pull(self._world, self.repository(name), self.pull(name, number), self._account(login))

    def merge_pull(self, name: str, number: int, login: str, merging: Merging | None = None) -> Sha:
        """Merge as a person does on the page: with GitHub's own message."""
        with self._world.lock:
            wanted = merging or Merging(method="merge")
            pull = self.pull(name, number)
            return Sha(merge_pull(self._world, self.repository(name), pull, self._account(login), wanted))

    def comment_as(self, login: str, name: str, number: int, body: str) -> None:
        """Write a comment."""
        with self._world.lock:
            now = self._world.now()
            comment = Comment(
                id=self._world.new_id(),
                number=number,
                author=self._account(login),
                body=body,
                created_at=now,
                updated_at=now,
            )
            self.pull(name, number).comments.append(comment)

    def review_as(self, login: str, name: str, number: int, state: ReviewState) -> None:
        """Submit a review of the present head."""
        with self._world.lock:
            pull = self.pull(name, number)
            review = Review(
                id=self._world.new_id(),
                author=self._account(login),
                state=state,
                body="",
                commit=pull.head_sha,
                submitted_at=self._world.now(),
            )
            pull.reviews.append(review)

    def set_status(self, name: str, sha: str, context: str, state: str) -> None:
        """Set a commit status, as a CI system does."""
        with self._world.lock:
            status = Status(
                id=self._world.new_id(),
                sha=sha,
                context=context,
                state=state,
                description=None,
                target_url=None,
                creator=self._account("ci"),
                created_at=self._world.now(),
            )
            self.repository(name).statuses.append(status)

    def add_check_run(self, name: str, sha: str, check: str, conclusion: str | None) -> None:
        """Add a check run; None is one that is still running."""
        with self._world.lock:
            now = self._world.now()
            run = CheckRun(
                id=self._world.new_id(),
                sha=sha,
                name=check,
                status="completed" if conclusion else "in_progress",
                conclusion=conclusion,
                app=None,
                started_at=now,
                completed_at=now if conclusion else None,
            )
            self.repository(name).check_runs.append(run)

    def _account(self, login: str) -> Account:
        return self._world.account(login)

    # --- what goes wrong ---

    def fail_next(self, pattern: str, status: int = 502, *, times: int = 1) -> None:
        """Answer the next requests that match `METHOD /path` with an error, without doing anything."""
        body = '{"message": "Server Error"}'
        headers = {"content-type": "application/json; charset=utf-8"}
        self.faults.fail_next(pattern, status, body=body, times=times, headers=headers)

    def lose_answer(self, pattern: str, status: int = 502, *, times: int = 1) -> None:
        """Do the work of the next matching requests and answer with an error all the same."""
        self._server.limits.lose_answer(pattern, status, times)

    def limit_rate(self, remaining: int, *, resets_in: timedelta = timedelta(hours=1)) -> None:
        """Set how many requests are left."""
        self._server.limits.remaining, self._server.limits.resets_in = remaining, resets_in

    def limit_secondary(self, times: int) -> None:
        """Refuse the next requests by the secondary rate limit."""
        self._server.limits.secondary_left = times

    def compute_mergeability_slowly(self, looks: int) -> None:
        """Answer `mergeable: null` to the first looks at each new head, as GitHub does while it computes."""
        self._world.mergeability_looks = looks
