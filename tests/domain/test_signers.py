"""Who has signed: each field of a certificate that a policy asks for, and how a text with places is matched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Release
from bot.domain.signers import KeyHolder, Template, describe, differs, expected_of
from tests.builders import IMAGE
from tests.trusted import ISSUER, RELEASE, WORKFLOW, a_signature, a_signer, by_key


def test_a_signature_with_every_field_as_asked_is_the_signers() -> None:
    signer = a_signer(
        repository_id="1296269",
        owner_id="9919",
        ref=Template("refs/tags/v{version}"),
        triggers=("push", "release"),
        runners=("github-hosted",),
    )
    assert differs(signer, a_signature(), RELEASE) is None


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"issuer": "https://gitlab.com"},
            f"its issuer is https://gitlab.com, not {ISSUER}",
        ),
        (
            {"source_repository": "https://github.com/mallory/checkout"},
            "its source repository is https://github.com/mallory/checkout, not https://github.com/acme/checkout",
        ),
        ({"source_repository": None}, "its source repository is not told, not https://github.com/acme/checkout"),
        ({"source_repository_id": "666"}, "its source repository's number is 666, not 1296269"),
        ({"source_owner_id": "666"}, "its source owner's number is 666, not 9919"),
        (
            {"subject": f"{WORKFLOW}@refs/heads/main"},
            "its workflow's ref is refs/heads/main, not refs/tags/v1.9.0",
        ),
        (
            {"subject": "https://github.com/acme/shared/.github/workflows/release.yml@refs/tags/v1.9.0"},
            (
                "its identity is https://github.com/acme/shared/.github/workflows/release.yml@refs/tags/v1.9.0, "
                f"not {WORKFLOW}@refs/tags/v1.9.0"
            ),
        ),
        (
            {"subject": "mallory@acme.example"},
            f"its identity is mallory@acme.example, not {WORKFLOW}@refs/tags/v1.9.0",
        ),
        ({"source_ref": "refs/pull/7/merge"}, "its source ref is refs/pull/7/merge, not refs/tags/v1.9.0"),
        ({"source_ref": None}, "its source ref is not told, not refs/tags/v1.9.0"),
        ({"trigger": "pull_request_target"}, "its trigger is pull_request_target, not push or release"),
        ({"runner": "self-hosted"}, "its runner is self-hosted, not github-hosted"),
        ({"runner": None}, "its runner is not told, not github-hosted"),
    ],
)
def test_the_first_field_that_differs_is_named(changes: dict[str, object], said: str) -> None:
    signer = a_signer(
        repository_id="1296269",
        owner_id="9919",
        ref=Template("refs/tags/v{version}"),
        triggers=("push", "release"),
        runners=("github-hosted",),
    )
    assert str(differs(signer, a_signature(**changes), RELEASE)) == said


def test_a_key_is_no_certificate_and_a_certificate_no_key() -> None:
    assert differs(KeyHolder(key="release"), by_key("release"), RELEASE) is None
    assert str(differs(KeyHolder(key="release"), by_key("old"), RELEASE)) == "its key is old, not release"
    said = str(differs(KeyHolder(key="release"), a_signature(), RELEASE))
    assert said == "its key is a certificate, not release"
    assert str(differs(a_signer(), by_key("release"), RELEASE)) == (
        f"its signer is the key release, not {WORKFLOW}@refs/tags/v1.9.0"
    )


def test_signers_are_named_for_people() -> None:
    assert (
        describe(by_key("release")) == expected_of(KeyHolder(key="release"), RELEASE) == "the holder of the key release"
    )
    assert describe(a_signature()) == expected_of(a_signer(), RELEASE) == f"{WORKFLOW}@refs/tags/v1.9.0 ({ISSUER})"


# --- texts with places -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "tag", "value", "fits"),
    [
        ("a@refs/tags/v{version}", "1.9.0", "a@refs/tags/v1.9.0", True),
        ("a@refs/tags/v{version}", "v1.9.0", "a@refs/tags/v1.9.0", True),
        ("a@refs/tags/{tag}", "v1.9.0", "a@refs/tags/v1.9.0", True),
        ("a@refs/tags/{tag}", "1.9.0", "a@refs/tags/v1.9.0", False),
        # A dot of a tag is a dot.
        ("a@refs/tags/{tag}", "1.9.0", "a@refs/tags/1x9.0", False),
        # Not a version: the letter is a part of the name.
        ("{version}", "vanilla", "vanilla", True),
        ("refs/heads/release/*", "1.9.0", "refs/heads/release/1.x", True),
        ("refs/heads/*", "1.9.0", "refs/heads/release/1.x", False),
        ("refs/heads/*", "1.9.0", "refs/heads/", False),
        ("https://h/o/n/*.yml@refs/heads/main", "1", "https://h/o/n/a.yml@refs/heads/main", True),
        ("https://h/o/n/*@refs/heads/main", "1", "https://h/o/n/a@refs/heads/x@refs/heads/main", False),
        ("a", "1", "a\n", False),
        ("*", "1", "x" * 2049, False),
    ],
)
def test_a_template_fits_the_whole_value(template: str, tag: str, value: str, fits: bool) -> None:
    assert Template(template).fits(value, Release(image=IMAGE, tag=tag)) is fits


@given(st.text(alphabet="ab./@*v1{}", max_size=12), st.text(alphabet="ab./@*v1{}", max_size=12))
def test_without_places_only_the_text_itself_fits(template: str, value: str) -> None:
    literal = template.replace("*", "").replace("{", "").replace("}", "")
    assert Template(literal).fits(value, RELEASE) is (value == literal)


@given(st.text(alphabet="ab./@", max_size=10))
def test_a_star_never_reaches_into_the_next_part(value: str) -> None:
    fits = Template("refs/*/end").fits(f"refs/{value}/end", RELEASE)
    assert fits is (value != "" and "/" not in value and "@" not in value)
