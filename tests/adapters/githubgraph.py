"""GraphQL of the scripted GitHub: documents run against GitHub's own published schema, and their cost is counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from tests.adapters.githubworld import FakePull, Json, actor

if TYPE_CHECKING:
    from tests.adapters.githubserver import FakeGitHub

_CONTRACT = Path(__file__).parents[2] / "fixtures" / "contracts" / "github.graphql"


@cache
def schema() -> GraphQLSchema:
    """GitHub's published schema."""
    return build_schema(_CONTRACT.read_text(), assume_valid=True)


def answer_graph(github: FakeGitHub, login: str, body: Json) -> Json:
    """Run a document; an error of it is shown as GitHub shows errors."""
    document = _parsed(body["query"])
    wrong = _faults(body["query"])
    assert not wrong, wrong
    github.points += points_of(document)
    root = _Root(github, login, points_of(document)).fields()
    result = execute_sync(schema(), document, root, variable_values=body.get("variables"))
    answer: Json = {"data": result.data}
    if result.errors:
        answer["errors"] = [_shown(error) for error in result.errors]
    return answer


@cache
def _parsed(query: str) -> DocumentNode:
    return parse(query)


@cache
def _faults(query: str) -> Sequence[GraphQLError]:
    return validate(schema(), _parsed(query))


def _shown(error: GraphQLError) -> Json:
    kind = (error.extensions or {}).get("type", "UNPROCESSABLE")
    assert error.original_error is None or isinstance(error.original_error, GraphQLError), error.original_error
    return {"type": kind, "path": error.path, "message": error.message}


def points_of(document: DocumentNode) -> int:
    """Count as GitHub documents it: a request for each connection times its parents' sizes, by a hundred."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return max(1, round(_requests(operation.selection_set.selections, fragments, 1) / 100))


def _requests(selections: Sequence[Any], fragments: Mapping[str, FragmentDefinitionNode], times: int) -> int:
    total = 0
    for node in selections:
        if isinstance(node, FragmentSpreadNode):
            total += _requests(fragments[node.name.value].selection_set.selections, fragments, times)
        elif isinstance(node, InlineFragmentNode):
            total += _requests(node.selection_set.selections, fragments, times)
        elif isinstance(node, FieldNode) and node.selection_set is not None:
            size = _size(node)
            total += times if size else 0
            total += _requests(node.selection_set.selections, fragments, times * (size or 1))
    return total


def _size(field: FieldNode) -> int | None:
    for argument in field.arguments or ():
        if argument.name.value in ("first", "last"):
            assert isinstance(argument.value, IntValueNode)
            return int(argument.value.value)
    return None


class _Root:
    def __init__(self, github: FakeGitHub, login: str, cost: int) -> None:
        self._github = github
        self._login = login
        self._cost = cost

    def fields(self) -> Json:
        limit = {"cost": self._cost, "limit": 5000, "remaining": 4990, "resetAt": "2026-03-01T13:00:00Z"}
        changes: dict[str, Callable[[FakePull, Json], None]] = {
            "markPullRequestReadyForReview": self._ready,
            "enablePullRequestAutoMerge": self._arm,
            "disablePullRequestAutoMerge": self._disarm,
            "enqueuePullRequest": self._enqueue,
            "dequeuePullRequest": self._dequeue,
        }
        return {
            "rateLimit": lambda _info, **_: limit,
            "repository": self._repository,
            "organization": self._organization,
            **{name: self._change(change) for name, change in changes.items()},
        }

    def _repository(self, _info: object, *, owner: str, name: str, **_: object) -> Json:
        if (owner, name) != ("acme", "deploy"):
            raise GraphQLError("Could not resolve to a Repository.", extensions={"type": "NOT_FOUND"})
        g = self._github
        return {
            **g.repository,
            "pullRequests": self._pulls,
            "pullRequest": lambda _info, *, number: self._pull(number),
            "mergeQueue": lambda _info, **_: {"id": "Q"} if g.has_queue else None,
            "object": lambda _info, *, oid: self._commit(oid),
            "ref": lambda _info, *, qualifiedName: self._ref(qualifiedName),  # noqa: N803  (GitHub's name)
        }

    def _commit(self, oid: str) -> Json | None:
        authors = self._github.authors.get(oid)
        if authors is None:
            return None
        return {"__typename": "Commit", "authors": lambda _info, *, first, **_: _page(authors, first, None)}

    def _organization(self, _info: object, *, login: str) -> Json:
        if login != "acme":
            raise GraphQLError("Could not resolve to an Organization.", extensions={"type": "NOT_FOUND"})
        return {"team": self._team}

    def _team(self, _info: object, *, slug: str) -> Json | None:
        members = self._github.members.get(f"acme/{slug}")
        if members is None:
            return None

        def search(_info: object, *, first: int, query: str, after: str | None = None, **_: object) -> Json:
            return _page([{"login": name} for name in members if query.lower() in name.lower()], first, after)

        return {"members": search}

    def _ref(self, name: str) -> Json | None:
        return self._base_ref() if name == "refs/heads/main" else None

    def _base_ref(self) -> Json:
        g = self._github

        def protection(_info: object) -> Json | None:
            if g.protection is None and not g.is_admin:
                raise GraphQLError("Resource not accessible by integration", extensions={"type": "FORBIDDEN"})
            return g.protection

        return {
            "refUpdateRule": g.update_rule,
            "rules": lambda _info, *, first, **_: {
                "nodes": g.rules[:first],
                "pageInfo": {"hasNextPage": len(g.rules) > first},
            },
            "branchProtectionRule": protection,
        }

    def _pulls(
        self,
        _info: object,
        *,
        first: int,
        states: Sequence[str] = ("OPEN", "CLOSED", "MERGED"),
        headRefName: str | None = None,  # noqa: N803  (GitHub's name)
        after: str | None = None,
        **_: object,
    ) -> Json:
        found = [
            pull
            for pull in reversed(self._github.pulls)
            if _state(pull) in states and headRefName in (None, pull.branch)
        ]
        return _page([self._node(pull) for pull in found], first, after)

    def _pull(self, number: int) -> Json:
        pull = self._github.pull(number)
        if pull is None:
            raise GraphQLError("Could not resolve to a PullRequest.", extensions={"type": "NOT_FOUND"})
        return self._node(pull)

    def _node(self, pull: FakePull) -> Json:
        comments = [_comment(one) for one in self._github.comments if one["number"] == pull.number]
        return {
            "id": f"PR_{pull.number}",
            "number": pull.number,
            "url": f"https://github.test/acme/deploy/pull/{pull.number}",
            "headRefName": pull.branch,
            "baseRefName": pull.base,
            "headRefOid": pull.head,
            "isCrossRepository": pull.fork,
            "state": _state(pull),
            "isDraft": pull.draft,
            "mergeable": pull.mergeable,
            "mergeStateStatus": pull.merge_state,
            "createdAt": pull.created,
            "updatedAt": pull.updated,
            "closedAt": pull.closed,
            "isInMergeQueue": pull.queued_by is not None,
            "mergeQueueEntry": None if pull.queued_by is None else {"enqueuer": actor(pull.queued_by)},
            "reviewDecision": pull.decision,
            "author": actor(pull.author),
            "mergedBy": actor(pull.merged_by),
            "mergeCommit": None if pull.merged_as is None else {"oid": pull.merged_as},
            "autoMergeRequest": None if pull.armed_by is None else {"enabledBy": actor(pull.armed_by)},
            "labels": lambda _info, **_: {"nodes": [{"name": name} for name in pull.labels]},
            "latestOpinionatedReviews": lambda _info, **_: {"nodes": pull.reviews},
            "comments": lambda _info, *, last, before=None, **_: _page_back(comments, last, before),
            "timelineItems": lambda _info, *, last, itemTypes, **_: {"nodes": _events(pull, itemTypes)[-last:]},  # noqa: N803  (GitHub's name)
            "statusCheckRollup": _rollup(pull.contexts),
            "baseRef": lambda _info: self._base_ref(),
        }

    # --- mutations ---

    def _change(self, change: Callable[[FakePull, Json], None]) -> Callable[..., Json]:
        def mutate(_info: object, *, input: Json) -> Json:  # noqa: A002  (GitHub's name)
            name = str(input.get("pullRequestId") or input.get("id"))
            pull = self._github.pull(int(name.removeprefix("PR_")))
            assert pull is not None
            if input.get("expectedHeadOid") not in (None, pull.head):
                raise GraphQLError("Head sha didn't match expected head oid.")
            change(pull, input)
            return {"clientMutationId": None}

        return mutate

    def _ready(self, pull: FakePull, _: Json) -> None:
        pull.draft = False

    def _arm(self, pull: FakePull, asked: Json) -> None:
        if self._github.merge_refusal:
            raise GraphQLError(self._github.merge_refusal[1])
        self._github.armed.append(asked)
        pull.armed_by = self._login

    def _disarm(self, pull: FakePull, _: Json) -> None:
        pull.armed_by = None

    def _enqueue(self, pull: FakePull, _: Json) -> None:
        if self._github.merge_refusal:
            raise GraphQLError(self._github.merge_refusal[1])
        pull.queued_by = self._login

    def _dequeue(self, pull: FakePull, _: Json) -> None:
        pull.queued_by = None


def _events(pull: FakePull, kinds: Sequence[str]) -> list[Json]:
    return [one for one in pull.events if re.sub(r"(?<!^)([A-Z])", r"_\1", one["__typename"]).upper() in kinds]


def _state(pull: FakePull) -> str:
    return "MERGED" if pull.merged_as else pull.state.upper()


def _comment(one: Json) -> Json:
    return {
        "fullDatabaseId": str(one["id"]),
        "author": actor(one["user"]["login"] if one["user"] else None),
        "body": one["body"],
        "createdAt": one["created_at"],
        "lastEditedAt": one.get("edited_at"),
    }


def _rollup(contexts: list[Json] | None) -> Json | None:
    if contexts is None:
        return None
    shown = [
        one
        if one["__typename"] == "CheckRun"
        else one | {"isRequired": lambda _info, is_so=one["isRequired"], **_: is_so}
        for one in contexts
    ]
    return {"contexts": lambda _info, *, first, after=None: _page(shown, first, after)}


def _page(nodes: list[Json], first: int, after: str | None) -> Json:
    start = int(after or 0)
    end = start + first
    return {"nodes": nodes[start:end], "pageInfo": {"hasNextPage": end < len(nodes), "endCursor": str(end)}}


def _page_back(nodes: list[Json], last: int, before: str | None) -> Json:
    end = len(nodes) if before is None else int(before)
    start = max(0, end - last)
    return {"nodes": nodes[start:end], "pageInfo": {"hasPreviousPage": start > 0, "startCursor": str(start)}}
