"""What the bot may ask of GitHub: the sums, the queue of writes, and the answers that cost nothing."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.github.answers import NotThere
from bot.adapters.github.asking import Read
from bot.adapters.github.budget import CREATE, MUTATION, QUERY, READ, WRITE, Allowance, Budget, Cost, Delay, Right
from bot.adapters.github.cache import AnswerCache, CacheKey, Kept, asker_of
from bot.adapters.github.writes import Patience, WriteQueue
from bot.domain.authority import Permission
from bot.domain.pulls import MergeMethod
from bot.forge import MergeOrder, MergeText, PullText, Urgency
from bot.ports import Transient
from tests.adapters.githubparts import BAD_GATEWAY, BRANCH, HEAD, REPO, Parts, Seconds, once, parts_for, settings_for
from tests.adapters.githubserver import FakeGitHub, fake_github

RESET = "1772367600"  # 20 minutes after the tests' noon
LITTLE = {"X-RateLimit-Limit": "5000", "X-RateLimit-Reset": RESET, "X-RateLimit-Resource": "core"}


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


# --- the sums --------------------------------------------------------------------------------------------------------


def spend(budget: Budget, cost: Cost, times: int, *, now: float = 0.0) -> None:
    for _ in range(times):
        budget.note_sent(cost, now=now)


# 80 a minute, 500 an hour, 900 points a minute; four fifths of each for all, the rest for a rollback.
@pytest.mark.parametrize(
    ("cost", "times", "right", "waits"),
    [
        (CREATE, 63, Right.WRITE, False),
        (CREATE, 64, Right.WRITE, True),
        (CREATE, 64, Right.ROLLBACK, False),
        (CREATE, 79, Right.ROLLBACK, False),
        (CREATE, 80, Right.ROLLBACK, True),
        (WRITE, 143, Right.WRITE, False),
        (WRITE, 144, Right.WRITE, True),
        (WRITE, 144, Right.ROLLBACK, False),
        (READ, 719, Right.READ, False),
        (READ, 720, Right.READ, True),
        (READ, 720, Right.VITAL, False),
        (READ, 809, Right.VITAL, False),
        (READ, 810, Right.VITAL, True),
        (READ, 810, Right.ROLLBACK, False),
        (QUERY, 1600, Right.READ, True),
        (MUTATION, 319, Right.WRITE, False),
    ],
)
def test_each_limit_has_a_reserve_for_a_rollback(cost: Cost, times: int, right: Right, waits: bool) -> None:
    budget = Budget()
    spend(budget, cost, times)
    delay = budget.delay(cost, right, now=1.0)
    assert (delay.seconds > 0) == waits
    assert not waits or delay.seconds == pytest.approx(59.0)


def test_five_hundred_an_hour_is_a_limit_of_its_own() -> None:
    budget = Budget()
    for minute in range(10):
        spend(budget, CREATE, 40, now=minute * 61.0)
    delay = budget.delay(CREATE, Right.WRITE, now=610.0)
    assert delay.seconds == pytest.approx(3600 - 610)
    assert delay.reason == "400 of the 400 content-creating requests an hour that it may use are used"
    assert budget.delay(CREATE, Right.ROLLBACK, now=610.0).seconds == 0
    assert budget.delay(WRITE, Right.WRITE, now=610.0).seconds == 0


# Of 5,000 an hour, reads leave 500, writes 250 and what a merge looks at 50; a rollback goes on to the last.
@pytest.mark.parametrize(
    ("left", "allowed"),
    [
        (501, {Right.READ, Right.WRITE, Right.VITAL, Right.ROLLBACK}),
        (500, {Right.WRITE, Right.VITAL, Right.ROLLBACK}),
        (250, {Right.VITAL, Right.ROLLBACK}),
        (51, {Right.VITAL, Right.ROLLBACK}),
        (50, {Right.ROLLBACK}),
        (1, {Right.ROLLBACK}),
        (0, set()),
    ],
)
def test_the_limit_of_the_hour_is_kept_for_what_matters_more(left: int, allowed: set[Right]) -> None:
    budget = Budget()
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": str(left), "x-ratelimit-resource": "core"}
    budget.note_answer(headers, now=0.0, until_reset=600.0)
    assert {right for right in Right if budget.delay(READ, right, now=1.0).seconds == 0} == allowed
    assert budget.delay(QUERY, Right.READ, now=1.0).seconds == 0
    assert budget.delay(READ, Right.READ, now=600.0).seconds == 0


@given(times=st.lists(st.floats(min_value=0, max_value=200), max_size=60), now=st.floats(min_value=200, max_value=300))
def test_after_the_delay_a_request_fits_and_before_it_does_not(times: list[float], now: float) -> None:
    budget = Budget(Allowance(content_minute=10, content_hour=20, reserve=0.0))
    for at in sorted(times):
        budget.note_sent(CREATE, now=at)
    delay = budget.delay(CREATE, Right.WRITE, now=now)
    if delay.seconds > 0.01:
        assert budget.delay(CREATE, Right.WRITE, now=now + delay.seconds - 0.005).seconds > 0
    assert budget.delay(CREATE, Right.WRITE, now=now + delay.seconds).seconds <= 0.0011


# --- the queue -------------------------------------------------------------------------------------------------------


def queue_with(budget: Budget, seconds: Seconds, *, pause: float = 1.0) -> WriteQueue:
    return WriteQueue(budget, Patience(pause=timedelta(seconds=pause)), seconds.pacing)


def test_writes_keep_a_second_between_them() -> None:
    seconds = Seconds()
    queue = queue_with(Budget(), seconds)
    for _ in range(3):
        with queue.turn(Urgency.TELL, WRITE, "write"):
            seconds.now += 0.25
    assert seconds.slept == [1.0, 1.0]


def test_the_most_urgent_goes_first_and_equals_in_their_order() -> None:
    seconds, done = Seconds(), []
    queue = queue_with(Budget(), seconds, pause=0.0)

    def work(name: str, urgency: Urgency) -> None:
        with queue.turn(urgency, WRITE, name):
            done.append(name)

    asked = [
        ("tell", Urgency.TELL),
        ("open", Urgency.PROPOSE),
        ("tell again", Urgency.TELL),
        ("back", Urgency.ROLLBACK),
    ]
    threads = []
    with queue.turn(Urgency.TELL, WRITE, "first"):
        for number, (name, urgency) in enumerate(asked, start=1):
            threads.append(threading.Thread(target=work, args=(name, urgency)))
            threads[-1].start()
            while queue.length < number:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert done == ["back", "open", "tell", "tell again"]
    assert queue.length == 0


def test_a_sweep_that_has_told_for_long_waits_for_no_more_of_it_and_the_next_one_does() -> None:
    seconds = Seconds()
    queue = WriteQueue(Budget(), Patience(telling=timedelta(seconds=2.5)), seconds.pacing)

    said = []

    def writes(urgency: Urgency) -> bool:
        try:
            with queue.turn(urgency, WRITE, "comment"):
                return True
        except Transient as error:
            said.append(error.sentence)
            return False

    queue.begin_sweep()
    assert [writes(Urgency.TELL) for _ in range(5)] == [True, True, True, False, False]
    assert seconds.slept == [1.0, 1.0]
    assert [writes(urgency) for urgency in (Urgency.MERGE, Urgency.ROLLBACK)] == [True, True]
    queue.begin_sweep()
    assert writes(Urgency.TELL)
    seconds.now += 60
    # What need not wait is never put off.
    assert [writes(Urgency.TELL) for _ in range(2)] == [True, False]
    assert set(said) == {"did not comment yet: its turn did not come; it is tried again in 1 s"}


def test_no_two_writes_are_sent_at_once() -> None:
    queue = queue_with(Budget(), Seconds(), pause=0.0)
    inside, most = [0], [0]

    def work() -> None:
        with queue.turn(Urgency.TELL, READ, "write"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            threading.Event().wait(0.001)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_write_waits_a_little_for_the_budget_and_is_refused_with_the_figures_beyond_that() -> None:
    seconds, budget = Seconds(), Budget()
    spend(budget, CREATE, 64, now=seconds.now)
    queue = queue_with(budget, seconds, pause=0.0)
    seconds.now += 56
    with queue.turn(Urgency.TELL, CREATE, "comment"):
        assert seconds.slept == [pytest.approx(4.0)]
    spend(budget, CREATE, 63, now=seconds.now)
    spend(budget, CREATE, 1, now=seconds.now)
    with pytest.raises(Transient) as caught, queue.turn(Urgency.TELL, CREATE, "comment"):
        pass
    sentence = (
        "did not comment yet: 64 of the 64 content-creating requests a minute that it may use are used; it is tried"
    )
    assert caught.value.sentence == f"{sentence} again in 60 s"
    assert caught.value.retry_after == timedelta(seconds=60)
    assert budget.report(now=seconds.now)["writes_refused"] == 1
    with queue.turn(Urgency.ROLLBACK, CREATE, "revert"):
        assert len(seconds.slept) == 1


def test_the_one_whose_turn_it_is_gives_up_in_time_as_well() -> None:
    # What is left of the hour may shrink with every answer that others read: each short wait ends in another one.
    seconds = Seconds()

    class Shrinking(Budget):
        def delay(self, cost: Cost, right: Right, *, now: float) -> Delay:
            return Delay(seconds=4.0, reason="others used it up")

    queue = queue_with(Shrinking(), seconds, pause=0.0)
    with pytest.raises(Transient, match="others used it up"), queue.turn(Urgency.TELL, CREATE, "comment"):
        pass
    assert sum(seconds.slept) <= 60


def test_a_rollback_waits_longer_than_others() -> None:
    seconds, budget = Seconds(), Budget()
    spend(budget, CREATE, 80, now=seconds.now)
    queue = queue_with(budget, seconds, pause=0.0)
    seconds.now += 35
    with pytest.raises(Transient), queue.turn(Urgency.MERGE, CREATE, "merge"):
        pass
    with queue.turn(Urgency.ROLLBACK, CREATE, "revert"):
        assert seconds.slept == [pytest.approx(25.0)]


def test_a_write_that_fails_lets_the_next_one_in() -> None:
    queue = queue_with(Budget(), Seconds())
    with pytest.raises(ZeroDivisionError), queue.turn(Urgency.TELL, WRITE, "x"):
        raise ZeroDivisionError
    with queue.turn(Urgency.TELL, WRITE, "y"):
        assert queue.length == 0


# --- through the adapter ---------------------------------------------------------------------------------------------


def test_what_is_left_is_read_from_the_answers_and_reads_stop_before_it_is_gone(
    parts: Parts, github: FakeGitHub
) -> None:
    github.headers = {**LITTLE, "X-RateLimit-Remaining": "400"}
    with pytest.raises(NotThere):
        parts.clients.read(REPO, Read(path="/repos/acme/none", tried="look"), lambda answer: answer)
    with pytest.raises(Transient, match="400 of 5000 REST requests of the hour are left, and 500 are kept") as caught:
        parts.signals.pulls_of(REPO, HEAD)
    assert caught.value.retry_after == timedelta(minutes=20)
    github.add_pull(BRANCH)
    order = MergeOrder(number=1, head=HEAD, method=MergeMethod.MERGE, text=MergeText(title="t", message="m"))
    assert parts.merging.merge_promotion(REPO, order) == "c" * 40
    parts.seconds.now += 1200
    github.headers = {}
    parts.signals.pulls_of(REPO, HEAD)


def test_what_a_person_may_do_is_found_out_also_when_others_have_used_what_they_may(
    parts: Parts, github: FakeGitHub
) -> None:
    # It may be a rollback that is commanded.
    budget = parts.clients._account(REPO).budget
    spend(budget, READ, 720, now=parts.seconds.now)
    with pytest.raises(Transient, match="720 of the 720 REST points a minute"):
        parts.signals.pulls_of(REPO, HEAD)
    github.permissions["dana"] = {"permission": "write", "role_name": "write", "user": {"id": 11, "login": "dana"}}
    assert parts.conversation.permission_of(REPO, 11, "dana") is Permission.WRITE


def test_comments_leave_a_rollback_what_it_needs(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH)
    mine = github.add_comment(1, "lift-bot", "<!-- m -->\nsame")
    left = iter(range(300, -1, -1))

    def count_down(method: str, path: str) -> None:
        github.headers = {**LITTLE, "X-RateLimit-Remaining": str(next(left))}

    github.after = count_down
    for _ in range(50):
        parts.conversation.write_comment(REPO, 1, marker="m", body="same", known=mine["id"])
    with pytest.raises(Transient, match="250 of 5000 REST requests of the hour are left, and 250 are kept for merges"):
        parts.conversation.write_comment(REPO, 1, marker="m", body="same", known=mine["id"])
    with pytest.raises(Transient, match="are kept for merges"):
        parts.forge.edit_promotion(REPO, 1, "x")
    github.branches["liftlock/back"] = HEAD
    github.after = once(BAD_GATEWAY, "POST", "/pulls")
    text = PullText(branch="liftlock/back", base="main", title="t", body="b", urgency=Urgency.ROLLBACK)
    assert parts.forge.open_promotion(REPO, text).number == 2


def test_a_secondary_limit_silences_the_bot_for_as_long_as_github_asked(parts: Parts, github: FakeGitHub) -> None:
    message = "You have exceeded a secondary rate limit."
    github.before = lambda method, path: (403, {"message": message}, {"Retry-After": "90"})
    with pytest.raises(Transient):
        parts.forge.delete_branch(REPO, BRANCH)
    github.requests.clear()
    github.before = lambda method, path: None
    with pytest.raises(Transient, match="GitHub asked to be left alone") as caught:
        parts.forge.look_at(REPO, "main", [])
    assert (caught.value.retry_after, github.requests) == (timedelta(seconds=90), [])
    parts.seconds.now += 90
    parts.forge.look_at(REPO, "main", [])


def test_the_report_tells_what_was_used(parts: Parts, github: FakeGitHub) -> None:
    github.headers = {**LITTLE, "X-RateLimit-Remaining": "4000"}
    github.has_etags = True
    github.branches[BRANCH] = HEAD
    first = parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None)
    parts.conversation.write_comment(REPO, 1, marker="m", body="y", known=first)
    parts.forge.look_at(REPO, "main", [])
    report = parts.clients.report()["token"]
    assert report == {
        "rest_requests": 6.0,
        "graphql_requests": 1.0,
        "graphql_points": 1.0,
        "not_modified": 0.0,
        "writes_refused": 0.0,
        "rest_points_minute": 14.0,
        "content_minute": 1.0,
        "content_hour": 1.0,
        "requests_remaining": 4000.0,
        "writes_waiting": 0.0,
    }


# --- what costs nothing ----------------------------------------------------------------------------------------------


def test_an_unchanged_answer_is_asked_for_by_its_etag_and_used_again(parts: Parts, github: FakeGitHub) -> None:
    github.has_etags = True
    for n in range(150):
        github.add_comment(1, "dana", f"comment {n}")
    mine = github.add_comment(1, "lift-bot", "<!-- m -->\nx")
    for _ in range(3):
        assert parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None) == mine["id"]
    assert parts.clients.report()["token"]["not_modified"] == 4
    mine["body"] = "<!-- m -->\nother"
    parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None)
    assert mine["body"] == "<!-- m -->\nx"


def test_a_further_page_is_found_although_the_one_before_it_is_unchanged(parts: Parts, github: FakeGitHub) -> None:
    github.has_etags = True
    for n in range(100):
        github.add_comment(1, "dana", f"comment {n}")
    github.after = once(BAD_GATEWAY, "POST", "/comments")
    parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None)
    parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None)
    assert len(github.comments) == 101
    assert parts.clients.report()["token"]["not_modified"] >= 2


def test_another_token_gets_no_answer_of_the_first(github: FakeGitHub) -> None:
    key = CacheKey(asker=asker_of("one"), url="/x", accept="a")
    cache = AnswerCache(10_000)
    cache.keep(key, Kept(etag="e", body="b", link=""))
    assert cache.find(key) is not None
    assert cache.find(CacheKey(asker=asker_of("two"), url="/x", accept="a")) is None
    assert "one" not in repr(key)


@given(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=600)), max_size=40))
def test_the_cache_never_holds_more_than_it_may(kept: list[tuple[int, str]]) -> None:
    cache = AnswerCache(3000)
    for number, body in kept:
        key = CacheKey(asker="a", url=str(number), accept="a")
        cache.keep(key, Kept(etag="e", body=body, link=""))
        assert cache.size <= 3000
        found = cache.find(key)
        assert found is None or found.body == body


def test_the_least_used_answer_goes_first() -> None:
    cache = AnswerCache(3000)
    keys = [CacheKey(asker="a", url=str(n), accept="a") for n in range(3)]
    for key in keys[:2]:
        cache.keep(key, Kept(etag="e", body="x" * 500, link=""))
    cache.find(keys[0])
    cache.keep(keys[2], Kept(etag="e", body="x" * 500, link=""))
    assert [cache.find(key) is not None for key in keys] == [True, False, True]


def test_small_answers_with_long_addresses_are_counted_as_what_they_take() -> None:
    cache = AnswerCache(1_000_000_000)
    tracemalloc.start()
    try:
        for n in range(2000):
            key = CacheKey(asker=asker_of("t"), url=f"/repos/acme/deploy/commits/{n:040x}/statuses", accept="a")
            cache.keep(key, Kept(etag=f"{n:064x}", body="[]", link=f"<page {n}>"))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken <= cache.size <= 2 * taken


def test_writes_keep_their_pause_across_threads(github: FakeGitHub) -> None:
    at: list[float] = []
    settings = settings_for(github, write_pause=timedelta(seconds=1))
    with parts_for(github, settings=settings) as parts:
        github.before = lambda method, path: at.append(parts.seconds.now) if method == "DELETE" else None
        branches = [f"liftlock/{n}" for n in range(4)]
        threads = [threading.Thread(target=parts.forge.delete_branch, args=(REPO, branch)) for branch in branches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(at))
    assert len(at) == 4
