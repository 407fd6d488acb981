"""The lab's GitHub as tests and the demo hold it: a running server, and what people do on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, Unpack
from urllib.parse import urlsplit

from starlette.applications import Starlette

from bot.domain.model import Sha
from bot.lab.exchanges import Exchange, ExchangeRecorder
from bot.lab.faults import Faults
from bot.lab.github import people
from bot.lab.github.apps import made_app
from bot.lab.github.calls import Calls, Traffic
from bot.lab.github.git import Commit, Signature
from bot.lab.github.graph.endpoint import GraphApi
from bot.lab.github.limits import SecondaryLimits
from bot.lab.github.merging import person
from bot.lab.github.mishaps import Mishap, Mishaps
from bot.lab.github.nouns import Account, App, CheckRun, Protection, Role, Status, Webhook
from bot.lab.github.options import AppOptions, Demands, MishapOptions
from bot.lab.github.pages import Pages
from bot.lab.github.pulls import refs_moved
from bot.lab.github.rest import RestApi
from bot.lab.github.settling import settle_all
from bot.lab.github.smart_http import SmartHttp
from bot.lab.github.webhooks import Delivery, Webhooks
from bot.lab.github.world import Repository, TeamRole, World
from bot.lab.serving import Served
from bot.ports import Clock


class GitHubLab:
    """A GitHub on a free port of 127.0.0.1: a context manager. All methods may be called from any thread.

    Repositories are named `owner/name` and are private; an owner that is new is made an organisation, other accounts
    are made when they are first named. `faults` cuts, hangs and garbles answers; `fail_next` makes single ones fail.
    """

    def __init__(self, directory: Path, clock: Clock, *, bot_login: str = "liftlock", port: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.world = World(directory, clock)
        self.bot_login = bot_login
        self.faults = Faults()
        self._tokens: dict[str, str] = {}
        self._traffic = Traffic()
        rest, graph = RestApi(self.world, self._traffic), GraphApi(self.world, self._traffic)
        self._webhooks = Webhooks(self.world)
        git, pages = SmartHttp(self.world, directory), Pages(self.world)
        routes = [*graph.routes(), *rest.routes(), *git.routes(), *pages.routes()]
        self._mishaps = Mishaps(Starlette(routes=routes))
        self._recorder = ExchangeRecorder(self.faults.wrap(self._mishaps))
        self._served = Served(self._recorder, port=port, clock=clock)
        self.world.url = self._served.url
        self.token = self.token_of(bot_login)

    def __enter__(self) -> Self:
        self._webhooks.start()
        self._served.__enter__()
        return self

    def let_go(self) -> None:
        """Ask the server to stop, and do not wait for it."""
        self.faults.release()
        self._served.let_go()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._served.__exit__(kind, error, trace)
        self._webhooks.stop()

    # --- where it is and what was said ---

    @property
    def url(self) -> str:
        """The root of the pages and of Git."""
        return self.world.url

    @property
    def api_url(self) -> str:
        """The root of the REST API."""
        return self.world.api

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All HTTP exchanges so far, Git's and the pages' included."""
        return self._recorder.exchanges

    @property
    def calls(self) -> Calls:
        """What the APIs were asked and what it cost, since it was last reset."""
        return self._traffic.calls

    def token_of(self, login: str) -> str:
        """Return a token that acts as this account; the same each time."""
        with self.world.lock:
            if login not in self._tokens:
                self._tokens[login] = self.world.issue_token(self.world.account(login))
            return self._tokens[login]

    def clone_url(self, repository: str, login: str) -> str:
        """Return a URL with which git clones and pushes as this account."""
        return f"http://{login}:{self.token_of(login)}@{urlsplit(self.url).netloc}/{repository}.git"

    # --- repositories and accounts ---

    def create_repository(
        self,
        name: str,
        *,
        files: Mapping[str, str],
        branch: str = "main",
        private: bool = True,
        delete_branch_on_merge: bool = False,
    ) -> None:
        """Make a repository with one commit by its owner; the bot may write to it."""
        with self.world.lock:
            repository = self.world.create_repository(name, branch, private=private)
            repository.delete_branch_on_merge = delete_branch_on_merge
            self.world.account(self.bot_login).roles.setdefault(repository.full_name, "write")
            self._commit(repository, repository.owner, branch, files, "Initial commit")

    def add_user(self, login: str, roles: Mapping[str, Role]) -> str:
        """Make an account, or change what it may do: roles by repository. Return a token that acts as it."""
        with self.world.lock:
            self.world.account(login).roles.update(roles)
            return self.token_of(login)

    def revoke(self, token: str) -> None:
        """Let a token no longer be valid."""
        with self.world.lock:
            self.world.credentials.pop(token, None)

    def add_app(self, app_id: int, public_key_pem: str, **options: Unpack[AppOptions]) -> int:
        """Make a GitHub App, installed on `owner`; return the installation's id.

        Without `permissions` it may write all that there is; without `repositories` it reaches all of the owner's. Its
        webhook is told of `events` in all of these, if it has a `webhook_url`.
        """
        with self.world.lock:
            app = made_app(self.world, app_id, public_key_pem, options)
            self.world.apps[app_id] = app
            return app.installation_id

    def protect(self, repository: str, branch: str, **demands: Unpack[Demands]) -> None:
        """Protect a branch; direct pushes are refused unless `restrict_pushes=False` and nothing else is required."""
        with self.acting():
            self._repository(repository).protections[branch] = Protection(**demands)

    def unprotect(self, repository: str, branch: str) -> None:
        """Take a branch's protection away."""
        with self.acting():
            self._repository(repository).protections.pop(branch, None)

    def allow_auto_merge(self, repository: str) -> None:
        """Let pull requests of a repository be merged by auto-merge."""
        with self.world.lock:
            self._repository(repository).allow_auto_merge = True

    def add_team(self, organization: str, slug: str, members: Mapping[str, TeamRole]) -> None:
        """Make a team, or replace its members: roles in the team by login."""
        with self.world.lock:
            for login in members:
                self.world.account(login)
            self.world.teams[f"{organization}/{slug}".lower()] = {
                login.lower(): role for login, role in members.items()
            }

    def add_webhook(self, repository: str, url: str, secret: str, *, events: Sequence[str] = ("*",)) -> None:
        """Tell `url` of what happens in a repository, signed with `secret`."""
        with self.world.lock:
            now = self.world.now()
            hook = Webhook(id=self.world.new_id(), url=url, secret=secret, events=tuple(events), created_at=now)
            self._repository(repository).webhooks.append(hook)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """All attempts to deliver to webhooks; waits for those that are due."""
        self._webhooks.wait()
        return self._webhooks.deliveries

    def _repository(self, name: str) -> Repository:
        return self.world.repository(name)

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Hold the world's lock, and let GitHub do what is due before and after."""
        with self.world.lock:
            settle_all(self.world)
            yield
            settle_all(self.world)

    # --- Git, as people use it ---

    def git_directory(self, repository: str) -> Path:
        """Return the bare repository on disk."""
        with self.world.lock:
            return self._repository(repository).bare.directory

    def commit_as(self, login: str, repository: str, branch: str, files: Mapping[str, str | None], message: str) -> Sha:
        """Push a commit with these files as a person; a branch that is new starts at the default branch."""
        with self.acting():
            return self._commit(self._repository(repository), self.world.account(login), branch, files, message)

    def _commit(
        self, repository: Repository, who: Account, branch: str, files: Mapping[str, str | None], message: str
    ) -> Sha:
        bare = repository.bare
        before = bare.branches()
        parent = before.get(branch) or before.get(repository.default_branch)
        signature = Signature(author=person(who), committer=person(who), at=self.world.now())
        sha = bare.write_commit(bare.write_tree(parent, files), [parent] if parent else [], message, signature)
        bare.set_ref(f"refs/heads/{branch}", sha)
        refs_moved(self.world, repository, before, who)
        return Sha(sha)

    def delete_branch_as(self, login: str, repository: str, branch: str) -> None:
        """Delete a branch as a person."""
        with self.acting():
            found = self._repository(repository)
            before = found.bare.branches()
            found.bare.delete_ref(f"refs/heads/{branch}")
            refs_moved(self.world, found, before, self.world.account(login))

    def read(self, repository: str, ref: str, path: str) -> str | None:
        """Return a file's text at a branch, tag or commit; None where there is none."""
        with self.acting():
            data = self._repository(repository).bare.blob(ref, path)
            return None if data is None else data.decode()

    def head(self, repository: str, branch: str) -> Sha | None:
        """Return a branch's head; None if there is no such branch."""
        with self.acting():
            found = self._repository(repository).bare.branch(branch)
            return None if found is None else Sha(found)

    def branches(self, repository: str) -> Mapping[str, str]:
        """Return all branches with their heads."""
        with self.acting():
            return self._repository(repository).bare.branches()

    def log(self, repository: str, branch: str) -> Sequence[Commit]:
        """Return a branch's commits, newest first."""
        with self.acting():
            return self._repository(repository).bare.commits("--topo-order", f"refs/heads/{branch}")

    # --- pull requests, as people use them ---

    # Kept in `people`, a function for each: they need nothing of the server but the world.
    pull = people.pull
    pulls = people.pulls
    open_pull_as = people.open_pull_as
    close_pull = people.close_pull
    reopen_pull = people.reopen_pull
    merge_pull = people.merge_pull
    arm_auto_merge_as = people.arm_auto_merge_as
    disarm_auto_merge_as = people.disarm_auto_merge_as
    enqueue_as = people.enqueue_as
    edit_pull_as = people.edit_pull_as
    convert_to_draft_as = people.convert_to_draft_as
    ready_as = people.ready_as
    label_as = people.label_as
    unlabel_as = people.unlabel_as
    comment_as = people.comment_as
    edit_comment_as = people.edit_comment_as
    delete_comment_as = people.delete_comment_as
    react_as = people.react_as
    review_as = people.review_as

    # --- what is reported on commits ---

    def set_status(self, repository: str, sha: str, context: str, state: str, *, as_login: str = "ci") -> None:
        """Set a commit status: `success`, `pending`, `failure` or `error`."""
        with self.acting():
            status = Status(
                id=self.world.new_id(),
                sha=sha,
                context=context,
                state=state,
                description=None,
                target_url=None,
                creator=self.world.account(as_login),
                created_at=self.world.now(),
            )
            self._repository(repository).statuses.append(status)

    def add_check_run(
        self, repository: str, sha: str, name: str, *, status: str = "completed", conclusion: str | None = "success"
    ) -> int:
        """Add a check run of an app called `ci`; return its id. `conclusion` counts only for a completed one."""
        with self.acting():
            now, done = self.world.now(), status == "completed"
            run = CheckRun(
                id=self.world.new_id(),
                sha=sha,
                name=name,
                status=status,
                conclusion=conclusion if done else None,
                app=self._ci(),
                started_at=now,
                completed_at=now if done else None,
            )
            self._repository(repository).check_runs.append(run)
            return run.id

    def _ci(self) -> App:
        if 1 not in self.world.apps:
            self.add_app(1, "", permissions={"checks": "write"})
        return self.world.apps[1]

    # --- what goes wrong ---

    def fail_next(self, method: str, path: str, status: int = 502, **how: Unpack[MishapOptions]) -> None:
        """Answer the next `times` calls with an error; with `after_write=True` only after they took effect.

        `path` is a glob below the API's root (`/repos/*/pulls`), or of a Git path (`/acme/deploy.git/*`); `method` may
        be `*`. `body` is JSON or text; none is the HTML page of a proxy.
        """
        self._mishaps.add(Mishap(method=method, path=path, status=status, **how))

    def hang_next(self, method: str, path: str, seconds: float, *, times: int = 1, after_write: bool = False) -> None:
        """Let the next `times` calls wait; with `after_write=True` they took effect and then fail with 504."""
        rule = Mishap(method=method, path=path, seconds=seconds, times=times, after_write=after_write)
        rule.status = 504 if after_write else None
        self._mishaps.add(rule)

    def compute_mergeability_slowly(self, looks: int) -> None:
        """Answer `mergeable: null` to the first looks at each new head or base, as GitHub does while it computes."""
        with self.world.lock:
            self.world.mergeability_looks = looks

    def merge_in_background_for(self, time: timedelta) -> None:
        """Let merges that are asked for by `merge-async` take this long; none by default."""
        with self.world.lock:
            self.world.async_merge_time = time

    def limit_rate(self, remaining: int, reset: datetime) -> None:
        """Leave everybody `remaining` REST calls until `reset`."""
        with self.world.lock:
            self._traffic.core.force(remaining, reset)

    def limit_graphql(
        self, remaining: int, reset: datetime, *, word: Literal["RATE_LIMITED", "RATE_LIMIT"] = "RATE_LIMITED"
    ) -> None:
        """Leave everybody `remaining` GraphQL points until `reset`. GitHub names the error by either word."""
        with self.world.lock:
            self._traffic.graphql_limit_word = word
            self._traffic.graphql.force(remaining, reset)

    def enforce_content_limits(self) -> None:
        """Refuse what breaks GitHub's secondary limits: by the minute, and by the hour for what creates content."""
        with self.world.lock:
            self._traffic.secondary = SecondaryLimits()

    def limit_secondary(self, retry_after: int, *, status: int = 403, times: int = 1) -> None:
        """Refuse the next REST calls with GitHub's secondary rate limit, in seconds."""
        said = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        body = {"message": said, "documentation_url": "https://docs.github.com/rest"}
        how: MishapOptions = {"times": times, "body": body, "headers": {"Retry-After": str(retry_after)}}
        self.fail_next("*", "/repos/*", status, **how)
