"""Work is spread over processes, its results stay in order, and what a process takes with it is done again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import pytest

from bot.policy.spreading import FEW, spread

MANY = list(range(FEW + 1))


def doubled(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


def with_process(numbers: Sequence[int]) -> list[tuple[int, int]]:
    return [(number, os.getpid()) for number in numbers]


def dying_elsewhere(numbers: Sequence[int], *, home: int) -> list[int]:
    if os.getpid() != home and 300 in numbers:
        os._exit(1)
    return doubled(numbers)


def refusing(numbers: Sequence[int]) -> list[int]:
    raise ValueError(len(numbers))


def test_few_things_and_one_process_stay_here() -> None:
    assert {process for _, process in spread(with_process, MANY, processes=1)} == {os.getpid()}
    assert {process for _, process in spread(with_process, MANY[:-1], processes=2)} == {os.getpid()}


def test_many_things_are_done_elsewhere_in_their_order() -> None:
    found = spread(with_process, MANY, processes=2)
    assert [number for number, _ in found] == MANY
    assert os.getpid() not in {process for _, process in found}


def test_what_a_process_that_dies_was_at_is_not_lost() -> None:
    assert spread(partial(dying_elsewhere, home=os.getpid()), MANY, processes=2) == doubled(MANY)


def test_an_error_of_the_work_is_raised() -> None:
    with pytest.raises(ValueError, match="250"):
        spread(refusing, MANY, processes=2)
