from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from bot.domain.policy import Policy
from bot.policy import PolicyDirectory, PolicyError, directory, load_policies, shipped_gate_templates
from bot.policy.files import Stamp, read_text
from bot.policy.tree import MAX_BYTES

TEMPLATES = shipped_gate_templates()
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "policies" / "examples"
GATES = ROOT / "policies" / "gates"
CHECKOUT = (EXAMPLES / "checkout.yaml").read_bytes()


def refusal(folder: Path, name: str) -> str:
    found = load_policies(folder, TEMPLATES)[name]
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


# --- stamps ----------------------------------------------------------------------------------------------------------

AN_HOUR = 3_600 * 10**9


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which policies are opened."""
    opened: list[str] = []

    def noted(path: Path, *, file: str) -> str:
        opened.append(file)
        return read_text(path, file=file)

    monkeypatch.setattr(directory, "read_text", noted)
    return opened


def an_hour_later() -> int:
    return time.time_ns() + AN_HOUR


def test_a_file_with_an_old_stamp_is_not_opened_again_before_it_changes(tmp_path: Path, reads: list[str]) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes(CHECKOUT)
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES, now=an_hour_later)
    first, second = policies.load(), policies.load()
    assert reads == ["a.yaml", "b.yaml"]
    assert first["a.yaml"] is second["a.yaml"]
    (tmp_path / "a.yaml").write_bytes(CHECKOUT.replace(b"service: checkout", b"service: cart"))
    changed = policies.load()["a.yaml"]
    assert reads == ["a.yaml", "b.yaml", "a.yaml"]
    assert isinstance(changed, Policy)
    assert changed.service == "cart"


def test_a_file_that_was_young_when_it_was_read_is_opened_again(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "a.yaml").write_bytes(CHECKOUT)
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES)
    policies.load()
    policies.load()
    assert reads == ["a.yaml", "a.yaml"]


def test_a_file_that_becomes_old_is_opened_once_more_and_then_believed(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "a.yaml").write_bytes(CHECKOUT)
    clock = iter([time.time_ns(), an_hour_later(), an_hour_later()])
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES, now=lambda: next(clock))
    first, _, third = policies.load(), policies.load(), policies.load()
    assert reads == ["a.yaml", "a.yaml"]
    assert first["a.yaml"] is third["a.yaml"]


def test_a_file_that_was_put_in_the_place_of_another_is_opened(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "a.yaml").write_bytes(CHECKOUT)
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES, now=an_hour_later)
    policies.load()
    (tmp_path / "new").write_bytes(CHECKOUT.replace(b"limit: 1%", b"limit: 2%"))
    stamp = (tmp_path / "a.yaml").stat()
    os.utime(tmp_path / "new", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (tmp_path / "new").replace(tmp_path / "a.yaml")
    changed = policies.load()["a.yaml"]
    assert reads == ["a.yaml", "a.yaml"]
    assert isinstance(changed, Policy)
    assert changed.version == hashlib.sha256((tmp_path / "a.yaml").read_bytes()).hexdigest()


def test_a_stamp_without_times_or_with_one_of_tomorrow_is_never_believed() -> None:
    stamp = Stamp(modified=10**18, changed=10**18, size=1, inode=1, device=1)
    assert stamp.is_settled(10**18 + AN_HOUR)
    assert not stamp.is_settled(10**18 + 10**9)
    assert not stamp._replace(modified=10**18 + 2 * AN_HOUR).is_settled(10**18 + AN_HOUR)
    assert not stamp._replace(modified=0, changed=0).is_settled(10**18)


def test_a_link_that_goes_round_is_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "a.yaml")
    assert refusal(tmp_path, "a.yaml").endswith("expected a file that can be read")


# --- defaults --------------------------------------------------------------------------------------------------------

EXTENDING = CHECKOUT.replace(b"gitops: {repository: acme/deploy, branch: main}", b"extends: defaults.yaml")
DEFAULTS = "apiVersion: liftlock.dev/v1\ngitops: {repository: acme/deploy}\n"


def test_defaults_are_no_policy_and_are_inherited_by_those_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text(DEFAULTS)
    (tmp_path / "a.yaml").write_bytes(EXTENDING)
    found = load_policies(tmp_path, TEMPLATES)
    assert set(found) == {"a.yaml"}
    assert isinstance(found["a.yaml"], Policy)


def test_broken_defaults_stop_those_that_extend_them_only(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text("stage: [")
    (tmp_path / "a.yaml").write_bytes(EXTENDING)
    (tmp_path / "b.yaml").write_bytes(CHECKOUT)
    found = load_policies(tmp_path, TEMPLATES)
    assert isinstance(found["b.yaml"], Policy)
    assert refusal(tmp_path, "a.yaml").startswith("defaults.yaml:1:9: found invalid YAML")


@pytest.mark.parametrize("key", [b"extends", rb'"exten\x64s"', rb'"\u0065xtends"'])
def test_changed_defaults_count_however_a_policy_spells_that_it_extends_them(tmp_path: Path, key: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(EXTENDING.replace(b"extends", key))
    (tmp_path / "defaults.yaml").write_text(DEFAULTS)
    directory = PolicyDirectory(path=tmp_path, templates=TEMPLATES)
    assert isinstance(directory.load()["a.yaml"], Policy)
    (tmp_path / "defaults.yaml").write_text("stage: [")
    assert isinstance(directory.load()["a.yaml"], PolicyError)


def test_changed_defaults_are_inherited_anew_and_touch_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(EXTENDING)
    (tmp_path / "b.yaml").write_bytes(CHECKOUT.replace(b"service: checkout", b"service: cart"))
    policies = PolicyDirectory(path=tmp_path, templates=TEMPLATES, now=an_hour_later)
    seen = []
    for content in (None, DEFAULTS, DEFAULTS, "[", "[[", f"{DEFAULTS}# more\n"):
        if content is not None:
            (tmp_path / "defaults.yaml").write_text(content)
        seen.append(policies.load())
    own = [one["a.yaml"] for one in seen]
    assert [type(one) for one in own] == [PolicyError, Policy, Policy, PolicyError, PolicyError, Policy]
    assert own[1] is own[2]
    assert len({one.version for one in own if isinstance(one, Policy)}) == 2
    assert len({id(one["b.yaml"]) for one in seen}) == 1
