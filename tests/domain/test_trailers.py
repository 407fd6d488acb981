"""Trailers: what is written is read back, and hostile or broken messages are nobody's commit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Sha, Trailers
from bot.domain.trailers import parse_trailers, render_trailers

PROMOTION = Trailers(
    service="checkout",
    stage="production",
    release=f"ghcr.io/acme/checkout:1.9.0@sha256:{'a' * 64}",
    promotes="staging -> production",
    evidence="sha256:0123abcd",
)
REVERT = replace(PROMOTION, promotes=None, reverts=Sha("b" * 40))
BLOCK = render_trailers(PROMOTION)

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
shas = st.from_regex(r"[0-9a-f]{40}|[0-9a-f]{64}", fullmatch=True).map(Sha)


@given(
    service=names,
    stage=names,
    release=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,60}", fullmatch=True),
    move=st.one_of(st.none(), names),
    reverts=st.one_of(st.none(), shas),
)
def test_what_is_written_is_read_back(
    service: str, stage: str, release: str, move: str | None, reverts: Sha | None
) -> None:
    trailers = Trailers(
        service=service,
        stage=stage,
        release=release,
        promotes=f"{move} -> {stage}" if move and not reverts else None,
        reverts=reverts,
    )
    assert parse_trailers(f"Subject\n\nWhy.\n\n{render_trailers(trailers)}\n") == trailers


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(f"Promote\n\nWhy.\n\n{BLOCK}", id="as the bot writes it"),
        pytest.param(f"Promote\r\n\r\nWhy.\r\n\r\n{BLOCK}\r\n", id="CRLF"),
        pytest.param(f"Promote (#1)\n\n{BLOCK}\n\nCo-authored-by: A <a@example.com>", id="co-authors behind it"),
        pytest.param(f"Promote (#1)\n\n{BLOCK}\n\n---------\n\nCo-authored-by: A <a@b.c>", id="GitHub's squash"),
        pytest.param(f"Merge pull request #1 from x\n\nTitle\n\nPromote\n\nWhy.\n\n{BLOCK}", id="merged by a person"),
        pytest.param(f"Promote\n\n{BLOCK}\nSigned-off-by: A <a@example.com>", id="signed off"),
        pytest.param(f"Promote\n\n{BLOCK}\n(cherry picked from commit {'c' * 40})", id="cherry-picked"),
    ],
)
def test_the_origin_is_found_where_git_and_github_put_it(message: str) -> None:
    assert parse_trailers(message) == PROMOTION


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="empty"),
        pytest.param("Fix a thing", id="none"),
        pytest.param(BLOCK, id="nothing but trailers: the first paragraph is the subject"),
        pytest.param(f"Subject\n\n{BLOCK}\n\nAnd then a person wrote this.", id="text behind it"),
        pytest.param(f"Subject\n\nas quoted here\n{BLOCK}", id="quoted in a paragraph"),
        pytest.param(f"Subject\n\n{BLOCK}\nLiftlock-Service: other", id="a key twice"),
        pytest.param(f"Subject\n\n{BLOCK}\n\n{render_trailers(REVERT)}", id="two blocks"),
        pytest.param(f"Subject\n\n{BLOCK}\nLiftlock-Reverts: {'b' * 40}", id="promotes and reverts"),
        pytest.param("Subject\n\nLiftlock-Service: checkout\nLiftlock-Stage: production", id="no release"),
        pytest.param(f"Subject\n\n{BLOCK.replace('checkout', 'Check Out', 1)}", id="a service of a wrong shape"),
        pytest.param(f"Subject\n\n{BLOCK}\n and more", id="a folded value"),
        pytest.param(f"Subject\n\n{BLOCK}\f", id="a control character behind a value"),
    ],
)
def test_a_doubtful_message_is_nobodys(message: str) -> None:
    assert parse_trailers(message) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (replace(PROMOTION, service="a b"), "Liftlock-Service must be"),
        (replace(PROMOTION, release="x\nLiftlock-Reverts: y"), "Liftlock-Release must be"),
        (replace(PROMOTION, reverts=Sha("b" * 40)), "never both"),
    ],
)
def test_what_would_not_be_read_back_is_not_written(wrong: Trailers, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        render_trailers(wrong)
