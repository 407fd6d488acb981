"""Orders: what stands does not depend on how they are told, and covers no other head, release or stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.commands import Verb
from bot.domain.model import Sha
from bot.domain.orders import BOUND, QUESTIONS, WITH_REASON, Order, Standing, as_json, parse_order, standing
from tests.builders import MINUTE, NOON, sha

TAG = "ghcr.io/acme/checkout:1.9.0"
RELEASE, MOVED = f"{TAG}@sha256:{'a' * 64}", f"{TAG}@sha256:{'b' * 64}"
HERE, THERE = sha("here"), sha("there")


def an_order(kind: Verb, minute: int = 0, *, release: str = RELEASE, gate: str = "http-errors") -> Order:
    """Each minute has a comment of its own."""
    return Order(
        kind=kind,
        service="checkout",
        stage="production",
        release=release,
        by_id=7,
        by_login="dana",
        at=NOON + minute * MINUTE,
        comment=100 + minute,
        line=0,
        number=12,
        gate=gate if kind is Verb.PROMOTE else "",
        reason="it is known" if kind in WITH_REASON else "",
        head=HERE if kind in BOUND else None,
    )


def stands(orders: Sequence[Order], *, release: str = RELEASE, head: Sha | None = HERE) -> Standing:
    return standing(orders, service="checkout", stage="production", release=release, head=head)


def in_turn(*kinds: Verb) -> list[Order]:
    return [an_order(kind, minute) for minute, kind in enumerate(kinds)]


def test_nothing_stands_where_nothing_was_ordered() -> None:
    assert stands([]) == Standing()


# --- Another policy ---------------------------------------------------------------------------------------------------


def under(orders: Sequence[Order], since_minute: float) -> Standing:
    since = NOON + since_minute * MINUTE
    return standing(orders, service="checkout", stage="production", release=RELEASE, head=HERE, policy_since=since)


@pytest.mark.invariant("I6")
def test_an_approval_and_an_override_of_another_policy_are_void() -> None:
    approval, override = in_turn(Verb.APPROVE, Verb.PROMOTE)
    told = under([approval, override], 2)
    assert (told.approved, dict(told.overrides), told.void) == (None, {}, (approval, override))
    assert told.approvals == (approval,)
    assert told.outdated is None
    assert under([approval, override], 1).overrides == {"http-errors": override}
    assert under([approval, override], 0).void == ()


@pytest.mark.invariant("I6")
def test_what_is_said_again_under_the_policy_in_force_counts() -> None:
    orders = in_turn(Verb.APPROVE, Verb.PROMOTE, Verb.APPROVE, Verb.PROMOTE)
    told = under(orders, 2)
    assert (told.approved, dict(told.overrides), told.void) == (orders[2], {"http-errors": orders[3]}, ())


@pytest.mark.invariant("I7")
def test_what_a_person_stopped_or_lifted_stands_under_any_policy() -> None:
    hold, reject = in_turn(Verb.HOLD, Verb.REJECT)
    told = under([hold, reject], 5)
    assert (told.hold, told.rejected) == (hold, reject)
    approval = an_order(Verb.APPROVE, 3)
    assert under([hold, reject, approval], 5).rejected is None
    retry = an_order(Verb.RETRY, 4)
    assert under([hold, reject, retry], 5).retried == retry


# --- Holds -----------------------------------------------------------------------------------------------------------


def test_the_newest_hold_stands_until_it_is_resumed() -> None:
    first, second, resumed, third = in_turn(Verb.HOLD, Verb.HOLD, Verb.RESUME, Verb.HOLD)
    assert stands([first]).hold == first
    assert stands([first, second]).hold == second
    assert stands([first, second, resumed]).hold is None
    assert stands([first, second, resumed, third]).hold == third


def test_a_hold_is_of_the_stage_whatever_the_release() -> None:
    hold = an_order(Verb.HOLD, release="ghcr.io/acme/checkout:1.0.0")
    assert stands([hold]).hold == hold
    assert stands([replace(hold, stage="staging")]).hold is None
    assert stands([replace(hold, service="cart")]).hold is None


def test_of_two_in_one_second_the_later_comment_counts() -> None:
    hold, resume = in_turn(Verb.HOLD, Verb.RESUME)
    assert stands([hold, replace(resume, at=hold.at)]).hold is None
    assert stands([replace(hold, comment=resume.comment + 1), replace(resume, at=hold.at)]).hold is not None


def test_of_two_in_one_comment_the_later_line_counts() -> None:
    resume = replace(an_order(Verb.RESUME), line=1)
    assert stands([an_order(Verb.HOLD), resume]).hold is None
    assert stands([replace(an_order(Verb.HOLD), line=2), resume]).hold is not None


def test_of_two_that_claim_one_line_of_one_comment_the_first_counts() -> None:
    hold, resume = an_order(Verb.HOLD, 0), replace(an_order(Verb.RESUME, 1), comment=100)
    assert stands([hold, resume]).hold == hold


# --- Rejections and rollbacks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [Verb.REJECT, Verb.ROLLBACK])
@pytest.mark.parametrize("lift", [Verb.RETRY, Verb.APPROVE])
def test_a_stop_stands_until_a_later_retry_or_approval(stop: Verb, lift: Verb) -> None:
    stopped = an_order(stop, 1)
    before, after = an_order(lift, 0), an_order(lift, 2)

    def found(*orders: Order) -> Order | None:
        seen = stands(orders)
        return seen.rejected if stop is Verb.REJECT else seen.rollback

    assert found(stopped) == stopped
    assert found(before, stopped) == stopped
    assert found(stopped, after) is None
    assert found(stopped, after, an_order(stop, 3)) == an_order(stop, 3)
    assert found(stopped, an_order(stop, 3)) == an_order(stop, 3)


@pytest.mark.parametrize("other", [Verb.HOLD, Verb.RESUME, Verb.PROMOTE])
def test_nothing_else_lifts_a_rejection(other: Verb) -> None:
    assert stands(in_turn(Verb.REJECT, other)).rejected is not None


def test_a_rejection_stops_the_release_whether_or_not_its_digest_is_known() -> None:
    assert stands([an_order(Verb.REJECT, release=TAG)], release=RELEASE).rejected is not None
    assert stands([an_order(Verb.REJECT, release=RELEASE)], release=TAG).rejected is not None
    assert stands([an_order(Verb.REJECT, release=MOVED)], release=RELEASE).rejected is None


def test_a_rejection_is_lifted_under_its_own_name_or_under_todays() -> None:
    reject = an_order(Verb.REJECT, 0, release=TAG)
    assert stands([reject, an_order(Verb.RETRY, 1, release=TAG)], release=RELEASE).rejected is None
    assert stands([reject, an_order(Verb.RETRY, 1, release=RELEASE)], release=RELEASE).rejected is None
    assert stands([reject, an_order(Verb.RETRY, 1, release=MOVED)], release=RELEASE).rejected == reject
    assert stands([reject, an_order(Verb.RETRY, 1, release=MOVED)], release=TAG).rejected == reject


# --- What lets a release go ------------------------------------------------------------------------------------------


def test_an_approval_covers_its_head_and_release_only() -> None:
    approval = an_order(Verb.APPROVE)
    assert stands([approval]).approved == approval
    assert stands([approval], head=THERE).approved is None
    assert stands([approval], head=None).approved is None
    assert stands([approval], release=MOVED).approved is None
    assert stands([approval], release=TAG).approved is None
    assert stands([replace(approval, stage="staging")]).approved is None
    assert stands([replace(approval, service="cart")]).approved is None
    assert stands([replace(approval, head=None)], head=None).approved is None


def test_overrides_are_of_their_gates_and_the_newest_of_each_counts() -> None:
    first, second = an_order(Verb.PROMOTE, 0), an_order(Verb.PROMOTE, 1)
    other = an_order(Verb.PROMOTE, 2, gate="Argo CD")
    assert stands([first, second, other]).overrides == {"http-errors": second, "Argo CD": other}
    assert stands([first, second, other], head=THERE).overrides == {}
    assert stands([first, second, other], release=TAG).overrides == {}


def test_a_retry_is_of_its_release_at_any_head() -> None:
    first, second = in_turn(Verb.RETRY, Verb.RETRY)
    assert stands([first, second], head=THERE).retried == second
    assert stands([first, second], release=TAG).retried is None


@pytest.mark.parametrize("stop", [Verb.REJECT, Verb.ROLLBACK])
def test_what_was_granted_before_a_stop_does_not_come_back_with_a_retry(stop: Verb) -> None:
    orders = in_turn(Verb.APPROVE, Verb.PROMOTE, Verb.RETRY, stop)
    seen = stands(orders)
    assert (seen.approved, seen.overrides, seen.retried) == (None, {}, None)
    retry = an_order(Verb.RETRY, 9)
    assert stands([*orders, retry]) == Standing(retried=retry, stopped_at=orders[-1].at)


def test_a_hold_leaves_what_was_granted() -> None:
    approval, hold = in_turn(Verb.APPROVE, Verb.HOLD)
    assert stands([approval, hold]) == Standing(approved=approval, hold=hold, approvals=(approval,))


# --- Laws ------------------------------------------------------------------------------------------------------------

ORDERS = tuple(verb for verb in Verb if verb not in QUESTIONS)


@st.composite
def order_lists(draw: st.DrawFn) -> list[Order]:
    """Few names and instants, so that they meet; numbers of comments and lines may clash, as in a broken ledger."""
    found = []
    for kind in draw(st.lists(st.sampled_from(ORDERS), max_size=8)):
        order = an_order(
            kind,
            draw(st.integers(0, 3)),
            release=draw(st.sampled_from([TAG, RELEASE, MOVED])),
            gate=draw(st.sampled_from(["a", "b"])),
        )
        found.append(
            replace(
                order,
                comment=draw(st.integers(1, 6)),
                line=draw(st.integers(0, 1)),
                stage=draw(st.sampled_from(["production", "production", "staging"])),
                head=draw(st.sampled_from([HERE, THERE])) if kind in BOUND else None,
            )
        )
    return found


releases = st.sampled_from([TAG, RELEASE, MOVED])
heads = st.sampled_from([HERE, THERE, None])


@given(st.data(), order_lists(), releases, heads)
def test_the_sequence_in_which_they_are_told_changes_nothing(
    data: st.DataObject, orders: list[Order], release: str, head: Sha | None
) -> None:
    shuffled = data.draw(st.permutations(orders))
    assert stands(shuffled, release=release, head=head) == stands(orders, release=release, head=head)


@given(st.data(), order_lists(), releases, heads)
def test_what_is_told_twice_changes_nothing(
    data: st.DataObject, orders: list[Order], release: str, head: Sha | None
) -> None:
    again = data.draw(st.lists(st.sampled_from(orders))) if orders else []
    assert stands([*orders, *again], release=release, head=head) == stands(orders, release=release, head=head)


@given(order_lists(), releases, heads)
def test_what_is_granted_was_ordered_for_exactly_this(orders: list[Order], release: str, head: Sha | None) -> None:
    seen = stands(orders, release=release, head=head)
    bound = [order for order in (seen.approved, *seen.overrides.values()) if order is not None]
    granted = [order for order in (*bound, seen.retried) if order is not None]
    assert all(order in orders and order.stage == "production" and order.release == release for order in granted)
    assert all(order.head == head for order in bound)
    assert all(order.gate == gate for gate, order in seen.overrides.items())


@given(order_lists(), releases, heads)
def test_a_hold_stands_whatever_else_is_ordered_until_resumed(
    orders: list[Order], release: str, head: Sha | None
) -> None:
    hold = replace(an_order(Verb.HOLD), comment=99, at=NOON - MINUTE)
    others = [order for order in orders if order.kind is not Verb.RESUME]
    assert stands([hold, *others], release=release, head=head).hold is not None
    resume = an_order(Verb.RESUME, 50)
    assert stands([hold, *others, resume], release=release, head=head).hold is None


@given(order_lists(), releases, heads)
def test_a_rejection_leaves_nothing_granted_until_somebody_says_otherwise(
    orders: list[Order], release: str, head: Sha | None
) -> None:
    reject = an_order(Verb.REJECT, 50, release=release)
    seen = stands([*orders, reject], release=release, head=head)
    assert (seen.rejected, seen.approved, seen.overrides, seen.retried) == (reject, None, {}, None)


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ORDERS)
def test_an_order_is_read_back_from_json(kind: Verb) -> None:
    order = an_order(kind)
    assert parse_order(json.loads(json.dumps(as_json(order)))) == order


def test_an_order_is_written_with_plain_values_and_in_utc() -> None:
    order = replace(an_order(Verb.PROMOTE), at=NOON.astimezone(timezone(timedelta(hours=2))))
    assert as_json(order) == {
        "kind": "promote",
        "service": "checkout",
        "stage": "production",
        "release": RELEASE,
        "by_id": 7,
        "by_login": "dana",
        "at": "2026-03-02T12:00:00+00:00",
        "comment": 100,
        "line": 0,
        "number": 12,
        "gate": "http-errors",
        "reason": "it is known",
        "head": HERE,
    }


@given(order_lists(), st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back(orders: list[Order], at: datetime) -> None:
    for order in orders:
        assert parse_order(as_json(replace(order, at=at))) == replace(order, at=at)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "status"},
        {"kind": "merge"},
        {"kind": "APPROVE"},
        {"kind": None},
        {"kind": ["approve"]},
        {"service": "Check Out"},
        {"service": "check\nout"},
        {"service": ""},
        {"service": 7},
        {"stage": "../x"},
        {"stage": None},
        {"release": "no tag"},
        {"release": f"{TAG}@"},
        {"release": f"{TAG}\u202e"},
        {"release": f"{TAG}{'0' * 512}"},
        {"by_id": 0},
        {"by_id": -7},
        {"by_id": "7"},
        {"by_id": True},
        {"by_id": 7.0},
        {"by_id": 2**63},
        {"by_login": ""},
        {"by_login": "da\u200bna"},
        {"by_login": None},
        {"at": "2026-03-02T12:00:00"},
        {"at": "2026-03-02T12:00:00Z"},
        {"at": "2026-03-02T14:00:00+02:00"},
        {"at": "0001-01-01T00:00:00+23:59"},
        {"at": "20260302T120000+0000"},
        {"at": "yesterday"},
        {"at": 1_772_452_800},
        {"comment": 0},
        {"comment": None},
        {"line": -1},
        {"number": 0},
        {"gate": "http-errors"},
        {"reason": "none is asked for"},
        {"head": None},
        {"head": "0123abc"},
        {"head": "A" * 40},
        {"head": ""},
        {"head": 7},
        {"more": "x"},
    ],
    ids=str,
)
def test_what_no_approval_says_is_no_order(wrong: dict[str, object]) -> None:
    assert parse_order(as_json(an_order(Verb.APPROVE)) | wrong) is None


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Verb.HOLD, {"reason": ""}),
        (Verb.HOLD, {"reason": "two\nlines"}),
        (Verb.HOLD, {"reason": "x" * 201}),
        (Verb.HOLD, {"head": HERE}),
        (Verb.RESUME, {"head": ""}),
        (Verb.PROMOTE, {"gate": ""}),
        (Verb.PROMOTE, {"gate": "x" * 201}),
        (Verb.PROMOTE, {"reason": ""}),
        (Verb.PROMOTE, {"head": None}),
    ],
)
def test_what_no_order_of_its_kind_says_is_none(kind: Verb, wrong: dict[str, object]) -> None:
    assert parse_order(as_json(an_order(kind)) | wrong) is None


@pytest.mark.parametrize("key", list(as_json(an_order(Verb.APPROVE))))
def test_an_order_without_one_of_its_fields_is_none(key: str) -> None:
    written = as_json(an_order(Verb.APPROVE))
    del written[key]
    assert parse_order(written) is None


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(ORDERS), st.dictionaries(st.sampled_from(list(as_json(an_order(Verb.HOLD)))), anything))
@example(Verb.HOLD, {"at": "\ud800"})
@example(Verb.HOLD, {"reason": "\ud800"})
@example(Verb.HOLD, {"line": 10**5_000})
def test_what_is_read_of_a_hostile_export_is_what_would_be_written(kind: Verb, hostile: dict[str, object]) -> None:
    written = as_json(an_order(kind)) | hostile
    order = parse_order(written)
    assert order is None or as_json(order) == written
