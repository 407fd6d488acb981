"""One sweep: every service is observed, decided, recorded and acted upon, each contained from the others (I13).

What all services share is read once, before them: policies, branch heads, Argo CD's list. What Prometheus measured is
read for all of them together, when it is known which releases are under observation. A service whose world is
unreachable waits with the reason shown; a bug in one is logged with its traceback and the next one goes on.

Races, named and accepted: a person may change Git, a pull request or the policy between observation and action. Every
write is conditional (expected branch head, expected pull request head), so such an action is refused by the server and
the next sweep decides anew. This machine's clock may be set within a sweep: it is compared before anything is looked at
and again before anything is decided, so that at the most one sight of an application is noted at a wrong time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TypeVar

import structlog

from bot.approving import with_approvals
from bot.bystanders import tell_bystanders
from bot.domain.decide import decide
from bot.domain.decision import Action, Decision
from bot.domain.model import Sha, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import GitOps, Policy
from bot.domain.pulls import Proposals
from bot.domain.stops import Stop, stop_of_everything, stops_for
from bot.domain.storm import StormLimit, fleet_of
from bot.engine.acting import Acting, Apply, Decided
from bot.engine.record import Known, note_policy
from bot.engine.refusals import Refusals
from bot.hearing import with_orders
from bot.observe import World, observe
from bot.ports import Cost, OutsideError
from bot.proposals import wanted_branches, with_proposals
from bot.records import SWEEP, Board, Posting
from bot.sampling import Sampler, Subject
from bot.verifying import with_proofs

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPolicy:
    """A policy file that cannot be used as it is: one sentence per fault.

    It halts its service, unless something of it is still `in_force`, in words; then `how` says what is wrong with it,
    and since when. `service` is the one that goes on. Where it `is_whole`, no policy could be read at all, and it is
    not known which services there are.
    """

    subject: str
    file: str
    faults: tuple[str, ...]
    how: str = "halted"
    in_force: str = ""
    service: str = ""
    is_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReport:
    """What a sweep came to for one service: a decision and each action's outcome, or the sentence why not."""

    subject: str
    decision: Decision | None = None
    observation: Observation | None = None
    policy: Policy | None = None
    outcomes: tuple[tuple[Action, str], ...] = ()
    error: str | None = None


_Told = Mapping[tuple[str, str], Proposals | Trouble]
"""What the forge said of each repository and its branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeper:
    """Runs sweeps over all services. `begin` drops what adapters cache for one sweep. `listeners` hear every report.

    `forge_costs` says what each account has used of the forge's limits; `clock_trouble`, why this machine's clock is
    not to be believed. While it is not, nothing is looked at: what would be recorded then would count once it is right.
    `load_stops` says what people have stopped beside what they command in comments; `tell_faults` tells whoever broke a
    policy, at the end of a sweep, unless everything is stopped.
    """

    world: World
    board: Board
    load_policies: Callable[[], tuple[Sequence[Policy], Sequence[BrokenPolicy]]]
    apply: Apply
    begin: Callable[[], None]
    workers: int
    sampler: Sampler
    dry_run: bool = False
    listeners: tuple[Callable[[ServiceReport], None], ...] = ()
    stopping: threading.Event = field(default_factory=threading.Event)
    load_stops: Callable[[], Sequence[Stop]] = tuple
    tell_faults: Callable[[], object] = tuple
    forge_costs: Callable[[], Mapping[str, Mapping[str, float]]] = dict
    clock_trouble: Callable[[], Trouble | None] = lambda: None
    refusals: Refusals = field(default_factory=Refusals)
    storm_limit: StormLimit = field(default_factory=StormLimit)

    def sweep(self) -> tuple[ServiceReport, ...]:
        """Sweep once over all services; return a report for each, in the order of their names."""
        policies, broken = self.load_policies()
        self.begin()
        reports = [self._halted(item) for item in broken]
        cost = self.world.metrics.cost()
        trouble = self._clock_trouble() if policies else None
        reports += self._sweep_over(policies) if trouble is None else self._waiting(policies, trouble)
        self._post_sweep(policies, broken, self.world.metrics.cost().since(cost))
        if broken and not self.dry_run:
            self._tell_faults()
        return tuple(sorted(reports, key=lambda report: report.subject))

    def _sweep_over(self, policies: Sequence[Policy]) -> Sequence[ServiceReport]:
        known, stops = Known.read(self.world.ledger), self.load_stops()
        with ThreadPoolExecutor(max_workers=self.workers, thread_name_prefix="sweep") as pool:
            heads = dict(pool.map(self._head, *_files_of(policies)))
            looked = list(pool.map(lambda policy: self._look(policy, heads[policy.gitops], known, stops), policies))
            subjects = [item for item in looked if isinstance(item, Subject)]
            sampled = self._sample(subjects)
            told = self._look_at_forge(pool, sampled, subjects, stops)
            reports = [item for item in looked if isinstance(item, ServiceReport)]
            trouble = self._clock_trouble()
            if trouble is not None:
                return [*reports, *self._waiting([subject.policy for subject in subjects], trouble)]
            alone = list(pool.map(lambda one, seen: self._decide(one, seen, told), subjects, sampled))
            decided = self._in_view_of_all(alone)
            reports += [item for item in decided if isinstance(item, ServiceReport)]
            ready = [item for item in decided if isinstance(item, Decided)]
            # Rollbacks first: nothing else may hold them up.
            reports += pool.map(
                lambda item: self._finish(item, known), sorted(ready, key=lambda item: not item.is_rollback)
            )
        return reports

    def _clock_trouble(self) -> Trouble | None:
        try:
            return self.clock_trouble()
        except Exception as error:
            structlog.get_logger().exception("bug", error=type(error).__name__)
            return None

    def _waiting(self, policies: Sequence[Policy], trouble: Trouble) -> Sequence[ServiceReport]:
        """Let all services wait for one reason, which is shown for each."""
        structlog.get_logger().warning("waiting", system=trouble.system, reason=trouble.sentence)
        sentence = f"{trouble.system}: {trouble.sentence}"
        return [self._tell(self._failed(policy, sentence)) for policy in policies]

    def _head(self, gitops: GitOps, files: Sequence[str]) -> tuple[GitOps, Sha | Trouble]:
        try:
            return gitops, self.world.repositories.refresh(gitops.repository, gitops.branch, files)
        except OutsideError as error:
            return gitops, error.as_trouble()
        except Exception as error:
            structlog.get_logger().exception("bug", repository=gitops.repository, error=type(error).__name__)
            return gitops, Trouble(system="Liftlock", sentence="reading Git failed by a bug; the log has the traceback")

    # --- one service ---

    def _contained(self, policy: Policy, step: Callable[[], T]) -> T | ServiceReport:
        """Run a step of one service; whatever goes wrong ends here, as a report."""
        log = structlog.get_logger().bind(service=policy.service)
        if self.stopping.is_set():
            return ServiceReport(subject=policy.service, error="not looked at: the bot is stopping")
        try:
            return step()
        except OutsideError as error:
            log.warning("unreachable", system=error.system, reason=error.sentence)
            return self._failed(policy, f"{error.system}: {error.sentence}")
        except Exception as error:
            log.exception("bug", error=type(error).__name__)
            return self._failed(policy, "this step failed by a bug of Liftlock; the log has the traceback")

    def _tell(self, report: ServiceReport) -> ServiceReport:
        for listener in self.listeners:
            try:
                listener(report)
            except Exception as error:
                log = structlog.get_logger().bind(service=report.subject)
                log.exception("bug in a listener", error=type(error).__name__)
        return report

    def _look(
        self, policy: Policy, head: Sha | Trouble, known: Known, stops: Sequence[Stop]
    ) -> Subject | ServiceReport:
        """See what is cheap to see of a service, and so what must be measured."""

        def look() -> Subject:
            now = self.world.clock.now()
            before = known.policies.get(policy.service)
            since = note_policy(self.world.ledger, policy, before, now, is_begun=bool(known.policies))
            seen = observe(self.world, policy, head, since)
            return Subject(policy=policy, seen=replace(seen, stops=(*seen.stops, *stops_for(stops, policy.service))))

        return self._told_if_failed(policy, look)

    def _told_if_failed(self, policy: Policy, step: Callable[[], T]) -> T | ServiceReport:
        found = self._contained(policy, step)
        return self._tell(found) if isinstance(found, ServiceReport) else found

    def _sample(self, subjects: Sequence[Subject]) -> Sequence[Observation | ServiceReport]:
        """Measure all services together; after a bug each alone, so that the others come through."""
        try:
            return self.sampler.sample(subjects)
        except Exception as error:
            structlog.get_logger().exception("bug", error=type(error).__name__)
        return [self._contained(one.policy, partial(self._sample_alone, one)) for one in subjects]

    def _sample_alone(self, subject: Subject) -> Observation:
        return self.sampler.sample([subject])[0]

    def _look_at_forge(
        self,
        pool: ThreadPoolExecutor,
        sampled: Sequence[Observation | ServiceReport],
        subjects: Sequence[Subject],
        stops: Sequence[Stop],
    ) -> _Told:
        """Ask the forge for the promotions of each repository once, for all services together."""
        branches: dict[tuple[str, str], set[str]] = {}
        stages: dict[tuple[str, str], set[str]] = {}
        for subject, seen in zip(subjects, sampled, strict=True):
            gitops = subject.policy.gitops
            promoted_to = {stage.name for stage in subject.policy.stages if stage.source is not None}
            stages.setdefault((gitops.repository, gitops.branch), set()).update(promoted_to)
            wanted = branches.setdefault((gitops.repository, gitops.branch), set())
            if isinstance(seen, Observation):
                wanted.update(self._wanted(subject.policy, seen))
        asked = sorted(branches)
        told = dict(
            zip(asked, pool.map(lambda where: self._ask_forge(where[0], where[1], branches[where]), asked), strict=True)
        )
        for (repository, branch), found in told.items():
            stop = stop_of_everything(stops)
            is_let = stop is None or stop.lets_roll_back
            if isinstance(found, Proposals) and not self.dry_run and is_let:
                only = stop is not None
                self._tell_bystanders(repository, found, stages[repository, branch], only_rollbacks=only)
        return told

    def _tell_bystanders(
        self, repository: str, told: Proposals, stages: Collection[str], *, only_rollbacks: bool
    ) -> None:
        try:
            tell_bystanders(self.world, repository, told, stages, only_rollbacks=only_rollbacks)
        except Exception as error:
            structlog.get_logger().exception("bug", repository=repository, error=type(error).__name__)

    def _wanted(self, policy: Policy, seen: Observation) -> Iterable[str]:
        try:
            return [name for wanted in wanted_branches(self.world, policy, seen).values() for name in wanted.branches]
        except Exception:
            # A bug here shows again, and is reported, in the service's own step.
            return ()

    def _ask_forge(self, repository: str, branch: str, wanted: Collection[str]) -> Proposals | Trouble:
        try:
            return self.world.forge.look_at(repository, branch, wanted)
        except OutsideError as error:
            return error.as_trouble()
        except Exception as error:
            structlog.get_logger().exception("bug", repository=repository, error=type(error).__name__)
            return Trouble(system="Liftlock", sentence="reading the forge failed by a bug; the log has the traceback")

    def _decide(self, subject: Subject, sampled: Observation | ServiceReport, told: _Told) -> Decided | ServiceReport:
        if isinstance(sampled, ServiceReport):
            return self._tell(sampled)
        policy = subject.policy

        def step() -> Decided:
            of_repository = told[policy.gitops.repository, policy.gitops.branch]
            proposed = with_proposals(self.world, policy, sampled, of_repository)
            verified = with_proofs(self.world, policy, proposed)
            # A stop of everything lets nobody be answered either: they are heard when it is over.
            is_dry = self.dry_run or stop_of_everything(verified.stops) is not None
            observation = with_approvals(self.world, policy, with_orders(self.world, policy, verified, is_dry=is_dry))
            return Decided(policy=policy, seen=observation, decision=decide(policy, observation, observation.at))

        return self._told_if_failed(policy, step)

    def _in_view_of_all(self, decided: Sequence[Decided | ServiceReport]) -> Sequence[Decided | ServiceReport]:
        """Decide rollbacks again, knowing how many there are of all services."""
        found = [item for item in decided if isinstance(item, Decided)]
        if not any(item.is_rollback for item in found):
            return decided
        try:
            fleet = fleet_of(((item.seen, item.decision) for item in found), self.storm_limit, self.world.clock.now())
        except Exception as error:
            # Each of them was decided by its own evidence, and that stands.
            structlog.get_logger().exception("bug", error=type(error).__name__)
            return decided

        def again(item: Decided | ServiceReport) -> Decided | ServiceReport:
            if isinstance(item, ServiceReport) or not item.is_rollback:
                return item
            return self._told_if_failed(item.policy, partial(item.in_view_of, fleet))

        return [again(item) for item in decided]

    def _finish(self, decided: Decided, known: Known) -> ServiceReport:
        policy, decision = decided.policy, decided.decision

        def carry_out() -> ServiceReport:
            outcomes = self._acting.carry_out(decided, known)
            return ServiceReport(
                subject=policy.service, decision=decision, observation=decided.seen, policy=policy, outcomes=outcomes
            )

        return self._tell(self._contained(policy, carry_out))

    @property
    def _acting(self) -> Acting:
        return Acting(
            world=self.world,
            board=self.board,
            apply=self.apply,
            refusals=self.refusals,
            stopping=self.stopping,
            dry_run=self.dry_run,
        )

    def _failed(self, policy: Policy, sentence: str) -> ServiceReport:
        self._post(policy.service, {"error": sentence})
        return ServiceReport(subject=policy.service, error=sentence, policy=policy)

    def _post(self, subject: str, body: Mapping[str, object]) -> None:
        """Put something on the board; that this fails stops nothing else."""
        try:
            self.board.post(Posting(subject=subject, at=self.world.clock.now(), body=body))
        except OutsideError as error:
            structlog.get_logger().warning("board unreachable", subject=subject, reason=error.sentence)

    # --- what is not one service's ---

    def _halted(self, broken: BrokenPolicy) -> ServiceReport:
        goes_on = {"how": broken.how, "in_force": broken.in_force, "service": broken.service} if broken.in_force else {}
        self._post(broken.subject, {"file": broken.file, "faults": list(broken.faults), **goes_on})
        log = structlog.get_logger().bind(in_force=broken.in_force or None)
        log.warning("policy is broken", file=broken.file, faults=list(broken.faults))
        return ServiceReport(subject=broken.subject, error="; ".join((*broken.faults, *_told(broken))))

    def _tell_faults(self) -> None:
        try:
            if stop_of_everything(self.load_stops()) is None:
                self.tell_faults()
        except OutsideError as error:
            structlog.get_logger().warning("faults not told", system=error.system, reason=error.sentence)
        except Exception as error:
            structlog.get_logger().exception("bug", error=type(error).__name__)

    def _post_sweep(self, policies: Sequence[Policy], broken: Sequence[BrokenPolicy], cost: Cost) -> None:
        current = {SWEEP, *(policy.service for policy in policies), *(item.subject for item in broken)}
        try:
            # A directory that is away takes no service off the board: by that the last good version is found.
            is_known = not any(item.is_whole for item in broken)
            for posting in self.board.postings() if is_known else ():
                if posting.subject not in current:
                    self.board.remove(posting.subject)
        except OutsideError as error:
            structlog.get_logger().warning("board unreachable", subject=SWEEP, reason=error.sentence)
        body: dict[str, object] = {"services": len(policies), "broken": len(broken), "cost": asdict(cost)}
        body["cost_since_start"] = asdict(self.world.metrics.cost())
        body["forge"] = {account: dict(costs) for account, costs in self.forge_costs().items()}
        self._post(SWEEP, body)


def _told(broken: BrokenPolicy) -> tuple[str, ...]:
    return (f"in force is {broken.in_force}",) if broken.in_force else ()


def _files_of(policies: Sequence[Policy]) -> tuple[Sequence[GitOps], Sequence[Sequence[str]]]:
    """Return the branches that policies read, and the files of each: one fetch a branch serves all of them."""
    files: dict[GitOps, dict[str, None]] = {}
    for policy in policies:
        of_branch = files.setdefault(policy.gitops, {})
        of_branch.update(dict.fromkeys(_files(policy)))
    branches = sorted(files, key=str)
    return branches, [tuple(files[branch]) for branch in branches]


def _files(policy: Policy) -> Sequence[str]:
    try:
        return [file for stage in policy.stages for file in stage.files]
    except Exception:
        # A bug here shows again, and is reported, in the service's own step.
        return ()
