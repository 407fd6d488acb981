"""The floor's file while a bot runs: read anew at each look, and the last good one stays in force.

Without any good one no policy is accepted: a floor that could be taken away by breaking it would be none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.policy.faults import PolicyError
from bot.policy.files import fault_of, read_text
from bot.policy.floor.model import Floor
from bot.policy.floor.reading import parse_floor
from bot.policy.templates import GateTemplates


class FloorError(PolicyError):
    """A floor that cannot be used; `file` is its name."""

    def __init__(self, file: str, error: PolicyError, *, consequence: str) -> None:
        self.file = file
        super().__init__([])
        # What it means comes first, then why.
        self.faults = (fault_of(file, "a floor that cannot be used", consequence), *error.faults)
        self.args = ("\n".join(str(fault) for fault in self.faults),)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The floor by which policies are judged, and what is wrong with the file where it is that of before."""

    floor: Floor
    error: FloorError | None = None


@dataclass(slots=True, kw_only=True)
class FloorFile:
    """A floor's file; `templates` are the shipped ones. Not to be shared between threads."""

    path: Path
    templates: GateTemplates
    _text: str | None = field(default=None, init=False)
    _good: Floor | None = field(default=None, init=False)

    def read(self) -> InForce:
        """Return the floor in force. Raise FloorError where there is none and has not been one before."""
        file = str(self.path)
        try:
            text = read_text(self.path, file=file)
            if self._good is None or text != self._text:
                self._good, self._text = parse_floor(text, file=file, templates=self.templates), text
        except PolicyError as error:
            if self._good is None:
                consequence = "one without faults: no policy is accepted until there is one"
                raise FloorError(file, error, consequence=consequence) from error
            consequence = "one without faults: the last good one stays in force"
            return InForce(floor=self._good, error=FloorError(file, error, consequence=consequence))
        return InForce(floor=self._good)
