"""Which test files are meant by paths: test files, policies that have one beside them, and directories of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ENDINGS = (".test.yaml", ".test.yml")


class NoTests(ValueError):
    """There is no test where one was asked for; the text is a sentence for people."""


def test_files(places: Sequence[Path]) -> list[Path]:
    """Return the test files of some places, each once, those of a directory by name. Raise NoTests for an empty one."""
    found: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise NoTests(f"{place}: there is no such file or directory")
        found.update(dict.fromkeys(_in_directory(place) if place.is_dir() else [_of_file(place)]))
    return list(found)


def _in_directory(directory: Path) -> list[Path]:
    try:
        names = sorted(
            entry.name
            for entry in directory.iterdir()
            if entry.name.endswith(ENDINGS) and not entry.name.startswith(".") and not entry.is_dir()
        )
    except OSError as error:
        raise NoTests(f"{directory}: {error.strerror or type(error).__name__}") from error
    if not names:
        raise NoTests(f"{directory}: there is no test in it, which is a file such as checkout.test.yaml")
    return [directory / name for name in names]


def _of_file(path: Path) -> Path:
    if path.name.endswith(ENDINGS):
        return path
    stem = path.name.removesuffix(".yaml").removesuffix(".yml")
    beside = next((path.with_name(stem + end) for end in ENDINGS if path.with_name(stem + end).exists()), None)
    if beside is None:
        raise NoTests(f"{path}: there is no {stem}{ENDINGS[0]} beside it")
    return beside


def policy_beside(path: Path) -> Path:
    """Return the policy that a test file stands beside: the same name without `.test`."""
    stem = path.name.removesuffix(ENDINGS[0]).removesuffix(ENDINGS[1])
    usual, other = path.with_name(f"{stem}.yaml"), path.with_name(f"{stem}.yml")
    return other if other.exists() and not usual.exists() else usual
