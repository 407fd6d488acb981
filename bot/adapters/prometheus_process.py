"""Run a real Prometheus for the lab or for tests of policies, where there is one, and leave nothing of it behind.

The process has its own session, so that a Ctrl-C meant for us does not race with our own clean-up; on Linux the kernel
also kills it when we die without one (strictly: when the thread that started it ends, so start it from a thread that
lasts). Its data live in a temporary folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

_START_DEADLINE = timedelta(seconds=30)
_STOP_DEADLINE = timedelta(seconds=5)
_ATTEMPTS = 3
_LOG_LINES = 5
_PR_SET_PDEATHSIG = 1
_WRAPPER = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl({request}, signal.SIGKILL, 0, 0, 0)
if os.getppid() != {parent}:
    sys.exit("who started it ended before Prometheus did")
os.execv(sys.argv[1], sys.argv[1:])
"""


class PrometheusDidNotStart(Exception):
    """The process ended or was not ready in time; the text tells its last log lines."""


def find_prometheus() -> Path | None:
    """Return the Prometheus binary on the PATH, if there is one."""
    found = shutil.which("prometheus")
    return Path(found) if found else None


class PrometheusProcess:
    """A running Prometheus: a context manager that knows its `url`. Leaving it stops the process, whatever happened."""

    def __init__(
        self,
        binary: Path,
        *,
        targets: Sequence[str],
        scrape_interval: timedelta = timedelta(seconds=1),
        flags: Sequence[str] = ("--storage.tsdb.retention.time=1d",),
        start_deadline: timedelta = _START_DEADLINE,
        stop_deadline: timedelta = _STOP_DEADLINE,
    ) -> None:
        """Prepare to run `binary` and to scrape `/metrics` of `targets` (`host:port` or `http://host:port`).

        `flags` are those of its options that depend on what it is for.
        """
        self._binary = binary
        self._flags = tuple(flags)
        self._configuration = _configuration(targets, scrape_interval)
        self._deadline = start_deadline
        self._stop_deadline = stop_deadline
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process else None

    @property
    def directory(self) -> Path | None:
        """The temporary folder with configuration, data and log, while it exists."""
        return self._directory

    def _start(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="liftlock-prometheus-"))
        (self._directory / "prometheus.yml").write_text(self._configuration)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._launch(self._directory)
                self._wait_until_ready(self._directory)
            except PrometheusDidNotStart:
                # Between choosing a free port and binding it another process may take it; another port is tried.
                if attempt == _ATTEMPTS or "address already in use" not in _read(self._directory / "log"):
                    raise
                self._end_process()
            else:
                return

    def _launch(self, directory: Path) -> None:
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            str(self._binary),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
            *self._flags,
        ]
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*_dying_with_parent(), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=directory,
                start_new_session=True,
            )

    def _wait_until_ready(self, directory: Path) -> None:
        limit = time.monotonic() + self._deadline.total_seconds()
        while time.monotonic() < limit:
            if self._process is not None and self._process.poll() is not None:
                status = self._process.returncode
                raise PrometheusDidNotStart(f"{self._binary} ended with status {status}: {_last_lines(directory)}")
            if _is_ready(self.url):
                return
            time.sleep(0.05)
        seconds = self._deadline.total_seconds()
        raise PrometheusDidNotStart(f"{self._binary} was not ready within {seconds:g} s: {_last_lines(directory)}")

    def _stop(self) -> None:
        try:
            self._end_process()
        finally:
            if self._directory is not None:
                shutil.rmtree(self._directory, ignore_errors=True)
                self._directory = None

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.terminate()
            process.wait(timeout=self._stop_deadline.total_seconds())
        except BaseException as error:
            # A second Ctrl-C must not leave the process behind either.
            process.kill()
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise


def _configuration(targets: Sequence[str], scrape_interval: timedelta) -> str:
    """Return the configuration; JSON is YAML too, and quotes everything that needs it."""
    interval = f"{round(scrape_interval.total_seconds() * 1000)}ms"
    addresses = [target.removeprefix("http://").rstrip("/") for target in targets]
    job = {"job_name": "lab", "honor_labels": True, "static_configs": [{"targets": addresses}]}
    return json.dumps({"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": [job]})


def _dying_with_parent() -> list[str]:
    """Return a command prefix that has the kernel kill the process when this process dies; empty elsewhere."""
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "prctl"):
        return []
    return [sys.executable, "-I", "-S", "-c", _WRAPPER.format(request=_PR_SET_PDEATHSIG, parent=os.getpid())]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:  # noqa: S310 (our own http URL)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _last_lines(directory: Path) -> str:
    lines = _read(directory / "log").strip().splitlines()[-_LOG_LINES:]
    return " | ".join(lines) or "it wrote no log"


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.exists() else ""
