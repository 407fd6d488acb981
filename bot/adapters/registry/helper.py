"""Ask one of Docker's credential helpers, a program `docker-credential-NAME`, for what a registry is to be told.

The helper gets the server's name on its standard input and nothing else; the environment is the bot's own, since cloud
helpers find their workload identity there. It has a deadline and a cap on its output. Nothing that it writes is put
into a message, and what it writes as an error is not even read, since either may hold a secret.

Source: the protocol of github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from bot.adapters.http import quote
from bot.adapters.registry.manifest import BadManifest, parse_object
from bot.adapters.registry.names import SYSTEM
from bot.ports import Permanent, Transient

DEADLINE = timedelta(seconds=10)
_MOST_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_NONE_KNOWN = b"credentials not found in native keychain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a helper told: a user and a secret."""

    user: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """How the program ended, and what it wrote by then."""

    code: int
    output: bytes
    is_late: bool = False
    is_long: bool = False


def ask_helper(name: str, server: str, *, deadline: timedelta = DEADLINE) -> Told | None:
    """Return what the helper has for a server; None where it has nothing.

    A helper that is late or fails is `Transient`, as its cloud may be; one that cannot be run at all is `Permanent`.
    """
    if not _NAME.match(name):
        raise Permanent(SYSTEM, f"{quote(name, longest=80)} is no name of a credential helper")
    program = f"docker-credential-{name}"
    ended = _run(program, server, deadline)
    if ended.is_late:
        seconds = deadline.total_seconds()
        raise Transient(SYSTEM, f"the credential helper {program} did not answer within {seconds:g} s for {server}")
    if ended.is_long:
        raise Permanent(SYSTEM, f"the credential helper {program} wrote more than {_MOST_BYTES} bytes for {server}")
    if ended.code != 0:
        if ended.output.strip() == _NONE_KNOWN:
            return None
        raise Transient(SYSTEM, f"the credential helper {program} failed for {server} (exit {ended.code})")
    return _parse(program, server, ended.output)


def _parse(program: str, server: str, output: bytes) -> Told:
    refused = Permanent(SYSTEM, f"the credential helper {program} wrote something that is no credential for {server}")
    try:
        value = parse_object(output)
    except BadManifest:
        # Not chained: the parser's own error holds the text.
        raise refused from None
    user, secret = value.get("Username"), value.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        raise refused
    return Told(user=user, secret=secret)


def _run(program: str, server: str, deadline: timedelta) -> _Ended:
    ends = time.monotonic() + deadline.total_seconds()
    try:
        process = subprocess.Popen(
            [program, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise Permanent(SYSTEM, f"the credential helper {program} cannot be run: {error.strerror}") from error
    with process:
        try:
            return _talk(process, server, ends)
        finally:
            # What the helper started itself would keep its pipe open; it has a process group of its own.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def _talk(process: subprocess.Popen[bytes], server: str, ends: float) -> _Ended:
    assert process.stdin is not None  # noqa: S101 - for the types: both are pipes
    assert process.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError):
        process.stdin.write(server.encode() + b"\n")
        process.stdin.flush()
    with suppress(BrokenPipeError):
        process.stdin.close()
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, ends - time.monotonic())):
            piece = os.read(process.stdout.fileno(), 4096)
            output += piece
            if len(output) > _MOST_BYTES:
                return _Ended(code=-1, output=b"", is_long=True)
            if not piece:
                return _wait(process, bytes(output), ends)
    return _Ended(code=-1, output=b"", is_late=True)


def _wait(process: subprocess.Popen[bytes], output: bytes, ends: float) -> _Ended:
    """A program may close its output and go on."""
    try:
        return _Ended(code=process.wait(max(0.05, ends - time.monotonic())), output=output)
    except subprocess.TimeoutExpired:
        return _Ended(code=-1, output=b"", is_late=True)
