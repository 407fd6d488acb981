"""Serve a folder of repositories over HTTP from a process of its own, so that its time and memory are not the bot's.

As a program: prints the URL template, then for each line on its input the number of requests so far, until the end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.adapters.gitserver import GitServer, served_over_http


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = self._read_line()

    def requests(self) -> int:
        """Return how many HTTP requests were made so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._read_line())

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def served_apart(root: Path) -> Iterator[Served]:
    """Serve every repository below `root` until the block ends."""
    command = [sys.executable, "-m", "tests.bench.serving", str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def _serve(root: Path) -> None:
    # Whatever lies below the root is served; the server that is asked for it only names the root.
    with served_over_http(GitServer(root, "bench/unused")) as (url, faults):
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            sys.stdout.write(f"{len(faults.asked)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
