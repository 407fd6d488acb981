"""What is measured, and how it is shown."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MEBIBYTE = 1024 * 1024


class Watch:
    """A stop watch whose laps add up by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Add the time that the block takes."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.laps[name] = self.laps.get(name, 0.0) + time.perf_counter() - begun

    @property
    def total(self) -> float:
        """The seconds of all laps."""
        return sum(self.laps.values())


@contextmanager
def counted_processes() -> Iterator[Counter[str]]:
    """Count the git processes that this process starts, by git command, however they are started.

    Git's own children (the HTTP transport, `index-pack`) are not seen. A hook cannot be removed, only put to sleep.
    """
    counted: Counter[str] = Counter()
    awake = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if awake and event == "subprocess.Popen":
            words = [str(word) for word in arguments[1]]
            if "git" in words:
                counted[_git_command(words[words.index("git") + 1 :])] += 1

    sys.addaudithook(hook)
    try:
        yield counted
    finally:
        awake = False


def _git_command(words: Sequence[str]) -> str:
    return next((word for word in words if not word.startswith("-")), "git")


def disk_bytes(folder: Path) -> int:
    """Return what a folder takes on the disk, as `du` counts it."""
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))


def peak_memory_bytes() -> int:
    """Return the most memory that this process held since its program was started.

    The kernel's `ru_maxrss` also counts what the process that started it had held, so it is not used.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def render_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render columns; the first is set to the left, the others to the right."""
    widths = [max(len(row[place]) for row in (header, *rows)) for place in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        return "  ".join((row[0].ljust(widths[0]), *cells)).rstrip()

    return "\n".join(("", title, line(header), "  ".join("-" * width for width in widths), *map(line, rows), ""))


def seconds(value: float) -> str:
    """Render a time."""
    return f"{value:.3f}"


def mebibytes(value: float) -> str:
    """Render a size."""
    return f"{value / MEBIBYTE:.1f}"


def ratio(value: float, base: float) -> str:
    """Render how many times `base` a value is."""
    return f"{value / base:.2f}"
