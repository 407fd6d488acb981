"""Files in memory answer as those of a disk do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.policy.faults import PolicyError
from bot.policy.files import yaml_files
from bot.policy.folders import Folder, Held, HeldFolder

FILES = {"checkout.yaml": b"a", "HOLD": b"b", "gates/errors.yaml": b"c"}


def held(files: dict[str, bytes | str]) -> HeldFolder:
    kept = Held()
    kept.hold(files)
    return HeldFolder(held=kept, label="acme/policies")


def on_disk(folder: Path) -> Path:
    (folder / "gates").mkdir()
    for path, content in FILES.items():
        (folder / path).write_bytes(content)
    return folder


def facts(folder: Folder) -> dict[str, object]:
    """Ask a folder all that can be asked of it."""
    found: dict[str, object] = {"": sorted(one.name for one in folder.iterdir())}
    for name in ("checkout.yaml", "HOLD", "gates", "nothing"):
        one = folder / name
        found[name] = (one.name, one.exists(), one.is_dir(), one.is_file(), one.is_symlink(), content(one))
    found["gates/"] = [(one.name, content(one)) for one in (folder / "gates").iterdir()]
    return found


def content(one: Folder) -> object:
    try:
        with one.open("rb") as opened:
            return opened.read()
    except OSError as error:
        return type(error)


def test_a_held_folder_answers_as_one_on_the_disk_does(tmp_path: Path) -> None:
    disk = facts(on_disk(tmp_path))
    memory = facts(held(dict(FILES)))
    assert {key: value for key, value in memory.items() if key != "gates"} == {
        key: value for key, value in disk.items() if key != "gates"
    }
    assert memory["gates"] == ("gates", True, True, False, False, NotADirectoryError)


def test_what_is_not_to_be_read_says_why() -> None:
    link = held({"a.yaml": "a symbolic link"}) / "a.yaml"
    assert (link.exists(), link.is_file(), link.is_dir()) == (True, True, False)
    with pytest.raises(OSError, match="a symbolic link"):
        link.open("rb")
    with pytest.raises(OSError, match="a symbolic link"):
        link.iterdir()


def test_a_held_folder_names_whose_it_is() -> None:
    folder = held({})
    assert (str(folder), str(folder / "gates" / "a.yaml")) == ("acme/policies", "acme/policies/gates/a.yaml")


def test_a_held_folder_that_cannot_be_listed_is_said_with_what_was_expected() -> None:
    link = held({"policies": "a symbolic link"}) / "policies"
    with pytest.raises(PolicyError, match=r"policies: found .*a symbolic link.*, expected a directory of policies"):
        yaml_files(link, expected="a directory of policies")
