"""`liftlock policy show`: where a service's policy stands and what it says; resolved, with where each value is from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import BAD_NEWS, refusal
from bot.cli.policy_places import ConfigOption, usual_policies
from bot.domain.calendar import Calendar
from bot.domain.edit import visible
from bot.domain.policy import Join, Policy, Road, Rollback, Stage
from bot.domain.rules import Gate, Trigger
from bot.domain.text import count_of, format_duration, join_words
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.reading import hint
from bot.policy.showing import Shown, find_policy, services_of
from bot.policy.templates import shipped_gate_templates
from bot.policy.tree import Value
from bot.policy.yaml_text import render_tree


class ShowFormat(StrEnum):
    """In which form a policy is shown."""

    YAML = "yaml"
    JSON = "json"


def show(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service.", show_default=False)],
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            help="The directory of policies; without one, that which the settings name, or policies. Needed where "
            "the settings name a repository.",
            show_default=False,
        ),
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Show all it says with what it inherits, and where each value is from.")
    ] = False,
    form: Annotated[ShowFormat, typer.Option("--format", help="In which form it is shown.")] = ShowFormat.YAML,
    config: ConfigOption = None,
) -> None:
    """Show the policy of a service: its file and an outline, or with --resolved all that it says; asks no server."""
    directory = path or usual_policies(config)
    if not directory.is_dir():
        raise refusal(f"{visible(str(directory))}: there is no such directory")
    shown = _found(directory, service)
    if form is ShowFormat.JSON:
        body = _as_json(shown, directory) if resolved else _outline_json(shown, directory)
        typer.echo(json.dumps(body, indent=2, ensure_ascii=False))
        return
    if not resolved:
        typer.echo("\n".join(_outline(shown, directory)))
        return
    typer.echo(
        f"# {_file(shown, directory)}; what it does not say has its default\n{render_tree(shown.resolved.tree)}",
        nl=False,
    )


def _found(directory: Path, service: str) -> Shown:
    try:
        shown = find_policy(directory, service, shipped_gate_templates())
    except PolicyError as error:
        typer.echo("\n".join(visible(str(_placed(fault, directory))) for fault in error.faults))
        raise typer.Exit(BAD_NEWS) from None
    if shown is None:
        near = hint(service, services_of(directory))
        raise refusal(f"{visible(str(directory))}: no policy describes a service {service!r}{near}")
    return shown


def _placed(fault: PolicyFault, directory: Path) -> PolicyFault:
    """Return a fault with the path of its file, as `policy check` tells it."""
    is_inside = fault.file != str(directory)
    return replace(fault, file=str(directory / fault.file)) if is_inside else fault


def _file(shown: Shown, directory: Path) -> str:
    return visible(str(directory / shown.policy.file))


# --- the outline -----------------------------------------------------------------------------------------------------


def _outline(shown: Shown, directory: Path) -> Iterator[str]:
    extends = "" if shown.resolved.extends is None else ", extends defaults.yaml"
    yield f"{shown.policy.service}: {_file(shown, directory)}{extends}"
    if shown.policy.calendar is not None:
        yield f"  every promotion: {_calendar(shown.policy.calendar)}"
    for stage in map(partial(_that_decides, shown.policy), shown.policy.stages):
        yield f"  {stage.name}: {'; '.join(_said(stage))}"


def _that_decides(policy: Policy, stage: Stage) -> Stage:
    """Return a stage without the window and the gates that decide nothing, since no other stage comes from it."""
    return stage if policy.targets_of(stage) else replace(stage, window=None, gates=())


def _said(stage: Stage) -> Iterator[str]:
    yield _from(stage)
    if stage.together:
        yield f"{count_of(len(stage.together), 'value more is', 'values more are')} set with it"
    if stage.window is not None:
        yield f"window {format_duration(stage.window.length)}"
    if stage.gates:
        yield f"gates {_rules(stage.gates)}"
    if stage.artifact:
        yield f"artifact {', '.join(rule.name for rule in stage.artifact)}"
    if stage.source is not None:
        yield from _promotion(stage)
    if stage.calendar is not None:
        yield _calendar(stage.calendar)
    if stage.rollback is not None:
        yield _watch(stage.rollback)


def _from(stage: Stage) -> str:
    if stage.source is None:
        return "a first stage"
    if stage.intake is not None:
        return "from the registry"
    return f"from {'any of ' if _is_any(stage) else ''}{join_words(stage.sources)}"


def _is_any(stage: Stage) -> bool:
    """Say whether one of several stages before it is enough."""
    return bool(stage.beside) and stage.join is Join.ANY


def _promotion(stage: Stage) -> Iterator[str]:
    proposing = stage.proposing
    yield f"merge {stage.merge}" if proposing.by is Road.PULL_REQUEST else "by commit"
    if proposing.approvals is not None:
        yield count_of(proposing.approvals.need, "approval")
    if proposing.pause:
        yield f"pause {format_duration(proposing.pause)}"


def _calendar(calendar: Calendar) -> str:
    return f"calendar ({calendar.zone.key})"


def _watch(rollback: Rollback) -> str:
    also = f", also out of {join_words(rollback.also)}" if rollback.also else ""
    return f"rollback within {format_duration(rollback.watch)} by {_rules(rollback.triggers)}{also}"


def _rules(rules: Sequence[Gate | Trigger]) -> str:
    """Return the names of rules, and which of them decide nothing."""
    return ", ".join(f"{rule.name} (shadow)" if rule.is_shadow else rule.name for rule in rules)


def _outline_json(shown: Shown, directory: Path) -> dict[str, object]:
    policy = shown.policy
    return {
        "service": policy.service,
        "file": str(directory / policy.file),
        "version": policy.version,
        "extends": None if shown.resolved.extends is None else "defaults.yaml",
        "calendar": policy.calendar is not None,
        "stages": [_stage_json(_that_decides(policy, stage)) for stage in policy.stages],
    }


def _stage_json(stage: Stage) -> dict[str, object]:
    rollback, proposing = stage.rollback, stage.proposing
    return {
        "name": stage.name,
        "from": list(stage.sources),
        "join": None if not stage.beside else str(stage.join),
        "window": None if stage.window is None else format_duration(stage.window.length),
        "gates": _deciding(stage.gates),
        "artifact": [rule.name for rule in stage.artifact],
        "shadow": list(_in_the_shadow(stage)),
        "with": len(stage.together),
        "by": None if stage.source is None else str(proposing.by),
        "merge": None if stage.source is None or proposing.by is Road.COMMIT else str(stage.merge),
        "approvals": 0 if proposing.approvals is None else proposing.approvals.need,
        "pause": format_duration(proposing.pause) if proposing.pause else None,
        "calendar": stage.calendar is not None,
        "watch": None if rollback is None else format_duration(rollback.watch),
        "triggers": [] if rollback is None else _deciding(rollback.triggers),
        "also": [] if rollback is None else list(rollback.also),
    }


def _deciding(rules: Sequence[Gate | Trigger]) -> list[str]:
    return [rule.name for rule in rules if not rule.is_shadow]


def _in_the_shadow(stage: Stage) -> Iterator[str]:
    """Name what is judged and shown and decides nothing, after the list that it is in."""
    triggers = () if stage.rollback is None else stage.rollback.triggers
    lists: Mapping[str, Sequence[Gate | Trigger]] = {"gates": stage.gates, "triggers": triggers}
    yield from (f"{name} {rule.name}" for name, rules in lists.items() for rule in rules if rule.is_shadow)


# --- resolved, as JSON -----------------------------------------------------------------------------------------------


def _as_json(shown: Shown, directory: Path) -> dict[str, object]:
    policy: Policy = shown.policy
    tree = shown.resolved.tree
    return {
        "service": policy.service,
        "file": str(directory / policy.file),
        "version": policy.version,
        "policy": _plain(tree),
        "origins": dict(_origins(tree, "")),
    }


def _plain(value: Value) -> object:
    """Return a value as it is written: all texts, since a policy has no other scalars."""
    if value.kind == "mapping":
        return {key: _plain(one) for key, one in (value.entries or {}).items()}
    if value.kind == "list":
        return [_plain(item) for item in value.items]
    return value.text if value.kind == "text" else None


def _origins(value: Value, path: str) -> Iterator[tuple[str, str]]:
    """Give for each text, and for each empty mapping or list, the file, line and column it is from."""
    for key, one in (value.entries or {}).items():
        yield from _origins(one, f"{path}.{key}".lstrip("."))
    for number, one in enumerate(value.items):
        yield from _origins(one, f"{path}[{number}]")
    if not value.entries and not value.items:
        yield path, f"{value.file}:{value.line}:{value.column}"
