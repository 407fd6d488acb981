"""What is taken from a body: a JSON object, values in it, names of images."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.payload import is_image_repository, parse_object, value_at

HOSTILE_NAMES: tuple[object, ...] = (
    "",
    "/",
    "acme/",
    "/checkout",
    "acme//checkout",
    "Acme/checkout",
    "acme/Checkout",
    "acme/checkout:1.9.0",
    "acme/checkout@sha256:" + "0" * 64,
    "acme/../etc",
    "../acme",
    "acme/.checkout",
    "acme/checkout-",
    "acme/check out",
    "acme/checkout\n",
    "\nacme/checkout",
    "acme/checkout\x00",
    "acme/checkout\x1b[31m",
    "acme/chéckout",
    "acme/check\u200bout",
    "acme/checkout;id",
    "acme/$(id)",
    "https://ghcr.io/acme/checkout",
    "localhost:5000/checkout",
    "a" * 256,
    "acme/" + "b" * 251,
    None,
    7,
    True,
    ["acme/checkout"],
    {"name": "acme/checkout"},
)


@pytest.mark.parametrize(
    "name",
    ["acme/checkout", "checkout", "a/b/c/d", "library/nginx", "a_b/c__d/e--f.g", "ghcr.io/acme/checkout", "a" * 255],
)
def test_a_name_of_the_oci_grammar_is_one(name: str) -> None:
    assert is_image_repository(name)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_any_other_value_is_none(name: object) -> None:
    assert not is_image_repository(name)


@given(st.text())
def test_no_text_with_anything_but_small_letters_digits_and_separators_is_a_name(text: str) -> None:
    assert not is_image_repository(text) or set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-/")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe{\x00}\x00",
        b"payload=%7B%7D",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_json_object_is_none(body: bytes) -> None:
    assert parse_object(body) is None


def test_a_value_is_found_where_it_stands_and_is_none_anywhere_else() -> None:
    content = parse_object(json.dumps({"a": {"b": {"c": 1}}, "x": [{"b": 2}], "t": "text"}).encode())
    assert value_at(content, "a", "b", "c") == 1
    assert value_at(content) == content
    missing = [("a", "c"), ("x", "b"), ("t", "b"), ("a", "b", "c", "d"), ("z",)]
    assert [value_at(content, *keys) for keys in missing] == [None] * len(missing)
    assert value_at(None, "a") is None
