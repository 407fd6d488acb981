"""The bot's comment, its reactions, and what people may do, at GitHub."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.domain.authority import Permission
from bot.forge import Reaction
from bot.ports import Permanent, Transient
from tests.adapters.githubparts import BAD_GATEWAY, LOST, REPO, Parts, once, parts_for, settings_for
from tests.adapters.githubserver import Answer, FakeGitHub, fake_github
from tests.adapters.githubworld import Json, user

UNCLEAR = pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


def write(parts: Parts, body: str, *, known: int | None = None) -> int:
    return parts.conversation.write_comment(REPO, 1, marker="m", body=body, known=known)


# --- the comment -----------------------------------------------------------------------------------------------------


def test_the_comment_is_created_then_edited_in_place_and_an_equal_text_is_not_written(
    parts: Parts, github: FakeGitHub
) -> None:
    first = write(parts, "one")
    assert write(parts, "two", known=first) == first
    assert write(parts, "two") == first
    assert [comment["body"] for comment in github.comments] == ["<!-- m -->\ntwo"]
    assert (github.count("POST"), github.count("PATCH")) == (1, 1)


def test_a_known_comment_costs_one_read(parts: Parts, github: FakeGitHub) -> None:
    parts.clients.identity()
    first = write(parts, "one")
    github.requests.clear()
    write(parts, "one", known=first)
    assert github.requests == [("GET", f"/repos/acme/deploy/issues/comments/{first}")]


def test_a_known_comment_that_is_gone_is_looked_for_and_then_made_anew(parts: Parts, github: FakeGitHub) -> None:
    mine = github.add_comment(1, "lift-bot", "<!-- m -->\nold")
    assert write(parts, "one", known=999) == mine["id"]
    github.comments.clear()
    github.add_comment(1, "dana", "hello")
    assert write(parts, "one", known=mine["id"]) == github.comments[-1]["id"]
    assert len(github.comments) == 2


@pytest.mark.parametrize(
    ("login", "body"),
    [
        ("dana", "<!-- m -->\nfake"),
        (None, "<!-- m -->\nghost"),
        ("lift-bot", "see\n<!-- m -->"),
        ("lift-bot[bot]", "<!-- m -->"),
    ],
)
def test_a_look_alike_comment_is_neither_taken_nor_edited(
    parts: Parts, github: FakeGitHub, login: str | None, body: str
) -> None:
    fake = github.add_comment(1, login, body)
    assert write(parts, "mine", known=fake["id"]) != fake["id"]
    assert fake["body"] == body


def test_the_comment_is_found_behind_many_others(parts: Parts, github: FakeGitHub) -> None:
    for n in range(150):
        github.add_comment(1, "dana", f"comment {n}")
    mine = github.add_comment(1, "lift-bot", "<!-- m -->\nold")
    assert write(parts, "new") == mine["id"]
    assert mine["body"] == "<!-- m -->\nnew"


def test_a_text_that_github_stored_with_other_line_ends_counts_as_equal(parts: Parts, github: FakeGitHub) -> None:
    github.add_comment(1, "lift-bot", "<!-- m -->\r\none\r\ntwo\r\n")
    write(parts, "one\ntwo")
    assert github.count("PATCH") == 0


@UNCLEAR
@pytest.mark.parametrize("exists", [False, True], ids=["created", "edited"])
def test_a_comment_whose_answer_is_lost_is_written_once(
    parts: Parts, github: FakeGitHub, exists: bool, fault: Answer
) -> None:
    known = write(parts, "old") if exists else None
    github.requests.clear()
    github.after = once(fault, "PATCH" if exists else "POST", "")
    assert write(parts, "new", known=known) == 1000
    assert [comment["body"] for comment in github.comments] == ["<!-- m -->\nnew"]
    assert github.count("PATCH" if exists else "POST") == 1


def test_a_comment_that_arrives_after_the_timeout_is_not_sent_again(github: FakeGitHub) -> None:
    arrives = threading.Event()
    github.on_the_way = lambda method, path: None if method != "POST" else assert_set(arrives)
    with parts_for(github, settings=settings_for(github, timeout=timedelta(seconds=1))) as parts:
        with pytest.raises(Transient, match="did not answer in time"):
            write(parts, "evidence")
        arrives.set()
        while not github.comments:
            threading.Event().wait(0.001)
        assert write(parts, "newer evidence") == 1000
    assert [comment["body"] for comment in github.comments] == ["<!-- m -->\nnewer evidence"]
    assert github.count("POST") == 1


def assert_set(event: threading.Event) -> None:
    assert event.wait(timeout=30)


def test_a_gateway_that_gave_up_waiting_is_no_reason_to_send_a_comment_again(parts: Parts, github: FakeGitHub) -> None:
    github.before = once((504, {"message": "Gateway Timeout"}, {}), "POST", "/comments")
    with pytest.raises(Transient, match="HTTP 504"):
        write(parts, "evidence")
    assert (github.count("POST"), github.comments) == (1, [])


def test_a_long_comment_is_cut_with_a_note_and_keeps_its_marker(parts: Parts, github: FakeGitHub) -> None:
    write(parts, "x" * 99_999)
    body = github.comments[0]["body"]
    assert (len(body), body.startswith("<!-- m -->\nx")) == (65_536, True)
    assert body.endswith("allows no more text)_")


@pytest.mark.parametrize("marker", ["", "a --> b", "two\nlines", "<!-- -->"])
def test_a_marker_that_would_show_is_refused(parts: Parts, marker: str) -> None:
    with pytest.raises(Permanent, match="marker"):
        parts.conversation.write_comment(REPO, 1, marker=marker, body="x", known=None)


# --- reactions -------------------------------------------------------------------------------------------------------


def test_a_reaction_is_there_once_however_often_it_is_sent(parts: Parts, github: FakeGitHub) -> None:
    comment = github.add_comment(1, "dana", "/liftlock hold")["id"]
    github.after = once(LOST, "POST", "/reactions")
    parts.conversation.react(REPO, comment, Reaction.SEEN)
    parts.conversation.react(REPO, comment, Reaction.SEEN)
    assert github.reactions == [(comment, "lift-bot", "eyes")]


def test_a_reaction_to_a_comment_that_is_gone_is_no_error(parts: Parts, github: FakeGitHub) -> None:
    parts.conversation.react(REPO, 1234, Reaction.DONE)
    assert github.reactions == []


# --- rights ----------------------------------------------------------------------------------------------------------


def allowed(role: str, permission: str = "write", who: str = "dana") -> Json:
    return {"permission": permission, "role_name": role, "user": user(who)}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (allowed("admin", "admin"), Permission.ADMIN),
        (allowed("maintain"), Permission.MAINTAIN),
        (allowed("write"), Permission.WRITE),
        (allowed("triage", "read"), Permission.TRIAGE),
        (allowed("read", "read"), Permission.READ),
        (allowed("release-captain", "write"), Permission.WRITE),
        (allowed("none", "none"), Permission.NONE),
        (allowed("admin", "admin", who="mallory"), Permission.NONE),
        (None, Permission.NONE),
    ],
)
def test_a_permission_is_that_of_the_very_account(
    parts: Parts, github: FakeGitHub, answer: Json | None, expected: Permission
) -> None:
    if answer is not None:
        github.permissions["dana"] = answer
    assert parts.conversation.permission_of(REPO, 11, "dana") is expected


def test_a_permission_is_kept_for_one_sweep_only(parts: Parts, github: FakeGitHub) -> None:
    github.permissions["dana"] = allowed("write")
    github.members["acme/sre"] = ["dana"]
    for _ in range(2):
        assert parts.conversation.permission_of(REPO, 11, "dana") is Permission.WRITE
        assert parts.conversation.is_member("acme/sre", "dana") is True
    assert len(github.requests) == 2
    github.permissions.clear()
    github.members.clear()
    parts.conversation.begin_sweep()
    assert parts.conversation.permission_of(REPO, 11, "dana") is Permission.NONE
    assert parts.conversation.is_member("acme/sre", "dana") is False


@pytest.mark.parametrize(
    ("user_id", "login"), [(0, "ghost"), (-1, "dana"), (11, "../x"), (11, "a/b"), (11, ""), (11, "-a")]
)
def test_an_account_that_cannot_be_may_nothing_and_is_not_asked_for(
    parts: Parts, github: FakeGitHub, user_id: int, login: str
) -> None:
    assert parts.conversation.permission_of(REPO, user_id, login) is Permission.NONE
    assert github.requests == []


@pytest.mark.parametrize(
    ("members", "expected"),
    [(["dana"], True), (["bob", "Dana"], True), (["dana-2", "xdana"], False), ([], False), (None, False)],
)
def test_only_the_very_account_is_a_member(
    parts: Parts, github: FakeGitHub, members: list[str] | None, expected: bool
) -> None:
    if members is not None:
        github.members["acme/sre"] = members
    assert parts.conversation.is_member("acme/sre", "dana") is expected


def test_a_member_behind_a_hundred_of_such_names_is_found(parts: Parts, github: FakeGitHub) -> None:
    github.members["acme/sre"] = [*(f"dana-{number}" for number in range(150)), "dana"]
    assert parts.conversation.is_member("acme/sre", "dana") is True


@pytest.mark.parametrize("team", ["sre", "acme/sre/x", "a b/c", "acme/", "acme/../x"])
def test_a_team_that_cannot_be_has_no_members(parts: Parts, github: FakeGitHub, team: str) -> None:
    assert parts.conversation.is_member(team, "dana") is False
    assert github.requests == []
