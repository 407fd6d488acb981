"""Deliveries whose signature is right: what wakes, what was seen, what is refused, and what is remembered."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.deliveries import (
    PACKAGE_EVENTS,
    WAKING_EVENTS,
    Deliveries,
    Delivery,
    Outcome,
    Result,
    SeenOnes,
    parse_repository,
)
from tests.builders import NOON
from tests.fakes import FakeClock
from tests.web.served import REPOSITORY, a_package, a_payload

NAME = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def a_delivery(*, event: str = "push", name: str = NAME, body: bytes | None = None) -> Delivery:
    return Delivery(event=event, name=name, body=a_payload() if body is None else body)


def take(*deliveries: Delivery) -> list[Outcome]:
    judge = Deliveries(FakeClock(NOON))
    return [judge.take(delivery) for delivery in deliveries]


@pytest.mark.parametrize("event", sorted(WAKING_EVENTS))
def test_an_event_that_may_change_a_decision_wakes(event: str) -> None:
    (outcome,) = take(a_delivery(event=event))
    assert (outcome.status, outcome.result, outcome.wakes) == (202, Result.ACCEPTED, REPOSITORY)
    assert outcome.pushed == ()


@pytest.mark.parametrize("event", ["star", "", "PUSH", "push ", "workflow_run", "issues"])
def test_any_other_event_is_ignored(event: str) -> None:
    (outcome,) = take(a_delivery(event=event))
    assert (outcome.status, outcome.result, outcome.wakes) == (202, Result.IGNORED, None)


def test_a_ping_is_answered_and_wakes_nothing() -> None:
    (outcome,) = take(a_delivery(event="ping", body=b"{}"))
    assert (outcome.status, outcome.wakes) == (200, None)


@pytest.mark.parametrize("name", ["", "1", NAME + "0", NAME + "\n", NAME.replace("-", ""), NAME.replace("7", "g")])
def test_a_name_that_is_no_guid_is_refused(name: str) -> None:
    (outcome,) = take(a_delivery(name=name))
    assert (outcome.status, outcome.result, outcome.wakes) == (400, Result.REFUSED, None)


# --- replays ---


@pytest.mark.parametrize(
    "again",
    [
        a_delivery(),
        a_delivery(name=NAME.upper(), body=a_payload(other=1)),
        a_delivery(body=a_payload(other=1)),
        a_delivery(name=str(uuid.UUID(int=1))),
        a_delivery(name=str(uuid.UUID(int=1)), event="status"),
    ],
    ids=["whole", "name in capitals", "same name", "same body", "same body as another event"],
)
def test_a_delivery_that_was_seen_wakes_nothing(again: Delivery) -> None:
    outcome = take(a_delivery(), again)[1]
    assert (outcome.status, outcome.result, outcome.wakes) == (202, Result.REPLAYED, None)
    assert outcome.sentence == "already seen"


def test_another_delivery_wakes_again() -> None:
    other = a_delivery(name=str(uuid.UUID(int=1)), body=a_payload(other=1))
    assert [outcome.wakes for outcome in take(a_delivery(), other)] == [REPOSITORY, REPOSITORY]


def test_a_body_sent_again_under_many_names_crowds_nothing_out() -> None:
    judge = Deliveries(FakeClock(NOON))
    judge.take(a_delivery())
    burnt = a_delivery(name=str(uuid.UUID(int=5)))
    for _ in range(2):
        assert judge.take(burnt).result is Result.REPLAYED
    fresh = a_delivery(name=burnt.name, body=a_payload(number=5))
    assert judge.take(fresh).result is Result.ACCEPTED


@pytest.mark.parametrize(
    "first", [a_delivery(event="star"), a_delivery(event="ping"), a_delivery(body=b"[]")], ids=["other", "ping", "bad"]
)
def test_only_what_woke_the_bot_is_remembered(first: Delivery) -> None:
    assert take(first, a_delivery())[1].result is Result.ACCEPTED


# --- the memory ---


def test_the_memory_forgets_after_three_days_and_not_before() -> None:
    clock = FakeClock(NOON)
    judge = Deliveries(clock)
    judge.take(a_delivery())
    clock.advance(timedelta(days=3))
    assert judge.take(a_delivery()).result is Result.REPLAYED
    clock.advance(timedelta(seconds=1))
    assert judge.take(a_delivery()).result is Result.ACCEPTED


def test_the_memory_holds_the_newest_ten_thousand() -> None:
    seen = SeenOnes(FakeClock(NOON))
    for number in range(10_001):
        seen.add(b"%d" % number)
    assert len(seen) == 10_000
    assert b"0" not in seen
    assert b"1" in seen
    assert b"10000" in seen


def test_what_is_too_old_is_dropped_when_something_new_comes() -> None:
    clock = FakeClock(NOON)
    seen = SeenOnes(clock)
    seen.add(b"old")
    clock.advance(timedelta(days=4))
    seen.add(b"new")
    assert len(seen) == 1


@given(steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=60))
def test_the_memory_is_bounded_and_knows_exactly_the_newest(steps: list[tuple[int, int]]) -> None:
    clock = FakeClock(NOON)
    seen = SeenOnes(clock, most=4, kept_for=timedelta(seconds=40))
    added: dict[int, int] = {}
    second = 0
    for key, wait in steps:
        second += wait
        clock.advance(timedelta(seconds=wait))
        seen.add(b"%d" % key)
        added.pop(key, None)
        added[key] = second
        young = [name for name, at in list(added.items())[-4:] if second - at <= 40]
        assert {name for name in range(10) if b"%d" % name in seen} == set(young)
        assert len(seen) == len(young)


# --- repositories ---


@pytest.mark.parametrize(
    "name", ["acme/deploy", "a/b", "octo_acme/x.y-z_1", "0/.github", "A" * 39 + "/" + "b" * 100, "a/..."]
)
def test_a_name_of_github_s_grammar_is_taken(name: str) -> None:
    assert parse_repository(a_payload(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "acme",
        "acme/",
        "/deploy",
        "acme/deploy/x",
        "acme/..",
        "acme/.",
        "../deploy",
        "acme/de ploy",
        "acme/deploy\n",
        "acme\n/deploy",
        "acme/deploy\x00",
        "acme/déploy",
        "acme/dep\u200bloy",
        "-acme/deploy",
        "acme/" + "b" * 101,
        "A" * 40 + "/b",
        "acme/deploy;rm -rf",
        "acme/$(id)",
        "https://github.com/acme/deploy",
        None,
        7,
        ["acme/deploy"],
        {"acme": "deploy"},
    ],
)
def test_any_other_name_is_refused(name: object) -> None:
    assert parse_repository(a_payload(name)) is None
    (outcome,) = take(a_delivery(body=a_payload(name)))
    assert (outcome.status, outcome.result, outcome.wakes) == (400, Result.REFUSED, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"acme/deploy"',
        b"{}",
        b'{"repository": null}',
        b'{"repository": []}',
        b'{"repository": "acme/deploy"}',
        b"\xff\xfe{\x00}\x00",
        b"payload=%7B%7D",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n": ' + b"9" * 5_000 + b"}",
    ],
    ids=repr,
)
def test_a_body_that_names_no_repository_is_refused(body: bytes) -> None:
    (outcome,) = take(a_delivery(body=body))
    assert (outcome.status, outcome.result) == (400, Result.REFUSED)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["repository", "full_name", "x"]), inner),
    )
)
def test_no_json_value_is_more_than_refused(value: object) -> None:
    found = parse_repository(json.dumps(value).encode())
    assert found is None or "/" in found


# --- packages ---


@pytest.fixture(name="event", params=sorted(PACKAGE_EVENTS))
def fixture_event(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("package", "image"),
    [
        ({"namespace": "acme", "name": "checkout"}, "acme/checkout"),
        ({"namespace": "Acme-Shop", "name": "Checkout"}, "acme-shop/checkout"),
        ({"namespace": "acme", "name": "shop/checkout"}, "acme/shop/checkout"),
        ({"namespace": "acme/shop", "name": "checkout", "package_type": "docker"}, "acme/shop/checkout"),
        ({"namespace": "acme", "name": "checkout", "package_type": "container"}, "acme/checkout"),
    ],
    ids=["plain", "capitals", "nested", "the older registry", "small letters"],
)
def test_a_package_that_is_an_image_is_pushed(event: str, package: dict[str, str], image: str) -> None:
    (outcome,) = take(a_delivery(event=event, body=a_package(event, **package)))
    assert (outcome.status, outcome.result, outcome.wakes) == (202, Result.ACCEPTED, None)
    assert outcome.pushed == (image,)


def test_a_package_that_is_linked_to_no_repository_is_pushed_too(event: str) -> None:
    content = json.loads(a_package(event))
    del content["repository"]
    (outcome,) = take(a_delivery(event=event, body=json.dumps(content).encode()))
    assert outcome.pushed == ("acme/checkout",)


@pytest.mark.parametrize("kind", ["npm", "maven", "NUGET", ""])
def test_a_package_that_is_no_image_is_ignored(event: str, kind: str) -> None:
    (outcome,) = take(a_delivery(event=event, body=a_package(event, name="@acme/checkout", package_type=kind)))
    assert (outcome.status, outcome.result, outcome.pushed) == (202, Result.IGNORED, ())


@pytest.mark.parametrize("part", ["namespace", "name"])
@pytest.mark.parametrize(
    "value", [None, 7, [], {}, "", "a b", "..", "acme\n", "x" * 256, "check\u200bout", "a;b"], ids=repr
)
def test_a_package_of_any_other_name_is_refused(event: str, part: str, value: object) -> None:
    (outcome,) = take(a_delivery(event=event, body=a_package(event, **{part: value})))
    assert (outcome.status, outcome.result, outcome.pushed) == (400, Result.REFUSED, ())
    assert outcome.sentence == f"the body must be a JSON object with the image's {event}.namespace and .name"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", a_payload(), b"[" * 100_000], ids=lambda body: repr(body[:20]))
def test_a_body_without_a_package_is_refused(event: str, body: bytes) -> None:
    (outcome,) = take(a_delivery(event=event, body=body))
    assert (outcome.status, outcome.result, outcome.pushed) == (400, Result.REFUSED, ())


def test_the_package_of_the_other_event_is_none(event: str) -> None:
    (other,) = PACKAGE_EVENTS - {event}
    (outcome,) = take(a_delivery(event=event, body=a_package(other)))
    assert outcome.result is Result.REFUSED


@pytest.mark.parametrize(
    ("name", "change", "again"),
    [
        (NAME, 0, Result.REPLAYED),
        (NAME, 1, Result.REPLAYED),
        (str(uuid.UUID(int=1)), 0, Result.REPLAYED),
        (str(uuid.UUID(int=1)), 1, Result.ACCEPTED),
    ],
    ids=["whole", "same name", "same body", "another"],
)
def test_a_package_that_was_seen_is_not_pushed_again(event: str, name: str, change: int, again: Result) -> None:
    first = a_delivery(event=event, body=a_package(event, id=0))
    outcome = take(first, a_delivery(event=event, name=name, body=a_package(event, id=change)))[1]
    assert outcome.result is again
    assert bool(outcome.pushed) == (again is Result.ACCEPTED)


def test_a_package_that_pushed_nothing_is_not_remembered(event: str) -> None:
    npm = a_delivery(event=event, body=a_package(event, package_type="npm"))
    bad = a_delivery(event=event, body=a_package(event, name=""))
    assert take(npm, bad, a_delivery(event=event, body=a_package(event)))[2].result is Result.ACCEPTED
