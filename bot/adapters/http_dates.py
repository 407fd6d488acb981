"""When an HTTP answer was sent, and how long it asks to be left alone: by its headers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_LONGEST_RETRY_AFTER = timedelta(hours=1)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read `Retry-After`: seconds, or an instant, which counts from the answer's own `Date`."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(timedelta(seconds=int(value)), _LONGEST_RETRY_AFTER)
    until, sent = parse_http_date(value), parse_http_date(headers.get("date", ""))
    if until is None or sent is None:
        return None
    return min(max(until - sent, timedelta()), _LONGEST_RETRY_AFTER)


def parse_http_date(value: str) -> datetime | None:
    """Read a date as HTTP writes it, which names a second; None for what is none."""
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
