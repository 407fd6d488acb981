"""Judge the syntax of one PromQL query. It is read and thrown away: nothing is asked, and nothing is changed.

The parser is `promql-parser`. It knows Prometheus' language, and says what is wrong but not where: the place is found
here, where it is certain. VictoriaMetrics takes more, and cares for no types; what it may take is not called wrong.

The parser goes down a query by recursion and ends the process where that is too deep, so queries are measured first.
It is imported here and by nothing that the bot runs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import promql_parser

from bot.domain.text import one_line
from bot.policy.promql_names import METRICSQL, PROMQL
from bot.policy.promql_places import SYNTAX, TOKEN, is_syntax, where_it_ends

_MOST = 250
"""How many brackets and operators are read. The parser dies of some thousands, on a small stack of some hundreds."""
_MOST_WORDS = 1_000
LONGEST = 16_384
"""How many words and characters are read: a small policy must not take long."""
_MOST_PLACED = 200
"""Of how many words the place of a syntax error is looked for, which asks the parser for each of them."""
_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
"""Operators that are words, in any case."""
_NEAR = 0.75
_TYPES = (
    "expected type",
    "binary expression must",
    "set operator",
    "comparisons between scalars",
    "bool modifier",
    "unary expression only",
    "offset modifier must",
    "vector selector must contain",
    "not a valid duration",
    "expect duration before first colon",
    "ranges only allowed for vector",
    "trailing commas",
    "unexpected character: '\\",
)
"""How the parser begins to tell of what MetricsQL does not mind: types, and its own ways to write numbers and names."""
_OWN_NUMBER = re.compile(
    r"bad number or duration syntax: \d[\d._]*(?:i|[KMGT]i?B?|_)\w*|bad number.*: 0[bo]", re.IGNORECASE
)
_OWN_WORDS = frozenset({"default", "if", "ifnot", "keep_metric_names", "limit", "prefix", "with"})
_ARGUMENTS = re.compile(r"expected (?:at most )?(\d+) .*got (\d+)|.*arguments .*expected (\d+), got (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with a query, in words; `at` is the index of the character where it goes wrong, if that is known.

    `near` is the function that was probably meant. One that is not `is_certain` may be right for VictoriaMetrics.
    """

    reason: str
    at: int | None = None
    near: str = ""
    is_certain: bool = True


def judge_promql(query: str) -> Flaw | None:
    """Return what is wrong with a query, None for nothing."""
    words = [found.group() for found in TOKEN.finditer(query)] if len(query) <= LONGEST else []
    if len(query) > LONGEST or is_too_deep(words):
        reason = f"more than {_MOST} brackets and operators, {_MOST_WORDS:,} words or {LONGEST:,} characters"
        return Flaw(reason=f"{reason}: it was not checked", is_certain=False)
    try:
        promql_parser.parse(query)
    except ValueError as error:
        return _flaw(query, words, str(error))
    return None


def is_too_deep(words: Sequence[str]) -> bool:
    """Say whether a query of these tokens has more of them, or of brackets and operators, than may be parsed."""
    return len(words) > _MOST_WORDS or sum(map(_goes_deeper, words)) > _MOST


def _goes_deeper(word: str) -> bool:
    return word.lower() in _OPERATORS or not (word[0].isalnum() or word[0] in "_\"'`#,")


def _flaw(query: str, words: list[str], said: str) -> Flaw:
    unknown = re.fullmatch(r"unknown function with name '(.*)'", said)
    if unknown is not None:
        return _unknown_function(query, unknown[1])
    reason = "a syntax error" if said == SYNTAX else one_line(said, limit=120)
    if not is_syntax(said):
        at = _place_named(query, said)
    else:
        at = where_it_ends(query) if len(words) <= _MOST_PLACED else None
    return Flaw(reason=reason, at=at, is_certain=not _may_be_metricsql(words, said))


def _unknown_function(query: str, name: str) -> Flaw:
    near = difflib.get_close_matches(name, sorted(PROMQL), n=1, cutoff=_NEAR)
    return Flaw(
        reason=f"an unknown function {one_line(name, limit=60)}",
        at=_place_of_call(query, name),
        near="".join(near),
        # MetricsQL takes functions in any case.
        is_certain=name.lower() not in METRICSQL and name.lower() not in PROMQL,
    )


def _may_be_metricsql(words: list[str], said: str) -> bool:
    if said.startswith(_TYPES) or _OWN_NUMBER.match(said):
        return True
    numbers = _ARGUMENTS.match(said)
    if numbers is not None:
        # MetricsQL has optional arguments where PromQL has none; fewer arguments than PromQL wants it takes, too, but
        # not of functions that both have.
        expected, got = (int(number) for number in numbers.groups() if number is not None)
        return got > expected
    return is_syntax(said) and not _OWN_WORDS.isdisjoint(word.lower() for word in words)


def _place_named(query: str, said: str) -> int | None:
    """Return where the only thing is that the parser names: a call, or a regular expression."""
    regex = re.match(r"illegal regex for (.*)", said, re.DOTALL)
    if regex is not None:
        literals = [found for found in TOKEN.finditer(query) if found.group()[1:-1] == regex[1]]
        return literals[0].start() if literals else None
    called = re.search(r"in call to function '(\w+)'|in call to '(\w+)'", said)
    if called is None:
        return None
    name = called[1] or called[2]
    return _place_of_call(query, name, only=True)


def _place_of_call(query: str, name: str, *, only: bool = False) -> int | None:
    tokens = list(TOKEN.finditer(query))
    found = [
        one.start()
        for one, after in zip(tokens, [*tokens[1:], None], strict=True)
        if one.group() == name and after is not None and after.group() == "("
    ]
    return None if not found or (only and len(found) > 1) else found[0]
