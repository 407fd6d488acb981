"""The texts of a checkout that may say what runs: YAML and JSON, within bounds. Links are not followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bot.ports import Permanent

MOST_FILES = 20_000
_MOST_BYTES = 1024 * 1024
_ENDS = (".yaml", ".yml", ".json")
_LEFT_OUT = frozenset({"node_modules", "vendor", "__pycache__"})


def is_wanted(path: str) -> bool:
    """Say whether a file's path may be one that says what runs."""
    *folders, name = path.split("/")
    hidden = any(part.startswith(".") or part in _LEFT_OUT for part in folders)
    return not hidden and (name.endswith(_ENDS) or name == "Kustomization")


def read_checkout(folder: Path) -> dict[str, str]:
    """Return the texts by path. Raise Permanent where there is no such folder, or it has too many files."""
    if not folder.is_dir():
        raise Permanent("checkout", f"{folder} is no folder")
    texts: dict[str, str] = {}
    for path in _paths(folder):
        text = _text(folder / path)
        if text is not None:
            texts[path] = text
        if len(texts) > MOST_FILES:
            raise Permanent("checkout", f"{folder} has more than {MOST_FILES:,} files of YAML and JSON")
    return texts


def _paths(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        above = Path(place).relative_to(folder).as_posix()
        paths = [name if above == "." else f"{above}/{name}" for name in sorted(names)]
        yield from (path for path in paths if is_wanted(path))
        folders[:] = sorted(name for name in folders if is_wanted(f"{name}/Kustomization"))


def _text(path: Path) -> str | None:
    """Return a file's text; None for what is no regular file, too large, or no text."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
