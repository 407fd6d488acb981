"""Signatures: GitHub's own example, every secret of a rotation, and nothing that is not of the grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.signature import is_signed, parse_signature, sign

# From GitHub's documentation of webhook deliveries.
EXAMPLE = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_github_s_own_example_is_signed() -> None:
    digest = parse_signature([f"sha256={EXAMPLE}"])
    assert digest is not None
    assert is_signed(b"Hello, World!", digest, ["It's a Secret to Everybody"])


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [EXAMPLE],
        [f"sha1={EXAMPLE[:40]}"],
        [f"sha256={EXAMPLE[:-1]}"],
        [f"sha256={EXAMPLE}\n"],
        [f"SHA256={EXAMPLE}"],
        [f"sha256={EXAMPLE.upper()}"],
        ["sha256=" + "é" * 64],
        [f"sha256={EXAMPLE}", f"sha256={EXAMPLE}"],
        [f"sha256={EXAMPLE}, sha256={EXAMPLE}"],
    ],
)
def test_what_is_not_one_signature_is_none(values: list[str]) -> None:
    assert parse_signature(values) is None


@pytest.mark.parametrize("secret", ["old", "new"])
def test_any_of_several_secrets_will_do(secret: str) -> None:
    assert is_signed(b"body", sign(b"body", secret), ["old", "new"])


def test_without_a_secret_nothing_is_signed() -> None:
    assert not is_signed(b"body", sign(b"body", ""), [])


@given(body=st.binary(max_size=200), other=st.binary(max_size=200), secret=st.text(max_size=40, alphabet="abcé✓ "))
def test_a_signature_is_of_one_body_and_one_secret(body: bytes, other: bytes, secret: str) -> None:
    digest = sign(body, secret)
    assert parse_signature([f"sha256={digest.hex()}"]) == digest
    assert is_signed(body, digest, [secret])
    assert is_signed(other, digest, [secret]) == (other == body)
    assert not is_signed(body, digest, [f"{secret}x"])
