"""What the bot sends and what the lab answers conform to the published descriptions, in whole stories."""

from __future__ import annotations

from bot.lab.cluster import Behaviour
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS
from tests.contract.conformance import ARGOCD, GITHUB
from tests.stage import Stage


def assert_conforms(stage: Stage) -> None:
    rest = [item for item in stage.lab.github.exchanges if item.path.startswith("/api/v3/")]
    violations = [said for item in rest for said in GITHUB.violations(item)]
    violations += [said for item in stage.lab.argocd_wire.exchanges for said in ARGOCD.violations(item)]
    assert sorted(set(violations)) == []


def seen(stage: Stage) -> set[str]:
    """Method and last part of each REST path, without numbers."""
    rest = [item for item in stage.lab.github.exchanges if item.path.startswith("/api/v3")]
    return {f"{item.method} {item.path.rstrip('0123456789/').rsplit('/', 1)[-1]}" for item in rest}


def test_a_promotion_and_its_rollback_conform(stage: Stage) -> None:
    failing = Behaviour(requests_per_second=100.0, error_ratio=0.2)
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=failing)
    stage.play_until("checkout", lambda _: any("Liftlock-Reverts" in message for message in stage.lab.messages()))
    stage.play(3)
    assert seen(stage) >= {"POST pulls", "PUT merge", "POST comments", "PATCH comments", "GET reviews", "GET user"}
    assert stage.lab.argocd_wire.exchanges
    assert_conforms(stage)


def test_a_rejection_a_rollback_by_pull_request_and_a_withdrawal_conform(stage: Stage) -> None:
    path = stage.lab.directory / "policies" / "checkout.yaml"
    path.write_text(path.read_text().replace("merge: auto", "merge: human"))
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD)
    stage.play_until("checkout", lambda _: bool(stage.lab.pulls("checkout")))
    stage.lab.github.review_as("alice", GITOPS, 1, "APPROVED")
    stage.lab.github.set_status(GITOPS, stage.lab.pulls("checkout")[0].head_sha, "ci/lint", "success")
    stage.lab.github.add_check_run(GITOPS, stage.lab.pulls("checkout")[0].head_sha, "build")
    stage.play(3)
    stage.lab.release("checkout", "1.9.1", in_staging=GOOD)
    stage.play_until("checkout", lambda _: not stage.lab.pulls("checkout")[0].is_open)
    stage.play_until("checkout", lambda _: len(stage.lab.pulls("checkout")) == 2)
    stage.lab.github.close_pull(GITOPS, 2, "alice")
    stage.play(2)
    assert seen(stage) >= {"PATCH pulls", "GET status", "GET check-runs", "GET issues"}
    assert_conforms(stage)
