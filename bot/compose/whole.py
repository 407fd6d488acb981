"""Settings to a running engine: the only place that picks real parts and ties them together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog

from bot.adapters.argocd import LIST_LIMITS, ArgoDeployments, ArgoServer, WatchSettings
from bot.adapters.clock import StandingClock, SystemClock
from bot.adapters.git import GitRepositories
from bot.adapters.github import GitHubCommits
from bot.adapters.proving import ArtifactProofs, TrustFiles
from bot.adapters.registry import OciRegistry
from bot.adapters.summaries import SignedSummaries
from bot.apply import Applier
from bot.compose.endpoints import (
    argocd_endpoint,
    argocd_sections,
    registry_access,
    registry_endpoints,
)
from bot.compose.git import git_repositories
from bot.compose.github import KnownRepositories, compose_github, credentials_of
from bot.compose.metrics import asking_of, compose_metrics
from bot.compose.policies import LoadedPolicies, policy_source, recall_from
from bot.compose.records import Records, open_records
from bot.domain.edit import Reading
from bot.domain.model import Trouble
from bot.domain.policy import Policy
from bot.domain.stops import stop_of_everything
from bot.domain.storm import StormLimit
from bot.engine.fault_teller import FaultTeller
from bot.engine.schedule import Schedule
from bot.engine.sweep import BrokenPolicy, ServiceReport, Sweeper
from bot.engine.waking import Waker
from bot.observe import World
from bot.offers import OfferReader
from bot.ports import Clock, Folders
from bot.records import Archive
from bot.sampling import Sampler
from bot.settings import ArgoSection, GitHubSection, Settings
from bot.signalling import Kinds, Signaller
from bot.tag_history import TagReader
from bot.telling import Telling

Listener = Callable[[ServiceReport], None]

_SPELL_GAP_SWEEPS = 6
"""How many sweeps may be missed before a spell of health counts as not looked at."""
_LEAST_SPELL_GAP = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A composed bot: sweep once with `sweeper`, or on a schedule."""

    sweeper: Sweeper
    settings: Settings
    archive: Archive | None = None

    def schedule(self, sweep: Callable[[], object] | None = None, waker: Waker | None = None) -> Schedule:
        """Return the schedule that sweeps, by the sweeper or by what stands around it, at the settings' interval."""
        return Schedule(
            sweep=sweep or self.sweeper.sweep,
            interval=self.settings.bot.interval,
            stop_within=self.settings.bot.stop_within,
            stopping=self.sweeper.stopping,
            waker=waker or Waker(),
            wake_pause=self.settings.web.wake_pause,
            housekeeping=self.keep_house,
        )

    def keep_house(self) -> None:
        """Take away what of the ledger is older than the settings keep."""
        if self.archive is None:
            return
        thinned = self.archive.thin(self.sweeper.world.clock.now() - self.settings.ledger.keep)
        if thinned:
            structlog.get_logger().info("ledger thinned", entries=thinned, keep=str(self.settings.ledger.keep))


@contextmanager
def compose(
    settings: Settings,
    *,
    dry_run: bool = False,
    clock: Clock | None = None,
    listeners: tuple[Listener, ...] = (),
    service: str | None = None,
    at: datetime | None = None,
) -> Iterator[Bot]:
    """Build the bot that the settings describe; leaving the context closes its connections.

    With `service`, it knows this one only. With `at`, it judges as of then; only a dry run may.

    Raise SettingsError or OutsideError for what is wrong before the first sweep: a state directory that cannot be
    made, a ledger that cannot be opened, a secret file that is missing.
    """
    if at is not None and not dry_run:
        raise ValueError("only a dry run judges as of another time")
    with ExitStack() as stack:
        records = open_records(stack, settings, dry_run=dry_run)
        known = KnownRepositories()
        composed = _world(stack, settings, clock or SystemClock(), records, known, is_once=dry_run)
        world = composed.world
        if at is not None:
            # Tokens and pauses go by the real time; only what is judged goes by the other.
            world = replace(world, clock=StandingClock(at))
        source = policy_source(settings, lambda: composed.folders, lambda files: recall_from(records, files))
        loaded = LoadedPolicies(source=source, ledger=records.ledger, learn=known.learn)
        telling = Telling(forge_url=settings.github.url.rstrip("/"), comment_every=settings.bot.comment_every)
        teller = FaultTeller(conversation=world.conversation, ledger=records.ledger, forge_url=telling.forge_url)
        sweeper = Sweeper(
            world=world,
            board=records.board,
            load_policies=_only(service, loaded.load),
            apply=Applier(world=world, telling=telling).apply,
            begin=composed.begin,
            load_stops=loaded.stops,
            tell_faults=lambda: teller.tell(loaded.last),
            forge_costs=composed.forge_costs,
            clock_trouble=composed.clock_trouble,
            workers=settings.bot.workers,
            storm_limit=StormLimit(most=settings.bot.most_rollbacks, within=settings.bot.rollbacks_within),
            sampler=Sampler(
                metrics=world.metrics, ledger=records.ledger, lag=settings.bot.ingestion_lag, asking=asking_of(settings)
            ),
            dry_run=dry_run,
            listeners=listeners if dry_run else (_signalling(world, telling, settings.github), *listeners),
            stopping=threading.Event(),
        )
        yield Bot(sweeper=sweeper, settings=settings, archive=records.archive)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Composed:
    """The world, what is to be called before each sweep, what GitHub has cost, and whether its clock agrees."""

    world: World
    folders: Folders
    begin: Callable[[], None]
    forge_costs: Callable[[], Mapping[str, Mapping[str, float]]]
    clock_trouble: Callable[[], Trouble | None]


def _world(
    stack: ExitStack,
    settings: Settings,
    clock: Clock,
    records: Records,
    known: KnownRepositories,
    *,
    is_once: bool,
) -> _Composed:
    credentials = credentials_of(settings.github, clock, known)
    deployments = stack.enter_context(_deployments(settings, is_once=is_once))
    # A sweep that waits longer would make the next one late.
    patience = settings.bot.interval
    github = compose_github(stack, settings.github, credentials, clock, telling_patience=patience)
    repositories = git_repositories(settings, credentials.token_for, clock, server=GitHubCommits(github.clients))
    registry = stack.enter_context(OciRegistry(registry_endpoints(settings), access=registry_access(settings)))
    trust = TrustFiles(trusted_root=settings.sigstore.trusted_root, keys=settings.sigstore.keys)
    world = World(
        clock=clock,
        repositories=repositories,
        deployments=deployments,
        metrics=stack.enter_context(compose_metrics(settings)),
        forge=github.forge,
        merging=github.merging,
        conversation=github.conversation,
        signals=github.signals,
        registry=registry,
        proving=ArtifactProofs(registry, github.attestations, trust),
        summaries=_summaries(settings),
        ledger=records.ledger,
        sightings=records.sightings,
        openings_per_hour=settings.github.openings_per_hour,
        spell_gap=max(_LEAST_SPELL_GAP, settings.bot.interval * _SPELL_GAP_SWEEPS),
        tags=TagReader(
            repositories=repositories,
            limit=settings.bot.history_limit,
            reading=Reading.up_to(settings.git.max_file_bytes),
        ),
        offers=OfferReader(registry=registry, ledger=records.ledger),
    )

    def begin() -> None:
        records.begin_sweep()
        deployments.begin_sweep()
        github.clients.begin_sweep()
        github.conversation.begin_sweep()

    trouble = github.clients.their_clock.trouble
    return _Composed(world=world, folders=repositories, begin=begin, forge_costs=github.costs, clock_trouble=trouble)


def _summaries(settings: Settings) -> SignedSummaries:
    section = settings.summaries
    return SignedSummaries(verifier=section.verifier, key_file=section.key_file, directory=section.directory)


def _signalling(world: World, telling: Telling, section: GitHubSection) -> Listener:
    """Return what tells source repositories of each service that was judged."""
    kinds = Kinds(statuses="statuses" in section.signals, deployments="deployments" in section.signals)
    signaller = Signaller(world=world, telling=telling, kinds=kinds)

    def hear(report: ServiceReport) -> None:
        if report.policy is None or report.observation is None or report.decision is None:
            return
        if stop_of_everything(report.observation.stops) is None:
            signaller.tell(report.policy, report.observation, report.decision)

    return hear


# --- policies --------------------------------------------------------------------------------------------------------


Load = Callable[[], tuple[Sequence[Policy], Sequence[BrokenPolicy]]]


def _only(service: str | None, load: Load) -> Load:
    """Leave out the policies of all other services."""
    if service is None:
        return load

    def chosen() -> tuple[Sequence[Policy], Sequence[BrokenPolicy]]:
        policies, broken = load()
        return [policy for policy in policies if policy.service == service], broken

    return chosen


# --- adapters --------------------------------------------------------------------------------------------------------


def compose_repositories(stack: ExitStack, settings: Settings, repository: str, clock: Clock) -> GitRepositories:
    """Build what reads one repository; leaving the stack closes its connections."""
    known = KnownRepositories(frozenset({repository}))
    credentials = credentials_of(settings.github, clock, known)
    github = compose_github(stack, settings.github, credentials, clock)
    return git_repositories(settings, credentials.token_for, clock, server=GitHubCommits(github.clients))


def _deployments(settings: Settings, *, is_once: bool) -> ArgoDeployments:
    sections = argocd_sections(settings)
    forge_host = urlsplit(settings.github.url).hostname
    return ArgoDeployments(
        {name: _argo_server(name, section, forge_host, is_once=is_once) for name, section in sections.items()}
    )


def _argo_server(name: str, section: ArgoSection, forge_host: str | None, *, is_once: bool) -> ArgoServer:
    watch = WatchSettings(relist=section.relist, silence=section.silence)
    return ArgoServer(
        argocd_endpoint(section),
        name=name,
        forge_host=forge_host,
        projects=section.projects,
        limits=replace(LIST_LIMITS, deadline=section.timeout),
        # One look needs no stream.
        watch=watch if section.watch and not is_once else None,
    )
