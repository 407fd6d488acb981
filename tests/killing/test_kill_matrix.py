"""The bot is killed at every place where it writes something, and started again: in the end all is as without it (I9).

Each story is played once to find its places. Then it is played in fresh worlds in which the bot dies at some of them,
in every other sweep at most, so that each new process also goes on by what it remembers; until it died at each.
"""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import takewhile

import pytest

from tests.killing.stories import STORIES, Played

EVERY = int(os.environ.get("LIFTLOCK_KILL_EVERY", "8"))
"""Of each part, every so many places are tried: all of them by `make kill-matrix`, which takes some minutes."""
PARTS = 8 if EVERY == 1 else 4
"""The places are dealt out to so many tests, so that they run side by side. A play takes in several of them."""


Whole = Callable[[str], Played]
"""Gives a story by its name, as it goes when nobody kills the bot."""


@pytest.fixture(scope="module", name="whole")
def fixture_whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Play each story once, in whichever process first needs it: the others wait for it."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    @cache
    def whole(name: str) -> Played:
        with (folder / f"{name}.played").open("a+b") as kept:
            fcntl.flock(kept, fcntl.LOCK_EX)
            kept.seek(0)
            if content := kept.read():
                played: Played = pickle.loads(content)  # noqa: S301 (this very run wrote it)
                return played
            played = Played(STORIES[name], {})
            kept.write(pickle.dumps(played))
        return played

    return whole


def _first_of_its_own(whole: Whole, name: str) -> int:
    """Return the number of the first sweep in which a story is not as one before it in the list.

    Until then both are the same sweeps of the same world, and each place in them is tried in the first story.
    """
    before = list(STORIES)[: list(STORIES).index(name)]
    return max((_alike(whole(other), whole(name)) for other in before), default=0)


def _alike(one: Played, other: Played) -> int:
    together = zip(one.places, other.places, strict=False)
    return len(list(takewhile(lambda places: places[0] == places[1], together)))


class Matrix:
    """The places of a part of a story that are still to be tried: of each sweep, which of its places, from 1."""

    def __init__(self, reference: Played, *, first: int, part: int, every: int) -> None:
        own = [
            (sweep, place)
            for sweep, places in enumerate(reference.places)
            for place in range(1, len(places) + 1)
            if sweep >= first
        ]
        self.left: dict[int, list[int]] = {}
        for sweep, place in own[part :: PARTS * every]:
            self.left.setdefault(sweep, []).append(place)

    def __len__(self) -> int:
        return sum(map(len, self.left.values()))

    def plans(self) -> Iterator[Mapping[int, int]]:
        """Yield the places to die at in the next play, until none is left.

        A place that the play did not come to, for an earlier death in it, comes again as the first one of a later play.
        """
        while self.left:
            most = max(self.left, key=lambda sweep: len(self.left[sweep]))
            yield {sweep: places[0] for sweep, places in sorted(self.left.items()) if sweep % 2 == most % 2}

    def tried(self, sweep: int) -> None:
        """The bot died at the first place that was left in that sweep."""
        self.left[sweep].pop(0)
        self.left = {sweep: places for sweep, places in self.left.items() if places}


def _wrong(reference: Played, played: Played) -> Mapping[str, object]:
    """What a play came to that is not as it was when nobody killed the bot."""
    found = {key: played.end[key] for key, value in reference.end.items() if played.end[key] != value}
    # One that died sweeps once more, and may be a step ahead by that: never before the window is over, and never late.
    if not reference.story.free_in <= played.promoted_in <= reference.promoted_in:
        found["promoted in sweep"] = played.promoted_in
    return found


def _deaths(reference: Played, played: Played) -> str:
    return ", ".join(
        f"sweep {sweep} place {played.deadly[sweep]} ({reference.places[sweep][played.deadly[sweep] - 1]})"
        for sweep in played.killed
    )


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_it_should_when_nobody_kills_the_bot(whole: Whole, name: str) -> None:
    story, played = STORIES[name], whole(name)
    pulls, comments, messages = (str(played.end[key]) for key in ("pull requests", "comments", "messages"))
    assert [pulls.count(f"'{word} ") for word in ("Promote", "Revert")] == [
        story.pulls.count(word) for word in ("Promote", "Revert")
    ]
    assert 'tag: "1.8.2"' in str(played.end["files"])
    assert messages.count("Promote checkout to production: 1.8.2 -> 1.9.0 (#1)") == 1
    assert messages.count("Revert ") >= 1
    assert comments.count("<!-- liftlock:evidence -->\\n**Rolled back.**") == 1
    assert str(played.end["reactions"]).count("+1") == len(story.said)
    assert sum(map(len, played.places)) > 100


@pytest.mark.invariant("I9")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", STORIES)
def test_killed_at_any_place_where_it_writes_it_comes_to_the_same_end(
    whole: Whole, name: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    reference, wrong, plays = whole(name), [], 0
    matrix = Matrix(reference, first=_first_of_its_own(whole, name), part=part, every=EVERY)
    record_property("places of the kill matrix", len(matrix))
    for deadly in matrix.plans():
        played = Played(STORIES[name], deadly)
        plays += 1
        assert min(deadly) in played.killed, f"sweep {min(deadly)} did not come to place {deadly[min(deadly)]}"
        for sweep in played.killed:
            matrix.tried(sweep)
        if found := _wrong(reference, played):
            wrong.append((_deaths(reference, played), found))
    record_property("plays of the kill matrix", plays)
    assert wrong == []
