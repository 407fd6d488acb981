"""Which policy judged, and what is wrong with one, in plain words: from what the board keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.model import Sha
from bot.domain.policy import Origin
from bot.domain.text import one_line

_SHORT = 12


def policy_words(told: object) -> str:
    """Return the file and where it was read: a commit of the policies' repository, or else its version."""
    if not isinstance(told, Mapping) or "file" not in told:
        return ""
    file, version = one_line(str(told["file"]), limit=200), one_line(str(told.get("version", "")))
    if "repository" not in told:
        return f"policy {file}, version {version[:_SHORT]}"
    origin = Origin(repository=str(told["repository"]), commit=Sha(str(told.get("commit", ""))))
    return f"policy {file} at {one_line(origin.name)}"


def fault_lines(subject: str, told: Mapping[str, object]) -> list[str]:
    """Return a line for each fault of a policy that cannot be used, or for why a service could not be judged."""
    if "faults" not in told:
        return [f"{subject}: halted: {told['error']}"] if "error" in told else []
    faults = told["faults"] if isinstance(told["faults"], Sequence) else ()
    if not told.get("in_force"):
        return [f"{subject}: halted: {fault}" for fault in faults]
    how, in_force = (one_line(str(told.get(key)), limit=300) for key in ("how", "in_force"))
    return [f"{subject}: {how}: {fault}; in force is {in_force}" for fault in faults]
