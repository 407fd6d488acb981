"""Where a first stage takes its releases from: `releases` of a stage, read into a rule on the registry's tags."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.domain.intake import (
    REGISTRY,
    FollowRule,
    Intake,
    NewestRule,
    PatternRule,
    SemverRule,
    TagRule,
    parse_constraint,
    parse_template,
    sortable_places,
)
from bot.domain.tags import is_tag
from bot.domain.text import join_words, parse_duration
from bot.policy.grammar import A_DURATION
from bot.policy.reading import Section, one_of

_MINUTE = timedelta(minutes=1)
_SOONEST, _LATEST = timedelta(seconds=10), timedelta(days=1)
_ANY = "any"
_A_RANGE = "a range of versions such as >=1.4 <2, ^1.2, ~1.2, 1.x or 1.2.3 - 1.9"
_A_TEMPLATE = (
    "the form of a tag, such as main-{number}-{commit}: {number}, {version}, {time}, {commit} and one {text}, "
    "with text between them that they could not go on with"
)


def read_intake(section: Section) -> Intake | None:
    """Read `releases` of a stage, which `from: registry` needs and nothing else has.

    None where there is none, or its faults leave nothing to go by.
    """
    source, releases = section.get("from"), section.get("releases")
    if source is None or source.text != REGISTRY:
        if releases is not None:
            section.faults.note(releases, section.at("releases"), "it", "it only beside from: registry")
        return None
    inner = section.section("releases", required=True)
    return None if inner is None else _intake(inner)


def _intake(section: Section) -> Intake | None:
    rule = _rule(section)
    every = section.read("every", _parse_every, f"{A_DURATION}, from 10s to 1d", default=_MINUTE)
    section.finish()
    return None if rule is None or every is None else Intake(rule=rule, every=every)


def _rule(section: Section) -> TagRule | None:
    kinds: dict[str, Callable[[Section], TagRule | None]] = {
        "semver": _semver,
        "pattern": _pattern,
        "newest": _newest,
        "follow": _follow,
    }
    found = [kind for kind in kinds if section.get(kind) is not None]
    _refuse_beside_others(section, "prereleases", "semver")
    _refuse_beside_others(section, "by", "pattern")
    if len(found) != 1:
        what = join_words(found) or "none of them"
        section.faults.note(section.value, section.path, what, f"exactly one of {', '.join(kinds)}")
        return None
    return kinds[found[0]](section)


def _refuse_beside_others(section: Section, key: str, kind: str) -> None:
    value = section.get(key)
    if value is not None and section.get(kind) is None:
        section.faults.note(value, section.at(key), f"it without {kind}", f"it only beside {kind}")


def _semver(section: Section) -> TagRule | None:
    constraint = section.read("semver", parse_constraint, _A_RANGE)
    lets_in = section.read("prereleases", one_of(("true", "false")), "true or false", default="false")
    return None if constraint is None else SemverRule(constraint=constraint, prereleases=lets_in == "true")


def _pattern(section: Section) -> TagRule | None:
    template = section.read("pattern", parse_template, _A_TEMPLATE)
    if template is None:
        return None
    places = sortable_places(template)
    if not places:
        expected = "{number}, {version} or {time} in it once, to sort by"
        section.faults.note(section.entries["pattern"], section.at("pattern"), f'"{template}"', expected)
        return None
    default = places[0] if len(places) == 1 else None
    by = section.read("by", one_of(places), f"what to sort by: {' or '.join(places)}", default=default)
    return None if by is None else PatternRule(template=template, by=by)


def _newest(section: Section) -> TagRule | None:
    template = section.read("newest", _parse_newest, f"{_ANY}, or {_A_TEMPLATE}")
    return None if template is None else NewestRule(template=None if template == _ANY else template)


def _follow(section: Section) -> TagRule | None:
    tag = section.read("follow", _parse_tag, "a tag that moves, such as stable")
    return None if tag is None else FollowRule(tag=tag)


def _parse_newest(text: str) -> str:
    return text if text == _ANY else parse_template(text)


def _parse_tag(text: str) -> str:
    if not is_tag(text):
        raise ValueError(text)
    return text


def _parse_every(text: str) -> timedelta:
    every = parse_duration(text)
    if not _SOONEST <= every <= _LATEST:
        raise ValueError(text)
    return every
