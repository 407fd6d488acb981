"""The project's frame: one command checks everything, what is installed is pinned, and the papers are in order."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
# In halves, so that this list does not find itself.
REGISTRY_HOSTS = tuple(
    "".join(halves)
    for halves in (
        ("pypi", ".org"),
        ("python", "hosted"),
        ("registry", ".npmjs"),
        ("deb.", "debian.org"),
        ("archive.", "ubuntu.com"),
        ("proxy.", "golang.org"),
        ("crates", ".io"),
        ("rubygems", ".org"),
    )
)


def read(name: str) -> str:
    """Return a file of the project as text."""
    return (ROOT / name).read_text(encoding="utf-8")


def project_files() -> list[Path]:
    """List the files that are tracked or about to be; skip where the project is no Git checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if listed.returncode != 0:
        pytest.skip("this folder is not a Git checkout, so its tracked files cannot be listed")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def commands(script: str) -> list[str]:
    """Return a shell script's lines without comments and blanks."""
    lines = [line.strip() for line in script.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def targets() -> set[str]:
    """Return the names that the Makefile can make."""
    return set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))


def targets_named_in(text: str) -> set[str]:
    """Return the make targets that a document tells its readers to type, in code spans or code blocks."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    calls = re.findall(r"(?:^|`|\$ |&& )make((?: [a-z][a-z-]*)+)", "\n".join(code), re.MULTILINE)
    return {target for call in calls for target in call.split()}


def pins(lock: str) -> dict[str, str]:
    """Return the version that a lock file gives to each distribution."""
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==([^ ;\\]+)", read(lock), re.MULTILINE))


def pyproject() -> dict[str, object]:
    """Return pyproject.toml as it is."""
    return tomllib.loads(read("pyproject.toml"))


def requirements(*keys: str) -> list[Requirement]:
    """Return the requirements at a path of pyproject.toml."""
    found: object = pyproject()
    for key in keys:
        assert isinstance(found, dict)
        found = found[key]
    assert isinstance(found, list)
    return [Requirement(one) for one in found]


def test_ci_runs_what_a_contributor_runs_and_nothing_else() -> None:
    assert commands(read(".ci/run")) == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]


def test_scripts_start_with_bash_and_can_be_started() -> None:
    scripts = [path for path in (ROOT / ".ci").iterdir() if path.is_file()]
    assert "run" in {path.name for path in scripts}
    for script in scripts:
        assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n"), script.name
        assert script.stat().st_mode & 0o111, f"{script.name} is not executable"


def test_no_file_names_the_host_of_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in project_files()
        for text in [path.read_bytes().decode("utf-8", "replace")]
        for host in REGISTRY_HOSTS
        if host in text
    ]
    assert found == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_a_document_names_exists(document: str) -> None:
    named = targets_named_in(read(document))
    assert {"demo", "test"} <= named
    assert named - targets() == set()


def test_every_target_is_phony_so_that_a_file_of_its_name_does_not_hide_it() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert targets() == set(" ".join(phony).split())


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert {"demo", "test"} <= set(re.findall(r"make ([a-z-]+)", listed.stdout))


def test_the_licence_is_apache_2_whole() -> None:
    text = read("LICENSE")
    assert re.search(r"\A\s*Apache License\s+Version 2\.0, January 2004\s", text)
    assert "9. Accepting Warranty or Additional Liability." in text
    assert "END OF TERMS AND CONDITIONS" in text
    project = pyproject()["project"]
    assert isinstance(project, dict)
    assert project["license"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("lock", "keys"),
    [
        ("requirements.lock", ("project", "dependencies")),
        ("requirements-dev.lock", ("project", "dependencies")),
        ("requirements-dev.lock", ("dependency-groups", "dev")),
        ("requirements-build.lock", ("build-system", "requires")),
    ],
    ids=["run", "run in dev", "dev", "build"],
)
def test_a_lock_file_pins_a_fitting_version_of_everything_that_is_asked_for(lock: str, keys: tuple[str, ...]) -> None:
    pinned = pins(lock)
    wanted = requirements(*keys)
    assert wanted
    for one in wanted:
        name = canonicalize_name(one.name)
        assert name in pinned, f"{lock} lacks {name}: run make lock"
        assert one.specifier.contains(pinned[name]), f"{lock} pins {name} {pinned[name]}, asked for is {one}"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", read(lock), flags=re.MULTILINE)
    assert [entry.splitlines()[0] for entry in entries if entry.strip() and "--hash=sha256:" not in entry] == []


def test_lock_files_agree_on_every_version_so_that_they_can_share_one_environment() -> None:
    dev = pins("requirements-dev.lock")
    assert pins("requirements.lock").items() <= dev.items()
    build = pins("requirements-build.lock")
    assert {name: build[name] for name in build.keys() & dev.keys()} == {
        name: dev[name] for name in build.keys() & dev.keys()
    }


def test_pre_commit_uses_the_pinned_tools_of_the_project_only() -> None:
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    entries = [hook["entry"] for hook in config["repos"][0]["hooks"]]
    assert {entry.split()[0].removeprefix(".venv/bin/") for entry in entries} == {"ruff", "mypy", "lint-imports"}
    assert [entry for entry in entries if not entry.startswith(".venv/bin/")] == []


def test_the_changelog_has_a_place_for_what_is_not_released_yet() -> None:
    headings = re.findall(r"^## (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"


def test_this_python_is_one_the_project_promises_to_run_on() -> None:
    project = pyproject()["project"]
    assert isinstance(project, dict)
    wanted = Requirement(f"python{project['requires-python']}").specifier
    assert wanted.contains(default_environment()["python_full_version"])


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_package_that_is_asked_for_with_an_extra_is_pinned_with_it(lock: str) -> None:
    """Without it pip looks at the newest release for the extra, finds it unpinned, and refuses the whole lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?==", read(lock), re.MULTILINE)
    locked = {canonicalize_name(name): set(extras.split(",")) for name, extras in found}
    for name, extras in locked.items():
        try:
            wanted = requires(name) or []
        except PackageNotFoundError:
            # Pinned for another platform or another Python.
            continue
        for one in map(Requirement, wanted):
            needed = one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
            if needed and one.extras:
                assert one.extras <= locked[canonicalize_name(one.name)], f"{name} asks for {one}"
