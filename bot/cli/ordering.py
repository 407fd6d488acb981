"""What the commands share by which an operator orders something on the bot's own machine.

Whoever may write the ledger may order. The order is an entry of it, and the running bot acts on it at its next look.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import typer

from bot.adapters.clock import SystemClock
from bot.cli.faults import refusal
from bot.compose.policies import ReadPolicies, read_policies
from bot.compose.records import read_ledger, write_ledger
from bot.domain.commands import Verb
from bot.domain.model import Release
from bot.domain.orders import Order, as_json, parse_order, standing
from bot.domain.policy import Policy
from bot.domain.stops import Stop, stop_of_everything
from bot.domain.text import join_words, one_line
from bot.ordered import commands_of, switch_of
from bot.records import Event
from bot.settings import Settings

_LONGEST_NAME = 100
_MOST_SHOWN = 5
THEN = "The bot acts at its next look, if `liftlock run` is running."

ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; shown and recorded.", show_default=False)]
ByOption = Annotated[str | None, typer.Option("--by", help="Who orders it; else this machine's user.")]


def policy_of(settings: Settings, service: str) -> Policy:
    """Return the policy of a service; refuse where there is none, and say which there are."""
    read = need_policies(settings)
    policies = read.by_service
    if service not in policies:
        known = join_words(sorted(policies)) if policies else "none"
        halted = f"; these have faults, and halt their services: {join_words(read.halted)}" if read.halted else ""
        place = settings.policies_place
        raise refusal(f"no policy in {place} is of a service {service!r}; there are: {known}{halted}")
    return policies[service]


def need_policies(settings: Settings) -> ReadPolicies:
    """Read the policies in force; refuse with the reason where none could be."""
    read = read_policies(settings)
    if read.why_none:
        raise refusal(read.why_none)
    return read


def promoted_stages(policy: Policy) -> list[str]:
    """Return the stages that releases are promoted into; none where the policy has a first stage only."""
    found = [stage.name for stage in policy.stages if stage.source is not None]
    if not found:
        raise refusal(f"nothing is ever promoted or taken back by the policy of {policy.service}: it has one stage")
    return found


def order_of(verb: Verb, policy: Policy, stage: str, release: Release, reason: str, by: str | None) -> Order:
    """Return an order that is given now; refuse one without a name or a reason that can be read."""
    now = SystemClock().now()
    order = Order(
        kind=verb,
        service=policy.service,
        stage=stage,
        release=release.name,
        by_id=0,
        by_login=one_line(by or this_user(), limit=_LONGEST_NAME),
        at=now,
        comment=microsecond_of(now),
        line=0,
        number=0,
        reason=one_line(reason),
    )
    if parse_order(as_json(order)) != order:
        raise refusal(f"{'a name' if order.reason else 'a reason'} that can be read was expected")
    return order


def microsecond_of(at: datetime) -> int:
    """Return what stands for a comment's id."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def this_user() -> str:
    """Name whoever runs this, and the machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that has no name.
        name = "somebody"
    return f"{name} on {socket.gethostname()}"


def held_meanwhile(settings: Settings) -> str:
    """Return a sentence where everything is held at this moment, by a command or by the file; else nothing."""
    with read_ledger(settings) as ledger:
        switch = switch_of(ledger)
    read = read_policies(settings)
    stop = stop_of_everything([*read.stops, *([] if switch is None else [switch])])
    return _but(settings, read, [stop.sentence] if stop is not None else [])


def still_held(settings: Settings, stages: Mapping[str, Sequence[str]] | None) -> str:
    """Return a sentence on all that holds stages of services at this moment; else nothing.

    It is by commands or by the file; what is held in a single pull request is not asked for. None is all services.
    """
    read = read_policies(settings)
    about = stages if stages is not None else _all_stages(read)
    with read_ledger(settings) as ledger:
        switch = switch_of(ledger)
        commands = {service: commands_of(ledger, service) for service in about}
    stops = [*read.stops, *([] if switch is None else [switch])]
    found = [stop for stop in stops if stages is None or _concerns(stop, stages)]
    found += [stop for _, of_service in commands.values() for stop in of_service]
    orders = (
        standing(commands[service][0], service=service, stage=stage, release="", head=None).hold
        for service, of_service in about.items()
        for stage in of_service
    )
    by_order = [f"{one.by_login} holds {one.service}/{one.stage}: {one.reason}" for one in orders if one is not None]
    return _but(settings, read, [*(stop.sentence for stop in found), *by_order])


def _all_stages(read: ReadPolicies) -> Mapping[str, Sequence[str]]:
    return {
        policy.service: [stage.name for stage in policy.stages if stage.source is not None]
        for policy in read.in_force.policies
    }


def _concerns(stop: Stop, stages: Mapping[str, Sequence[str]]) -> bool:
    return stop.service is None or (stop.service in stages and stop.stage in (None, *stages[stop.service]))


def _but(settings: Settings, read: ReadPolicies, held: Sequence[str]) -> str:
    if not held and settings.policies is not None and read.why_none:
        return f" Whether a file HOLD stops it could not be found out: {read.why_none}."
    all_of_them = [f"in all there are {len(held)} holds"] if len(held) > _MOST_SHOWN else []
    shown = [*held[:_MOST_SHOWN], *all_of_them]
    return f" But {'; '.join(shown)}." if shown else ""


def record_order(settings: Settings, order: Order, effect: str) -> None:
    """Write an order to the ledger, as an accepted command."""
    body = {
        "comment": order.comment,
        "number": order.number,
        "author": order.by_login,
        "author_id": order.by_id,
        "said": f"liftlock {order.kind}",
        "accepted": True,
        "effect": effect,
        "order": as_json(order),
    }
    event = Event(at=order.at, service=order.service, stage=order.stage, kind="command", body=body)
    with write_ledger(settings) as ledger:
        ledger.record(event)
