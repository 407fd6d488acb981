"""Which commits set a tag: read once, carried forward, and always what a reader with no memory would say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Sha, TagHistory, Trouble
from bot.domain.policy import Policy, Stage
from bot.tag_history import TagReader
from tests.builders import a_policy
from tests.fake_world import PRODUCTION_FILE, values
from tests.fakes import FakeRepositories

POLICY = a_policy()
STAGE = POLICY.stage("production")


def commit(repositories: FakeRepositories, text: str, message: str = "m") -> Sha:
    return repositories.commit("main", {PRODUCTION_FILE: text}, message)


def read(reader: TagReader, head: Sha, policy: Policy = POLICY, stage: Stage = STAGE) -> TagHistory:
    found = reader.read(policy, stage, head)
    assert isinstance(found, TagHistory), found
    return found


def test_a_second_look_reads_no_text_again() -> None:
    repositories = FakeRepositories()
    head = commit(repositories, values("1"))
    reader = TagReader(repositories=repositories)
    first = read(reader, head)
    repositories.calls.clear()
    assert read(reader, head) == first
    assert repositories.calls == ["file_history"]
    newer = commit(repositories, values("2"))
    repositories.calls.clear()
    assert [change.new for change in read(reader, newer).changes] == ["2", "1"]
    assert repositories.calls == ["file_history", "read_contents"]


def test_a_new_policy_is_read_anew() -> None:
    repositories = FakeRepositories()
    head = commit(repositories, values("1"))
    reader = TagReader(repositories=repositories)
    read(reader, head)
    repositories.calls.clear()
    read(reader, head, replace(POLICY, version="other"))
    assert "read_contents" in repositories.calls


def test_a_branch_that_was_set_back_is_read_anew() -> None:
    repositories = FakeRepositories()
    base = commit(repositories, values("1"))
    gone = commit(repositories, values("2"))
    reader = TagReader(repositories=repositories)
    assert read(reader, gone).tag == "2"
    repositories.branches["main"] = base
    head = commit(repositories, values("3"))
    assert [(change.old, change.new) for change in read(reader, head).changes] == [("1", "3"), (None, "1")]


def test_a_tag_that_cannot_be_read_is_a_trouble_and_then_forgotten() -> None:
    repositories = FakeRepositories()
    reader = TagReader(repositories=repositories)
    read(reader, commit(repositories, values("1")))
    found = reader.read(POLICY, STAGE, commit(repositories, "image: {tag: [}\n"))
    assert isinstance(found, Trouble)
    assert "is not valid YAML" in found.sentence
    mended = commit(repositories, values("2"))
    assert read(reader, mended) == read(TagReader(repositories=repositories), mended)


def test_a_file_that_is_missing_is_a_trouble() -> None:
    repositories = FakeRepositories()
    head = repositories.commit("main", {"x": "y"}, "m")
    found = TagReader(repositories=repositories).read(POLICY, STAGE, head)
    assert isinstance(found, Trouble)
    assert "does not exist in acme/deploy" in found.sentence


TEXTS = st.sampled_from([values("1"), values("2"), values("3"), "image: {tag: [}\n", "a: b\n", values("2") + "# c\n"])


@given(history=st.lists(TEXTS, min_size=1, max_size=12), looks=st.sets(st.integers(0, 11)), back=st.integers(0, 3))
@pytest.mark.parametrize("limit", [2, 50])
def test_what_is_carried_forward_is_what_a_new_reader_would_read(
    history: list[str], looks: set[int], back: int, limit: int
) -> None:
    repositories = FakeRepositories()
    reader = TagReader(repositories=repositories, limit=limit)
    heads = [commit(repositories, text, message=str(place)) for place, text in enumerate(history)]
    for place in sorted(looks):
        if place < len(heads):
            reader.read(POLICY, STAGE, heads[place])
    if back < len(heads):
        repositories.branches["main"] = heads[-1 - back]
        heads.append(commit(repositories, values("9")))
    carried = reader.read(POLICY, STAGE, heads[-1])
    anew = TagReader(repositories=repositories, limit=100).read(POLICY, STAGE, heads[-1])
    assert isinstance(carried, Trouble) == isinstance(anew, Trouble)
    if isinstance(carried, TagHistory) and isinstance(anew, TagHistory):
        assert (carried.tag, carried.head) == (anew.tag, anew.head)
        # The oldest change of a history that is not complete may be older than it looks.
        certain = len(carried.changes) - (not carried.complete)
        assert carried.changes[:certain] == anew.changes[:certain]
        assert carried.introduced == anew.introduced
