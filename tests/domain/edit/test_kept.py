"""One row for each thing that an edit keeps, or that it must get right: a whole file, and the whole file after it."""

import pytest
import yaml
from ruamel.yaml import YAML

from bot.domain.edit import HelmEdit, PathEdit, Reading, invert, write_image
from bot.domain.edit.image import Wanted

LONG = "x" * 30_000


def case(name: str, before: str, after: str, *, path: str = "tag") -> object:
    return pytest.param(before, after, path, id=name)


CASES = [
    case("inline comment with braces", "tag: v1 # {note}\n", "tag: v2 # {note}\n"),
    case("double quotes", 'tag: "v1"\n', 'tag: "v2"\n'),
    case("single quotes", "tag: 'v1'\n", "tag: 'v2'\n"),
    case("flow mapping", "image: {tag: v1, repo: x}\n", "image: {tag: v2, repo: x}\n", path="image.tag"),
    case(
        "flow mapping over lines",
        "image: {\n  tag: v1 # a\n  , repo: x}\n",
        "image: {\n  tag: v2 # a\n  , repo: x}\n",
        path="image.tag",
    ),
    case("two values on one line", "{a: v1, b: v1}\n", "{a: v1, b: v2}\n", path="b"),
    case("the first of two alike on one line", "{a: v1, b: v1}\n", "{a: v2, b: v1}\n", path="a"),
    case("literal block", "tag: |-\n  v1\nx: y\n", "tag: |-\n  v2\nx: y\n"),
    case("folded block", "tag: >-\n    v1\n\nx: y\n", "tag: >-\n    v2\n\nx: y\n"),
    case("block with a comment in its header", "tag: >- # why\n  v1\n", "tag: >- # why\n  v2\n"),
    case("anchor and its alias", "t: &t v1\nu: *t\n", "t: &t v2\nu: *t\n", path="t"),
    case("tag and anchor", "t: !!str &t v1\n", "t: !!str &t v2\n", path="t"),
    case("anchor before a quoted value on the next line", "t: &t\n  'v1'\n", "t: &t\n  'v2'\n", path="t"),
    case("CRLF", "a: 1\r\ntag: v1\r\nb: 2\r\n", "a: 1\r\ntag: v2\r\nb: 2\r\n"),
    case("line ends that differ", "a: 1\r\ntag: v1\nb: 2\r\n", "a: 1\r\ntag: v2\nb: 2\r\n"),
    case("old Mac line ends", "a: 1\rtag: v1\rb: 2", "a: 1\rtag: v2\rb: 2"),
    case("byte order mark", "\ufefftag: v1\n", "\ufefftag: v2\n"),
    case("byte order mark and a mapping of one line", "\ufeff{tag: v1}", "\ufeff{tag: v2}"),
    case("no newline at the end", "tag: v1", "tag: v2"),
    case("many blank lines", "\n\n\na: 1\n\n\ntag: v1\n\n\n", "\n\n\na: 1\n\n\ntag: v2\n\n\n"),
    case("blanks at line ends", "a: 1   \ntag: v1   \n", "a: 1   \ntag: v2   \n"),
    case("tabs before a comment", "tag: v1\t\t# c\n", "tag: v2\t\t# c\n"),
    case("indentation of five", "a:\n     tag: v1\n     b: 2\n", "a:\n     tag: v2\n     b: 2\n", path="a.tag"),
    case("dashes at the parent's column", "a:\n- tag: v1\n", "a:\n- tag: v2\n", path="a[0].tag"),
    case("dashes further in", "a:\n    -   tag: v1\n", "a:\n    -   tag: v2\n", path="a[0].tag"),
    case("a list in a list", "a:\n- - v0\n  - v1\n", "a:\n- - v0\n  - v2\n", path="a[0][1]"),
    case("the second document", "tag2: v1\n---\ntag: v1\n", "tag2: v1\n---\ntag: v2\n"),
    case("a document that ends", "tag: v1\n...\n---\nx: 1\n", "tag: v2\n...\n---\nx: 1\n"),
    case("a directive", "%YAML 1.2\n---\ntag: v1\n", "%YAML 1.2\n---\ntag: v2\n"),
    case("keys in another order", "z: 1\ntag: v1\na: 2\n", "z: 1\ntag: v2\na: 2\n"),
    case(
        "an entry by name",
        "i:\n- {n: a, t: v1}\n- {n: b, t: v1}\n",
        "i:\n- {n: a, t: v1}\n- {n: b, t: v2}\n",
        path="i[n=b].t",
    ),
    case(
        "a name with dots and a port",
        "i: [{n: 'r.io:5/a', t: v1}]\n",
        "i: [{n: 'r.io:5/a', t: v2}]\n",
        path="i[n=r.io:5/a].t",
    ),
    case("a key with a dot", "a.b/c: v1\n", "a.b/c: v2\n", path=r"a\.b/c"),
    case("a quoted key", '"tag": v1\n', '"tag": v2\n'),
    case("a complex key beside it", "? [a, b]\n: c\ntag: v1\n", "? [a, b]\n: c\ntag: v2\n"),
    case("an explicit key", "? tag\n: v1\n", "? tag\n: v2\n"),
    case("text beyond ASCII before it on its line", "{ü: 'é😀', tag: v1}\n", "{ü: 'é😀', tag: v2}\n"),
    case("a very long line", f"{{x: {LONG}, tag: v1}}\n", f"{{x: {LONG}, tag: v2}}\n"),
    case(
        "a merge beside it",
        "b: &b {x: 1}\na:\n  <<: *b\n  tag: v1\n",
        "b: &b {x: 1}\na:\n  <<: *b\n  tag: v2\n",
        path="a.tag",
    ),
    case("a value on the next line", "tag:\n    v1 # c\nx: 1\n", "tag:\n    v2 # c\nx: 1\n"),
    case("nothing written", "tag:\nx: 1\n", "tag: v2\nx: 1\n"),
    case("nothing written before a comment", "tag:   # none yet\n", "tag: v2   # none yet\n"),
    case("null", "tag: ~\n", "tag: v2\n"),
    case("an empty text", "tag: ''\n", "tag: 'v2'\n"),
    case("a number before it", "tag: 1.10\n", "tag: v2\n"),
    case("an untouched short hash", "other: 12e45678\ntag: v1\n", "other: 12e45678\ntag: v2\n"),
    case("a long list that stays on its line", "a: [1,2,  3 ]\ntag: v1\n", "a: [1,2,  3 ]\ntag: v2\n"),
]

QUOTED = ["yes", "No", "on", "OFF", "y", "null", "true", "1.10", "1", "0644", "0x1F", "1e3", "12e4567", "2024-01-15",
          "1_000", "0b1", "0o7", "1.", "5735816"]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "path"), CASES)
def test_edit_changes_these_bytes_only_and_its_inverse_restores_them(before: str, after: str, path: str) -> None:
    edited = write_image(PathEdit(file="a.yaml", path=path), "i", before, Wanted(tag="v2"))
    assert edited.text == after
    assert invert(edited.text, edited.changes) == before


@pytest.mark.parametrize(("before", "after", "path"), CASES)
def test_edit_is_the_same_without_libyaml(before: str, after: str, path: str) -> None:
    if "\t" in before:
        pytest.skip("PyYAML's own parser takes no tab before a comment")
    reading = Reading(parser=yaml.SafeLoader)
    assert write_image(PathEdit(file="a", path=path), "i", before, Wanted(tag="v2"), reading=reading).text == after


@pytest.mark.parametrize("tag", QUOTED)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_tag_that_is_no_text_to_some_reader_is_quoted_for_all(tag: str, version: str) -> None:
    edited = write_image(HelmEdit(file="a", tag="tag"), "i", "tag: v1\n", Wanted(tag=tag)).text
    assert edited == f'tag: "{tag}"\n'
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    assert reader.load(edited) == {"tag": tag}
    assert yaml.safe_load(edited) == {"tag": tag}
