from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bot.domain.policy import Policy
from bot.policy import PolicyDirectory, PolicyError, load_policies, shipped_gate_templates
from bot.policy.tree import MAX_BYTES

TEMPLATES = shipped_gate_templates()
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "policies" / "examples"
GATES = ROOT / "policies" / "gates"
CHECKOUT = (EXAMPLES / "checkout.yaml").read_bytes()


def refusal(directory: Path, name: str) -> str:
    found = load_policies(directory, TEMPLATES)[name]
    assert isinstance(found, PolicyError)
    return str(found)


def test_every_example_is_a_policy() -> None:
    found = load_policies(EXAMPLES, TEMPLATES)
    assert set(found) == {file.name for file in EXAMPLES.iterdir() if ".test." not in file.name}
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


# --- read again and again --------------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_parsed_again(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(CHECKOUT)
    (tmp_path / "broken.yaml").write_text("service: [")
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES)
    first, second = policies.load(), policies.load()
    assert [first[name] is second[name] for name in ("a.yaml", "broken.yaml")] == [True, True]


def test_what_has_changed_is_parsed_again_however_it_came_to_be(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES)
    seen = []
    for content in (CHECKOUT, CHECKOUT.replace(b"service: checkout", b"service: cart"), b"service: [", CHECKOUT):
        file.write_bytes(content)
        # As a mounted volume does it: the time stays, and so does the size.
        os.utime(file, (1, 1))
        found = policies.load()["a.yaml"]
        seen.append(found.service if isinstance(found, Policy) else "an error")
    assert seen == ["checkout", "cart", "an error", "checkout"]
    file.unlink()
    assert policies.load() == {}


def test_a_policy_is_parsed_again_when_a_template_of_the_team_comes_or_changes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(CHECKOUT)
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES)
    before = policies.load()["a.yaml"]
    (tmp_path / "gates").mkdir()
    shipped = next(file for file in GATES.iterdir() if file.name == "http-errors.yaml").read_text(encoding="utf-8")
    (tmp_path / "gates" / "http-errors.yaml").write_text(shipped, encoding="utf-8")
    own = policies.load()["a.yaml"]
    (tmp_path / "gates" / "http-errors.yaml").write_text(f"{shipped}# ours\n", encoding="utf-8")
    changed = policies.load()["a.yaml"]
    versions = [found.version for found in (before, own, changed) if isinstance(found, Policy)]
    assert len(set(versions)) == 3
