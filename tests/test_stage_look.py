"""The look at one stage: how revisions are related to the release, what is noted of it, when windows are asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.argo import (
    DEFAULT_SERVER,
    Ancestry,
    Application,
    Deployed,
    Hydration,
    Mark,
    MarkKind,
    Memory,
    NamedApplication,
    NoApplication,
    Operation,
    Requirement,
    SelectedApplications,
    application_name,
)
from bot.domain.model import Carries, Sha, TagHistory, Trouble
from bot.domain.policy import Policy, SyncBy
from bot.ports import OutsideError, Transient
from bot.records import Arrival
from bot.stage_look import Found, StageLook
from bot.tag_history import TagReader
from tests.builders import IMAGE, MINUTE, NEW, NOON, OLD, a_policy, sha
from tests.fake_world import STAGING_FILE, kustomization
from tests.fakes import FakeClock, FakeDeployments, FakeRepositories, FakeSightings

HYDRATED = sha("hydrated")
SELECTOR = SelectedApplications(selector=(Requirement(label="app", values=("checkout",)),))


@dataclass
class Scene:
    """Staging was moved from 1.8.2 to 1.9.0 at noon, two commits ago; now is ten minutes later."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    policy: Policy = field(default_factory=a_policy)

    def __post_init__(self) -> None:
        self.repositories = FakeRepositories(clock=self.clock)
        self.deployments = FakeDeployments(clock=self.clock)
        self.sightings = FakeSightings()
        self.oldest = self.commit({STAGING_FILE: kustomization(OLD)})
        self.before = self.commit({"README.md": "x"})
        self.release = self.commit({STAGING_FILE: kustomization(NEW)})
        self.later = self.commit({"README.md": "y"})
        self.tags = TagReader(repositories=self.repositories)
        history = self.tags.read(self.policy, self.policy.stage("staging"), self.later)
        assert isinstance(history, TagHistory)
        self.history = history
        self.repositories.calls.clear()
        self.clock.advance(10 * MINUTE)

    def commit(self, files: dict[str, str], *, branch: str = "main", parent: Sha | None = None) -> Sha:
        return self.repositories.commit(branch, files, "change", parent=parent)

    def look(self, *targets: Any) -> StageLook:
        stage = self.policy.stage("staging")
        return StageLook(
            clock=self.clock,
            repositories=self.repositories,
            deployments=self.deployments,
            sightings=self.sightings,
            tags=self.tags,
            spell_gap=5 * MINUTE,
            policy=self.policy,
            stage=replace(stage, applications=targets) if targets else stage,
        )

    def ancestry(self, *applications: Any) -> Ancestry:
        return self.look().ancestry(self.history, applications)

    @property
    def arrival(self) -> Arrival:
        return Arrival(service="checkout", stage="staging", commit=self.release)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def app(*revisions: Sha, name: str = "checkout-staging", **more: Any) -> Application:
    described: dict[str, Any] = {"sync": "Synced", "health": "Healthy", "reconciled_at": NOON + 2 * MINUTE} | more
    return Application(name=name, revisions=revisions, **described)


def synced(revision: Sha, **more: Any) -> Operation:
    when = {"started_at": NOON + MINUTE, "finished_at": NOON + timedelta(seconds=70)}
    return Operation(phase=more.pop("phase", "Succeeded"), revisions=(revision,), **(when | more))


# --- ancestry --------------------------------------------------------------------------------------------------------


def test_each_revision_is_told_how_it_is_related_to_the_release(scene: Scene) -> None:
    moved_on = scene.commit({STAGING_FILE: kustomization("2.0.0")})
    aside = scene.commit({"x": "y"}, branch="aside", parent=scene.before)
    unknown = sha("nowhere")
    found = scene.ancestry(app(scene.oldest, scene.before, scene.release, scene.later, moved_on, aside, unknown))
    assert found == Ancestry(
        carries={
            scene.oldest: Carries.BEHIND,
            scene.before: Carries.BEHIND,
            scene.release: Carries.YES,
            scene.later: Carries.YES,
            moved_on: Carries.OTHER_TAG,
            aside: Carries.BEHIND,
            unknown: Carries.UNKNOWN,
        },
        behind={scene.oldest: 2, scene.before: 1},
    )


def test_a_revision_is_asked_for_once_however_often_it_is_reported(scene: Scene) -> None:
    past = (Deployed(revisions=(scene.before,), at=NOON + MINUTE),) * 3
    one = app(scene.before, operation=synced(scene.before), history=past)
    scene.ancestry(one, replace(one, name="another"))
    assert scene.repositories.calls.count("descent") == 1


def test_the_release_and_the_head_are_known_without_asking(scene: Scene) -> None:
    scene.ancestry(app(scene.release, scene.later))
    assert scene.repositories.calls == []


def test_of_the_syncs_before_the_release_the_newest_is_asked_for_however_old_it_is(scene: Scene) -> None:
    """Without it nobody would know that another release ran before, and so not since when this one does."""
    days = (Deployed(revisions=(revision,), at=NOON - 9000 * MINUTE) for revision in (scene.oldest, scene.before))
    current = Deployed(revisions=(scene.release,), at=NOON + MINUTE)
    carries = scene.ancestry(app(scene.release, history=(*days, current))).carries
    assert set(carries) == {scene.release, scene.before}


def test_what_is_no_application_has_no_ancestry(scene: Scene) -> None:
    assert scene.ancestry(NoApplication(name="x"), Trouble(system="Argo CD", sentence="away")) == Ancestry()


@pytest.mark.parametrize("method", ["descent", "read_file"])
def test_git_out_of_reach_is_unknown_and_never_behind(scene: Scene, method: str) -> None:
    newest = scene.commit({"README.md": "z"})
    scene.repositories.fail[method] = Transient("Git", "away")
    assert scene.ancestry(app(newest)) == Ancestry(carries={newest: Carries.UNKNOWN})


@pytest.mark.parametrize(
    ("text", "carries"),
    [
        (kustomization(NEW), Carries.YES),
        (kustomization(f"{NEW}-rc.1"), Carries.OTHER_TAG),
        ("images: []\n", Carries.UNKNOWN),
        ("no: [yaml\n", Carries.UNKNOWN),
        ("", Carries.UNKNOWN),
    ],
    ids=["the tag", "another tag", "no place for it", "no YAML", "empty"],
)
def test_a_later_commit_carries_the_release_only_while_the_file_says_so(
    scene: Scene, text: str, carries: Carries
) -> None:
    newest = scene.commit({STAGING_FILE: text + "# again\n" if text else text})
    assert scene.ancestry(app(newest)).carries == {newest: carries}


# --- hydrated --------------------------------------------------------------------------------------------------------


def hydrated(path: str = "", *, dry: Sha | None = None) -> Application:
    hydration = Hydration(phase="Hydrated", path=path, rendered={} if dry is None else {HYDRATED: dry})
    return app(HYDRATED, hydration=hydration)


def render(scene: Scene, text: str, path: str = "hydrator.metadata") -> None:
    """Put a commit of rendered files, with what stands beside them, where HYDRATED is."""
    made = scene.commit({path: text}, branch="environments/staging", parent=scene.oldest)
    scene.repositories.commits[HYDRATED] = replace(scene.repositories.commits[made], sha=HYDRATED)


def metadata(dry: object) -> str:
    return json.dumps({"repoURL": "https://github.com/acme/deploy", "drySha": dry, "commands": ["kustomize build ."]})


def test_argo_cd_s_own_word_on_what_was_rendered_from_what_comes_first(scene: Scene) -> None:
    render(scene, metadata(scene.oldest))
    found = scene.ancestry(hydrated(dry=scene.later))
    assert (found.carries, found.dry) == ({HYDRATED: Carries.YES}, {HYDRATED: scene.later})
    assert "read_file" not in scene.repositories.calls


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ("", "hydrator.metadata"),
        (".", "hydrator.metadata"),
        ("checkout", "checkout/hydrator.metadata"),
        ("/checkout/staging/", "checkout/staging/hydrator.metadata"),
    ],
)
def test_else_the_file_beside_the_rendered_manifests_says_it(scene: Scene, told: str, path: str) -> None:
    render(scene, metadata(scene.before.upper()), path)
    found = scene.ancestry(hydrated(path=told))
    assert found == Ancestry(carries={HYDRATED: Carries.BEHIND}, behind={HYDRATED: 1}, dry={HYDRATED: scene.before})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "[" * 100_000,
        "{}",
        metadata(5),
        metadata(None),
        metadata("main"),
        metadata("g" * 40),
        metadata("a" * 41),
        metadata("0" * 39 + "²"),
        metadata("--upload-pack=x"),
    ],
    ids=lambda text: text[:60] or "empty",
)
def test_a_file_that_names_no_commit_leaves_it_unknown(scene: Scene, text: str) -> None:
    render(scene, text)
    assert scene.ancestry(hydrated()) == Ancestry(carries={HYDRATED: Carries.UNKNOWN})


def test_without_the_file_or_the_commit_it_is_unknown(scene: Scene) -> None:
    render(scene, metadata(scene.later), "elsewhere/hydrator.metadata")
    assert scene.ancestry(hydrated()).carries == {HYDRATED: Carries.UNKNOWN}
    scene.repositories.fail["read_file"] = OutsideError("Git", "does not know it")
    assert scene.ancestry(hydrated()).carries == {HYDRATED: Carries.UNKNOWN}


def test_a_dry_commit_that_has_the_release_is_still_asked_for_its_tag(scene: Scene) -> None:
    moved_on = scene.commit({STAGING_FILE: kustomization("2.0.0")})
    found = scene.ancestry(hydrated(dry=moved_on))
    assert (found.carries, found.dry) == ({HYDRATED: Carries.OTHER_TAG}, {HYDRATED: moved_on})


# --- applications ----------------------------------------------------------------------------------------------------


def test_each_application_is_there_once_and_so_is_the_trouble_of_a_server(scene: Scene) -> None:
    one, two = NamedApplication(name="one", server="eu"), NamedApplication(name="two", server="eu")
    trouble = Trouble(system="Argo CD", sentence="away")
    both: Found = {one: (trouble,), two: (trouble,), SELECTOR: (app(scene.release), app(scene.later, name="b"))}
    seen = scene.look(one, two, SELECTOR).applications(both)
    assert seen == (trouble, app(scene.release), app(scene.later, name="b"))


# --- sync windows ----------------------------------------------------------------------------------------------------


def waiting(scene: Scene, **more: Any) -> Application:
    """Argo CD knows the release, says OutOfSync, and synced something else last."""
    described: dict[str, Any] = {"sync": "OutOfSync", "operation": synced(scene.before)} | more
    return app(scene.later, **described)


def with_windows(scene: Scene, *applications: Any) -> tuple[Any, ...]:
    return scene.look().with_windows(applications, scene.history, scene.ancestry(*applications))


def test_a_window_is_told_of_an_application_that_waits_and_others_are_left_alone(scene: Scene) -> None:
    scene.deployments.blocked = {"checkout-staging": "a window denies it", "live": "never asked"}
    live, absent = app(scene.later, name="live", operation=synced(scene.later)), NoApplication(name="x")
    seen = with_windows(scene, waiting(scene), live, absent)
    assert seen == (replace(waiting(scene), blocked="a window denies it"), live, absent)
    assert scene.deployments.calls == ["why_blocked"]


@pytest.mark.parametrize(("seconds", "asked"), [(0, 0), (59, 0), (60, 1), (3600, 1)])
def test_windows_are_asked_for_only_after_a_minute_of_waiting(scene: Scene, seconds: int, asked: int) -> None:
    scene.clock.at = scene.history.introduced.at + timedelta(seconds=seconds)
    with_windows(scene, waiting(scene))
    assert len(scene.deployments.calls) == asked


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({}, 1),
        ({"operation": None}, 1),
        ({"operation_pending": True}, 0),
        ({"sync": "Synced"}, 0),
        ({"sync": "Unknown"}, 0),
        ({"revisions": ()}, 0),
    ],
    ids=["waits", "never synced", "about to start", "synced", "unknown", "names no revision"],
)
def test_windows_are_asked_for_only_where_a_release_waits(scene: Scene, more: dict[str, Any], asked: int) -> None:
    with_windows(scene, replace(waiting(scene), **more))
    assert len(scene.deployments.calls) == asked


@pytest.mark.parametrize("phase", ["Running", "Terminating"])
def test_windows_are_not_asked_for_while_a_sync_is_under_way(scene: Scene, phase: str) -> None:
    with_windows(scene, waiting(scene, operation=synced(scene.before, phase=phase)))
    assert scene.deployments.calls == []


@pytest.mark.parametrize(
    ("by", "asked"), [(SyncBy.ARGOCD, 0), (SyncBy.BOT, 1)], ids=["a person syncs", "the bot syncs"]
)
def test_of_an_application_without_auto_sync_windows_matter_only_where_the_bot_syncs(
    scene: Scene, by: SyncBy, asked: int
) -> None:
    by_hand = waiting(scene, automated=False)
    look = scene.look()
    look = replace(look, stage=replace(look.stage, sync=by))
    look.with_windows((by_hand,), scene.history, scene.ancestry(by_hand))
    assert len(scene.deployments.calls) == asked


def test_a_release_that_was_synced_or_is_not_known_yet_waits_for_no_window(scene: Scene) -> None:
    with_windows(scene, waiting(scene, operation=synced(scene.later)), app(scene.before, sync="OutOfSync"))
    assert scene.deployments.calls == []


def test_a_window_that_cannot_be_asked_for_has_its_place_in_the_reason(scene: Scene) -> None:
    scene.deployments.fail["why_blocked"] = Transient("Argo CD", "away")
    assert with_windows(scene, waiting(scene)) == (replace(waiting(scene), windows_unknown="away"),)


# --- memory ----------------------------------------------------------------------------------------------------------


def remember(scene: Scene, *applications: Any, targets: tuple[Any, ...] = ()) -> Any:
    return scene.look(*targets).memory(scene.history, applications, scene.ancestry(*applications))


def test_that_argo_cd_knows_the_commit_is_noted_once(scene: Scene) -> None:
    one = waiting(scene)
    first = remember(scene, one)
    scene.clock.advance(MINUTE)
    second = remember(scene, replace(one, reconciled_at=NOON + 11 * MINUTE))
    mark = Mark(application="checkout-staging", kind=MarkKind.SAW, at=NOON + 2 * MINUTE)
    assert scene.sightings.marks == {scene.arrival: [mark]}
    assert (first.marks, second.marks) == ((mark,), (mark,))


@pytest.mark.parametrize("kind", [MarkKind.SAW, MarkKind.RAN], ids=str)
def test_it_is_noted_once_though_argo_cd_s_clock_is_ahead_of_ours(scene: Scene, kind: MarkKind) -> None:
    """Both instants are Argo CD's; the clocks of machines differ by seconds."""
    soon = scene.clock.now() + timedelta(seconds=30)
    ahead = waiting(scene, reconciled_at=soon)
    if kind is MarkKind.RAN:
        ahead = app(scene.later, history=(Deployed(revisions=(scene.later,), at=soon, number=0),))
    remember(scene, ahead)
    scene.clock.advance(timedelta(seconds=1))
    remember(scene, ahead)
    assert [mark.kind for mark in scene.sightings.marks[scene.arrival]] == [kind]


def test_the_first_sync_of_the_release_is_noted_once_and_later_ones_are_not(scene: Scene) -> None:
    old = Deployed(revisions=(scene.before,), at=NOON - 9000 * MINUTE, number=4)
    first = Deployed(revisions=(scene.release,), at=NOON + MINUTE, number=5)
    again = Deployed(revisions=(scene.later,), at=NOON + 3 * MINUTE, number=6)
    remember(scene, app(scene.later, history=(old, first)))
    remember(scene, app(scene.later, history=(old, first, again)))
    memory = remember(scene, app(scene.later, history=(again,)))
    name = "checkout-staging"
    marks = [Mark(application=name, kind=kind, at=NOON + MINUTE) for kind in (MarkKind.RAN, MarkKind.SYNCED)]
    assert scene.sightings.marks == {scene.arrival: marks}
    assert memory.marks == tuple(marks)


def test_a_sync_that_began_before_argo_cd_was_looked_at_dates_it(scene: Scene) -> None:
    late = app(scene.later, operation=synced(scene.later, phase="Running"), reconciled_at=NOON + 5 * MINUTE)
    (mark,) = remember(scene, late).marks
    assert mark.at == NOON + MINUTE


@pytest.mark.parametrize(
    "more",
    [
        {"reconciled_at": None},
        {"revisions": ()},
        {"revisions": "before"},
        {"revisions": "one of two"},
        {"revisions": "unknown"},
    ],
    ids=["never looked", "no revision", "behind", "one of two behind", "unknown"],
)
def test_nothing_is_noted_of_a_commit_that_is_not_newly_known(scene: Scene, more: dict[str, Any]) -> None:
    revisions = {"before": (scene.before,), "one of two": (scene.later, scene.before), "unknown": (sha("nowhere"),)}
    if "revisions" in more:
        more = {"revisions": revisions.get(more["revisions"] or "", ())}
    assert remember(scene, replace(waiting(scene), **more)).marks == ()
    assert scene.sightings.marks == {}


def test_each_application_of_a_stage_is_noted_for_itself(scene: Scene) -> None:
    remember(scene, waiting(scene), waiting(scene, name="eu:checkout-staging"))
    assert [mark.application for mark in scene.sightings.marks[scene.arrival]] == [
        "checkout-staging",
        "eu:checkout-staging",
    ]


def test_only_a_fresh_health_is_noted(scene: Scene) -> None:
    fresh = app(scene.later, operation=synced(scene.later))
    stale = replace(fresh, name="stale", reconciled_at=NOON + MINUTE)
    remember(scene, fresh, stale, NoApplication(name="x"))
    assert [spell.application for spell in scene.sightings.health["checkout", "staging"]] == ["checkout-staging"]


def test_members_are_noted_for_selectors_only(scene: Scene) -> None:
    remember(scene, waiting(scene))
    assert scene.sightings.members == {}
    remember(scene, waiting(scene), targets=(SELECTOR,))
    (run,) = scene.sightings.members["checkout", "staging"]
    assert run.members == ("checkout-staging",)


def test_members_that_could_not_be_seen_are_not_members_that_left(scene: Scene) -> None:
    remember(scene, waiting(scene), targets=(SELECTOR,))
    scene.clock.advance(MINUTE)
    memory = remember(scene, Trouble(system="Argo CD", sentence="away"), targets=(SELECTOR,))
    assert [run.members for run in memory.memberships] == [("checkout-staging",)]
    assert memory.members_since is None


def test_a_selector_that_selects_nothing_any_more_has_lost_its_members(scene: Scene) -> None:
    remember(scene, waiting(scene), targets=(SELECTOR,))
    scene.clock.advance(MINUTE)
    memory = remember(scene, NoApplication(name="app=checkout", is_selector=True), targets=(SELECTOR,))
    assert [run.members for run in memory.memberships] == [("checkout-staging",), ()]


def test_without_a_tag_history_health_is_noted_and_nothing_recalled(scene: Scene) -> None:
    fresh = app(scene.later, operation=synced(scene.later))
    memory = scene.look().memory(Trouble(system="Git", sentence="away"), (fresh,), Ancestry())
    assert memory == Memory()
    assert len(scene.sightings.health["checkout", "staging"]) == 1
    assert scene.sightings.marks == {}


def test_the_images_of_the_stage_play_no_part_here(scene: Scene) -> None:
    assert scene.ancestry(app(scene.later, images=(f"{IMAGE}:{OLD}",))).carries == {scene.later: Carries.YES}


# --- one application, found twice ------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [DEFAULT_SERVER, "eu"])
@pytest.mark.parametrize("named", ["checkout", "argocd/checkout"])
def test_an_application_that_is_named_and_selected_is_one(scene: Scene, server: str, named: str) -> None:
    by_name, selector = NamedApplication(name=named, server=server), replace(SELECTOR, server=server)
    full = application_name(server, "argocd/checkout")
    found: Found = {
        by_name: (app(scene.release, name=by_name.shown),),
        selector: (app(scene.release, name=full), app(scene.release, name=application_name(server, "argocd/other"))),
    }
    seen = scene.look(selector, by_name).applications(found)
    names = [item.name for item in seen if isinstance(item, Application)]
    assert sorted(names) == sorted([by_name.shown, application_name(server, "argocd/other")])


def test_a_name_of_another_server_or_namespace_is_another_application(scene: Scene) -> None:
    by_name = NamedApplication(name="team/checkout", server="eu")
    found: Found = {
        by_name: (app(scene.release, name=by_name.shown),),
        SELECTOR: (app(scene.release, name="team/checkout"), app(scene.release, name="argocd/checkout")),
    }
    assert len(scene.look(by_name, SELECTOR).applications(found)) == 3


def test_no_answer_for_several_targets_is_told_once(scene: Scene) -> None:
    trouble = Trouble(system="Argo CD", sentence="away")
    by_name = NamedApplication(name="checkout")
    assert scene.look(by_name, SELECTOR).applications({by_name: (trouble,), SELECTOR: (trouble,)}) == (trouble,)
