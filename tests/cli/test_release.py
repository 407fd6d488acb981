"""`liftlock release`: an announced image is looked for at the next sweep; what was verified of a release is printed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.app import app
from bot.lab.clock import ManualClock
from bot.lab.stories import GOOD
from bot.lab.world import Lab
from tests.stage import Stage, a_bot

IMAGE = "ghcr.io/acme/invoices"
SUMMARY = ["release", "summary", "invoices/staging", "3.1.0"]


def announce(settings: Path, image: str) -> Result:
    return CliRunner().invoke(app, ["release", "announce", image, "--config", str(settings)])


def refused(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("liftlock: ")


@pytest.mark.parametrize("image", [IMAGE, f"{IMAGE}:3.1.0"])
def test_an_announced_release_is_found_at_the_next_sweep(lab: Lab, clock: ManualClock, image: str) -> None:
    lab.add_service("invoices", "3.0.0", from_registry=True)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        stage.look_after(2, "invoices")
        lab.sign("invoices", "3.1.0", lab.build("invoices", "3.1.0", in_staging=GOOD))
        stage.look_after(2, "invoices")
        assert lab.has_tag("invoices", "staging", "3.0.0")
        result = announce(lab.directory / "liftlock.toml", image)
        assert result.output == f"Announced: the registry is asked for {IMAGE} at the next sweep, for invoices.\n"
        stage.look_after(1, "invoices")
    assert lab.has_tag("invoices", "staging", "3.1.0")
    printed = CliRunner().invoke(app, [*SUMMARY, "--config", str(lab.directory / "liftlock.toml")])
    digest = hashlib.sha256(printed.stdout.rstrip("\n").encode()).hexdigest()
    assert f"Liftlock-Summary: sha256:{digest}" in next(iter(lab.messages()))
    assert json.loads(printed.stdout)["predicate"]["verifiedLevels"] == ["LIFTLOCK_PROVENANCE", "LIFTLOCK_SIGNATURE"]


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ("ghcr.io/acme/checkout", "no policy in {policies} takes releases of ghcr.io/acme/checkout from the registry"),
        ("localhost:5000/a", "no policy in {policies} takes releases of localhost:5000/a from the registry"),
        ("invoices", "no policy in {policies} takes releases of invoices from the registry"),
        ("In voices", "'In voices' is no image, such as ghcr.io/acme/checkout or ghcr.io/acme/checkout:1.9.0"),
        (f"{IMAGE}:", f"'{IMAGE}:' is no image, such as ghcr.io/acme/checkout or ghcr.io/acme/checkout:1.9.0"),
        (f"{IMAGE}@sha256:00", f"'{IMAGE}@sha256:00' names a digest: name the image, with or without a tag"),
        ("a/\x1b[31m:b", "'a/[31m:b' is no image, such as ghcr.io/acme/checkout or ghcr.io/acme/checkout:1.9.0"),
    ],
)
def test_what_no_policy_takes_from_the_registry_is_refused_with_the_reason(
    lab: Lab, clock: ManualClock, image: str, sentence: str
) -> None:
    with a_bot(lab, clock) as sweeper:
        sweeper.sweep()
        said = refused(announce(lab.directory / "liftlock.toml", image))
    assert said == sentence.format(policies=lab.directory / "policies")


def test_where_no_bot_has_run_there_is_nobody_to_tell(lab: Lab) -> None:
    lab.add_service("invoices", "3.0.0", from_registry=True)
    settings = lab.write_settings(lab.directory / "liftlock.toml")
    assert "there is no ledger in" in refused(announce(settings, IMAGE))


def test_policies_that_cannot_be_read_are_named(lab: Lab) -> None:
    settings = lab.write_settings(lab.directory / "liftlock.toml")
    text = settings.read_text(encoding="utf-8").replace("/policies", "/nowhere")
    settings.write_text(text, encoding="utf-8")
    assert "nowhere" in refused(announce(settings, IMAGE))


@pytest.mark.parametrize("where", ["invoices/production", "invoices", "checkout/staging", "a/\x1b[31m"])
def test_what_has_no_summary_is_refused(lab: Lab, clock: ManualClock, where: str) -> None:
    with a_bot(lab, clock) as sweeper:
        sweeper.sweep()
    settings = str(lab.directory / "liftlock.toml")
    said = refused(CliRunner().invoke(app, ["release", "summary", where, "3.1.0", "--config", settings]))
    assert said.startswith("the ledger has no summary of 3.1.0 for ")
    assert "\x1b" not in said
