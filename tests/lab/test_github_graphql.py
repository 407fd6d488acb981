"""The GraphQL API: what it shows and changes, who may, what it costs, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from github import Auth, Github
from github.GithubException import GithubException, UnknownObjectException
from hypothesis import given
from hypothesis import strategies as st

from bot.lab.github.graph.connections import connection
from bot.lab.github.nouns import MergeQueue
from tests.contract.graphql_conformance import PATHS, github_violations
from tests.lab.github_world import BRANCH, FILE, NEW, REPO, GitHubWorld, running_github
from tests.lab.graph import EVENTS, NAME, OWNER, ask, look, order, post


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world
        asked = [one for one in world.lab.exchanges if one.path in PATHS and b"nonsense }" not in one.request_body]
        assert [said for one in asked for said in github_violations(one)] == []


def app_token(world: GitHubWorld, **permissions: str) -> str:
    if 7 not in world.lab.world.apps:
        world.lab.add_app(7, "")
    with world.lab.world.lock:
        return world.lab.world.issue_installation_token(world.lab.world.apps[7], permissions, None)[0]


def errors(told: dict[str, object]) -> list[tuple[object, object]]:
    listed = told["errors"]
    assert isinstance(listed, list)
    return [(one.get("type"), one["message"]) for one in listed]


# --- teams ---

MEMBERS = """
query($team: String!, $who: String) { organization(login: "acme") { login team(slug: $team) {
  slug members(first: 10, query: $who) { totalCount nodes { login databaseId } }
} } }"""


# what is searched for: who is found
@pytest.mark.parametrize(
    ("slug", "who", "found"),
    [
        ("deployers", "dana", ["dana"]),
        ("Deployers", "DAN", ["dana"]),
        ("deployers", "a", ["dana", "rita"]),
        ("deployers", "nobody", []),
        ("nobodies", "dana", None),
    ],
)
def test_who_is_in_a_team_is_searched_by_parts_of_the_login(
    world: GitHubWorld, slug: str, who: str, found: list[str] | None
) -> None:
    world.lab.add_team("acme", "deployers", {"dana": "maintainer", "rita": "member"})
    team = ask(world, MEMBERS, team=slug, who=who)["data"]["organization"]["team"]
    assert (None if team is None else [one["login"] for one in team["members"]["nodes"]]) == found


def test_an_app_needs_the_right_to_read_members(world: GitHubWorld) -> None:
    world.lab.add_team("acme", "deployers", {"dana": "member"})
    asked = {"team": "deployers", "who": "dana"}
    refused = ask(world, MEMBERS, app_token(world, contents="write"), **asked)
    assert errors(refused) == [("FORBIDDEN", "Resource not accessible by integration")]
    allowed = ask(world, MEMBERS, app_token(world, members="read"), **asked)
    assert allowed["data"]["organization"]["team"]["members"]["totalCount"] == 1


# --- what is shown ---


def test_a_pull_request_is_told_whole(world: GitHubWorld) -> None:
    number = world.propose()
    head = world.head_of(number)
    world.lab.protect(REPO, "main", required_contexts=["build"], required_approvals=1, integrations={"build": 1})
    world.lab.comment_as("dana", REPO, number, "One")
    world.lab.edit_comment_as("dana", REPO, world.lab.comment_as("liftlock", REPO, number, "Two"), "Three")
    world.lab.review_as("rita", REPO, number, "APPROVED")
    world.lab.review_as("dana", REPO, number, "CHANGES_REQUESTED", body="No")
    world.lab.add_check_run(REPO, head, "build")
    world.lab.set_status(REPO, head, "lint", "pending")
    world.lab.label_as("dana", REPO, number, "hold")
    world.lab.edit_pull_as("dana", REPO, number, title="Better")
    shown = look(world)
    assert (shown["state"], shown["isDraft"], shown["title"], shown["headRefOid"]) == ("OPEN", False, "Better", head)
    assert (shown["mergeable"], shown["mergeStateStatus"]) == ("MERGEABLE", "BLOCKED")
    assert shown["reviewDecision"] == "CHANGES_REQUESTED"
    assert [one["author"]["login"] for one in shown["latestOpinionatedReviews"]["nodes"]] == ["dana"]
    assert [one["author"]["login"] for one in shown["latestReviews"]["nodes"]] == ["rita", "dana"]
    first, second = shown["comments"]["nodes"]
    assert (first["body"], first["lastEditedAt"], first["viewerDidAuthor"]) == ("One", None, False)
    assert (second["body"], second["includesCreatedEdit"], second["editor"]["login"]) == ("Three", True, "dana")
    rollup = shown["statusCheckRollup"]
    assert (rollup["state"], rollup["contexts"]["checkRunCount"]) == ("PENDING", 1)
    assert [(one["__typename"], one["isRequired"]) for one in rollup["contexts"]["nodes"]] == [
        ("CheckRun", True),
        ("StatusContext", False),
    ]
    assert rollup["contexts"]["nodes"][0]["checkSuite"]["app"] == {"databaseId": 1, "slug": "app-1"}
    assert [one["__typename"] for one in shown["timelineItems"]["nodes"]] == [
        "PullRequestCommit",
        "LabeledEvent",
        "RenamedTitleEvent",
    ]


def test_a_commit_names_its_author_and_its_co_authors_and_whose_addresses_these_are(world: GitHubWorld) -> None:
    rita = world.lab.world.account("rita").email
    message = f"Change\n\nCo-authored-by: Rita <{rita}>\nco-authored-by: Guest <g@elsewhere.example>\nCo-authored-by: x"
    sha = world.lab.commit_as("dana", REPO, "topic", {FILE: NEW}, message)
    query = """query($oid: GitObjectID!) { repository(owner: "acme", name: "deploy") { object(oid: $oid) {
      ... on Commit { authors(first: 10) { totalCount nodes { name email user { login } } } }
    } } }"""
    told = ask(world, query, oid=sha)["data"]["repository"]["object"]["authors"]
    assert [(one["name"], (one["user"] or {}).get("login")) for one in told["nodes"]] == [
        ("dana", "dana"),
        ("Rita", "rita"),
        ("Guest", None),
    ]


def test_a_repository_its_viewer_and_the_allowance_are_told(world: GitHubWorld) -> None:
    world.lab.allow_auto_merge(REPO)
    query = """{
      viewer { login databaseId }
      rateLimit { cost limit remaining resetAt used nodeCount }
      repository(owner: "acme", name: "deploy") {
        id databaseId nameWithOwner viewerPermission mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed
        autoMergeAllowed deleteBranchOnMerge isArchived isPrivate url owner { login __typename }
        defaultBranchRef { name target { oid ... on Commit { messageHeadline } } }
        ref(qualifiedName: "refs/heads/main") { name } none: ref(qualifiedName: "none") { name }
        mergeQueue(branch: "main") { id } object(expression: "main") { oid }
      }
    }"""
    told = ask(world, query)["data"]
    assert told["viewer"]["login"] == "liftlock"
    assert (told["rateLimit"]["cost"], told["rateLimit"]["used"], told["rateLimit"]["remaining"]) == (1, 1, 4999)
    assert told["repository"]["viewerPermission"] == "WRITE"
    assert told["repository"]["autoMergeAllowed"] is True
    assert told["repository"]["none"] is told["repository"]["mergeQueue"] is None
    assert told["repository"]["object"]["oid"] == world.lab.head(REPO, "main")


def test_pull_requests_are_chosen_ordered_and_paged(world: GitHubWorld) -> None:
    for index in range(3):
        world.clock.advance(timedelta(minutes=1))
        world.propose(f"liftlock/{index}", NEW + f"# {index}\n")
    world.lab.close_pull(REPO, 2, "dana")
    query = """query($states: [PullRequestState!], $head: String, $after: String, $size: Int = 100) {
      repository(owner: "acme", name: "deploy") { pullRequests(states: $states, headRefName: $head, first: $size,
        after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {
          totalCount nodes { number } edges { cursor } pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
    } } }"""

    def found(**chosen: Any) -> dict[str, object]:
        told: dict[str, object] = ask(world, query, **chosen)["data"]["repository"]["pullRequests"]
        return told

    assert found()["nodes"] == [{"number": 3}, {"number": 2}, {"number": 1}]
    assert found(states=["OPEN"])["nodes"] == [{"number": 3}, {"number": 1}]
    assert found(head="liftlock/1")["nodes"] == [{"number": 2}]
    first = found(size=2)
    page = first["pageInfo"]
    assert isinstance(page, dict)
    assert (first["totalCount"], page["hasNextPage"]) == (3, True)
    assert found(size=2, after=page["endCursor"])["nodes"] == [{"number": 1}]


def test_mergeability_takes_its_looks_here_too(world: GitHubWorld) -> None:
    world.lab.compute_mergeability_slowly(1)
    world.propose()
    fields = "mergeable mergeStateStatus"
    assert look(world, fields) == {"mergeable": "UNKNOWN", "mergeStateStatus": "UNKNOWN"}
    assert look(world, fields) == {"mergeable": "MERGEABLE", "mergeStateStatus": "CLEAN"}
    world.lab.commit_as("dana", REPO, "main", {FILE: 'image:\n  tag: "9"\n'}, "Conflict")
    look(world, fields)
    assert look(world, fields) == {"mergeable": "CONFLICTING", "mergeStateStatus": "DIRTY"}


def test_a_node_is_found_by_its_global_id(world: GitHubWorld) -> None:
    number = world.propose()
    comment = world.http.get(f"/repos/{REPO}/issues/comments/{world.lab.comment_as('dana', REPO, number, 'x')}").json()
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    for node_id, kind in (
        (world.pull(number)["node_id"], "PullRequest"),
        (comment["node_id"], "IssueComment"),
        (world.http.get(f"/repos/{REPO}").json()["node_id"], "Repository"),
    ):
        assert ask(world, query, id=node_id)["data"]["node"] == {"__typename": kind, "id": node_id}
    told = ask(world, query, id="PR_nonsense")
    assert errors(told) == [("NOT_FOUND", "Could not resolve to a node with the global id of 'PR_nonsense'.")]


def test_an_apps_bot_is_told_without_the_ending_of_its_login(world: GitHubWorld) -> None:
    token = app_token(world, contents="write", pull_requests="write")
    world.lab.commit_as("liftlock", REPO, BRANCH, {FILE: NEW}, "Promote")
    with world.client(token) as app:
        app.post(f"/repos/{REPO}/pulls", json={"title": "T", "head": BRANCH, "base": "main"}).raise_for_status()
    author = look(world, "author { __typename login }", token=token)["author"]
    assert author == {"__typename": "Bot", "login": "app-7"}
    assert ask(world, "{ viewer { login } }", token)["data"]["viewer"]["login"] == "app-7[bot]"


@given(total=st.integers(0, 30), size=st.integers(1, 9))
def test_pages_put_together_are_the_list_from_either_end(total: int, size: int) -> None:
    items = list(range(total))
    field = connection("items", lambda: items, lambda one: {"number": one})

    def walk(sizes: str, cursors: str, more: str, edge: str) -> list[list[int]]:
        pages, cursor = [], None
        while True:
            page: Any = field(None, **{sizes: size, cursors: cursor})
            pages.append([node["number"] for node in page["nodes"]])
            cursor = page["pageInfo"][edge]
            if not page["pageInfo"][more]:
                return pages

    forth = walk("first", "after", "hasNextPage", "endCursor")
    back = walk("last", "before", "hasPreviousPage", "startCursor")
    assert [one for page in forth for one in page] == items
    assert [one for page in reversed(back) for one in page] == items
    assert max(len(page) for page in forth + back) <= size


# --- what is changed ---


def test_drafts_come_and_go(world: GitHubWorld) -> None:
    world.propose()
    told = order(world, "convertPullRequestToDraft", clientMutationId="x")
    shown = told["data"]["convertPullRequestToDraft"]
    assert (shown["clientMutationId"], shown["pullRequest"]["isDraft"]) == ("x", True)
    assert world.http.put(f"/repos/{REPO}/pulls/1/merge").json()["message"] == "Pull Request is still a draft"
    order(world, "markPullRequestReadyForReview")
    assert look(world, "isDraft")["isDraft"] is False
    told = ask(world, EVENTS, owner=OWNER, name=NAME, number=1, kinds=["CONVERT_TO_DRAFT_EVENT"])
    items = told["data"]["repository"]["pullRequest"]["timelineItems"]
    assert items == {"filteredCount": 1, "totalCount": 3, "nodes": [{"__typename": "ConvertToDraftEvent"}]}


def test_a_pull_request_is_updated(world: GitHubWorld) -> None:
    world.propose()
    world.lab.commit_as("dana", REPO, "next", {"a": "1"}, "Next")
    assert order(world, "updatePullRequest", title="New", body="Text", state="CLOSED")["data"]["updatePullRequest"]
    shown = look(world)
    assert (shown["title"], shown["body"], shown["state"]) == ("New", "Text", "CLOSED")
    assert order(world, "updatePullRequest", state="OPEN", baseRefName="next")["data"]["updatePullRequest"]
    assert look(world, "state baseRefName") == {"state": "OPEN", "baseRefName": "next"}
    refused = order(world, "updatePullRequest", baseRefName="none")
    assert errors(refused) == [("UNPROCESSABLE", "Proposed base branch 'none' was not found")]


def test_auto_merge_is_armed_for_the_head_that_was_seen_and_taken_back(world: GitHubWorld) -> None:
    head = world.head_of(world.propose())
    world.lab.allow_auto_merge(REPO)
    world.lab.protect(REPO, "main", required_contexts=["build"])
    refused = order(world, "enablePullRequestAutoMerge", expectedHeadOid="0" * 40)
    assert errors(refused) == [("UNPROCESSABLE", "Head branch was modified. Review and try the merge again.")]
    order(world, "enablePullRequestAutoMerge", expectedHeadOid=head, mergeMethod="SQUASH", commitHeadline="Title")
    armed = look(world)["autoMergeRequest"]
    assert (armed["mergeMethod"], armed["enabledBy"]["login"], armed["commitHeadline"]) == (
        "SQUASH",
        "liftlock",
        "Title",
    )
    order(world, "disablePullRequestAutoMerge")
    assert look(world)["autoMergeRequest"] is None
    refused = order(world, "disablePullRequestAutoMerge")
    assert errors(refused) == [("UNPROCESSABLE", "Can't disable auto-merge for this pull request.")]


def test_the_merge_queue_is_entered_and_left(world: GitHubWorld) -> None:
    world.propose()
    refused = order(world, "enqueuePullRequest")
    assert errors(refused)[0][0] == "UNPROCESSABLE"
    world.lab.protect(REPO, "main", merge_queue=MergeQueue())
    told = order(world, "enqueuePullRequest", expectedHeadOid=world.head_of(1))
    assert told["data"]["enqueuePullRequest"]["mergeQueueEntry"] == {"position": 1}
    shown = look(world)
    assert (shown["isInMergeQueue"], shown["mergeQueueEntry"]["state"]) == (True, "AWAITING_CHECKS")
    assert errors(order(world, "enqueuePullRequest")) == [("UNPROCESSABLE", "Pull request is already in the queue")]
    order(world, "dequeuePullRequest")
    assert look(world, "isInMergeQueue")["isInMergeQueue"] is False
    assert errors(order(world, "dequeuePullRequest"))[0][0] == "UNPROCESSABLE"


# --- who may ---


def test_what_is_not_there_or_hidden_is_not_found(world: GitHubWorld) -> None:
    query = (
        'query($name: String!, $n: Int!) { repository(owner: "acme", name: $name) { pullRequest(number: $n) { id } } }'
    )
    said = "Could not resolve to a Repository with the name 'acme/none'."
    told = ask(world, query, name="none", n=1)
    assert (told["data"], errors(told)) == ({"repository": None}, [("NOT_FOUND", said)])
    assert told["errors"][0]["path"] == ["repository"]
    assert errors(ask(world, query, world.lab.token_of("nobody"), name=NAME, n=1))[0][0] == "NOT_FOUND"
    told = ask(world, query, name=NAME, n=9)
    assert told["data"] == {"repository": {"pullRequest": None}}
    assert errors(told) == [("NOT_FOUND", "Could not resolve to a PullRequest with the number of 9.")]


@pytest.mark.parametrize(
    "permissions",
    [{"pull_requests": "write"}, {"contents": "write", "pull_requests": "read"}],
    ids=["no contents", "read"],
)
@pytest.mark.parametrize(
    "mutation", ["convertPullRequestToDraft", "enablePullRequestAutoMerge", "enqueuePullRequest", "updatePullRequest"]
)
def test_an_app_needs_to_write_contents_and_pull_requests(
    world: GitHubWorld, mutation: str, permissions: dict[str, str]
) -> None:
    world.propose()
    told = order(world, mutation, app_token(world, **permissions))
    assert errors(told) == [("FORBIDDEN", "Resource not accessible by integration")]
    assert told["data"] == {mutation: None}


def test_a_reader_changes_nothing_and_an_app_sees_what_it_may(world: GitHubWorld) -> None:
    world.propose()
    told = order(world, "convertPullRequestToDraft", world.lab.token_of("rita"))
    assert errors(told) == [("FORBIDDEN", "Resource not accessible by personal access token")]
    query = 'query { repository(owner: "acme", name: "deploy") { name pullRequest(number: 1) { statusCheckRollup { state } } } }'  # noqa: E501
    told = ask(world, query, app_token(world, pull_requests="read"))
    assert told["data"]["repository"]["pullRequest"] == {"statusCheckRollup": None}
    assert told["errors"][0]["path"] == ["repository", "pullRequest", "statusCheckRollup"]
    assert errors(told) == [("FORBIDDEN", "Resource not accessible by integration")]
    assert errors(ask(world, query, app_token(world, checks="read")))[0][0] == "FORBIDDEN"


def test_who_is_not_logged_in_is_refused_by_status(world: GitHubWorld) -> None:
    bad = post(world, "{ viewer { login } }", {}, "wrong")
    assert (bad.status_code, bad.json()["message"]) == (401, "Bad credentials")
    body = {"query": "{ viewer { login } }"}
    nobody = httpx.post(f"{world.lab.url}/api/graphql", json=body, trust_env=False)
    assert (nobody.status_code, nobody.json()["message"]) == (401, "This endpoint requires you to be authenticated.")


def test_a_list_must_say_how_long_it_is_to_be(world: GitHubWorld) -> None:
    query = '{ repository(owner: "acme", name: "deploy") { pullRequests%s { totalCount } } }'
    assert errors(ask(world, query % ""))[0][0] == "MISSING_PAGINATION_BOUNDARIES"
    assert errors(ask(world, query % "(first: 101)"))[0] == (
        "EXCESSIVE_PAGINATION",
        "Requesting 101 records on the `pullRequests` connection exceeds the `first` limit of 100 records.",
    )
    assert errors(ask(world, query % '(first: 1, after: "x")'))[0][0] == "INVALID_CURSOR_ARGUMENTS"


# --- what it costs ---


def test_points_follow_githubs_rule(world: GitHubWorld) -> None:
    # 1 for the pull requests, 50 for their labels, 50 for their comments, 50 · 100 for the contexts: 5,101 / 100.
    query = """query($size: Int!) { rateLimit { cost nodeCount } repository(owner: "acme", name: "deploy") {
      pullRequests(first: $size) { nodes { ...f labels(first: 100) { nodes { name } } } } } }
      fragment f on PullRequest { comments(last: 10) { nodes { id } } reviews(first: 100) { nodes { id
        onlyOne: author { login } } } latestReviews(first: 1) { nodes { id } } }"""
    assert ask(world, query, size=1)["data"]["rateLimit"] == {"cost": 1, "nodeCount": 1 + 100 + 10 + 100 + 1}
    assert ask(world, query, size=100)["data"]["rateLimit"]["cost"] == round(401 / 100)
    assert world.lab.calls.graphql_points == 5
    assert (world.lab.calls.graphql["query"], world.lab.calls.rest_requests) == (2, 0)
    world.lab.calls.reset()
    assert (world.lab.calls.requests, world.lab.calls.graphql_points) == (0, 0)


def test_the_allowance_is_of_its_own_and_told_in_headers(world: GitHubWorld) -> None:
    answer = post(world, "{ viewer { login } }", {})
    assert (answer.headers["x-ratelimit-resource"], answer.headers["x-ratelimit-used"]) == ("graphql", "1")
    told = world.http.get("/rate_limit").json()["resources"]
    assert (told["graphql"]["used"], told["core"]["used"]) == (1, 0)


@pytest.mark.parametrize("word", ["RATE_LIMITED", "RATE_LIMIT"])
def test_a_used_up_allowance_is_an_error_in_an_answer_of_200(world: GitHubWorld, word: str) -> None:
    reset = world.clock.now() + timedelta(minutes=10)
    if word == "RATE_LIMIT":
        world.lab.limit_graphql(0, reset, word="RATE_LIMIT")
    else:
        world.lab.limit_graphql(0, reset)
    answer = post(world, "{ viewer { login } }", {})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["type"], answer.headers["x-ratelimit-remaining"]) == (200, word, "0")
    assert error["message"].startswith("API rate limit exceeded for user ID")
    assert answer.headers["x-ratelimit-reset"] == str(int(reset.timestamp()))
    world.clock.advance(timedelta(minutes=10))
    assert ask(world, "{ viewer { login } }")["data"]["viewer"]["login"] == "liftlock"


# --- through the library ---


def test_pygithub_finds_the_api_and_raises_its_refusals(world: GitHubWorld) -> None:
    world.propose()
    world.lab.allow_auto_merge(REPO)
    world.lab.protect(REPO, "main", required_contexts=["build"])
    auth = Auth.Token(world.lab.token)
    with Github(auth=auth, base_url=world.lab.api_url, seconds_between_writes=None, retry=None) as github:
        pull = github.get_repo(REPO).get_pull(1)
        pull.convert_to_draft()
        pull.mark_ready_for_review()
        pull.enable_automerge("SQUASH", expected_head_oid=pull.head.sha)
        assert world.lab.pull(REPO, 1).auto_merge is not None
        pull.disable_automerge()
        requester = github.requester
        with pytest.raises(UnknownObjectException):
            requester.graphql_query('{ repository(owner: "acme", name: "none") { id } }', {})
        world.lab.limit_graphql(0, world.clock.now() + timedelta(minutes=1))
        with pytest.raises(GithubException) as caught:
            requester.graphql_query("{ viewer { login } }", {})
    assert caught.value.status == 400


def test_the_schema_refuses_what_it_does_not_know(world: GitHubWorld) -> None:
    body = {"query": "{ nonsense }"}
    headers = {"authorization": f"Bearer {world.lab.token}"}
    answer = httpx.post(f"{world.lab.url}/api/v3/graphql", json=body, headers=headers, trust_env=False)
    assert answer.json()["errors"][0]["message"] == "Cannot query field 'nonsense' on type 'Query'."
    said = [one for one in world.lab.exchanges if one.path in PATHS]
    assert len(github_violations(said[0])) == 1
