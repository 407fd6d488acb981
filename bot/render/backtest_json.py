"""A backtest as plain JSON values, for scripts. Instants are RFC 3339 in UTC, durations are seconds."""

from __future__ import annotations

from datetime import datetime

from bot.backtest.report import Difference, Judged, Report, Row, Table


def backtest_json(report: Report) -> dict[str, object]:
    """Return the whole report."""
    return {
        "service": report.service,
        "since": _at(report.since),
        "until": _at(report.until),
        "hotfix_within_seconds": report.hotfix.total_seconds(),
        "source": report.source,
        "policy": _judged(report.old),
        "new_policy": _judged(report.new) if report.new is not None else None,
        "differences": [_difference(one) for one in report.differences],
    }


def _judged(judged: Judged) -> dict[str, object]:
    gain = judged.typical_gain
    return {
        "file": judged.file,
        "version": judged.version,
        "tables": [_table(table) for table in judged.tables],
        "false_alarms": list(judged.false_alarms),
        "misses": list(judged.misses),
        "median_gain_seconds": gain.total_seconds() if gain is not None else None,
        "releases": [_row(row) for row in judged.rows],
        "not_backtested": list(judged.blind_spots),
        "not_known": list(judged.missing),
    }


def _table(table: Table) -> dict[str, object]:
    counts = {str(was): dict(zip(table.columns, row, strict=True)) for was, row in table.counts.items()}
    return {"name": table.name, "counts": counts}


def _row(row: Row) -> dict[str, object]:
    outcome, gained = row.outcome, row.gained
    return {
        "question": str(row.question),
        "name": row.name,
        "stage": row.stage,
        "release": row.tag,
        "came_at": _at(row.came_at),
        "live_at": _at(row.live.at if row.live is not None else None),
        "live_from": str(row.live.known_from) if row.live is not None else None,
        "policy": {
            "end": str(outcome.end),
            "at": _at(outcome.at),
            "rule": outcome.rule or None,
            "reason": outcome.reason,
            "delays": list(outcome.delays),
            "in_shadow": [{"rule": one.rule, "at": _at(one.at), "reason": one.reason} for one in outcome.shadows],
            "verdicts": [
                {"rule": one.gate, "verdict": str(one.kind), "reason": one.reason, "in_shadow": one.is_shadow}
                for one in outcome.verdicts
            ],
            "looks": outcome.looks,
        },
        "really": {
            "was": str(row.fate.was),
            "sentence": row.fate.sentence,
            "moved_on_at": _at(row.moved_on_at),
            "undone_at": _at(row.fate.undone_at),
        },
        "gained_seconds": gained.total_seconds() if gained is not None else None,
    }


def _difference(one: Difference) -> dict[str, object]:
    return {
        "name": one.name,
        "release": one.tag,
        "policy": str(one.before.outcome.end) if one.before is not None else None,
        "new_policy": str(one.after.outcome.end) if one.after is not None else None,
    }


def _at(instant: datetime | None) -> str | None:
    return instant.isoformat().replace("+00:00", "Z") if instant is not None else None
