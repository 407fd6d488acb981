"""Who counts as having approved a release, and what becomes of one that lacks approvals.

| an approval                                             | counts                                            |
|---------------------------------------------------------|---------------------------------------------------|
| a review or a command, at the present head              | yes; both of one account once                     |
| at another head                                         | no                                                |
| by an app, by an account that is gone                   | no                                                |
| before the release was rejected                         | no                                                |
| before the policy in force was                          | no                                                |
| before the release had passed                           | not with `after-window`                           |
| followed by a request for changes                       | no                                                |
| by somebody who is not named, or may not write          | no                                                |
| by who wrote a source commit                            | not with `four_eyes`                              |
| by somebody who could not be looked up                  | no, and that is told                              |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import (
    Approving,
    Ballot,
    Tally,
    Voter,
    Writer,
    Writers,
    sentence_of,
    still_missing,
    tally_of,
    voters_of,
)
from bot.domain.authority import Permission
from bot.domain.commands import Verb
from bot.domain.model import Trouble
from bot.domain.orders import Order, Standing
from bot.domain.policy import Approvals, ApprovedWhen
from bot.domain.pulls import Review, Reviews
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    a_pull,
    sha,
)

NOW, SECOND = NOON + 40 * MINUTE, timedelta(seconds=1)
ENDS = NOON + 32 * MINUTE + 5 * SECOND
"""When staging's window has ended: it was live five seconds past noon."""
RELEASE_TEAM = "@acme/release"
DANA, ERIN, EVE = 11, 12, 13
LOGINS = {DANA: "dana", ERIN: "erin", EVE: "eve"}
DOWN = Trouble(system="GitHub", sentence="it did not answer within 10 s")


def a_review(who: int = DANA, at: datetime = NOW - MINUTE, **changes: object) -> Review:
    return replace(
        Review(by_id=who, by=LOGINS.get(who, "someone"), at=at, head=HEAD),
        **changes,  # type: ignore[arg-type]  # a test names only what it changes
    )


def a_command(by: int = DANA, at: datetime = NOW - MINUTE, head: str = HEAD) -> Order:
    return Order(
        kind=Verb.APPROVE, service="checkout", stage="production", release=f"{IMAGE}:{NEW}", by_id=by,
        by_login=LOGINS.get(by, "someone"), at=at, comment=100 + by, line=0, number=7, head=head,  # type: ignore[arg-type]
    )  # fmt: skip


def known(*accounts: int, name: str = RELEASE_TEAM, permission: Permission = Permission.WRITE) -> tuple[Voter, ...]:
    return tuple(Voter(id=one, permission=permission, name=name) for one in accounts)


EVERYBODY = known(DANA, ERIN, EVE)


def asked(need: int = 1, *, people: tuple[str, ...] = (RELEASE_TEAM,), **changes: object) -> Approvals:
    return replace(Approvals(need=need, people=people), **changes)  # type: ignore[arg-type]  # likewise


def counted(
    wanted: Approvals,
    *,
    reviews: Sequence[Review] = (),
    commands: Sequence[Order] = (),
    facts: Approving | None = None,
    **changes: object,
) -> Tally:
    ballot = Ballot(
        pull=a_pull(reviews=Reviews(given=tuple(reviews))),
        standing=Standing(approvals=tuple(commands)),
        facts=facts or Approving(voters=EVERYBODY, writers=Writers()),
        passed_at=ENDS,
    )
    return tally_of(wanted, replace(ballot, **changes))  # type: ignore[arg-type]  # likewise


def against(tally: Tally) -> list[tuple[str, str]]:
    return [(one.login, one.why) for one in tally.others]


# --- who counts ------------------------------------------------------------------------------------------------------


def test_a_review_and_a_command_of_the_present_head_count() -> None:
    tally = counted(asked(2), reviews=[a_review(DANA)], commands=[a_command(ERIN)])
    assert [(one.login, one.ways) for one in tally.given] == [("dana", ("review",)), ("erin", ("command",))]
    assert (tally.is_enough, tally.missing, tally.others) == (True, 0, ())


def test_a_person_who_approves_twice_counts_once() -> None:
    tally = counted(asked(2), reviews=[a_review(DANA)], commands=[a_command(DANA)])
    assert [(one.login, one.ways) for one in tally.given] == [("dana", ("command", "review"))]
    assert tally.missing == 1


def test_a_renamed_account_is_the_same_account() -> None:
    renamed = a_review(DANA, by="dana-of-acme")
    tally = counted(asked(2), reviews=[renamed], commands=[a_command(DANA)])
    assert [one.login for one in tally.given] == ["dana-of-acme"]


@pytest.mark.invariant("I16")
@pytest.mark.parametrize(
    ("review", "why"),
    [
        (a_review(head=sha("old")), "approved the earlier head 6f6c640"),
        (a_review(head=None), "approved a commit that is gone"),
    ],
)
def test_an_approval_of_another_head_does_not_count(review: Review, why: str) -> None:
    assert against(counted(asked(), reviews=[review])) == [("dana", why)]


@pytest.mark.invariant("I16")
def test_a_command_that_was_bound_to_another_head_does_not_count() -> None:
    tally = counted(asked(), commands=[a_command(head=sha("old"))])
    assert against(tally) == [("dana", "approved the earlier head 6f6c640")]


def test_apps_and_accounts_that_are_gone_never_count() -> None:
    reviews = [a_review(0, by="ghost"), a_review(0, by="ghost"), a_review(EVE, by="ci[bot]", is_app=True)]
    tally = counted(asked(), reviews=reviews)
    assert tally.given == ()
    assert against(tally) == [("ghost", "has no account"), ("ghost", "has no account"), ("ci[bot]", "is an app")]


def test_what_was_approved_before_a_rejection_does_not_count_after_it() -> None:
    stopped = Standing(stopped_at=NOW - MINUTE)
    assert against(counted(asked(), reviews=[a_review()], standing=stopped)) == [
        ("dana", "approved before it was rejected")
    ]
    assert counted(asked(), reviews=[a_review(at=NOW)], standing=stopped).is_enough


@pytest.mark.invariant("I6")
@pytest.mark.parametrize(("since", "counts"), [(NOW - MINUTE, True), (NOW - MINUTE + SECOND, False)])
def test_an_approval_under_an_earlier_policy_does_not_count(since: datetime, counts: bool) -> None:
    tally = counted(asked(), reviews=[a_review()], policy_since=since)
    assert tally.is_enough is counts
    assert against(tally) == ([] if counts else [("dana", "approved under another policy")])


@pytest.mark.parametrize(
    ("when", "passed_at", "counts"),
    [
        (ApprovedWhen.ANY_TIME, None, True),
        (ApprovedWhen.ANY_TIME, NOW, True),
        (ApprovedWhen.AFTER_WINDOW, None, False),
        (ApprovedWhen.AFTER_WINDOW, NOW - MINUTE + SECOND, False),
        (ApprovedWhen.AFTER_WINDOW, NOW - MINUTE, True),
    ],
)
def test_an_early_approval_counts_as_the_policy_says(
    when: ApprovedWhen, passed_at: datetime | None, counts: bool
) -> None:
    tally = counted(asked(when=when), reviews=[a_review()], passed_at=passed_at)
    assert tally.is_enough is counts
    assert against(tally) == ([] if counts else [("dana", "approved before the release had passed")])


def test_who_asks_for_changes_later_has_not_approved() -> None:
    refusal = a_review(approves=False, at=NOW)
    assert against(counted(asked(), reviews=[refusal], commands=[a_command()])) == [("dana", "asked for changes since")]
    assert counted(asked(), reviews=[replace(refusal, at=NOON)], commands=[a_command()]).is_enough
    assert counted(asked(), reviews=[replace(refusal, by_id=EVE)], commands=[a_command()]).is_enough


# --- who is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "voter", "why"),
    [
        (("@acme/release",), Voter(id=DANA, permission=Permission.ADMIN), "is not in acme/release"),
        (("@erin",), Voter(id=DANA, permission=Permission.ADMIN), "is not erin"),
        (("@erin", "@acme/a"), Voter(id=DANA, permission=Permission.ADMIN), "is not erin or acme/a"),
        (("@dana",), Voter(id=DANA, permission=Permission.READ, name="@dana"), ""),
        (("@dana",), Voter(id=DANA, name="@dana"), "has no access here, or another name by now"),
        ((), Voter(id=DANA, permission=Permission.TRIAGE), "may not write in the repository"),
        ((), Voter(id=DANA, permission=Permission.WRITE), ""),
        (("@dana",), Voter(id=ERIN, permission=Permission.ADMIN, name="@erin"), "was not looked up"),
        (("@acme/release",), Voter(id=DANA, trouble=DOWN), "could not be looked up"),
    ],
)
def test_only_those_count_who_are_asked(people: tuple[str, ...], voter: Voter, why: str) -> None:
    tally = counted(asked(people=people), reviews=[a_review()], facts=Approving(voters=(voter,)))
    assert against(tally) == ([("dana", why)] if why else [])
    assert tally.is_enough is (not why)


def test_nobody_counts_where_nobody_was_looked_up() -> None:
    ballot = Ballot(
        pull=a_pull(reviews=Reviews(given=(a_review(),))), standing=Standing(), facts=None, passed_at=None
    )  # fmt: skip
    assert against(tally_of(asked(), ballot)) == [("dana", "was not looked up")]
    tally = tally_of(asked(four_eyes=True), ballot)
    assert (tally.given, tally.trouble) == ((), "Liftlock: who wrote the source commits was not asked")


@pytest.mark.invariant("I5")
def test_a_failing_lookup_is_told_only_where_it_may_matter() -> None:
    facts = Approving(voters=(*known(DANA), Voter(id=EVE, trouble=DOWN)))
    reviews = [a_review(DANA), a_review(EVE)]
    short = counted(asked(2), reviews=reviews, facts=facts)
    assert (short.is_enough, short.trouble) == (False, "GitHub: it did not answer within 10 s")
    enough = counted(asked(1), reviews=reviews, facts=facts)
    assert (enough.is_enough, enough.trouble) == (True, "")


def test_only_people_who_approved_the_present_head_are_looked_up() -> None:
    reviews = (
        a_review(DANA),
        a_review(ERIN, head=sha("old")),
        a_review(EVE, is_app=True),
        a_review(0),
        a_review(20, approves=False),
    )
    pull = a_pull(reviews=Reviews(given=reviews))
    assert voters_of(pull, Standing(approvals=(a_command(21), a_command(DANA)))) == ((21, "someone"), (DANA, "dana"))


# --- four eyes -------------------------------------------------------------------------------------------------------

BY_EVE = Approving(voters=EVERYBODY, writers=Writers(accounts=(Writer(id=EVE, login="eve"),)))


@pytest.mark.parametrize(("four_eyes", "counts"), [(False, True), (True, False)])
def test_who_wrote_a_source_commit_counts_only_without_four_eyes(four_eyes: bool, counts: bool) -> None:
    tally = counted(asked(four_eyes=four_eyes), reviews=[a_review(EVE)], facts=BY_EVE)
    assert tally.is_enough is counts
    assert against(tally) == ([] if counts else [("eve", "wrote a source commit")])


@pytest.mark.invariant("I5")
@pytest.mark.parametrize("writers", [DOWN, None])
def test_nobody_counts_while_nobody_can_say_who_wrote_the_commits(writers: Trouble | None) -> None:
    tally = counted(
        asked(four_eyes=True), reviews=[a_review()], facts=Approving(voters=EVERYBODY, writers=writers)
    )  # fmt: skip
    assert (tally.given, against(tally)) == ((), [("dana", "may have written a source commit")])
    assert tally.trouble.startswith("GitHub: " if writers else "Liftlock: ")
    nobody_yet = counted(asked(four_eyes=True), facts=Approving(voters=(), writers=DOWN))
    assert nobody_yet.trouble == "GitHub: it did not answer within 10 s"


def test_a_writer_without_a_known_account_takes_one_approval_more() -> None:
    facts = Approving(voters=EVERYBODY, writers=Writers(unknown=("Dev Eloper",)))
    one = counted(asked(four_eyes=True), reviews=[a_review(DANA)], facts=facts)
    assert (one.required, one.missing, one.is_enough) == (2, 1, False)
    assert counted(asked(four_eyes=True), reviews=[a_review(DANA), a_review(ERIN)], facts=facts).is_enough
    assert counted(asked(), reviews=[a_review(DANA)], facts=facts).is_enough


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tally", "says"),
    [
        pytest.param(
            counted(asked(2, four_eyes=True), reviews=[a_review(DANA), a_review(EVE)], facts=BY_EVE),
            "#12 has one of two approvals (dana); eve wrote a source commit and does not count; "
            "needs one more from acme/release",
            id="one of two",
        ),
        pytest.param(counted(asked()), "#12 has no approval; needs one from acme/release", id="none of one"),
        pytest.param(
            counted(asked(2, people=())),
            "#12 has none of two approvals; needs two from people who may write",
            id="none of two",
        ),
        pytest.param(
            counted(asked(people=())), "#12 has no approval; needs one from somebody who may write", id="anybody"
        ),
        pytest.param(
            counted(asked(people=("@dana", "@acme/release"))),
            "#12 has no approval; needs one from dana or acme/release",
            id="several names",
        ),
        pytest.param(
            counted(asked(), reviews=[a_review()]), "#12 has one of one approval (dana)", id="enough"
        ),
        pytest.param(
            counted(asked(2), reviews=[a_review(DANA), a_review(EVE)], facts=Approving(
                voters=(*known(DANA), Voter(id=EVE, trouble=DOWN)))),
            "#12 has one of two approvals (dana); eve could not be looked up and does not count; "
            "GitHub: it did not answer within 10 s; needs one more from acme/release",
            id="trouble",
        ),
        pytest.param(
            counted(asked(four_eyes=True), facts=Approving(writers=Writers(unknown=("Dev", "Ops")))),
            "#12 has none of three approvals; no account is known of Dev and Ops, who wrote source commits and may be "
            "among those who approve, so two more are needed; needs three from acme/release",
            id="unknown writers",
        ),
        pytest.param(
            counted(asked(four_eyes=True), facts=Approving(writers=Writers(unknown=("A", "B", "C", "D", "E")))),
            "#12 has none of six approvals; no account is known of A, B and C and two more, who wrote source commits "
            "and may be among those who approve, so five more are needed; needs six from acme/release",
            id="many unknown writers",
        ),
        pytest.param(
            counted(asked(four_eyes=True), reviews=[a_review()], facts=Approving(
                voters=EVERYBODY, writers=Writers(unknown=("Dev",)))),
            "#12 has one of two approvals (dana); no account is known of Dev, who wrote source commits and may be "
            "among those who approve, so one more is needed; needs one more from acme/release",
            id="one unknown writer",
        ),
    ],
)  # fmt: skip
def test_the_sentence_says_who_has_approved_who_does_not_count_and_who_is_asked(tally: Tally, says: str) -> None:
    assert sentence_of(tally, 12) == says


@pytest.mark.parametrize(("count", "says"), [(4, "one more does not count"), (5, "two more do not count")])
def test_of_many_who_do_not_count_three_are_named(count: int, says: str) -> None:
    tally = counted(asked(), reviews=[a_review(100 + number, by=f"p{number}") for number in range(count)])
    said = sentence_of(tally, 12)
    assert "p2 was not looked up" in said
    assert "p3" not in said
    assert f"; {says}; needs one" in said


def test_a_hostile_name_stays_on_one_line_and_short() -> None:
    evil = "eve\n\u202e## " + "x" * 300
    tally = counted(asked(2), reviews=[a_review(DANA, by=evil), a_review(99, by=evil)])
    said = sentence_of(tally, 12)
    assert "\n" not in said
    assert "\u202e" not in said
    assert len(said) < 300


# --- at the moment of the merge --------------------------------------------------------------------------------------


def test_a_review_that_is_gone_at_the_merge_is_missing_and_a_command_stays() -> None:
    tally = counted(asked(2), reviews=[a_review(DANA), a_review(ERIN)], commands=[a_command(ERIN)])
    assert still_missing(tally, a_pull(reviews=Reviews(given=(a_review(DANA),)))) == 0
    assert still_missing(tally, a_pull()) == 1
    assert still_missing(tally, a_pull(reviews=Reviews(given=(a_review(DANA, head=sha("old")),)))) == 1
    refused = Reviews(given=(a_review(DANA), a_review(ERIN, approves=False)))
    assert still_missing(tally, a_pull(reviews=refused)) == 1


# --- laws ------------------------------------------------------------------------------------------------------------

accounts = st.integers(0, 5)
reviews = st.lists(
    st.builds(
        Review,
        by_id=accounts,
        by=st.just("x"),
        at=st.sampled_from([NOON, ENDS, NOW]),
        head=st.sampled_from([HEAD, sha("old"), None]),
        is_app=st.booleans(),
    ),
    max_size=6,
)
commands = st.lists(
    st.builds(
        a_command, by=st.integers(1, 5), at=st.sampled_from([NOON, ENDS, NOW]), head=st.sampled_from([HEAD, "f" * 40])
    ),
    max_size=4,
)
voters = st.lists(
    st.builds(
        Voter,
        id=st.integers(1, 5),
        permission=st.sampled_from(Permission),
        name=st.sampled_from(["", RELEASE_TEAM]),
        trouble=st.sampled_from([None, None, DOWN]),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)
writers = st.one_of(
    st.just(DOWN),
    st.builds(
        Writers,
        accounts=st.lists(st.builds(Writer, id=st.integers(1, 5), login=st.just("x")), max_size=3).map(tuple),
        unknown=st.lists(st.just("Dev"), max_size=2).map(tuple),
    ),
)
facts = st.builds(Approving, voters=voters.map(tuple), writers=writers)
policies = st.builds(
    Approvals,
    need=st.integers(1, 3),
    people=st.sampled_from([(), (RELEASE_TEAM,)]),
    four_eyes=st.booleans(),
    when=st.sampled_from(ApprovedWhen),
)


@given(policies, reviews, commands, facts, st.one_of(reviews, commands))
def test_one_approval_more_never_makes_it_less(
    wanted: Approvals, said: list[Review], ordered: list[Order], known_: Approving, more: list[Review] | list[Order]
) -> None:
    before = counted(wanted, reviews=said, commands=ordered, facts=known_)
    after = counted(
        wanted,
        reviews=[*said, *(one for one in more if isinstance(one, Review))],
        commands=[*ordered, *(one for one in more if isinstance(one, Order))],
        facts=known_,
    )
    assert after.missing <= before.missing
    assert {one.id for one in before.given} <= {one.id for one in after.given}


@given(policies, reviews, commands, facts)
def test_nobody_counts_twice(wanted: Approvals, said: list[Review], ordered: list[Order], known_: Approving) -> None:
    tally = counted(wanted, reviews=said, commands=ordered, facts=known_)
    assert len({one.id for one in tally.given}) == len(tally.given)
    assert not {one.id for one in tally.given} - {one.id for one in known_.voters}
    assert 0 not in {one.id for one in tally.given}


@given(policies, reviews, commands, facts)
def test_the_authors_alone_never_suffice_under_four_eyes(
    wanted: Approvals, said: list[Review], ordered: list[Order], known_: Approving
) -> None:
    tally = counted(replace(wanted, four_eyes=True), reviews=said, commands=ordered, facts=known_)
    if not isinstance(known_.writers, Writers):
        assert not tally.is_enough
        return
    # Whichever of those who approved the unknown writers are, enough others are left.
    others = {one.id for one in tally.given} - {one.id for one in known_.writers.accounts}
    assert not tally.is_enough or len(others) - len(known_.writers.unknown) >= wanted.need


@given(policies, reviews, commands, facts)
def test_the_sequence_in_which_reviews_are_told_changes_nothing_of_who_counts(
    wanted: Approvals, said: list[Review], ordered: list[Order], known_: Approving
) -> None:
    one = counted(wanted, reviews=said, commands=ordered, facts=known_)
    other = counted(wanted, reviews=said[::-1], commands=ordered[::-1], facts=known_)
    assert [who.id for who in one.given] == [who.id for who in other.given]
    assert one.missing == other.missing
