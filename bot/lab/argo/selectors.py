"""Kubernetes label selectors: equality, existence and sets."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARISON = re.compile(r"(?P<key>[^\s=!]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!]*)")
_EXISTENCE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^\s=!()]+)")
_COMMA_OUTSIDE_OF_A_SET = re.compile(r",(?![^(]*\))")


class BadSelector(Exception):
    """The text is no selector."""


def labels_match(selector: str, labels: Mapping[str, str]) -> bool:
    """Say whether labels pass a selector such as `app=checkout,tier in (web,api),!canary`; else raise BadSelector."""
    parts = [part.strip() for part in _COMMA_OUTSIDE_OF_A_SET.split(selector)]
    # Every part is read, so that a bad one is refused whatever the others say.
    verdicts = [_holds(part, labels) for part in parts if part]
    return all(verdicts)


def _holds(requirement: str, labels: Mapping[str, str]) -> bool:
    if found := _SET.fullmatch(requirement):
        values = {value.strip() for value in found["values"].split(",")}
        # A label that is absent is in no set, and so passes `notin`.
        return (labels.get(found["key"]) in values) == (found["operator"] == "in")
    if found := _COMPARISON.fullmatch(requirement):
        return (labels.get(found["key"]) == found["value"]) == (found["operator"] != "!=")
    if found := _EXISTENCE.fullmatch(requirement):
        return (found["key"] in labels) != bool(found["absent"])
    raise BadSelector(f"unable to parse requirement: {requirement!r}")
