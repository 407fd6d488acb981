"""Titles of pull requests: a template of the policy, filled with names that cannot act in a title."""

from __future__ import annotations

import string
from collections.abc import Mapping

from bot.domain.text import one_line
from bot.render.escape import for_title

_LONGEST_VALUE = 60


def render_title(template: str, values: Mapping[str, str]) -> str:
    """Fill `{service}`, `{stage}`, `{old}` and `{new}`; a value is never read as a template, an empty one is `nothing`.

    A template that the policy's parser would refuse is shown as it stands, and never raises.
    """
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError:
        return for_title(template)
    return for_title("".join(literal + _value(values, name) for literal, name, _, _ in pieces))


def _value(values: Mapping[str, str], name: str | None) -> str:
    if name is None:
        return ""
    return one_line(values.get(name, ""), limit=_LONGEST_VALUE) or "nothing"
