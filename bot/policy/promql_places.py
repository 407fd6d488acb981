"""Find where a query stops being PromQL, though the parser does not say it.

What can be completed to a query is its beginning: so the longest beginning for which a completion is found ends where
the query goes wrong. What is missing among the completions makes the place too early, never too late; the tests compare
it with Prometheus' own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

import promql_parser

SYNTAX = "invalid promql query"
"""What the parser says of anything that its grammar does not have."""
TOKEN = re.compile(
    r"""
    "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*` | \#[^\n]*
    | [0-9.][0-9a-zA-Z_.]* | [^\W\d][\w:]* | =~ | !~ | != | <= | >= | \S
    """,
    re.VERBOSE | re.DOTALL,
)
"""A string, comment, number, name, operator or bracket; whatever else there is stands for itself.

Of == both halves do, since it is no operator among label matchers.
"""
_OF_MEANING = (
    "expected ",
    "binary expression must",
    "set operator",
    "comparisons between scalars",
    "bool modifier",
    "unary expression only",
    "offset modifier must",
    "vector selector must contain",
    "unknown function",
    "illegal regex",
    "no arguments",
    "wrong number of arguments",
    "timestamp out of bounds",
)
"""How the parser begins to tell of a query whose form is right."""
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_NEXT = ("", "a", "(a)", "(b) (a)", "b", '="c"', '"c"', 'b="c"', "5m", "1", "(b) a", "()")
_AFTER = ("", " a", " (a)", "[5m]")


def is_syntax(said: str) -> bool:
    """Say whether the parser complains of a query's form, not of what it means."""
    return not said.startswith(_OF_MEANING)


def where_it_ends(query: str) -> int | None:
    """Return the index of the first character that no query could have there; the one after all words for its end."""
    tokens = [found for found in TOKEN.finditer(query) if not found.group().startswith("#")]
    for kept in range(len(tokens), 0, -1):
        if _can_go_on(query[: tokens[kept - 1].end()], _open(tokens[:kept])):
            return tokens[kept].start() if kept < len(tokens) else tokens[-1].end()
    return tokens[0].start() if tokens else None


def _open(tokens: Sequence[re.Match[str]]) -> str:
    """Return what closes the brackets that are open."""
    closers: list[str] = []
    for token in tokens:
        word = token.group()
        if word in _CLOSING:
            closers.append(_CLOSING[word])
        elif closers and word == closers[-1]:
            closers.pop()
    return "".join(reversed(closers))


def _can_go_on(beginning: str, closers: str) -> bool:
    return any(_is_formed(beginning + rest) for rest in _rests(closers))


def _rests(closers: str) -> Iterator[str]:
    first, others = closers[:1], closers[1:]
    for following, after in product(_NEXT, _AFTER if first else ("",)):
        # With the space no token of the beginning grows: = must not become ==.
        yield f" {following}{first}{after}{others}"


def _is_formed(query: str) -> bool:
    try:
        promql_parser.parse(query)
    except ValueError as error:
        return not is_syntax(str(error))
    return True
