"""The log: one line an event, JSON where asked for, and never a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from bot.adapters.log import configure_logging

TOKEN = "ghp_" + "a" * 36


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_line_is_json_with_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info", as_json=True)
    structlog.get_logger().info("judged", service="checkout", state="proven")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["service"], line["state"], line["level"]) == ("judged", "checkout", "proven", "info")


@pytest.mark.invariant("I12")
def test_no_secret_gets_into_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info", as_json=True)
    log = structlog.get_logger()
    log.info("told", reason=f"token {TOKEN}", reasons=[f"{TOKEN} again"])
    try:
        _fail()
    except RuntimeError:
        log.exception("bug")
    shown = capsys.readouterr().err
    assert "bug" in shown
    assert TOKEN not in shown


def _fail() -> None:
    raise RuntimeError(f"https://x:{TOKEN}@github.com/acme/deploy")


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="warning", as_json=False)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    shown = capsys.readouterr().err
    assert "loud" in shown
    assert "quiet" not in shown
