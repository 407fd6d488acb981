"""The policy of a service is found by its name, as the bot would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.policy import PolicyError, shipped_gate_templates
from bot.policy.showing import Shown, find_policy, services_of

CHECKOUT = (Path(__file__).resolve().parents[2] / "policies" / "examples" / "checkout.yaml").read_text("utf-8")
TEMPLATES = shipped_gate_templates()


def found(folder: Path, service: str = "checkout") -> Shown | None:
    return find_policy(folder, service, TEMPLATES)


def test_the_file_that_describes_a_service_is_found_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CHECKOUT.replace("service: checkout", "service: checkout-2"))
    (tmp_path / "b.yaml").write_text(CHECKOUT)
    (tmp_path / "c.yaml").write_text(f"{CHECKOUT}# the second is not read\n")
    (tmp_path / "defaults.yaml").write_text("checkout")
    shown = found(tmp_path)
    assert shown is not None
    assert shown.policy.file == "b.yaml"
    assert shown.resolved.tree.file == "b.yaml"
    assert found(tmp_path, "check") is None


def test_a_file_that_is_no_yaml_and_may_describe_the_service_is_told_unless_another_does(tmp_path: Path) -> None:
    (tmp_path / "checkout.yaml").write_text("service: checkout: [")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    (tmp_path / "c.yaml").write_text("checkout")
    (tmp_path / "d.yaml").write_text("service: cart: [")
    with pytest.raises(PolicyError) as told:
        found(tmp_path)
    assert [(fault.file, fault.line) for fault in told.value.faults] == [("b.yaml", 0), ("checkout.yaml", 1)]
    (tmp_path / "z.yaml").write_text(CHECKOUT)
    shown = found(tmp_path)
    assert shown is not None
    assert shown.policy.file == "z.yaml"


def test_the_services_of_a_directory_are_those_that_its_readable_files_name(tmp_path: Path) -> None:
    for name, text in {"a": "service: shop", "b": "service: [", "c": "x: 1", "d": "service: cart"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "defaults.yaml").write_text("image: x")
    assert services_of(tmp_path) == ["cart", "shop"]


def test_a_broken_policy_is_told_unless_another_file_has_the_service(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CHECKOUT.replace("limit: 1%", "limit: x"))
    (tmp_path / "b.yaml").write_text(CHECKOUT.replace("limit: 1%", "limit: y"))
    with pytest.raises(PolicyError, match=r"a\.yaml:13:35"):
        found(tmp_path)
    (tmp_path / "c.yaml").write_text(CHECKOUT)
    shown = found(tmp_path)
    assert shown is not None
    assert shown.policy.file == "c.yaml"


def test_a_directory_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="expected a directory of policies"):
        found(tmp_path / "nowhere")
