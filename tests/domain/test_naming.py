import hashlib
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.model import Digest, Release
from bot.domain.naming import promotion_prefix, release_branch, revert_branch

_NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)


def a_release(tag: str = "v1.2.3", *, image: str = "ghcr.io/acme/checkout", digest: Digest | None = None) -> Release:
    return Release(image=image, tag=tag, digest=digest)


def test_branch_names_carry_service_stage_slug_and_hash_of_image_and_tag() -> None:
    hash8 = hashlib.sha256(b"ghcr.io/acme/checkout:V1..2_Rc.lock").hexdigest()[:8]
    release = a_release("V1..2_Rc.lock")
    assert release_branch("checkout", "production", release) == f"liftlock/checkout/production/v1-2-rc-lock-{hash8}"
    assert revert_branch("checkout", "production", release) == (
        f"liftlock/checkout/production/revert-v1-2-rc-lock-{hash8}"
    )


def test_a_digest_that_becomes_known_changes_no_name() -> None:
    known = a_release(digest=Digest("sha256:" + "0" * 64))
    assert release_branch("s", "t", known) == release_branch("s", "t", a_release())


@pytest.mark.parametrize(
    "other",
    [a_release("v1-2.3"), a_release("V1.2.3"), a_release(image="ghcr.io/other/checkout")],
    ids=["same slug", "other case", "other image"],
)
def test_releases_with_one_slug_have_different_branches(other: Release) -> None:
    assert release_branch("s", "t", other) != release_branch("s", "t", a_release())


def test_a_long_tag_gives_a_slug_of_at_most_forty_characters() -> None:
    name = release_branch("s", "t", a_release("x" * 128))
    assert len(name.rsplit("/", 1)[1]) == 40 + 1 + 8


def test_the_prefix_of_a_stage_is_of_no_other_stage() -> None:
    assert release_branch("s", "prod", a_release()).startswith(promotion_prefix("s", "prod"))
    assert not release_branch("s", "prod-eu", a_release()).startswith(promotion_prefix("s", "prod"))


@settings(max_examples=40, deadline=None)
@given(service=_NAMES, stage=_NAMES, tag=_TAGS)
def test_branch_names_are_valid_for_git(service: str, stage: str, tag: str) -> None:
    for name in (release_branch(service, stage, a_release(tag)), revert_branch(service, stage, a_release(tag))):
        done = subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True, check=False)
        assert done.returncode == 0, name
