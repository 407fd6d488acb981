"""A comment on a commit, on the lab's GitHub: once, the bot's own, and as GitHub's description has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.github import Clients, GitHubConversation, GitHubSettings, TokenCredentials
from bot.domain.model import Sha
from bot.lab.github.nouns import CommitComment
from bot.ports import Permanent
from tests.adapters.githubparts import Seconds
from tests.contract.conformance import GITHUB
from tests.lab.github_world import REPO, GitHubWorld, running_github


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


@pytest.fixture(name="conversation")
def fixture_conversation(world: GitHubWorld) -> Iterator[GitHubConversation]:
    settings = GitHubSettings(
        api_url=world.lab.api_url,
        pause=timedelta(milliseconds=2),
        write_pause=timedelta(0),
        timeout=timedelta(seconds=5),
    )
    credentials = TokenCredentials(lambda: world.lab.token)
    with Clients(settings, credentials=credentials, clock=world.clock, pacing=Seconds().pacing) as clients:
        yield GitHubConversation(clients)


def head(world: GitHubWorld) -> Sha:
    found = world.lab.head(REPO, "main")
    assert found is not None
    return found


def comments(world: GitHubWorld) -> list[CommitComment]:
    with world.lab.world.lock:
        return list(world.lab.world.repository(REPO).commit_comments)


def test_a_commit_gets_a_comment_of_a_marker_once(world: GitHubWorld, conversation: GitHubConversation) -> None:
    for marker in ("one", "one", "two"):
        conversation.comment_on_commit(REPO, head(world), marker=marker, body="**text**")
    assert [(one.commit, one.author.login, one.body) for one in comments(world)] == [
        (head(world), "liftlock", "<!-- one -->\n**text**"),
        (head(world), "liftlock", "<!-- two -->\n**text**"),
    ]
    assert [problem for one in world.lab.exchanges for problem in GITHUB.violations(one)] == []


def test_a_comment_of_somebody_else_with_the_marker_is_not_the_bots(
    world: GitHubWorld, conversation: GitHubConversation
) -> None:
    path = f"/repos/{REPO}/commits/{head(world)}/comments"
    with world.client(world.lab.token_of("dana")) as dana:
        dana.post(path, json={"body": "<!-- one -->\nmine"}).raise_for_status()
    conversation.comment_on_commit(REPO, head(world), marker="one", body="text")
    assert [one.author.login for one in comments(world)] == ["dana", "liftlock"]


@pytest.mark.invariant("I15")
def test_after_a_lost_answer_the_comment_is_looked_for_and_not_written_again(
    world: GitHubWorld, conversation: GitHubConversation
) -> None:
    world.lab.fail_next("POST", "/repos/*/commits/*/comments", after_write=True)
    conversation.comment_on_commit(REPO, head(world), marker="one", body="text")
    assert len(comments(world)) == 1
    world.lab.fail_next("POST", "/repos/*/commits/*/comments")
    conversation.comment_on_commit(REPO, head(world), marker="two", body="text")
    assert len(comments(world)) == 2


def test_what_is_no_commit_is_refused_before_it_is_asked_for(conversation: GitHubConversation) -> None:
    for name in ("main", "../issues", "a" * 39):
        with pytest.raises(Permanent, match="no commit that can be commented on"):
            conversation.comment_on_commit(REPO, Sha(name), marker="one", body="text")


def test_the_labs_github_refuses_what_github_does(world: GitHubWorld) -> None:
    path = f"/repos/{REPO}/commits/{head(world)}/comments"
    assert world.http.post(path, json={}).status_code == 422
    assert world.http.post(path, json={"body": "x" * 65_537}).status_code == 422
    assert world.http.post(f"/repos/{REPO}/commits/{'0' * 40}/comments", json={"body": "x"}).status_code == 422
    with world.client(None) as nobody:
        assert nobody.post(path, json={"body": "x"}).status_code in (401, 404)
