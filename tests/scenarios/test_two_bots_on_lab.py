"""Two bots at the same moment in the bad story (I10): one promotion, one rollback, and nobody writes over the other.

What they do in a good story is in `test_github_trouble_on_lab.py`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.scenarios.playing import PAUSES, Play, a_play, end_of, expected_end


def settings_of_the_other(play: Play, *, shares_ledger: bool) -> Path:
    """Settings of a second bot: of the same account, in another directory, on the same ledger or one of its own."""
    text = play.settings.read_text(encoding="utf-8")
    text = text.replace(f'state = "{play.lab.directory}/state"', f'state = "{play.lab.directory}/other"')
    if shares_ledger:
        text += f'\n[ledger]\nurl = "sqlite:///{play.ledger}"\n'
    path = play.settings.with_name("other.toml")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.invariant("I10")
@pytest.mark.parametrize("shares_ledger", [False, True], ids=["each its own ledger", "one ledger"])
def test_two_bots_at_once_promote_once_and_take_back_once(shares_ledger: bool) -> None:
    with a_play("bad") as one, ThreadPoolExecutor(2) as pool:
        other = Play(lab=one.lab, clock=one.clock, settings=settings_of_the_other(one, shares_ledger=shares_ledger))
        # The ledger is made by one of them.
        assert one.sweeper is not None
        try:
            for pause in (*PAUSES, 3, 3):
                one.pass_time(pause)
                for sweep in [pool.submit(each.sweep) for each in (one, other)]:
                    sweep.result()
        finally:
            other.stop()
        assert one.errors == []
        assert other.errors == []
        end, expected = dict(end_of(one.lab)), dict(expected_end("bad"))
        # GitHub takes no deployment on a condition: each bot may tell of one.
        told, wanted = end.pop("deployments"), expected.pop("deployments")
        assert end == expected
        assert isinstance(told, dict)
        assert isinstance(wanted, dict)
        assert all(wanted[place] <= told[place] <= 2 * wanted[place] for place in wanted)
