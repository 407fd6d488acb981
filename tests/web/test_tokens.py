"""Tokens in the header `Authorization`: where they stand, and which one is ours."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.tokens import is_one_of, parse_token


def basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (["Bearer abc"], b"abc"),
        (["BEARER  abc "], b"abc"),
        (["Bearer a b"], b"a b"),
        (["Bearer "], b""),
        (["Bearer"], b""),
        ([basic("liftlock:abc")], b"abc"),
        ([basic(":abc")], b"abc"),
        ([basic("liftlock:a:b ")], b"a:b "),
        ([basic("liftlock:")], b""),
        ([basic("liftlock:abc").replace("Basic ", "basic  ")], b"abc"),
        ([basic("abc")], None),
        (["Basic abc"], None),
        (["Basic \xff"], None),
        (["Basic YTpi\n"], None),
        (["Basic"], None),
        (["Digest abc"], None),
        (["abc"], None),
        ([""], None),
        ([], None),
        (["Bearer abc", "Bearer abc"], None),
    ],
)
def test_a_token_is_read_from_one_header_of_a_known_scheme(headers: list[str], token: bytes | None) -> None:
    assert parse_token(headers) == token


@given(text=st.text(st.characters(max_codepoint=255)), scheme=st.sampled_from(["Bearer", "Basic", "", "x"]))
def test_no_header_is_more_than_no_token(text: str, scheme: str) -> None:
    found = parse_token([f"{scheme} {text}"])
    assert found is None or isinstance(found, bytes)


@given(user=st.text().filter(lambda text: ":" not in text), password=st.text())
def test_the_password_of_basic_is_the_token_whoever_the_user_is(user: str, password: str) -> None:
    assert parse_token([basic(f"{user}:{password}")]) == password.encode()


@given(sent=st.binary(), token=st.text(min_size=1))
def test_only_the_token_itself_is_the_token(sent: bytes, token: str) -> None:
    if not token.isprintable():
        return
    assert is_one_of(sent, [token]) == (sent == token.encode())
    assert is_one_of(token.encode(), ["another", token])
    assert not is_one_of(sent, [])
