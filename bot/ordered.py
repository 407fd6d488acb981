"""What people have ordered of a service, as the ledger has it."""

from __future__ import annotations

from bot.domain.orders import Order, parse_order
from bot.domain.stops import EVERYTHING, Stop, parse_switch
from bot.records import Ledger

_ALL = 1_000_000


def switch_of(ledger: Ledger) -> Stop | None:
    """Return what people have stopped for all services by a command; None where everything may go on."""
    newest = next(iter(ledger.events(service=EVERYTHING, kind="command", limit=1)), None)
    return None if newest is None else parse_switch(newest.body.get("switch"), newest.at)


def orders_of(ledger: Ledger, service: str) -> tuple[Order, ...]:
    """Return all of them: a hold stands until it is resumed, however long ago it was given."""
    return commands_of(ledger, service)[0]


def commands_of(ledger: Ledger, service: str) -> tuple[tuple[Order, ...], tuple[Stop, ...]]:
    """Return the orders, and the stop of the service as a whole where one stands."""
    events = ledger.events(service=service, kind="command", limit=_ALL)
    written = (event.body.get("order") for event in events)
    found = (parse_order(order) for order in written if isinstance(order, dict))
    switch = next((event for event in events if "switch" in event.body), None)
    stop = parse_switch(switch.body["switch"], switch.at, service=service) if switch is not None else None
    return tuple(order for order in found if order is not None), () if stop is None else (stop,)
