"""Where a stage takes its releases from when no stage is before it: a rule on the tags of the image in its registry.

What enters are the tags that a registry lists; what leaves are those that the rule admits, the best first, whatever the
order they came in. Tags are hostile text: what the OCI grammar does not allow is never admitted, and no rule lets a tag
make the bot slow. Nothing here asks a registry or reads a clock.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, TypeAlias, assert_never

from semantic_version import NpmSpec, Version

from bot.domain.tags import is_tag

REGISTRY = "registry"
"""The `source` of a stage with an intake: no stage has this name."""

_LONGEST = 200
_LITERAL = re.compile(r"[A-Za-z0-9_.-]*")
_PLACE = re.compile(r"\{([a-z]+)\}")
_NUMBER = r"(?:0|[1-9][0-9]{0,17}+)"
_DIGITS, _HEX = frozenset("0123456789"), frozenset("0123456789abcdef")
_PLACES = {
    "number": r"[0-9]{1,18}+",
    "version": rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}",
    "time": r"[0-9]{8,14}+",
    "commit": r"[0-9a-f]{7,64}+",
    "text": r"[A-Za-z0-9_.-]+",
}
_OWN = {"number": _DIGITS, "version": _DIGITS, "time": _DIGITS, "commit": _HEX, "text": frozenset[str]()}
"""What a place may go on with. What stands behind it begins with something else, so that it can end in one way only."""

_VALUES: Mapping[str, Callable[[str], Version | int]] = {
    "number": int,
    "version": Version,
    # A date alone stands for the midnight that it begins with.
    "time": lambda digits: int(digits.ljust(14, "0")),
}
_OF_TWO = {"number": "the highest number", "version": "the highest version", "time": "the latest time"}

_COMPONENT = r"(?:0|[1-9][0-9]{0,17}|[xX*])"
_COMPARATOR = re.compile(
    rf"(?P<sign>>=|<=|[<>=^~]?)v?(?![0-9xX*.]*[xX*]\.[0-9])(?P<numbers>{_COMPONENT}(?:\.{_COMPONENT}){{0,2}})"
    r"(?P<prerelease>-[0-9A-Za-z.-]+)?"
)
_APART = re.compile(r"([<>=^~]) (?=[0-9vxX*])")
_SIGNS = {"<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge, ">": operator.gt}
_EXACT = {"": "==", "=": "==", "^": ">=", "~": ">="}

_Rank: TypeAlias = Version | int | datetime
_Test = Callable[[Version], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SemverRule:
    """Tags that are semantic versions within a range as npm writes it, with or without a leading `v`; highest first.

    Pre-releases count only with `prereleases`: then those that lie within the range by their precedence, except that an
    upper bound `<2.0.0`, written or meant (`<2`, `^1.2`, `1.x`), shuts out the pre-releases of 2.0.0, too. So
    `>=1.4 <2` has `1.5.0-rc.1` in it, and neither `1.4.0-rc.1` nor `2.0.0-rc.1`; `>=1.4.0-rc.1 <2` has the first.
    """

    constraint: str
    prereleases: bool = False
    kind: Literal["semver"] = "semver"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRule:
    """Tags of one form, those first that have most in the place `by`: a `number`, a `version` or a `time`.

    A template is literal text with places: `{number}` is 1 to 18 digits; `{version}` three numbers with dots, and no
    pre-release, since its end could not be told from what follows; `{time}` 8 to 14 digits, a date and as much of a
    time as there is (`20261129`, `20261129142500`); `{commit}` 7 to 64 digits in lower-case hex; `{text}` one character
    or more, whatever a tag may have.
    """

    template: str
    by: str
    kind: Literal["pattern"] = "pattern"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRule:
    """Tags whose image was made last, as the image itself says; with a `template` only tags of that form."""

    template: str | None = None
    kind: Literal["newest"] = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRule:
    """The release that a moving tag points at. That one has any name, so this rule admits all tags."""

    tag: str
    kind: Literal["follow"] = "follow"


TagRule = SemverRule | PatternRule | NewestRule | FollowRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Releases come from the registry, by a rule on tags; it is asked at most once in `every`."""

    rule: TagRule
    every: timedelta = timedelta(minutes=1)


def admits(rule: TagRule, tag: str) -> bool:
    """Say whether a tag can be a release by this rule. What is no tag by the OCI grammar never can."""
    return is_tag(tag) and _reader(rule)(tag) is not None


def ranked(
    rule: TagRule, tags: Iterable[str], created: Mapping[str, datetime] = MappingProxyType({})
) -> tuple[str, ...]:
    """Return the tags that the rule admits, each once, the best first; of equals the first by name.

    So `1.2.3` comes before `v1.2.3`. By `NewestRule` only tags are ranked whose time of creation is known. By
    `FollowRule` only the tag that moves is, if it is there: what it points at is told by digests, not by names.
    """
    read = _reader(rule)
    ranks = {tag: rank for tag in tags if is_tag(tag) and (rank := read(tag)) is not None}
    if isinstance(rule, NewestRule):
        ranks = {tag: created[tag] for tag in ranks if tag in created}
    if isinstance(rule, FollowRule):
        ranks = {tag: rank for tag, rank in ranks.items() if tag == rule.tag}
    # Sorting keeps the order of equals, in reverse, too.
    return tuple(sorted(sorted(ranks), key=ranks.__getitem__, reverse=True))


def describe(rule: TagRule) -> str:
    """Say what the rule looks for, as words that can follow `the newest tag:`."""
    match rule:
        case SemverRule():
            with_them = ", pre-releases included" if rule.prereleases else ""
            return f"the highest version within {rule.constraint}{with_them}"
        case PatternRule():
            return f"the tag {rule.template} with {_OF_TWO[rule.by]}"
        case NewestRule(template=None):
            return "the newest image by its own time of creation"
        case NewestRule():
            return f"the newest image of the tags {rule.template} by its own time of creation"
        case FollowRule():
            return f"what the tag {rule.tag} points at"
        case _:
            assert_never(rule)


def parse_constraint(text: str) -> str:
    """Take a range of versions as npm writes it, of at most 200 characters; return it with single spaces.

    `>=1.4 <2`, `^1.2`, `~1.2`, `1.x`, `1.2.3 - 1.9`, `1.x || >=3`. Raise ValueError for anything else.
    """
    if len(text) > _LONGEST or not text.isascii():
        raise ValueError(text)
    _ranges(text)
    return " ".join(text.split())


def parse_template(text: str) -> str:
    """Take a template of tags, of at most 200 characters and with a place; raise ValueError for anything else.

    Places stand apart: between two is literal text, and what follows a place does not go on with its characters, as a
    digit behind `{number}` would. So there is one way at most to read a tag, but for where `{text}` ends; and of that
    there is one in a template.
    """
    first, *rest = _PLACE.split(text)
    places, literals = rest[::2], rest[1::2]
    if len(text) > _LONGEST or not places or first.startswith((".", "-")):
        raise ValueError(text)
    if not all(_LITERAL.fullmatch(literal) for literal in (first, *literals)) or not all(literals[:-1]):
        raise ValueError(text)
    if not _PLACES.keys() >= set(places) or places.count("text") > 1:
        raise ValueError(text)
    if any(literal[:1] in _OWN[place] for place, literal in zip(places, literals, strict=True)):
        raise ValueError(text)
    return text


def sortable_places(template: str) -> tuple[str, ...]:
    """Return the places of a template that tags can be sorted by: numbers, versions and times that it has once."""
    places = _PLACE.findall(template)
    return tuple(place for place in places if place in _VALUES and places.count(place) == 1)


def _reader(rule: TagRule) -> Callable[[str], _Rank | None]:
    """Return what gives a tag its rank, and None to one that is not admitted."""
    match rule:
        case SemverRule():
            return _version_reader(rule)
        case PatternRule():
            return _place_reader(rule)
        case NewestRule(template=str(template)):
            pattern = _compiled(template)
            return lambda tag: 0 if pattern.match(tag) else None
        case NewestRule() | FollowRule():
            return lambda _: 0
        case _:
            assert_never(rule)


# --- templates -------------------------------------------------------------------------------------------------------


def _place_reader(rule: PatternRule) -> Callable[[str], _Rank | None]:
    pattern, value = _compiled(rule.template, by=rule.by), _VALUES[rule.by]

    def read(tag: str) -> _Rank | None:
        found = pattern.match(tag)
        return None if found is None else value(found[1])

    return read


def _compiled(template: str, *, by: str | None = None) -> re.Pattern[str]:
    """Return the pattern of a template; its one group is the place `by`."""
    first, *rest = _PLACE.split(template)
    places = (f"({_PLACES[name]})" if name == by else _PLACES[name] for name in rest[::2])
    behind = (place + re.escape(literal) for place, literal in zip(places, rest[1::2], strict=True))
    return re.compile(re.escape(first) + "".join(behind) + r"\Z")


# --- versions --------------------------------------------------------------------------------------------------------


def _version_reader(rule: SemverRule) -> Callable[[str], _Rank | None]:
    ranges = _ranges(rule.constraint)

    def read(tag: str) -> _Rank | None:
        try:
            version = Version(tag.removeprefix("v"))
        except ValueError:
            return None
        if version.prerelease and not rule.prereleases:
            return None
        return version if any(all(test(version) for test in tests) for tests in ranges) else None

    return read


def _ranges(constraint: str) -> tuple[tuple[_Test, ...], ...]:
    """Return the tests of each range between `||`; a version is within if it passes all of one."""
    return tuple(tuple(_tests(" ".join(part.split()))) for part in constraint.split("||"))


def _tests(text: str) -> Iterator[_Test]:
    low, hyphen, high = text.partition(" - ")
    comparators = [f">={low}", f"<={high}"] if hyphen else _APART.sub(r"\1", text).split(" ")
    for comparator in comparators:
        for sign, bound in _bounds(comparator):
            yield _test(sign, bound)


def _test(sign: str, bound: Version) -> _Test:
    holds = _SIGNS[sign]
    # 2.0.0-0 is the first pre-release of 2.0.0: all of them are as far out as 2.0.0 itself.
    limit = Version(f"{bound}-0") if sign == "<" and not bound.prerelease else bound
    return lambda version: bool(holds(version, limit))


def _bounds(comparator: str) -> Iterator[tuple[str, Version]]:
    """Return what a comparator comes to, such as `>=1.2.0` and `<2.0.0` for `^1.2`.

    The library knows the signs, but not pre-releases: with it `1.2.0` is within `<=1.2.0-rc.1`, and nothing is within
    `~1.2.0-rc.1`. So it is never shown one.
    """
    found = _COMPARATOR.fullmatch(comparator)
    if found is None:
        raise ValueError(comparator)
    sign, numbers, prerelease = found["sign"], found["numbers"], found["prerelease"]
    if prerelease is not None:
        yield _EXACT.get(sign, sign), Version(f"{numbers}{prerelease}")
    elif numbers[0] in "xX*" and sign in ("", "=", ">="):
        return  # Any version, and any pre-release: 0.0.0-dev would be below the library's 0.0.0.
    if prerelease is None or sign in ("^", "~"):
        for part in NpmSpec(f"{sign}{numbers}").clause:
            if prerelease is None or part.operator != ">=":
                yield part.operator, part.target
