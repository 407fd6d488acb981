"""Run checks at once, each for so long at most; what goes wrong in one is its own finding."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from datetime import timedelta

from bot.doctor.findings import Check, Finding, failed
from bot.ports import OutsideError
from bot.settings import SettingsError

DEADLINE = timedelta(seconds=20)


def run_checks(checks: Sequence[Check], deadline: timedelta = DEADLINE) -> list[Finding]:
    """Return the findings of all checks in their order. A check that does not end is left behind."""
    ends = time.monotonic() + deadline.total_seconds()
    running = [(check, _start(check)) for check in checks]
    return [finding for check, future in running for finding in _findings(check, future, ends, deadline)]


def _start(check: Check) -> Future[Sequence[Finding]]:
    future: Future[Sequence[Finding]] = Future()

    def work() -> None:
        try:
            future.set_result(check.look())
        except Exception as error:  # noqa: BLE001  (a bug in one check must not hide what the others found)
            future.set_exception(error)

    # Not a pool's: those threads are waited for when the command ends, and one that hangs would keep it alive.
    threading.Thread(target=work, name=f"doctor {check.name}", daemon=True).start()
    return future


def _findings(check: Check, future: Future[Sequence[Finding]], ends: float, deadline: timedelta) -> Sequence[Finding]:
    try:
        return future.result(timeout=max(0.0, ends - time.monotonic()))
    except OutsideError as error:
        return [check.unreachable(error)]
    except SettingsError as error:
        return [failed(check.name, str(error), "correct the settings, or give the bot's user the right to read it")]
    except NotInTime:
        found = f"did not end within {deadline.total_seconds():g} s"
        return [failed(check.name, found, check.remedy or "see whether the system can be reached from here")]
    except Exception as error:  # noqa: BLE001  (the same)
        found = f"could not be checked: {type(error).__name__}"
        return [failed(check.name, found, "this is a fault of Liftlock's: please report it")]
