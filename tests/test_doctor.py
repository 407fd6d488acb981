"""What the doctor makes of facts: each mark with its remedy, and one failing check that stops no other."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.adapters.examination import ArgoFacts, PrometheusFacts
from bot.adapters.github.credentials import PERMISSIONS
from bot.adapters.github.facts import (
    AppFacts,
    DeliveryFacts,
    HookFacts,
    InstallationFacts,
    LimitFacts,
    RepositoryFacts,
    UserFacts,
)
from bot.doctor import Check, Finding, Mark, Wanted, run_checks
from bot.doctor.branches import Branch, judge_branch, judge_repository, judge_source
from bot.doctor.findings import judge_skew, ok
from bot.doctor.hooks import OPTIONAL_EVENTS, judge_hook, judge_no_hook
from bot.doctor.identity import (
    judge_app,
    judge_installations,
    judge_limits,
    judge_permissions,
    judge_rights,
    judge_user,
    needed_permissions,
)
from bot.doctor.policies import judge_policies_branch, judge_policies_repository
from bot.doctor.systems import (
    judge_argocd,
    judge_artifact,
    judge_data_sources,
    judge_files,
    judge_git,
    judge_prometheus,
    judge_state,
)
from bot.domain.argo import NamedApplication
from bot.domain.model import Artifact, Digest
from bot.domain.observation import ForgeFacts
from bot.domain.policy import Approvals, AutoMerge, Merge, Policy, ProofsIn, Proposing, Road, Rollback
from bot.domain.pulls import MergeMethod, MergeRules, RequiredCheck
from bot.ports import Permanent
from bot.settings import SettingsError
from bot.web.deliveries import WAKING_EVENTS
from tests.builders import a_policy

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MANIFEST = Path(__file__).parents[1] / "deploy" / "github" / "app-manifest.json"
CHECK = "liftlock/production"
BOUND = RequiredCheck(name=CHECK, app_id=7)
OPEN = MergeRules(required_checks=(BOUND,), may_arm=True)
APP = AppFacts(id=7, slug="liftlock", url="https://github.com/apps/liftlock", permissions={}, events=WAKING_EVENTS)
INSTALLED = InstallationFacts(id=1, account="acme", url="https://x/1", permissions=PERMISSIONS, is_suspended=False)
WANTED = Wanted(is_taken=True, events=WAKING_EVENTS)
HOOK = HookFacts(url="https://bot.acme.example/webhooks/github", is_active=True, events=WAKING_EVENTS)
REPOSITORY = RepositoryFacts(
    name="acme/deploy",
    default_branch="main",
    is_archived=False,
    rights={"push": True, "pull": True},
    methods=tuple(MergeMethod),
    may_arm=True,
    deletes_branches=False,
)


def marks(findings: Sequence[Finding]) -> list[Mark]:
    return [one.mark for one in findings]


def only(findings: Sequence[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


# --- running ---------------------------------------------------------------------------------------------------------


def test_a_check_that_fails_hangs_or_has_a_bug_stops_no_other() -> None:
    never = threading.Event()

    def refuse() -> list[Finding]:
        raise Permanent("GitHub", "the token is not valid")

    def misread() -> list[Finding]:
        raise SettingsError("the secret file x is empty")

    def hang() -> list[Finding]:
        never.wait(60)
        return []

    checks = [
        Check(name="first", look=refuse, remedy="make a new one"),
        Check(name="second", look=lambda: [ok("second", str(1 // 0))]),
        Check(name="third", look=hang),
        Check(name="fourth", look=misread),
        Check(name="fifth", look=lambda: [ok("fifth", "fine")]),
    ]
    found = run_checks(checks, timedelta(seconds=2))
    never.set()
    assert [one.check for one in found] == ["first", "second", "third", "fourth", "fifth"]
    assert marks(found) == [Mark.FAILED, Mark.FAILED, Mark.FAILED, Mark.FAILED, Mark.OK]
    assert found[0].remedy == "make a new one"
    assert "ZeroDivisionError" in found[1].found
    assert "did not end within 2 s" in found[2].found


@pytest.mark.parametrize(
    ("seconds", "mark", "word"),
    [
        (0, Mark.OK, ""),
        (5, Mark.OK, ""),
        (6, Mark.WARNING, "behind"),
        (-30, Mark.WARNING, "ahead"),
        (31, Mark.FAILED, "behind"),
    ],
)
def test_a_clock_may_be_off_by_five_seconds_and_must_not_be_by_more_than_thirty(
    seconds: int, mark: Mark, word: str
) -> None:
    found = judge_skew("clock", timedelta(seconds=seconds))
    assert found.mark is mark
    assert word in found.found


# --- who the bot is --------------------------------------------------------------------------------------------------


def test_the_manifest_asks_for_exactly_what_the_tokens_are_narrowed_to_and_what_the_doctor_wants() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    assert manifest["default_permissions"] == dict(PERMISSIONS)
    assert manifest["default_permissions"] == dict(needed_permissions([a_policy()], ("statuses", "deployments")))
    assert set(manifest["default_events"]) == WAKING_EVENTS - OPTIONAL_EVENTS
    assert not {area for area in manifest["default_permissions"] if area.startswith(("administration", "workflows"))}


def test_deployments_are_needed_only_where_they_are_told_and_members_only_where_teams_approve() -> None:
    assert "deployments" not in needed_permissions([a_policy()], ("statuses",))
    policy = a_policy()
    stages = tuple(replace(one, proposing=Proposing(approvers=("@acme/release",))) for one in policy.stages)
    needed = needed_permissions([replace(policy, stages=stages)], ())
    assert needed["members"] == "read"
    asking = Proposing(approvals=Approvals(need=1, people=("@dana", "@acme/release")))
    stages = tuple(replace(one, proposing=asking) for one in policy.stages)
    assert needed_permissions([replace(policy, stages=stages)], ())["members"] == "read"
    assert "members" not in needed_permissions([policy], ())


def test_attestations_are_needed_only_where_proofs_are_looked_for_at_github() -> None:
    policy = a_policy()
    assert "attestations" not in needed_permissions([policy], ())
    stages = (policy.stages[0], replace(policy.stages[1], proofs_in=(ProofsIn.REGISTRY, ProofsIn.GITHUB)))
    assert needed_permissions([replace(policy, stages=stages)], ())["attestations"] == "read"


def test_permissions_that_are_missing_fail_and_those_beyond_need_are_named() -> None:
    granted = {**PERMISSIONS, "statuses": "read", "administration": "write"}
    missing, more = judge_permissions(replace(INSTALLED, permissions=granted), PERMISSIONS)
    assert (missing.mark, missing.found) == (Mark.FAILED, "not granted: statuses: write")
    assert INSTALLED.url in missing.remedy
    assert (more.mark, more.found) == (Mark.WARNING, "granted beyond need: administration: write")
    assert only(judge_permissions(INSTALLED, PERMISSIONS)).mark is Mark.OK


def test_an_app_must_be_installed_where_tags_stand_and_should_be_where_the_source_is() -> None:
    found = judge_installations(APP, {"acme/deploy": None, "acme/checkout": None}, {"acme/checkout"})
    assert marks(found) == [Mark.FAILED, Mark.WARNING]
    assert "https://github.com/apps/liftlock/installations/new" in found[0].remedy
    suspended = judge_installations(APP, {"acme/deploy": replace(INSTALLED, is_suspended=True)}, ())
    assert only(suspended).found == "liftlock is suspended on acme"


def test_a_key_of_another_app_is_told() -> None:
    assert judge_app(APP, 7).mark is Mark.OK
    assert judge_app(APP, 8).mark is Mark.FAILED


def test_a_token_is_told_with_its_owner_and_warned_of_before_it_expires() -> None:
    user = UserFacts(login="lift-bot", expires_at=None, scopes=None)
    assert only(judge_user(user, NOW)).mark is Mark.OK
    assert only(judge_user(replace(user, expires_at=NOW + timedelta(days=30)), NOW)).mark is Mark.OK
    soon = only(judge_user(replace(user, expires_at=NOW + timedelta(days=3)), NOW))
    assert (soon.mark, soon.found) == (Mark.WARNING, "a token of lift-bot, valid until 2026-03-05 only")
    assert Mark.WARNING in marks(judge_user(replace(user, scopes=("repo",)), NOW))


@pytest.mark.parametrize(
    ("rights", "mark"),
    [
        ({"pull": True}, Mark.FAILED),
        ({"pull": True, "push": True}, Mark.OK),
        ({"push": True, "admin": True}, Mark.WARNING),
    ],
    ids=["read", "write", "admin"],
)
def test_a_token_needs_the_role_write_and_no_more(rights: dict[str, bool], mark: Mark) -> None:
    assert judge_rights(replace(REPOSITORY, rights=rights), "lift-bot", is_source=False).mark is mark


@pytest.mark.parametrize(("left", "mark"), [(5000, Mark.OK), (499, Mark.WARNING), (0, Mark.FAILED)])
def test_limits_are_warned_of_below_a_tenth(left: int, mark: Mark) -> None:
    found = judge_limits("acme", {"core": LimitFacts(limit=5000, remaining=left, reset=NOW)})
    assert found.mark is mark
    assert f"core {left:,} of 5,000" in found.found


# --- repositories ----------------------------------------------------------------------------------------------------


def proposing(proposal: Proposing, merge: Merge = Merge.HUMAN) -> Policy:
    """A policy that promotes to its later stages in this way, and rolls nothing back."""
    policy = a_policy()
    stages = tuple(replace(one, proposing=proposal, merge=merge, rollback=None) for one in policy.stages)
    return replace(policy, stages=stages)


def branch(policy: Policy, rules: MergeRules = OPEN, *, own: int | None = 7, may_bypass: bool = False) -> Branch:
    forge = ForgeFacts(rules=rules, own_app_id=own)
    return Branch(repository="acme/deploy", name="main", forge=forge, policies=[policy], may_bypass=may_bypass)


def test_a_branch_that_fits_its_policies_is_said_in_one_line() -> None:
    found = only(judge_branch(branch(proposing(Proposing()))))
    assert (found.mark, found.remedy) == (Mark.OK, "")
    assert found.found == "requires liftlock/production; merges by merge, squash, rebase"


def test_a_check_that_nobody_requires_is_a_warning_and_one_of_another_app_fails() -> None:
    found = only(judge_branch(branch(proposing(Proposing()), MergeRules())))
    assert found.mark is Mark.WARNING
    assert "main does not require liftlock/production" in found.found
    foreign = replace(OPEN, required_checks=(RequiredCheck(name=CHECK, app_id=99),))
    found = only(judge_branch(branch(proposing(Proposing()), foreign)))
    assert found.mark is Mark.FAILED
    assert "must come from the App 99" in found.found
    assert "the App 7" in found.remedy


# auto_merge | the check is required | of this app | allowed | the doctor says
# -----------|-----------------------|-------------|---------|----------------
# bound      | yes                   | yes         | yes     | nothing
# bound      | yes                   | of any      | yes     | failed
# bound      | yes                   | yes         | no      | failed
# any        | yes                   | of any      | yes     | nothing
# any        | yes                   | yes         | no      | warning
@pytest.mark.parametrize(
    ("wanted", "app_id", "may_arm", "sentence"),
    [
        (AutoMerge.BOUND, 7, True, ""),
        (AutoMerge.BOUND, None, True, "auto-merge is not used: the check liftlock/production is not bound to this app"),
        (AutoMerge.BOUND, 7, False, "the repository does not allow auto-merge"),
        (AutoMerge.ANY, None, True, ""),
        (AutoMerge.ANY, 7, False, "the repository does not allow auto-merge"),
    ],
)
def test_auto_merge_is_refused_in_the_decisions_own_words(
    wanted: AutoMerge, app_id: int | None, may_arm: bool, sentence: str
) -> None:
    rules = MergeRules(required_checks=(RequiredCheck(name=CHECK, app_id=app_id),), may_arm=may_arm)
    found = only(judge_branch(branch(proposing(Proposing(auto_merge=wanted)), rules)))
    assert found.found.endswith(sentence)
    expected = Mark.OK if not sentence else Mark.FAILED if wanted is AutoMerge.BOUND else Mark.WARNING
    assert found.mark is expected


def test_a_merge_method_that_is_not_allowed_fails_unless_a_queue_chooses() -> None:
    rules = replace(OPEN, methods=(MergeMethod.SQUASH,))
    policy = proposing(Proposing(method=MergeMethod.REBASE))
    found = only(judge_branch(branch(policy, rules)))
    assert found.mark is Mark.FAILED
    assert "promote.method: rebase of checkout/production is not allowed; allowed: squash" in found.found
    assert only(judge_branch(branch(policy, replace(rules, has_queue=True)))).mark is Mark.OK
    assert only(judge_branch(branch(policy, replace(OPEN, methods=())))).mark is Mark.FAILED


def test_required_reviews_make_an_automatic_merge_wait_for_a_person() -> None:
    rules = replace(OPEN, approvals=2)
    found = only(judge_branch(branch(proposing(Proposing(), Merge.AUTO), rules)))
    assert found.mark is Mark.WARNING
    assert "main requires 2 reviews" in found.found
    assert only(judge_branch(branch(proposing(Proposing()), rules))).mark is Mark.OK


def test_direct_commits_need_a_branch_that_takes_them() -> None:
    closed = replace(OPEN, takes_pushes=False)
    found = only(judge_branch(branch(proposing(Proposing(by=Road.COMMIT)), closed)))
    assert found.mark is Mark.FAILED
    assert "promote.by: commit of checkout/production halts" in found.found
    policy = proposing(Proposing())
    rollback = Rollback(watch=timedelta(minutes=1), by=Road.COMMIT, triggers=())
    policy = replace(policy, stages=(*policy.stages[:-1], replace(policy.stages[-1], rollback=rollback)))
    found = only(judge_branch(branch(policy, closed)))
    assert "rollback.by: commit of checkout/production fails" in found.found
    assert "bypass list" in found.remedy
    assert only(judge_branch(branch(policy, closed, may_bypass=True))).mark is Mark.OK


def test_a_repository_must_be_there_and_not_archived() -> None:
    assert judge_repository("acme/deploy", REPOSITORY).mark is Mark.OK
    assert judge_repository("acme/deploy", None).mark is Mark.FAILED
    assert judge_repository("acme/deploy", replace(REPOSITORY, is_archived=True)).mark is Mark.FAILED
    moved = judge_repository("acme/old", REPOSITORY)
    assert moved.mark is Mark.WARNING
    assert "it is called acme/deploy now" in moved.found
    assert judge_source("acme/deploy", None).mark is Mark.WARNING
    assert judge_source("acme/deploy", replace(REPOSITORY, is_archived=True)).mark is Mark.WARNING


# --- webhooks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "deliveries", "wanted", "word"),
    [
        (HOOK, DeliveryFacts(seen=30, failed=0, newest="OK"), WANTED, "they go to bot.acme.example"),
        (replace(HOOK, events=frozenset({"*"})), None, WANTED, "they go to"),
        (HOOK, DeliveryFacts(seen=30, failed=2, newest="Invalid HTTP Response: 401"), WANTED, "2 of the newest 30"),
        (replace(HOOK, events=WAKING_EVENTS - {"merge_group"}), None, WANTED, "they go to"),
        (replace(HOOK, is_active=False), None, WANTED, "switched off"),
        (replace(HOOK, url="https://bot.acme.example/hooks"), None, WANTED, "another path"),
        (replace(HOOK, events=WAKING_EVENTS - {"push"}), None, WANTED, "is not told of push"),
        (HOOK, None, Wanted(is_taken=False, events=WAKING_EVENTS), "the settings take none"),
    ],
)
def test_a_webhook_is_ok_when_it_wakes_and_else_a_warning(
    hook: HookFacts, deliveries: DeliveryFacts | None, wanted: Wanted, word: str
) -> None:
    found = judge_hook("webhooks", hook, deliveries, wanted)
    assert word in found.found
    assert found.mark is (Mark.OK if "they go to" in word else Mark.WARNING)


def test_without_webhooks_polling_is_enough() -> None:
    found = judge_no_hook("webhooks", replace(WANTED, is_taken=False))
    assert (found.mark, found.found) == (Mark.WARNING, "none configured")
    assert found.remedy.startswith("polling alone is enough")


# --- the other systems -----------------------------------------------------------------------------------------------


def test_prometheus_must_answer_one() -> None:
    facts = PrometheusFacts(version="2.53.0", answers=True, skew=timedelta())
    assert marks(judge_prometheus("prometheus", facts)) == [Mark.OK, Mark.OK]
    assert only(judge_prometheus("prometheus", replace(facts, answers=False))).mark is Mark.FAILED
    slow = replace(facts, skew=timedelta(minutes=-1))
    assert marks(judge_prometheus("prometheus", slow)) == [Mark.OK, Mark.FAILED]
    named = judge_prometheus("eu", facts)
    assert [one.check for one in named] == ["Prometheus eu", "clock of Prometheus eu"]
    assert "prometheus_servers.eu.url" in only(judge_prometheus("eu", replace(facts, answers=False))).remedy


def test_data_sources_that_only_policies_name_are_told_with_the_services() -> None:
    found = only(judge_data_sources({"eu": {"shop", "cart"}, "kafka": {"shop"}}, {}))
    assert found.mark is Mark.FAILED
    assert found.found.startswith("the settings do not name eu (for cart, shop), kafka (for shop); ")
    assert "[prometheus_servers.NAME]" in found.remedy


def test_services_that_no_tenant_of_a_source_names_are_told() -> None:
    found = only(judge_data_sources({}, {"prometheus": {"shop"}}))
    assert (found.mark, found.found) == (
        Mark.FAILED,
        "no tenant is named at prometheus (for shop); no query of theirs is sent",
    )
    assert judge_data_sources({}, {}) == []
    assert marks(judge_data_sources({"eu": {"shop"}}, {"prometheus": {"shop"}})) == [Mark.FAILED, Mark.FAILED]


def test_argocd_tells_whose_the_token_is_and_which_applications_it_does_not_see() -> None:
    item = {"metadata": {"name": "checkout-staging", "namespace": "argocd"}}
    facts = ArgoFacts(version="v3.1.8", username="liftlock", applications=(item,))
    there, gone = NamedApplication(name="checkout-staging"), NamedApplication(name="checkout-production")
    assert only(judge_argocd("argocd", facts, [there, there])).mark is Mark.OK
    found = only(judge_argocd("argocd", facts, [there, gone]))
    assert found.mark is Mark.WARNING
    assert "it sees 1 of the policies' 2 applications, not checkout-production" in found.found
    found = only(judge_argocd("edge", replace(facts, username=None), [there]))
    assert (found.check, found.mark) == ("Argo CD edge", Mark.FAILED)
    assert "argocd_servers.edge.token_file" in found.remedy


def test_a_registry_that_is_not_configured_is_a_warning_with_the_section_to_write() -> None:
    image = "ghcr.io/acme/checkout"
    found = judge_artifact("registry ghcr.io", image, None)
    assert found.mark is Mark.WARNING
    assert '[registries."ghcr.io"]' in found.remedy
    artifact = Artifact(digest=Digest(f"sha256:{'a' * 64}"), revision=None)
    assert judge_artifact("registry ghcr.io", image, artifact).mark is Mark.OK


@pytest.mark.parametrize(
    ("version", "by_ssh", "mark"),
    [
        (None, False, Mark.FAILED),
        ((2, 30), False, Mark.FAILED),
        ((2, 31), False, Mark.OK),
        ((2, 31), True, Mark.FAILED),
    ],
)
def test_git_must_be_new_enough_for_what_is_asked_of_it(
    version: tuple[int, int] | None, by_ssh: bool, mark: Mark
) -> None:
    assert judge_git(version, signs_by_ssh=by_ssh).mark is mark


def test_the_state_directory_must_be_writable_and_have_room(tmp_path: Path) -> None:
    assert marks(judge_state(tmp_path, is_writable=True, free=10**12)) == [Mark.OK, Mark.OK]
    assert marks(judge_state(tmp_path, is_writable=True, free=10**9)) == [Mark.OK, Mark.WARNING]
    assert marks(judge_state(tmp_path, is_writable=True, free=10**7)) == [Mark.OK, Mark.FAILED]
    assert marks(judge_state(tmp_path, is_writable=False, free=10**12)) == [Mark.FAILED]


def test_files_that_are_missing_fail_and_a_sample_says_that_it_is_one() -> None:
    assert judge_files("files", ["a.yaml"], 2, 2).mark is Mark.FAILED
    assert (
        judge_files("files", [], 20, 3000).found
        == "all 20 files of the policies are there that were looked at, of 3,000 named"
    )


# --- the repository of the policies ----------------------------------------------------------------------------------


def test_the_repository_of_the_policies_must_be_there_under_its_name() -> None:
    found = replace(REPOSITORY, name="acme/policies", is_archived=False)
    assert judge_policies_repository("acme/policies", found).mark is Mark.OK
    assert judge_policies_repository("acme/policies", None).mark is Mark.FAILED
    assert judge_policies_repository("acme/policies", replace(found, is_archived=True)).mark is Mark.WARNING
    moved = judge_policies_repository("acme/old", found)
    assert (moved.mark, moved.found) == (Mark.WARNING, "it is called acme/policies now")


def test_a_branch_of_policies_must_take_changes_by_reviewed_pull_requests_only() -> None:
    open_to_all = judge_policies_branch("acme/policies", "main", MergeRules(takes_pushes=True))
    assert (open_to_all.mark, "direct pushes" in open_to_all.found) == (Mark.WARNING, True)
    alone = judge_policies_branch("acme/policies", "main", MergeRules(takes_pushes=False))
    assert (alone.mark, "demands no review" in alone.found) == (Mark.WARNING, True)
    reviewed = judge_policies_branch("acme/policies", "main", MergeRules(takes_pushes=False, approvals=2))
    assert (reviewed.mark, reviewed.found) == (Mark.OK, "the policies change by pull request, with 2 reviews")
