"""The lab's part of GitHub's GraphQL schema is a part of it, and the check of GraphQL exchanges finds what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    is_introspection_type,
    is_specified_scalar_type,
)

from bot.lab.exchanges import Exchange
from bot.lab.github.graph.endpoint import lab_schema
from tests.contract.graphql_conformance import contract, graphql_violations

LAB = lab_schema()
TYPES = sorted(
    name
    for name, kind in LAB.type_map.items()
    if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
)


def told(kind: GraphQLNamedType) -> set[str]:
    """Everything that a type says, a line a fact."""
    facts = {type(kind).__name__}
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in kind.fields.items():
            facts.add(f"{name}: {field.type}")
            arguments: dict[str, Any] = getattr(field, "args", {})
            facts |= {f"{name}({one}: {given.type} = {given.default_value})" for one, given in arguments.items()}
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        facts |= {f"is {one.name}" for one in kind.interfaces}
    if isinstance(kind, GraphQLUnionType):
        facts |= {f"may be {one.name}" for one in kind.types}
    if isinstance(kind, GraphQLEnumType):
        facts |= set(kind.values)
    return facts


@pytest.mark.parametrize("name", TYPES)
def test_what_the_labs_schema_says_of_a_type_githubs_says_too(name: str) -> None:
    assert told(LAB.type_map[name]) - told(contract().type_map[name]) == set()


def test_the_labs_schema_leaves_no_argument_out_that_must_be_given() -> None:
    missing = []
    for name in TYPES:
        for field, said in getattr(LAB.type_map[name], "fields", {}).items():
            whole = contract().type_map[name].fields[field]  # type: ignore[attr-defined]
            given, there = getattr(said, "args", {}), getattr(whole, "args", {})
            missing += [
                f"{name}.{field}.{one}" for one in there if str(there[one].type)[-1] == "!" and one not in given
            ]
    assert missing == []


def an_exchange(query: str, answer: object, **variables: object) -> Exchange:
    return Exchange(
        method="POST",
        path="/api/graphql",
        query="",
        request_headers=(),
        request_body=json.dumps({"query": query, "variables": variables}).encode(),
        status=200,
        response_headers=(),
        response_body=json.dumps(answer).encode(),
    )


PULL = 'query($n: Int!) { repository(owner: "o", name: "r") { pullRequest(number: $n) { %s } } }'


def a_pull(fields: str, **shown: object) -> Exchange:
    return an_exchange(PULL % fields, {"data": {"repository": {"pullRequest": shown}}}, n=1)


ACTOR = "author { login ... on Bot { databaseId } }"


@pytest.mark.parametrize(
    "exchange",
    [
        a_pull("number title: body", number=1, title="x"),
        a_pull("closedAt state", closedAt=None, state="MERGED"),
        a_pull(ACTOR, author={"login": "x"}),
        a_pull(ACTOR, author={"login": "x", "databaseId": 3}),
        a_pull("fullDatabaseId headRefOid", fullDatabaseId="123", headRefOid="a" * 40),
        an_exchange("{ viewer { login } }", {"data": None, "errors": [{"message": "No"}]}),
        an_exchange("{ viewer { login } }", {"errors": [{"type": "RATE_LIMITED", "message": "No"}]}),
    ],
)  # fmt: skip
def test_an_exchange_that_keeps_to_the_schema_has_no_violations(exchange: Exchange) -> None:
    assert graphql_violations(exchange) == []


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (a_pull("nonsense", nonsense=1), "Cannot query field 'nonsense' on type 'PullRequest'."),
        (an_exchange("{", {}), "the document cannot be read"),
        (an_exchange(PULL % "number", {"data": {"repository": None}}, n="1"), "Int cannot represent non-integer"),
        (an_exchange(PULL % "number", {"data": {"repository": None}}, n=1, m=2), "the variable m is not declared"),
        (a_pull("number", number="1"), "repository.pullRequest.number is '1', no Int"),
        (a_pull("number", number=None), "repository.pullRequest.number is null"),
        (a_pull("number"), "repository.pullRequest.number is missing"),
        (a_pull("number", number=1, title="x"), "repository.pullRequest.title was not asked for"),
        (a_pull("state", state="open"), "repository.pullRequest.state is 'open', no PullRequestState"),
        (a_pull("createdAt", createdAt="2026-01-01T00:00:00"), "createdAt is '2026-01-01T00:00:00', no DateTime"),
        (a_pull("headRefOid", headRefOid="abc"), "headRefOid is 'abc', no GitObjectID"),
        (a_pull("fullDatabaseId", fullDatabaseId=12), "fullDatabaseId is 12, no BigInt"),
        (a_pull("author { __typename }", author={"__typename": "Issue"}), "is of the type Issue, which is no Actor"),
        (a_pull("labels(first: 1) { nodes { name } }", labels={"nodes": {}}), "labels.nodes is no list"),
        (a_pull("author { login }", author="x"), "author is no object"),
        (
            an_exchange("{ viewer { login } }", {"data": {"viewer": {"login": "x"}}, "more": 1}),
            "the answer has ['more']",
        ),
        (an_exchange("{ viewer { login } }", {"data": None}), "neither data nor errors"),
        (an_exchange("{ viewer { login } }", {"errors": [{}]}), "an error has no message"),
    ],
)
def test_what_breaks_the_schema_is_said(exchange: Exchange, said: str) -> None:
    assert said in "\n".join(graphql_violations(exchange))


def test_a_null_that_an_error_explains_is_none_of_the_answers_fault() -> None:
    error = {"message": "Hidden", "path": ["repository", "pullRequest", "author", "login"]}
    told_so = {"data": {"repository": {"pullRequest": {"author": {"login": None}}}}, "errors": [error]}
    assert graphql_violations(an_exchange(PULL % "author { login }", told_so, n=1)) == []


def test_what_is_skipped_is_not_missed() -> None:
    query = "query($with: Boolean!) { viewer { login databaseId @include(if: $with) url @skip(if: true) } }"
    answer = {"data": {"viewer": {"login": "x"}}}
    assert graphql_violations(an_exchange(query, answer, **{"with": False})) == []
