"""`liftlock policy test`: what it prints, how it ends, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from bot.cli.app import app
from tests.trial.a_trial import POLICY, with_expectation, written

ROOT = Path(__file__).resolve().parents[2]
needs_prometheus = [
    pytest.mark.prometheus,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on the PATH"),
]
RIGHT = "{at: 2m, stage: production, tag: 1.0.0}"
_AS_AT_A_TERMINAL = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from bot.__main__ import main; sys.argv = ['liftlock', 'policy', 'test']; main()"
)
"""What runs the command where SIGINT is not ignored, as it is in the background of a shell."""
NEVER = (
    "staging gate http-errors (never healthy nor unhealthy)",
    "staging gate argocd-healthy (never healthy nor unhealthy)",
    "production trigger http-errors (never watched)",
    "production trigger argocd-degraded (never watched)",
)
WRONG = "{at: 2m, stage: production, tag: 1.1.0, pull_request: none}"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)
    (tmp_path / "policies").mkdir()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", "test", *arguments])


def tests_are(*expected: str) -> None:
    written(Path("policies"), with_expectation(*expected))


# --- with a Prometheus -----------------------------------------------------------------------------------------------


@pytest.mark.prometheus
@needs_prometheus[1]
class TestWithPrometheus:
    """Runs tests for real."""

    def test_what_is_as_expected_is_ok_and_what_was_left_out_is_told(self) -> None:
        tests_are(RIGHT)
        ran = run()
        assert ran.exit_code == 0
        assert ran.stdout.splitlines() == [
            "policies/shop.test.yaml",
            "  ok      it",
            f"  not exercised: {'; '.join(NEVER)}",
            "",
            "1 test in 1 file: 1 ok",
        ]

    def test_what_is_not_is_told_with_its_line_the_difference_and_what_the_bot_said(self) -> None:
        tests_are(RIGHT, WRONG)
        ran = run("policies/shop.yaml")
        assert ran.exit_code == 1
        lines = ran.stdout.splitlines()
        assert lines[:7] == [
            "policies/shop.test.yaml",
            "  FAILED  it",
            "    policies/shop.test.yaml:9: production, at 2m (09:02:00 UTC)",
            "      tag           expected  1.1.0",
            "                    found     1.0.0",
            "      pull_request  expected  none",
            "                    found     draft",
        ]
        assert lines[7].startswith("      | shop/production: 1.1.0 is to come: observing: staging: http-errors: ")
        assert lines[-1] == "1 test in 1 file: 0 ok, 1 FAILED"

    def test_programs_get_all_of_it_as_json(self) -> None:
        tests_are(WRONG)
        ran = run("policies", "--format", "json")
        assert ran.exit_code == 1
        (file,) = json.loads(ran.stdout)["files"]
        (test,) = file["tests"]
        assert (file["file"], file["faults"], len(file["not_exercised"])) == ("policies/shop.test.yaml", [], 4)
        assert (test["name"], test["ok"], test["looks"]) == ("it", False, 3)
        (failure,) = test["failures"]
        assert failure["differences"][0] == {"key": "tag", "expected": "1.1.0", "found": "1.0.0"}
        assert (failure["line"], failure["at"], failure["about"]) == (8, "2m", "production")

    def test_ci_gets_a_suite_for_each_file_as_junit_writes_it(self) -> None:
        tests_are(WRONG)
        (Path("policies") / "other.test.yaml").write_text("tests: []\npolicy: shop.yaml\n")
        ran = run("policies", "--format", "junit")
        assert ran.exit_code == 1
        broken, failed = ET.fromstring(ran.stdout)  # noqa: S314 - our own
        assert [suite.get("name") for suite in (broken, failed)] == [
            "policies/other.test.yaml",
            "policies/shop.test.yaml",
        ]
        assert (broken.get("errors"), failed.get("failures")) == ("1", "1")
        failure = failed.find("testcase/failure")
        assert failure is not None
        assert "expected  1.1.0" in str(failure.text)

    def test_a_file_with_faults_hides_no_other(self) -> None:
        tests_are(RIGHT)
        (Path("policies") / "a.test.yaml").write_text("tests: []\npolicy: shop.yaml\n")
        ran = run()
        assert ran.exit_code == 1
        assert "  policies/a.test.yaml:1:8: tests: found 0 tests, expected 1 to 200" in ran.stdout.splitlines()
        assert "  ok      it" in ran.stdout.splitlines()
        assert ran.stdout.splitlines()[-1] == "1 test in 2 files: 1 ok; 1 file with faults, none of its tests was run"

    def test_where_no_test_was_run_none_is_counted_as_ok(self) -> None:
        tests_are(RIGHT.replace("production", "productoin"))
        assert run().stdout.splitlines()[-1] == "1 file with faults, none of its tests was run"
        (Path("policies") / "a.test.yaml").write_text("tests: []\npolicy: shop.yaml\n")
        assert run().stdout.splitlines()[-1] == "2 files with faults, none of their tests was run"

    def test_names_from_the_file_command_no_terminal(self) -> None:
        written(Path("policies"), with_expectation(RIGHT).replace("name: it", 'name: "\\e[31mred\\u202e"'))
        ran = run()
        assert ran.exit_code == 1
        assert "\x1b" not in ran.stdout
        assert "control or invisible characters" in ran.stdout

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)], ids=["INT", "TERM"])
    def test_a_signal_ends_it_and_nothing_is_left_behind(self, tmp_path: Path, number: int, code: int) -> None:
        """A test of some days is under way: there is a server then, and it is gone afterwards, and so is its folder."""
        tests_are("{at: 3d, stage: production, tag: 1.0.0}")
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _AS_AT_A_TERMINAL]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            until = time.monotonic() + 90
            while not list(scratch.glob("*/data/wal")) and time.monotonic() < until:
                time.sleep(0.05)
            assert list(scratch.glob("*/data/wal")), "there was no server to leave behind"
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
        assert process.returncode == code
        assert said.decode().splitlines() == ["liftlock: interrupted"]
        assert list(scratch.iterdir()) == []
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert str(scratch) not in running


# --- without one -----------------------------------------------------------------------------------------------------


def test_without_a_prometheus_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tests_are(RIGHT)
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = run()
    assert ran.exit_code == 2
    assert ran.stderr == (
        "liftlock: policy test asks a real Prometheus, and there is none on the PATH: install it, or name the program "
        "by --prometheus PATH\n"
    )


def test_a_program_that_is_none_is_refused() -> None:
    tests_are(RIGHT)
    ran = run("--prometheus", "policies/shop.yaml")
    assert (ran.exit_code, ran.stderr) == (2, "liftlock: --prometheus policies/shop.yaml: that is no program\n")


def test_a_program_that_is_no_prometheus_is_told_in_one_sentence(tmp_path: Path) -> None:
    tests_are(RIGHT)
    program = tmp_path / "prometheus"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    ran = run("--prometheus", str(program))
    assert ran.exit_code == 2
    assert ran.stderr.startswith("liftlock: Prometheus: did not start: ")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("nowhere", "nowhere: there is no such file or directory"),
        ("policies", "policies: there is no test in it, which is a file such as checkout.test.yaml"),
        ("policies/shop.yaml", "policies/shop.yaml: there is no shop.test.yaml beside it"),
    ],
)
def test_where_there_is_no_test_it_says_so(argument: str, said: str) -> None:
    (Path("policies") / "shop.yaml").write_text(POLICY)
    ran = run(argument)
    assert (ran.exit_code, ran.stderr) == (2, f"liftlock: {said}\n")
