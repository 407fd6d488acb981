"""The pages about tests of policies are played as a new user would; see `pages`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.trial.pages import assert_prints

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on the PATH"),
    pytest.mark.timeout(600),
]


@pytest.fixture(autouse=True)
def _with_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)
    (tmp_path / "policies").mkdir()


def test_writing_a_policy_goes_as_the_page_says() -> None:
    page = ROOT / "docs" / "writing-a-policy.md"
    assert page.read_text(encoding="utf-8").count("```console") == 8
    assert_prints(page)


def test_the_example_of_a_test_file_comes_to_what_the_page_says() -> None:
    shutil.copy(ROOT / "policies" / "examples" / "checkout.yaml", "policies")
    assert_prints(ROOT / "docs" / "policy-tests.md")
