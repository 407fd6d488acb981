"""The switch: what people have stopped for all services at once, or for one, beside what they command in comments.

A stop of everything lets the bot look and judge, and write nothing: no pull request, no comment, no sync, no rollback
either unless it says so. A stop of a service or stage is a hold like that of a comment: nothing moves into it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.text import format_date_instant, one_line

EVERYTHING = "(all)"
"""What stands for the service where the ledger keeps a command that concerns all of them."""

_LINE = re.compile(
    r"(?P<all>all)(?P<but>[ \t]+except[ \t]+rollbacks)?[ \t]*:(?P<why>.*)"
    r"|(?P<service>[a-z0-9][a-z0-9-]{0,62})(?:/(?P<stage>[a-z0-9][a-z0-9-]{0,62}))?[ \t]*:(?P<reason>.*)"
)
_LONGEST_REASON = 300
MOST_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Something that is stopped: `service` None is everything, `stage` None all stages of the service.

    `lets_roll_back` is of a stop of everything. `who` says whose word it is, in words.
    """

    who: str
    reason: str
    service: str | None = None
    stage: str | None = None
    lets_roll_back: bool = False

    @property
    def sentence(self) -> str:
        """Who has stopped what, and why."""
        what = "everything" if self.service is None else "/".join(filter(None, (self.service, self.stage)))
        but = " but rollbacks" if self.lets_roll_back else ""
        return f"{self.who} holds {what}{but}: {self.reason}"


# --- where stops come from -------------------------------------------------------------------------------------------


def switch_body(stop: Stop | None, *, by: str, reason: str) -> dict[str, object]:
    """Return what the ledger keeps of a command that stops everything or a service, or with None lets it go on."""
    lets = stop is not None and stop.lets_roll_back
    return {"is_on": stop is not None, "lets_roll_back": lets, "by": by, "reason": reason}


def parse_switch(body: object, at: datetime, *, service: str | None = None) -> Stop | None:
    """Read back the newest `switch_body`, of that instant and service (None: everything); None where it may go on.

    One that cannot be read stops it: nobody knows what was meant.
    """
    if not isinstance(body, Mapping) or set(body) != {"is_on", "lets_roll_back", "by", "reason"}:
        return Stop(
            who="the ledger", reason="the last command to hold it cannot be read: give it again", service=service
        )
    if body["is_on"] is False:
        return None
    who = f"{one_line(str(body['by']), limit=100)} (since {format_date_instant(at)})"
    reason = one_line(str(body["reason"]), limit=_LONGEST_REASON)
    return Stop(who=who, reason=reason, service=service, lets_roll_back=body["lets_roll_back"] is True)


def parse_stops(text: str, *, file: str) -> tuple[Stop, ...]:
    """Read a file of stops, a line each; a file that is there and says nothing that can be read stops everything.

    `all: REASON`, `all except rollbacks: REASON`, `SERVICE: REASON` or `SERVICE/STAGE: REASON`. Empty lines and those
    that begin with `#` say nothing.
    """
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        return (Stop(who=file, reason=f"it has more than {MOST_LINES} lines"),)
    said = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    told = [(number, line) for number, line in said if line and not line.startswith("#")]
    if not told:
        return (Stop(who=file, reason="the file is there, and gives no reason"),)
    return tuple(_parse_line(line, f"{file}, line {number}") for number, line in told)


def _parse_line(line: str, where: str) -> Stop:
    found = _LINE.fullmatch(line)
    if found is None:
        shown = one_line(line, limit=60)
        expected = '"all: REASON", "all except rollbacks: REASON", "SERVICE: REASON" or "SERVICE/STAGE: REASON"'
        return Stop(who=where, reason=f"found {shown!r}, expected {expected}")
    reason = one_line((found["why"] or found["reason"] or "").strip(), limit=_LONGEST_REASON) or "no reason is given"
    if found["all"]:
        return Stop(who=where, reason=reason, lets_roll_back=found["but"] is not None)
    return Stop(who=where, reason=reason, service=found["service"], stage=found["stage"])


def with_unknown(
    stops: Iterable[Stop], stages: Mapping[str, Collection[str]], halted: Collection[str] = ()
) -> tuple[Stop, ...]:
    """Let a stop of a service or stage that there is not stop everything: it was meant to stop something.

    `stages` are those that releases are promoted into, of each service. `halted` are the services of broken files, as
    far as can be told: which stages they have is not known, and nothing moves there.
    """
    return tuple(_known(stop, stages, halted) for stop in stops)


def _known(stop: Stop, stages: Mapping[str, Collection[str]], halted: Collection[str]) -> Stop:
    if stop.service is None or (stop.service in stages and stop.stage in (None, *stages[stop.service])):
        return stop
    is_unknown = stop.service not in stages
    if is_unknown and stop.service in halted:
        return stop
    named = "/".join(filter(None, (stop.service, stop.stage)))
    expected = "a service of a policy, and a stage that releases are promoted into"
    doubt = "; as far as can be told, no broken file without a good version is of it" if is_unknown and halted else ""
    return Stop(who=stop.who, reason=f"found {named!r}, expected {expected}{doubt}")


def stop_of_everything(stops: Iterable[Stop]) -> Stop | None:
    """Return the stop of everything that lets least be done."""
    found = [stop for stop in stops if stop.service is None]
    return min(found, key=lambda stop: stop.lets_roll_back, default=None)


def hold_of(stops: Iterable[Stop], service: str, stage: str) -> Stop | None:
    """Return the stop of a stage."""
    of_service = [stop for stop in stops if stop.service == service and stop.stage in (None, stage)]
    return next(iter(of_service), None)


def stops_for(stops: Iterable[Stop], service: str) -> tuple[Stop, ...]:
    """Return those that concern a service."""
    return tuple(stop for stop in stops if stop.service in (None, service))
