"""Every request that the adapter can make keeps to GitHub's published description.

GraphQL documents run against the published schema in all tests of the adapter (`githubgraph`); this is about REST.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.github import AppCredentials, GitHubCommits
from bot.domain.model import Sha
from bot.domain.pulls import MergeMethod
from bot.forge import (
    CheckText,
    DeploymentText,
    MergeOrder,
    MergeText,
    PullText,
    Reaction,
    StatusText,
)
from bot.lab.exchanges import Exchange
from bot.ports import FileContent, Permanent
from tests.adapters.githubparts import BRANCH, HEAD, OLD_HEAD, REPO, Parts, parts_for
from tests.adapters.githubserver import FakeGitHub, fake_github
from tests.adapters.githubworld import APP_ID, Json
from tests.adapters.gitserver import StoppedClock
from tests.contract.conformance import GITHUB

# The description at hand has a repository's paths only.
NOT_DESCRIBED = ("/orgs/",)


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        github.branches[BRANCH] = HEAD
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    credentials = AppCredentials(github.url, app_id=APP_ID, private_key=lambda: pem, clock=StoppedClock())
    with parts_for(github, credentials) as parts:
        yield parts


def propose(parts: Parts) -> None:
    text = PullText(branch=BRANCH, base="main", title="t", body="b", labels=("l",), reviewers=("rita", "acme/sre"))
    parts.forge.open_promotion(REPO, text)
    parts.forge.edit_promotion(REPO, 1, "new")
    parts.forge.mark_ready(REPO, 1)
    comment = parts.conversation.write_comment(REPO, 1, marker="m", body="x", known=None)
    parts.conversation.write_comment(REPO, 1, marker="m", body="y", known=comment)
    parts.conversation.react(REPO, comment, Reaction.CONFUSED)
    parts.conversation.permission_of(REPO, 11, "dana")


def signal(parts: Parts) -> None:
    at = datetime(2026, 3, 1, 11, tzinfo=UTC)
    for state in ("waiting", "passed", "failed"):
        check = CheckText(name="liftlock/p", state=state, title="t", summary="s", started_at=at, url="https://x.test/")
        parts.signals.set_check(REPO, HEAD, check)
    parts.signals.set_status(REPO, HEAD, StatusText(context="liftlock/s", state="failure", description="d"))
    deployment = DeploymentText(environment="p", ref=HEAD, state="queued", description="d", is_production=False)
    parts.signals.set_deployment(REPO, deployment, None)
    parts.signals.pulls_of(REPO, HEAD)
    parts.signals.span(REPO, OLD_HEAD, HEAD, limit=5)
    parts.signals.writers_of(REPO, OLD_HEAD, HEAD)


def finish(parts: Parts, github: FakeGitHub) -> None:
    text = MergeText(title="t", message="m")
    github.merge_refusal = (405, "merge-async only")
    pending = {"status": "pending", "details": {"uuid": "u"}}
    github.async_answers = [pending, {"status": "enqueued", "details": {"message": "m"}}]
    parts.merging.merge_promotion(REPO, MergeOrder(number=1, head=HEAD, method=MergeMethod.SQUASH, text=text))
    github.merge_refusal = None
    parts.forge.withdraw(REPO, 1, BRANCH)


def commit(parts: Parts) -> None:
    files = [FileContent(path="a.yaml", mode="100644", text="x: 1\n")]
    with pytest.raises(Permanent):
        # The scripted server keeps no objects: what counts is the request.
        GitHubCommits(parts.clients).create(REPO, parent=HEAD, base_tree=Sha("0" * 40), files=files, message="m")


def sent(method: str, path: str, query: str, body: Json) -> Exchange:
    """A request with an answer that may come to any of them, so that the request alone is judged."""
    refused = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
    raw = b"" if method in ("GET", "DELETE") else json.dumps(body).encode()
    return Exchange(
        method=method,
        path=f"{GITHUB.prefix}{path}",
        query=query,
        request_headers=(("content-type", "application/json"),),
        request_body=raw,
        status=404,
        response_headers=(("content-type", "application/json"),),
        response_body=json.dumps(refused).encode(),
    )


def test_every_request_keeps_to_the_published_description(parts: Parts, github: FakeGitHub) -> None:
    propose(parts)
    signal(parts)
    finish(parts, github)
    commit(parts)
    asked = [
        (method, path, query, body)
        for (method, path), query, body in zip(github.requests, github.queries, github.bodies, strict=True)
        if not path.endswith("/graphql") and not path.startswith(NOT_DESCRIBED)
    ]
    found = [wrong for one in asked for wrong in GITHUB.violations(sent(*one), any_status=True)]
    assert found == []
    assert len({(method, path) for method, path, _, _ in asked}) >= 25
