"""The demo leaves nothing behind, however it ends. (Its stories are played with time under control in `scenarios`.)"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Who was started in the background by a shell without job control ignores SIGINT, and so do its children.
AS_FROM_A_TERMINAL = """\
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("bot", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_and_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", AS_FROM_A_TERMINAL, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            seen = ""
            while "is released to staging" not in seen:
                line = process.stdout.readline()
                assert line, seen
                seen += line
            assert list(tmp_path.iterdir())
            os.kill(process.pid, number)
            rest, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode not in (0, -signal.SIGKILL), rest
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
    assert processes_that_name(tmp_path) == []


def processes_that_name(folder: Path) -> list[str]:
    """Command lines that name a folder: a Prometheus that was left behind names its data directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if str(folder) in line]
