"""Entries of the ledger as text: a line for people, a JSON object for programs and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import get_args

from bot.domain.text import format_date_instant, one_line
from bot.records import Entry, Event, EventKind

_HASH = re.compile(r"[0-9a-f]{64}")
_KEYS = frozenset({"number", "at", "service", "stage", "kind", "body", "digest", "link"})
_LONGEST = 160
_LONGEST_BEGINNING = 500
"""It stands once in a ledger, and says what nothing else does."""


def as_json(entry: Entry) -> dict[str, object]:
    """Return an entry as plain JSON values; `parse_entry` reads it back."""
    event = entry.event
    return {
        "number": entry.number,
        "at": event.at.isoformat(timespec="microseconds"),
        "service": event.service,
        "stage": event.stage,
        "kind": event.kind,
        "body": dict(event.body) if entry.body is not None else None,
        "digest": entry.digest,
        "link": entry.link,
    }


def parse_entry(written: Mapping[str, object], canonical: Callable[[Mapping[str, object]], str]) -> Entry | None:
    """Read an entry back; None for anything that `as_json` would not have written."""
    body, kind, number = written.get("body"), written.get("kind"), written.get("number")
    texts = [written.get(name) for name in ("service", "stage", "digest", "link")]
    at = _instant(written.get("at"))
    if set(written) != _KEYS or at is None or type(number) is not int or kind not in get_args(EventKind):
        return None
    if not all(isinstance(text, str) for text in texts) or not (body is None or isinstance(body, dict)):
        return None
    service, stage, digest, link = (str(text) for text in texts)
    if not (_HASH.fullmatch(digest) and _HASH.fullmatch(link)):
        return None
    found: EventKind = next(one for one in get_args(EventKind) if one == kind)
    event = Event(at=at, service=service, stage=stage, kind=found, body=body or {})
    text = canonical(body) if isinstance(body, dict) else None
    return Entry(number=number, event=event, body=text, digest=digest, link=link)


def _instant(written: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def entry_line(entry: Entry) -> str:
    """Return an entry as one printable line: when, of what, which kind, and what it says."""
    event = entry.event
    where = one_line(f"{event.service}/{event.stage}" if event.stage else event.service, limit=80)
    said = _said(event) if entry.body is not None else "(its body was taken away because it is old)"
    limit = _LONGEST_BEGINNING if event.kind == "beginning" else _LONGEST
    return f"{entry.number}  {format_date_instant(event.at)}  {where}  {event.kind}: {one_line(said, limit=limit)}"


def _said(event: Event) -> str:
    """Return what an entry says, in the words of whoever wrote it."""
    body = event.body
    action = body.get("action")
    match event.kind:
        case "decision":
            return _judged(body.get("decision"))
        case "action" | "outcome" if isinstance(action, dict):
            kind, reason = str(action.get("kind")), action.get("reason")
            return f"{kind}: {body.get('outcome') or reason}" if body.get("outcome") or reason else kind
        case "command" | "answer":
            return f"{body.get('author')}: {body.get('said')}: {body.get('effect')}"
        case "beginning":
            return str(body.get("sentence"))
        case "policy" | "summary":
            told = {
                "policy": ("version", 12, "is in force"),
                "summary": ("digest", 19, f"sums up {body.get('release')}"),
            }
            key, length, what = told[event.kind]
            return f"{key} {str(body.get(key))[:length]} {what}"
        case _:
            return json.dumps(body, sort_keys=True, ensure_ascii=True)


def _judged(decision: object) -> str:
    judgements = decision.get("judgements") if isinstance(decision, dict) else None
    said = []
    for one in judgements if isinstance(judgements, list) else []:
        if isinstance(one, dict):
            release = one.get("release")
            tag = release.get("tag") if isinstance(release, dict) else "nothing"
            said.append(
                f"{tag} {'before' if one.get('role') == 'candidate' else 'in'} {one.get('stage')} {one.get('state')}"
            )
    return "; ".join(said) or "nothing to decide"
