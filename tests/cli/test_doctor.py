"""`liftlock doctor` as a user meets it: the whole lab in order, then one thing at a time out of order."""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner, Result

from bot.adapters.clock import SystemClock
from bot.adapters.github.credentials import PERMISSIONS
from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.cli.doctor import examine, print_findings
from bot.doctor import Finding, Mark
from bot.lab.clock import ManualClock
from bot.lab.serving import Served
from bot.lab.world import GITOPS, Lab, running_lab
from tests.contract.conformance import GITHUB

SOURCE = "acme/checkout"
CHECK = "liftlock/production"
APP = 7


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Lab]:
    """A lab on the machine's clock, in which checkout runs 1.8.2."""
    with running_lab(tmp_path, SystemClock()) as lab:
        lab.add_service("checkout", "1.8.2")
        yield lab


@pytest.fixture
def settings(live: Lab, tmp_path: Path) -> Path:
    return live.write_settings(tmp_path / "liftlock.toml")


def as_app(lab: Lab, settings: Path, key: rsa.RSAPrivateKey, permissions: dict[str, str] | None = None) -> None:
    """Let the bot be a GitHub App instead of the owner of a token."""
    kind = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    (lab.directory / "secrets" / "key.pem").write_bytes(pem)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    lab.github.add_app(APP, public.decode(), owner="acme", permissions=permissions or dict(PERMISSIONS))
    change(
        settings,
        f'token_file = "{lab.directory}/secrets/github"',
        f'app_id = {APP}\nprivate_key_file = "{lab.directory}/secrets/key.pem"',
    )


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def findings(settings: Path) -> list[Finding]:
    return examine(settings, SystemClock())


def about(found: Sequence[Finding], check: str) -> Finding:
    """The line of a check; the worst one if it has several."""
    lines = [one for one in found if one.check == check]
    assert lines, [one.check for one in found]
    return max(lines, key=lambda one: list(Mark).index(one.mark))


def liftlock(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


# --- all in order ----------------------------------------------------------------------------------------------------


def test_an_app_with_everything_in_place_has_no_line_that_is_not_ok_but_webhooks(
    live: Lab, settings: Path, key: rsa.RSAPrivateKey
) -> None:
    as_app(live, settings, key)
    live.github.protect(
        GITOPS, "main", required_contexts=[CHECK], integrations={CHECK: APP}, restrict_pushes=False, ruleset=True
    )
    change(live.directory / "policies" / "checkout.yaml", "  by: commit", "  by: pull-request")
    found = findings(settings)
    assert [(one.check, one.found) for one in found if one.mark is not Mark.OK] == [("webhooks", "none configured")]
    assert {one.check for one in found} == {
        "settings",
        "policies",
        "clock of GitHub",
        "GitHub credentials",
        "GitHub installation",
        "permissions acme",
        "rate limit acme",
        "webhooks",
        f"repository {GITOPS}",
        f"rules {GITOPS} main",
        f"files {GITOPS} main",
        f"source {SOURCE}",
        "Prometheus",
        "clock of Prometheus",
        "Argo CD",
        "registry ghcr.io",
        "ledger",
        "state directory",
        "disk space",
        "git",
    }
    result = liftlock("doctor", "--settings", settings)
    assert result.exit_code == 0, result.output
    assert result.output.rstrip().endswith("19 ok, 1 warning, 0 failed")
    assert liftlock("doctor", "--config", settings, "--strict").exit_code == 1


def test_nothing_is_changed_by_looking(live: Lab, settings: Path) -> None:
    before = live.github.branches(GITOPS)
    findings(settings)
    assert live.github.branches(GITOPS) == before
    assert not (live.directory / "state").exists()
    methods = {one.method for one in live.github.exchanges if not one.path.endswith("/graphql")}
    assert methods == {"GET"}


def test_each_request_is_one_that_github_describes(live: Lab, settings: Path, key: rsa.RSAPrivateKey) -> None:
    as_app(live, settings, key)
    live.github.protect(GITOPS, "main", required_contexts=[CHECK], ruleset=True)
    findings(settings)
    undescribed = re.compile(r"/api/v3/(app/hook/(config|deliveries)|repos/[^/]+/[^/]+/rulesets/\d+)|/api/graphql")
    asked = [one for one in live.github.exchanges if undescribed.fullmatch(one.path) is None]
    assert len(asked) > 8
    assert [fault for one in asked for fault in GITHUB.violations(one)] == []


def test_json_has_the_same_lines_and_no_secret(live: Lab, settings: Path) -> None:
    result = liftlock("doctor", "--json", "--config", settings)
    told = json.loads(result.output)
    assert {one["mark"] for one in told} <= {"ok", "warning", "failed"}
    assert [sorted(one) for one in told] == [["check", "found", "mark", "remedy"]] * len(told)
    assert live.github.token not in result.output
    assert live.argocd.token not in result.output


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_each_remedy_follows_its_finding(settings: Path, width: int) -> None:
    out = io.StringIO()
    found = findings(settings)
    print_findings(Console(file=out, width=width, color_system=None), found)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    assert sum("→" in line for line in lines) == sum(1 for one in found if one.remedy)


# --- settings and policies -------------------------------------------------------------------------------------------


def test_settings_that_cannot_be_used_are_a_line_for_each_fault(tmp_path: Path) -> None:
    file = tmp_path / "liftlock.toml"
    file.write_text('[bot]\npolicies = "p"\n[github]\nwrong = 1\n', encoding="utf-8")
    found = findings(file)
    assert {one.mark for one in found} == {Mark.FAILED}
    assert any("bot.state: is missing" in one.found for one in found)
    assert any("github.wrong: is no setting" in one.found for one in found)
    assert liftlock("doctor", "--config", file).exit_code == 1
    assert "there is no such settings file" in findings(tmp_path / "none.toml")[0].found


def test_a_broken_policy_is_a_line_of_its_own_and_the_others_are_examined(live: Lab, settings: Path) -> None:
    (live.directory / "policies" / "broken.yaml").write_text("service: x\n", encoding="utf-8")
    found = findings(settings)
    assert about(found, "policy broken.yaml").mark is Mark.FAILED
    assert about(found, f"files {GITOPS} main").mark is Mark.OK


def test_without_credentials_it_says_so_and_examines_all_else(live: Lab, settings: Path) -> None:
    change(settings, f'token_file = "{live.directory}/secrets/github"\n', "")
    found = findings(settings)
    assert "no credentials" in about(found, "GitHub credentials").found
    assert about(found, "Argo CD").mark is Mark.OK


def test_an_authority_that_cannot_be_read_fails_its_system_only(live: Lab, settings: Path) -> None:
    text = settings.read_text(encoding="utf-8")
    for section in ("[github]", "[argocd]", '[registries."ghcr.io"]'):
        text = text.replace(section, f'{section}\nca_file = "none.pem"')
    settings.write_text(text, encoding="utf-8")
    found = findings(settings)
    for check in ("clock of GitHub", "Argo CD", "registry ghcr.io"):
        assert about(found, check).mark is Mark.FAILED
    assert about(found, "Prometheus").mark is Mark.OK


# --- GitHub ----------------------------------------------------------------------------------------------------------


def test_a_token_that_is_wrong_or_gone_fails_what_needs_it_and_nothing_else(live: Lab, settings: Path) -> None:
    (live.directory / "secrets" / "github").write_text("ghp_" + "x" * 36, encoding="utf-8")
    found = findings(settings)
    credentials = about(found, "GitHub credentials")
    assert credentials.mark is Mark.FAILED
    assert credentials.remedy == "make a new token and put it into github.token_file"
    assert about(found, "clock of GitHub").mark is Mark.OK
    assert about(found, "Prometheus").mark is Mark.OK
    assert all("xxxx" not in one.found + one.remedy for one in found)
    (live.directory / "secrets" / "github").unlink()
    assert "cannot be read" in about(findings(settings), "GitHub credentials").found


def test_a_clock_that_is_wrong_is_told_for_both_systems(live: Lab, settings: Path) -> None:
    found = examine(settings, ManualClock(datetime.now(UTC) - timedelta(minutes=2)))
    for check in ("clock of GitHub", "clock of Prometheus"):
        assert about(found, check).mark is Mark.FAILED
        assert "behind" in about(found, check).found


def test_an_app_that_is_not_installed_on_a_repository_is_told(
    live: Lab, settings: Path, key: rsa.RSAPrivateKey
) -> None:
    as_app(live, settings, key)
    live.github.world.apps[APP].repositories = (SOURCE,)
    found = about(findings(settings), "GitHub installation")
    assert (found.mark, found.found) == (Mark.FAILED, f"app-7 is not installed on {GITOPS}")


def test_a_permission_that_is_missing_and_one_beyond_need_are_named(
    live: Lab, settings: Path, key: rsa.RSAPrivateKey
) -> None:
    as_app(live, settings, key, {**PERMISSIONS, "checks": "read", "administration": "write"})
    lines = [one for one in findings(settings) if one.check == "permissions acme"]
    assert [(one.mark, one.found) for one in lines] == [
        (Mark.FAILED, "not granted: checks: write"),
        (Mark.WARNING, "granted beyond need: administration: write"),
    ]


def test_a_token_that_may_only_read_is_told(live: Lab, settings: Path) -> None:
    live.github.add_user("liftlock", {GITOPS: "read"})
    found = about(findings(settings), f"permissions {GITOPS}")
    assert (found.mark, found.found) == (Mark.FAILED, "the role of liftlock is read")


def test_a_check_that_another_app_must_report_fails(live: Lab, settings: Path, key: rsa.RSAPrivateKey) -> None:
    as_app(live, settings, key)
    live.github.protect(GITOPS, "main", required_contexts=[CHECK], integrations={CHECK: 99}, ruleset=True)
    found = findings(settings)
    rules = [one.found for one in found if one.check == f"rules {GITOPS} main" and one.mark is Mark.FAILED]
    assert rules == [
        f"{CHECK} must come from the App 99, which is not the bot: no pull request can be merged",
        "main takes no direct pushes of the bot: rollback.by: commit of checkout/production fails",
    ]


def test_an_archived_repository_fails(live: Lab, settings: Path) -> None:
    body = {"full_name": GITOPS, "default_branch": "main", "archived": True, "permissions": {"push": True}}
    live.github.fail_next("GET", f"/repos/{GITOPS}", 200, body=body)
    assert "it is archived" in about(findings(settings), f"repository {GITOPS}").found


def test_a_branch_that_is_missing_fails_its_rules_and_its_files(live: Lab, settings: Path) -> None:
    change(live.directory / "policies" / "checkout.yaml", "branch: main", "branch: release")
    found = findings(settings)
    assert "has no branch “release”" in about(found, f"rules {GITOPS} release").found
    assert about(found, f"files {GITOPS} release").mark is Mark.FAILED


def test_a_file_that_is_missing_is_named(live: Lab, settings: Path) -> None:
    change(live.directory / "policies" / "checkout.yaml", "production/values.yaml", "production/valeus.yaml")
    found = about(findings(settings), f"files {GITOPS} main")
    assert found.found == "not there: apps/checkout/production/valeus.yaml"


def test_a_used_up_limit_is_told_with_the_time_at_which_it_ends(live: Lab, settings: Path) -> None:
    live.github.limit_rate(0, datetime.now(UTC) + timedelta(minutes=5))
    found = about(findings(settings), "rate limit of the token")
    assert found.mark is Mark.FAILED
    assert "it is full again at" in found.remedy


def test_an_apps_webhook_is_judged_with_its_deliveries(live: Lab, settings: Path, key: rsa.RSAPrivateKey) -> None:
    as_app(live, settings, key)
    (live.directory / "secrets" / "webhook").write_text("s3cret", encoding="utf-8")
    web = f'\n[web]\nlisten = "127.0.0.1:8099"\nwebhook_secret_file = "{live.directory}/secrets/webhook"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + web, encoding="utf-8")
    assert about(findings(settings), "webhooks").found == "none comes to the bot, though the settings take them"
    live.github.fail_next("GET", "/app/hook/config", 200, body={"url": "http://127.0.0.1:9/webhooks/github"})
    live.github.fail_next("GET", "/app/hook/deliveries", 200, body=[{"status_code": 0, "status": "timed out"}])
    found = about(findings(settings), "webhooks")
    assert found.found == "1 of the newest 1 deliveries to 127.0.0.1 failed: timed out"


# --- the other systems -----------------------------------------------------------------------------------------------


def test_a_prometheus_that_is_down_or_another_system_is_told_with_where_it_was_looked_for(
    live: Lab, settings: Path
) -> None:
    change(settings, live.prometheus_url, "http://127.0.0.1:1")
    found = about(findings(settings), "Prometheus")
    assert found.mark is Mark.FAILED
    assert "http://127.0.0.1:1 could not be reached" in found.found
    assert found.remedy.startswith("prometheus.url:")
    change(settings, "http://127.0.0.1:1", live.argocd_url)
    assert about(findings(settings), "Prometheus").mark is Mark.FAILED


async def _forbid(_: Request) -> JSONResponse:
    return JSONResponse({"error": "permission denied", "code": 7}, 403)


def test_every_data_source_is_examined_and_what_none_of_them_answers_is_told(live: Lab, settings: Path) -> None:
    change(
        live.directory / "policies" / "checkout.yaml",
        "metrics: {namespace: checkout-staging}",
        "metrics: {namespace: checkout-staging}\n    metrics_from: asia",
    )
    servers = (
        f'[prometheus_servers.eu]\nurl = "{live.prometheus_url}"\n'
        '[prometheus_servers.us]\nurl = "http://127.0.0.1:1"\n'
        '[[prometheus.tenants]]\nservices = ["search"]\nmatchers = {team = "search"}\n'
    )
    settings.write_text(settings.read_text("utf-8") + servers, encoding="utf-8")
    found = findings(settings)
    marks = {name: about(found, name).mark for name in ("Prometheus", "Prometheus eu", "Prometheus us")}
    assert marks == {"Prometheus": Mark.OK, "Prometheus eu": Mark.OK, "Prometheus us": Mark.FAILED}
    assert about(found, "Prometheus us").remedy.startswith("prometheus_servers.us.url: ")
    assert [one.found for one in found if one.check == "data sources"] == [
        "the settings do not name asia (for checkout); gates that ask them cannot tell",
        "no tenant is named at prometheus (for checkout); no query of theirs is sent",
    ]


def test_an_argocd_that_forbids_is_told(live: Lab, settings: Path) -> None:
    with Served(Starlette(routes=[Route("/{rest:path}", _forbid)])) as served:
        change(settings, live.argocd_url, served.url)
        found = about(findings(settings), "Argo CD")
    assert found.mark is Mark.FAILED
    assert "(403)" in found.found


def test_an_argocd_token_that_is_not_valid_or_sees_too_little_is_told(live: Lab, settings: Path) -> None:
    live.argocd.grant("narrow", "reader", projects=["elsewhere"])
    token = live.directory / "secrets" / "argocd"
    token.write_text("narrow", encoding="utf-8")
    found = about(findings(settings), "Argo CD")
    assert found.mark is Mark.WARNING
    assert "reader's" in found.found
    assert "0 of the policies' 2 applications" in found.found
    token.write_text("unknown", encoding="utf-8")
    assert about(findings(settings), "Argo CD").found == "the token is not valid"


def test_a_registry_that_is_down_or_does_not_know_the_running_tag_is_told(live: Lab, settings: Path) -> None:
    live.github.commit_as(
        "dana",
        GITOPS,
        "main",
        {live.file("checkout", "staging"): live.text("checkout", "staging").replace("1.8.2", "9")},
        "x",
    )
    assert "has no tag 9" in about(findings(settings), "registry ghcr.io").found
    change(settings, live.registry_url, "http://127.0.0.1:1")
    assert about(findings(settings), "registry ghcr.io").mark is Mark.FAILED


def test_what_runs_is_verified_as_the_policy_asks_and_a_file_of_trust_that_is_gone_is_named(
    live: Lab, settings: Path
) -> None:
    workflow = "https://github.com/acme/checkout/.github/workflows/release.yml"
    asked = f'artifact: {{signer: {{identity: "{workflow}@refs/tags/v{{version}}"}}, require: [{{use: signature}}]}}'
    change(live.directory / "policies" / "checkout.yaml", "\n    from: staging", f"\n    from: staging\n    {asked}")
    unsigned = about(findings(settings), "artifact checkout")
    assert unsigned.mark is Mark.WARNING
    assert "1.8.2: artifact-signature: no signature was found" in unsigned.found
    live.sign("checkout", "1.8.2", live.build("checkout", "1.8.2"))
    signed = about(findings(settings), "artifact checkout")
    assert signed.mark is Mark.OK
    assert f"signature by {workflow}@refs/tags/v1.8.2" in signed.found
    (live.directory / "trusted_root.json").unlink()
    gone = about(findings(settings), "artifact checkout")
    assert gone.mark is Mark.FAILED
    assert "trusted_root.json: cannot be read: No such file or directory" in gone.found


def test_each_stage_is_examined_by_the_proofs_that_it_looks_for_itself(live: Lab, settings: Path) -> None:
    workflow = "https://github.com/acme/checkout/.github/workflows/release.yml"
    signer = f'signer: {{identity: "{workflow}@refs/tags/v{{version}}"}}'
    for stage, places in (("staging", "registry"), ("production", "github")):
        asked = f"artifact: {{{signer}, found_in: [{places}], require: [{{use: signature, name: of-{stage}}}]}}"
        change(live.directory / "policies" / "checkout.yaml", f"name: {stage}", f"name: {stage}\n    {asked}")
    # Built twice, it may be other bytes: the time is in it.
    built = live.build("checkout", "1.8.2")
    live.sign("checkout", "1.8.2", built, at="github")
    one = about(findings(settings), "artifact checkout")
    assert one.mark is Mark.WARNING
    assert one.found.startswith("1.8.2: artifact-of-staging: no signature was found")
    live.sign("checkout", "1.8.2", built)
    both = about(findings(settings), "artifact checkout")
    assert both.mark is Mark.OK
    assert both.found.count("signature by") == 2


def test_a_service_whose_first_stage_has_no_tag_yet_or_no_registry_is_not_verified(live: Lab, settings: Path) -> None:
    asked = "artifact: {signer: {key: release}, require: [{use: signature}]}"
    change(live.directory / "policies" / "checkout.yaml", "\n    from: staging", f"\n    from: staging\n    {asked}")
    change(settings, '[registries."ghcr.io"]', '[registries."elsewhere.example"]')
    assert "no registry is set up for ghcr.io/acme/checkout" in about(findings(settings), "artifact checkout").found
    live.github.commit_as("dana", GITOPS, "main", {live.file("checkout", "staging"): "resources: []\n"}, "x")
    assert "names no tag of ghcr.io/acme/checkout yet" in about(findings(settings), "artifact checkout").found


def test_a_ledger_is_told_with_its_revision_and_one_that_is_held_by_another_fails(live: Lab, settings: Path) -> None:
    state = live.directory / "state"
    state.mkdir()
    open_ledger(f"sqlite:///{state}/ledger.db").close()
    found = about(findings(settings), "ledger")
    assert found.mark is Mark.OK
    assert "its tables are at 0" in found.found
    with sqlite3.connect(state / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert about(findings(settings), "ledger").mark is Mark.FAILED
    other.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_ledger_whose_file_is_read_only_fails_with_what_to_grant(live: Lab, settings: Path) -> None:
    state = live.directory / "state"
    state.mkdir()
    open_ledger(f"sqlite:///{state}/ledger.db").close()
    (state / "ledger.db").chmod(0o444)
    found = about(findings(settings), "ledger")
    assert found.mark is Mark.FAILED
    assert "may not be written" in found.found


def test_a_ledger_that_another_version_wrote_fails(live: Lab, settings: Path) -> None:
    state = live.directory / "state"
    state.mkdir()
    open_ledger(f"sqlite:///{state}/ledger.db").close()
    other = sqlite3.connect(state / "ledger.db")
    other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.commit()
    other.close()
    found = about(findings(settings), "ledger")
    assert "was written by a newer Liftlock" in found.found


def test_a_state_directory_that_may_not_be_written_fails(live: Lab, settings: Path) -> None:
    change(settings, f'state = "{live.directory}/state"', 'state = "/proc/liftlock"')
    found = findings(settings)
    assert about(found, "state directory").found == "/proc/liftlock may not be written"
    assert about(found, "ledger").mark is Mark.FAILED
