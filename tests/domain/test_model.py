"""The small laws of the model's values."""

from __future__ import annotations

import pytest

from bot.domain.liveness import Liveness
from bot.domain.model import Digest, Release, Trouble
from bot.domain.observed import measurements
from bot.domain.stance import Stance
from tests.builders import a_policy, a_stage, an_observation


@pytest.mark.parametrize("digest", [None, Digest(f"sha256:{'a' * 64}")])
def test_a_releases_name_is_read_back(digest: Digest | None) -> None:
    release = Release(image="registry.example.com:5000/acme/checkout", tag="1.9.0", digest=digest)
    assert Release.parse(release.name) == release


@pytest.mark.parametrize("text", ["", "checkout", ":1.9.0", "checkout:"])
def test_a_text_that_names_no_release_is_none(text: str) -> None:
    assert Release.parse(text) is None


def test_a_stage_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        an_observation().stage("moon")
    with pytest.raises(KeyError):
        a_policy().stage("moon")


def test_nothing_is_measured_of_a_stage_that_git_does_not_tell_of() -> None:
    blind = a_stage("staging", Trouble(system="Git", sentence="no network"))
    nowhere = Liveness(stance=Stance.CANNOT_TELL, reason="", applications=())
    policy = a_policy()
    assert measurements(policy, policy.stages[0], nowhere, an_observation(blind)) == ()
