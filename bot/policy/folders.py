"""The files of a policy directory, wherever they are: on this machine's disk, or held in memory as a commit has them.

`Folder` is as much of `pathlib.Path` as reading policies takes, so that a path is one. `HeldFolder` is the other kind:
it never touches a disk, follows no link, and every file of it is of one and the same instant.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Literal, Protocol, Self


class Folder(Protocol):
    """A folder, or a file in one."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        ...

    def __truediv__(self, name: str, /) -> Self:
        """Return what has that name in this folder, whether there is such a thing or not."""
        ...

    def iterdir(self) -> Iterable[Self]:
        """Return all that is in the folder. Raise OSError where it is none."""
        ...

    def exists(self) -> bool:
        """Say whether there is such a thing."""
        ...

    def is_dir(self) -> bool:
        """Say whether it is a folder."""
        ...

    def is_file(self) -> bool:
        """Say whether it is a file that can be read."""
        ...

    def is_symlink(self) -> bool:
        """Say whether it is a link to something else."""
        ...

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Open the file for reading. Raise OSError where it cannot be."""
        ...


@dataclass(slots=True, kw_only=True)
class Held:
    """Files in memory, by path: their bytes, or in words why they are not to be read. They may be exchanged as one."""

    files: Mapping[str, bytes | str] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()

    def hold(self, files: Mapping[str, bytes | str]) -> None:
        """Put other files in the place of all."""
        self.files = files
        self.folders = frozenset(path.rpartition("/")[0] for path in files if "/" in path)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFolder:
    """A place among files in memory: a folder of them at most one deep, or a file. `label` says whose they are."""

    held: Held
    label: str
    at: str = ""

    def __str__(self) -> str:
        """Return the label and the path."""
        return f"{self.label}/{self.at}" if self.at else self.label

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.at.rpartition("/")[2]

    def __truediv__(self, name: str, /) -> Self:
        """Return what has that name in this folder."""
        return type(self)(held=self.held, label=self.label, at=f"{self.at}/{name}" if self.at else name)

    def iterdir(self) -> Iterable[Self]:
        """Return all files and folders in the folder."""
        if not self.is_dir():
            raise self._refusal()
        within = f"{self.at}/" if self.at else ""
        paths = [*self.held.files, *self.held.folders]
        names = [path.removeprefix(within) for path in paths if path.startswith(within)]
        return [self / name for name in names if "/" not in name]

    def exists(self) -> bool:
        """Say whether there is such a thing."""
        return self.is_dir() or self.at in self.held.files

    def is_dir(self) -> bool:
        """Say whether it is a folder."""
        return self.at == "" or self.at in self.held.folders

    def is_file(self) -> bool:
        """Say whether it is a file; also one that is not to be read, so that opening it says why."""
        return self.at in self.held.files

    def is_symlink(self) -> bool:
        """Say no: what stands for a link is a file that is not to be read."""
        return False

    def open(self, mode: Literal["rb"]) -> IO[bytes]:  # noqa: ARG002  (there is no other)
        """Open the file for reading. Raise OSError with the reason where there is none, or it is not to be read."""
        content = self.held.files.get(self.at)
        if isinstance(content, bytes):
            return io.BytesIO(content)
        raise self._refusal()

    def _refusal(self) -> OSError:
        word = self.held.files.get(self.at)
        if isinstance(word, str):
            return OSError(errno.ELOOP, word)
        missing = word is None and self.at not in self.held.folders
        return OSError(errno.ENOENT, "No such file or directory") if missing else OSError(errno.ENOTDIR, "another kind")
