"""The edits of promotions and rollbacks, as texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.edit import EditRefused, HelmEdit, KustomizeEdit, ManifestEdit, Reading
from bot.domain.model import Digest, Release, Sha
from bot.domain.policy import Place
from bot.planned import Planner
from bot.ports import Permanent
from tests.builders import IMAGE, a_policy
from tests.fakes import FakeRepositories

FILE = "apps/production/file.yaml"
OLD = Digest("sha256:" + "a" * 64)
NEW = Digest("sha256:" + "b" * 64)


def a_planner(repositories: FakeRepositories, edit: HelmEdit | KustomizeEdit | ManifestEdit) -> Planner:
    policy = a_policy()
    stage = replace(policy.stage("production"), edit=edit)
    return Planner(repositories=repositories, policy=policy, stage=stage, reading=Reading())


def commit(repositories: FakeRepositories, text: str) -> Sha:
    return repositories.commit("main", {FILE: text}, "m")


def release(tag: str, digest: Digest | None = None) -> Release:
    return Release(image=IMAGE, tag=tag, digest=digest)


HELM = HelmEdit(file=FILE, tag="image.tag")


def test_a_promotion_writes_the_digest_where_the_file_pins_one() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, HelmEdit(file=FILE, tag="tag", digest="digest"))
    head = commit(repositories, f"tag: v1\ndigest: {OLD}\n")
    assert planner.promotion(head, release("v2", NEW)).text == f"tag: v2\ndigest: {NEW}\n"
    with pytest.raises(EditRefused, match="the new digest must be known too"):
        planner.promotion(head, release("v2"))


def test_a_rollback_restores_the_bytes_of_the_value_and_leaves_what_else_changed_since() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, HELM)
    commit(repositories, "image:\n  tag: v1 # ours\nreplicas: 1\n")
    promotion = commit(repositories, 'image:\n  tag: "1.10" # ours\nreplicas: 1\n')
    head = commit(repositories, '# new\nimage:\n  tag: "1.10" # ours\nreplicas: 9\n')
    undone = planner.revert(head, promotion=promotion, release=release("1.10"), back_to=release("v1"))
    assert undone.text == "# new\nimage:\n  tag: v1 # ours\nreplicas: 9\n"
    assert [(change.old, change.new) for change in undone.changes] == [("1.10", "v1")]


def test_a_rollback_brings_the_digest_back_with_the_tag() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, KustomizeEdit(file=FILE))
    before = f"images:\n- name: {IMAGE}\n  newTag: v1\n  digest: {OLD}\n"
    commit(repositories, before)
    head = commit(repositories, before.replace("v1", "v2").replace(OLD, NEW))
    assert planner.revert(head, promotion=head, release=release("v2"), back_to=release("v1")).text == before


def test_a_rollback_takes_out_what_the_promotion_pinned() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, KustomizeEdit(file=FILE, pin=True))
    before = f"images:\n- name: {IMAGE}\n  newTag: v1\n"
    start = commit(repositories, before)
    head = commit(repositories, planner.promotion(start, release("v2", NEW)).text)
    assert planner.revert(head, promotion=head, release=release("v2"), back_to=release("v1")).text == before


def test_a_rollback_of_two_values_in_one_file_takes_out_the_digest_that_the_promotion_pinned_first() -> None:
    repositories = FakeRepositories()
    policy = a_policy()
    worker = f"{IMAGE}-worker"
    for pinned in (KustomizeEdit(file=FILE, pin=True), ManifestEdit(file=FILE, pin=True)):
        others = (Place(image=worker, edit=replace(pinned, pin=False)),)
        stage = replace(policy.stage("production"), edit=pinned, together=others)
        planner = Planner(repositories=repositories, policy=policy, stage=stage, reading=Reading())
        if isinstance(pinned, KustomizeEdit):
            before = f"images:\n- name: {IMAGE}\n  newTag: v1 # ours\n- name: {worker}\n  newTag: v1\nreplicas: []\n"
        else:
            listed = f"{{name: a, image: '{IMAGE}:v1'}}, {{name: b, image: '{worker}:v1'}}"
            before = f"kind: Pod\nspec: {{containers: [{listed}]}}\n"
        start = commit(repositories, before)
        promoted = planner.promotion(start, release("v2", NEW)).text
        assert str(NEW) in promoted
        head = commit(repositories, promoted)
        undone = planner.revert(head, promotion=head, release=release("v2"), back_to=release("v1"))
        assert undone.text == before
        assert [str(change.new).endswith("v1") for change in undone.changes if change.new] == [True, True]


def test_a_rollback_over_a_digest_that_somebody_changed_is_refused() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, KustomizeEdit(file=FILE))
    before = f"images:\n- name: {IMAGE}\n  newTag: v1\n  digest: {OLD}\n"
    commit(repositories, before)
    promotion = commit(repositories, before.replace("v1", "v2"))
    head = commit(repositories, before.replace("v1", "v2").replace(OLD, NEW))
    with pytest.raises(EditRefused, match=f"the file says v2@{NEW} now, not v2@{OLD} as the promotion left it"):
        planner.revert(head, promotion=promotion, release=release("v2"), back_to=release("v1"))


def test_a_rollback_of_manifests_takes_a_container_along_that_was_added_since() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, ManifestEdit(file=FILE))
    before = f"kind: Pod\nspec:\n  containers:\n  - {{name: a, image: '{IMAGE}:v1'}}\n"
    commit(repositories, before)
    promotion = commit(repositories, before.replace("v1", "v2"))
    more = f"  - {{name: b, image: '{IMAGE}:v2'}}\n"
    head = commit(repositories, before.replace("v1", "v2") + more)
    undone = planner.revert(head, promotion=promotion, release=release("v2"), back_to=release("v1"))
    assert undone.text == before + more.replace("v2", "v1")


def test_a_rollback_into_a_file_that_was_built_anew_sets_the_tag() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, ManifestEdit(file=FILE))
    commit(repositories, f"kind: Pod\nspec: {{containers: [{{name: a, image: '{IMAGE}:v1'}}]}}\n")
    promotion = commit(repositories, f"kind: Pod\nspec: {{containers: [{{name: a, image: '{IMAGE}:v2'}}]}}\n")
    head = commit(repositories, f"kind: Pod\nspec: {{containers: [{{name: other, image: '{IMAGE}:v2'}}]}}\n")
    undone = planner.revert(head, promotion=promotion, release=release("v2"), back_to=release("v1"))
    assert undone.text == f"kind: Pod\nspec: {{containers: [{{name: other, image: '{IMAGE}:v1'}}]}}\n"


def test_a_rollback_to_another_release_than_the_one_before_sets_that_one() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, HELM)
    commit(repositories, "image: {tag: v1}\n")
    head = commit(repositories, "image: {tag: v2}\n")
    assert (
        planner.revert(head, promotion=head, release=release("v2"), back_to=release("v0")).text == "image: {tag: v0}\n"
    )


def test_a_rollback_of_the_first_commit_of_a_file_sets_the_tag() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, HELM)
    head = commit(repositories, "image: {tag: v2}\n")
    assert (
        planner.revert(head, promotion=head, release=release("v2"), back_to=release("v1")).text == "image: {tag: v1}\n"
    )


def test_a_file_that_is_gone_is_said() -> None:
    repositories = FakeRepositories()
    head = repositories.commit("main", {"other": "x"}, "m")
    with pytest.raises(Permanent, match=r"apps/production/file\.yaml is gone from acme/deploy"):
        a_planner(repositories, HELM).promotion(head, release("v2"))


def test_a_rollback_over_a_tag_that_somebody_set_since_is_refused_whatever_is_known_of_the_past() -> None:
    repositories = FakeRepositories()
    planner = a_planner(repositories, HELM)
    head = commit(repositories, "image: {tag: v5}\n")
    with pytest.raises(EditRefused, match="the file says v5 now, not v2 as the promotion left it"):
        planner.revert(head, promotion=head, release=release("v2"), back_to=release("v1"))
