"""Read which Argo CD applications deploy a stage: names, or a label selector, each on a server of the settings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.argo import DEFAULT_SERVER, NamedApplication, Requirement, SelectedApplications, Target
from bot.policy.grammar import APPLICATION, LABEL_NAME, LABEL_VALUE, SERVER
from bot.policy.reading import Section, matching, parsed
from bot.policy.tree import Value

_NAMED = re.compile(rf"(?:(?P<server>{SERVER}):)?(?P<name>{APPLICATION})")
_SET = re.compile(r"(?P<label>\S+)\s+(?P<negated>not)?in\s*\((?P<values>[^()]*)\)")
_EXPECTED = "an Argo CD application, a mapping with selector, or a list of these"
_A_NAME = "an application as name, namespace/name or server:namespace/name"
_A_SERVER = "the name of an Argo CD server in the settings"
_A_SELECTOR = "labels such as app=checkout,tier in (web,api),!canary"
_OUTSIDE_OF_SETS = re.compile(r",(?![^()]*\))")


def read_applications(section: Section) -> tuple[Target, ...]:
    """Read the stage's `argocd`; note a fault for what is none, or twice."""
    value, faults, path = section.need("argocd", _EXPECTED), section.faults, section.at("argocd")
    if value is None:
        return ()
    listed = list(value.items) if value.kind == "list" else [value]
    if not listed:
        faults.note(value, path, "an empty list", _EXPECTED)
    found = [
        _read_target(section, item, f"{path}[{n}]" if value.kind == "list" else path) for n, item in enumerate(listed)
    ]
    targets = [target for target in found if target is not None]
    if len(set(targets)) != len(targets):
        faults.note(value, path, "an application twice", "each application once")
    return tuple(targets)


def _read_target(section: Section, item: Value, path: str) -> Target | None:
    if item.kind != "mapping":
        return parsed(item, path, section.faults, _parse_named, _A_NAME)
    inner = Section(value=item, path=path, faults=section.faults)
    selector = inner.read("selector", parse_selector, _A_SELECTOR)
    server = inner.read(
        "server", matching(SERVER), "the name of an Argo CD server in the settings", default=DEFAULT_SERVER
    )
    namespace = inner.read("namespace", matching(LABEL_VALUE), "a namespace", default="")
    inner.finish()
    if selector is None or server is None or namespace is None:
        return None
    return SelectedApplications(selector=selector, server=server, namespace=namespace)


def _parse_named(text: str) -> NamedApplication:
    found = _NAMED.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return NamedApplication(name=found["name"], server=found["server"] or DEFAULT_SERVER)


def parse_selector(text: str) -> tuple[Requirement, ...]:
    """Read a Kubernetes label selector. Raise ValueError for what is none, or would select everything."""
    parts = [part.strip() for part in _OUTSIDE_OF_SETS.split(text)]
    found = tuple(_parse_requirement(part) for part in parts)
    if all(one.negated for one in found):
        raise ValueError("a selector of what is not there selects nearly everything")
    return found


def _parse_requirement(part: str) -> Requirement:
    if (of_set := _SET.fullmatch(part)) is not None:
        values = [value.strip() for value in of_set["values"].split(",")]
        return _requirement(of_set["label"], values, negated=of_set["negated"] is not None)
    if "!=" in part:
        label, _, value = part.partition("!=")
        return _requirement(label.strip(), [value.strip()], negated=True)
    if "=" in part:
        label, _, value = part.replace("==", "=", 1).partition("=")
        return _requirement(label.strip(), [value.strip()])
    return _requirement(part.removeprefix("!"), [], negated=part.startswith("!"))


def _requirement(label: str, values: Sequence[str], *, negated: bool = False) -> Requirement:
    if re.fullmatch(LABEL_NAME, label) is None or any(re.fullmatch(LABEL_VALUE, value) is None for value in values):
        raise ValueError(label)
    return Requirement(label=label, values=tuple(dict.fromkeys(values)), negated=negated)
