"""The GraphQL documents: what one look asks for. Values from outside go into variables, never into a document.

Cost: GitHub counts a request for each connection, times its parents' sizes, and divides by a hundred. The list of open
ones is therefore light, and the six connections that a decision needs are asked for by number, only of pull requests
that are the bot's.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_AT_ONCE = 50
"""How many branches, or pull requests with all their facts, go into one request."""

_ACTOR = "{ __typename login ... on User { databaseId } ... on Bot { databaseId } }"

LIGHT = f"""
fragment Light on PullRequest {{
  number headRefName headRefOid baseRefName isCrossRepository state updatedAt createdAt author {_ACTOR}
}}"""

FULL = f"""
fragment Full on PullRequest {{
  number url headRefName baseRefName headRefOid isCrossRepository state isDraft mergeable mergeStateStatus
  createdAt updatedAt closedAt isInMergeQueue reviewDecision
  author {_ACTOR}
  mergedBy {_ACTOR}
  mergeCommit {{ oid }}
  autoMergeRequest {{ enabledBy {_ACTOR} }}
  mergeQueueEntry {{ enqueuer {_ACTOR} }}
  labels(first: 50) {{ nodes {{ name }} }}
  latestOpinionatedReviews(first: 100, writersOnly: true) {{
    nodes {{ state submittedAt author {_ACTOR} commit {{ oid }} }}
  }}
  comments(last: 50) {{ ...Remarks }}
  timelineItems(
    last: 100
    itemTypes: [
      CLOSED_EVENT, REOPENED_EVENT, CONVERT_TO_DRAFT_EVENT, READY_FOR_REVIEW_EVENT, HEAD_REF_FORCE_PUSHED_EVENT,
      PULL_REQUEST_COMMIT
    ]
  ) {{
    nodes {{
      __typename
      ... on ClosedEvent {{ createdAt }}
      ... on ReopenedEvent {{ createdAt }}
      ... on ConvertToDraftEvent {{ createdAt }}
      ... on ReadyForReviewEvent {{ createdAt }}
      ... on HeadRefForcePushedEvent {{ createdAt afterCommit {{ oid }} }}
      ... on PullRequestCommit {{ commit {{ oid committedDate }} }}
    }}
  }}
  deeds: timelineItems(
    last: 20, itemTypes: [CLOSED_EVENT, REOPENED_EVENT, CONVERT_TO_DRAFT_EVENT, READY_FOR_REVIEW_EVENT]
  ) {{
    nodes {{
      __typename
      ... on ClosedEvent {{ actor {_ACTOR} }}
      ... on ReopenedEvent {{ actor {_ACTOR} }}
      ... on ConvertToDraftEvent {{ actor {_ACTOR} }}
      ... on ReadyForReviewEvent {{ actor {_ACTOR} }}
    }}
  }}
}}"""

REMARKS = f"""
fragment Remarks on IssueCommentConnection {{
  nodes {{ fullDatabaseId author {_ACTOR} body createdAt lastEditedAt }}
  pageInfo {{ hasPreviousPage startCursor }}
}}"""

CONTEXTS = f"""
fragment Contexts on StatusCheckRollupContextConnection {{
  nodes {{
    __typename
    ... on CheckRun {{ name status conclusion checkSuite {{ app {{ databaseId }} }} }}
    ... on StatusContext {{ context state creator {_ACTOR} }}
  }}
  pageInfo {{ hasNextPage endCursor }}
}}"""

RULES = """
fragment Rules on Ref {
  refUpdateRule {
    requiredApprovingReviewCount requiredStatusCheckContexts requiresLinearHistory viewerCanPush
  }
  rules(first: 100) {
    pageInfo { hasNextPage }
    nodes {
      type
      repositoryRuleset { enforcement }
      parameters {
        ... on RequiredStatusChecksParameters {
          strictRequiredStatusChecksPolicy requiredStatusChecks { context integrationId }
        }
        ... on PullRequestParameters { requiredApprovingReviewCount allowedMergeMethods }
      }
    }
  }
  branchProtectionRule {
    requiresApprovingReviews requiredApprovingReviewCount requiresStatusChecks requiresStrictStatusChecks
    requiredStatusChecks { context app { databaseId } }
  }
}"""

_ORDER = "orderBy: { field: CREATED_AT, direction: DESC }"
_LIMIT = "rateLimit { cost }"


def _pull(alias: str, variable: str) -> str:
    return f"""
    {alias}: pullRequest(number: ${variable}) {{
      ...Full
      statusCheckRollup {{
        contexts(first: 100) {{ ...Contexts nodes {{ ...Required{variable} }} }}
      }}
    }}"""


def _required(variable: str) -> str:
    """GitHub says of a status whether it is the required one of this pull request, so its number must be named."""
    return f"""
fragment Required{variable} on StatusContext {{ isRequired(pullRequestNumber: ${variable}) }}"""


def look_document(branches: int, numbers: int, *, parts: Sequence[str]) -> str:
    """Return the document of a look: `branches` newest ones, `numbers` whole ones, and `parts` of the rest.

    Variables: `owner`, `name`, `base`, `ref`, `b0` … and `n0` ….
    """
    asked = [_PARTS[part] for part in parts]
    asked += [f"b{i}: pullRequests(headRefName: $b{i}, first: 5, {_ORDER}) {{ ...Newest }}" for i in range(branches)]
    asked += [_pull(f"n{i}", f"n{i}") for i in range(numbers)]
    names = ["$owner: String!", "$name: String!"]
    names += ["$base: String!", "$ref: String!"] if "rules" in parts else []
    names += [f"$b{i}: String!" for i in range(branches)] + [f"$n{i}: Int!" for i in range(numbers)]
    fragments = [LIGHT] if branches or "open" in parts else []
    fragments += [_NEWEST] if branches else []
    fragments += [FULL, REMARKS, CONTEXTS, *(_required(f"n{i}") for i in range(numbers))] if numbers else []
    fragments += [RULES] if "rules" in parts else []
    inner = "\n    ".join(asked)
    query = f"""query Look({", ".join(names)}) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    {inner}
  }}
}}"""
    return "".join([query, *fragments, "\n"])


_NEWEST = """
fragment Newest on PullRequestConnection { nodes { ...Light } pageInfo { hasNextPage } }"""

_PARTS = {
    "open": f"""open: pullRequests(states: [OPEN], first: 100, {_ORDER}) {{
      nodes {{ ...Light }} pageInfo {{ hasNextPage endCursor }}
    }}
    latest: pullRequests(first: 100, {_ORDER}) {{ nodes {{ ...Light }} pageInfo {{ hasNextPage endCursor }} }}""",
    "rules": """mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed autoMergeAllowed deleteBranchOnMerge
    mergeQueue(branch: $base) { id }
    ref(qualifiedName: $ref) { ...Rules }""",
}

MORE_LATEST = f"""query MoreLatest($owner: String!, $name: String!, $after: String!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    found: pullRequests(first: 100, after: $after, {_ORDER}) {{
      nodes {{ ...Light }} pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}{LIGHT}
"""

MORE_OPEN = f"""query MoreOpen($owner: String!, $name: String!, $after: String!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    open: pullRequests(states: [OPEN], first: 100, after: $after, {_ORDER}) {{
      nodes {{ ...Light }} pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}{LIGHT}
"""

OF_BRANCH = f"""query OfBranch($owner: String!, $name: String!, $branch: String!, $after: String) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    found: pullRequests(headRefName: $branch, first: 100, after: $after, {_ORDER}) {{
      nodes {{ ...Light }} pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}{LIGHT}
"""

MORE_CHECKS = f"""query MoreChecks($owner: String!, $name: String!, $n0: Int!, $after: String!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    pullRequest(number: $n0) {{
      headRefOid
      statusCheckRollup {{ contexts(first: 100, after: $after) {{ ...Contexts nodes {{ ...Requiredn0 }} }} }}
    }}
  }}
}}{CONTEXTS}{_required("n0")}
"""

LOOK_AGAIN = f"""query LookAgain($owner: String!, $name: String!, $n0: Int!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    {_pull("n0", "n0")}
    base: pullRequest(number: $n0) {{ baseRef {{ ...Rules }} }}
  }}
}}{FULL}{REMARKS}{CONTEXTS}{_required("n0")}{RULES}
"""

MORE_REMARKS = f"""query MoreRemarks($owner: String!, $name: String!, $n0: Int!, $before: String!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    pullRequest(number: $n0) {{ comments(last: 100, before: $before) {{ ...Remarks }} }}
  }}
}}{REMARKS}
"""

MEMBERS = f"""query Members($org: String!, $team: String!, $login: String!, $after: String) {{
  {_LIMIT}
  organization(login: $org) {{
    team(slug: $team) {{
      members(first: 100, after: $after, query: $login) {{ nodes {{ login }} pageInfo {{ hasNextPage endCursor }} }}
    }}
  }}
}}
"""

_AUTHORS = """
fragment Authors on Commit {
  authors(first: 100) { nodes { name email user { databaseId login } } pageInfo { hasNextPage } }
}"""


def authors_document(commits: int) -> str:
    """Return the document that asks for the authors and co-authors of commits.

    Variables: `owner`, `name`, `c0` ….
    """
    names = ["$owner: String!", "$name: String!", *(f"$c{i}: GitObjectID!" for i in range(commits))]
    asked = "\n    ".join(f"c{i}: object(oid: $c{i}) {{ ...Authors }}" for i in range(commits))
    return f"""query Writers({", ".join(names)}) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    {asked}
  }}
}}{_AUTHORS}
"""


STATE = f"""query State($owner: String!, $name: String!, $number: Int!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    pullRequest(number: $number) {{
      id state isDraft headRefOid isInMergeQueue mergeCommit {{ oid }} autoMergeRequest {{ enabledAt }}
    }}
  }}
}}
"""


def mutation(name: str, asked: str = "clientMutationId") -> str:
    """Return the document of a mutation; its input is the variable `input`."""
    kind = f"{name[0].upper()}{name[1:]}Input!"
    return f"mutation Change($input: {kind}) {{ {name}(input: $input) {{ {asked} }} }}\n"
