"""Spread work on many things over processes; the results come in the order of the things, and none is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

FEW = 1_000
"""Up to how many things one process is sooner done with: another one takes most of a second to start."""
_PORTION = 250


def spread(work: Callable[[Sequence[T]], Sequence[R]], things: Sequence[T], *, processes: int) -> list[R]:
    """Return what `work` makes of all things, portion by portion; it must be one that can be pickled.

    What a process was at that dies is done again here. If it was the work that killed it, this dies as well, and
    nobody takes a part of the results for all of them.
    """
    if processes < 2 or len(things) <= FEW:
        return list(work(things))
    portions = [things[at : at + _PORTION] for at in range(0, len(things), _PORTION)]
    # Not forked: a caller may have threads.
    context = get_context("spawn")
    # An interrupt is for this process to answer.
    quiet = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=signal.signal, initargs=quiet) as pool:
        begun = [pool.submit(work, portion) for portion in portions]
        try:
            return [
                one for portion, future in zip(portions, begun, strict=True) for one in _result(future, work, portion)
            ]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _result(
    future: Future[Sequence[R]], work: Callable[[Sequence[T]], Sequence[R]], portion: Sequence[T]
) -> Sequence[R]:
    try:
        return future.result()
    except BrokenExecutor:
        return work(portion)
