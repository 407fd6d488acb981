"""The Kubernetes example keeps the promises of the image: no root, nothing writable but the state, no secret inside."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import load_settings

FOLDER = Path(__file__).parent.parent / "deploy" / "kubernetes"
SECRETS = "/run/secrets/liftlock/"


def manifest(name: str) -> dict[str, Any]:
    """Return one manifest of the example."""
    loaded = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def settings_file() -> dict[str, Any]:
    """Return what the bot would read as its settings."""
    return tomllib.loads(manifest("config.yaml")["data"]["liftlock.toml"])


def leaves(value: dict[str, Any], *path: str) -> dict[str, Any]:
    """Flatten nested tables to dotted names."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        where = (*path, key)
        found |= leaves(inner, *where) if isinstance(inner, dict) else {".".join(where): inner}
    return found


@pytest.fixture(name="pod")
def _pod() -> dict[str, Any]:
    pod: dict[str, Any] = manifest("deployment.yaml")["spec"]["template"]["spec"]
    return pod


@pytest.fixture(name="container")
def _container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    assert isinstance(container, dict)
    return container


def test_the_pod_runs_as_the_user_of_the_image(pod: dict[str, Any]) -> None:
    user = re.findall(r"^USER (\d+):(\d+)$", (FOLDER.parent.parent / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert [(str(security["runAsUser"]), str(security["runAsGroup"]))] == user
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_container_has_no_privilege_and_cannot_write_to_its_own_files(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_only_state_and_scratch_space_are_writable(container: dict[str, Any]) -> None:
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/liftlock", "/tmp"}  # noqa: S108 - a path inside the container


def test_every_mount_has_its_volume(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_the_pod_has_no_right_in_the_cluster(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False


def test_one_bot_ends_before_the_next_starts() -> None:
    spec = manifest("deployment.yaml")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe"])
def test_probes_ask_the_bot_about_the_settings_it_runs_with(container: dict[str, Any], probe: str) -> None:
    config = container["args"][-1]
    assert container[probe]["exec"]["command"] == ["liftlock", "health", "--config", config]
    assert config.startswith("/etc/liftlock/")


def test_the_settings_name_secrets_only_by_the_file_that_holds_them() -> None:
    settings = leaves(settings_file())
    secretive = {name: value for name, value in settings.items() if re.search("token|secret|password|key", name)}
    assert secretive
    assert [name for name, value in secretive.items() if not str(value).startswith(SECRETS)] == []


def test_the_kustomization_names_every_manifest() -> None:
    manifests = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(manifest("kustomization.yaml")["resources"]) == manifests


def test_the_settings_in_the_config_map_are_accepted_by_the_bot(tmp_path: Path) -> None:
    documents = yaml.safe_load((FOLDER / "config.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "liftlock.toml"
    path.write_text(documents["data"]["liftlock.toml"], encoding="utf-8")
    settings = load_settings(path)
    assert str(settings.bot.policies) == "/etc/liftlock-policies"
    assert str(settings.bot.state) == "/var/lib/liftlock"
