"""What the weather says of a release: whether it has proven itself in staging, and whether it failed in production.

Bounds of what the bot may do are drawn wide, and bounds of what it must do narrow: between them lies its judgement.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.tiles import align_up
from tests.builders import MINUTE
from tests.properties.chronicle import Arrival
from tests.properties.living_fakes import Illness, Weather
from tests.properties.living_world import DEGRADED_FOR, LIMIT, SPELL_GAP, WARMUP, WATCH, WINDOW, LivingWorld

BUSY, VERY_BAD = 200.0, 0.3
"""The traffic of a good day, and a share of failures that leaves no doubt."""


# --- whether a release has proven itself -----------------------------------------------------------------------------


def unproven(world: LivingWorld, tag: str, overridden: set[str]) -> list[str]:
    """Return why a release has not proven itself in staging; nothing if it has (I1, I5)."""
    runs, since = world.deployments.running["staging"]
    if tag != world.tag("staging") or runs != tag:
        return [f"I1: {tag} does not run in staging"]
    ended = [one.until for one in world.deployments.illnesses if one.stage == "staging" and one.since <= since]
    since = max([since, *(until for until in ended if until is not None)])
    found = [] if "argocd-healthy" in overridden else _ill(world, WINDOW)
    if "staging" in world.deployments.ill:
        found.append("I1: staging is Degraded")
    if "http-errors" not in overridden:
        found += _unmeasured(world, since)
    return found


def _ill(world: LivingWorld, lasting: timedelta) -> list[str]:
    now = world.clock.now()
    return [
        f"I1: staging was Degraded at {one.since:%H:%M:%S}"
        for one in world.deployments.illnesses
        if one.stage == "staging" and (one.until or now) > now - lasting and _matters(one, now)
    ]


def _matters(illness: Illness, now: datetime) -> bool:
    """Say whether the bot could know: it was told, or nobody looked for longer than counts as looking all the time."""
    return illness.was_seen or (illness.until or now) - illness.since > SPELL_GAP


def _unmeasured(world: LivingWorld, since: datetime) -> list[str]:
    metrics = world.metrics
    tiles = _tiles(since + WARMUP, metrics.newest_tile_end())
    if len(tiles) < WINDOW // MINUTE:
        return [f"I1: only {len(tiles)} minutes were measured"]
    # Where it was live before an illness, and nobody could tell the bot, it need not look further back than that.
    ended = [one.until for one in world.deployments.illnesses if one.stage == "staging" and one.until is not None]
    unread = [at for at in tiles if not metrics.was_read("staging", at) and not any(at < end + WARMUP for end in ended)]
    if unread:
        return [f"I5: never measured: {unread[0]:%H:%M} and {len(unread) - 1} more"]
    weathers = [metrics.weather("staging", at) for at in tiles]
    newest = weathers[-(WINDOW // MINUTE) :]
    found = []
    if sum(not one.is_scraped for one in newest) > len(newest) * 0.2:
        found.append("I5: there was no data")
    total = sum(one.per_minute for one in weathers if one.is_scraped)
    bad = sum(one.per_minute * one.bad_share for one in weathers if one.is_scraped)
    if total < 3 / LIMIT:
        found.append(f"I5: {total} requests prove nothing")
    if bad >= LIMIT * total:
        found.append(f"I1: {bad} of {total} were bad")
    return found


def is_beyond_doubt(world: LivingWorld, tag: str) -> bool:
    """Say whether a release did so well in staging, and for so long, that nothing is left to ask."""
    runs, since = world.deployments.running["staging"]
    if tag != world.tag("staging") or runs != tag or _was_ever_ill(world, "staging", since):
        return False
    tiles = _tiles(since, world.metrics.newest_tile_end())
    weathers = [world.metrics.weather("staging", at) for at in tiles]
    newest = weathers[-2 * (WINDOW // MINUTE) :]
    is_whole = len(newest) == 2 * (WINDOW // MINUTE) and all(
        one.is_scraped and one.per_minute >= BUSY for one in newest
    )
    return is_whole and not any(one.bad_share for one in weathers)


def _was_ever_ill(world: LivingWorld, stage: str, since: datetime) -> bool:
    illnesses = world.deployments.illnesses
    return any(one.stage == stage and (one.until is None or one.until >= since) for one in illnesses)


# --- whether there was a reason to take it back ----------------------------------------------------------------------


def was_bad(world: LivingWorld, came: Arrival) -> bool:
    """Say whether anything was ever measured to be wrong in production since a release came."""
    metrics = world.metrics
    tiles = _tiles(came.at - MINUTE, metrics.newest_tile_end())
    weathers = [metrics.weather("production", at) for at in tiles if metrics.was_read("production", at)]
    return sum(one.bad_share > 0 and one.is_scraped and one.per_minute > 0 for one in weathers) >= 2


def was_ill(world: LivingWorld, came: Arrival) -> bool:
    """Say whether the bot has seen production Degraded for as long as the trigger asks for."""
    now = world.clock.now()
    runs, _ = world.deployments.running["production"]
    return runs == came.tag and any(
        one.stage == "production" and one.until is None and one.was_seen and one.since <= now - DEGRADED_FOR
        for one in world.deployments.illnesses
    )


def is_bad_beyond_doubt(world: LivingWorld, came: Arrival) -> bool:
    """Say whether a release has failed in production from its first minute on, for long, and is watched still."""
    now = world.clock.now()
    runs, since = world.deployments.running["production"]
    if (
        runs != came.tag
        or since < came.at
        or now >= since + WATCH - MINUTE
        or _was_ever_ill(world, "production", since)
    ):
        return False
    weathers = [world.metrics.weather("production", at) for at in _tiles(since, world.metrics.newest_tile_end())]
    return len(weathers) >= 5 and all(_is_very_bad(one) for one in weathers)


def _is_very_bad(weather: Weather) -> bool:
    return weather.is_scraped and weather.per_minute >= BUSY and weather.bad_share >= VERY_BAD


def _tiles(since: datetime, until: datetime) -> list[datetime]:
    start = align_up(since, MINUTE)
    return [start + number * MINUTE for number in range(max(0, (until - start) // MINUTE))]
