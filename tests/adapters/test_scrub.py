"""The scrubber strikes secrets of every known shape and leaves other text alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.scrub import as_sentence, scrub

SECRETS = {
    "personal": "ghp_" + "a1B2" * 9,
    "oauth": "gho_" + "a1B2" * 9,
    "user to server": "ghu_" + "a1B2" * 9,
    "installation": "ghs_" + "a1B2" * 9,
    "installation with dots": "ghs_123_eyJhbGciOi.eyJpc3MiOiIx.c2ln-bmF0",
    "refresh": "ghr_" + "a1B2" * 19,
    "fine-grained": "github_pat_" + "11ABCDE0Y0" * 8,
    "web token": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0In0.c2lnbmF0dXJl",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----",
    "cut private key": "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAK",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_every_known_kind_of_secret_is_struck(secret: str) -> None:
    for text in (secret, f"fatal: '{secret}' failed", f"url=https://x/{secret}?a"):
        struck = scrub(text)
        assert "***" in struck
        assert not any(
            part in struck for part in secret.split("\n") if len(part) > 4 and not part.startswith("-----END")
        )


@pytest.mark.parametrize(
    ("text", "struck"),
    [
        ("https://dana:hunter2@host/x", "https://***@host/x"),
        ("Authorization: Basic eC1hY2Nlc3M6Z2hw", "Authorization: ***"),
        ("authorization: bearer abc.def", "authorization: ***"),
        ("sent Basic eC1hY2Nlc3M6Z2hw twice", "sent Basic *** twice"),
    ],
)
def test_credentials_in_urls_and_headers_are_struck(text: str, struck: str) -> None:
    assert scrub(text) == struck


@pytest.mark.parametrize(
    "text",
    [
        "ghcr.io/acme/checkout:1.8.2",
        "commit 1b2c3d4e",
        "https://github.com/acme/deploy.git",
        "a basic idea",
        "ghost_town",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert scrub(text) == text


def test_a_secret_at_the_place_of_the_cut_leaves_no_half() -> None:
    text = "x" * 290 + " ghp_" + "a1B2" * 9
    assert "ghp_" not in as_sentence(text)


@given(st.text())
def test_a_sentence_is_one_printable_line_of_bounded_length(text: str) -> None:
    line = as_sentence(text, longest=50)
    assert len(line) <= 50
    assert line.isprintable()


@given(st.text())
def test_scrubbing_again_changes_nothing(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


def test_direction_marks_and_invisible_characters_are_removed() -> None:
    assert as_sentence("a\u202eb\u200bc\x1b[31md\u2066") == "a b c [31md"
