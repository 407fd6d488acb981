"""The truth table of liveness (DESIGN.md, section 5): each Application of `fixtures/argocd` and how it is judged.

Written from the design and the issue, not from the code. The laws at the end hold for all combinations of the fixtures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.argocd_application import MalformedItem
from bot.adapters.argocd_windows import why_blocked
from bot.domain.argo import Application, HealthSpell, Membership, Memory
from bot.domain.decide import decide
from bot.domain.decision import OpenPromotion
from bot.domain.liveness import Liveness, judge_liveness
from bot.domain.rules import SoakGate
from bot.domain.stance import Stance
from bot.lab.exchanges import Exchange
from tests.builders import (
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_count_gate,
    a_policy,
    a_stage,
    a_window,
    an_observation,
    samples,
    tags,
)
from tests.contract.conformance import ARGOCD
from tests.domain import argo_cases as cases
from tests.domain.argo_cases import ANCESTRY, EXPECTED, NAME, NOW, Item, Seen

LIVE, WAITING, CANNOT_TELL, UNHEALTHY = Stance.LIVE, Stance.WAITING, Stance.CANNOT_TELL, Stance.UNHEALTHY
FIXTURES = cases.fixture_names()
SEVERAL_SOURCES = tuple(name for name in FIXTURES if name.startswith("multi_source"))


def judged(*applications: Seen, memory: Memory | None = None) -> Liveness:
    return judge_liveness(applications, EXPECTED, ANCESTRY, NOW, memory or Memory())


# The rules that the table combines. "Has it" is: C or a descendant of C that still carries the tag.
#
#   compared        | last operation                  | health, images, conditions    | stance       | told
#   ----------------|---------------------------------|-------------------------------|--------------|------------------
#   has it          | succeeded at what has it        | Healthy, fresh, image listed  | LIVE         |
#   … OutOfSync     | "                               | "                             | LIVE         | OutOfSync, prune
#   is behind       | any                             | any, Degraded too             | WAITING      | how far behind
#   has another tag | any                             | any                           | WAITING      | the tag
#   is not known    | any                             | any                           | CANNOT_TELL  | not known
#   no source is ours                                                                 | CANNOT_TELL  | the sources
#   has it          | requested or running            | any, Degraded too             | WAITING      | Argo CD's message
#   has it          | failed at C, never synced       | any                           | UNHEALTHY    | the failure
#   has it          | failed at D, or again at C      | any                           | CANNOT_TELL  | the failure
#   has it          | failed or succeeded at B        | any                           | WAITING      | why no sync comes
#   has it          | succeeded at what has it        | reconciled before its end     | WAITING      | stale
#   has it          | "                               | Progressing, Suspended        | WAITING      | the health
#   has it          | "                               | Degraded, Missing             | UNHEALTHY    | the health
#   has it          | "                               | Unknown                       | CANNOT_TELL  | the health
#   has it          | "                               | other images only             | WAITING      | the image
#   any             | any                             | ComparisonError or the like   | CANNOT_TELL  | the condition
#   dry C not hydrated yet: under way is WAITING, failed is CANNOT_TELL               |              | hydration
#   not made, just made, being deleted                                                | WAITING      |
#   not answered                                                                      | CANNOT_TELL  | the trouble
#
# Each row: the fixture, its stance, and what the reason must say (patterns, whatever the case).
TABLE: Sequence[tuple[str, Stance, tuple[str, ...]]] = (
    # All of section 5 holds.
    ("live", LIVE, ()),
    ("live_v2_13", LIVE, ()),
    ("live_at_later_commit", LIVE, ()),
    ("live_at_later_commit_only", LIVE, ()),
    ("live_compared_later_commit", LIVE, ()),
    ("live_without_history", LIVE, ()),
    ("live_without_transition_time", LIVE, ()),
    ("live_two_images", LIVE, ()),
    ("image_with_digest", LIVE, ()),
    ("image_list_empty", LIVE, ()),
    ("warning_only", LIVE, ()),
    ("manual_sync_live", LIVE, ()),
    ("out_of_sync_after_success", LIVE, ("OutOfSync",)),
    ("prune_pending", LIVE, ("prun", "checkout-legacy")),
    # Rule 2: the compared revision.
    ("old_revision_just_after_push", WAITING, ("4be1c2a", "behind", "two|2")),
    ("behind", WAITING, ("4be1c2a", "behind")),
    ("behind_and_degraded", WAITING, ("4be1c2a", "behind")),
    ("revision_of_another_tag", WAITING, ("e60b94d", "tag")),
    ("revision_unknown", CANNOT_TELL, ("9f42d8c", "know")),
    ("compared_another_tag", WAITING, ("e60b94d", "tag")),
    ("compared_unknown_revision", CANNOT_TELL, ("9f42d8c", "know")),
    ("url_similar_repository", CANNOT_TELL, ("source|repositor",)),
    ("url_other_host", CANNOT_TELL, ("source|repositor",)),
    # Rule 3: the operation.
    ("operation_requested", WAITING, ("request|about to start|taken up|pending",)),
    ("operation_requested_when_live", WAITING, ("request|about to start|taken up|pending",)),
    ("operation_running", WAITING, ("running", "12:09:30")),
    ("operation_running_at_later_commit", WAITING, ("running",)),
    ("operation_blocked_by_sync_window", WAITING, ("sync window",)),
    ("operation_terminating", WAITING, ("terminat|stopped|running",)),
    ("hook_running", WAITING, ("hook batch/Job/migrate",)),
    ("sync_wave_running", WAITING, ("apps/Deployment/checkout-cache",)),
    ("failed_and_retrying", WAITING, ("retr|again", "memory limit of 1Gi")),
    ("failed", UNHEALTHY, ("fail", "memory limit of 1Gi")),
    ("failed_at_later_commit", CANNOT_TELL, ("fail", "later")),
    ("failed_at_later_commit_only", CANNOT_TELL, ("fail", "d83f5b0")),
    ("failed_again_at_same_commit", CANNOT_TELL, ("fail",)),
    ("failed_at_commit_before", WAITING, ("4be1c2a",)),
    ("operation_error_of_repo_server", CANNOT_TELL, ("connection refused",)),
    ("succeeded_of_commit_before", WAITING, ("4be1c2a",)),
    ("synced_unknown_revision", CANNOT_TELL, ("9f42d8c", "know")),
    ("dry_run_succeeded", WAITING, ()),
    ("partial_sync_succeeded", WAITING, ()),
    ("partial_sync_when_live", LIVE, ()),
    ("rolled_back_by_hand", WAITING, ("4be1c2a", "auto-sync is off")),
    ("never_synced", WAITING, ("never|auto-sync is off",)),
    ("never_synced_yet_synced", WAITING, ("never|no sync",)),
    # Rule 3: why no operation comes.
    ("auto_sync_absent", WAITING, ("auto-sync is off",)),
    ("auto_sync_disabled", WAITING, ("auto-sync is off",)),
    ("sync_policy_absent", WAITING, ("auto-sync is off",)),
    ("sync_window_blocks", WAITING, ("4be1c2a",)),
    # Rule 4: stale status.
    ("stale_reconciled_before_finish", WAITING, ("stale|refresh|reconciled|looked|before",)),
    ("stale_reconciled_at_finish", WAITING, ("stale|refresh|reconciled|looked|before",)),
    ("stale_and_degraded", WAITING, ("stale|refresh|reconciled|looked|before",)),
    # Rule 5: conditions and health.
    ("degraded", UNHEALTHY, ("Degraded",)),
    ("degraded_while_operation_runs", WAITING, ("running",)),
    ("progressing", WAITING, ("Progressing",)),
    ("suspended_rollout", WAITING, ("Suspended",)),
    ("suspended_cron_job", WAITING, ("Suspended",)),
    ("missing", UNHEALTHY, ("Missing",)),
    ("health_unknown", CANNOT_TELL, ("Unknown",)),
    ("comparison_error", CANNOT_TELL, ("ComparisonError", "kustomize build")),
    ("invalid_spec_error", CANNOT_TELL, ("InvalidSpecError", "not permitted")),
    # Rule 6: images.
    ("image_not_yet", WAITING, ("image",)),
    ("image_of_similar_name", WAITING, ("image",)),
    # Applications that come and go.
    ("just_created", WAITING, ()),
    ("just_created_empty_status", WAITING, ()),
    ("being_deleted", WAITING, ("delet",)),
    ("no application", WAITING, ("no such application|does not exist|not made|no application",)),
    ("no answer", CANNOT_TELL, ("no answer",)),
    # Several sources.
    ("multi_source_helm_values", LIVE, ()),
    ("multi_source_oci_chart", LIVE, ()),
    ("multi_source_helm_values_behind", WAITING, ("4be1c2a", "behind")),
    ("multi_source_last_sync_behind", WAITING, ("4be1c2a",)),
    ("multi_source_live_at_later_commit", LIVE, ()),
    ("multi_source_other_repository", LIVE, ()),
    ("multi_source_similar_repository", LIVE, ()),
    ("multi_source_pinned_and_branch", LIVE, ()),
    ("multi_source_pinned_and_branch_reversed", LIVE, ()),
    ("multi_source_pinned_and_branch_behind", WAITING, ("4be1c2a", "behind")),
    ("multi_source_pinned_and_head", LIVE, ()),
    ("multi_source_one_of_two_behind", WAITING, ("4be1c2a", "behind")),
    ("multi_source_four", LIVE, ()),
    # The source hydrator.
    ("hydrated_live", LIVE, ()),
    ("hydrating", WAITING, ("hydrat",)),
    ("hydration_failed", CANNOT_TELL, ("hydrat", "protected branch hook declined")),
    ("hydrated_sync_behind", WAITING, ("behind",)),
    ("hydrated_not_synced", WAITING, ("4be1c2a|1b7e0d5",)),
    ("hydrating_later_commit", LIVE, ()),
    # What a source tracks.
    ("target_tag", LIVE, ()),
    ("target_sha", LIVE, ()),
    ("target_head", LIVE, ()),
    ("target_semver", LIVE, ()),
    ("target_full_ref", LIVE, ()),
    ("target_absent", LIVE, ()),
    ("target_tag_behind", WAITING, ("4be1c2a|release-2026.02.27",)),
    ("target_sha_behind", WAITING, ("4be1c2a",)),
    # Spellings of the stage's repository.
    ("url_without_git", LIVE, ()),
    ("url_upper_case_host", LIVE, ()),
    ("url_ssh", LIVE, ()),
    ("url_scp_like", LIVE, ()),
    ("url_user", LIVE, ()),
    ("url_port", LIVE, ()),
    ("url_trailing_slash", LIVE, ()),
)


@pytest.mark.parametrize(("fixture", "stance", "words"), TABLE, ids=[row[0].replace(" ", "_") for row in TABLE])
def test_application_is_judged_as_the_table_says(fixture: str, stance: Stance, words: tuple[str, ...]) -> None:
    liveness = judged(cases.seen(fixture))
    assert (liveness.stance, [one.stance for one in liveness.applications]) == (stance, [stance]), liveness.reason
    unsaid = [word for word in words if not re.search(word, liveness.reason, re.IGNORECASE)]
    assert unsaid == [], liveness.reason
    assert liveness.reason.strip()
    assert "\n" not in liveness.reason


def test_the_table_has_every_fixture_once() -> None:
    rows = sorted(row[0] for row in TABLE if row[0] not in {"no application", "no answer"})
    assert rows == sorted(FIXTURES)


# --- the fixtures themselves -----------------------------------------------------------------------------------------

_JSON = (("content-type", "application/json"),)


def _exchange(method: str, path: str, *, sent: bytes = b"", answer: bytes) -> Exchange:
    return Exchange(
        method=method,
        path=path,
        query="",
        request_headers=(),
        request_body=sent,
        status=200,
        response_headers=_JSON,
        response_body=answer,
    )


@pytest.mark.parametrize("fixture", FIXTURES)
def test_fixture_conforms_to_the_published_description(fixture: str) -> None:
    text = cases.text_of(fixture).encode()
    # Sent as a request it must not have a property that is not listed; as an answer it might.
    exchange = _exchange("POST", "/api/v1/applications", sent=text, answer=text)
    assert ARGOCD.violations(exchange) == []


def test_answer_on_sync_windows_conforms_to_the_published_description() -> None:
    path = f"/api/v1/applications/{NAME}/syncwindows"
    exchange = _exchange("GET", path, answer=cases.text_of(cases.SYNC_WINDOWS).encode())
    assert ARGOCD.violations(exchange) == []


@pytest.mark.parametrize("fixture", FIXTURES)
def test_instants_of_fixture_are_whole_seconds_of_utc_and_not_in_the_future(fixture: str) -> None:
    instants = re.findall(r'"(2\d{3}-\d\d-\d\dT[^"]*)"', cases.text_of(fixture))
    assert instants
    assert all(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= NOW for text in instants)


def test_readme_has_a_line_for_each_fixture() -> None:
    listed = re.findall(r"^\| `(\w+)\.json` \|", (cases.FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted((*FIXTURES, cases.SYNC_WINDOWS))


# --- since when ------------------------------------------------------------------------------------------------------

SYNCED, HEALTHY = NOON + timedelta(minutes=1, seconds=5), NOON + timedelta(minutes=1, seconds=48)
SYNCED_D, HEALTHY_D = NOON + timedelta(minutes=6, seconds=20), NOON + timedelta(minutes=6, seconds=59)

# The window starts when all applications have first synced the release and are Healthy, by Argo CD's own timestamps.
#   applications                                   | deployed at  | live at first
SINCE: Sequence[tuple[tuple[str, ...], datetime | None, datetime | None]] = (
    (("live",), SYNCED, HEALTHY),
    (("live_at_later_commit",), SYNCED, HEALTHY),
    (("live_at_later_commit_only",), SYNCED_D, HEALTHY_D),
    (("live_compared_later_commit",), SYNCED, HEALTHY),
    (("live_without_history",), SYNCED, HEALTHY),
    (("out_of_sync_after_success",), SYNCED, HEALTHY),
    (("multi_source_helm_values",), SYNCED, HEALTHY),
    (("multi_source_live_at_later_commit",), SYNCED, HEALTHY),
    (("multi_source_pinned_and_branch_reversed",), SYNCED, HEALTHY),
    (("hydrated_live",), SYNCED, HEALTHY),
    (("live", "live_at_later_commit_only"), SYNCED_D, HEALTHY_D),
    (("live", "progressing"), SYNCED, None),
    (("partial_sync_when_live",), SYNCED, HEALTHY),
    (("image_not_yet",), SYNCED, None),
    (("degraded",), SYNCED, None),
    (("live", "behind"), None, None),
    (("live", "no application"), None, None),
    (("live", "no answer"), None, None),
    (("failed",), None, None),
    (("operation_running",), None, None),
    (("rolled_back_by_hand",), None, None),
)


def several(fixtures: Sequence[str]) -> list[Seen]:
    """Return applications of one stage, each under a name of its own."""
    return [cases.seen(fixture, f"checkout-{number}") for number, fixture in enumerate(fixtures)]


@pytest.mark.parametrize(
    ("fixtures", "deployed_at", "first_live"), SINCE, ids=["+".join(row[0]).replace(" ", "_") for row in SINCE]
)
def test_instants_are_those_of_argo_cd(
    fixtures: tuple[str, ...], deployed_at: datetime | None, first_live: datetime | None
) -> None:
    liveness = judged(*several(fixtures))
    assert (liveness.deployed_at, liveness.first_live, liveness.proof_since) == (deployed_at, first_live, first_live)


@pytest.mark.parametrize(
    "fixture",
    [
        "operation_requested_when_live",
        "operation_running_at_later_commit",
        "failed_at_later_commit",
        "failed_again_at_same_commit",
    ],
)
def test_a_later_sync_does_not_undo_that_the_release_was_deployed(fixture: str) -> None:
    liveness = judged(cases.seen(fixture))
    assert (liveness.deployed_at, liveness.reached_at) == (SYNCED, SYNCED)


# Argo CD itself keeps neither in its history (`SyncAppState` in controller/sync.go).
@pytest.mark.parametrize("fixture", ["dry_run_succeeded", "partial_sync_succeeded"])
@pytest.mark.parametrize("images", [cases.IMAGES_BEFORE, []], ids=["old image", "no image listed"])
def test_a_sync_of_nothing_or_of_a_part_deploys_no_release(fixture: str, images: list[str]) -> None:
    item = cases.item_of(fixture)
    item["status"]["summary"]["images"] = images
    liveness = judged(cases.parsed(item))
    assert (liveness.stance, liveness.deployed_at, liveness.first_live) == (WAITING, None, None)


def test_without_a_transition_time_the_ledgers_spells_tell_since_when() -> None:
    spell = HealthSpell(
        application=NAME, health="Healthy", first_seen=NOON + timedelta(minutes=3), last_seen=NOW - timedelta(minutes=1)
    )
    liveness = judged(cases.seen("live_without_transition_time"), memory=Memory(spells=(spell,)))
    assert (liveness.deployed_at, liveness.first_live) == (SYNCED, spell.first_seen)


def test_without_a_transition_time_and_memory_nothing_is_proven_before_now() -> None:
    liveness = judged(cases.seen("live_without_transition_time"))
    assert liveness.stance is LIVE
    assert liveness.proof_since in {NOW, None}


def test_a_change_of_members_restarts_the_window() -> None:
    changed = NOON + timedelta(minutes=5)
    liveness = judged(cases.seen("live"), memory=Memory(memberships=_members_changed(changed)))
    assert (liveness.first_live, liveness.proof_since) == (changed, changed)


def test_a_closed_sync_window_is_named() -> None:
    application = cases.parsed(cases.item_of("sync_window_blocks"))
    blocked = why_blocked(cases.item_of(cases.SYNC_WINDOWS), automated=application.automated)
    liveness = judged(replace(application, blocked=blocked))
    assert liveness.stance is WAITING
    assert "sync window" in liveness.reason
    assert "0 11 * * 1-5" in liveness.reason


# --- what hangs on it ------------------------------------------------------------------------------------------------

WINDOW = a_window(length=4 * MINUTE, warmup=timedelta(0))


def looks_at(there: Seen, *, was_healthy: bool) -> tuple[HealthSpell, ...]:
    """Return what the ledger knows of an application's health: of this look always, of those before it if it looked."""
    if not isinstance(there, Application):
        return ()
    before = HealthSpell(application=there.name, health="Healthy", first_seen=HEALTHY, last_seen=HEALTHY + 5 * MINUTE)
    present = HealthSpell(application=there.name, health=there.health, first_seen=NOW, last_seen=NOW)
    return (before, present) if was_healthy else (present,)


def opens_a_promotion(fixture: str, *, was_healthy: bool) -> bool:
    """Say whether a release leaves a stage whose requests are good, and whose window is over if it was live at all."""
    there = cases.seen(fixture, "checkout-staging")
    staging = a_stage(
        "staging",
        tags(a_change(NEW, old=OLD, commit=EXPECTED.commit)),
        applications=(there,),
        carries=ANCESTRY.carries,
        behind=ANCESTRY.behind,
        spells=looks_at(there, was_healthy=was_healthy),
        sampled={"gate:http-errors": samples(*[(0.0, 1000.0)] * 9)},
    )
    policy = a_policy(gates=(a_count_gate(), SoakGate(name="soak")), window=WINDOW)
    decision = decide(policy, an_observation(staging, at=NOW), NOW)
    return any(isinstance(action, OpenPromotion) for action in decision.actions)


NOT_LIVE = [row[0] for row in TABLE if row[1] is not LIVE]


# FIELD.md, Windows: the window is continuous proof, per cluster; unknown is never a pass. What was counted well while
# the release was live does not let it go on while it is ill, out of sight or being replaced.
@pytest.mark.invariant("I1")
@pytest.mark.parametrize("was_healthy", [False, True], ids=["nothing_remembered", "healthy_before"])
@pytest.mark.parametrize("fixture", NOT_LIVE, ids=[name.replace(" ", "_") for name in NOT_LIVE])
def test_no_release_leaves_a_stage_in_which_it_is_not_live_now(fixture: str, was_healthy: bool) -> None:
    assert not opens_a_promotion(fixture, was_healthy=was_healthy)


def test_a_release_that_is_live_leaves_its_stage() -> None:
    assert opens_a_promotion("live", was_healthy=True)


# --- laws ------------------------------------------------------------------------------------------------------------

RANK = {LIVE: 0, WAITING: 1, CANNOT_TELL: 2, UNHEALTHY: 3}
"""From the best stance to the worst."""

choices = st.sampled_from((*FIXTURES, "no application", "no answer"))
stages = st.lists(choices, min_size=1, max_size=4)


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    """What a ledger may hold: for some applications, spells one after the other."""
    spells = []
    for number in range(draw(st.integers(0, 4))):
        at = NOON
        while (at := at + timedelta(seconds=draw(st.integers(0, 240)))) < NOW and draw(st.booleans()):
            until = min(NOW, at + timedelta(seconds=draw(st.integers(0, 240))))
            health = draw(st.sampled_from(["Healthy", "Progressing", "Degraded", "Missing", "Unknown"]))
            name = f"checkout-{number}"
            spells.append(HealthSpell(application=name, health=health, first_seen=at, last_seen=until))
            at = until
    changed = draw(st.none() | st.integers(0, 600).map(lambda seconds: NOON + timedelta(seconds=seconds)))
    return Memory(spells=tuple(spells), memberships=() if changed is None else _members_changed(changed))


def _members_changed(at: datetime) -> tuple[Membership, ...]:
    before = Membership(members=("checkout-gone",), first_seen=NOON - timedelta(days=3), last_seen=at)
    return (before, Membership(members=(NAME,), first_seen=at, last_seen=NOW))


@given(stages, choices, memories())
def test_another_application_never_makes_a_stage_better(fixtures: list[str], added: str, memory: Memory) -> None:
    before = judged(*several(fixtures), memory=memory)
    after = judged(*several([*fixtures, added]), memory=memory)
    alone = judged(cases.seen(added, f"checkout-{len(fixtures)}"), memory=memory)
    assert RANK[after.stance] == max(RANK[before.stance], RANK[alone.stance])


@given(stages)
def test_a_stage_is_live_only_if_each_application_alone_is(fixtures: list[str]) -> None:
    alone = [judged(application).stance for application in several(fixtures)]
    assert (judged(*several(fixtures)).stance is LIVE) == all(stance is LIVE for stance in alone)


def _later_than(before: datetime | None, after: datetime | None) -> bool:
    """Say whether an instant did not move earlier; None is one that has not come."""
    return after is None or (before is not None and after >= before)


@given(stages, choices, memories())
def test_another_application_never_moves_an_instant_earlier(fixtures: list[str], added: str, memory: Memory) -> None:
    before = judged(*several(fixtures), memory=memory)
    after = judged(*several([*fixtures, added]), memory=memory)
    assert _later_than(before.deployed_at, after.deployed_at)
    assert _later_than(before.first_live, after.first_live)
    assert _later_than(before.proof_since, after.proof_since)


@given(stages, memories())
def test_no_instant_lies_before_the_commit_or_after_now_or_before_the_one_it_needs(
    fixtures: list[str], memory: Memory
) -> None:
    found = judged(*several(fixtures), memory=memory)
    instants = [at for at in (found.deployed_at, found.first_live, found.proof_since) if at is not None]
    assert instants == sorted(instants)
    assert all(EXPECTED.since <= at <= NOW for at in instants)


def _moved(fixture: str) -> dict[str, Item]:
    item = cases.item_of(fixture)
    return {
        "everywhere": cases.at_later_commit(item),
        "compared": cases.compared_with_later_commit(item),
        "all but the history": cases.synced_later_commit(item),
    }


@pytest.mark.parametrize("fixture", FIXTURES)
def test_a_newer_unrelated_commit_never_makes_an_application_unhealthy(fixture: str) -> None:
    at_c = judged(cases.seen(fixture)).stance
    at_d = {where: judged(cases.parsed(item)).stance for where, item in _moved(fixture).items()}
    assert at_c is UNHEALTHY or UNHEALTHY not in at_d.values(), at_d


@pytest.mark.parametrize("fixture", [row[0] for row in TABLE if row[1] is LIVE])
def test_a_live_application_is_live_at_a_newer_unrelated_commit(fixture: str) -> None:
    at_d = {where: judged(cases.parsed(item)).stance for where, item in _moved(fixture).items()}
    assert at_d == dict.fromkeys(at_d, LIVE)


def _without_order(found: Liveness) -> Liveness:
    return replace(found, applications=tuple(sorted(found.applications, key=lambda one: one.name)))


@given(stages, memories(), st.data())
def test_order_of_applications_does_not_matter(fixtures: list[str], memory: Memory, data: st.DataObject) -> None:
    applications = several(fixtures)
    shuffled = data.draw(st.permutations(applications))
    assert _without_order(judged(*shuffled, memory=memory)) == _without_order(judged(*applications, memory=memory))


@given(st.sampled_from(SEVERAL_SOURCES), st.data())
def test_order_of_sources_does_not_matter(fixture: str, data: st.DataObject) -> None:
    item = cases.item_of(fixture)
    orders = [data.draw(st.permutations(range(len(item["spec"]["sources"])))) for _ in cases.PARTS]
    reordered = cases.parsed(cases.with_sources_reordered(item, orders))
    assert judged(reordered) == judged(cases.parsed(item))


@given(st.sampled_from(FIXTURES), st.data())
def test_absent_fields_never_raise_but_in_the_parser(fixture: str, data: st.DataObject) -> None:
    item = cases.item_of(fixture)
    paths = data.draw(st.lists(st.sampled_from(list(cases.paths_of(item))), max_size=12))
    _judge_if_readable(cases.without(item, paths))


@given(st.sampled_from(FIXTURES), st.sampled_from([None, "", "x", 7, True, [], {}, ["x"], [{}]]), st.data())
def test_fields_of_a_wrong_type_never_raise_but_in_the_parser(fixture: str, value: object, data: st.DataObject) -> None:
    item = cases.item_of(fixture)
    path = data.draw(st.sampled_from(list(cases.paths_of(item))))
    _judge_if_readable(cases.with_value(item, path, value))


def _judge_if_readable(item: Item) -> None:
    try:
        application = cases.parsed(item)
    except MalformedItem:
        return
    assert judged(application).reason


# What each rung rests on: without it the application is not shown to be live.
NEEDED = (
    ("status", "sync", "status"),
    ("status", "sync", "revision"),
    ("status", "operationState"),
    ("status", "operationState", "phase"),
    ("status", "operationState", "syncResult", "revision"),
    ("status", "operationState", "finishedAt"),
    ("status", "reconciledAt"),
    ("status", "health", "status"),
)


@given(st.sampled_from([row[0] for row in TABLE if row[1] is LIVE]), st.data())
def test_absent_fields_never_make_what_is_live_unhealthy(fixture: str, data: st.DataObject) -> None:
    item = cases.item_of(fixture)
    paths = data.draw(st.lists(st.sampled_from(list(cases.paths_of(item))), max_size=4))
    with suppress(MalformedItem):
        assert judged(cases.parsed(cases.without(item, paths))).stance is not UNHEALTHY


@pytest.mark.parametrize("path", NEEDED, ids=".".join)
def test_what_is_absent_is_never_taken_for_live(path: tuple[str, ...]) -> None:
    stance = judged(cases.parsed(cases.without(cases.item_of("live"), [path]))).stance
    assert stance in {WAITING, CANNOT_TELL}
