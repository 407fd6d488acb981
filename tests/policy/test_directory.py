from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bot.domain.policy import Policy
from bot.policy import PolicyError, load_policies, shipped_gate_templates
from bot.policy.tree import MAX_BYTES

TEMPLATES = shipped_gate_templates()
EXAMPLES = Path(__file__).resolve().parents[2] / "policies" / "examples"
CHECKOUT = (EXAMPLES / "checkout.yaml").read_bytes()


def refusal(directory: Path, name: str) -> str:
    found = load_policies(directory, TEMPLATES)[name]
    assert isinstance(found, PolicyError)
    return str(found)


def test_every_example_is_a_policy() -> None:
    found = load_policies(EXAMPLES, TEMPLATES)
    assert set(found) == {file.name for file in EXAMPLES.iterdir()}
    assert all(isinstance(item, Policy) for item in found.values())


def test_a_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("service: [")
    (tmp_path / "b.yml").write_bytes(CHECKOUT)
    found = load_policies(tmp_path, TEMPLATES)
    assert isinstance(found["a.yaml"], PolicyError)
    assert isinstance(found["b.yml"], Policy)


def test_other_files_are_left_out(tmp_path: Path) -> None:
    for name in ("a.test.yaml", "a.test.yml", ".a.yaml", "a.yaml.orig", "README.md"):
        (tmp_path / name).write_text("service: [")
    (tmp_path / "sub.yaml").mkdir()
    (tmp_path / "sub.yaml" / "a.yaml").write_bytes(CHECKOUT)
    assert load_policies(tmp_path, TEMPLATES) == {}


def test_a_service_belongs_to_the_first_file_that_describes_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(CHECKOUT)
    (tmp_path / "b.yaml").write_bytes(CHECKOUT)
    assert isinstance(load_policies(tmp_path, TEMPLATES)["a.yaml"], Policy)
    assert refusal(tmp_path, "b.yaml") == (
        "b.yaml: found the service checkout, which a.yaml describes, expected a service of its own"
    )


def test_line_endings_count_in_the_version(tmp_path: Path) -> None:
    content = CHECKOUT.replace(b"\n", b"\r\n")
    (tmp_path / "a.yaml").write_bytes(content)
    found = load_policies(tmp_path, TEMPLATES)["a.yaml"]
    assert isinstance(found, Policy)
    assert found.version == hashlib.sha256(content).hexdigest()


def test_bytes_that_are_no_utf8_are_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"service: \xff")
    assert refusal(tmp_path, "a.yaml") == "a.yaml: found bytes that are no UTF-8, expected UTF-8 text"


def test_a_file_that_cannot_be_read_is_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere.yaml")
    assert refusal(tmp_path, "a.yaml") == "a.yaml: found No such file or directory, expected a file that can be read"


def test_a_named_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert refusal(tmp_path, "a.yaml") == "a.yaml: found something that is no file, expected a file that can be read"


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert refusal(tmp_path, "a.yaml") == "a.yaml: found more than 1 MiB, expected a file of at most 1 MiB"


def test_a_missing_directory_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="found No such file or directory, expected a directory of policies"):
        load_policies(tmp_path / "nowhere", TEMPLATES)
