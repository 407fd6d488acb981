"""Compare what must be proven of an artifact, and by whom it must be signed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from bot.domain.signers import KeyHolder, Keyless, Signer, Template
from bot.domain.text import format_duration, format_number
from bot.domain.trust import AttestationRule, BuildRule, Condition, ProvenanceRule, SignatureRule, SignedRule, TrustRule
from bot.policy.comparing.orders import (
    Aspect,
    Change,
    Judge,
    Way,
    aspect,
    below,
    changes,
    differs,
    fewer_is_stricter,
    higher_is_stricter,
    listed,
    lower_is_stricter,
    more_is_stricter,
    nothing_is_weakest,
    of_one_kind,
    or_nothing,
    said,
    together,
    within,
)
from bot.policy.trusting import PREFIX

_PLACE = re.compile(r"\*|\{tag\}|\{version\}")
_MARKS = {"*": "\ue000", "{tag}": "\ue001", "{version}": "\ue002"}
"""What stands for a place while a template is matched: one character that no template has."""


def compare_artifacts(old: Sequence[TrustRule], new: Sequence[TrustRule], path: str) -> Iterator[Change]:
    """Give what is different of what must be proven, each thing held against the one of its name."""
    before, after = ({rule.name: rule for rule in rules} for rules in (old, new))
    both = [(before[name], after[name]) for name in before if name in after]
    shared = _of_all(both)
    if shared is not None:
        yield from compare_signers(*shared, f"{path}.signer")
    yield from _logged(before, after, path)
    for name in dict.fromkeys([*before, *after]):
        yield from _compare(before.get(name), after.get(name), named(path, name), has_signer=shared is None)


def named(path: str, rule: str) -> str:
    """Return the path of a requirement."""
    return f"{path}.require[{rule.removeprefix(PREFIX)}]"


def _compare(old: TrustRule | None, new: TrustRule | None, path: str, *, has_signer: bool) -> Iterator[Change]:
    if old is None or new is None:
        way = Way.STRICTER if old is None else Way.WEAKER
        yield Change(way=way, path=path, old=_title(old), new=_title(new))
        return
    yield from compare_requirement(old, new, path)
    if has_signer and isinstance(old, SignedRule) and isinstance(new, SignedRule):
        yield from compare_signers(old.signer, new.signer, f"{path}.signer")


def compare_requirement(old: TrustRule, new: TrustRule, path: str) -> Iterator[Change]:
    """Give what is different of two requirements, but for who must sign and whether the log must have it."""
    yield from of_one_kind(REQUIREMENTS, old, new, path)


def _title(rule: TrustRule | None) -> str:
    return said(None if rule is None else rule.title)


def _of_all(pairs: Sequence[tuple[TrustRule, TrustRule]]) -> tuple[Signer, Signer] | None:
    """Return the signer of all requirements, before and after; None where some have one of their own."""
    signers = {
        (old.signer, new.signer) for old, new in pairs if isinstance(old, SignedRule) and isinstance(new, SignedRule)
    }
    return signers.pop() if len(signers) == 1 else None


def _logged(before: Mapping[str, TrustRule], after: Mapping[str, TrustRule], path: str) -> Iterator[Change]:
    """Compare whether signatures must be in the log: that is said of all of them at once."""
    olds, news = (
        [one.must_be_logged for one in rules.values() if isinstance(one, SignedRule)] for rules in (before, after)
    )
    way = higher_is_stricter(all(olds), all(news)) if olds and news else None
    if way is not None:
        words = {True: "required", False: "optional"}
        yield Change(way=way, path=below(path, "log"), old=words[all(olds)], new=words[all(news)])


# --- texts with places -----------------------------------------------------------------------------------------------


def judge_template(old: Template, new: Template) -> Way | None:
    """Judge by which texts fit: fewer is stricter."""
    return within(_fits_into(new, old), _fits_into(old, new))


def _fits_into(inner: Template, outer: Template) -> bool:
    """Say whether all that fits one template certainly fits the other, whatever the release.

    A tag is never empty and has neither `/` nor `@`, so that `*` stands for what any place stands for.
    """
    marked = _PLACE.sub(lambda found: _MARKS[found[0]], inner.text)
    parts = re.split(f"({_PLACE.pattern})", outer.text)
    pattern = "".join("[^/@]+" if part == "*" else _MARKS.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(pattern, marked, re.DOTALL) is not None


def _judge_text(old: str, new: str) -> Way | None:
    return judge_template(Template(old), Template(new))


def _text(template: Template) -> str:
    return template.text


# --- signers ---------------------------------------------------------------------------------------------------------


def compare_signers(old: Signer, new: Signer, path: str) -> Iterator[Change]:
    """Give what is different of two signers."""
    if type(old) is type(new):
        yield from changes(SIGNERS[type(old)], old, new, path)
    else:
        yield Change(way=Way.CHANGED, path=path, old=signer_said(old), new=signer_said(new))


def signer_said(signer: Signer) -> str:
    """Show who must sign."""
    return f"the key {signer.key}" if isinstance(signer, KeyHolder) else signer.identity.text


def _any_is_weakest(judge: Judge[Sequence[str]]) -> Judge[Sequence[str]]:
    """Return the same judge for a list that allows anything where it is empty."""
    inner = nothing_is_weakest(judge)
    return lambda old, new: inner(old or None, new or None)


KEYLESS: Sequence[Aspect[Keyless]] = (
    aspect("issuer", "issuer", lambda one: one.issuer, differs, str),
    aspect("identity", "identity", lambda one: one.identity, judge_template, _text),
    aspect("repository", "repository", lambda one: one.repository, nothing_is_weakest(_judge_text), said),
    aspect("repository_id", "repository_id", lambda one: one.repository_id, nothing_is_weakest(differs), said),
    aspect("owner_id", "owner_id", lambda one: one.owner_id, nothing_is_weakest(differs), said),
    aspect("ref", "ref", lambda one: one.ref, nothing_is_weakest(judge_template), or_nothing(_text)),
    aspect("triggers", "triggers", lambda one: one.triggers, _any_is_weakest(fewer_is_stricter), listed),
    aspect("runners", "runners", lambda one: one.runners, _any_is_weakest(fewer_is_stricter), listed),
)
KEY: Sequence[Aspect[KeyHolder]] = (aspect("key", "key", lambda one: one.key, differs, str),)
SIGNERS: Mapping[type, Sequence[Aspect[Any]]] = {Keyless: KEYLESS, KeyHolder: KEY}


# --- requirements ----------------------------------------------------------------------------------------------------

_Bounds = Mapping[tuple[str, str], Condition]


def _judge_where(old: Sequence[Condition], new: Sequence[Condition]) -> Way | None:
    """Judge condition by condition, each held against that of its kind at the same path."""
    before, after = _bounds(old), _bounds(new)
    if before is None or after is None:
        return differs(set(old), set(new))
    keys = dict.fromkeys([*before, *after])
    return together(*(_JUDGE_BOUND(before.get(key), after.get(key)) for key in keys))


def _bounds(conditions: Sequence[Condition]) -> _Bounds | None:
    """Return the conditions by path and kind; None where two of one kind are at one path."""
    found = {(one.path, _kind(one)): one for one in conditions}
    return found if len(found) == len(conditions) else None


def _kind(condition: Condition) -> str:
    return next(kind for kind in _KINDS if getattr(condition, kind) is not None)


_KINDS: Mapping[str, Judge[Any]] = {
    "one_of": fewer_is_stricter,
    "none_of": more_is_stricter,
    "at_most": lower_is_stricter,
    "at_least": higher_is_stricter,
}


def _judge_bound(old: Condition, new: Condition) -> Way | None:
    kind = _kind(old)
    found, wanted = getattr(old, kind), getattr(new, kind)
    if isinstance(found, tuple):
        # Python takes 1 for true.
        found, wanted = ([(type(value), value) for value in values] for values in (found, wanted))
    return _KINDS[kind](found, wanted)


_JUDGE_BOUND = nothing_is_weakest(_judge_bound)


def _where(conditions: Sequence[Condition]) -> str:
    return listed(f"{one.path} {_kind(one)} {_bound(getattr(one, _kind(one)))}" for one in conditions)


def _bound(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(str(one) for one in value)
    return format_number(value) if isinstance(value, float) else str(value)


_SOONER: Judge[timedelta] = lower_is_stricter
SIGNATURE: Sequence[Aspect[SignatureRule]] = ()
PROVENANCE: Sequence[Aspect[ProvenanceRule]] = (
    aspect("builder", "builder", lambda one: one.builder, nothing_is_weakest(judge_template), or_nothing(_text)),
)
ATTESTATION: Sequence[Aspect[AttestationRule]] = (
    aspect("predicate_type", "type", lambda one: one.predicate_type, differs, str),
    aspect(
        "newer_than",
        "newer_than",
        lambda one: one.newer_than,
        nothing_is_weakest(_SOONER),
        or_nothing(format_duration),
    ),
    aspect("at", "at", lambda one: one.at, differs, said),
    aspect("where", "where", lambda one: one.where, _judge_where, _where),
)
BUILD: Sequence[Aspect[BuildRule]] = (
    aspect("checks", "names", lambda one: one.checks, more_is_stricter, listed),
    aspect("app", "app", lambda one: one.app, nothing_is_weakest(differs), said),
)
REQUIREMENTS: Mapping[type, Sequence[Aspect[Any]]] = {
    SignatureRule: SIGNATURE,
    ProvenanceRule: PROVENANCE,
    AttestationRule: ATTESTATION,
    BuildRule: BUILD,
}
