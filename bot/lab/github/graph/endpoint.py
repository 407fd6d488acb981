"""`POST /api/graphql`: authentication, points, validation, execution, and errors as GitHub words them (HTTP 200)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.lab.github.access import read_token
from bot.lab.github.call import Json, Refusal
from bot.lab.github.calls import Traffic
from bot.lab.github.graph.conversation import comment
from bot.lab.github.graph.cost import MOST_NODES, Cost, cost_of
from bot.lab.github.graph.mutations import mutations
from bot.lab.github.graph.pulls import pull_request
from bot.lab.github.graph.repositories import repository_shape, viewer
from bot.lab.github.graph.teams import organization
from bot.lab.github.graph.view import GraphRefusal, Shape, View, field, not_resolved, number_of
from bot.lab.github.nouns import Credential
from bot.lab.github.settling import settle_all
from bot.lab.github.shapes.repos import instant
from bot.lab.github.world import Repository, World

_KEPT = 256

PATHS = ("/api/graphql", "/api/v3/graphql")
"""Where an Enterprise server has it, and where a client that only appends to the REST root looks for it."""


@cache
def lab_schema() -> GraphQLSchema:
    """Return the part of GitHub's schema that the lab plays."""
    return build_schema(files("bot.lab.github").joinpath("schema.graphql").read_text(encoding="utf-8"))


class GraphApi:
    """The GraphQL API of one world."""

    def __init__(self, world: World, traffic: Traffic) -> None:
        self._world = world
        self._traffic = traffic
        self._schema = lab_schema()

    def routes(self) -> list[Route]:
        """Return the API's routes."""
        return [Route(path, self._respond, methods=["POST"]) for path in PATHS]

    async def _respond(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self.answer, request.headers.get("authorization"), body)

    def answer(self, authorization: str | None, body: bytes) -> Response:
        """Answer one document under the world's lock."""
        with self._world.lock:
            settle_all(self._world)
            credential = self._world.credential(read_token(authorization) or "")
            try:
                answered = self._document(_known(credential, authorization), body)
            except Refusal as refusal:
                return self._send(refusal.body, refusal.status, credential, refusal.headers)
            settle_all(self._world)
            return self._send(answered, 200, credential)

    def _send(
        self, body: Json, status: int, credential: Credential | None, more: Mapping[str, str] | None = None
    ) -> Response:
        who = credential.account if credential else None
        headers = {
            **(more or {}),
            **self._traffic.graphql.headers(who, self._world.now()),
            "x-github-request-id": f"LAB1:{self._traffic.next_number():08X}",
            "x-github-media-type": "github.v4; format=json",
        }
        text = json.dumps(body, ensure_ascii=False)
        return Response(text, status, headers, "application/json; charset=utf-8")

    def _document(self, credential: Credential, body: bytes) -> Json:
        query, variables, name = _read(body)
        try:
            document = _parsed(query)
        except GraphQLError as error:
            return {"errors": [_error(error)]}
        operation = get_operation_ast(document, name)
        if operation is None:
            return {"errors": [{"message": "An operation name is required"}]}
        wrong = _faults(self._schema, query)
        if wrong:
            return {"errors": [_error(one) for one in wrong]}
        return self._run(credential, document, operation, variables)

    def _run(
        self, credential: Credential, document: DocumentNode, operation: OperationDefinitionNode, variables: Json
    ) -> Json:
        cost = cost_of(document, operation, variables)
        if cost.nodes > MOST_NODES:
            said = (
                f"This query requests up to {cost.nodes:,} possible nodes which exceeds the maximum limit of 500,000."
            )
            return {"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": said}]}
        who, now = credential.account, self._world.now()
        self._traffic.spend_secondary(who, now, mutation=operation.operation.value == "mutation")
        try:
            self._traffic.graphql.count(who, now, cost.points)
        except Refusal:
            said = f"API rate limit exceeded for user ID {who.id}."
            return {"errors": [{"type": self._traffic.graphql_limit_word, "message": said}]}
        self._traffic.calls.note_graphql(operation.operation.value, cost.points)
        view = View(world=self._world, credential=credential)
        name = operation.name.value if operation.name else None
        done = execute_sync(self._schema, document, self._root(view, cost), None, variables, name)
        return _told(done)

    def _root(self, view: View, cost: Cost) -> Shape:
        def repository(_: object, *, owner: str, name: str, followRenames: bool = True) -> Shape:  # noqa: ARG001, N803  (GraphQL's names)
            return repository_shape(view, view.repository(f"{owner}/{name}"))

        def node(_: object, *, id: str) -> Shape:  # noqa: A002  (GraphQL's name)
            return _node(view, id)

        return {
            "repository": repository,
            "organization": organization(view),
            "node": node,
            "viewer": field(lambda: viewer(view)),
            "rateLimit": field(lambda: self._rate_limit(view, cost)),
            **mutations(view),
        }

    def _rate_limit(self, view: View, cost: Cost) -> Shape:
        left = self._traffic.graphql.left(view.actor, self._world.now())
        return {
            "cost": cost.points,
            "nodeCount": cost.nodes,
            "limit": left.limit,
            "remaining": left.remaining,
            "used": left.used,
            "resetAt": instant(left.reset),
        }


def _known(credential: Credential | None, authorization: str | None) -> Credential:
    if credential is not None:
        return credential
    raise Refusal(401, "Bad credentials" if authorization else "This endpoint requires you to be authenticated.")


def _node(view: View, node_id: str) -> Shape:
    if number_of(node_id, "PR") is not None:
        return pull_request(view, *view.pull(node_id))
    for one in view.world.repositories.values():
        found = _node_in(view, one, node_id)
        if found is not None:
            view.repository(one.full_name)
            return found
    raise not_resolved(f"a node with the global id of '{node_id}'")


def _node_in(view: View, one: Repository, node_id: str) -> Shape | None:
    if number_of(node_id, "R") == one.id:
        return repository_shape(view, one)
    kept = one.comment(number_of(node_id, "IC") or 0)
    return None if kept is None else comment(view, one, kept)


def _read(body: bytes) -> tuple[str, Json, str | None]:
    try:
        sent = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "Problems parsing JSON") from error
    query = sent.get("query") if isinstance(sent, dict) else None
    if not isinstance(query, str):
        raise Refusal(400, "A query attribute must be specified and must be a string.")
    variables, name = sent.get("variables") or {}, sent.get("operationName")
    if not isinstance(variables, dict):
        raise Refusal(400, "Variables are invalid JSON.")
    return query, variables, name if isinstance(name, str) else None


def _told(done: ExecutionResult) -> Json:
    told: Json = {"data": done.data}
    if done.errors:
        told["errors"] = [_error(error) for error in done.errors]
    return told


def _error(error: GraphQLError) -> Json:
    told: Mapping[str, object] = error.formatted
    kind = {"type": error.original_error.kind} if isinstance(error.original_error, GraphRefusal) else {}
    if error.original_error is not None and not kind:
        raise error.original_error  # a mistake of the lab, not of the caller
    return {**kind, **told}


@lru_cache(maxsize=_KEPT)
def _parsed(query: str) -> DocumentNode:
    return parse(query)


@lru_cache(maxsize=_KEPT)
def _faults(schema: GraphQLSchema, query: str) -> Sequence[GraphQLError]:
    """Validate a document; the bot sends a few over and over, and that is the most of what an answer costs."""
    return validate(schema, _parsed(query))
