"""Put label matchers into every selector of a query, such that no query can evade them; or refuse the query.

What a query reads is decided by whoever wrote it, and that may be a stranger to whoever owns the series. So two
witnesses must agree. The text is taken apart into tokens and put together again with the matchers in all braces, and
braces where there were none; then `promql-parser` reads what came out, and every selector that it finds must begin with
the matchers and be otherwise what it was. What either of them does not understand is refused, never sent.

Where parsers differ from each other, the text is made such that they cannot: comments are left out, raw strings are
quoted (VictoriaMetrics ends them elsewhere), and between braces stands nothing but matchers and commas (VictoriaMetrics
knows an `or` there). `info()` is refused: it reads series that no selector of the query names.

The parser ends the process where a query is too deep for it, so queries are measured first. A bot whose settings force
nothing never imports this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import promql_parser

from bot.domain.queries import Query, quote
from bot.domain.tenancy import Forced
from bot.domain.text import one_line
from bot.policy.promql import LONGEST, is_too_deep

_PLACE = "\x00"
"""Stands for a place of the label matchers; no text of a policy or template can have it."""
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+|\#[^\r\n\x00]*)
    | (?P<string>"(?:[^"\\\n\x00]|\\[^\n\x00])*"|'(?:[^'\\\n\x00]|\\[^\n\x00])*')
    | (?P<raw>`[^`\x00]*`)
    | (?P<range>\[[0-9a-zA-Z_.: \t\r\n]*\])
    | (?P<number>(?:[0-9]|\.[0-9])[0-9a-zA-Z_.]*)
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<place>\x00)
    | (?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^<>=@(),{}])
    """,
    re.VERBOSE,
)
_MATCHES = ("=", "!=", "=~", "!~")
_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_WORDS = frozenset({"and", "or", "unless", "atan2", "offset", "bool", "inf", "nan"})
"""What is no series though nothing follows that would say so. A series of such a name needs braces."""
_BEFORE_LABELS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_READS_MORE = ("info",)
"""Functions that read series of which the query does not say which."""

Token = tuple[str, str]
"""A token's kind and text."""


class NotForced(Exception):
    """The query must not be sent. `reason` follows "the query …"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def force(query: Query, matchers: Sequence[Forced]) -> Query:
    """Return the query with the matchers in every selector. Raise `NotForced` for one that is not understood."""
    joined = _PLACE.join(query.parts)
    if joined.count(_PLACE) != len(query.parts) - 1:
        raise NotForced("has a character that no query has")
    if len(joined) > LONGEST or is_too_deep([text for kind, text in _tokens(joined) if kind != "space"]):
        raise NotForced("has too many words, brackets and operators to be read")
    forced = replace(query, parts=tuple(_rewritten(joined, matchers).split(_PLACE)))
    _compare(query.text, forced.text, matchers)
    return forced


# --- the first witness: the text ---


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotForced(f"goes wrong at character {at + 1}")
        yield found.lastgroup or "", found.group()
        at = found.end()


def _rewritten(text: str, matchers: Sequence[Forced]) -> str:
    return "".join(_Rewriter(list(_plain(_tokens(text))), [matcher.text for matcher in matchers]).pieces())


def _plain(tokens: Iterator[Token]) -> Iterator[Token]:
    """Give the tokens without comments, white space as a single one, and raw strings quoted."""
    was_space = False
    for kind, text in tokens:
        if kind == "space":
            if not was_space:
                yield kind, " "
        elif kind == "raw":
            yield "string", quote(text[1:-1])
        else:
            yield kind, text
        was_space = kind == "space"


class _Rewriter:
    """Goes over the tokens once, from `at` on."""

    def __init__(self, tokens: Sequence[Token], matchers: Sequence[str]) -> None:
        self._tokens = tokens
        self._matchers = matchers
        self._at = 0

    def pieces(self) -> Iterator[str]:
        """Give the rewritten text, piece by piece."""
        while self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            self._at += 1
            if kind == "place" or text == "}":
                raise NotForced("has label matchers outside of braces")
            if text == "{":
                yield self._selector()
            elif kind == "name" and text.lower() in _BEFORE_LABELS:
                yield text + self._labels()
            elif kind == "name" and self._is_series(text):
                yield f"{text}{{{','.join(self._matchers)}}}"
            else:
                yield text

    def _is_series(self, name: str) -> bool:
        """Say whether a name is that of series without braces."""
        following = self._following()
        if following in ("{", "(") or name.lower() in _WORDS:
            return False
        # sum by (a) (x)
        return following.lower() not in ("by", "without")

    def _following(self) -> str:
        """Return the next token that is no white space; nothing at the end."""
        return next((text for kind, text in self._tokens[self._at : self._at + 2] if kind != "space"), "")

    def _labels(self) -> str:
        """Take a list of labels, whose names are no series; group_left may stand without one."""
        if self._following() != "(":
            return ""
        taken: list[str] = []
        while not taken or taken[-1] != ")":
            kind, text = self._next()
            if kind not in ("space", "name", "string") and text not in ("(", ",", ")"):
                raise NotForced("has a list of labels with something else in it")
            taken.append(text)
        return "".join(taken)

    def _selector(self) -> str:
        """Take what stands in braces, and put the matchers before it."""
        items: list[str] = []
        item: list[Token] = []
        while True:
            kind, text = self._next()
            if kind == "space":
                continue
            if text not in (",", "}"):
                item.append((kind, text))
                continue
            if item:
                items.append(_matcher(item))
            elif text == ",":
                raise NotForced("has a comma too many in braces")
            item = []
            if text == "}":
                added = [matcher for matcher in self._matchers if matcher not in items]
                return f"{{{','.join([*added, *items])}}}"

    def _next(self) -> Token:
        if self._at == len(self._tokens):
            raise NotForced("ends too early")
        self._at += 1
        return self._tokens[self._at - 1]


def _matcher(item: Sequence[Token]) -> str:
    """Return one matcher, the place of some, or a metric's quoted name."""
    match item:
        case [("place" | "string", text)]:
            return text
        case [("name" | "string", name), ("sign", sign), ("string", value)] if sign in _MATCHES:
            return f"{name}{sign}{value}"
    raise NotForced("has something else than matchers in braces")


# --- the second witness: the parser ---

Match = tuple[str, str, str]
"""A matcher as the parser reads it: operator, label, value."""
Node = tuple[str, tuple[Match, ...] | None]
"""What a part of a query is and, of a selector, its matchers."""


def _compare(before: str, after: str, matchers: Sequence[Forced]) -> None:
    """Raise unless the query is what it was but for the matchers, which every selector has."""
    forced = [("=~" if matcher.is_pattern else "=", matcher.name, matcher.value) for matcher in matchers]
    was, found = _nodes_of(before), _nodes_of(after)
    if [_with(node, forced) for node in was] != [_with(node, ()) for node in found]:
        raise NotForced("is understood in two ways")


def _with(node: Node, forced: Sequence[Match]) -> tuple[str, Sequence[Match]]:
    """Return a part with the matchers that a selector must have, in an order of their own."""
    kind, has = node
    return kind, () if has is None else sorted({*has, *forced})


def _nodes_of(query: str) -> list[Node]:
    try:
        return list(_nodes(promql_parser.parse(query)))
    except ValueError as error:
        raise NotForced(f"is no PromQL: {one_line(str(error), limit=120)}") from error
    except RecursionError as error:
        raise NotForced("is too deep to be read") from error


def _nodes(expr: object) -> Iterator[Node]:
    """Give all parts of a query, each before what is in it."""
    match expr:
        case promql_parser.VectorSelector():
            if expr.matchers.or_matchers:
                raise NotForced("has an or in braces")
            yield f"series {expr.name}", tuple((_OPERATORS[str(m.op)], m.name, m.value) for m in expr.matchers.matchers)
        case promql_parser.Call():
            if expr.func.name in _READS_MORE:
                raise NotForced(f"calls {expr.func.name}(), which reads series that no selector names")
            yield f"call {expr.func.name} {len(expr.args)}", None
        case promql_parser.AggregateExpr() | promql_parser.BinaryExpr():
            yield f"{type(expr).__name__} {expr.op} {expr.modifier}", None
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            yield f"literal {expr}", None
        case _:
            yield type(expr).__name__, None
    for part in _parts(expr):
        yield from _nodes(part)


def _parts(expr: object) -> Sequence[object]:
    match expr:
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral() | promql_parser.VectorSelector():
            return ()
        case promql_parser.MatrixSelector():
            return (expr.vector_selector,)
        case promql_parser.Call():
            return expr.args
        case promql_parser.AggregateExpr():
            return (expr.expr,) if expr.param is None else (expr.param, expr.expr)
        case promql_parser.BinaryExpr():
            return (expr.lhs, expr.rhs)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return (expr.expr,)
        case _:
            raise NotForced(f"has a part that is not known: {type(expr).__name__}")
