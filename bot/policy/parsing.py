"""Policy version 1: YAML text to a frozen `Policy`, or all that is wrong with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.edit import Edit
from bot.domain.policy import (
    ArgoHealthyGate,
    CommitsBy,
    DegradedTrigger,
    Gate,
    GitOps,
    HealthWindow,
    Merge,
    Policy,
    Road,
    Rollback,
    Stage,
    Trigger,
)
from bot.domain.text import one_line, parse_duration
from bot.policy.edits import read_edit
from bot.policy.entries import Entry
from bot.policy.faults import PolicyError
from bot.policy.grammar import (
    A_DURATION,
    APPLICATION,
    IMAGE,
    NAME,
    OWNER_AND_NAME,
    parse_branch,
    parse_tile,
)
from bot.policy.reading import Faults, Section, matching, one_of, parsed, positive_duration
from bot.policy.templates import LABEL, GateTemplates
from bot.policy.tree import Value, read_tree

API_VERSION = "liftlock.dev/v1"
_WARMUP, _TILE, _DEGRADED = timedelta(minutes=2), timedelta(minutes=1), timedelta(minutes=5)
_DEADLINE = timedelta(hours=6)


def parse_policy(text: str, *, file: str, templates: GateTemplates) -> Policy:
    """Read one policy. Raise PolicyError with every fault of the file."""
    faults = Faults(file=file)
    section = Section.of(read_tree(text, file=file, faults=faults.found), "", faults)
    policy = _Reader(faults=faults, templates=templates).policy(section, text) if section is not None else None
    if policy is None or faults.found:
        raise PolicyError(faults.found)
    return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _StageText:
    """What the stages' references are checked by: the stage, and where it and its `from` stand."""

    stage: Stage
    value: Value
    path: str
    source_at: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    faults: Faults
    templates: GateTemplates

    def policy(self, top: Section, text: str) -> Policy | None:
        top.read("apiVersion", one_of((API_VERSION,)), API_VERSION)
        service = top.read("service", matching(NAME), "a name of a-z, 0-9 and -, at most 63 long")
        image = top.read("image", matching(IMAGE), "an image without tag or digest, such as ghcr.io/acme/checkout")
        source = None
        if top.get("source") is not None:
            source = top.read("source", matching(OWNER_AND_NAME), "a repository as owner/name")
        gitops = self._gitops(top.section("gitops", required=True))
        listed = [self._stage(path, value) for path, value in top.items("stages", required=True)]
        top.finish()
        texts = [item for item in listed if item is not None]
        self._check_stages(top, texts, whole=len(texts) == len(listed))
        if service is None or image is None or gitops is None or not texts:
            return None
        return Policy(
            service=service,
            image=image,
            source=source,
            gitops=gitops,
            stages=tuple(item.stage for item in texts),
            file=self.faults.file,
            version=hashlib.sha256(text.encode("utf-8")).hexdigest(),
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

    def _stage(self, path: str, value: Value) -> _StageText | None:
        section = Section.of(value, path, self.faults)
        if section is None:
            return None
        name = section.read("name", matching(NAME), "a name of a-z, 0-9 and -, at most 63 long")
        source_at = section.get("from")
        source = section.read("from", matching(NAME), "the name of another stage") if source_at else None
        edit = read_edit(section.section("edit", required=True))
        applications = self._applications(section)
        labels = self._labels(section.section("metrics"))
        window = self._window(section.section("window"))
        gates = self._gates(section, labels, window)
        merge = self._promote(section)
        rollback = self._rollback(section.section("rollback"), labels)
        if source_at is None:
            self._refuse_in_first_stage(section)
        section.finish()
        if name is None or edit is None:
            return None
        stage = Stage(
            name=name,
            source=source,
            edit=edit,
            applications=applications,
            window=window,
            gates=gates,
            merge=merge,
            rollback=rollback,
        )
        return _StageText(stage=stage, value=value, path=path, source_at=source_at)

    def _applications(self, section: Section) -> tuple[str, ...]:
        expected = "an Argo CD application, or a list of them"
        value = section.need("argocd", expected)
        if value is None:
            return ()
        listed = list(value.items) if value.kind == "list" else [value]
        found = [parsed(item, section.at("argocd"), self.faults, matching(APPLICATION), expected) for item in listed]
        if not listed:
            self.faults.note(value, section.at("argocd"), "an empty list", expected)
        names = [name for name in found if name is not None]
        if len(set(names)) != len(names):
            self.faults.note(value, section.at("argocd"), "an application twice", "each application once")
        return tuple(names)

    def _labels(self, section: Section | None) -> Mapping[str, str] | None:
        """Read the labels that select the stage's series; None if the stage names none at all."""
        if section is None:
            return None
        labels = {}
        for name in section.entries:
            text = section.read(name, str, "a label's value")
            place = (section.value.keys or {})[name]
            if re.fullmatch(LABEL, name) is None or name.startswith("__"):
                found = f'the label "{one_line(name, limit=60)}"'
                self.faults.note_at(place, section.path, found, "a Prometheus label name that does not begin with __")
            elif text == "":
                # In PromQL an empty value selects the series without the label, which are not this stage's.
                self.faults.note_at(place, section.at(name), "an empty value", "the value that selects the stage")
            elif text is not None:
                labels[name] = text
        if not section.entries:
            self.faults.note(section.value, section.path, "no label", "at least one label, such as namespace")
        return labels

    def _window(self, section: Section | None) -> HealthWindow | None:
        if section is None:
            return None
        length = section.read("for", positive_duration, A_DURATION)
        warmup = section.read("warmup", parse_duration, A_DURATION, default=_WARMUP)
        tile = section.read("tile", parse_tile, f"{A_DURATION}, at least 1s", default=_TILE)
        least = (length or timedelta(0)) + (warmup or timedelta(0))
        deadline = section.read("deadline", positive_duration, A_DURATION, default=max(_DEADLINE, 2 * least))
        section.finish()
        if length is None or warmup is None or tile is None or deadline is None:
            return None
        if deadline <= least:
            self.faults.note(section.value, section.at("deadline"), "no time left", "more than warmup and for together")
        if tile > length:
            self.faults.note(section.value, section.at("tile"), "more than the window", "at most for")
        return HealthWindow(length=length, warmup=warmup, deadline=deadline, tile=tile)

    def _refuse_in_first_stage(self, section: Section) -> None:
        """Nothing is promoted into a first stage, so nothing there is ever merged or rolled back by the bot."""
        for key in ("promote", "rollback"):
            value = section.get(key)
            if value is not None:
                self.faults.note(value, section.at(key), "it in a first stage", "it only in a stage with from")

    def _promote(self, section: Section) -> Merge:
        promote = section.section("promote")
        if promote is None:
            return Merge.HUMAN
        promote.read("by", one_of(("pull-request",)), "pull-request (commit comes later)", default="pull-request")
        merge = promote.read("merge", one_of(("auto", "human")), "auto or human", default="human")
        promote.finish()
        return Merge(merge or "human")

    def _rollback(self, section: Section | None, labels: Mapping[str, str] | None) -> Rollback | None:
        if section is None:
            return None
        watch = section.read("watch", positive_duration, A_DURATION)
        by = section.read("by", one_of(("commit", "pull-request")), "commit or pull-request", default="commit")
        tile = section.read("tile", parse_tile, f"{A_DURATION}, at least 1s", default=_TILE)
        triggers: list[Trigger] = []
        for path, value in section.items("triggers", required=True):
            entry = self._entry(path, value, labels)
            if entry is not None and entry.use == "argocd-degraded":
                lasting = entry.section.read("for", positive_duration, A_DURATION, default=_DEGRADED) or _DEGRADED
                entry.section.finish()
                triggers.append(DegradedTrigger(name=entry.name, lasting=lasting, is_shadow=entry.is_shadow))
            elif entry is not None:
                gate = entry.count_gate(tile or _TILE, others=("argocd-degraded",))
                triggers += [gate] if gate is not None else []
        section.finish()
        self._check_names(section, "triggers", [trigger.name for trigger in triggers])
        listed = section.get("triggers")
        if listed is not None and listed.kind == "list" and not listed.items:
            self.faults.note(listed, section.at("triggers"), "an empty list", "at least one trigger")
        if watch is None or by is None:
            return None
        return Rollback(watch=watch, by=Road(by), triggers=tuple(triggers))

    # --- gates ---

    def _gates(
        self, section: Section, labels: Mapping[str, str] | None, window: HealthWindow | None
    ) -> tuple[Gate, ...]:
        gates: list[Gate] = []
        for path, value in section.items("gates"):
            entry = self._entry(path, value, labels)
            if entry is not None and entry.use == "argocd-healthy":
                entry.section.finish()
                gates.append(ArgoHealthyGate(name=entry.name, is_shadow=entry.is_shadow))
            elif entry is not None:
                gate = entry.count_gate(window.tile if window else _TILE, others=("argocd-healthy",))
                gates += [gate] if gate is not None else []
        self._check_names(section, "gates", [gate.name for gate in gates])
        if gates and "window" not in section.entries:
            expected = "a window beside them, since they are judged only in one"
            self.faults.note(section.entries["gates"], section.at("gates"), "gates without a window", expected)
        return tuple(gates)

    def _entry(self, path: str, value: Value, labels: Mapping[str, str] | None) -> Entry | None:
        section = Section.of(value, path, self.faults)
        return Entry.of(section, self.templates, labels) if section is not None else None

    def _check_names(self, section: Section, key: str, names: Sequence[str]) -> None:
        twice = sorted({name for name in names if names.count(name) > 1})
        value = section.get(key)
        if twice and value is not None:
            self.faults.note(value, section.at(key), f"{', '.join(twice)} twice", "a name of its own for each")

    # --- the stages together ---

    def _check_stages(self, top: Section, texts: Sequence[_StageText], *, whole: bool) -> None:
        value = top.get("stages")
        if value is None or value.kind != "list":
            return
        if not value.items:
            self.faults.note(value, "stages", "an empty list", "at least one stage")
        names = [item.stage.name for item in texts]
        self._check_names(top, "stages", names)
        if whole:
            self._check_sources(value, texts)
            self._check_edits(texts)

    def _check_sources(self, value: Value, texts: Sequence[_StageText]) -> None:
        by_name = {item.stage.name: item for item in texts}
        for item in texts:
            source = item.stage.source
            if source is None or item.source_at is None:
                continue
            if source not in by_name or source == item.stage.name:
                others = ", ".join(name for name in by_name if name != item.stage.name) or "none yet"
                self.faults.note(item.source_at, f"{item.path}.from", f'"{source}"', f"another stage: {others}")
            elif _goes_round(item.stage, by_name):
                self.faults.note(item.source_at, f"{item.path}.from", "a circle", "a chain that begins somewhere")
        if texts and all(item.stage.source is not None for item in texts):
            self.faults.note(value, "stages", "from in every stage", "a first stage without from")
        for item in texts:
            is_source = any(other.stage.source == item.stage.name for other in texts)
            has_faults = any(fault.path.startswith(f"{item.path}.") for fault in self.faults.found)
            decides = any(not gate.is_shadow for gate in item.stage.gates)
            if is_source and not has_faults and (item.stage.window is None or not decides):
                expected = "a window and at least one gate that decides, since a release moves on from here"
                self.faults.note(item.value, item.path, "a stage without them", expected)

    def _check_edits(self, texts: Sequence[_StageText]) -> None:
        seen: dict[Edit, str] = {}
        for item in texts:
            other = seen.setdefault(item.stage.edit, item.stage.name)
            if other != item.stage.name:
                self.faults.note(
                    item.value, f"{item.path}.edit", f"the value that stage {other} has", "a value of its own"
                )


def _goes_round(stage: Stage, by_name: Mapping[str, _StageText]) -> bool:
    seen: set[str] = set()
    at: Stage | None = stage
    while at is not None and at.source is not None:
        if at.name in seen:
            return True
        seen.add(at.name)
        following = by_name.get(at.source)
        at = following.stage if following is not None else None
    return False
