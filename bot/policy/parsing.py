"""Policy version 1: YAML text to a frozen `Policy`, or all that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from bot.domain.argo import NamedApplication, Target
from bot.domain.calendar import GATE as CALENDAR
from bot.domain.intake import REGISTRY
from bot.domain.policy import AtDeadline, CommitsBy, GitOps, HealthWindow, Policy, ProofsIn, Stage, SyncBy
from bot.domain.queries import DEFAULT_SOURCE, Query
from bot.domain.rules import ArgoHealthyGate, Gate, SoakGate
from bot.domain.text import parse_duration
from bot.policy.applications import read_applications
from bot.policy.approving import check_approvals
from bot.policy.calendars import read_calendar
from bot.policy.edits import read_edit
from bot.policy.entries import Entry
from bot.policy.filling import Surroundings
from bot.policy.grammar import (
    A_DURATION,
    IMAGE,
    NAME,
    OWNER_AND_NAME,
    parse_branch,
    parse_tile,
)
from bot.policy.intake import read_intake
from bot.policy.labels import labels_of_others, read_labels
from bot.policy.origins import StageText, check_origins, check_pause, read_origin
from bot.policy.promoting import read_promote
from bot.policy.reading import Faults, Section, matching, one_of, positive_duration
from bot.policy.resolving import EXTENDS, NOTHING, Inherited, Resolved, resolve
from bot.policy.sources import read_source, sources_of_stages
from bot.policy.taking_back import read_rollback
from bot.policy.templates import METRIC, GateTemplates, promql_duration
from bot.policy.together import check_values, read_together
from bot.policy.tree import Value
from bot.policy.trusting import read_artifact
from bot.policy.waves import Region

API_VERSION = "liftlock.dev/v1"
_WARMUP, _TILE = timedelta(minutes=2), timedelta(minutes=1)
_DEADLINE = timedelta(hours=6)
_APPLICATIONS = "argocd_app_info"


def parse_policy(
    text: str,
    *,
    file: str,
    templates: GateTemplates,
    broken: Mapping[str, str] = MappingProxyType({}),
    inherited: Inherited = NOTHING,
) -> Policy:
    """Read one policy. Raise PolicyError with every fault of the file, and of what it inherits.

    `broken` are files of templates that have faults themselves, by the name of each. `inherited` is what stands in
    `defaults.yaml` beside the policy.
    """
    return read_policy(resolve(text, file=file, inherited=inherited), templates=templates, broken=broken)


def read_policy(resolved: Resolved, *, templates: GateTemplates, broken: Mapping[str, str]) -> Policy:
    """Read the policy of a tree that is resolved, as `parse_policy` does."""
    faults = resolved.faults
    section = Section.of(resolved.tree, "", faults)
    reader = _Reader(faults=faults, templates=templates, broken=broken)
    policy = reader.policy(section, resolved.version) if section is not None else None
    if policy is None or faults.found:
        raise faults.error()
    return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    faults: Faults
    templates: GateTemplates
    broken: Mapping[str, str]

    def policy(self, top: Section, version: str) -> Policy | None:
        top.read("apiVersion", one_of((API_VERSION,)), API_VERSION)
        # What it extends is in the tree already.
        top.get(EXTENDS)
        service = top.read("service", matching(NAME), "a name of a-z, 0-9 and -, at most 63 long")
        image = top.read("image", matching(IMAGE), "an image without tag or digest, such as ghcr.io/acme/checkout")
        source = None
        if top.get("source") is not None:
            source = top.read("source", matching(OWNER_AND_NAME), "a repository as owner/name")
        gitops = self._gitops(top.section("gitops", required=True))
        calendar = read_calendar(top.section("calendar"))
        stages = top.get("stages")
        listed = [self._stage(path, value, stages, image) for path, value in top.items("stages", required=True)]
        top.finish()
        texts = [item for item in listed if item is not None]
        self._check_stages(top, texts, image, whole=len(texts) == len(listed))
        self._check_places(top, texts)
        check_approvals(((item.stage, item.path, item.value) for item in texts), top.get("source"), self.faults)
        if service is None or image is None or gitops is None or not texts:
            return None
        return Policy(
            service=service,
            image=image,
            source=source,
            gitops=gitops,
            stages=tuple(item.stage for item in texts),
            file=self.faults.file,
            version=version,
            calendar=calendar,
        )

    def _gitops(self, section: Section | None) -> GitOps | None:
        if section is None:
            return None
        repository = section.read("repository", matching(OWNER_AND_NAME), "a repository as owner/name")
        branch = section.read("branch", parse_branch, "a branch name", default="main")
        commits = section.read("commits", CommitsBy, "git or github", default=CommitsBy.GIT)
        section.finish()
        if repository is None or branch is None or commits is None:
            return None
        return GitOps(repository=repository, branch=branch, commits=commits)

    # --- a stage ---

    def _stage(self, path: str, value: Value, stages: Value | None, image: str | None) -> StageText | None:
        section = Section.of(value, path, self.faults)
        if section is None:
            return None
        name = self._stage_name(section)
        # What it has left of them has faults: else they were expanded.
        section.get("waves")
        origin, intake = read_origin(section), read_intake(section)
        edit, together = read_edit(section.section("edit", required=True)), read_together(section, image)
        applications = read_applications(section)
        sync = section.read("sync", SyncBy, "argocd or bot", default=SyncBy.ARGOCD)
        metrics = section.section("metrics")
        labels = read_labels(metrics) if metrics is not None else None
        window = self._window(section.section("window"))
        tile = window.tile if window is not None else _TILE
        others = labels_of_others(stages, name)
        around = Surroundings(
            labels=labels,
            stages=others,
            tile=tile,
            window=window,
            source=read_source(section) or DEFAULT_SOURCE,
            sources=sources_of_stages(stages),
        )
        gates = self._gates(section, around, applications)
        artifact, proofs_in = read_artifact(section.section("artifact"), self._check_names)
        merge, proposing = read_promote(section.section("promote"))
        check_pause(section, origin)
        rollback = read_rollback(section.section("rollback"), around, self._entry, self._check_names)
        calendar = read_calendar(section.section("calendar"))
        section.finish()
        if name is None or edit is None:
            return None
        stage = Stage(
            name=name,
            source=origin.source,
            edit=edit,
            applications=applications,
            window=window,
            gates=gates,
            merge=merge,
            rollback=rollback,
            sync=sync or SyncBy.ARGOCD,
            proposing=proposing,
            artifact=artifact,
            intake=intake,
            proofs_in=proofs_in,
            calendar=calendar,
            beside=origin.beside,
            join=origin.join,
            together=together,
            region_of=value.region_of if isinstance(value, Region) else None,
        )
        return StageText(stage=stage, value=value, path=path, source_at=section.get("from"))

    def _stage_name(self, section: Section) -> str | None:
        name = section.read("name", matching(NAME), "a name of a-z, 0-9 and -, at most 63 long")
        if name != REGISTRY:
            return name
        expected = "another name, since from: registry means the image registry"
        self.faults.note(section.entries["name"], section.at("name"), f'"{name}"', expected)
        return None

    def _window(self, section: Section | None) -> HealthWindow | None:
        if section is None:
            return None
        length = section.read("for", positive_duration, A_DURATION)
        warmup = section.read("warmup", parse_duration, A_DURATION, default=_WARMUP)
        tile = section.read("tile", parse_tile, f"{A_DURATION}, at least 1s", default=_TILE)
        least = (length or timedelta(0)) + (warmup or timedelta(0))
        deadline = section.read("deadline", positive_duration, A_DURATION, default=max(_DEADLINE, 2 * least))
        then = section.read("at_deadline", AtDeadline, "ask, hold or promote", default=AtDeadline.ASK)
        section.finish()
        if length is None or warmup is None or tile is None or deadline is None:
            return None
        if deadline <= least:
            self.faults.note(section.value, section.at("deadline"), "no time left", "more than warmup and for together")
        if tile > length:
            self.faults.note(section.value, section.at("tile"), "more than the window", "at most for")
        return HealthWindow(
            length=length, warmup=warmup, deadline=deadline, tile=tile, at_deadline=then or AtDeadline.ASK
        )

    # --- gates ---

    def _gates(self, section: Section, around: Surroundings, applications: Sequence[Target]) -> tuple[Gate, ...]:
        gates: list[Gate] = []
        for path, value in section.items("gates"):
            entry = self._entry(path, value)
            if entry is not None and entry.use == "argocd-healthy":
                gates.append(_argocd_healthy(entry, around, applications))
            elif entry is not None and entry.use == "soak":
                entry.section.finish()
                gates.append(SoakGate(name=entry.name, is_shadow=entry.is_shadow))
            elif entry is not None:
                gate = entry.measured(around, others=("argocd-healthy", "soak"))
                gates += [gate] if gate is not None else []
        self._check_names(section, "gates", [gate.name for gate in gates])
        if any(gate.name == CALENDAR for gate in gates):
            expected = "another name, since a command overrides the policy's calendar by it"
            self.faults.note(section.entries["gates"], section.at("gates"), f'a gate "{CALENDAR}"', expected)
        if gates and "window" not in section.entries:
            expected = "a window beside them, since they are judged only in one"
            self.faults.note(section.entries["gates"], section.at("gates"), "gates without a window", expected)
        return tuple(gates)

    def _entry(self, path: str, value: Value) -> Entry | None:
        section = Section.of(value, path, self.faults)
        return Entry.of(section, self.templates, self.broken) if section is not None else None

    def _check_names(self, section: Section, key: str, names: Sequence[str]) -> None:
        value = section.get(key)
        if value is None or len(set(names)) == len(names):
            return
        twice = sorted(name for name, many in Counter(names).items() if many > 1)
        self.faults.note(value, section.at(key), f"{', '.join(twice)} twice", "a name of its own for each")

    # --- the stages together ---

    def _check_stages(self, top: Section, texts: Sequence[StageText], image: str | None, *, whole: bool) -> None:
        value = top.get("stages")
        if value is None or value.kind != "list":
            return
        if not value.items:
            self.faults.note(value, "stages", "an empty list", "at least one stage")
        names = [item.stage.name for item in texts]
        self._check_names(top, "stages", names)
        self._check_intakes(texts)
        if whole:
            check_origins(value, texts, self.faults)
            check_values(texts, image or "", self.faults)

    def _check_intakes(self, texts: Sequence[StageText]) -> None:
        """One rule says which release is next: by two of them two stages could be ahead of each other."""
        first, *others = [item.path for item in texts if item.stage.source == REGISTRY] or [""]
        for item in texts:
            if item.path in others and item.source_at is not None:
                expected = f"one stage at most from the registry, which is {first}; the others from that stage"
                self.faults.note(item.source_at, f"{item.path}.from", '"registry" a second time', expected)

    def _check_places(self, top: Section, texts: Sequence[StageText]) -> None:
        """GitHub keeps attestations by the repository that was built: which one that is must be said."""
        for item in texts:
            if ProofsIn.GITHUB in item.stage.proofs_in and top.get("source") is None:
                expected = "source at the top of the policy: GitHub is asked for the attestations of that repository"
                self.faults.note(item.value, f"{item.path}.artifact.found_in", '"github" without a source', expected)


def _argocd_healthy(entry: Entry, around: Surroundings, applications: Sequence[Target]) -> ArgoHealthyGate:
    """Read the gate; Prometheus is asked for the past of each application, by its name without a namespace."""
    expected = "the name of Argo CD's metric of applications, or none"
    metric = entry.section.read("history", matching(METRIC), expected, default=_APPLICATIONS)
    drift = entry.section.read("out-of-sync", one_of(("report", "unhealthy")), "report or unhealthy", default="report")
    source = read_source(entry.section) or around.source
    entry.section.finish()
    asked = None if metric in (None, "none") else replace(_illness(metric, around.tile), source=source)
    names = [one.name.rpartition("/")[2] for one in applications if isinstance(one, NamedApplication)]
    return ArgoHealthyGate(
        name=entry.name,
        is_shadow=entry.is_shadow,
        history=() if asked is None else tuple(asked.of_labels(name=name) for name in dict.fromkeys(names)),
        of_members=None if len(names) == len(applications) else asked,
        must_be_synced=drift == "unhealthy",
        tile=around.tile,
    )


def _illness(metric: str | None, tile: timedelta) -> Query:
    """Return the question of how often an application was seen ill in a tile, open for its name."""
    parts = (
        f"count by (name) (count_over_time({metric}{{",
        f',health_status=~"Degraded|Missing"}}[{promql_duration(tile)}]))',
    )
    return Query(parts=parts, is_shared=True)
