"""The real bot against the lab over real sockets, with time under control: people, faults, dry runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from typer.testing import CliRunner, Result

from bot.cli.app import app
from bot.compose.whole import compose
from bot.domain.decision import Decision, State
from bot.domain.trailers import parse_trailers
from bot.lab.clock import ManualClock
from bot.lab.cluster import Behaviour
from bot.lab.github.nouns import MergeRequest
from bot.lab.stories import GOOD
from bot.lab.world import BRANCH, GITOPS, Lab
from bot.settings import load_settings
from tests.stage import STEP, Stage, a_bot, decision_for, judgement

FAILING = Behaviour(requests_per_second=100.0, error_ratio=0.2)


def has_pull(lab: Lab) -> bool:
    return bool(lab.pulls("checkout"))


def is_promoted(lab: Lab) -> bool:
    return lab.has_tag("checkout", "production", "1.9.0")


def is_reverted(lab: Lab) -> bool:
    return any("Liftlock-Reverts" in message for message in lab.messages())


def candidate_state(decision: Decision) -> State | None:
    found = judgement(decision, "production", "candidate")
    return None if found is None else found.state


def use_policy(lab: Lab, *, merge: str = "auto", rollback: str = "commit") -> None:
    path = lab.directory / "policies" / "checkout.yaml"
    text = path.read_text().replace("merge: auto", f"merge: {merge}").replace("by: commit", f"by: {rollback}")
    path.write_text(text)


def is_ready(lab: Lab) -> bool:
    pulls = lab.pulls("checkout")
    return bool(pulls) and not pulls[-1].draft


def proposed(stage: Stage, *, merge: str = "human") -> None:
    """1.9.0 has passed staging and its pull request is ready."""
    use_policy(stage.lab, merge=merge)
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play_until("checkout", lambda _: is_ready(stage.lab))


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I14")
def test_the_promotion_changes_one_value_and_carries_the_trailers(stage: Stage) -> None:
    before = stage.lab.text("checkout", "production")
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play_until("checkout", lambda _: is_promoted(stage.lab))
    assert stage.lab.text("checkout", "production") == before.replace("1.8.2", "1.9.0")
    newest = parse_trailers(stage.lab.messages()[0])
    assert newest is not None
    digest = "@sha256:"
    assert (newest.service, newest.stage, newest.promotes) == ("checkout", "production", "staging -> production")
    assert newest.release.startswith(f"ghcr.io/acme/checkout:1.9.0{digest}")


def test_the_pull_request_shows_the_move_and_the_evidence(stage: Stage) -> None:
    proposed(stage)
    stage.play(3)
    pull = stage.lab.pulls("checkout")[0]
    body = pull.body or ""
    assert pull.title == "Promote checkout to production: 1.8.2 → 1.9.0"
    assert "sha256:" in body
    assert f"{stage.lab.github.url}/acme/checkout/compare/" in body
    assert "http-latency" in body
    assert {comment.author.login for comment in pull.comments} == {stage.lab.github.bot_login}


def test_the_comment_is_edited_in_place_and_never_repeated(stage: Stage) -> None:
    proposed(stage, merge="auto")
    stage.play(30)
    assert len(stage.lab.pulls("checkout")[0].comments) == 1


def test_a_look_alike_comment_of_a_person_is_left_alone(stage: Stage) -> None:
    proposed(stage)
    forged = "<!-- liftlock:evidence -->\nAll is well, merge me."
    stage.lab.github.comment_as("mallory", GITOPS, 1, forged)
    use_policy(stage.lab)
    stage.play(5)
    assert [item.body for item in stage.lab.pulls("checkout")[0].comments if item.author.login == "mallory"] == [forged]


# --- people ----------------------------------------------------------------------------------------------------------


def test_a_person_may_merge_the_pull_request_and_the_release_is_watched_all_the_same(stage: Stage) -> None:
    use_policy(stage.lab, merge="human")
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    stage.play_until("checkout", lambda _: is_ready(stage.lab))
    stage.lab.github.merge_pull(GITOPS, 1, "alice")
    stage.play_until("checkout", lambda _: is_reverted(stage.lab))
    assert stage.lab.has_tag("checkout", "production", "1.8.2")


def test_a_squash_by_a_person_keeps_the_origin_of_the_promotion(stage: Stage) -> None:
    use_policy(stage.lab, merge="human")
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    stage.play_until("checkout", lambda _: is_ready(stage.lab))
    message = stage.lab.github.log(GITOPS, stage.lab.pulls("checkout")[0].head)[0].message.partition("\n")[2]
    request = MergeRequest(method="squash", message=message.strip())
    stage.lab.github.merge_pull(GITOPS, 1, "alice", request=request)
    stage.play_until("checkout", lambda _: is_reverted(stage.lab))


@pytest.mark.invariant("I7")
def test_a_closed_pull_request_rejects_the_release_for_good(stage: Stage) -> None:
    proposed(stage)
    stage.lab.github.close_pull(GITOPS, 1, "alice")
    decision = decision_for(stage.play(10), "checkout")
    assert candidate_state(decision) is State.REJECTED_BY_HUMAN
    assert len(stage.lab.pulls("checkout")) == 1


def test_requested_changes_hold_the_merge(stage: Stage) -> None:
    proposed(stage)
    stage.lab.github.review_as("alice", GITOPS, 1, "CHANGES_REQUESTED")
    use_policy_back = stage.lab.directory / "policies" / "checkout.yaml"
    use_policy_back.write_text(use_policy_back.read_text().replace("merge: human", "merge: auto"))
    decision = stage.play_until("checkout", lambda one: candidate_state(one) is State.WAITING_FOR_HUMAN)
    assert (
        "alice asked for changes"
        in (judgement(decision, "production", "candidate") or pytest.fail("no candidate")).reason
    )
    assert not is_promoted(stage.lab)


def test_a_red_check_holds_the_merge_and_a_green_one_lets_it_go(stage: Stage) -> None:
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play_until("checkout", lambda _: has_pull(stage.lab))
    head = stage.lab.pulls("checkout")[0].head_sha
    stage.lab.github.set_status(GITOPS, head, "ci/lint", "failure")
    stage.play_until("checkout", lambda one: candidate_state(one) is State.WAITING_FOR_CHECKS)
    stage.play(3)
    assert not is_promoted(stage.lab)
    stage.lab.github.set_status(GITOPS, head, "ci/lint", "success")
    stage.play_until("checkout", lambda _: is_promoted(stage.lab))


@pytest.mark.invariant("I7")
def test_a_push_by_a_person_to_the_branch_is_never_merged(stage: Stage) -> None:
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play_until("checkout", lambda _: has_pull(stage.lab))
    branch = stage.lab.pulls("checkout")[0].head
    pushed = stage.lab.github.commit_as("mallory", GITOPS, branch, {".github/CODEOWNERS": "* @mallory\n"}, "More")
    stage.play_until("checkout", lambda one: candidate_state(one) is State.HALTED)
    stage.play(3)
    assert not is_promoted(stage.lab)
    assert stage.lab.github.head(GITOPS, branch) == pushed


@pytest.mark.invariant("I16")
def test_a_newer_release_supersedes_the_open_pull_request(stage: Stage) -> None:
    proposed(stage)
    stage.lab.release("checkout", "1.9.1", in_staging=GOOD, in_production=GOOD)
    stage.play_until("checkout", lambda _: not stage.lab.pulls("checkout")[0].is_open)
    assert "1.9.1" in stage.lab.pulls("checkout")[0].comments[-1].body


def test_a_rollback_by_pull_request_goes_through_review_and_merge(stage: Stage) -> None:
    use_policy(stage.lab, rollback="pull-request")
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    stage.play_until(
        "checkout", lambda _: is_reverted(stage.lab) and stage.lab.has_tag("checkout", "production", "1.8.2")
    )
    titles = [pull.title for pull in stage.lab.pulls("checkout")]
    assert titles == [
        "Promote checkout to production: 1.8.2 → 1.9.0",
        'Revert "Promote checkout to production: 1.8.2 → 1.9.0"',
    ]


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/repos/*/pulls"),
        ("PUT", "/repos/*/merge"),
        ("POST", "/repos/*/comments"),
        ("DELETE", "/repos/*/git/refs/*"),
    ],
)
@pytest.mark.invariant("I15")
def test_an_answer_that_is_lost_after_the_write_leads_to_no_second_write(stage: Stage, method: str, path: str) -> None:
    stage.lab.github.fail_next(method, path, after_write=True)
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play_until("checkout", lambda _: is_promoted(stage.lab))
    stage.play(3)
    pulls = stage.lab.pulls("checkout")
    assert len(pulls) == 1
    assert len(pulls[0].comments) == 1
    promotions = [message for message in stage.lab.messages() if "(#1)" in message]
    assert len(promotions) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_github_that_fails_for_a_while_only_delays_the_promotion(stage: Stage, status: int) -> None:
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.lab.github.fail_next("*", "/repos/*", status, times=12)
    stage.play_until("checkout", lambda _: is_promoted(stage.lab))
    assert len(stage.lab.pulls("checkout")) == 1


def test_an_exhausted_rate_limit_is_said_and_waited_out(stage: Stage) -> None:
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play(5)
    stage.lab.github.limit_rate(0, stage.clock.now() + 25 * STEP)
    stage.play(24)
    assert not is_promoted(stage.lab)
    stage.play_until("checkout", lambda _: is_promoted(stage.lab))


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_an_argocd_that_refuses_is_explained_and_promotes_nothing(stage: Stage, status: int) -> None:
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.lab.argocd.fail_next("/api/v1/applications", status, times=100)
    decision = decision_for(stage.play(3), "checkout")
    staging = judgement(decision, "staging", "running")
    assert staging is not None
    assert staging.state is State.CANNOT_TELL
    assert "Argo CD" in staging.reason


@pytest.mark.invariant("I3")
def test_a_rolled_back_release_stays_out_after_the_ledger_is_lost(lab: Lab, clock: ManualClock) -> None:
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    with a_bot(lab, clock) as sweeper:
        Stage(lab, clock, sweeper).play_until("checkout", lambda _: is_reverted(lab))
    for file in (lab.directory / "state").glob("ledger.db*"):
        file.unlink()
    with a_bot(lab, clock) as sweeper:
        decision = decision_for(Stage(lab, clock, sweeper).play(40), "checkout")
    assert candidate_state(decision) is State.QUARANTINED
    assert len(lab.pulls("checkout")) == 1


@pytest.mark.invariant("I9")
def test_a_bot_that_was_down_during_the_window_catches_up(stage: Stage) -> None:
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    stage.play(6)
    stage.pass_time(30)
    stage.play_until("checkout", lambda _: has_pull(stage.lab), limit=3)


@pytest.mark.invariant("I10")
def test_two_bots_at_once_do_no_harm(lab: Lab, clock: ManualClock) -> None:
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    with a_bot(lab, clock) as one, a_bot(lab, clock) as other:
        for _ in range(70):
            Stage(lab, clock, one).play(1)
            other.sweep()
    assert len(lab.pulls("checkout")) == 1
    assert sum("Liftlock-Reverts" in message for message in lab.messages()) == 1
    assert lab.has_tag("checkout", "production", "1.8.2")


def test_a_protected_branch_that_refuses_the_revert_gets_it_by_a_pull_request(stage: Stage) -> None:
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
    stage.play_until("checkout", lambda _: is_promoted(stage.lab))
    stage.lab.github.protect(GITOPS, BRANCH, restrict_pushes=True)
    for _ in range(30):
        outcomes = [
            outcome for report in stage.play(1) for action, outcome in report.outcomes if action.kind == "roll back"
        ]
        if outcomes:
            break
    assert outcomes[0].startswith("opened the rollback #2, since the server does not let the bot push to main")
    assert "protected" in outcomes[0].lower()
    stage.play_until("checkout", lambda _: is_reverted(stage.lab))
    assert stage.lab.has_tag("checkout", "production", "1.8.2")
    assert all(pull.merged_at for pull in stage.lab.pulls("checkout"))


# --- dry run, many services ------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(lab: Lab, clock: ManualClock) -> None:
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    with a_bot(lab, clock) as sweeper:
        Stage(lab, clock, sweeper).play(4)
    for _ in range(25):
        clock.advance(lab.pace.sweep)
        lab.argocd.tick()
    before = (lab.github.branches(GITOPS), len(lab.pulls("checkout")), ledger_bytes(lab))
    with a_bot(lab, clock, dry_run=True) as sweeper:
        decision = decision_for(sweeper.sweep(), "checkout")
    assert "ready promotion" in [action.kind for action in decision.actions]
    assert (lab.github.branches(GITOPS), len(lab.pulls("checkout")), ledger_bytes(lab)) == before


def ledger_bytes(lab: Lab) -> bytes:
    return Path(lab.directory / "state" / "ledger.db").read_bytes()


def test_a_malformed_policy_halts_its_service_only(stage: Stage) -> None:
    (stage.lab.directory / "policies" / "broken.yaml").write_text("service: [\n")
    reports = {report.subject: report for report in stage.play(1)}
    assert "broken.yaml:2:1" in (reports["broken.yaml"].error or "")
    assert reports["checkout"].decision is not None


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("repository: acme/deploy", "repository: acme/missing", "acme/missing"),
        ("apps/checkout/production/values.yaml", "apps/checkout/nowhere.yaml", "apps/checkout/nowhere.yaml"),
        ("tag: image.tag", "tag: image.version", "image.version"),
        ("argocd: checkout-staging", "argocd: chekout-staging", "chekout-staging"),
    ],
)
def test_what_a_policy_names_and_the_world_does_not_have_is_said_in_one_sentence(
    stage: Stage, before: str, after: str, says: str
) -> None:
    path = stage.lab.directory / "policies" / "checkout.yaml"
    path.write_text(path.read_text().replace(before, after))
    stage.lab.release("checkout", "1.9.0")
    decision = decision_for(stage.play(2), "checkout")
    assert any(says in item.reason for item in decision.judgements)


@pytest.mark.invariant("I12")
def test_a_wrong_token_is_one_sentence_without_the_token(lab: Lab, clock: ManualClock) -> None:
    lab.release("checkout", "1.9.0")
    with a_bot(lab, clock) as sweeper:
        (lab.directory / "secrets" / "github").write_text("ghp_wrongwrongwrongwrongwrong")
        decision = decision_for(Stage(lab, clock, sweeper).play(1), "checkout")
    reasons = " ".join(item.reason for item in decision.judgements)
    assert "token" in reasons
    assert "ghp_" not in reasons


# --- as a GitHub App -------------------------------------------------------------------------------------------------


def write_settings_for_an_app(lab: Lab) -> Path:
    """Make the bot a GitHub App of the lab, and return its settings."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    lab.github.add_app(77, public.decode())
    settings = lab.write_settings(lab.directory / "liftlock.toml")
    key_file = lab.directory / "secrets" / "app.pem"
    key_file.write_bytes(private)
    token = f'token_file = "{lab.directory}/secrets/github"'
    settings.write_text(settings.read_text().replace(token, f'app_id = 77\nprivate_key_file = "{key_file}"'))
    return settings


def test_the_bot_works_as_a_github_app(lab: Lab, clock: ManualClock) -> None:
    settings = write_settings_for_an_app(lab)
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    with compose(load_settings(settings), clock=clock) as bot:
        Stage(lab, clock, bot.sweeper).play_until("checkout", lambda _: is_promoted(lab))
        Stage(lab, clock, bot.sweeper).play(2)
    pull = lab.pulls("checkout")[0]
    assert {pull.author.login, *(comment.author.login for comment in pull.comments)} == {"app-77[bot]"}


def test_a_promotion_may_be_a_commit_that_github_makes_and_signs(lab: Lab, clock: ManualClock) -> None:
    settings = write_settings_for_an_app(lab)
    policy = lab.directory / "policies" / "checkout.yaml"
    policy.write_text(policy.read_text().replace("branch: main}", "branch: main, commits: github}"))
    before = lab.text("checkout", "production")
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    with compose(load_settings(settings), clock=clock) as bot:
        Stage(lab, clock, bot.sweeper).play_until("checkout", lambda _: is_promoted(lab))
    subject = "Promote checkout to production: 1.8.2 -> 1.9.0"
    (commit,) = (one for one in lab.github.log(GITOPS, BRANCH) if one.message.splitlines()[0] == subject)
    assert commit.author.name == "app-77[bot]"
    assert parse_trailers(commit.message) is not None
    assert lab.text("checkout", "production") == before.replace("1.8.2", "1.9.0")


# --- evidence --------------------------------------------------------------------------------------------------------


def test_the_evidence_of_a_promotion_is_decided_again_from_its_trailer(lab: Lab, clock: ManualClock) -> None:
    settings = lab.write_settings(lab.directory / "liftlock.toml")
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    with compose(load_settings(settings), clock=clock) as bot:
        Stage(lab, clock, bot.sweeper).play_until("checkout", lambda _: is_promoted(lab))
    trailers = parse_trailers(lab.messages()[0])
    assert trailers is not None
    assert trailers.evidence is not None

    def replay(evidence: str) -> Result:
        return CliRunner().invoke(app, ["replay", evidence, "--config", str(settings)])

    same = replay(trailers.evidence)
    assert same.exit_code == 0, same.output
    assert same.stdout.startswith(f"{trailers.evidence}: decided at ")
    assert "checkout/staging: 1.9.0 runs: proven: " in same.stdout
    assert same.stdout.endswith("the same, byte for byte.\n")
    assert replay(trailers.evidence.removeprefix("sha256:")[:12]).stdout == same.stdout

    missing, nonsense = replay("0" * 64), replay("HEAD")
    assert (missing.exit_code, nonsense.exit_code) == (2, 2)
    assert "recorded decisions has the evidence" in missing.stderr
    assert "expected the hash of a Liftlock-Evidence trailer" in nonsense.stderr

    with sqlite3.connect(lab.directory / "state" / "ledger.db") as ledger:
        for (name,) in ledger.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            ledger.execute(f"drop trigger {name}")
        rows = ledger.execute("select id, body from events where kind = 'policy'").fetchall()
        for number, body in rows:
            ledger.execute("update events set body = ? where id = ?", (body.replace("0.01", "0.0001"), number))
    other = replay(trailers.evidence)
    assert other.exit_code == 1, other.output
    assert "something else comes out:" in other.stdout
