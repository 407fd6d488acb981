"""`liftlock hold` and `liftlock resume`: stop everything, a service or a stage from the bot's own machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.clock import SystemClock
from bot.cli.faults import refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.cli.ordering import (
    THEN,
    ByOption,
    ReasonOption,
    order_of,
    policy_of,
    promoted_stages,
    record_order,
    still_held,
    this_user,
)
from bot.compose.records import write_ledger
from bot.domain.commands import Verb
from bot.domain.model import Release
from bot.domain.policy import Policy
from bot.domain.stops import EVERYTHING, Stop, switch_body
from bot.domain.text import join_words, one_line
from bot.records import Event
from bot.settings import Settings, load_settings

_ANY = "all"
"""The tag in an order that concerns a stage, whatever the release."""
_LONGEST_NAME = 100

WhatArgument = Annotated[
    str | None, typer.Argument(metavar="SERVICE[/STAGE]", help="The service, or one stage of it.", show_default=False)
]
AllOption = Annotated[bool, typer.Option("--all", help="Everything, for all services.")]


def hold(
    reason: ReasonOption,
    what: WhatArgument = None,
    everything: AllOption = False,
    except_rollbacks: Annotated[
        bool,
        typer.Option("--except-rollbacks", "--except-rollback", help="With --all: bad releases are still taken back."),
    ] = False,
    by: ByOption = None,
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Let nothing move into a service's stages, or with --all let nothing be written at all, until it is resumed.

    With --all the bot goes on looking and judging. It opens, merges, comments, syncs and takes back nothing; what
    GitHub would merge by itself on its behalf is taken back.
    """
    with told_in_one_sentence():
        settings = load_settings(config)
        _require_one(what, everything)
        if except_rollbacks and not everything:
            raise refusal("--except-rollbacks goes with --all: a hold of a service never stops its rollbacks")
        if everything:
            _switch(settings, EVERYTHING, Stop(who="", reason=reason, lets_roll_back=except_rollbacks), reason, by)
            said = f"everything{' but rollbacks' if except_rollbacks else ''} is held"
        else:
            said = f"nothing moves into {_hold(settings, str(what), reason, by)}"
    typer.echo(f"Ordered: {said}. {THEN}")


def resume(
    what: WhatArgument = None,
    everything: AllOption = False,
    by: ByOption = None,
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Take a hold back. What a file HOLD beside the policies stops is stopped until it is taken out of there."""
    with told_in_one_sentence():
        settings = load_settings(config)
        _require_one(what, everything)
        about = None if everything else _meant(settings, str(what))
        if about is None:
            _switch(settings, EVERYTHING, None, "", by)
        else:
            _resume(settings, about, by)
        still = still_held(settings, None if about is None else {about.policy.service: about.stages})
        said = f"the hold of {what or 'everything'} is taken back" if still else _what_goes_on(about)
    typer.echo(f"Ordered: {said}. {THEN}{still}")


def _require_one(what: str | None, everything: bool) -> None:
    if (what is not None) == everything:
        raise refusal("name a service, or --all: one of the two")


# --- a service or a stage --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """The stages of a service that are held or resumed: `is_whole` is with all that its policy will have."""

    policy: Policy
    stages: Sequence[str]
    is_whole: bool


def _hold(settings: Settings, what: str, reason: str, by: str | None) -> str:
    """Hold a stage, or the whole service: with all stages that its policy will have."""
    meant = _meant(settings, what)
    service = meant.policy.service
    if meant.is_whole:
        _switch(settings, service, Stop(who="", reason=reason, service=service), reason, by)
        return f"any stage of {service}"
    _order(settings, meant.policy, meant.stages[0], Verb.HOLD, reason, by)
    return what


def _resume(settings: Settings, meant: _Meant, by: str | None) -> None:
    """Take the hold of a stage back, or that of the service and of each of its stages."""
    if meant.is_whole:
        _switch(settings, meant.policy.service, None, "", by)
    for stage in meant.stages:
        _order(settings, meant.policy, stage, Verb.RESUME, "", by)


def _what_goes_on(meant: _Meant | None) -> str:
    if meant is None:
        return "everything goes on"
    service = meant.policy.service
    return f"releases may move into {f'the stages of {service}' if meant.is_whole else f'{service}/{meant.stages[0]}'}"


def _meant(settings: Settings, what: str) -> _Meant:
    service, slash, named = what.partition("/")
    policy = policy_of(settings, service)
    return _Meant(policy=policy, stages=_stages(policy, named if slash else None), is_whole=not slash)


def _order(settings: Settings, policy: Policy, stage: str, verb: Verb, reason: str, by: str | None) -> None:
    order = order_of(verb, policy, stage, Release(image=policy.image, tag=_ANY), reason, by)
    effect = {Verb.HOLD: "Held", Verb.RESUME: "Resumed"}[verb]
    record_order(settings, order, f"{effect} by {order.by_login}: {policy.service}/{stage}.")


def _stages(policy: Policy, named: str | None) -> list[str]:
    stages = promoted_stages(policy)
    if named is None:
        return stages
    if named not in stages:
        shown = one_line(named, limit=80)
        either = join_words([f"{policy.service}/{stage}" for stage in stages], "or")
        raise refusal(f"nothing is promoted into a stage {shown!r} of {policy.service}: say {either}")
    return [named]


# --- everything, or a whole service ----------------------------------------------------------------------------------


def _switch(settings: Settings, subject: str, stop: Stop | None, reason: str, by: str | None) -> None:
    who, why = one_line(by or this_user(), limit=_LONGEST_NAME), one_line(reason)
    if not who or (stop is not None and not why):
        raise refusal(f"{'a reason' if who else 'a name'} that can be read was expected")
    verb = "hold" if stop is not None else "resume"
    what = "--all" if subject == EVERYTHING else subject
    body = {
        "author": who,
        "said": f"liftlock {verb} {what}",
        "accepted": True,
        "effect": f"{'Held' if stop is not None else 'Resumed'} by {who}.",
        "switch": switch_body(stop, by=who, reason=why),
    }
    event = Event(at=SystemClock().now(), service=subject, kind="command", body=body)
    with write_ledger(settings) as ledger:
        ledger.record(event)
