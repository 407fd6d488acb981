"""The tests of the example policies pass; what a policy decides is measured elsewhere, so without coverage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app

EXAMPLES = Path(__file__).resolve().parents[2] / "policies" / "examples"
TESTS = sorted(EXAMPLES.glob("*.test.yaml"))


def test_a_web_service_a_grpc_service_a_worker_one_in_waves_and_one_that_is_approved_have_tests() -> None:
    names = ("checkout", "payments", "invoices", "search", "catalogue")
    assert {f"{name}.test.yaml" for name in names} <= {path.name for path in TESTS}


@pytest.mark.prometheus
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on the PATH")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", TESTS, ids=[path.name for path in TESTS])
def test_every_test_of_the_examples_passes_and_together_they_exercise_all_of_each_policy(path: Path) -> None:
    ran = CliRunner().invoke(app, ["policy", "test", str(path)])
    assert ran.exit_code == 0, ran.output
    # In waves each region would have to fail in each way for that.
    assert "every gate and trigger was exercised" in ran.output or path.name == "search.test.yaml"
