"""Documents for the lab's GraphQL API, and a client that sends them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.lab.github_world import REPO, GitHubWorld

OWNER, NAME = REPO.split("/")
PULL_FIELDS = """
  id databaseId fullDatabaseId number url title body state isDraft createdAt closedAt mergedAt updatedAt lastEditedAt
  closed merged mergedBy { login __typename } viewerDidAuthor isCrossRepository changedFiles
  author { login __typename ... on Bot { databaseId } ... on User { databaseId } }
  headRefName headRefOid headRef { name prefix target { oid } } headRepository { nameWithOwner }
  baseRefName baseRefOid baseRef { name } baseRepository { id } repository { name }
  mergeable mergeStateStatus reviewDecision mergeCommit { oid } potentialMergeCommit { oid }
  autoMergeRequest { enabledAt enabledBy { login } mergeMethod commitHeadline commitBody authorEmail }
  isInMergeQueue isMergeQueueEnabled mergeQueue { id url entries(first: 10) { totalCount nodes { position } } }
  mergeQueueEntry { id state position enqueuedAt enqueuer { login } pullRequest { number } }
  labels(first: 20) { nodes { id name color } }
  comments(last: 20, orderBy: {field: UPDATED_AT, direction: ASC}) {
    totalCount
    nodes { id databaseId fullDatabaseId body createdAt updatedAt lastEditedAt includesCreatedEdit isMinimized url
      author { login } editor { login } viewerDidAuthor }
  }
  reviews(first: 20, states: [APPROVED, CHANGES_REQUESTED, COMMENTED]) { nodes { id databaseId body url createdAt } }
  latestReviews(first: 20) { nodes { state author { login } } }
  latestOpinionatedReviews(first: 20, writersOnly: true) {
    nodes { state author { login } commit { oid } submittedAt }
  }
  reviewRequests(first: 5) { nodes { requestedReviewer { __typename ... on User { login } } } }
  commits(last: 1) { totalCount nodes { commit { oid messageHeadline statusCheckRollup { state } } } }
  statusCheckRollup {
    state
    contexts(first: 50) {
      totalCount checkRunCount statusContextCount
      nodes {
        __typename
        ... on CheckRun {
          name status conclusion databaseId detailsUrl title summary externalId startedAt completedAt url
          isRequired(pullRequestNumber: 1) checkSuite { app { databaseId slug } }
        }
        ... on StatusContext {
          context state description targetUrl creator { login } createdAt isRequired(pullRequestNumber: 1)
        }
      }
    }
  }
  timelineItems(last: 50) {
    totalCount filteredCount
    nodes {
      __typename
      ... on ClosedEvent { id actor { login } createdAt }
      ... on MergedEvent { commit { oid } mergeRefName }
      ... on RenamedTitleEvent { previousTitle currentTitle }
      ... on BaseRefChangedEvent { previousRefName currentRefName }
      ... on LabeledEvent { label { name } }
      ... on UnlabeledEvent { label { name } }
      ... on HeadRefForcePushedEvent { beforeCommit { oid } afterCommit { oid } }
      ... on HeadRefDeletedEvent { headRefName }
      ... on AutoMergeDisabledEvent { reason }
      ... on RemovedFromMergeQueueEvent { reason }
    }
  }
"""
EVENTS = """
query($owner: String!, $name: String!, $number: Int!, $kinds: [PullRequestTimelineItemsItemType!]) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    timelineItems(last: 50, itemTypes: $kinds) { filteredCount totalCount nodes { __typename } }
  } }
}
"""


def post(world: GitHubWorld, query: str, variables: dict[str, Any], token: str | None = None) -> httpx.Response:
    """Send a document as the bot, or with another token."""
    headers = {"authorization": f"Bearer {token or world.lab.token}"}
    body = {"query": query, "variables": variables}
    return httpx.post(f"{world.lab.url}/api/graphql", json=body, headers=headers, trust_env=False, timeout=20)


def ask(world: GitHubWorld, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
    """Send a document; return the whole answer, errors included."""
    answer = post(world, query, variables, token)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def look(world: GitHubWorld, fields: str = PULL_FIELDS, number: int = 1, token: str | None = None) -> dict[str, Any]:
    """Return these fields of a pull request; there must be no errors."""
    inner = f"repository(owner: $o, name: $r) {{ pullRequest(number: $n) {{ {fields} }} }}"
    query = f"query($o: String!, $r: String!, $n: Int!) {{ {inner} }}"
    told = ask(world, query, token, o=OWNER, r=NAME, n=number)
    assert "errors" not in told, told
    found: dict[str, Any] = told["data"]["repository"]["pullRequest"]
    return found


def order(world: GitHubWorld, mutation: str, token: str | None = None, **sent: Any) -> dict[str, Any]:
    """Send a mutation about pull request 1; return the whole answer."""
    kind = f"{mutation[0].upper()}{mutation[1:]}Input!"
    shown = "mergeQueueEntry { position }" if "queue" in mutation else "pullRequest { number isDraft title state }"
    query = f"mutation($input: {kind}) {{ {mutation}(input: $input) {{ clientMutationId {shown} }} }}"
    name = "id" if mutation == "dequeuePullRequest" else "pullRequestId"
    return ask(world, query, token, input={name: look(world, "id")["id"], **sent})
