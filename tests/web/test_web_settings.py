"""The section `[web]`: off unless it says where to listen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, WebSection, load_settings

BASE = """\
[bot]
policies = "policies"
state = "state"
[argocd]
url = "https://argocd.example"
[prometheus]
url = "https://prometheus.example"
[web]
"""


def load(directory: Path, *lines: str) -> Settings:
    file = directory / "liftlock.toml"
    file.write_text(BASE + "\n".join(lines), encoding="utf-8")
    return load_settings(file)


def test_the_server_is_off_unless_the_settings_say_where(tmp_path: Path) -> None:
    web = load(tmp_path).web
    assert (web.address, web.secret_files, web.wake_pause) == (None, (), timedelta(seconds=5))


def test_one_secret_file_or_several_are_relative_to_the_settings(tmp_path: Path) -> None:
    listen = 'listen = "127.0.0.1:8080"'
    one = load(tmp_path, listen, 'webhook_secret_file = "secrets/hook"').web
    assert one.secret_files == (tmp_path / "secrets" / "hook",)
    two = load(tmp_path, listen, 'webhook_secret_file = ["old", "/run/new"]', 'wake_pause = "10s"').web
    assert two.secret_files == (tmp_path / "old", Path("/run/new"))
    assert two.wake_pause == timedelta(seconds=10)


@pytest.mark.parametrize("sender", ["alertmanager", "registry"])
def test_the_files_of_tokens_are_named_in_the_same_way(tmp_path: Path, sender: str) -> None:
    listen = 'listen = "127.0.0.1:8080"'
    assert files(load(tmp_path, listen).web) == {}
    one = load(tmp_path, listen, f'{sender}_token_file = "secrets/{sender}"').web
    assert files(one) == {sender: (tmp_path / "secrets" / sender,)}
    two = load(tmp_path, listen, f'{sender}_token_file = ["old", "/run/new"]').web
    assert files(two) == {sender: (tmp_path / "old", Path("/run/new"))}


def files(web: WebSection) -> dict[str, tuple[Path, ...]]:
    """Return the files that are named, by who has what they hold."""
    named = {"github": web.secret_files, "alertmanager": web.alertmanager_files, "registry": web.registry_files}
    return {sender: found for sender, found in named.items() if found}


def test_the_environment_may_name_the_secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTLOCK_WEB__LISTEN", "[::1]:9000")
    monkeypatch.setenv("LIFTLOCK_WEB__WEBHOOK_SECRET_FILE", "/run/hook")
    web = load(tmp_path).web
    assert (web.address, web.secret_files) == (("::1", 9000), (Path("/run/hook"),))


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),  # noqa: S104  # read, not listened on
        ("[::]:65535", ("::", 65535)),
        ("bot.example:80", ("bot.example", 80)),
    ],
)
def test_an_address_is_a_host_and_a_port(tmp_path: Path, listen: str, address: tuple[str, int]) -> None:
    assert load(tmp_path, f'listen = "{listen}"').web.address == address


@pytest.mark.parametrize(
    "listen",
    [
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "::1:80",
        "http://x:80",
        "a b:1",
    ],
)
def test_what_is_no_address_is_told_with_what_was_expected(tmp_path: Path, listen: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f'listen = "{listen}"')
    found = f'found "{listen}", expected a host and a port such as 127.0.0.1:8080'
    assert str(caught.value) == f"{tmp_path / 'liftlock.toml'}: web.listen: {found}"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('webhook_secret_file = "hook"', "web: expected webhook_secret_file only with listen"),
        ('alertmanager_token_file = "alerts"', "web: expected alertmanager_token_file only with listen"),
        ('registry_token_file = "pushes"', "web: expected registry_token_file only with listen"),
        ('registry_token = "hush-hush"', "web.registry_token: is no setting"),
        ('alertmanager_token = "hush-hush"', "web.alertmanager_token: is no setting"),
        ('webhook_secret = "hush-hush"', "web.webhook_secret: is no setting"),
        ('listen = "127.0.0.1:1"\nwake_pause = "0s"', 'web.wake_pause: found "0s", expected a duration longer than'),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, line)
    assert says in str(caught.value)
    assert "hush" not in str(caught.value)
