"""Run one git process to its end, or to its deadline; then it and all its children are killed.

GitPython's command layer starts the process with a fixed argument list and without a shell. Its own
`kill_after_timeout` finds children by asking `pgrep` or `ps`, and so needs these programs and misses a child that is
started meanwhile; here each process leads a group of its own, and the group is killed. No `Repo` object is ever made:
each keeps two processes and six file handles.

The environment is built anew: nothing of the bot's own environment reaches git but what `_KEPT` names, so that neither
the bot's secrets nor a stray `GIT_DIR`, `GIT_CONFIG_PARAMETERS` or `GIT_EXEC_PATH` does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from git.cmd import Git

_KEPT = frozenset(
    {"PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "SSL_CERT_DIR", "SSL_CERT_FILE"}
    | {name for pair in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (pair, pair.upper())}
)
_FIXED = {
    "GIT_ALLOW_PROTOCOL": "http:https:file",
    "GIT_ASKPASS": "",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "SSH_ASKPASS": "",
    "TZ": "UTC",
}
_CONFIG = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("http.followRedirects", "false"),
    ("i18n.commitEncoding", "UTF-8"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.showSignature", "false"),
    ("protocol.version", "2"),
    ("push.followTags", "false"),
)


class HungGit(Exception):
    """The process did not end before its deadline and was killed with its children."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One git command. `config` and `env` reach it by its environment only, for they may hold credentials."""

    arguments: Sequence[str]
    deadline: timedelta
    stdin: bytes = b""
    config: Sequence[tuple[str, str]] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a process ended and what it wrote."""

    status: int
    out: bytes
    err: str


def run_git(directory: Path, run: Run) -> Outcome:
    """Run git on the bare repository `directory`; raise `HungGit` when the deadline passes."""
    environment = _environment(directory, run)
    kept = _KEPT | environment.keys()
    # GitPython can only add to the environment; `env` takes away before it becomes git.
    dropped = [flag for name in sorted(os.environ) if name not in kept for flag in ("-u", name)]
    process: Any = Git(directory).execute(
        ["env", *dropped, "git", *run.arguments],
        istream=subprocess.PIPE,
        as_process=True,
        env=environment,
        start_new_session=True,
    )
    return _finish(process.proc, run)


def _environment(directory: Path, run: Run) -> dict[str, str]:
    config = (*_CONFIG, *run.config)
    pairs = {f"GIT_CONFIG_KEY_{place}": key for place, (key, _) in enumerate(config)}
    pairs |= {f"GIT_CONFIG_VALUE_{place}": value for place, (_, value) in enumerate(config)}
    # HOME is set because libcurl looks for a .netrc in it, and in the user's real one where it is not set.
    place = {"GIT_DIR": str(directory), "HOME": str(directory), "GIT_CONFIG_COUNT": str(len(config))}
    return _FIXED | place | pairs | dict(run.env)


def _finish(process: subprocess.Popen[bytes], run: Run) -> Outcome:
    try:
        out, err = process.communicate(run.stdin, timeout=run.deadline.total_seconds())
    except subprocess.TimeoutExpired as error:
        raise HungGit from error
    finally:
        _end(process)
    return Outcome(status=process.returncode, out=out, err=err.decode("utf-8", "replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        # The leader is not reaped yet, so its id cannot have been given to another group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
