"""A floor's YAML to a frozen `Floor`, with the same limits, strictness and messages as policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from bot.domain.policy import AtDeadline, AutoMerge, Merge, Road
from bot.domain.signers import KeyHolder
from bot.domain.text import parse_duration
from bot.domain.trust import TrustRule
from bot.policy.approving import read_approvals
from bot.policy.calendars import read_calendar
from bot.policy.faults import PolicyError
from bot.policy.floor.entries import read_entries
from bot.policy.floor.model import (
    ArtifactFloor,
    Every,
    Floor,
    FloorRule,
    Judged,
    PromoteFloor,
    RollbackFloor,
    WindowFloor,
)
from bot.policy.grammar import A_DURATION, HANDLE
from bot.policy.parsing import API_VERSION
from bot.policy.reading import Faults, Section, matching, one_of, parsed, positive_duration
from bot.policy.templates import GateTemplates
from bot.policy.tree import Value, read_tree
from bot.policy.trusting import read_required, read_signer

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
_GLOB = r"[a-z0-9*-]{1,63}"
_A_GLOB = "a name of a-z, 0-9 and -, with * for any part of it"
_NOBODY = KeyHolder(key="-")
"""Stands for the signer of a requirement, which the floor names for all of them."""
_ASKS = ("before", "window", "gates", "promote", "artifact", "rollback", "calendar")


def parse_floor(text: str, *, file: str, templates: GateTemplates) -> Floor:
    """Read a floor; `templates` are the shipped ones. Raise PolicyError with every fault of the file."""
    faults = Faults(file=file)
    tree = read_tree(text, file=file, faults=faults.found)
    top = Section.of(tree, "", faults)
    rules = _Reader(faults=faults, templates=templates).rules(top) if top is not None else ()
    if faults.found:
        raise PolicyError(faults.found)
    return Floor(file=file, rules=rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    faults: Faults
    templates: GateTemplates

    def rules(self, top: Section) -> tuple[FloorRule, ...]:
        top.read("apiVersion", one_of((API_VERSION,)), API_VERSION)
        items = [Section.of(value, path, self.faults) for path, value in top.items("floor", required=True)]
        listed = top.get("floor")
        if listed is not None and listed.kind == "list" and not items:
            self.faults.note(listed, "floor", "an empty list", "at least one rule")
        top.finish()
        return tuple(self._rule(item) for item in items if item is not None)

    def _rule(self, section: Section) -> FloorRule:
        before = section.section("before")
        rule = FloorRule(
            place=self._place(section.value),
            services=_globs(section, "services") or ("*",),
            but=_globs(section, "except"),
            stages=_globs(section, "stages"),
            every=_optional(section, "every", Every, "promoted or stage"),
            before=self._judged(before) if before is not None else None,
            lets_registry=before is not None and self._lets_registry(before),
            judged=self._judged(section),
            promote=self._promote(section.section("promote")),
            artifact=self._artifact(section.section("artifact")),
            rollback=self._rollback(section.section("rollback")),
            calendar=read_calendar(section.section("calendar")),
        )
        if (section.get("stages") is None) is (section.get("every") is None):
            found = "neither stages nor every" if section.get("stages") is None else "every beside stages"
            self.faults.note(section.value, section.path, found, "stages, or every: promoted or stage")
        if before is not None:
            self._finish(before, "window, gates or registry")
        if all(section.get(key) is None for key in _ASKS):
            self.faults.note(section.value, section.path, "a rule that asks for nothing", f"one of {', '.join(_ASKS)}")
        section.finish()
        return rule

    def _lets_registry(self, section: Section) -> bool:
        words = one_of(("allowed", "refused"))
        return section.read("registry", words, "allowed or refused", default="refused") == "allowed"

    def _judged(self, section: Section) -> Judged:
        window = section.section("window")
        gates = read_entries(section, "gates", self.templates, is_trigger=False)
        return Judged(window=None if window is None else self._window(window), gates=gates)

    def _window(self, section: Section) -> WindowFloor:
        expected = "ask, hold or promote"
        allowed = (
            parsed(value, path, self.faults, AtDeadline, expected) for path, value in section.items("at_deadline")
        )
        window = WindowFloor(
            place=self._place(section.value),
            length=_optional(section, "for", positive_duration, A_DURATION),
            at_deadline=tuple(one for one in allowed if one is not None),
        )
        self._finish(section, "for or at_deadline")
        return window

    def _promote(self, section: Section | None) -> PromoteFloor | None:
        if section is None:
            return None
        expected = "a login or a team, such as @dana or @acme/release"
        people = (
            parsed(one, path, self.faults, matching(HANDLE), expected) for path, one in section.items("approvers")
        )
        promote = PromoteFloor(
            place=self._place(section.value),
            by=_optional(section, "by", _one(Road.PULL_REQUEST), "pull-request"),
            merge=_optional(section, "merge", _one(Merge.HUMAN), "human"),
            auto_merge=_optional(section, "auto_merge", _one(AutoMerge.NEVER, AutoMerge.BOUND), "never or bound"),
            approvers=tuple(one for one in people if one is not None),
            approvals=read_approvals(section.section("approvals"), ()),
        )
        self._finish(section, "by, merge, auto_merge, approvers or approvals")
        return promote

    def _artifact(self, section: Section | None) -> ArtifactFloor | None:
        if section is None:
            return None
        signers = [
            read_signer(one, is_floor=True)
            for path, value in section.items("signers")
            if (one := Section.of(value, path, self.faults)) is not None
        ]
        log = section.read("log", one_of(("required", "optional")), "required or optional", default="required")
        required = [
            (self._required(one), self._place(value))
            for path, value in section.items("require", required=True)
            if (one := Section.of(value, path, self.faults)) is not None
        ]
        listed = section.get("require")
        if listed is not None and listed.kind == "list" and not listed.items:
            self.faults.note(listed, section.at("require"), "an empty list", "at least one thing that must be proven")
        self._finish(section, "signers and require")
        return ArtifactFloor(
            place=self._place(section.value),
            signers=tuple(signer for signer in signers if signer is not None),
            must_be_logged=log != "optional",
            required=tuple((rule, place) for rule, place in required if rule is not None),
        )

    def _required(self, section: Section) -> TrustRule | None:
        own = section.get("signer")
        if own is not None:
            self.faults.note(own, section.at("signer"), "a signer of its own", "the signers of all, beside require")
        return read_required(section, _NOBODY)

    def _rollback(self, section: Section | None) -> RollbackFloor | None:
        if section is None:
            return None
        freeze = _optional(section, "during_freeze", one_of(("true",)), "true")
        rollback = RollbackFloor(
            place=self._place(section.value),
            watch=_optional(section, "watch", positive_duration, A_DURATION),
            cool_down=_optional(section, "cool_down", parse_duration, A_DURATION),
            during_freeze=freeze is not None,
            triggers=read_entries(section, "triggers", self.templates, is_trigger=True),
        )
        self._finish(section, "watch, cool_down, during_freeze or triggers")
        return rollback

    def _finish(self, section: Section, expected: str) -> None:
        """Refuse what was not asked for, and a section that asks for nothing: it looks like a floor and is none."""
        if not section.entries:
            self.faults.note(section.value, section.path, "nothing in it", expected)
        section.finish()

    def _place(self, value: Value) -> str:
        return f"{self.faults.file}:{value.line}:{value.column}"


def _one(*words: E) -> Callable[[str], E]:
    """Return a parser that takes one of some words: only those that a policy could be weaker than."""

    def parse(text: str) -> E:
        return {str(word): word for word in words}[one_of([str(word) for word in words])(text)]

    return parse


def _optional(section: Section, key: str, parse: Callable[[str], T], expected: str) -> T | None:
    return None if section.get(key) is None else section.read(key, parse, expected)


def _globs(section: Section, key: str) -> tuple[str, ...]:
    """Read patterns of names; an empty list is a fault, since it would silently mean nothing, or all."""
    listed = section.get(key)
    found = [parsed(value, path, section.faults, matching(_GLOB), _A_GLOB) for path, value in section.items(key)]
    if listed is not None and listed.kind == "list" and not found:
        section.faults.note(listed, section.at(key), "an empty list", _A_GLOB)
    return tuple(one for one in found if one is not None)
