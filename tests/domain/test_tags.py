import pytest

from bot.domain.tags import is_tag


@pytest.mark.parametrize("text", ["v1", "1.10", "null", "_", "A-b_c.d", "v1..2", "a.lock", "x" * 128])
def test_tag_of_the_oci_grammar_is_a_tag(text: str) -> None:
    assert is_tag(text)


@pytest.mark.parametrize("text", ["", ".a", "-a", "a b", "a\n", "a/b", "a:b", "v1@sha256:0", "ü", "v٣", "x" * 129])
def test_anything_else_is_no_tag(text: str) -> None:
    assert not is_tag(text)
