"""Policies in a repository of the lab's GitHub: read over HTTP at each sweep, broken, mended, and told of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from bot.domain.decision import State
from bot.domain.model import Sha
from bot.engine.fault_teller import MARKER
from bot.lab.clock import ManualClock
from bot.lab.world import DEVELOPER, GITOPS, Lab
from tests.scenarios.promoting import a_stage, live, merged, pass_window, says, settings_of_app
from tests.stage import Stage, decision_for, the_judgement

POLICIES = "acme/policies"
FILE = "policies/checkout.yaml"


def policy_text(lab: Lab) -> str:
    return (lab.directory / "policies" / "checkout.yaml").read_text(encoding="utf-8")


def settings_from_git(lab: Lab, name: str = "central", repository: str = POLICIES) -> Path:
    """Let the policies of the lab stand in a repository, and the settings name it."""
    lab.github.create_repository(repository, files={FILE: policy_text(lab)}) if repository != GITOPS else None
    lab.github.add_user(DEVELOPER, {repository: "write"})
    path = lab.write_settings(lab.directory / f"{name}.toml")
    text = path.read_text(encoding="utf-8").replace(f'policies = "{lab.directory}/policies"\n', "")
    text = text.replace(f'"{lab.directory}/state"', f'"{lab.directory}/{name}"')
    path.write_text(f'{text}\n[policies]\nrepository = "{repository}"\n', encoding="utf-8")
    return path


@contextmanager
def central(lab: Lab, clock: ManualClock) -> Iterator[tuple[Stage, Path]]:
    settings = settings_from_git(lab)
    with a_stage(lab, clock, settings) as stage:
        yield stage, settings


def push(lab: Lab, text: str | None, *, path: str = FILE, repository: str = POLICIES) -> Sha:
    return lab.github.commit_as(DEVELOPER, repository, "main", {path: text}, "Change a policy")


def head(lab: Lab, repository: str = POLICIES) -> Sha:
    found = lab.github.head(repository, "main")
    assert found is not None
    return found


def comments(lab: Lab) -> list[tuple[str, str]]:
    with lab.github.world.lock:
        return [(one.commit, one.body) for one in lab.github.world.repository(POLICIES).commit_comments]


def printed(settings: Path, *arguments: str) -> str:
    return CliRunner().invoke(app, [*arguments, "--config", str(settings)], env={"COLUMNS": "240"}).output


@pytest.mark.invariant("I16")
def test_a_release_is_promoted_by_the_policy_at_a_commit_which_the_texts_and_the_ledger_name(
    lab: Lab, clock: ManualClock
) -> None:
    with central(lab, clock) as (stage, settings):
        at = head(lab)
        live(stage)
        pass_window(stage)
        merged(stage)
        link = f"[`acme/policies@{at[:7]}`]({lab.github.url}/acme/policies/commit/{at})"
        assert f"Judged by policy `checkout.yaml` at {link}." in says(stage)
        (decision, *_) = stage.sweeper.world.ledger.events(service="checkout", kind="decision")
        told = decision.body["policy"]
        assert isinstance(told, dict)
        assert (told["file"], told["repository"], told["commit"]) == ("checkout.yaml", POLICIES, at)
        assert f"Judged by policy checkout.yaml at acme/policies@{at[:7]}." in printed(settings, "status", "checkout")
        assert f"judged by policy checkout.yaml at acme/policies@{at[:7]}" in printed(settings, "explain", "checkout")


@pytest.mark.invariant("I6")
def test_a_broken_version_keeps_the_last_good_one_also_after_a_restart_and_says_so(
    lab: Lab, clock: ManualClock
) -> None:
    with central(lab, clock) as (stage, settings):
        good = head(lab)
        live(stage)
        since = the_judgement(stage.look_after(1), "staging").verdicts
        assert since
        broke = push(lab, policy_text(lab).replace("service: checkout", "service: checkout\nwrong: [1\n"))
        decision = stage.look_after(1)
        assert the_judgement(decision, "staging").state is State.OBSERVING
        shown = printed(settings, "status")
        assert f"checkout.yaml: broken since commit {broke[:7]} of " in shown
        assert f"in force is the version of acme/policies@{good[:7]} for checkout" in shown
        assert "checkout.yaml: broken since" in printed(settings, "explain", "checkout")
    with a_stage(lab, clock, settings) as stage:
        pass_window(stage)
        merged(stage)
        assert f"acme/policies@{good[:7]}" in says(stage)
        push(lab, policy_text(lab))
        stage.sweeper.sweep()
        assert "broken" not in printed(settings, "status")


def test_the_commit_that_broke_policies_is_told_once_with_all_faults_also_after_a_kill(
    lab: Lab, clock: ManualClock
) -> None:
    with central(lab, clock) as (stage, settings):
        good = head(lab)
        stage.sweeper.sweep()
        text = policy_text(lab).replace("service: checkout", "service: checkout\nwrong: <b>@dana</b>\nworse: 1")
        broke = push(lab, text)
        for _ in range(2):
            stage.look_after(1)
        ((commit, body),) = comments(lab)
        assert commit == broke
        assert body.startswith(f"<!-- {MARKER}:")
        assert f"`checkout.yaml`: `checkout` goes on under the version of [`acme/policies@{good[:7]}`]" in body
        assert body.count("\n- ") == 2
        assert "<b>" not in body
        # Killed behind the comment and before its note.
        stage.sweeper.world.ledger.note(f"policy-faults/{POLICIES}/{broke}", "")
    with a_stage(lab, clock, settings) as stage:
        stage.sweeper.sweep()
        assert len(comments(lab)) == 1
        again = push(lab, "service: [")
        stage.sweeper.sweep()
        assert [commit for commit, _ in comments(lab)] == [broke, again]


def test_while_everything_is_held_nobody_is_told(lab: Lab, clock: ManualClock) -> None:
    with central(lab, clock) as (stage, _):
        push(lab, "all: the network is being rebuilt\n", path="policies/HOLD")
        push(lab, "service: [")
        stage.sweeper.sweep()
        assert comments(lab) == []
        assert stage.look_after(1).judgements
        push(lab, None, path="policies/HOLD")
        stage.sweeper.sweep()
        assert len(comments(lab)) == 1


def test_a_file_hold_in_the_repository_stops_everything_where_all_policies_are_broken_too(
    lab: Lab, clock: ManualClock
) -> None:
    with central(lab, clock) as (stage, _):
        live(stage)
        push(lab, "all: the network is being rebuilt\n", path="policies/HOLD")
        push(lab, "service: [")
        pass_window(stage)
        stage.sweeper.sweep()
        decision = stage.look_after(1)
        assert the_judgement(decision, "production", "candidate").state is State.HELD_BY_HUMAN
        assert not lab.has_tag("checkout", "production", "1.9.0")


@pytest.mark.invariant("I5")
def test_a_policies_repository_that_cannot_be_fetched_is_told_and_the_last_commit_stays_in_force(
    lab: Lab, clock: ManualClock
) -> None:
    with central(lab, clock) as (stage, settings):
        at = head(lab)
        live(stage)
        lab.github.fail_next("*", f"/{POLICIES}.git/*", status=503, times=10_000)
        pass_window(stage)
        merged(stage)
        shown = printed(settings, "status")
        assert "acme/policies: cannot be read: git: " in shown
        assert f"in force is what was fetched last, acme/policies@{at[:7]}" in " ".join(shown.split())
    with a_stage(lab, clock, settings) as stage:
        # Killed meanwhile: the mirror has what was fetched before.
        assert decision_for(stage.sweeper.sweep(), "checkout").judgements


def test_where_nothing_was_ever_fetched_each_sweep_says_so_and_decides_nothing(lab: Lab, clock: ManualClock) -> None:
    with central(lab, clock) as (stage, settings):
        lab.github.fail_next("*", f"/{POLICIES}.git/*", status=503, times=10_000)
        for _ in range(2):
            (report,) = stage.sweeper.sweep()
            assert report.subject == POLICIES
            assert "nothing has been fetched yet, so that nothing is decided" in str(report.error)
        assert "acme/policies: halted: git: " in printed(settings, "status")
        assert "error: 503" in printed(settings, "hold", "checkout", "--reason", "invoices")
        assert "Whether a file HOLD stops it could not be found out" in printed(settings, "resume", "--all")


def test_commands_read_the_policies_of_the_repository(lab: Lab, clock: ManualClock) -> None:
    with central(lab, clock) as (stage, settings):
        stage.sweeper.sweep()
        assert "nothing moves into checkout" in printed(settings, "hold", "checkout/production", "--reason", "invoices")
        assert "there are: checkout" in printed(settings, "hold", "web", "--reason", "invoices")
        push(lab, "all: lunch\n", path="policies/HOLD")
        assert "But HOLD, line 1 holds everything: lunch." in printed(settings, "resume", "checkout/production")
        assert "from the folder policies of acme/policies (branch main), not from this machine" in printed(
            settings, "policy", "check"
        )


@pytest.mark.invariant("I17")
def test_policies_in_the_gitops_repository_itself_are_never_changed_or_merged_by_the_bot(
    lab: Lab, clock: ManualClock
) -> None:
    lab.github.commit_as(DEVELOPER, GITOPS, "main", {FILE: policy_text(lab)}, "Add the policy")
    with a_stage(lab, clock, settings_from_git(lab, repository=GITOPS)) as stage:
        pull = live(stage)
        weaker = policy_text(lab).replace("limit: 1%", "limit: 99%")
        assert weaker != policy_text(lab)
        lab.github.commit_as(DEVELOPER, GITOPS, pull.head, {FILE: weaker}, "Weaken the gate on the way")
        pass_window(stage)
        for _ in range(4):
            stage.look_after(1)
        assert not lab.has_tag("checkout", "production", "1.9.0")
        assert lab.github.read(GITOPS, "main", FILE) == policy_text(lab)


def test_a_github_app_reads_the_policies_with_its_own_tokens(lab: Lab, clock: ManualClock) -> None:
    by_token = settings_from_git(lab).read_text(encoding="utf-8")
    path = settings_of_app(lab)
    text = path.read_text(encoding="utf-8").replace(f'policies = "{lab.directory}/policies"\n', "")
    path.write_text(f"{text}\n[policies]{by_token.partition('[policies]')[2]}", encoding="utf-8")
    with a_stage(lab, clock, path) as stage:
        live(stage)
        broke = push(lab, "service: [")
        stage.sweeper.sweep()
        assert [commit for commit, _ in comments(lab)] == [broke]


def test_the_name_of_a_file_acts_on_no_terminal_and_in_no_comment(lab: Lab, clock: ManualClock) -> None:
    with central(lab, clock) as (stage, settings):
        push(lab, "service: [", path="policies/\x1b[31m<b>@dana`.yaml")
        stage.sweeper.sweep()
        ((_, body),) = comments(lab)
        assert "\x1b" not in body + printed(settings, "status")
        assert "``[31m<b>@dana`.yaml``" in body
