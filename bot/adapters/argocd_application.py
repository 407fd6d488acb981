"""Translate one entry of Argo CD's application list into our `Application`. Pure: JSON in, a frozen value out.

Fields that are absent get the word that promises least (`Unknown`); fields of a wrong type raise `MalformedItem`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bot.adapters.argocd_json import (
    Json,
    MalformedItem,
    count_at,
    instant,
    object_at,
    objects_at,
    text_at,
    texts_at,
)
from bot.adapters.argocd_sources import Counting, as_sha, revisions_of, sources_of
from bot.adapters.scrub import as_sentence
from bot.domain.argo import Application, Condition, Deployed, Hydration, Leftovers, Operation
from bot.domain.model import Sha
from bot.domain.stance import CONSENT

__all__ = ["Json", "MalformedItem", "parse_application"]

_LONGEST_MESSAGE = 500
_LONGEST_NAME = 100
_FEW = 3


class _Reading(NamedTuple):
    """What the revisions are read by: the application's sources, and which of them count."""

    spec: Json
    counting: Counting

    def revisions(self, reported: Json, described: Json) -> tuple[Sha, ...]:
        return revisions_of(reported, described, self.spec, self.counting)


def parse_application(item: Json, name: str, *, counts: Callable[[str], bool], branch: str = "") -> Application:
    """Translate an entry under the name by which it was asked for.

    `counts` says whether a repoURL is the stage's repository, `branch` is the one that people write to there.
    """
    status, spec, metadata = object_at(item, "status"), object_at(item, "spec"), object_at(item, "metadata")
    health, sync = object_at(status, "health"), object_at(status, "sync")
    hydrator = object_at(spec, "sourceHydrator")
    reading = _reading(spec, hydrator, Counting(is_ours=counts, branch=branch))
    operation = _parse_operation(status, reading)
    requested = object_at(item, "operation") if item.get("operation") is not None else None
    sources = sources_of(reading.spec)
    places = reading.counting.picks(sources)
    return Application(
        name=name,
        sync=_name(text_at(sync, "status")) or "Unknown",
        health=_name(text_at(health, "status")) or "Unknown",
        revisions=reading.revisions(sync, object_at(sync, "comparedTo")),
        operation=operation,
        # Argo CD keeps `operation` until the operation has ended, so beside a running one it is not a second one.
        operation_pending=requested is not None and (operation is None or not operation.is_under_way),
        reconciled_at=instant(status, "reconciledAt"),
        health_since=instant(health, "lastTransitionTime"),
        health_message=_message(health),
        conditions=tuple(
            Condition(type=_name(text_at(entry, "type")), message=_message(entry))
            for entry in objects_at(status, "conditions")
        ),
        images=texts_at(object_at(status, "summary"), "images"),
        history=_parse_history(status, reading),
        targets=_targets(hydrator, sources, places),
        positions=tuple(place + 1 for place in places),
        several_sources=bool(objects_at(spec, "sources")),
        automated=_is_automated(spec),
        hydration=_parse_hydration(status, hydrator) if hydrator else None,
        leftovers=_parse_leftovers(status),
        is_being_deleted=bool(text_at(metadata, "deletionTimestamp")),
        consents=_consent(metadata),
    )


def _reading(spec: Json, hydrator: Json, counting: Counting) -> _Reading:
    """A hydrated application reports revisions of the branch that it is rendered to, whatever their source says."""
    if not hydrator:
        return _Reading(spec, counting)
    dry = object_at(hydrator, "drySource")
    if not counting.is_ours(text_at(dry, "repoURL")):
        return _Reading({"source": {"repoURL": text_at(dry, "repoURL")}}, counting)
    return _Reading({"source": {"repoURL": text_at(dry, "repoURL")}}, Counting(is_ours=lambda _: True))


def _targets(hydrator: Json, sources: tuple[Json, ...], places: tuple[int, ...]) -> tuple[str, ...]:
    described = (object_at(hydrator, "drySource"),) if hydrator else tuple(sources[place] for place in places)
    return tuple(_name(text_at(one, "targetRevision")) for one in described)


def _is_automated(spec: Json) -> bool:
    policy = object_at(spec, "syncPolicy")
    if policy.get("automated") is None:
        return False
    # Since Argo CD 3.1 it can be there and switched off.
    return object_at(policy, "automated").get("enabled") is not False


def _consent(metadata: Json) -> str:
    value = object_at(metadata, "annotations").get(CONSENT)
    return as_sentence(value, longest=_LONGEST_MESSAGE) if isinstance(value, str) else ""


def _parse_operation(status: Json, reading: _Reading) -> Operation | None:
    state = object_at(status, "operationState")
    if not state:
        return None
    result = object_at(state, "syncResult")
    return Operation(
        phase=_name(text_at(state, "phase")),
        revisions=reading.revisions(result, result),
        started_at=instant(state, "startedAt"),
        finished_at=instant(state, "finishedAt"),
        message=_message(state),
        retries=count_at(state, "retryCount"),
        is_partial=_is_partial(object_at(object_at(state, "operation"), "sync")),
    )


def _is_partial(sync: Json) -> bool:
    return sync.get("dryRun") is True or bool(sync.get("resources"))


def _parse_history(status: Json, reading: _Reading) -> tuple[Deployed, ...]:
    """Return the syncs that succeeded, oldest first; Argo CD keeps the last ten by default.

    One whose revisions cannot be read stays in its place: nobody knows what it was of.
    """
    found = []
    for entry in objects_at(status, "history"):
        at, revisions = instant(entry, "deployedAt"), reading.revisions(entry, entry)
        started, number = instant(entry, "deployStartedAt"), count_at(entry, "id") if "id" in entry else None
        if at is not None:
            found.append(Deployed(revisions=revisions, at=at, started_at=started, number=number))
    return tuple(found)


def _parse_hydration(status: Json, hydrator: Json) -> Hydration:
    told = object_at(status, "sourceHydrator")
    current, last = object_at(told, "currentOperation"), object_at(told, "lastSuccessfulOperation")
    pairs = [(as_sha(text_at(one, "hydratedSHA")), as_sha(text_at(one, "drySHA"))) for one in (current, last)]
    return Hydration(
        phase=_name(text_at(current, "phase")),
        dry=as_sha(text_at(current, "drySHA")),
        message=_message(current),
        rendered={hydrated: dry for hydrated, dry in pairs if hydrated is not None and dry is not None},
        path=text_at(object_at(hydrator, "syncSource"), "path"),
    )


def _parse_leftovers(status: Json) -> Leftovers:
    """Return what is not as Git says; how many where the entry was cut before it came here, and Argo CD's order."""
    resources, counts = objects_at(status, "resources"), object_at(status, "resourceCounts")
    out_of_sync = [one for one in resources if text_at(one, "status") == "OutOfSync"]
    prunable = [one for one in resources if one.get("requiresPruning") is True]
    ill = [one for one in resources if text_at(object_at(one, "health"), "status") not in {"", "Healthy"}]
    return Leftovers(
        out_of_sync=tuple(_resource(one) for one in out_of_sync[:_FEW]),
        prunable=tuple(_resource(one) for one in prunable[:_FEW]),
        ill=tuple(_resource(one) for one in ill[:_FEW]),
        out_of_sync_count=count_at(counts, "outOfSync") or len(out_of_sync),
        prunable_count=count_at(counts, "requiresPruning") or len(prunable),
    )


def _resource(one: Json) -> str:
    message = _message(object_at(one, "health"))
    return f"{_name(text_at(one, 'kind'))}/{_name(text_at(one, 'name'))}" + (f": {message}" if message else "")


def _name(text: str) -> str:
    return as_sentence(text, longest=_LONGEST_NAME)


def _message(parent: Json) -> str:
    """Argo CD's messages quote repository URLs and command output, which may hold a password."""
    return as_sentence(text_at(parent, "message"), longest=_LONGEST_MESSAGE)
