"""Which tags of a registry are releases, and which of them is the best: every kind of rule, and what holds for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bot.domain.intake import (
    FollowRule,
    Intake,
    NewestRule,
    PatternRule,
    SemverRule,
    TagRule,
    admits,
    describe,
    parse_constraint,
    parse_template,
    ranked,
    sortable_places,
)
from bot.domain.tags import is_tag

AT = datetime(2026, 11, 29, 14, 25, tzinfo=UTC)
BY_NUMBER = PatternRule(template="main-{number}-{commit}", by="number")
RULES: Sequence[TagRule] = (
    SemverRule(constraint=">=1.4 <2 || 3.x"),
    SemverRule(constraint="*", prereleases=True),
    BY_NUMBER,
    PatternRule(template="{text}-{version}", by="version"),
    PatternRule(template="{time}", by="time"),
    NewestRule(),
    NewestRule(template="main-{commit}"),
    FollowRule(tag="stable"),
)


def semver(constraint: str) -> SemverRule:
    return SemverRule(constraint=constraint)


def with_prereleases(constraint: str) -> SemverRule:
    return SemverRule(constraint=constraint, prereleases=True)


# --- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "within", "without"),
    [
        (">=1.4 <2", "1.4.0 1.4.1 1.10.0", "1.3.9 2.0.0 0.1.0"),
        ("^1.2", "1.2.0 1.99.0", "1.1.9 2.0.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
        ("~1.2", "1.2.0 1.2.9", "1.1.0 1.3.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("1.x", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("1.2.X", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        ("1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("=1.2.3", "1.2.3 v1.2.3", "1.2.2 1.2.4"),
        ("v1.2.3", "1.2.3 v1.2.3", "1.2.2 1.2.4"),
        (">1.2", "1.3.0", "1.2.9"),
        (">1.2.3", "1.2.4", "1.2.3"),
        ("<=1.2", "1.2.9 0.0.0", "1.3.0"),
        ("<1.2.3", "1.2.2", "1.2.3"),
        ("1.2.3 - 1.9", "1.2.3 1.9.9", "1.2.2 1.10.0"),
        ("1.x || >=3.1", "1.5.0 3.1.0 9.0.0", "2.0.0 3.0.9"),
        (">= 1.4  < 2", "1.4.0", "2.0.0"),
        (">=2 <1", "", "0.9.0 1.0.0 1.5.0 2.0.0"),
        ("*", "0.0.0 9.9.9", ""),
        ("x.x", "0.0.0 9.9.9", ""),
        (">=*", "0.0.0 9.9.9", ""),
    ],
)
def test_a_version_is_within_a_range_as_npm_reads_it(constraint: str, within: str, without: str) -> None:
    assert [tag for tag in within.split() if not admits(semver(constraint), tag)] == []
    assert [tag for tag in without.split() if admits(semver(constraint), tag)] == []


@pytest.mark.parametrize(
    ("constraint", "within", "without"),
    [
        (">=1.4 <2", "1.4.1-rc.1 1.5.0-0", "1.4.0-rc.1 2.0.0-rc.1 2.0.0-0 2.0.0"),
        (">=1.4.0-rc.2 <2", "1.4.0-rc.2 1.4.0-rc.10 1.4.0 1.5.0-a", "1.4.0-rc.1 1.3.9 2.0.0-rc.1"),
        ("^1.2", "1.3.0-rc.1", "1.2.0-rc.1 2.0.0-rc.1"),
        ("^1.2.3-rc.1", "1.2.3-rc.1 1.2.3 1.9.0", "1.2.3-beta 1.2.2 2.0.0-rc.1"),
        # The library itself finds nothing within this one.
        ("~1.2.0-rc.1", "1.2.0-rc.1 1.2.0 1.2.9", "1.2.0-beta 1.3.0-rc.1 1.3.0"),
        ("~1.2.0-x.1", "1.2.0-x.1", "1.2.0-x.0"),
        ("1.x", "1.0.1-rc.1 1.9.0-rc.1", "1.0.0-rc.1 2.0.0-rc.1"),
        ("<2.0.0", "1.9.9-rc.1", "2.0.0-rc.1"),
        ("<2.0.0-rc.2", "2.0.0-rc.1 1.9.9", "2.0.0-rc.2 2.0.0"),
        # The library itself lets the release in, which comes after its candidate.
        ("<=1.4.0-rc.1", "1.4.0-rc.1 1.3.0", "1.4.0-rc.2 1.4.0"),
        ("<=1.4.0", "1.4.0-rc.1 1.4.0", "1.4.1-rc.1"),
        (">1.2.3", "1.2.4-rc.1", "1.2.3-rc.1 1.2.3"),
        ("=1.2.3-rc.1", "1.2.3-rc.1 v1.2.3-rc.1", "1.2.3 1.2.3-rc.2"),
        ("1.2.3-rc.1", "1.2.3-rc.1", "1.2.3 1.2.3-rc.2"),
        ("1.2.3-rc.1 - 1.3.0-rc.1", "1.2.3-rc.1 1.3.0-rc.1", "1.3.0"),
        ("*", "0.0.0-dev 1.2.3-rc.1", ""),
    ],
)
def test_a_pre_release_is_within_a_range_by_precedence_but_for_those_of_an_upper_bound(
    constraint: str, within: str, without: str
) -> None:
    assert [tag for tag in within.split() if not admits(with_prereleases(constraint), tag)] == []
    assert [tag for tag in without.split() if admits(with_prereleases(constraint), tag)] == []


@pytest.mark.parametrize("constraint", ["*", ">=1.4.0-rc.1 <2", "1.4.0-rc.1"])
def test_no_pre_release_is_within_a_range_that_was_not_opened_for_them(constraint: str) -> None:
    assert not admits(semver(constraint), "1.4.0-rc.1")


@pytest.mark.parametrize(
    "tag",
    ["1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3_4", "V1.2.3", "vv1.2.3", "latest"],
)
def test_a_tag_that_is_no_semantic_version_is_not_within_any_range(tag: str) -> None:
    assert not admits(with_prereleases("*"), tag)


def test_the_highest_version_comes_first_and_of_equal_ones_that_without_a_v() -> None:
    tags = ["v1.9.0", "1.10.0", "v1.10.0", "1.9.0", "2.0.0", "latest", "v1.4.0"]
    assert ranked(semver(">=1.4 <2"), tags) == ("1.10.0", "v1.10.0", "1.9.0", "v1.9.0", "v1.4.0")


def test_pre_releases_come_in_the_order_of_the_specification() -> None:
    rising = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    falling = ("1.0.0", *(f"1.0.0-{identifiers}" for identifiers in reversed(rising)))
    assert ranked(with_prereleases("*"), sorted(falling)) == falling


IDENTIFIERS = st.one_of(
    st.integers(0, 20).map(str),
    st.from_regex(r"[0-9a-zA-Z-]{0,3}[a-zA-Z-][0-9a-zA-Z-]{0,3}", fullmatch=True),
)
VERSIONS = st.tuples(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)), st.lists(IDENTIFIERS, max_size=3)
)
Version = tuple[tuple[int, int, int], list[str]]


def written(version: Version) -> str:
    numbers, identifiers = version
    return ".".join(map(str, numbers)) + (f"-{'.'.join(identifiers)}" if identifiers else "")


def is_lower(one: Version, other: Version) -> bool:
    """Item 11 of Semantic Versioning 2.0.0, sentence by sentence."""
    if one[0] != other[0]:
        return one[0] < other[0]
    if not one[1] or not other[1]:
        return bool(one[1]) and not other[1]
    for mine, theirs in zip(one[1], other[1], strict=False):
        if mine == theirs:
            continue
        if mine.isdigit() and theirs.isdigit():
            return int(mine) < int(theirs)
        if mine.isdigit() or theirs.isdigit():
            return mine.isdigit()
        return mine < theirs
    return len(one[1]) < len(other[1])


@given(VERSIONS, VERSIONS)
def test_of_any_two_versions_the_one_with_higher_precedence_comes_first(one: Version, other: Version) -> None:
    assume(written(one) != written(other))
    expected = (other, one) if is_lower(one, other) else (one, other)
    assert ranked(with_prereleases("*"), [written(one), written(other)]) == tuple(map(written, expected))


@given(VERSIONS, VERSIONS)
def test_a_version_is_within_a_lower_bound_unless_its_precedence_is_lower(bound: Version, version: Version) -> None:
    assert admits(with_prereleases(f">={written(bound)}"), written(version)) != is_lower(version, bound)
    assert admits(with_prereleases(f"<={written(bound)}"), written(version)) != is_lower(bound, version)


@given(VERSIONS, VERSIONS)
def test_nothing_of_a_version_that_is_shut_out_comes_in_as_its_pre_release(bound: Version, version: Version) -> None:
    final = (bound[0], list[str]())
    expected = is_lower(version, final) and version[0] != bound[0]
    assert admits(with_prereleases(f"<{written(final)}"), written(version)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a", "a - b", "1 - 2 - 3", ">=1 - 2", "1 2 - 3", "1 ||", "|| 1", "x.1", "1.x.3", "1.2-rc", "1.x.0-rc",
        "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+build", "01", "1.2.3.4", "<x", "~*", ">=1, <2", "> =1", ">=", "v",
        "١", "1.2.3-ü", "!=1.2.3", "1" * 19, "1 " * 101,
    ],
)  # fmt: skip
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_constraint(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(">=1.4 <2", ">=1.4 <2"), ("  ^1.2   ||  3.x ", "^1.2 || 3.x"), (">= 1.4", ">= 1.4"), ("1 || " * 39 + "1", None)],
)
def test_a_range_is_taken_with_single_spaces(text: str, expected: str | None) -> None:
    assert parse_constraint(text) == (expected or text)


# --- patterns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "fits", "differs"),
    [
        (
            "main-{number}-{commit}",
            "main-7-0123abc main-000-0123abcdef main-123456789012345678-" + "a" * 64,
            "main-7-0123ab main-7-0123ABC main--0123abc main-7-0123abc- xmain-7-0123abc "
            "main-1234567890123456789-abcdef0 main-7-" + "a" * 65,
        ),
        ("v{version}", "v1.2.3 v0.10.0", "1.2.3 v1.2 v1.2.3-rc.1 v01.2.3 v1.2.3.4"),
        ("{version}-alpine", "1.2.3-alpine", "1.2.3-rc.1-alpine 1.2.3"),
        ("{time}", "20261129 20261129142500", "2026112 202611291425001"),
        ("{text}-{number}", "a-1 a.b_c-d-12", "-1 a- a-1b 12"),
        ("a.b{number}", "a.b1", "axb1"),
    ],
)
def test_a_tag_fits_a_template_as_a_whole(template: str, fits: str, differs: str) -> None:
    assert parse_template(template) == template
    rule = NewestRule(template=template)
    assert [tag for tag in fits.split() if not admits(rule, tag)] == []
    assert [tag for tag in differs.split() if admits(rule, tag)] == []


def test_the_highest_number_comes_first_whatever_stands_beside_it() -> None:
    tags = ["main-9-fffffff", "main-10-0000000", "main-010-aaaaaaa", "release-11-0000000"]
    assert ranked(BY_NUMBER, tags) == ("main-010-aaaaaaa", "main-10-0000000", "main-9-fffffff")


def test_the_highest_version_of_a_form_comes_first() -> None:
    rule = PatternRule(template="{version}-build{number}", by="version")
    assert ranked(rule, ["1.9.0-build7", "1.10.0-build1"]) == ("1.10.0-build1", "1.9.0-build7")


def test_of_two_places_the_one_that_was_named_sorts() -> None:
    tags = ["1.9.0-build7", "1.10.0-build1"]
    rule = PatternRule(template="{version}-build{number}", by="number")
    assert ranked(rule, tags) == ("1.9.0-build7", "1.10.0-build1")


def test_a_date_alone_is_the_beginning_of_its_day() -> None:
    rule = PatternRule(template="{time}", by="time")
    tags = ["20261129", "20261128235959", "202611290001", "20261130"]
    assert ranked(rule, tags) == ("20261130", "202611290001", "20261129", "20261128235959")


@pytest.mark.parametrize(
    "text",
    [
        "", "stable", "{}", "{tag}", "{Number}", "{number", "number}", "{number}{commit}", "{number}{text}",
        "{text}{number}", "{number}0", "{version}1-{commit}", "{time}0", "{commit}dirty", "{text}-{text}",
        "a b{number}", "a/{number}", "ü{number}", "(a|b)*{number}",
        "-{number}", ".{number}", "{number}\n", "{number}" + "-" * 200,
    ],
)  # fmt: skip
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_template(text)


@pytest.mark.parametrize(
    ("template", "places"),
    [
        ("main-{number}-{commit}", ("number",)),
        ("{version}-{time}-{number}", ("version", "time", "number")),
        ("{number}-{number}-{time}", ("time",)),
        ("{text}-{commit}", ()),
    ],
)
def test_tags_can_be_sorted_by_what_a_template_has_once(template: str, places: tuple[str, ...]) -> None:
    assert sortable_places(template) == places


SLOW = [
    "-".join(["{number}"] * 20),
    "{text}-" + "-".join(["{number}"] * 15),
    "{text}0{number}_{number}_{number}",
    "{text}a{commit}-{commit}-{commit}z",
]
HOSTILE = ["0" * 128, "1-" * 64, "a-" * 64, "a" * 128, "0_" * 64, ("1" * 18 + "-") * 6, "-".join(["a" * 20] * 6)]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("template", SLOW)
def test_no_tag_makes_a_template_slow(template: str) -> None:
    rule = NewestRule(template=parse_template(template))
    assert not any(admits(rule, tag) for tag in HOSTILE for _ in range(100))


# --- the newest image, and the tag that moves ------------------------------------------------------------------------


def test_the_newest_image_comes_first_and_of_equals_the_first_by_name() -> None:
    created = {"a": AT, "b": AT + timedelta(hours=1), "d": AT, "gone": AT + timedelta(days=1)}
    assert ranked(NewestRule(), ["d", "c", "b", "a"], created) == ("b", "a", "d")


def test_an_image_that_does_not_say_when_it_was_made_is_never_the_newest() -> None:
    assert ranked(NewestRule(), ["a", "b"]) == ()


def test_of_the_newest_only_tags_of_the_form_are_ranked() -> None:
    created = dict.fromkeys(["main-0123abc", "main-1", "latest"], AT)
    assert ranked(NewestRule(template="main-{commit}"), created, created) == ("main-0123abc",)


def test_whatever_a_moving_tag_points_at_can_be_a_release() -> None:
    rule = FollowRule(tag="stable")
    assert all(admits(rule, tag) for tag in ("stable", "1.2.3", "main-7"))


def test_of_a_moving_tag_only_itself_is_ranked() -> None:
    rule = FollowRule(tag="stable")
    assert ranked(rule, ["1.2.3", "stable", "latest"]) == ("stable",)
    assert ranked(rule, ["1.2.3"]) == ()


# --- all rules -------------------------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 12)
TAGS = st.one_of(
    st.builds("{}{}.{}.0{}".format, st.sampled_from(["", "v"]), NUMBERS, NUMBERS, st.sampled_from(["", "-1", "-rc.1"])),
    st.builds("{}-{}-0123abc".format, st.sampled_from(["main", "x"]), NUMBERS),
    st.builds("{}-{}.0.0".format, st.sampled_from("ab"), NUMBERS),
    st.builds("202611{}{}".format, st.integers(10, 30), st.sampled_from(["", "00", "1425"])),
    st.sampled_from(["main-0123abc", "stable", "latest", ".1.2.3", "a b", "1.2.3\n", "1.2.3+4", "", "x" * 129]),
    st.text(max_size=4),
)
CREATED = st.dictionaries(TAGS, st.integers(0, 3).map(lambda hours: AT + timedelta(hours=hours)), max_size=12)


@st.composite
def listings(draw: st.DrawFn) -> tuple[list[str], list[str], Mapping[str, datetime]]:
    """Tags, the same in another order and some of them twice, and when their images were made."""
    created = draw(CREATED)
    tags = [*created, *draw(st.lists(TAGS, max_size=8))]
    again = draw(st.lists(st.sampled_from(tags), max_size=4)) if tags else []
    return tags, draw(st.permutations([*tags, *again])), created


@pytest.mark.parametrize("rule", RULES, ids=describe)
@given(listing=listings())
def test_the_ranking_does_not_depend_on_the_order_or_on_repetitions(
    rule: TagRule, listing: tuple[list[str], list[str], Mapping[str, datetime]]
) -> None:
    tags, others, created = listing
    assert ranked(rule, tags, created) == ranked(rule, others, created)


@pytest.mark.parametrize("rule", RULES, ids=describe)
@given(listing=listings())
def test_what_is_ranked_was_listed_is_admitted_and_stands_there_once(
    rule: TagRule, listing: tuple[list[str], list[str], Mapping[str, datetime]]
) -> None:
    tags, _, created = listing
    found = ranked(rule, tags, created)
    assert set(found) <= set(tags)
    assert len(set(found)) == len(found)
    assert all(is_tag(tag) and admits(rule, tag) for tag in found)


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, SemverRule | PatternRule)], ids=describe)
@given(tags=st.lists(TAGS, max_size=12))
def test_all_that_is_admitted_is_ranked_where_the_tag_alone_decides(rule: TagRule, tags: list[str]) -> None:
    assert set(ranked(rule, tags)) == {tag for tag in tags if admits(rule, tag)}


@pytest.mark.parametrize("rule", RULES, ids=describe)
@pytest.mark.parametrize("tag", ["", ".1.2.3", "-1", "a b", "1.2.3\n", "20261129\n", "1.2.3+4", "1.2.٣", "1" * 129])
def test_what_is_no_tag_is_never_admitted(rule: TagRule, tag: str) -> None:
    assert not admits(rule, tag)
    assert ranked(rule, [tag], {tag: AT}) == ()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (semver(">=1.4 <2"), "the highest version within >=1.4 <2"),
        (with_prereleases("^1.2"), "the highest version within ^1.2, pre-releases included"),
        (BY_NUMBER, "the tag main-{number}-{commit} with the highest number"),
        (PatternRule(template="r{version}", by="version"), "the tag r{version} with the highest version"),
        (PatternRule(template="{time}", by="time"), "the tag {time} with the latest time"),
        (NewestRule(), "the newest image by its own time of creation"),
        (NewestRule(template="a-{commit}"), "the newest image of the tags a-{commit} by its own time of creation"),
        (FollowRule(tag="stable"), "what the tag stable points at"),
    ],
)
def test_a_rule_says_what_it_looks_for(rule: TagRule, words: str) -> None:
    assert describe(rule) == words


@pytest.mark.parametrize("rule", RULES, ids=describe)
def test_an_intake_that_is_written_down_is_read_back_as_it_was(rule: TagRule) -> None:
    adapter, intake = TypeAdapter(Intake), Intake(rule=rule, every=timedelta(minutes=5))
    assert adapter.validate_json(adapter.dump_json(intake)) == intake


def test_every_kind_of_rule_is_told_apart_by_a_word_of_its_own() -> None:
    assert len({type(rule) for rule in RULES}) == len({rule.kind for rule in RULES}) == len(get_args(TagRule))


def test_the_registry_is_asked_once_a_minute_unless_told_otherwise() -> None:
    assert Intake(rule=NewestRule()).every == timedelta(minutes=1)
