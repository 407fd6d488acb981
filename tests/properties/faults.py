"""Faults of any port, and the death of the process at a write: what stands between the bot and its fakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, cast

from bot.ports import Transient

T = TypeVar("T")

WRITES = frozenset(
    {
        *("push", "commit_file", "ask_refresh", "start_sync"),
        *("open_promotion", "edit_promotion", "mark_ready", "withdraw", "delete_branch", "merge_promotion", "disarm"),
        *("write_comment", "react", "set_check", "set_status", "set_deployment"),
        *("record", "keep_numbers", "note", "post", "remove", "saw_health", "saw_members", "mark"),
    }
)
"""The methods of the ports that change anything."""


class Killed(BaseException):
    """The process dies here; nothing of it goes on."""


class Mode(StrEnum):
    """How a port fails: nothing is answered, or a write takes effect and its answer is lost."""

    DOWN = "down"
    UNCLEAR = "unclear"


@dataclass
class Faults:
    """Which ports fail now, and before or after which of the writes to come the process is killed."""

    modes: dict[str, Mode] = field(default_factory=dict)
    writes_left: int | None = None
    dies_after: bool = False

    def die_at_write(self, number: int, *, after: bool) -> None:
        """Let the process die at a write from now on, the first being 1."""
        self.writes_left, self.dies_after = number, after

    def lift(self) -> None:
        """Let everything work."""
        self.modes.clear()
        self.writes_left = None

    @property
    def any(self) -> bool:
        """Whether anything fails, or is to die."""
        return bool(self.modes) or self.writes_left is not None

    def between(self, port: T, name: str) -> T:
        """Return the port, with these faults between it and whoever calls it."""
        return cast("T", _Failing(port, name, self))

    def call(self, name: str, method: str, act: Callable[[], Any]) -> Any:
        """Call a method of a port, or fail as is due."""
        mode = self.modes.get(name)
        if mode is Mode.DOWN:
            raise Transient(name, "connection refused")
        if method not in WRITES:
            return act()
        if self._dies():
            if self.dies_after:
                act()
            raise Killed
        answer = act()
        if mode is Mode.UNCLEAR:
            raise Transient(name, "the answer was lost")
        return answer

    def _dies(self) -> bool:
        if self.writes_left is None:
            return False
        self.writes_left -= 1
        if self.writes_left > 0:
            return False
        self.writes_left = None
        return True


class _Failing:
    """A port behind faults."""

    def __init__(self, port: object, name: str, faults: Faults) -> None:
        self._port, self._name, self._faults = port, name, faults

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)

        def called(*args: Any, **kwargs: Any) -> Any:
            return self._faults.call(self._name, method, lambda: found(*args, **kwargs))

        return called
