"""What `liftlock policy check --against` compares with: the policies of a directory, or of a revision of Git."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.adapters.git.old_versions import has_revision, yaml_files_at
from bot.cli.faults import refusal
from bot.domain.edit import visible
from bot.policy.directory import load_policies
from bot.policy.faults import PolicyError
from bot.policy.own_templates import FOLDER
from bot.policy.templates import shipped_gate_templates
from bot.policy.weakening import EarlierOf, Found
from bot.ports import OutsideError


def earlier_of(against: str) -> EarlierOf:
    """Return what gives the earlier policies of a directory.

    A revision comes before a directory of that name: who changes policies could add one, to be compared with itself.
    """
    if not against:
        raise refusal("--against: expected a revision or a directory, found nothing")
    directory = Path(against)

    def load(folder: Path) -> Found | None:
        try:
            if directory.is_dir() and not has_revision(against, folder):
                return load_policies(directory, shipped_gate_templates())
            return _at_revision(against, folder)
        except OutsideError as error:
            raise refusal(f"--against {visible(against)}: {error.sentence}") from None
        except PolicyError as error:
            raise refusal(f"--against {visible(against)}: {error}") from None

    return load


def _at_revision(revision: str, folder: Path) -> Found | None:
    files = yaml_files_at(revision, folder)
    if files is None:
        return None
    with TemporaryDirectory(prefix="liftlock-") as name:
        place = Path(name)
        _write(place, files)
        _write(place / FOLDER, yaml_files_at(revision, folder / FOLDER) or {})
        return load_policies(place, shipped_gate_templates())


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
