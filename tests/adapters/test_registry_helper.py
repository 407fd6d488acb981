"""Docker's credential helpers: how they are asked, and what becomes of one that tells nothing."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.registry.credentials import Credential, DockerCredentials
from bot.adapters.registry.helper import Told, ask_helper
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.registryparts import (
    SECRET,
    a_docker_config,
    a_helper,
    auth,
)


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH for programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_a_helper_is_asked_by_its_protocol_with_the_bot_s_environment(
    helpers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_IDENTITY", "a-workload")
    a_helper(helpers, f'echo "$#:$1:$CLOUD_IDENTITY:$(cat)" >{tmp_path}/seen; echo \'{{"Username":"u","Secret":"s"}}\'')
    assert ask_helper("cloud", "ghcr.io") == Told(user="u", secret="s")
    assert (tmp_path / "seen").read_text(encoding="utf-8") == "1:get:a-workload:ghcr.io\n"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"credHelpers": {"ghcr.io": "cloud"}}, Credential(user="u", secret="s")),
        ({"credHelpers": {"quay.io": "missing"}, "credsStore": "cloud"}, Credential(user="u", secret="s")),
        ({"credHelpers": {"quay.io": "cloud"}}, None),
        ({"credHelpers": {"ghcr.io": "none"}, "auths": {"ghcr.io": auth("a:b")}}, Credential(user="a", secret="b")),
        ({"credsStore": "identity"}, Credential(user="<token>", secret="s", is_identity=True)),
    ],
    ids=["a host's own", "for all", "another's", "it knows nothing", "an identity token"],
)
def test_the_helper_of_a_host_goes_before_all_else(
    helpers: Path, tmp_path: Path, config: object, expected: Credential | None
) -> None:
    a_helper(helpers, 'cat >/dev/null; echo \'{"Username":"u","Secret":"s"}\'')
    a_helper(helpers, "echo credentials not found in native keychain; exit 1", name="none")
    a_helper(helpers, 'echo \'{"Username":"<token>","Secret":"s"}\'', name="identity")
    assert DockerCredentials(a_docker_config(tmp_path, config), "ghcr.io").read() == expected


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        (f"echo {SECRET}; echo {SECRET} >&2; exit 3", Transient, r"failed for ghcr\.io \(exit 3\)"),
        (f"echo {SECRET}", Permanent, "wrote something that is no credential"),
        (f'echo \'{{"Username": "{SECRET}"}}\'', Permanent, "wrote something that is no credential"),
        ("yes", Permanent, "wrote more than 65536 bytes"),
        ("sleep 30 & sleep 30", Transient, r"did not answer within 0\.5 s"),
        ("exec >&-; sleep 30", Transient, r"did not answer within 0\.5 s"),
    ],
    ids=["fails", "no JSON", "no secret", "endless", "late", "silent"],
)
def test_a_helper_that_tells_nothing_is_told_without_its_words(
    helpers: Path, script: str, kind: type[OutsideError], said: str
) -> None:
    a_helper(helpers, script)
    began = time.monotonic()
    with pytest.raises(kind, match=f"the credential helper docker-credential-cloud {said}") as caught:
        ask_helper("cloud", "ghcr.io", deadline=timedelta(seconds=0.5 if "sleep" in script else 10))
    assert time.monotonic() - began < 8
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_helper_that_is_not_there_is_told(helpers: Path) -> None:
    with pytest.raises(Permanent, match="docker-credential-nowhere cannot be run: No such file"):
        ask_helper("nowhere", "ghcr.io")


@pytest.mark.parametrize("name", ["../cloud", "a/b", "", "-x", "a b", "x" * 65, "a\n"])
def test_only_a_plain_name_is_run(helpers: Path, name: str) -> None:
    with pytest.raises(Permanent, match="is no name of a credential helper"):
        ask_helper(name, "ghcr.io")
