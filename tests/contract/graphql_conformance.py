"""Check recorded GraphQL exchanges against GitHub's published schema: the document, its variables, and the answer.

`graphql_violations(exchange)` returns one sentence for each way in which an exchange breaks the schema, in either
direction. `github_violations(exchange)` does so for any exchange with GitHub's APIs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from bot.lab.exchanges import Exchange
from tests.contract.conformance import GITHUB

SCHEMA = Path(__file__).parents[2] / "fixtures" / "contracts" / "github.graphql"
PATHS = ("/api/graphql", "/api/v3/graphql")

Kind = Any
"""A GraphQL type: the library's own union of them is not one of Python's."""


@cache
def contract() -> GraphQLSchema:
    """Return GitHub's whole schema, built once; taken as it is, since it breaks a rule of the language or two."""
    return build_schema(SCHEMA.read_text(encoding="utf-8"), assume_valid=True)


def github_violations(exchange: Exchange, *, any_status: bool = False) -> list[str]:
    """Say how an exchange with GitHub breaks the contract of the API that it belongs to."""
    if exchange.path in PATHS:
        return graphql_violations(exchange)
    return GITHUB.violations(exchange, any_status=any_status)


def graphql_violations(exchange: Exchange) -> list[str]:
    """Say how an exchange with the GraphQL API breaks the schema."""
    return [f"{exchange.method} {exchange.path}: {said}" for said in _violations(exchange)]


# The bot sends the same few documents over and over, and to read one takes as long as all else here.
_parse = lru_cache(maxsize=500)(parse)


@cache
def _faults(query: str) -> Sequence[GraphQLError]:
    """Validate a document, which is slow in a schema of this size, and which the bot sends over and over."""
    return validate(contract(), _parse(query))


def _violations(exchange: Exchange) -> Iterator[str]:
    sent = json.loads(exchange.request_body)
    unknown = sorted(set(sent) - {"query", "variables", "operationName"})
    if unknown:
        yield f"the request has {unknown}"
    try:
        document = _parse(sent["query"])
    except GraphQLError as error:
        yield f"the document cannot be read: {error.message}"
        return
    wrong = _faults(sent["query"])
    yield from (error.message for error in wrong)
    operation = get_operation_ast(document, sent.get("operationName"))
    if wrong or operation is None:
        return
    variables = sent.get("variables") or {}
    yield from _wrong_variables(operation, variables)
    if exchange.status == 200:
        yield from _wrong_answer(document, operation, variables, json.loads(exchange.response_body))


def _wrong_variables(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Iterator[str]:
    declared = operation.variable_definitions or ()
    read = get_variable_values(contract(), declared, dict(variables))
    if isinstance(read, list):
        yield from (error.message for error in read)
    for name in sorted(set(variables) - {one.variable.name.value for one in declared}):
        yield f"the variable {name} is not declared"


def _wrong_answer(
    document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any], told: Mapping[str, Any]
) -> Iterator[str]:
    unknown = sorted(set(told) - {"data", "errors", "extensions"})
    if unknown:
        yield f"the answer has {unknown}"
    for error in told.get("errors", ()):
        if not isinstance(error.get("message"), str):
            yield "an error has no message"
    if told.get("data") is None:
        if not told.get("errors"):
            yield "the answer has neither data nor errors"
        return
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    root = contract().get_root_type(operation.operation)
    failed = [tuple(error.get("path", ())) for error in told.get("errors", ())]
    yield from _Reading(fragments, variables, failed).composite(root, [operation.selection_set], told["data"], ())


@dataclass(frozen=True, slots=True)
class _Reading:
    """An answer, read along its document. `failed` are the paths whose values errors explain."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    failed: Sequence[tuple[object, ...]]

    def value(self, kind: Kind, nodes: Sequence[FieldNode], value: Any, path: tuple[object, ...]) -> Iterator[str]:
        if value is None:
            if isinstance(kind, GraphQLNonNull) and path not in self.failed:
                yield f"{_shown(path)} is null"
            return
        kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if isinstance(kind, GraphQLList):
            if not isinstance(value, list):
                yield f"{_shown(path)} is no list"
                return
            for index, one in enumerate(value):
                yield from self.value(kind.of_type, nodes, one, (*path, index))
        elif isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            if not _fits(kind, value):
                yield f"{_shown(path)} is {value!r}, no {kind.name}"
        else:
            yield from self.composite(kind, [node.selection_set for node in nodes if node.selection_set], value, path)

    def composite(
        self, kind: Kind, selections: Sequence[SelectionSetNode], value: Any, path: tuple[object, ...]
    ) -> Iterator[str]:
        """Read an object; of an abstract type without a name any of the possible types may fit."""
        if not isinstance(value, dict):
            yield f"{_shown(path)} is no object"
            return
        found = [list(self._of(one, selections, value, path)) for one in _possible(kind, value.get("__typename"))]
        if not found:
            yield f"{_shown(path)} is of the type {value.get('__typename')}, which is no {kind.name}"
        elif all(found):
            yield from min(found, key=len)

    def _of(
        self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode], value: Mapping[str, Any],
        path: tuple[object, ...],
    ) -> Iterator[str]:  # fmt: skip
        asked: dict[str, list[FieldNode]] = {}
        for one in selections:
            self._collect(kind, one, asked)
        for name in sorted(set(value) - set(asked)):
            yield f"{_shown((*path, name))} was not asked for"
        for name, nodes in asked.items():
            if name not in value:
                yield f"{_shown((*path, name))} is missing"
            elif nodes[0].name.value != "__typename":
                field: GraphQLField = kind.fields[nodes[0].name.value]
                yield from self.value(field.type, nodes, value[name], (*path, name))

    def _collect(
        self, kind: GraphQLObjectType, selections: SelectionSetNode, asked: dict[str, list[FieldNode]]
    ) -> None:
        for one in selections.selections:
            if not self._included(one):
                continue
            if isinstance(one, FieldNode):
                asked.setdefault(one.alias.value if one.alias else one.name.value, []).append(one)
                continue
            fragment: Any = self.fragments[one.name.value] if isinstance(one, FragmentSpreadNode) else one
            condition = fragment.type_condition
            if condition is None or kind in _possible(contract().type_map[condition.name.value], None):
                self._collect(kind, fragment.selection_set, asked)

    def _included(self, one: Any) -> bool:
        for directive in one.directives or ():
            argument = directive.arguments[0].value
            said = self.variables.get(argument.name.value) if argument.kind == "variable" else argument.value
            if said == (directive.name.value == "skip"):
                return False
        return True


def _possible(kind: Kind, name: str | None) -> Sequence[GraphQLObjectType]:
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        return [one for one in contract().get_possible_types(kind) if name in (None, one.name)]
    return [kind] if name in (None, kind.name) else []


def _fits(kind: GraphQLScalarType | GraphQLEnumType, value: Any) -> bool:
    if isinstance(kind, GraphQLEnumType):
        return value in kind.values
    if kind.name in ("Int", "Boolean"):
        return type(value) is {"Int": int, "Boolean": bool}[kind.name]
    if kind.name == "DateTime":
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    if kind.name == "GitObjectID":
        return isinstance(value, str) and re.fullmatch("[0-9a-f]{40}", value) is not None
    if kind.name == "BigInt":
        return isinstance(value, str) and value.isdecimal()
    return isinstance(value, str)


def _shown(path: tuple[object, ...]) -> str:
    return ".".join(str(step) for step in path) or "the data"
