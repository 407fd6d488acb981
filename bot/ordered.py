"""What people have ordered of a service, as the ledger has it."""

from __future__ import annotations

from bot.domain.orders import Order, parse_order
from bot.records import Ledger

_ALL = 1_000_000


def orders_of(ledger: Ledger, service: str) -> tuple[Order, ...]:
    """Return all of them: a hold stands until it is resumed, however long ago it was given."""
    events = ledger.events(service=service, kind="command", limit=_ALL)
    written = (event.body.get("order") for event in events)
    found = (parse_order(order) for order in written if isinstance(order, dict))
    return tuple(order for order in found if order is not None)
