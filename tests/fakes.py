"""Stateful fakes, one per port, that implement it whole and fail on demand. Tests assert on their end state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.domain.argo import (
    Application,
    HealthSpell,
    Mark,
    Membership,
    Memory,
    NoApplication,
    Operation,
    SelectedApplications,
    Target,
    remember,
)
from bot.domain.model import Artifact, Digest, ImageFacts, Numbers, Sha, Trouble
from bot.domain.proofs import Proofs
from bot.domain.queries import DEFAULT_SOURCE
from bot.domain.summaries import Summary
from bot.ports import (
    BranchChange,
    Conflict,
    Cost,
    Descent,
    FileCommit,
    FileHistory,
    FileVersion,
    Look,
    OutsideError,
    SyncOrder,
)
from bot.records import NOTHING_KNOWN, Arrival, Event, EventKind, Kept, Posting


@dataclass
class FakeClock:
    """Time that stands still until it is moved."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


@dataclass
class Failing:
    """Fail on demand: `fail["method"] = error` raises at each call of that method; `calls` counts them."""

    fail: dict[str, BaseException] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def called(self, method: str) -> None:
        self.calls.append(method)
        if method in self.fail:
            raise self.fail[method]


@dataclass(frozen=True)
class FakeCommit:
    sha: Sha
    parent: Sha | None
    files: Mapping[str, str]
    message: str
    at: datetime
    author: str


@dataclass
class FakeRepositories(Failing):
    """One repository of linear history, held in dictionaries; branches are names of commits."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime(2026, 3, 2, 12, tzinfo=UTC)))
    commits: dict[Sha, FakeCommit] = field(default_factory=dict)
    branches: dict[str, Sha] = field(default_factory=dict)
    pushes: list[tuple[str, Sha]] = field(default_factory=list)
    contents: dict[Sha, str] = field(default_factory=dict)

    def commit(
        self, branch: str, files: Mapping[str, str], message: str, *, author: str = "alice", parent: Sha | None = None
    ) -> Sha:
        """Commit as a person does, straight to a branch."""
        sha = self._make(parent or self.branches.get(branch), files, message, author)
        self.branches[branch] = sha
        return sha

    def _make(self, parent: Sha | None, files: Mapping[str, str], message: str, author: str) -> Sha:
        before = self.commits[parent].files if parent else {}
        seed = f"{parent}{sorted(files.items())}{message}{self.clock.now()}{len(self.commits)}"
        sha = Sha(hashlib.sha256(seed.encode()).hexdigest()[:40])
        self.commits[sha] = FakeCommit(
            sha=sha, parent=parent, files={**before, **files}, message=message, at=self.clock.now(), author=author
        )
        return sha

    def line(self, head: Sha) -> list[FakeCommit]:
        """The commits from `head` back to the first."""
        found: list[FakeCommit] = []
        at: Sha | None = head
        while at is not None:
            found.append(self.commits[at])
            at = self.commits[at].parent
        return found

    def refresh(self, repository: str, branch: str, paths: Sequence[str] = ()) -> Sha:
        self.called("refresh")
        return self.branches[branch]

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        self.called("read_file")
        return self.commits[commit].files.get(path)

    def file_history(
        self, repository: str, head: Sha, path: str, *, limit: int, since: Sha | None = None
    ) -> FileHistory:
        self.called("file_history")
        found = []
        for commit in self.line(head):
            text = commit.files.get(path)
            before = self.commits[commit.parent].files.get(path) if commit.parent else None
            if text != before:
                found.append(
                    FileVersion(
                        commit=commit.sha,
                        at=commit.at,
                        author=commit.author,
                        message=commit.message,
                        content=self._keep(text),
                    )
                )
        newer = [version.commit for version in found]
        if since in newer:
            return FileHistory(versions=tuple(found[: newer.index(since)]), complete=True, joins=True)
        return FileHistory(versions=tuple(found[:limit]), complete=len(found) < limit)

    def _keep(self, text: str | None) -> Sha | None:
        if text is None:
            return None
        name = Sha(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
        self.contents[name] = text
        return name

    def read_contents(self, repository: str, contents: Sequence[Sha]) -> Mapping[Sha, str | None]:
        self.called("read_contents")
        return {name: self.contents[name] for name in contents}

    def descent(self, repository: str, commit: Sha, ancestor: Sha) -> Descent | None:
        self.called("descent")
        if commit not in self.commits or ancestor not in self.commits:
            return None
        if any(item.sha == ancestor for item in self.line(commit)):
            return Descent(contains=True)
        line = [item.sha for item in self.line(ancestor)]
        return Descent(contains=False, behind=line.index(commit) if commit in line else None)

    def branch_change(self, repository: str, base: Sha, branch: str, *, is_fresh: bool = True) -> BranchChange | None:
        self.called("branch_change")
        if branch not in self.branches:
            return None
        head = self.branches[branch]
        on_base = {item.sha for item in self.line(base)}
        fork = next(item for item in self.line(head) if item.sha in on_base)
        files = {path for path in self.commits[head].files if self.commits[head].files[path] != fork.files.get(path)}
        return BranchChange(head=head, fork=fork.sha, paths=tuple(sorted(files)), message=self.commits[head].message)

    def commit_file(self, plan: FileCommit) -> Sha:
        self.called("commit_file")
        return self._make(plan.parent, plan.files, plan.message, "liftlock")

    def push(self, repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        self.called("push")
        if self.branches.get(branch) != expected:
            raise Conflict("Git", f"{branch} has moved")
        self.branches[branch] = commit
        self.pushes.append((branch, commit))


@dataclass
class FakeDeployments(Failing):
    """Applications as a test sets them; `sync` makes one live at a commit."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime(2026, 3, 2, 12, tzinfo=UTC)))
    applications: dict[str, Application | NoApplication | Trouble] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    refreshed: list[str] = field(default_factory=list)
    syncs: list[tuple[str, SyncOrder]] = field(default_factory=list)

    def sync(self, name: str, revision: Sha, image: str, *, health: str = "Healthy") -> None:
        """Let Argo CD sync an application, see the result and judge it, all at this instant."""
        now = self.clock.now()
        operation = Operation(phase="Succeeded", revisions=(revision,), started_at=now, finished_at=now)
        self.applications[name] = Application(
            name=name,
            sync="Synced",
            health=health,
            revisions=(revision,),
            operation=operation,
            reconciled_at=now + timedelta(seconds=1),
            health_since=now,
            images=(image,),
        )

    def find_applications(
        self, targets: Sequence[Target], *, repository: str, branch: str
    ) -> Mapping[Target, tuple[Application | NoApplication | Trouble, ...]]:
        try:
            self.called("find_applications")
        except OutsideError as error:
            return {target: (error.as_trouble(),) for target in targets}
        return {target: tuple(self._find(target)) for target in targets}

    def _find(self, target: Target) -> Iterator[Application | NoApplication | Trouble]:
        names = self.members.get(target.shown, []) if isinstance(target, SelectedApplications) else [target.shown]
        for name in names:
            yield self.applications.get(name, NoApplication(name=name))
        if not names:
            yield NoApplication(name=target.shown, is_selector=True)

    def ask_refresh(self, application: str, *, hard: bool) -> None:
        self.called("ask_refresh")
        self.refreshed.append(f"{application} (hard)" if hard else application)

    def why_blocked(self, application: str, *, automated: bool) -> str:
        self.called("why_blocked")
        return self.blocked.get(application, "")

    def start_sync(self, application: str, order: SyncOrder) -> None:
        self.called("start_sync")
        self.syncs.append((application, order))


@dataclass
class FakeMetrics(Failing):
    """Requests at `per_minute`, of which a share is bad, by namespace-free query text; `silent` gives no series."""

    per_minute: float = 100.0
    bad_share: dict[str, float] = field(default_factory=dict)
    silent: bool = False
    asked: list[Look] = field(default_factory=list)

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        if not looks:
            return []
        try:
            self.called("read")
        except OutsideError as error:
            return [error for _ in looks]
        self.asked.extend(looks)
        return [self._numbers(look) for look in looks]

    def _numbers(self, look: Look) -> Numbers:
        total = self.per_minute * (look.width / timedelta(minutes=1))
        is_bad = look.query.text.startswith("bad-")
        share = next((share for part, share in self.bad_share.items() if part in look.query.text), 0.0)
        value = None if self.silent else total * share if is_bad else total
        return (value,) * ((look.end - look.start) // look.width)

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        self.called("bucket_bounds")
        return ()

    def scrape_interval(self, source: str = DEFAULT_SOURCE, /) -> timedelta | None:
        return timedelta(seconds=15)

    def cost(self) -> Cost:
        return Cost(queries=len(self.asked))

    def describe(self, source: str = DEFAULT_SOURCE, /) -> str:
        return "Prometheus (fake)" if source == DEFAULT_SOURCE else f"Prometheus {source} (fake)"


@dataclass
class FakeRegistry(Failing):
    """Digests by `image:tag`; None for all others, as without a configured registry. `facts` are by digest."""

    artifacts: dict[str, Artifact] = field(default_factory=dict)
    facts: dict[Digest, ImageFacts] = field(default_factory=dict)

    def find_artifact(self, image: str, tag: str) -> Artifact | None:
        self.called("find_artifact")
        return self.artifacts.get(f"{image}:{tag}")

    def list_tags(self, image: str) -> Sequence[str]:
        self.called("list_tags")
        names = [name.rpartition(":") for name in self.artifacts]
        return [tag for of, _, tag in names if of == image]

    def read_facts(self, image: str, digest: Digest) -> ImageFacts:
        self.called("read_facts")
        return self.facts.get(digest, ImageFacts())


@dataclass
class FakeSummaries(Failing):
    """Keeps summaries by name, unsigned."""

    verifier: str = "https://liftlock.example"
    kept: dict[str, Summary] = field(default_factory=dict)

    def keep(self, name: str, summary: Summary) -> str:
        self.called("keep")
        self.kept[name] = summary
        return summary.statement


@dataclass
class FakeProving(Failing):
    """Proofs by digest; with `is_configured` every other digest has none, without it no registry is known.

    `proofs` lie in the registry; `at_github` are kept by GitHub, by repository and digest.
    """

    proofs: dict[str, Proofs] = field(default_factory=dict)
    at_github: dict[tuple[str, str], Proofs] = field(default_factory=dict)
    is_configured: bool = False

    def proofs_of(
        self, image: str, digest: Digest, *, in_registry: bool = True, source: str | None = None
    ) -> Proofs | None:
        self.called("proofs_of")
        if in_registry and digest not in self.proofs and not self.is_configured:
            return None
        none = Proofs(digest=digest)
        here = self.proofs.get(digest, none) if in_registry else none
        there = self.at_github.get((source, digest), none) if source is not None else none
        return Proofs(
            digest=digest,
            signatures=here.signatures + there.signatures,
            statements=here.statements + there.statements,
            unproven=here.unproven + there.unproven,
        )


@dataclass
class FakeSightings(Failing):
    """What was seen of applications, in lists."""

    health: dict[tuple[str, str], list[HealthSpell]] = field(default_factory=dict)
    members: dict[tuple[str, str], list[Membership]] = field(default_factory=dict)
    marks: dict[Arrival, list[Mark]] = field(default_factory=dict)

    def saw_health(
        self,
        service: str,
        stage: str,
        seen: Mapping[str, str],
        at: datetime,
        *,
        gap: timedelta,
        since: Mapping[str, datetime] = NOTHING_KNOWN,
    ) -> None:
        self.called("saw_health")
        spells = self.health.setdefault((service, stage), [])
        for application, health in seen.items():
            newest = next((spell for spell in reversed(spells) if spell.application == application), None)
            began = since.get(application, at)
            is_younger = newest is not None and newest.last_seen < began < at
            if newest and newest.health == health and abs(at - newest.last_seen) <= gap and not is_younger:
                spells[spells.index(newest)] = replace(newest, last_seen=at)
            else:
                first = began if began < at and (newest is None or began > newest.last_seen) else at
                spells.append(HealthSpell(application=application, health=health, first_seen=first, last_seen=at))

    def saw_members(self, service: str, stage: str, members: Sequence[str], at: datetime) -> None:
        self.called("saw_members")
        runs, seen = self.members.setdefault((service, stage), []), tuple(sorted(members))
        if runs and runs[-1].members == seen:
            runs[-1] = replace(runs[-1], last_seen=at)
        else:
            runs.append(Membership(members=seen, first_seen=at, last_seen=at))

    def mark(self, arrival: Arrival, mark: Mark) -> None:
        self.called("mark")
        self.marks.setdefault(arrival, []).append(mark)

    def recall(self, arrival: Arrival, since: datetime, until: datetime) -> Memory:
        self.called("recall")
        of_stage = (arrival.service, arrival.stage)
        spells = [spell for spell in self.health.get(of_stage, []) if spell.last_seen >= since]
        members = [run for run in self.members.get(of_stage, []) if run.last_seen >= since]
        return remember(spells, members, self.marks.get(arrival, []), until)


@dataclass
class FakeLedger(Failing):
    """Ledger and board in lists and dictionaries."""

    recorded: list[Event] = field(default_factory=list)
    kept: dict[Arrival, dict[str, dict[datetime, float | None]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    posted: dict[str, Posting] = field(default_factory=dict)

    def record(self, event: Event) -> None:
        self.called("record")
        self.recorded.append(event)

    def events(self, *, service: str | None = None, kind: EventKind | None = None, limit: int = 100) -> Sequence[Event]:
        self.called("events")
        mine = [
            event
            for event in reversed(self.recorded)
            if service in (None, event.service) and kind in (None, event.kind)
        ]
        return mine[:limit]

    def latest(self, kind: EventKind) -> Mapping[str, Event]:
        self.called("latest")
        return {event.service: event for event in self.recorded if event.kind == kind}

    def began(self, service: str) -> datetime | None:
        self.called("began")
        return next((event.at for event in self.recorded if event.service == service), None)

    def numbers(self, arrivals: Sequence[Arrival]) -> Mapping[Arrival, Kept]:
        self.called("numbers")
        return {arrival: deepcopy(self.kept.get(arrival, {})) for arrival in arrivals}

    def keep_numbers(self, numbers: Mapping[Arrival, Kept]) -> None:
        self.called("keep_numbers")
        for arrival, kept in numbers.items():
            for series, found in kept.items():
                old = self.kept.setdefault(arrival, {}).setdefault(series, {})
                old.update({start: value for start, value in found.items() if start not in old})

    def noted(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.called("noted")
        return {key: self.notes[key] for key in keys if key in self.notes}

    def note(self, key: str, value: str) -> None:
        self.called("note")
        self.notes[key] = value

    def post(self, posting: Posting) -> None:
        self.called("post")
        self.posted[posting.subject] = posting

    def remove(self, subject: str) -> None:
        self.called("remove")
        self.posted.pop(subject, None)

    def postings(self) -> Sequence[Posting]:
        self.called("postings")
        return [self.posted[subject] for subject in sorted(self.posted)]


def an_error(sentence: str = "no answer", system: str = "Outside") -> OutsideError:
    return OutsideError(system, sentence)
