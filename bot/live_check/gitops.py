"""What GitHub says: the repository and its branch, rights and rules, labels, and each file with its value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from bot.adapters.github.facts import InstallationFacts, RepositoryFacts
from bot.doctor import identity
from bot.doctor.branches import Branch, judge_branch, judge_repository, judge_source
from bot.domain.edit import Edit, EditRefused, NothingWritten, Written
from bot.domain.observation import ForgeFacts
from bot.domain.policy import Place, Policy, ProofsIn, Stage
from bot.domain.text import join_words, one_line
from bot.live_check.subject import GITHUB, Look, Subject, World
from bot.policy.findings import Finding
from bot.policy.reading import hint

T = TypeVar("T")

_REPOSITORY, _PERMISSION, _RULES = "live-repository", "live-permission", "live-rules"
_LABEL, _EDIT = "live-label", "live-edit"


def looks(world: World, subject: Subject) -> Iterator[Look]:
    """Give what is asked of GitHub about a policy."""
    about = _About(world, subject)

    def look(path: str, ask: Callable[[], Iterator[Finding]]) -> Look:
        return Look(subject=subject, path=path, ask=ask)

    yield look("gitops.repository", about.repository)
    yield look("gitops.repository", about.rights)
    if subject.policy.source is not None:
        yield look("source", about.source)
    for number, stage in enumerate(subject.policy.stages):
        path = f"stages[{number}]"
        for where, place in _places(subject, stage, path):
            yield look(where, partial(about.edit, stage, place, where))
        yield look(path, partial(about.rules, stage, path))
        if stage.proposing.labels:
            yield look(f"{path}.promote.labels", partial(about.labels, stage, f"{path}.promote.labels"))


class _About:
    """One policy at GitHub. Where there is no repository, or no branch, nothing else is said of it."""

    def __init__(self, world: World, subject: Subject) -> None:
        self._world, self._subject, self._policy = world, subject, subject.policy
        self._github = world.patient.github

    def repository(self) -> Iterator[Finding]:
        name, branch = self._policy.gitops.repository, self._policy.gitops.branch
        if not self._is_let_in():
            return
        yield from self._subject.taken(_REPOSITORY, "gitops.repository", judge_repository(name, self._facts(name)))
        if self._can_be_worked_in() and not self._has_branch():
            known = self._ask("branches", name, lambda: self._github.list_branches(name))
            expected = f"a branch of {name}{hint(branch, known)}"
            yield self._subject.fault(_REPOSITORY, "gitops.branch", f'no branch "{branch}"', expected)

    def _facts(self, name: str) -> RepositoryFacts | None:
        return self._ask("repository", name, lambda: self._github.find_repository(name))

    def _installation(self) -> InstallationFacts | None:
        name = self._policy.gitops.repository
        return self._ask("installation", name, lambda: self._github.find_installation(name))

    def _is_let_in(self) -> bool:
        """Say whether the bot has a token for the repository: as an App only where it is installed."""
        if not self._github.is_app:
            return True
        installation = self._installation()
        return installation is not None and not installation.is_suspended

    def _can_be_worked_in(self) -> bool:
        facts = self._facts(self._policy.gitops.repository) if self._is_let_in() else None
        return facts is not None and not facts.is_archived

    def _has_branch(self) -> bool:
        name, branch = self._policy.gitops.repository, self._policy.gitops.branch
        return self._ask(f"branch {branch}", name, lambda: self._github.has_branch(name, branch))

    def source(self) -> Iterator[Finding]:
        name = self._policy.source or ""
        yield from self._subject.taken(_REPOSITORY, "source", judge_source(name, self._facts(name)))

    # --- rights ---

    def rights(self) -> Iterator[Finding]:
        name = self._policy.gitops.repository
        if self._github.is_app:
            yield from self._rights_of_app(name)
            return
        facts = self._facts(name) if self._can_be_worked_in() else None
        if facts is not None and not facts.rights.get("push"):
            login = self._ask("user", "", self._github.find_user).login
            line = identity.judge_rights(facts, login, is_source=False)
            yield from self._subject.taken(_PERMISSION, "gitops.repository", line)

    def _rights_of_app(self, name: str) -> Iterator[Finding]:
        installation = self._installation()
        if installation is not None and not installation.is_suspended:
            yield from self._granted(installation.permissions, installation.url)
            return
        app = self._ask("app", "", self._github.find_app)
        for line in identity.judge_installations(app, {name: installation}, ()):
            yield from self._subject.taken(_PERMISSION, "gitops.repository", line)

    def _granted(self, granted: Mapping[str, str], url: str) -> Iterator[Finding]:
        """Say which permissions the policy needs and the App lacks, each where the policy asks for it."""
        needed = identity.needed_permissions([self._policy], self._world.patient.settings.github.signals)
        places: dict[str, list[str]] = {}
        for missing in identity.missing_permissions(granted, needed):
            places.setdefault(self._asked_by(missing.partition(":")[0]), []).append(missing)
        for path, missing_there in places.items():
            found = f"an App without {join_words(missing_there)}"
            expected = f"them granted in the App's settings (Permissions & events), and accepted at {url}"
            yield self._subject.fault(_PERMISSION, path, found, expected)

    def _asked_by(self, area: str) -> str:
        for number, stage in enumerate(self._policy.stages):
            if area == "members" and any("/" in one for one in stage.proposing.approvers):
                return f"stages[{number}].promote.approvers"
            if area == "attestations" and ProofsIn.GITHUB in stage.proofs_in:
                return f"stages[{number}].artifact.found_in"
        return "gitops.repository"

    # --- rules and labels ---

    def rules(self, stage: Stage, path: str) -> Iterator[Finding]:
        name, branch = self._policy.gitops.repository, self._policy.gitops.branch
        if not self._can_be_worked_in() or not self._has_branch():
            return
        seen = self._ask(f"rules {branch}", name, lambda: self._world.patient.forge.look_at(name, branch, ()))
        forge = ForgeFacts(rules=seen.rules, own_app_id=seen.own_app_id)
        alone = replace(self._policy, stages=(stage,))
        may_bypass = not seen.rules.takes_pushes and self._ask(
            f"bypass {branch}", name, lambda: self._github.may_bypass(name, branch)
        )
        found = Branch(repository=name, name=branch, forge=forge, policies=[alone], may_bypass=may_bypass)
        for line in judge_branch(found):
            where = f"{path}.{line.field}" if line.field else "gitops.branch"
            yield from self._subject.taken(_RULES, where, line)

    def labels(self, stage: Stage, path: str) -> Iterator[Finding]:
        if not self._can_be_worked_in():
            return
        name = self._policy.gitops.repository
        known = self._ask("labels", name, lambda: self._github.list_labels(name))
        there = {one.lower() for one in known}
        for number, label in enumerate(stage.proposing.labels):
            if label.lower() not in there:
                near = hint(label, known)
                expected = f"a label of {name}, or that GitHub makes it with the first pull request{near}"
                yield self._subject.warning(_LABEL, f"{path}[{number}]", f'no label "{label}"', expected)

    # --- files ---

    def edit(self, stage: Stage, place: Place, where: str) -> Iterator[Finding]:
        if not self._can_be_worked_in() or not self._has_branch():
            return
        file = place.edit.file
        try:
            written = self._world.written(self._policy, place)
        except NothingWritten as refused:
            yield self._subject.warning(_EDIT, where, refused.reason, "a tag in it before the first promotion")
            return
        except EditRefused as refused:
            line = f", line {refused.line}" if refused.line else ""
            found = f"in {file}{line}: {refused.reason}"
            yield self._subject.fault(_EDIT, where, found, "one value that says the tag, for certain")
            return
        if written is not None:
            yield self._said(stage, written, where)
        elif self._world.text(self._policy, file) is None:
            yield self._missing(file, where)
        else:
            found = "a folder, an empty file or more than 1 MB, of which GitHub shows no text"
            yield self._subject.warning(_EDIT, where, found, "a file that says the tag")

    def _said(self, stage: Stage, written: Written, where: str) -> Finding:
        """Say which tag a value says; warn where that of the stage's own edit is another."""
        own = tag_of(self._world, self._policy, stage)
        if own is None or own == written.tag:
            return self._subject.note(_EDIT, where, f"the tag {written.shown}")
        expected = f"the tag {own} that edit says: until they are the same, nothing moves into the stage or out of it"
        return self._subject.warning(_EDIT, where, f"the tag {written.shown}", expected)

    def _missing(self, file: str, where: str) -> Finding:
        name, branch = self._policy.gitops.repository, self._policy.gitops.branch
        folder, _, last = file.rpartition("/")
        known = self._ask(f"folder {branch} {folder}", name, lambda: self._github.list_folder(name, branch, folder))
        near = hint(last, known)
        there = f"; {folder} has {join_words([one_line(one, limit=60) for one in known[:5]])}" if known else ""
        expected = f"a file of {name} on {branch}{near or there}"
        return self._subject.fault(_EDIT, where, f'no file "{file}"', expected)

    # --- asking ---

    def _ask(self, what: str, name: str, question: Callable[[], T]) -> T:
        return self._world.reach.ask(GITHUB, (what, name.lower()), question)


def _places(subject: Subject, stage: Stage, path: str) -> Iterator[tuple[str, Place]]:
    """Give all values of a stage, with the paths at which the policy names their files."""
    yield _place_of_file(subject, stage.edit, f"{path}.edit"), Place(image=subject.policy.image, edit=stage.edit)
    for number, place in enumerate(stage.together):
        yield _place_of_file(subject, place.edit, f"{path}.with[{number}].edit"), place


def _place_of_file(subject: Subject, edit: Edit, path: str) -> str:
    """Return the path at which a policy names the file of an edit: as the kind's own text, or as its `file`."""
    kind = f"{path}.{edit.kind}"
    return f"{kind}.file" if subject.has(f"{kind}.file") else kind


def tag_of(world: World, policy: Policy, stage: Stage) -> str | None:
    """Return the tag that a stage has in Git; None where there is none for certain. Raise OutsideError."""
    try:
        written = world.written(policy, Place(image=policy.image, edit=stage.edit))
    except EditRefused:
        return None
    return None if written is None else written.tag
