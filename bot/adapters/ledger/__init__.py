"""The ledger in a SQL database: SQLite by default, PostgreSQL by URL. Entries are appended, never edited or deleted.

Enters: events, tiles, health looks, comment digests. Leaves: the same values again, instants aware and in UTC. What
the database refuses becomes `Transient` or `Permanent` with one sentence and the path. It never decides anything, and
nothing unsafe happens when it is lost (DESIGN.md, section 4).
"""

from bot.adapters.ledger.board import SqlBoard
from bot.adapters.ledger.dry import DryBoard, DryLedger, DrySightings
from bot.adapters.ledger.opening import open_ledger, reopen_if_lost
from bot.adapters.ledger.sightings import SqlSightings
from bot.adapters.ledger.store import SqlLedger

__all__ = [
    "DryBoard",
    "DryLedger",
    "DrySightings",
    "SqlBoard",
    "SqlLedger",
    "SqlSightings",
    "open_ledger",
    "reopen_if_lost",
]
