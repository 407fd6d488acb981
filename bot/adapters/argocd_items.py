"""What is kept of Argo CD's entries: of one (`slim`), and of all of a server (`Mirror`). Pure: no thread, I/O or clock.

Enter raw JSON of the list and of the stream, and the monotonic seconds at which it came. Leave entries without what
nobody reads, the newest known of each application. It never invents or mends a field: a part of an unexpected type is
left as it is, for the parser to complain about.

Which of two tellings is newer is read off `metadata.resourceVersion`, which counts up over all objects of a cluster's
store. Argo CD's own stream compares it as a number, too (`isApplicationPermitted` in its `application.go`).

Races named, and accepted:
- Several replicas of Argo CD's server lag behind each other: a list may be older than an event. The newer version wins.
- A list's own version is read a moment after its entries. An application made in that moment is missing once more.
- Argo CD drops events of a watcher that is slow, and tells no one: what was dropped is known with the next full list.
- An application that leaves the projects or the rights that the stream is narrowed to goes without an event: likewise.
- A store restored from a backup counts from an older version. What was told before loses its precedence after `MEMORY`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.adapters.argocd_json import Json
from bot.domain.stance import CONSENT

MEMORY = timedelta(minutes=10)
"""How long a version that was told holds against an older one; so long, too, is a deletion remembered."""

_SOURCE_KEEPS = frozenset({"repoURL", "path", "targetRevision", "chart", "ref", "name"})
_RESOURCE_KEEPS = ("group", "kind", "namespace", "name", "status", "requiresPruning", "health", "syncWave")
_MOST_RESOURCES = 20
_MOST_OF_A_KIND = 5
_ILL = ("Degraded", "Missing")

_Slimming = Callable[[object], object]


# --- one entry ----------------------------------------------------------------------------------------------------


def slim(item: Json) -> Json:
    """Return an entry without what nobody reads: most of its bytes. What is slim already stays as it is.

    Of `status.resources` stay at most 20 that are out of sync, to be pruned or not healthy; `status.resourceCounts`,
    which Argo CD does not have, says how many there were of each, and in all.
    """
    return _changed(item, metadata=_slim_metadata, spec=_slim_described, status=_slim_status, operation=_slim_operation)


def slim_when_parsed(parsed: dict[str, object]) -> object:
    """Slim an entry as soon as it is parsed (`object_hook` of `json.loads`); leave every other object as it is.

    So a list of thousands takes a third of the memory and of the time: no more than one entry is there as it came.
    """
    is_entry = "metadata" in parsed and "spec" in parsed and "status" in parsed
    return slim(parsed) if is_entry else parsed


def _changed(parent: Json, **slimming: _Slimming) -> dict[str, object]:
    """Return a copy with some of its parts slimmed; absent ones stay absent."""
    return {key: slimming[key](value) if key in slimming else value for key, value in parent.items()}


def _slim_metadata(metadata: object) -> object:
    if not isinstance(metadata, dict):
        return metadata
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    annotations = kept.get("annotations")
    if isinstance(annotations, dict):
        kept["annotations"] = {key: value for key, value in annotations.items() if key == CONSENT}
    return kept


def _slim_described(described: object) -> object:
    """Slim whatever has a `source` or `sources`: the spec, a comparison, a sync's order or result, a past sync."""
    return _changed(described, source=_slim_source, sources=_slim_sources) if isinstance(described, dict) else described


def _slim_source(source: object) -> object:
    if not isinstance(source, dict):
        return source
    return {key: value for key, value in source.items() if key in _SOURCE_KEEPS}


def _slim_sources(sources: object) -> object:
    return [_slim_source(one) for one in sources] if isinstance(sources, list) else sources


def _slim_status(status: object) -> object:
    if not isinstance(status, dict):
        return status
    kept = _changed(status, sync=_slim_sync, history=_slim_history, operationState=_slim_state)
    resources = kept.get("resources")
    if "resourceCounts" not in kept and isinstance(resources, list) and all(isinstance(one, dict) for one in resources):
        kept |= _slim_resources(resources)
    return kept


def _slim_sync(sync: object) -> object:
    return _changed(sync, comparedTo=_slim_described) if isinstance(sync, dict) else sync


def _slim_history(history: object) -> object:
    return [_slim_described(one) for one in history] if isinstance(history, list) else history


def _slim_state(state: object) -> object:
    if not isinstance(state, dict):
        return state
    return _changed(state, operation=_slim_operation, syncResult=_slim_result)


def _slim_result(result: object) -> object:
    kept = _slim_described(result)
    return {key: value for key, value in kept.items() if key != "resources"} if isinstance(kept, dict) else kept


def _slim_operation(operation: object) -> object:
    return _changed(operation, sync=_slim_order) if isinstance(operation, dict) else operation


def _slim_order(order: object) -> object:
    """A sync of local files carries these as `manifests`."""
    kept = _slim_described(order)
    return {key: value for key, value in kept.items() if key != "manifests"} if isinstance(kept, dict) else kept


def _slim_resources(resources: Sequence[Json]) -> dict[str, object]:
    out_of_sync = [place for place, one in enumerate(resources) if one.get("status") == "OutOfSync"]
    prunable = [place for place, one in enumerate(resources) if one.get("requiresPruning") is True]
    unhealthy = [place for place, one in enumerate(resources) if _health(one) not in {None, "Healthy"}]
    ill = [place for place in unhealthy if _health(resources[place]) in _ILL]
    counts = {
        "outOfSync": len(out_of_sync),
        "requiresPruning": len(prunable),
        "unhealthy": len(unhealthy),
        "total": len(resources),
    }
    chosen = _choose(out_of_sync, prunable, ill, unhealthy)
    return {"resources": [_slim_resource(resources[place]) for place in chosen], "resourceCounts": counts}


def _choose(*kinds: Sequence[int]) -> list[int]:
    """Choose a few of each kind first, so that a hundred of one do not hide the only one of another."""
    first = [place for kind in kinds for place in kind[:_MOST_OF_A_KIND]]
    others = sorted(place for kind in kinds for place in kind)
    return sorted(list(dict.fromkeys([*first, *others]))[:_MOST_RESOURCES])


def _slim_resource(resource: Json) -> Json:
    return {key: resource[key] for key in _RESOURCE_KEEPS if key in resource}


def _health(resource: Json) -> str | None:
    """Return the health's word; None where there is none. What is no word is not healthy."""
    health = resource.get("health")
    word = health.get("status") if isinstance(health, dict) else health
    return word if word is None or isinstance(word, str) else "malformed"


# --- all entries of a server --------------------------------------------------------------------------------------

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswer:
    """A full list: its entries, slim already, and the version of the store that it was read at."""

    items: tuple[Json, ...]
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of the stream: an application as it is now, or (`is_deletion`) as it was last."""

    item: Json
    is_deletion: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBegun:
    """That a list was asked for: when, and after which events."""

    moment: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """The newest that is known of one application; `item` None: it is deleted. `moment` orders what clocks cannot."""

    item: Json | None
    uid: str
    version: int | None
    moment: int
    at: float

    def outdoes(self, held: _Told, *, forgets: float) -> bool:
        """Say whether this is to replace what is held; what was told before `forgets` holds against nothing."""
        if held.at < forgets:
            return True
        if self.uid and self.uid == held.uid and None in (self.item, held.item):
            # Nothing comes after the deletion of an object; another one of its name has another uid.
            return held.item is not None
        if self.version is None or held.version is None:
            return self.moment > held.moment
        return self.version > held.version or (self.version == held.version and self.item is None)


def key_of(item: Json) -> Key | None:
    """Return by what an entry is known; None if it has no name."""
    metadata = item.get("metadata")
    if not isinstance(metadata, dict):
        return None
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return (namespace if isinstance(namespace, str) else "", name) if isinstance(name, str) and name else None


class Mirror:
    """What is known of one server's applications, and whether it may be used without a new full list.

    That is so only if the stream is connected, has brought an event since, a full list was asked for after that event
    and came, that list is younger than `relist`, and the last sign of life (event or full list) younger than `silence`.
    Asked for, not only completed, after it: the first event is the first proof that Argo CD had subscribed the stream,
    and a list that was read before may lack what happened in between. All times are monotonic seconds.
    """

    def __init__(self, *, relist: timedelta, silence: timedelta) -> None:
        self._relist = relist.total_seconds()
        self._silence = silence.total_seconds()
        self._told: dict[Key, _Told] = {}
        self._moment = 0
        self._is_connected = False
        self._first_event: int | None = None
        self._heard_at = float("-inf")
        self._listed: ListBegun | None = None
        self._newest: tuple[int, float] | None = None
        self.resume_from = "0"
        """From which version a stream is to be told: that of the last full list, since all older is known by it."""

    def connect(self) -> None:
        """Note that a stream was answered."""
        self._is_connected, self._first_event = True, None

    def disconnect(self) -> None:
        """Note that the stream has ended: the next one has to earn its trust anew."""
        self._is_connected, self._first_event = False, None

    def is_trusted(self, now: float) -> bool:
        """Say whether `items` may be used as they are."""
        if not self._is_connected or self._first_event is None:
            return False
        if self._listed is None or self._listed.moment < self._first_event:
            return False
        if now - self._listed.at >= self._relist:
            return False
        return now - max(self._heard_at, self._listed.at) < self._silence

    @property
    def is_connected(self) -> bool:
        """Whether a stream was answered and has not ended."""
        return self._is_connected

    def items(self) -> tuple[Json, ...]:
        """Return the newest known entry of each application."""
        return tuple(told.item for told in self._told.values() if told.item is not None)

    def apply(self, event: Event, now: float) -> None:
        """Take an event in. An entry without a name is none of an application and must not come here."""
        self._moment += 1
        self._heard_at = now
        if self._first_event is None:
            self._first_event = self._moment
        self._take(_told(event.item, self._moment, now, is_deletion=event.is_deletion), event.item, now)

    def begin_list(self, now: float) -> ListBegun:
        """Note that a full list is asked for now."""
        self._moment += 1
        return ListBegun(moment=self._moment, at=now)

    def merge(self, begun: ListBegun, answer: ListAnswer) -> None:
        """Take in the list that was asked for at `begun`: it adds, renews and removes, save where newer is known."""
        forgets = begun.at - MEMORY.total_seconds()
        version = _number(answer.resource_version)
        known = {key: item for item in answer.items if (key := key_of(item)) is not None}
        lacked = self._lacked_before(version, forgets)
        for key, item in known.items():
            told = _told(item, begun.moment, begun.at)
            if key in self._told or told.version is None or told.version > lacked:
                self._take(told, item, begun.at)
        self._told = {
            key: told
            for key, told in self._told.items()
            if (told.at >= forgets if told.item is None else key in known or _outlasts(told, begun, version, forgets))
        }
        self._note_list(begun, version)

    def _take(self, told: _Told, item: Json, now: float) -> None:
        key = key_of(item)
        if key is None:
            return
        held = self._told.get(key)
        if held is None or told.outdoes(held, forgets=now - MEMORY.total_seconds()):
            self._told[key] = told
        elif told.version is not None and told.version == held.version:
            # The same once more. The entry that was there stays: the stream's also has the health of the resources,
            # which Argo CD 3 does not put into its lists.
            self._told[key] = replace(held, moment=max(held.moment, told.moment), at=max(held.at, told.at))

    def _lacked_before(self, version: int | None, forgets: float) -> int:
        """Return up to which version an unknown entry of a list is unknown because a newer list lacked it."""
        if version is None or self._newest is None or self._newest[1] < forgets or version >= self._newest[0]:
            return -1
        return self._newest[0]

    def _note_list(self, begun: ListBegun, version: int | None) -> None:
        self._listed = begun
        self.resume_from = "0" if version is None else str(version)
        if version is not None and self._lacked_before(version, begun.at - MEMORY.total_seconds()) < 0:
            self._newest = (version, begun.at)


def _outlasts(told: _Told, begun: ListBegun, version: int | None, forgets: float) -> bool:
    """Say whether an application is there although a list lacks it: it was told of since, or at a newer version."""
    if told.moment > begun.moment:
        return True
    return told.at >= forgets and version is not None and told.version is not None and told.version > version


def _told(item: Json, moment: int, at: float, *, is_deletion: bool = False) -> _Told:
    metadata = item.get("metadata")
    described: Mapping[str, object] = metadata if isinstance(metadata, dict) else {}
    uid, version = described.get("uid"), described.get("resourceVersion")
    return _Told(
        item=None if is_deletion else item,
        uid=uid if isinstance(uid, str) else "",
        version=_number(version),
        moment=moment,
        at=at,
    )


def _number(version: object) -> int | None:
    """Read a version; None for one that is no plain number, which can only be compared by when it came."""
    if isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 20:
        return int(version)
    return None
