"""The server beside a real bot on the lab: a webhook brings a sweep, SIGTERM ends both, and faults are one sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bot.adapters.clock import SystemClock
from bot.cli.app import app
from bot.compose.whole import compose
from bot.lab.world import GITOPS, Lab, running_lab
from bot.settings import load_settings
from bot.web import web_beside
from tests.web.served import PUSH_TOKEN, SECRET, TOKEN, a_payload, headers_for
from tests.web.test_alertmanager import a_message

PATIENCE_SECONDS = 60


@pytest.fixture(name="lab")
def fixture_lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path, SystemClock()) as lab:
        yield lab


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def settings_of(lab: Lab, port: int, *, interval: str = "1h", more: str = "") -> Path:
    """Write settings with a web server, under which no second sweep comes by itself."""
    path = lab.write_settings(lab.directory / "liftlock.toml")
    (lab.directory / "hook").write_text(SECRET)
    web = f'[web]\nlisten = "127.0.0.1:{port}"\nwebhook_secret_file = "hook"\nwake_pause = "10ms"\n{more}'
    path.write_text(path.read_text().replace('interval = "1s"', f'interval = "{interval}"') + f"\n{web}")
    return path


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.02)


def get(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=20)


def sweeps(port: int) -> int:
    (line,) = [line for line in get(port, "/metrics").text.splitlines() if 'sweeps_total{outcome="ended"}' in line]
    return int(float(line.split()[-1]))


def is_healthy(port: int) -> bool:
    try:
        return get(port, "/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_push_to_the_lab_s_github_brings_the_next_sweep(lab: Lab, port: int) -> None:
    lab.github.add_webhook(GITOPS, f"http://127.0.0.1:{port}/webhooks/github", SECRET)
    budget = {"liftlock_github_requests_remaining": 4_000.0}
    with compose(load_settings(settings_of(lab, port))) as bot, web_beside(bot, lambda: budget) as schedule:
        schedule.start()
        try:
            eventually(lambda: sweeps(port) == 1)
            lab.add_service("checkout", "1.8.2")
            eventually(lambda: sweeps(port) >= 2)
            assert "liftlock_github_requests_remaining 4000.0" in get(port, "/metrics").text
        finally:
            assert schedule.stop()


def test_a_notification_of_alertmanager_brings_the_next_sweep(lab: Lab, port: int) -> None:
    (lab.directory / "alerts").write_text(f"{TOKEN}\n")
    settings = settings_of(lab, port, more='alertmanager_token_file = "alerts"')
    with compose(load_settings(settings)) as bot, web_beside(bot) as schedule:
        schedule.start()
        try:
            eventually(lambda: sweeps(port) == 1)
            url = f"http://127.0.0.1:{port}/webhooks/alertmanager"
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert httpx.post(url, content=a_message(), headers=headers, trust_env=False).status_code == 202
            eventually(lambda: sweeps(port) == 2)
        finally:
            assert schedule.stop()


def test_a_push_that_a_pipeline_tells_of_comes_to_staging_though_the_registry_was_asked_just_before(
    lab: Lab, port: int
) -> None:
    lab.add_service("checkout", "1.8.2", from_registry=True)
    (lab.directory / "pushes").write_text(f"{PUSH_TOKEN}\n")
    settings = settings_of(lab, port, more='registry_token_file = "pushes"')
    with compose(load_settings(settings)) as bot, web_beside(bot) as schedule:
        schedule.start()
        try:
            eventually(lambda: sweeps(port) == 1)
            lab.sign("checkout", "1.9.0", lab.build("checkout", "1.9.0"))
            url = f"http://127.0.0.1:{port}/webhooks/registry"
            headers = {"Authorization": f"Bearer {PUSH_TOKEN}"}
            body = b'{"repository": "acme/checkout"}'
            assert httpx.post(url, content=body, headers=headers, trust_env=False).status_code == 202
            eventually(lambda: lab.has_tag("checkout", "staging", "1.9.0"))
        finally:
            assert schedule.stop()


def test_without_a_secret_or_a_token_there_is_no_such_path(lab: Lab, port: int) -> None:
    path = settings_of(lab, port)
    path.write_text(path.read_text().replace('webhook_secret_file = "hook"\n', ""))
    with compose(load_settings(path)) as bot, web_beside(bot):
        body = a_payload()
        for name in ("github", "alertmanager", "registry"):
            url = f"http://127.0.0.1:{port}/webhooks/{name}"
            answer = httpx.post(url, content=body, headers=headers_for(body), trust_env=False, timeout=20)
            assert answer.status_code == 404


def test_without_an_address_there_is_no_server(lab: Lab) -> None:
    path = lab.write_settings(lab.directory / "liftlock.toml")
    with compose(load_settings(path)) as bot, web_beside(bot) as schedule:
        assert schedule.sweep == bot.sweeper.sweep


def test_a_bot_with_its_server_ends_in_good_order_on_sigterm(lab: Lab, port: int) -> None:
    settings = settings_of(lab, port)
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "run", "--config", str(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    ) as process:
        try:
            eventually(lambda: is_healthy(port))
            # A connection that stays open must not hold up the end.
            with socket.create_connection(("127.0.0.1", port), timeout=20):
                process.send_signal(signal.SIGTERM)
                output, errors = process.communicate(timeout=40)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert "stopped" in errors
    assert "Traceback" not in errors
    assert output == ""
    assert not is_healthy(port)


def test_a_port_in_use_ends_the_run_with_one_sentence(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = CliRunner().invoke(app, ["run", "--config", str(settings_of(lab, port))])
    assert result.exit_code == 2
    assert result.stderr == f"liftlock: web.listen: another program listens on 127.0.0.1:{port} already\n"


def test_a_webhook_secret_that_cannot_be_read_ends_the_run_with_one_sentence(lab: Lab, port: int) -> None:
    settings = settings_of(lab, port)
    (lab.directory / "hook").unlink()
    result = CliRunner().invoke(app, ["run", "--config", str(settings)])
    assert result.exit_code == 2
    sentence = f"the secret file {lab.directory / 'hook'} cannot be read: No such file or directory"
    assert result.stderr == f"liftlock: {sentence}\n"


@pytest.mark.parametrize("sender", ["alertmanager", "registry"])
def test_a_token_that_cannot_be_read_ends_the_run_with_one_sentence(lab: Lab, port: int, sender: str) -> None:
    settings = settings_of(lab, port, more=f'{sender}_token_file = "token"')
    result = CliRunner().invoke(app, ["run", "--config", str(settings)])
    assert result.exit_code == 2
    sentence = f"the secret file {lab.directory / 'token'} cannot be read: No such file or directory"
    assert result.stderr == f"liftlock: {sentence}\n"
