"""Check recorded HTTP exchanges against the published descriptions of GitHub's and Argo CD's APIs.

`GITHUB.violations(exchange)` and `ARGOCD.violations(exchange)` return one sentence for each way in which an exchange
breaks the contract, in either direction: an unknown path, query parameter or property that was sent; a status that is
not listed; a body that does not fit its schema. Understands OpenAPI 3.0 and Swagger 2.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from bot.lab.exchanges import Exchange

Schema = Mapping[str, Any]
_FOLDER = Path(__file__).parents[2] / "fixtures" / "contracts"
_OPEN, _CLOSED = "urn:contract:open", "urn:contract:closed"
_METHODS = ("get", "put", "post", "patch", "delete")
_FORMATS = FormatChecker(formats=())

# Parameters that may hold slashes although the description does not say so of each.
_SLASHED = frozenset({"ref", "branch", "path", "basehead"})

# GitHub's "Using the REST API": any call may be answered so (no or bad token, hidden, limited, unchanged).
_GITHUB_ANYWHERE = frozenset({304, 401, 403, 404, 429})


@_FORMATS.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    # The description gives the empty text as the default of some addresses.
    return not isinstance(value, str) or not value or bool(urlsplit(value).scheme)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path template, with all that its parameters say."""

    template: str
    pattern: re.Pattern[str]
    literals: int
    method: str
    said: Schema
    parameters: Sequence[Schema]


@dataclass(frozen=True)
class Contract:
    """A published description. `prefix` is where the lab puts the API's root; `anywhere` statuses need no mention."""

    path: Path
    prefix: str = ""
    anywhere: frozenset[int] = frozenset()

    @cached_property
    def _document(self) -> Schema:
        loaded: Schema = json.loads(self.path.read_text(encoding="utf-8"))
        return loaded

    @cached_property
    def _registry(self) -> Registry[Any]:
        opened, closed = _as_draft4(self._document, _OPEN), _closed_components(_as_draft4(self._document, _CLOSED))
        resources = [
            (name, Resource.from_contents(contents, default_specification=DRAFT4))
            for name, contents in ((_OPEN, opened), (_CLOSED, closed))
        ]
        registry: Registry[Any] = Registry()
        return registry.with_resources(resources)

    @cached_property
    def _operations(self) -> Sequence[Operation]:
        found = [
            self._operation(template, method, item)
            for template, item in self._document["paths"].items()
            for method in _METHODS
            if method in item
        ]
        # The most literal template wins: `/issues/comments/{comment_id}` before `/issues/{issue_number}/{x}`.
        return sorted(found, key=lambda one: -one.literals)

    def _operation(self, template: str, method: str, item: Schema) -> Operation:
        parameters = [self._resolved(one) for one in (*item.get("parameters", ()), *item[method].get("parameters", ()))]
        slashed = _SLASHED | {one["name"] for one in parameters if one.get("x-multi-segment")}
        parts = re.split(r"\{([^}]+)\}", template)
        pattern = "".join(
            (".+" if part in slashed else "[^/]+") if index % 2 else re.escape(part) for index, part in enumerate(parts)
        )
        return Operation(
            template=template,
            pattern=re.compile(pattern),
            literals=sum(len(part) for part in parts[::2]),
            method=method.upper(),
            said=item[method],
            parameters=parameters,
        )

    def _resolved(self, one: Schema) -> Schema:
        while "$ref" in one:
            found: Any = self._document
            for step in one["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            one = found
        return one

    # --- one exchange ---

    def operation(self, exchange: Exchange) -> Operation | None:
        """Return the operation that an exchange belongs to."""
        method, path = exchange.method, exchange.path.removeprefix(self.prefix)
        known = self._found.get((method, path))
        if known is None:
            matching = (one for one in self._operations if one.method == method and one.pattern.fullmatch(path))
            known = self._found.setdefault((method, path), next(matching, None))
        return known

    @cached_property
    def _found(self) -> dict[tuple[str, str], Operation | None]:
        """A thousand templates are looked through for each path, and the same paths come again and again."""
        return {}

    def violations(self, exchange: Exchange, *, any_status: bool = False) -> list[str]:
        """Say how an exchange breaks the contract. `any_status` is for errors that a test injected."""
        where = f"{exchange.method} {exchange.path}"
        operation = self.operation(exchange) if exchange.path.startswith(self.prefix) else None
        if operation is None:
            return [f"{where}: there is no such operation"]
        found = [
            *self._query(operation, exchange),
            *self._request(operation, exchange),
            *self._response(operation, exchange, any_status=any_status),
        ]
        return [f"{where}: {one}" for one in found]

    def _query(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        known = {one["name"]: one for one in operation.parameters if one["in"] == "query"}
        for name, value in parse_qsl(exchange.query, keep_blank_values=True):
            if name not in known:
                yield f"the query parameter {name} is not known"
                continue
            schema = known[name].get("schema", known[name])
            if schema.get("type") == "array":
                schema = schema.get("items", {})
            yield from self._errors(_bare(schema), _typed(value, schema), f"query {name}")

    def _request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        schema, required = self._body_schema(operation)
        if not exchange.request_body:
            if required:
                yield "the request has no body"
            return
        if schema is None:
            yield "the request has a body, but there is none to send"
            return
        try:
            body = json.loads(exchange.request_body)
        except ValueError:
            yield "the request's body is no JSON"
            return
        yield from self._errors(self._turned(schema, _CLOSED), body, "request")

    def _body_schema(self, operation: Operation) -> tuple[Schema | None, bool]:
        if "requestBody" in operation.said:
            body = self._resolved(operation.said["requestBody"])
            return body["content"]["application/json"]["schema"], bool(body.get("required"))
        in_body = [one for one in operation.parameters if one["in"] == "body"]
        return (in_body[0]["schema"], bool(in_body[0].get("required"))) if in_body else (None, False)

    def _response(self, operation: Operation, exchange: Exchange, *, any_status: bool) -> Iterator[str]:
        responses = operation.said["responses"]
        listed = responses.get(str(exchange.status), responses.get("default"))
        if listed is None:
            if not any_status and exchange.status not in self.anywhere:
                yield f"status {exchange.status} is not listed"
            return
        schema = _json_schema(self._resolved(listed))
        if schema is None:
            if exchange.response_body and exchange.status in (204, 304):
                yield f"an answer of {exchange.status} has a body"
            return
        yield from self._answer(schema, exchange)

    def _answer(self, schema: Schema, exchange: Exchange) -> Iterator[str]:
        kind = dict(exchange.response_headers).get("content-type", "")
        if not kind.startswith("application/json"):
            yield f"the answer is {kind or 'of no type'}, not JSON"
            return
        streamed = set(schema.get("properties", ())) == {"error", "result"}
        texts = exchange.response_body.splitlines() if streamed else [exchange.response_body]
        for text in filter(None, texts):
            try:
                body = json.loads(text)
            except ValueError:
                yield "the answer's body is no JSON"
                return
            yield from self._errors(self._turned(schema, _OPEN), body, f"answer {exchange.status}")

    def _turned(self, schema: Schema, base: str) -> Any:
        """Turn a schema of the document, which lives as long as this does, once."""
        known = self._turned_before.get((id(schema), base))
        if known is None:
            known = _as_draft4(schema, base)
            known = _closed(known) if base == _CLOSED else known
            self._turned_before[id(schema), base] = known
        return known

    @cached_property
    def _turned_before(self) -> dict[tuple[int, str], Any]:
        return {}

    def _errors(self, schema: Any, value: object, where: str) -> Iterator[str]:
        validator = Draft4Validator(schema, registry=self._registry, format_checker=_FORMATS)
        for error in validator.iter_errors(value):
            # For a choice between schemas the branch that came closest says most.
            telling = best_match([error]) or error
            yield f"{where} {telling.json_path}: {telling.message[:300]}"


def _json_schema(response: Schema) -> Schema | None:
    if "schema" in response:
        return response["schema"] or None
    content = response.get("content", {}).get("application/json")
    return None if content is None else content.get("schema")


def _bare(parameter: Schema) -> Schema:
    """Return the schema part of a Swagger 2.0 parameter, which stands beside `name` and `in`."""
    return {key: value for key, value in parameter.items() if key in ("type", "enum", "minimum", "maximum", "format")}


def _typed(text: str, schema: Schema) -> object:
    """Read a query value as its schema wants it; one that cannot be read so stays a text and is a violation."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


# --- from the dialects of OpenAPI and Swagger to JSON Schema, draft 4 ------------------------------------------------


def _as_draft4(value: Any, base: str) -> Any:
    """Turn `nullable` into a choice with null, and let references name the document they point into."""
    if isinstance(value, list):
        return [_as_draft4(one, base) for one in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        return {"$ref": base + reference}
    turned = {key: _as_draft4(one, base) for key, one in value.items() if not (key == "nullable" and one is True)}
    return {"anyOf": [{"type": "null"}, turned]} if value.get("nullable") is True else turned


def _closed(schema: Any) -> Any:
    """Forbid properties that are not listed, wherever some are listed. Parts of an `allOf` stay open to each other."""
    if not isinstance(schema, dict):
        return schema
    closed = dict(schema)
    if isinstance(schema.get("properties"), dict):
        closed["properties"] = {name: _closed(one) for name, one in schema["properties"].items()}
        closed.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            closed[key] = _closed(schema[key])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            closed[key] = [_closed(one) for one in schema[key]]
            # Alternatives that list what they require only would forbid everything else twice.
            closed[key] = [one if "type" in one or "$ref" in one else _reopened(one) for one in closed[key]]
    return closed


def _reopened(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if (key, value) != ("additionalProperties", False)}


def _closed_components(document: Any) -> Any:
    if "definitions" in document:
        return {**document, "definitions": {name: _closed(one) for name, one in document["definitions"].items()}}
    components = document["components"]
    schemas = {name: _closed(one) for name, one in components["schemas"].items()}
    return {**document, "components": {**components, "schemas": schemas}}


GITHUB = Contract(_FOLDER / "github-rest.openapi.json", prefix="/api/v3", anywhere=_GITHUB_ANYWHERE)
ARGOCD = Contract(_FOLDER / "argocd.swagger.json")
