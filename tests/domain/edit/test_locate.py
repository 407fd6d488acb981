import pytest
import yaml

from bot.domain.edit import EditRefused, EntryWhere, Reading, Step, Style, locate, parse_path

BOTH_PARSERS = pytest.mark.parametrize(
    "reading", [Reading(), Reading(parser=yaml.SafeLoader)], ids=["fastest parser", "pure parser"]
)
WEB = EntryWhere(fields=("name", "newName"), value="web")


@BOTH_PARSERS
@pytest.mark.parametrize(
    ("text", "written", "value", "style", "line"),
    [
        ("t: v1 # {note}\n", "v1", "v1", Style.PLAIN, 1),
        ('x: 1\nt: "v1"\n', '"v1"', "v1", Style.DOUBLE_QUOTED, 2),
        ("t: 'it''s'\n", "'it''s'", "it's", Style.SINGLE_QUOTED, 1),
        ("\ufefft: v1\n", "v1", "v1", Style.PLAIN, 1),
        ("# ü 😀\r\nt: v1\r\n", "v1", "v1", Style.PLAIN, 2),
        ("{ü: 😀, t: v1}", "v1", "v1", Style.PLAIN, 1),
        ("t: &a v1\n", "v1", "v1", Style.PLAIN, 1),
        ("t: &a !!str  v1 # c\n", "v1", "v1", Style.PLAIN, 1),
        ("t: ! 'v1'\n", "'v1'", "v1", Style.SINGLE_QUOTED, 1),
        ("t: !<tag:yaml.org,2002:str> v1\n", "v1", "v1", Style.PLAIN, 1),
        ("t: &a # why\n  v1\n", "v1", "v1", Style.PLAIN, 1),
        ("t: &a |-\n  v1\n", "|-\n  v1\n", "v1", Style.LITERAL, 1),
        ("t: >-\n  v1\n", ">-\n  v1\n", "v1", Style.FOLDED, 1),
        ("t: a\n  b # c\n", "a\n  b", "a b", Style.PLAIN, 1),
        ("t:\nu: 1\n", "", "", Style.PLAIN, 1),
        ("t: &a\nu: 1\n", "", "", Style.PLAIN, 1),
        ("? t\n: v1\n", "v1", "v1", Style.PLAIN, 2),
        ('{"t":"v1"}', '"v1"', "v1", Style.DOUBLE_QUOTED, 1),
    ],
)
def test_scalar_is_found_with_exactly_its_characters(
    text: str, written: str, value: str, style: Style, line: int, reading: Reading
) -> None:
    found = locate(text, "t", reading=reading)
    assert text[slice(*found.span)] == written
    assert (found.value, found.style, found.line) == (value, style, line)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("image:\n  repo: x\n  tag: v1\n", "image.tag", "v1"),
        ("images:\n- tag: v1\n- tag: v2\n", "images[1].tag", "v2"),
        ("- [a, b]\n", "[0][1]", "b"),
        ("i:\n- {name: a, tag: v1}\n- {tag: v2, name: web}\n", "i[name=web].tag", "v2"),
        ("i: [text, [list], {other: 1}, {name: [web]}, {name: web, tag: v2}]\n", "i[name=web].tag", "v2"),
        ("kind: A\n---\nimage: {tag: v1}\n", "image.tag", "v1"),
        ("[k]: x\nt: v1\n", "t", "v1"),
        ("d: &d {t: v0}\n<<: *d\nt: v1\n", "t", "v1"),
        ("8080: v1\n", "8080", "v1"),
    ],
)
def test_path_leads_to_the_value(text: str, path: str, value: str) -> None:
    assert locate(text, *parse_path(path)).value == value


@BOTH_PARSERS
@pytest.mark.parametrize(
    ("text", "path", "line", "at", "reason"),
    [
        ("", ("t",), 1, "t", "the file is empty"),
        ("# only a comment\n", ("t",), 1, "t", "the file is empty"),
        ("a: 1\nb:\n  c: 2\n", ("b", "t"), 3, "b.t", "b has no 't'"),
        ("a: 1\n", ("image", "tag"), 1, "image.tag", "the file has no 'image'"),
        ("a: 1\n---\nimage:\n  x: 1\n", ("image", "tag"), 4, "image.tag", "image has no 'tag'"),
        ("image: v1\n", ("image", "tag"), 1, "image.tag", "image is not a mapping, so it has no 'tag'"),
        ("i: {a: b}\n", ("i", 0), 1, "i[0]", "i is not a list"),
        ("i: [a]\n", ("i", 1), 1, "i[1]", "i has no entry 1, it has 1"),
        ("i:\n- name: a\n", ("i", WEB, "t"), 2, "i[name=web].t", "no entry of i has the name or newName 'web'"),
        ("d: &d {t: v0}\ni:\n  <<: *d\n", ("i", "t"), 3, "i.t", "if it comes from a merge (<<), write it out"),
        ("i:\n- name: web\n- newName: web\n", ("i", WEB), 3, "i[name=web]", "two entries of the list have the name or"),
        ("t: v1\nx: 1\nt: v2\n", ("t",), 3, "t", "the key 't' stands twice in one mapping"),
        ('i: {t: v1}\n"i": {t: v2}\n', ("i", "t"), 2, "i", "the key 'i' stands twice in one mapping"),
        ("i:\n- name: web\n  name: b\n", ("i", WEB), 3, "i[name=web]", "the key 'name' stands twice in one mapping"),
        ("t: v1\n---\nt: v2\n", ("t",), 1, "t", "several documents of the file have this value (lines 1 and 3)"),
        ("u: &u v1\nt: *u\n", ("t",), 2, "t", "this is an alias (*u) of a value that stands elsewhere"),
        ("u: &u {t: v1}\nw: *u\n", ("w", "t"), 2, "w.t", "name the path of &u"),
        ("u: &u k\n*u : x\nt: v1\n", ("t",), 2, "t", "a key beside this one is an alias (*u)"),
        ("u: &u {name: web}\ni: [*u]\n", ("i", WEB), 2, "i[name=web]", "an entry of the list is an alias (*u)"),
        ("u: &u web\ni:\n- name: *u\n", ("i", WEB), 3, "i[name=web]", "the name of an entry is an alias (*u)"),
        ("u: &u {x: 1}\ni:\n- <<: *u\n", ("i", WEB), 3, "i[name=web]", "takes keys from elsewhere (<<)"),
        ("t: {a: b}\n", ("t",), 1, "t", "the value is a mapping or a list, not a single text"),
        ("t: {{ .Values.tag }}\n", ("t",), 1, "t", "the value is a template ({{ … }})"),
        ("t: !vault v1\n", ("t",), 1, "t", "the value has the YAML tag '!vault'"),
        ("t: !!int 5\n", ("t",), 1, "t", "the value has the YAML tag 'tag:yaml.org,2002:int'"),
        ("t:\n- " + "x" * 99 + ": 1\n", ("t", "y" * 99), 2, "t." + "y" * 99, "t is not a mapping, so it has no 'yyy"),
    ],
)
def test_what_is_not_certain_is_refused_with_line_path_and_reason(
    text: str, path: tuple[Step, ...], line: int, at: str, reason: str, reading: Reading
) -> None:
    with pytest.raises(EditRefused) as refused:
        locate(text, *path, file="f.yaml", reading=reading)
    assert reason in refused.value.reason
    assert (refused.value.file, refused.value.line, refused.value.path) == ("f.yaml", line, at)
