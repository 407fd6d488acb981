"""The made-up Argo CD of a test: its applications follow Git from look to look, unless the test says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain.argo import Application, Deployed, NoApplication, Operation, SelectedApplications
from bot.domain.edit import Reading, read_image
from bot.domain.model import Sha
from bot.domain.policy import Policy, Stage, SyncBy
from bot.trial.cases import Reported, Syncs
from bot.trial.memory.deployments import MemoryDeployments
from bot.trial.memory.repositories import MemoryRepositories
from bot.trial.names import applications_of


@dataclass(slots=True, kw_only=True)
class Cluster:
    """Brings the applications of a policy to what Git says.

    `syncs` says what a new commit does to an application, `gone` are those that Argo CD does not know. What is said of
    an application's health, `said`, is of the tag that Git had then: with another one it is Healthy again.
    """

    policy: Policy
    repositories: MemoryRepositories
    deployments: MemoryDeployments
    syncs: dict[str, Syncs] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    said: dict[str, tuple[str, Reported]] = field(default_factory=dict)

    def begin(self) -> None:
        """Let every application run, healthily, what stands in Git now."""
        for stage in self.policy.stages:
            for target in stage.applications:
                if isinstance(target, SelectedApplications):
                    self.deployments.members[target.shown] = list(applications_of(self.policy, stage))
            for name in applications_of(self.policy, stage):
                self._sync(stage, name, self._head)

    def follow(self) -> None:
        """Let Argo CD see what has been committed since, and act on it."""
        orders = dict(self.deployments.syncs)
        self.deployments.syncs.clear()
        for stage in self.policy.stages:
            for name in applications_of(self.policy, stage):
                ordered = orders.get(name)
                if ordered is not None:
                    self._sync(stage, name, ordered.revisions[0])
                self._see(stage, name)

    def report(self, said: Reported) -> None:
        """Let Argo CD say something else of an application."""
        name = said.application
        if said.syncs is not None:
            self.syncs[name] = said.syncs
            self.messages[name] = said.message
        if said.exists is not None:
            (self.gone.discard if said.exists else self.gone.add)(name)
        stage = next(one for one in self.policy.stages if name in applications_of(self.policy, one))
        if said.health is not None:
            self.said[name] = (self.tag_of(stage), said)
        if name in self.gone:
            self.deployments.applications[name] = NoApplication(name=name)
        elif not isinstance(self.deployments.applications[name], Application):
            self._sync(stage, name, self._head)
        elif said.health is not None:
            self._turn(name, said)

    def _turn(self, name: str, said: Reported) -> None:
        """Let the health of an application be what was said of it."""
        app = self.deployments.applications[name]
        if isinstance(app, Application) and said.health is not None:
            self.deployments.applications[name] = replace(
                app,
                health=said.health,
                health_message=said.message,
                health_since=self._now if app.health != said.health else app.health_since,
                reconciled_at=max(self._now, app.reconciled_at or self._now),
            )

    # --- one application ---

    @property
    def _head(self) -> Sha:
        return self.repositories.branches[self.policy.gitops.branch]

    @property
    def _now(self) -> datetime:
        return self.repositories.clock.now()

    def _see(self, stage: Stage, name: str) -> None:
        app, head = self.deployments.applications[name], self._head
        if not isinstance(app, Application):
            return
        operation = app.operation
        is_of_release = operation is not None and self._tag(stage, operation.revisions[0]) == self._tag(stage, head)
        does = self.syncs.get(name, Syncs.AT_ONCE)
        if operation is not None and operation.phase == "Succeeded" and is_of_release:
            self.deployments.applications[name] = replace(
                app, sync="Synced", revisions=(head,), reconciled_at=max(self._now, app.reconciled_at or self._now)
            )
        elif does is Syncs.AT_ONCE and stage.sync is SyncBy.ARGOCD:
            self._sync(stage, name, head)
        elif does in {Syncs.AT_ONCE, Syncs.NEVER}:
            self.deployments.applications[name] = replace(
                app, sync="OutOfSync", revisions=(head,), reconciled_at=self._now, automated=False
            )
        elif not is_of_release:
            self.deployments.applications[name] = self._unfinished(app, head, does)

    def _unfinished(self, app: Application, head: Sha, does: Syncs) -> Application:
        is_failed = does is Syncs.FAILED
        operation = Operation(
            phase="Failed" if is_failed else "Running",
            revisions=(head,),
            started_at=self._now,
            finished_at=self._now if is_failed else None,
            message=self.messages.get(app.name) or ("the test lets it fail" if is_failed else ""),
        )
        return replace(app, sync="OutOfSync", revisions=(head,), operation=operation, reconciled_at=self._now)

    def _sync(self, stage: Stage, name: str, revision: Sha) -> None:
        before = self.deployments.applications.get(name)
        history = before.history if isinstance(before, Application) else ()
        self.deployments.sync(name, revision, f"{self.policy.image}:{self._tag(stage, revision)}")
        app = self.deployments.applications[name]
        assert isinstance(app, Application)  # noqa: S101 - `sync` has just set it
        done = Deployed(revisions=(revision,), at=self._now, started_at=self._now, number=len(history))
        is_ours = stage.sync is SyncBy.BOT
        self.deployments.applications[name] = replace(
            app,
            history=(*history, done),
            automated=not is_ours,
            consents=f"{self.policy.service}:{stage.name}" if is_ours else "",
            targets=(self.policy.gitops.branch,),
        )
        tag, said = self.said.get(name, ("", None))
        if said is not None and tag == self._tag(stage, revision):
            self._turn(name, said)

    def tag_of(self, stage: Stage) -> str:
        """Return the tag that stands in Git now."""
        return self._tag(stage, self._head)

    def _tag(self, stage: Stage, revision: Sha) -> str:
        text = self.repositories.commits[revision].files[stage.edit.file]
        return read_image(stage.edit, self.policy.image, text, reading=Reading()).tag
