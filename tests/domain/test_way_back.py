"""Where a rollback goes back to: a release that has proven itself there, by what Git says of the stage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import NOT_SET, Sha, TagChange, TagHistory
from bot.domain.way_back import WayBack, way_back
from tests.builders import NOON

WATCH = timedelta(hours=1)
HOUR, MINUTES = timedelta(hours=1), timedelta(minutes=5)
LONG = timedelta(days=3)


def history(*stood: tuple[str, timedelta], present: str = "9", before: str | None = None) -> TagHistory:
    """The releases that stood there, oldest first, each with how long; `before` is what the first one replaced."""
    at = NOON - sum((lasted for _, lasted in stood), timedelta())
    changes, old = [], before
    for number, (tag, lasted) in enumerate((*stood, (present, timedelta()))):
        changes.append(TagChange(commit=Sha(f"{number:040x}"), at=at, author="alice", old=old, new=tag))
        at, old = at + lasted, tag
    return TagHistory(head=changes[-1].commit, tag=present, changes=tuple(reversed(changes)), complete=before is None)


def back(tags: TagHistory, *quarantined: str) -> WayBack:
    return way_back("production", tags, WATCH, quarantined)


@pytest.mark.invariant("I4")
@pytest.mark.parametrize(
    ("stood", "quarantined", "tag", "reason"),
    [
        # the one before
        ((("1", LONG), ("2", LONG)), (), "2", ""),
        ((("1", LONG), ("2", WATCH)), (), "2", ""),
        # it had no time to prove itself
        (
            (("1", LONG), ("2", MINUTES)),
            (),
            "1",
            "the last one that has proven itself there: the release before, 2, stood in production for 5m only",
        ),
        # it had, before it came again
        ((("2", LONG), ("1", LONG), ("2", MINUTES)), (), "2", ""),
        # it is quarantined
        (
            (("1", LONG), ("2", LONG)),
            ("2",),
            "1",
            "the last one that has proven itself there: the release before, 2, is quarantined itself",
        ),
        (
            (("1", LONG), ("2", LONG)),
            ("1", "2"),
            None,
            "the release before, 2, is quarantined itself, and no other one before has proven itself there",
        ),
        # the very first one
        ((("1", MINUTES),), (), "1", ""),
        ((("1", MINUTES),), ("1",), None, "the release before, 1, is quarantined itself"),
        # nothing is known
        ((), (), None, "Git does not say which release was in production before"),
        # the present one never counts, however long it stood before
        ((("9", LONG), ("2", LONG)), (), "2", ""),
        ((("9", LONG),), (), None, "Git does not say which release was in production before"),
        # nor does a file that said nothing
        ((("1", LONG), (NOT_SET, LONG)), (), "1", ""),
    ],
)
def test_a_rollback_goes_back_to_the_last_release_that_has_proven_itself(
    stood: Sequence[tuple[str, timedelta]], quarantined: Sequence[str], tag: str | None, reason: str
) -> None:
    assert back(history(*stood), *quarantined) == WayBack(tag=tag, reason=reason)


def test_what_stood_there_before_all_that_was_read_counts_as_proven() -> None:
    assert back(history(("2", MINUTES), before="1")).tag == "1"
    assert back(history(before="1")) == WayBack(tag="1")


def test_where_git_does_not_know_what_was_before_nothing_further_back_is_taken() -> None:
    tags = history(("1", LONG), ("2", LONG))
    newest, *rest = tags.changes
    gap = TagChange(commit=newest.commit, at=newest.at, author="alice", old=None, new=newest.new)
    unknown = TagHistory(head=tags.head, tag=tags.tag, changes=(gap, *rest), complete=True)
    assert back(unknown) == WayBack(tag=None, reason="Git does not say which release was in production before")


TAGS = st.sampled_from(["1", "2", "3", "9"])
STOOD = st.lists(st.tuples(TAGS, st.integers(1, 180).map(lambda n: n * timedelta(minutes=1))), max_size=6)


@pytest.mark.invariant("I4")
@given(STOOD, st.sets(TAGS), st.none() | TAGS)
def test_it_never_goes_to_a_quarantined_release_nor_to_the_present_one_nor_to_one_that_never_stood(
    stood: list[tuple[str, timedelta]], quarantined: set[str], before: str | None
) -> None:
    way = back(history(*stood, before=before), *quarantined)
    if way.tag is None:
        assert way.reason
        return
    assert way.tag not in quarantined
    assert way.tag != "9"
    longest = max((lasted for tag, lasted in stood if tag == way.tag), default=timedelta())
    assert longest >= WATCH or before == way.tag or (stood and stood[0][0] == way.tag)
