"""The facts that the doctor asks GitHub for, from the lab's GitHub over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.clock import SystemClock
from bot.adapters.examination import skew_of
from bot.adapters.github import AppCredentials
from bot.adapters.github.examination import Examination, sign_as_app
from bot.adapters.github.facts import HookFacts
from bot.adapters.http import Answer, Endpoint
from bot.domain.pulls import MergeMethod
from bot.lab.clock import ManualClock
from bot.lab.github import GitHubLab
from bot.ports import Clock, Permanent, Transient

REPO = "acme/deploy"
FILE = "apps/checkout/values.yaml"
SECRET = "ghp_" + "s" * 36


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubLab]:
    with GitHubLab(tmp_path / "github", SystemClock()) as lab:
        lab.create_repository(REPO, files={FILE: "tag: 1.8.2\n"})
        yield lab


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private(key: rsa.RSAPrivateKey) -> str:
    kind = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


def public(key: rsa.RSAPrivateKey) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


def by_token(lab: GitHubLab, token: str | None = None, clock: Clock | None = None) -> Examination:
    endpoint = Endpoint(system="GitHub", url=lab.api_url)
    chosen = token or lab.token
    return Examination(endpoint, token_for=lambda _: chosen, app_token=None, clock=clock or SystemClock())


@contextmanager
def as_app(lab: GitHubLab, key: rsa.RSAPrivateKey) -> Iterator[Examination]:
    clock, pem = SystemClock(), private(key)
    credentials = AppCredentials(lab.api_url, app_id=7, private_key=lambda: pem, clock=clock)
    endpoint = Endpoint(system="GitHub", url=lab.api_url)
    with Examination(
        endpoint, token_for=credentials.token_for, app_token=lambda: sign_as_app(7, pem), clock=clock
    ) as examination:
        yield examination


# --- the clock -------------------------------------------------------------------------------------------------------


def test_a_clock_is_compared_with_the_date_of_an_answer(github: GitHubLab) -> None:
    with by_token(github) as examination:
        assert examination.measure_skew() == timedelta()
    behind = ManualClock(datetime.now(UTC) - timedelta(hours=1))
    with by_token(github, clock=behind) as examination:
        skew = examination.measure_skew()
    assert skew is not None
    assert timedelta(minutes=59) < skew < timedelta(minutes=61)


@pytest.mark.parametrize(
    ("said", "skew"),
    [
        ("Mon, 02 Mar 2026 12:00:00 GMT", timedelta()),
        ("Mon, 02 Mar 2026 11:59:59 GMT", timedelta()),
        ("Mon, 02 Mar 2026 12:00:09 GMT", timedelta(seconds=8)),
        ("Mon, 02 Mar 2026 11:59:50 GMT", timedelta(seconds=-9)),
        ("", None),
        ("yesterday", None),
    ],
)
def test_only_what_lies_outside_of_the_question_and_the_answer_is_skew(said: str, skew: timedelta | None) -> None:
    before = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    answer = Answer(status=200, headers={"date": said} if said else {}, body=b"")
    assert skew_of(answer, before, before + timedelta(seconds=1)) == skew


# --- a token ---------------------------------------------------------------------------------------------------------


def test_a_tokens_owner_expiry_and_scopes_are_read(github: GitHubLab) -> None:
    with by_token(github) as examination:
        user = examination.find_user()
        assert (user.login, user.expires_at, user.scopes) == ("liftlock", None, None)
        headers = {"GitHub-Authentication-Token-Expiration": "2026-05-01 10:00:00 +0200", "X-OAuth-Scopes": "repo, x"}
        github.fail_next("GET", "/user", 200, body={"login": "lift-bot"}, headers=headers)
        user = examination.find_user()
    assert user.expires_at == datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
    assert user.scopes == ("repo", "x")


def test_a_token_that_is_not_valid_is_refused_without_being_shown(github: GitHubLab) -> None:
    with by_token(github, SECRET) as examination, pytest.raises(Permanent, match="give it a valid one") as caught:
        examination.find_user()
    assert SECRET not in str(caught.value)


def test_a_used_up_limit_is_told_from_a_right_that_lacks(github: GitHubLab) -> None:
    with by_token(github) as examination:
        assert examination.find_limits(None)["core"].remaining == 5000
        github.limit_rate(0, datetime.now(UTC) + timedelta(minutes=5))
        assert examination.find_limits(None)["core"].remaining == 0
        with pytest.raises(Transient, match="the rate limit is used up"):
            examination.find_user()


def test_an_answer_that_makes_no_sense_is_transient(github: GitHubLab) -> None:
    github.fail_next("GET", "/user", 200, body={"id": 5}, times=2)
    with by_token(github) as examination, pytest.raises(Transient, match="in a way that is understood"):
        examination.find_user()


# --- repositories ----------------------------------------------------------------------------------------------------


def test_a_repository_is_described_with_the_askers_rights(github: GitHubLab) -> None:
    with by_token(github) as examination:
        found = examination.find_repository(REPO)
        assert examination.find_repository("acme/elsewhere") is None
    assert found is not None
    assert (found.name, found.default_branch, found.is_archived) == (REPO, "main", False)
    assert found.rights["push"]
    assert not found.rights["admin"]
    assert found.methods == tuple(MergeMethod)


def test_what_github_does_not_show_of_a_repository_is_none(github: GitHubLab) -> None:
    body = {"full_name": REPO, "default_branch": "main", "archived": True}
    github.fail_next("GET", f"/repos/{REPO}", 200, body=body)
    with by_token(github) as examination:
        found = examination.find_repository(REPO)
    assert found is not None
    assert found.is_archived
    assert (found.methods, found.may_arm, found.rights) == (None, None, {})


def test_a_file_is_read_at_a_branch(github: GitHubLab) -> None:
    with by_token(github) as examination:
        assert examination.read_file(REPO, "main", FILE) == "tag: 1.8.2\n"
        assert examination.read_file(REPO, "main", "apps/none.yaml") is None
        assert examination.read_file(REPO, "release", FILE) is None


def test_pushes_pass_where_every_ruleset_that_forbids_them_may_be_bypassed(github: GitHubLab) -> None:
    with by_token(github) as examination:
        assert not examination.may_bypass(REPO, "main")
        github.protect(REPO, "main", required_contexts=["build"], ruleset=True)
        rules = [{"type": "deletion", "ruleset_id": 3}, {"type": "pull_request", "ruleset_id": 4}]
        for word, passes in (("always", True), ("pull_requests_only", False), ("never", False)):
            github.fail_next("GET", f"/repos/{REPO}/rules/branches/main", 200, body=rules)
            github.fail_next("GET", f"/repos/{REPO}/rulesets/4", 200, body={"current_user_can_bypass": word})
            assert examination.may_bypass(REPO, "main") is passes


@pytest.mark.parametrize("name", ["acme", "acme/../x", "acme/x?y"])
def test_a_name_that_is_no_repository_is_never_asked_for(github: GitHubLab, name: str) -> None:
    with by_token(github) as examination, pytest.raises(Permanent, match="cannot be used as a repository"):
        examination.find_repository(name)


# --- an App ----------------------------------------------------------------------------------------------------------


def test_an_app_its_installation_and_its_webhook_are_read(github: GitHubLab, key: rsa.RSAPrivateKey) -> None:
    url = "https://bot.acme.example/webhooks/github"
    github.add_app(7, public(key), owner="acme", events=["push"], webhook_url=url, permissions={"checks": "write"})
    with as_app(github, key) as examination:
        app, installation = examination.find_app(), examination.find_installation(REPO)
        assert (app.id, app.slug) == (7, "app-7")
        assert installation is not None
        assert (installation.account, installation.permissions) == ("acme", {"checks": "write"})
        assert not installation.is_suspended
        assert examination.find_app_hook() == HookFacts(url=url, is_active=True, events=frozenset({"push"}))


def test_an_app_that_is_not_installed_or_has_no_webhook_is_told(github: GitHubLab, key: rsa.RSAPrivateKey) -> None:
    github.add_app(7, public(key), owner="elsewhere")
    with as_app(github, key) as examination:
        assert examination.find_installation(REPO) is None
        assert examination.find_app_hook() is None


def test_a_key_of_another_app_is_refused(github: GitHubLab, key: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    github.add_app(7, public(other), owner="acme")
    with as_app(github, key) as examination, pytest.raises(Permanent, match="tell which GitHub App this is"):
        examination.find_app()


def test_a_text_that_is_no_key_is_told_without_being_shown() -> None:
    with pytest.raises(Permanent, match="no RSA key in PEM form") as caught:
        sign_as_app(7, SECRET)
    assert SECRET not in str(caught.value)


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_a_repositorys_webhooks_are_seen_by_its_administrators_only(github: GitHubLab) -> None:
    github.add_webhook(REPO, "https://bot.acme.example/webhooks/github", "s", events=["push", "status"])
    with by_token(github) as examination:
        assert examination.find_hooks(REPO) is None
    admin = github.add_user("olga", {REPO: "admin"})
    with by_token(github, admin) as examination:
        found = examination.find_hooks(REPO)
    assert found is not None
    assert [(hook.url, hook.is_active, hook.events) for hook in found] == [
        ("https://bot.acme.example/webhooks/github", True, frozenset({"push", "status"}))
    ]


def test_deliveries_that_failed_are_counted(github: GitHubLab) -> None:
    rows = [{"status_code": 401, "status": "Invalid HTTP Response: 401"}, {"status_code": 202, "status": "OK"}]
    github.fail_next("GET", f"/repos/{REPO}/hooks/5/deliveries", 200, body=rows)
    with by_token(github) as examination:
        found = examination.find_deliveries(REPO, 5)
        assert found is not None
        assert (found.seen, found.failed, found.newest) == (2, 1, "Invalid HTTP Response: 401")
        assert examination.find_deliveries(REPO, 6) is None
