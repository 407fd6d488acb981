"""Translate one entry of Argo CD's application list into our `Application`. Pure: JSON in, a frozen value out.

Fields that are absent get the word that promises least (`Unknown`); fields of a wrong type raise `MalformedItem`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from bot.adapters.scrub import as_sentence
from bot.domain.model import Application, Condition, Deployed, Operation, Sha

_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_UNDER_WAY = ("Running", "Terminating")
_LONGEST_MESSAGE = 500

Json = Mapping[str, object]


class MalformedItem(ValueError):
    """An entry has a field of a type that Argo CD never sends."""


def parse_application(item: Json, name: str, *, counts: Callable[[str], bool]) -> Application:
    """Translate an entry under the name by which it was asked for; `counts` says whether a repoURL is the stage's."""
    status, spec = _object(item, "status"), _object(item, "spec")
    health, sync = _object(status, "health"), _object(status, "sync")
    operation = _parse_operation(status, spec, counts)
    requested = _object(item, "operation") if item.get("operation") is not None else None
    return Application(
        name=name,
        sync=_text(sync, "status") or "Unknown",
        health=_text(health, "status") or "Unknown",
        revisions=_revisions(sync, _object(sync, "comparedTo"), spec, counts),
        operation=operation,
        # Argo CD keeps `operation` until the operation has ended, so beside a running one it is not a second one.
        operation_pending=requested is not None and (operation is None or operation.phase not in _UNDER_WAY),
        reconciled_at=_instant(status, "reconciledAt"),
        health_since=_instant(health, "lastTransitionTime"),
        health_message=_message(health),
        conditions=tuple(
            Condition(type=_text(entry, "type"), message=_message(entry)) for entry in _objects(status, "conditions")
        ),
        images=_texts(_object(status, "summary"), "images"),
        history=_parse_history(status, spec, counts),
    )


def _parse_operation(status: Json, spec: Json, counts: Callable[[str], bool]) -> Operation | None:
    state = _object(status, "operationState")
    if not state:
        return None
    result = _object(state, "syncResult")
    return Operation(
        phase=_text(state, "phase"),
        revisions=_revisions(result, result, spec, counts),
        started_at=_instant(state, "startedAt"),
        finished_at=_instant(state, "finishedAt"),
        message=_message(state),
    )


def _parse_history(status: Json, spec: Json, counts: Callable[[str], bool]) -> tuple[Deployed, ...]:
    """Return the syncs that succeeded, as far as they can be read; Argo CD keeps the last ten by default."""
    found = []
    for entry in _objects(status, "history"):
        at, revisions = _instant(entry, "deployedAt"), _revisions(entry, entry, spec, counts)
        if at is not None and revisions:
            found.append(Deployed(revisions=revisions, at=at, started_at=_instant(entry, "deployStartedAt")))
    return tuple(found)


def _revisions(reported: Json, described: Json, spec: Json, counts: Callable[[str], bool]) -> tuple[Sha, ...]:
    """Return the revision of each source that counts, or nothing if one of them is not known.

    `reported` holds `revision` or `revisions`; `described` the `source` or `sources` that these belong to, for which
    the spec stands in where Argo CD left them out. A hydrated application reports revisions of another branch than
    people write to; they are no answer here.
    """
    if spec.get("sourceHydrator") is not None:
        return ()
    sources = _sources(described) or _sources(spec)
    revisions = _texts(reported, "revisions") or ((_text(reported, "revision"),) if len(sources) == 1 else ())
    if len(revisions) != len(sources):
        return ()
    ours = [revision.lower() for revision, url in zip(revisions, sources, strict=True) if counts(url)]
    return tuple(Sha(revision) for revision in ours) if all(_SHA.match(revision) for revision in ours) else ()


def _sources(described: Json) -> tuple[str, ...]:
    """Return the repository URLs in Argo CD's order; `sources` overrides `source`, as it does there."""
    several = _objects(described, "sources")
    if several:
        return tuple(_text(source, "repoURL") for source in several)
    single = _text(_object(described, "source"), "repoURL")
    return (single,) if single else ()


# --- reading fields whose types nobody vouches for -------------------------------------------------------------------


def _object(parent: Json, key: str) -> Json:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedItem(f"{key} is no object")
    return value


def _objects(parent: Json, key: str) -> tuple[Json, ...]:
    value = parent.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise MalformedItem(f"{key} is no list of objects")
    return tuple(value)


def _text(parent: Json, key: str) -> str:
    value = parent.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedItem(f"{key} is no text")
    return value


def _texts(parent: Json, key: str) -> tuple[str, ...]:
    value = parent.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise MalformedItem(f"{key} is no list of texts")
    return tuple(value)


def _message(parent: Json) -> str:
    """Argo CD's messages quote repository URLs and command output, which may hold a password."""
    return as_sentence(_text(parent, "message"), longest=_LONGEST_MESSAGE)


def _instant(parent: Json, key: str) -> datetime | None:
    text = _text(parent, key)
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
        # Out of range where the offset leads before year 1 or past year 9999.
        utc = instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedItem(f"{key} is no instant") from error
    if instant.tzinfo is None:
        raise MalformedItem(f"{key} has no time zone")
    return utc
