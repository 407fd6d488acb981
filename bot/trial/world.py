"""The made-up world of one test around the real bot, stepped from look to look.

The GitOps repository is made up: each value that a stage sets has a file of its own with one tag in it, whatever the
policy's `edit` and `with` say, since the real files are not here. For the same reason what the policy asks of artifacts
is taken as proven. Everything else of the policy is as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.apply import Applier
from bot.domain.decision import Action, Decision, UpdatePromotion
from bot.domain.edit.kinds import KustomizeEdit
from bot.domain.observation import Observation
from bot.domain.policy import Policy, Stage
from bot.engine.acting import Apply
from bot.engine.sweep import ServiceReport, Sweeper
from bot.observe import World
from bot.offers import OfferReader
from bot.sampling import Sampler
from bot.tag_history import TagReader
from bot.telling import Telling
from bot.trial.acting import act, comment
from bot.trial.cases import Acted, Case, Happening, PrometheusIs, Pushed, Released, Reported, Said, TrialFile
from bot.trial.cluster import Cluster
from bot.trial.measuring import SwitchedMetrics
from bot.trial.memory.clock import SteppedClock
from bot.trial.memory.deployments import MemoryDeployments
from bot.trial.memory.forge import MemoryForge
from bot.trial.memory.outside import MemoryProving, MemoryRegistry, MemorySummaries
from bot.trial.memory.repositories import MemoryRepositories
from bot.trial.memory.source import MemorySource
from bot.trial.people import AUTHOR, USUAL

LAG = timedelta(seconds=15)
"""How old a tile is before it is read: what `bot.ingestion_lag` of the settings is if nobody says otherwise."""
_AGE = timedelta(days=7)
"""For how long the tags of the start have run."""
_FORGE = "https://github.example"
_MANY, _RARELY = 1_000_000, timedelta(hours=1)
"""How many pull requests may be opened in an hour; how often a comment is edited, which nobody reads here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The bot and its world. `policy` is the one under test, as far as it can be without the real files."""

    policy: Policy
    clock: SteppedClock
    repositories: MemoryRepositories
    cluster: Cluster
    forge: MemoryForge
    registry: MemoryRegistry
    source: MemorySource
    metrics: SwitchedMetrics
    sweeper: Sweeper

    def look(self) -> ServiceReport:
        """Let the bot look once and act."""
        (report,) = self.sweeper.sweep()
        return report

    def happen(self, what: Happening) -> str | None:
        """Let something happen; return why it cannot, None where it did."""
        match what:
            case Released():
                return self._release(what)
            case Pushed():
                self._push(what.tag, what.by)
            case Reported():
                self.cluster.report(what)
            case Said():
                return comment(self.forge, self.policy, what)
            case Acted():
                return act(self.forge, self.policy, what)
            case PrometheusIs():
                self.metrics.up = what.up
        return None

    def _release(self, what: Released) -> str | None:
        if self.tag_of(what.stage) == what.tag:
            return f"{what.stage} has {what.tag} already"
        stage = self.policy.stage(what.stage)
        if _needs_registry(self.policy):
            self._push(what.tag, what.by)
        files = _files(self.policy, stage, what.tag)
        self.repositories.commit(self.policy.gitops.branch, files, f"Release {what.tag}", author=what.by)
        return None

    def _push(self, tag: str, by: str) -> None:
        revision = self.source.commit(tag, by)
        self.registry.add(self.policy.image, tag, self.clock.now(), revision=revision)

    def tag_of(self, stage: str) -> str:
        """Return the tag that stands in Git now."""
        return self.cluster.tag_of(self.policy.stage(stage))


@contextmanager
def made_up(file: TrialFile, case: Case, metrics: SwitchedMetrics) -> Iterator[Trial]:
    """Make the world of a test as it is at its start."""
    with open_ledger("sqlite://") as ledger:
        trial = _make(file, case, metrics, ledger)
        # The bot has been running all the time: what comes now is new to it.
        trial.clock.at = case.at - case.looks
        trial.look()
        trial.clock.at = case.at
        yield trial


def _make(file: TrialFile, case: Case, metrics: SwitchedMetrics, ledger: SqlLedger) -> Trial:
    policy = _testable(file.policy)
    clock = SteppedClock(case.at - _AGE)
    repositories, registry, source = MemoryRepositories(clock=clock), MemoryRegistry(), MemorySource()
    _set_out(policy, case.tags, repositories)
    if _needs_registry(policy):
        _fill(registry, source, policy, case.tags, clock.now())
    cluster = Cluster(policy=policy, repositories=repositories, deployments=MemoryDeployments(clock=clock))
    cluster.begin()
    forge = MemoryForge(
        repositories=repositories,
        permissions=dict(file.people),
        teams={team: set(members) for team, members in file.teams.items()},
        usual=USUAL,
    )
    world = World(
        clock=clock,
        repositories=repositories,
        deployments=cluster.deployments,
        metrics=metrics,
        forge=forge,
        merging=forge,
        conversation=forge,
        signals=source,
        registry=registry,
        proving=MemoryProving(),
        summaries=MemorySummaries(),
        ledger=ledger,
        sightings=ledger.sightings,
        spell_gap=max(timedelta(minutes=2), 3 * case.looks),
        tags=TagReader(repositories=repositories),
        offers=OfferReader(registry=registry, ledger=ledger),
        openings_per_hour=_MANY,
    )
    telling = Telling(forge_url=_FORGE, comment_every=_RARELY)
    applier = Applier(world=world, sleep=lambda _: None, telling=telling)
    sweeper = Sweeper(
        world=world,
        board=ledger.board,
        load_policies=lambda: ((policy,), ()),
        apply=_without_telling(applier),
        begin=lambda: None,
        workers=1,
        sampler=Sampler(metrics=metrics, ledger=ledger, lag=LAG),
    )
    return Trial(
        policy=policy,
        clock=clock,
        repositories=repositories,
        cluster=cluster,
        forge=forge,
        registry=registry,
        source=source,
        metrics=metrics,
        sweeper=sweeper,
    )


def _set_out(policy: Policy, tags: Mapping[str, str], repositories: MemoryRepositories) -> None:
    """Commit the files of all stages, as they are before anything happens."""
    files: dict[str, str] = {}
    for stage in policy.stages:
        files |= _files(policy, stage, tags[stage.name])
    repositories.commit(policy.gitops.branch, files, "Begin")


def _fill(
    registry: MemoryRegistry, source: MemorySource, policy: Policy, tags: Mapping[str, str], now: datetime
) -> None:
    """Push the images of the start; the tag of a later stage is the older one."""
    for stage in reversed(policy.stages):
        tag = tags[stage.name]
        registry.add(policy.image, tag, now, revision=source.commit(tag, AUTHOR))


def _without_telling(applier: Applier) -> Apply:
    """Return what carries out all actions but the writing of evidence, which takes the most time and nobody reads."""

    def apply(policy: Policy, seen: Observation, decision: Decision, action: Action) -> str:
        if isinstance(action, UpdatePromotion):
            return f"#{action.number} would be brought up to date"
        return applier.apply(policy, seen, decision, action)

    return apply


# --- the policy without the real files -------------------------------------------------------------------------------


def _testable(policy: Policy) -> Policy:
    return replace(policy, stages=tuple(_testable_stage(policy, stage) for stage in policy.stages))


def _testable_stage(policy: Policy, stage: Stage) -> Stage:
    folder = f"{policy.service}/{stage.name}"
    edit = KustomizeEdit(file=f"{folder}/kustomization.yaml", pin=stage.edit.pin)
    together = tuple(
        replace(place, edit=KustomizeEdit(file=f"{folder}/with-{number}.yaml", pin=place.edit.pin))
        for number, place in enumerate(stage.together, 1)
    )
    return replace(stage, edit=edit, together=together, artifact=())


def _files(policy: Policy, stage: Stage, tag: str) -> dict[str, str]:
    """Return the files of a stage with this tag in all of them, as all its values have one tag."""
    return {place.edit.file: _file(place.image, tag) for place in policy.places_of(stage)}


def _file(image: str, tag: str) -> str:
    return f'images:\n  - name: {image}\n    newTag: "{tag}"\n'


def _needs_registry(policy: Policy) -> bool:
    pins = (place.edit.pin for stage in policy.stages for place in policy.places_of(stage))
    approvals = (stage.proposing.approvals for stage in policy.stages)
    # Who wrote a release is found out by the source commit that its image names.
    has_four_eyes = any(wanted is not None and wanted.four_eyes for wanted in approvals)
    return policy.intake_stage is not None or any(pins) or has_four_eyes
