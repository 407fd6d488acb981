"""The YAML files of a directory, read with care: no pipe is waited for, and no file is larger than a policy may be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.folders import Folder
from bot.policy.tree import MAX_BYTES

_TICK = 5_000_000_000
"""How long a file must have stood to be believed, in nanoseconds: more than the coarsest file system's tick."""


class Stamp(NamedTuple):
    """What the file system says of a file. Times are nanoseconds since 1970."""

    modified: int
    changed: int
    size: int
    inode: int
    device: int

    def is_settled(self, now: int) -> bool:
        """Say whether a file that is read from `now` on can change later only with another stamp.

        A file system knows ticks of up to two seconds: within one, a file can change again and keep its stamp.
        """
        # A file system that keeps no times has them all at nought.
        return 0 < self.changed < now - _TICK and self.modified < now - _TICK


def yaml_files(directory: Folder, *, expected: str) -> Sequence[str]:
    """Return the names of the YAML files directly in a directory, sorted; no hidden ones, and no `.test.yaml`.

    Raise PolicyError where the directory cannot be read; `expected` is what should have been there.
    """
    return list(stamped_files(directory, expected=expected))


def stamped_files(directory: Folder, *, expected: str) -> Mapping[str, Stamp | None]:
    """Return the same files in the same order with their stamps; None for one that has none, as a dangling link.

    Nor has a file that is on no disk.
    """
    if not isinstance(directory, Path):
        return dict.fromkeys(sorted(_held(directory, expected)))
    entries = _entries(directory, expected)
    return {entry.name: _stamp(entry) for entry in sorted(entries, key=lambda entry: entry.name)}


def _held(directory: Folder, expected: str) -> Iterable[str]:
    try:
        return [entry.name for entry in directory.iterdir() if is_yaml_name(entry.name) and not entry.is_dir()]
    except OSError as error:
        raise PolicyError([fault_of(str(directory), _why(error), expected)]) from error


def _entries(directory: Path, expected: str) -> Sequence[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as listed:
            return [entry for entry in listed if _is_yaml(entry)]
    except OSError as error:
        raise PolicyError([fault_of(str(directory), _why(error), expected)]) from error


def _is_yaml(entry: os.DirEntry[str]) -> bool:
    return is_yaml_name(entry.name) and not _is_folder(entry)


def is_yaml_name(name: str) -> bool:
    """Say whether a file of this name is read: a YAML file that is not hidden, and no test of a policy."""
    if name.startswith(".") or name.endswith((".test.yaml", ".test.yml")):
        return False
    return name.endswith((".yaml", ".yml"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that goes round. Reading it tells.
        return False


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    try:
        said = entry.stat()
    except OSError:
        return None
    return Stamp(said.st_mtime_ns, said.st_ctime_ns, said.st_size, said.st_ino, said.st_dev)


def read_text(path: Folder, *, file: str) -> str:
    """Return a file's text. Raise PolicyError, in the name of `file`, for one that is no text of at most 1 MiB."""
    try:
        if not path.is_file() and path.exists():
            # A named pipe would keep its reader, and with it every other service, waiting for ever.
            raise PolicyError([fault_of(file, "something that is no file", "a file that can be read")])
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise PolicyError([fault_of(file, "more than 1 MiB", "a file of at most 1 MiB")])
        # Line endings stay as they are: the version is the hash of the bytes.
        return content.decode("utf-8")
    except OSError as error:
        raise PolicyError([fault_of(file, _why(error), "a file that can be read")]) from error
    except UnicodeDecodeError as error:
        raise PolicyError([fault_of(file, "bytes that are no UTF-8", "UTF-8 text")]) from error


def fault_of(file: str, found: str, expected: str) -> PolicyFault:
    """Return a fault of a file as a whole."""
    return PolicyFault(file=file, line=0, column=0, path="", found=found, expected=expected)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
