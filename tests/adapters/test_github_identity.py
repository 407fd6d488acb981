"""Who the bot is at GitHub: tokens that rotate, an App's narrowed tokens, and knowing itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.github import AppCredentials, GitHubAttestations, Identity, TokenCredentials
from bot.adapters.github.credentials import PERMISSIONS, _Token
from bot.adapters.github.identity import account_of_graph, account_of_rest
from bot.adapters.github.nodes import Node
from bot.adapters.github.wire import LentToken
from bot.domain.authority import Permission
from bot.domain.model import Digest
from bot.domain.pulls import Checks
from bot.ports import Permanent, Transient
from tests.adapters.githubparts import BRANCH, HEAD, REPO, Parts, parts_for
from tests.adapters.githubserver import TOKEN, FakeGitHub, fake_github
from tests.adapters.githubworld import APP_ID, event, run, user
from tests.adapters.gitserver import StoppedClock


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="key", scope="module")
def fixture_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def app(github: FakeGitHub, key: str, *repositories: str, clock: StoppedClock | None = None) -> AppCredentials:
    return AppCredentials(
        github.url,
        app_id=APP_ID,
        private_key=lambda: key,
        clock=clock or StoppedClock(),
        repositories=lambda: repositories,
    )


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_the_token_is_read_anew_for_each_request_and_the_account_asked_once(github: FakeGitHub) -> None:
    present = ["old"]
    with parts_for(github, TokenCredentials(lambda: present[0])) as parts:
        with pytest.raises(Permanent, match="token is not valid"):
            parts.forge.look_at(REPO, "main", [])
        present[0] = f"{TOKEN}\n"
        parts.forge.look_at(REPO, "main", [])
        parts.forge.look_at(REPO, "main", [])
        assert github.count("GET", "^/user$") == 2
        assert parts.clients.identity() == Identity(login="lift-bot", user_id=501)


def _vanished() -> str:
    raise FileNotFoundError(2, "No such file or directory", "/run/secrets/token")


@pytest.mark.parametrize("read", [lambda: "", lambda: "a b", lambda: "ä", lambda: "x\r\ny", _vanished])
def test_a_token_that_is_none_is_permanent_and_not_shown(github: FakeGitHub, read: Callable[[], str]) -> None:
    with parts_for(github, TokenCredentials(read)) as parts, pytest.raises(Permanent, match="token"):
        parts.forge.look_at(REPO, "main", [])
    assert github.requests == []


# --- the app ---------------------------------------------------------------------------------------------------------


def test_an_app_works_with_one_token_until_shortly_before_it_expires(github: FakeGitHub, key: str) -> None:
    clock = StoppedClock()
    credentials = app(github, key, clock=clock)
    with parts_for(github, credentials) as parts:
        assert parts.clients.identity() == Identity(login="liftlock[bot]", app_id=APP_ID)
        parts.forge.look_at(REPO, "main", [])
        clock.move(timedelta(minutes=49))
        parts.forge.look_at(REPO, "main", [])
        assert len(github.minted) == 1
        clock.move(timedelta(minutes=1))
        github.token_expires = "2026-03-01T14:00:00Z"
        parts.forge.look_at(REPO, "main", [])
        assert len(github.minted) == 2
        assert github.count("GET", "/installation$") == 1
    assert credentials.token_for(REPO) == github.minted[-1]


def test_a_token_is_narrowed_to_the_policies_repositories_and_the_permissions_in_use(
    github: FakeGitHub, key: str
) -> None:
    credentials = app(github, key, "acme/deploy", "acme/shop", "other/deploy")
    assert credentials.token_for("acme/deploy") == credentials.token_for("acme/shop")
    assert github.asked_for == [{"repositories": ["deploy", "shop"], "permissions": dict(PERMISSIONS)}]
    assert credentials.warnings == {}


def test_an_app_that_was_granted_less_asks_for_what_it_has_and_says_what_is_missing(
    github: FakeGitHub, key: str
) -> None:
    github.granted = {**PERMISSIONS, "administration": "write", "issues": "read"}
    del github.granted["checks"]
    granted = {name: right for name, right in github.granted.items() if name != "administration"}
    github.refuses_scope = lambda body: body["permissions"] != granted
    credentials = app(github, key, "acme/deploy", "acme/shop")
    assert credentials.token_for(REPO) == github.minted[0]
    assert github.asked_for[-1] == {"repositories": ["deploy"], "permissions": granted}
    assert "was granted less than the bot asks for on acme/deploy" in credentials.warnings["acme"]
    assert credentials.warnings["acme"].endswith("grant it checks: write, issues: write")


def test_a_token_that_github_takes_no_longer_is_replaced_and_the_read_done(github: FakeGitHub, key: str) -> None:
    with parts_for(github, app(github, key, REPO)) as parts:
        parts.forge.look_at(REPO, "main", [])
        github.tokens.clear()
        parts.forge.look_at(REPO, "main", [])
        github.tokens.clear()
        assert parts.conversation.permission_of(REPO, 11, "dana") is Permission.NONE
    assert len(github.minted) == 3
    assert github.count("GET", "/installation$") == 3


def test_a_write_whose_token_github_takes_no_longer_is_not_sent_again_and_the_next_one_succeeds(
    github: FakeGitHub, key: str
) -> None:
    github.branches[BRANCH] = "a" * 40
    with parts_for(github, app(github, key, REPO)) as parts:
        parts.forge.look_at(REPO, "main", [])
        github.tokens.clear()
        with pytest.raises(Transient, match="no longer takes the App's token; a new one is used next"):
            parts.forge.delete_branch(REPO, BRANCH)
        assert github.count("DELETE") == 1
        parts.forge.delete_branch(REPO, BRANCH)
    assert BRANCH not in github.branches


def test_a_new_token_that_is_refused_too_is_not_asked_for_without_end(github: FakeGitHub, key: str) -> None:
    github.before = lambda method, path: (401, {"message": "no"}, {}) if path.endswith("/graphql") else None
    with parts_for(github, app(github, key, REPO)) as parts, pytest.raises(Transient, match="no longer takes"):
        parts.forge.look_at(REPO, "main", [])
    assert len(github.minted) == 2


def test_only_the_refused_token_is_forgotten(github: FakeGitHub, key: str) -> None:
    credentials = app(github, key, REPO)
    old = credentials.token_for(REPO)
    assert credentials.forget(REPO, old) is True
    new = credentials.token_for(REPO)
    credentials.forget(REPO, old)
    assert credentials.token_for(REPO) == new != old


def test_a_token_is_never_asked_for_without_saying_what_for(github: FakeGitHub, key: str) -> None:
    github.refuses_scope = lambda body: True
    for granted in ({}, {"administration": "write"}, dict(PERMISSIONS), {"metadata": "read"}):
        github.granted = granted
        with pytest.raises(Permanent, match="acme/deploy"):
            app(github, key, "acme/deploy", "acme/gone").token_for(REPO)
    assert all(set(body["permissions"]) <= set(PERMISSIONS) and body["permissions"] for body in github.asked_for)


def test_an_app_that_was_granted_nothing_it_needs_says_so(github: FakeGitHub, key: str) -> None:
    github.refuses_scope = lambda body: True
    with pytest.raises(Permanent, match="granted none of the rights it needs: grant it checks: write, contents"):
        app(github, key, "acme/deploy").token_for(REPO)


def test_a_repository_that_is_gone_narrows_the_tokens_of_the_others_and_is_named(github: FakeGitHub, key: str) -> None:
    gone = ["gone"]
    github.granted = dict(PERMISSIONS)
    github.refuses_scope = lambda body: bool(set(gone) & set(body["repositories"]))
    clock = StoppedClock()
    credentials = app(github, key, "acme/deploy", "acme/gone", clock=clock)
    credentials.token_for(REPO)
    assert github.asked_for[-1] == {"repositories": ["deploy"], "permissions": dict(PERMISSIONS)}
    assert "selected in the App's installation: acme/gone" in credentials.warnings["acme"]
    gone.clear()
    clock.move(timedelta(hours=1))
    credentials.token_for(REPO)
    assert credentials.warnings == {}


def test_a_token_serves_no_repository_that_was_asked_for_once_and_is_in_no_policy(github: FakeGitHub, key: str) -> None:
    credentials = app(github, key, "acme/deploy")
    credentials.token_for("acme/once")
    credentials.token_for("acme/other")
    assert [body["repositories"] for body in github.asked_for] == [["deploy", "once"], ["deploy", "other"]]


def test_a_token_is_not_shown_where_what_is_kept_is_printed(github: FakeGitHub, key: str) -> None:
    made = _Token(text="ghs_secret", expires_at=StoppedClock().now(), scope=frozenset())
    assert "ghs_secret" not in repr(made)
    lent = LentToken()
    lent.present = "ghs_secret"
    assert "ghs_secret" not in f"{lent!r} {lent}"


def test_one_repository_that_the_app_may_not_see_spoils_no_other(github: FakeGitHub, key: str) -> None:
    github.granted = dict(PERMISSIONS)
    github.refuses_scope = lambda body: "secret" in body["repositories"]
    credentials = app(github, key, "acme/deploy", "acme/secret", "acme/shop")
    deploy, shop = credentials.token_for("acme/deploy"), credentials.token_for("acme/shop")
    with pytest.raises(Permanent, match="acme/secret"):
        credentials.token_for("acme/secret")
    asked = len(github.asked_for)
    assert (credentials.token_for("acme/deploy"), credentials.token_for("acme/shop")) == (deploy, shop)
    assert len(github.asked_for) == asked


def test_more_repositories_than_github_narrows_to_are_not_named(github: FakeGitHub, key: str) -> None:
    credentials = app(github, key, *(f"acme/r{n}" for n in range(600)))
    credentials.token_for("acme/r1")
    assert "repositories" not in github.asked_for[0]


def test_teams_are_read_with_a_token_that_may_do_nothing_else(github: FakeGitHub, key: str) -> None:
    credentials = app(github, key, "acme/deploy", "acme/shop")
    other = credentials.token_for("acme/deploy")
    assert credentials.token_for_owner("acme") == credentials.token_for_owner("ACME") != other
    assert github.asked_for[1:] == [{"repositories": ["deploy"], "permissions": {"members": "read"}}]


def test_where_the_app_may_not_read_teams_it_is_said_what_to_grant(github: FakeGitHub, key: str) -> None:
    github.refuses_scope = lambda body: "members" in body["permissions"]
    with pytest.raises(Permanent, match="grant the GitHub App the organization permission “Members: read”"):
        app(github, key, "acme/deploy").token_for_owner("acme")


def test_attestations_are_read_with_a_token_that_may_do_nothing_else(github: FakeGitHub, key: str) -> None:
    credentials = app(github, key, "acme/deploy", "acme/shop")
    github.before = lambda _, path: (200, {"attestations": []}, {}) if "attestations" in path else None
    with parts_for(github, credentials) as parts:
        for _ in range(2):
            GitHubAttestations(parts.clients).find_proofs("acme/deploy", Digest(f"sha256:{'a' * 64}"))
        parts.signals.checks_of("acme/deploy", HEAD, ["test"], app=1)
    alone, usual = github.asked_for
    assert alone == {"repositories": ["deploy"], "permissions": {"attestations": "read"}}
    assert "attestations" not in usual["permissions"]


def test_where_the_app_may_not_read_attestations_it_is_said_what_to_grant(github: FakeGitHub, key: str) -> None:
    github.refuses_scope = lambda body: "attestations" in body["permissions"]
    with pytest.raises(Permanent, match="grant the GitHub App the permission “Attestations: read”") as caught:
        app(github, key, "acme/deploy").token_for_attestations("acme/deploy")
    assert "get a token to read the attestations of acme/deploy" in caught.value.sentence


def test_an_organization_is_asked_with_the_token_of_its_installation(github: FakeGitHub, key: str) -> None:
    github.members["acme/sre"] = ["dana"]
    with parts_for(github, app(github, key, "acme/deploy")) as parts:
        assert parts.conversation.is_member("acme/sre", "dana") is True
        with pytest.raises(Permanent, match="has no repository of “other”"):
            parts.conversation.is_member("other/sre", "dana")
        assert set(parts.clients.report()) == {"acme", "other"}


def test_an_app_that_is_not_installed_says_so(github: FakeGitHub, key: str) -> None:
    github.installed = False
    with pytest.raises(Permanent, match="is the app installed there"):
        app(github, key).token_for(REPO)


def test_an_app_whose_repository_was_renamed_says_so(github: FakeGitHub, key: str) -> None:
    moved = {"Location": f"{github.url}/repositories/9/installation"}
    github.before = lambda method, path: (301, {}, moved) if "acme" in path else None
    with pytest.raises(Permanent, match="has moved or was renamed: change its name in the policy"):
        app(github, key).token_for(REPO)
    assert len(github.requests) == 1


def test_threads_share_one_installation_token(github: FakeGitHub, key: str) -> None:
    credentials = app(github, key)
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(credentials.token_for(REPO))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens == [github.minted[0]] * 8


def test_a_kept_token_waits_for_nobody_who_gets_one(github: FakeGitHub, key: str) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def read_key() -> str:
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            assert go_on.wait(timeout=30)
        return key

    credentials = AppCredentials(github.url, app_id=APP_ID, private_key=read_key, clock=StoppedClock())
    kept = credentials.token_for(REPO)
    slow = threading.Thread(target=credentials.token_for, args=("slow/repo",))
    slow.start()
    try:
        assert asked.wait(timeout=30)
        assert credentials.token_for(REPO) == kept
        assert credentials.token_for("third/repo") == github.minted[1]
        assert slow.is_alive()
    finally:
        go_on.set()
        slow.join()
    assert len(github.minted) == 3


@pytest.mark.parametrize(
    "bad", ["", "no key", "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n"]
)
def test_a_private_key_that_is_none_is_permanent_and_not_shown(github: FakeGitHub, bad: str) -> None:
    with pytest.raises(Permanent, match="no RSA key in PEM form") as caught:
        app(github, bad).token_for(REPO)
    assert "c2VjcmV0" not in repr(caught.value)


def test_a_private_key_file_that_is_gone_is_permanent(github: FakeGitHub) -> None:
    credentials = AppCredentials(github.url, app_id=APP_ID, private_key=_vanished, clock=StoppedClock())
    with pytest.raises(Permanent, match="private key could not be read: No such file"):
        credentials.token_for(REPO)


# --- knowing itself --------------------------------------------------------------------------------------------------


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub, key: str) -> Iterator[Parts]:
    with parts_for(github, app(github, key, REPO)) as parts:
        yield parts


def test_an_app_knows_what_it_did_itself_although_graphql_names_it_otherwise(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, author="liftlock[bot]", state="closed", events=[event("ClosedEvent", "liftlock[bot]")])
    github.add_comment(1, "liftlock[bot]", "Evidence")
    github.add_comment(1, "liftlock", "a person of that name")
    seen = parts.forge.look_at(REPO, "main", [BRANCH])
    found = seen.newest[BRANCH]
    assert (found.is_own, found.closed_by, found.closed_by_bot) == (True, "liftlock[bot]", True)
    assert [remark.author for remark in found.remarks] == ["liftlock"]
    assert seen.own_app_id == APP_ID


def test_a_person_of_the_apps_name_is_not_the_bot(parts: Parts, github: FakeGitHub) -> None:
    github.add_pull(BRANCH, author="liftlock", draft=True, events=[event("ConvertToDraftEvent", "liftlock")])
    found = parts.forge.look_at(REPO, "main", [BRANCH]).newest[BRANCH]
    assert (found.is_own, found.draft_by) == (False, "liftlock")


def test_the_apps_own_check_counts_for_nothing_and_one_of_its_name_by_another_app_does(
    parts: Parts, github: FakeGitHub
) -> None:
    own = run("liftlock/production", "FAILURE", app=APP_ID)
    foreign = run("liftlock/production", "FAILURE", app=666)
    github.add_pull(BRANCH, contexts=[own])
    assert parts.merging.look_again(REPO, 1).checks == Checks()
    github.pulls[0].contexts = [own, foreign]
    assert parts.merging.look_again(REPO, 1).checks == Checks(failed=("liftlock/production",))


def test_a_comment_made_through_another_app_is_not_the_bots(parts: Parts, github: FakeGitHub) -> None:
    fake = github.add_comment(1, "liftlock[bot]", "<!-- m -->\nx", performed_via_github_app={"id": 666})
    assert parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None) != fake["id"]


def test_an_app_that_is_renamed_while_the_bot_runs_edits_its_comment_in_place(parts: Parts, github: FakeGitHub) -> None:
    first = parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None)
    github.comments[0]["user"] = user("promoter[bot]")
    for known in (first, None):
        assert parts.conversation.write_comment(REPO, 1, marker="m", body="y", known=known) == first
    assert len(github.comments) == 1


def test_a_persons_comment_through_the_app_is_not_the_bots(parts: Parts, github: FakeGitHub) -> None:
    theirs = github.add_comment(1, "dana", "<!-- m -->\nx", performed_via_github_app={"id": APP_ID})
    assert parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=theirs["id"]) != theirs["id"]


def test_a_renamed_account_is_known_by_its_number() -> None:
    own = Identity(login="lift-bot", user_id=501)
    renamed = account_of_graph(Node({"__typename": "User", "login": "new-name", "databaseId": 501}))
    taken = account_of_rest(Node({"login": "lift-bot", "id": 999, "type": "User"}))
    assert renamed is not None
    assert taken is not None
    assert (renamed.is_same(own), taken.is_same(own)) == (True, False)
