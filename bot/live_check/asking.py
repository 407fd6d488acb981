"""Look at all policies side by side, within bounds, and say what could not be asked as just that."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from contextlib import ExitStack
from datetime import timedelta

from bot.adapters.prometheus_series import SeriesReader
from bot.doctor import Patient
from bot.domain.text import count_of, format_duration
from bot.live_check import applications, artifacts, gitops, queries, releases, traffic
from bot.live_check.reach import Reach, say_why
from bot.live_check.subject import Look, Subject, World
from bot.policy.checking import KeptPolicy
from bot.policy.findings import Finding
from bot.policy.places import value_at
from bot.ports import OutsideError
from bot.sampling import Force, as_it_is
from bot.settings import SettingsError

_AT_ONCE = 8
WITHIN = timedelta(minutes=5)
"""How long all of it may take: what was not asked by then is told as such."""

_Silence = tuple[Subject, str, str]
"""Whom a question was about, the path that it would have been told at, and why there was no answer."""


def check_live(
    patient: Patient, policies: Sequence[KeptPolicy], *, force: Force = as_it_is, within: timedelta = WITHIN
) -> tuple[Finding, ...]:
    """Return what the servers say of policies without faults, by file and line. Nothing is written anywhere.

    `force` is what queries become before they are sent, by the settings.
    """
    with ExitStack() as stack:
        series = {
            name: stack.enter_context(
                SeriesReader(endpoint, patient.access[name], at_once=patient.settings.sources[name].at_once)
            )
            for name, endpoint in patient.prometheus.items()
        }
        world = World(patient=patient, series=series, reach=Reach(), force=force)
        looks = [look for read in policies for look in _looks(world, Subject(read=read))]
        return look_at(looks, within)


def look_at(looks: Sequence[Look], within: timedelta) -> tuple[Finding, ...]:
    """Return what looks come to, and what of them gave no answer by then, sorted."""
    found, silences = _run(looks, within)
    return tuple(sorted({*found, *_unasked(silences)}))


def _looks(world: World, subject: Subject) -> Iterator[Look]:
    for part in (gitops, applications, queries, traffic, releases, artifacts):
        yield from part.looks(world, subject)


def _run(looks: Sequence[Look], within: timedelta) -> tuple[list[Finding], list[_Silence]]:
    ends = time.monotonic() + within.total_seconds()
    found: list[Finding] = []
    silences: list[_Silence] = []
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="live check")
    try:
        running = [(look, pool.submit(_answer, look)) for look in looks]
        for look, future in running:
            heard = _heard(future, ends, within)
            if isinstance(heard, str):
                silences.append((look.subject, look.path, heard))
            else:
                found += heard
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return found, silences


def _answer(look: Look) -> list[Finding]:
    return list(look.ask())


def _heard(future: Future[list[Finding]], ends: float, within: timedelta) -> Sequence[Finding] | str:
    """Return the findings of a look, or why there are none."""
    try:
        return future.result(timeout=max(0.0, ends - time.monotonic()))
    except OutsideError as error:
        return say_why(error)
    except SettingsError as error:
        return str(error)
    except NotInTime:
        return f"not within the {format_duration(within)} that all questions may take together"
    except Exception as error:  # noqa: BLE001 - a bug in one look must not hide what the others found
        return f"{type(error).__name__}, which is a fault of Liftlock's: please report it"


def _unasked(silences: Sequence[_Silence]) -> Iterator[Finding]:
    """Tell each silence once for a file, at the first value that it concerns: it says nothing about the policy."""
    groups: dict[tuple[str, str], list[_Silence]] = {}
    for silence in silences:
        groups.setdefault((silence[0].read.file, silence[2]), []).append(silence)
    for (_, why), group in groups.items():
        subject, path, _ = min(group, key=_place)
        expected = f"one: {count_of(len(group), 'question')} about this policy stayed open"
        yield subject.unasked(path, f"no answer: {why}", expected)


def _place(silence: _Silence) -> tuple[int, int]:
    value = value_at(silence[0].read.tree, silence[1])
    return value.line, value.column
