"""Hold a policy against a floor: every place at which it asks for less. Pure.

A floor's value is put into what the policy says, and both are compared as an old policy with a new one would be: what
would be weaker, or could not be told, is below the floor. So a floor and a diff never disagree on what is stricter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.intake import REGISTRY
from bot.domain.policy import Approvals, HealthWindow, Policy, Road, Stage
from bot.domain.rules import CountGate, Gate, MeasuredRule, Trigger, ValueGate
from bot.domain.signers import Signer
from bot.domain.text import join_words, one_line, parse_duration
from bot.domain.trust import AttestationRule, BuildRule, ProvenanceRule, SignatureRule, SignedRule, TrustRule
from bot.policy.comparing.artifacts import compare_requirement, compare_signers, named, signer_said
from bot.policy.comparing.orders import Change, Way, changes, shortened
from bot.policy.comparing.policies import ROLLBACK, WINDOW, compare_promotion
from bot.policy.comparing.rules import compare_rule
from bot.policy.faults import PolicyFault
from bot.policy.floor.model import (
    ArtifactFloor,
    Entry,
    Floor,
    FloorRule,
    Judged,
    PromoteFloor,
    RollbackFloor,
    WindowFloor,
)
from bot.policy.places import item_called, value_at
from bot.policy.templates import GateTemplates
from bot.policy.tree import Value

_USES: Mapping[type[TrustRule], str] = {
    SignatureRule: "signature",
    ProvenanceRule: "provenance",
    AttestationRule: "attestation",
    BuildRule: "checks",
}
"""How a policy asks for each kind of proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPolicy:
    """A policy with the tree that it was read from, all templates that it was read with, and which are a team's own."""

    policy: Policy
    tree: Value
    templates: GateTemplates
    own: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shortfall:
    """What a policy asks for less than a floor, before its place in the file is known."""

    path: str
    found: str
    expected: str
    place: str


def faults_below(read: ReadPolicy, floor: Floor) -> tuple[PolicyFault, ...]:
    """Return every place at which a policy is below the floor, in the order of the floor's rules."""
    found = dict.fromkeys(
        shortfall
        for rule in floor.rules
        for stage in read.policy.stages
        if rule.is_for(read.policy, stage)
        for shortfall in _of_stage(read, stage, rule)
    )
    return tuple(_fault(read, shortfall) for shortfall in found)


def _fault(read: ReadPolicy, shortfall: _Shortfall) -> PolicyFault:
    value = value_at(read.tree, shortfall.path)
    return PolicyFault(
        file=value.file,
        line=value.line,
        column=value.column,
        path=shortfall.path,
        found=shortfall.found,
        expected=f"{shortfall.expected}, by {shortfall.place}",
    )


def _of_stage(read: ReadPolicy, stage: Stage, rule: FloorRule) -> Iterator[_Shortfall]:
    path = _path(stage)
    if stage.source is None and (rule.before or rule.promote or rule.rollback):
        expected = "one with from, since only what the bot promotes is looked at before"
        yield _Shortfall(path=path, found="a first stage", expected=expected, place=rule.place)
        return
    if rule.before is not None:
        yield from _before(read, stage, rule.before, rule)
    yield from _judged(read, stage, rule.judged)
    if rule.promote is not None:
        yield from _promote(stage, rule.promote, f"{path}.promote")
    if rule.artifact is not None:
        yield from _artifact(stage, rule.artifact, f"{path}.artifact")
    if rule.rollback is not None:
        yield from _rollback(read, stage, rule.rollback, f"{path}.rollback")


def _path(stage: Stage) -> str:
    return f"stages[{stage.name}]"


def _short(found: Iterable[Change], place: str) -> Iterator[_Shortfall]:
    """Give what is weaker than the floor, or cannot be told, of a comparison of the floor with the policy."""
    for change in found:
        if change.way is not Way.STRICTER:
            yield _Shortfall(
                path=change.path,
                found=shortened(change.new, beside=change.old),
                expected=f"{shortened(change.old, beside=change.new)} or stricter",
                place=place,
            )


# --- how a release is judged -----------------------------------------------------------------------------------------


def _before(read: ReadPolicy, stage: Stage, floor: Judged, rule: FloorRule) -> Iterator[_Shortfall]:
    if stage.source == REGISTRY and not rule.lets_registry:
        expected = "a stage in which releases are judged before"
        yield _Shortfall(path=f"{_path(stage)}.from", found="the registry", expected=expected, place=rule.place)
    for source in read.policy.stages:
        if source.name in stage.sources:
            yield from _judged(read, source, floor)


def _judged(read: ReadPolicy, stage: Stage, floor: Judged) -> Iterator[_Shortfall]:
    if floor.window is not None:
        yield from _window(stage.window, floor.window, f"{_path(stage)}.window")
    for entry in floor.gates:
        yield from _Entries(read=read, stage=stage, key="gates", rules=stage.gates).missing(entry)


def _window(window: HealthWindow | None, floor: WindowFloor, path: str) -> Iterator[_Shortfall]:
    if window is None:
        yield _Shortfall(path=path, found="nothing", expected="a window", place=floor.place)
        return
    least = replace(window, length=floor.length or window.length)
    yield from _short(changes(WINDOW, least, window, path), floor.place)
    if floor.at_deadline and window.at_deadline not in floor.at_deadline:
        expected = join_words([str(one) for one in floor.at_deadline], "or")
        found = str(window.at_deadline)
        yield _Shortfall(path=f"{path}.at_deadline", found=found, expected=expected, place=floor.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entries:
    """The gates or triggers of a stage, among which each entry of a floor must have one that is strict enough."""

    read: ReadPolicy
    stage: Stage
    key: str
    rules: Sequence[Gate | Trigger]

    @property
    def path(self) -> str:
        return f"{_path(self.stage)}.{self.key}"

    def missing(self, entry: Entry) -> Sequence[_Shortfall]:
        """Return how the nearest rule falls short; nothing where one does not."""
        used = [rule for rule in self.rules if _use(rule) in entry.uses]
        tried = [list(self._short(rule, entry)) for rule in used if not rule.is_shadow]
        if tried:
            return min(tried, key=len)
        found = f"{_use(used[0])} in the shadow only" if used else f"no {join_words(list(entry.uses), 'or')}"
        expected = f"one of {self.key.rpartition('.')[2]} that decides by it"
        return [_Shortfall(path=self.path, found=found, expected=expected, place=entry.place)]

    def _short(self, rule: Gate | Trigger, entry: Entry) -> Iterator[_Shortfall]:
        path = f"{self.path}[{rule.name}]"
        if isinstance(rule, MeasuredRule) and rule.template in self.read.own and not entry.own:
            found, expected = f"the template {rule.template} of the team's own", "the one that Liftlock ships"
            yield _Shortfall(path=f"{path}.use", found=found, expected=expected, place=entry.place)
        elif not _is_of_kind(rule, entry):
            expected = f"one with {' and '.join(entry.asked)}"
            yield _Shortfall(path=path, found=f"a rule of the kind {rule.kind}", expected=expected, place=entry.place)
        else:
            bounds = {**self._bounds(rule, entry), **({"accept": entry.accept} if self._proves(rule) else {})}
            least: Any = replace(rule, **bounds)  # type: ignore[arg-type]  # the kind has these fields
            yield from _short(compare_rule(least, rule, path), entry.place)
        yield from self._parameters(rule.name, entry)

    def _bounds(self, rule: Gate | Trigger, entry: Entry) -> Mapping[str, object]:
        """Return the bounds by the rule's fields: with one of a value go the tiles, the template's if none are said."""
        if not isinstance(rule, ValueGate) or rule.is_sum or not entry.kinds:
            return entry.bounds
        bounds: dict[str, Any] = dict(entry.bounds)
        template = self.read.templates.get(rule.template)
        usual = template.tiles if template is not None else (rule.bad_tiles, rule.of_tiles)
        bad, of = bounds.pop("tiles", usual)
        return {**bounds, "bad_tiles": bad, "of_tiles": of}

    def _proves(self, rule: Gate | Trigger) -> bool:
        # A trigger fires by an alarm alone.
        return isinstance(rule, CountGate) and self.key == "gates"

    def _parameters(self, name: str, entry: Entry) -> Iterator[_Shortfall]:
        """Compare the parameters of a template, which stand in the file and nowhere else."""
        template = self.read.templates.get(entry.uses[0])
        item = item_called(value_at(self.read.tree, self.path), name)
        said = item.entries if item is not None else None
        for parameter in template.parameters if template is not None and entry.parameters else ():
            wanted = entry.parameters.get(parameter.name)
            if wanted is None:
                continue
            value = said.get(parameter.name) if said is not None else None
            # What does not stand where it is looked for is not guessed.
            found = value.text if value is not None else parameter.default if said is not None else None
            if not _is_at_most(parameter.type, found, wanted):
                or_less = " or less" if parameter.type == "duration" else ""
                yield _Shortfall(
                    path=f"{self.path}[{name}].{parameter.name}",
                    found=one_line(found or "nothing", limit=60),
                    expected=f"{wanted}{or_less}",
                    place=entry.place,
                )


def _is_of_kind(rule: Gate | Trigger, entry: Entry) -> bool:
    """Say whether a rule has what the entry bounds; events, which are summed up, have another bound than values."""
    if isinstance(rule, ValueGate) and entry.bounds.get("is_sum", rule.is_sum) is not rule.is_sum:
        return False
    return not entry.kinds or isinstance(rule, entry.kinds)


def _use(rule: Gate | Trigger) -> str:
    return rule.template if isinstance(rule, MeasuredRule) else rule.kind


def _is_at_most(kind: str, found: str | None, wanted: str) -> bool:
    if found is None or kind != "duration":
        return found == wanted
    return parse_duration(found) <= parse_duration(wanted)


# --- how it enters ---------------------------------------------------------------------------------------------------


def _promote(stage: Stage, floor: PromoteFloor, path: str) -> Iterator[_Shortfall]:
    proposing = stage.proposing
    # A commit is merged by nobody, and needs no pull request to be armed.
    asked = (floor.by, floor.merge, floor.auto_merge, floor.approvals)
    is_by_pull_request = any(one is not None for one in asked)
    least = replace(
        stage,
        merge=floor.merge or stage.merge,
        proposing=replace(
            proposing,
            by=Road.PULL_REQUEST if is_by_pull_request else proposing.by,
            auto_merge=floor.auto_merge or proposing.auto_merge,
            approvals=_approvals(proposing.approvals, floor.approvals),
        ),
    )
    yield from _short(compare_promotion(least, stage, path), floor.place)
    others = [one for one in proposing.approvers if one not in floor.approvers]
    if floor.approvers and (others or not proposing.approvers):
        found = join_words(others) or "nobody"
        expected = f"only {join_words(list(floor.approvers), 'or')}"
        yield _Shortfall(path=f"{path}.approvers", found=found, expected=expected, place=floor.place)


def _approvals(policy: Approvals | None, floor: Approvals | None) -> Approvals | None:
    """Return what is asked for at least; whoever may approve may, where the floor names nobody."""
    if floor is None or policy is None:
        return floor or policy
    return replace(floor, people=floor.people or policy.people)


def _artifact(stage: Stage, floor: ArtifactFloor, path: str) -> Iterator[_Shortfall]:
    for required, place in floor.required:
        tried = [
            [*_short(compare_requirement(required, rule, named(path, rule.name)), place), *_signed(rule, floor, path)]
            for rule in stage.artifact
            if type(rule) is type(required)
        ]
        if not tried:
            use = _USES[type(required)]
            expected = f"{{use: {use}}}, so that {required.title}"
            yield _Shortfall(path=f"{path}.require", found=f"no {{use: {use}}}", expected=expected, place=place)
        else:
            yield from min(tried, key=len)


def _signed(rule: TrustRule, floor: ArtifactFloor, path: str) -> Iterator[_Shortfall]:
    if not isinstance(rule, SignedRule):
        return
    if floor.must_be_logged and not rule.must_be_logged:
        yield _Shortfall(path=f"{path}.log", found="optional", expected="required", place=floor.place)
    if floor.signers and not any(_is_of(signer, rule.signer) for signer in floor.signers):
        expected = join_words([signer_said(signer) for signer in floor.signers], "or")
        found = signer_said(rule.signer)
        yield _Shortfall(path=f"{named(path, rule.name)}.signer", found=found, expected=expected, place=floor.place)


def _is_of(allowed: Signer, signer: Signer) -> bool:
    return all(change.way is Way.STRICTER for change in compare_signers(allowed, signer, ""))


# --- how it is taken back --------------------------------------------------------------------------------------------


def _rollback(read: ReadPolicy, stage: Stage, floor: RollbackFloor, path: str) -> Iterator[_Shortfall]:
    rollback = stage.rollback
    if rollback is None:
        yield _Shortfall(path=path, found="nothing", expected="a rollback", place=floor.place)
        return
    least = replace(
        rollback,
        watch=floor.watch or rollback.watch,
        cool_down=rollback.cool_down if floor.cool_down is None else floor.cool_down,
        during_freeze=floor.during_freeze or rollback.during_freeze,
    )
    yield from _short(changes(ROLLBACK, least, rollback, path), floor.place)
    entries = _Entries(read=read, stage=stage, key="rollback.triggers", rules=rollback.triggers)
    for entry in floor.triggers:
        yield from entries.missing(entry)
