"""Laws of the editor: only the value changes, the inverse restores, and nothing but a refusal ever comes out."""

from dataclasses import dataclass

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.edit import (
    EditRefused,
    EntryWhere,
    HelmEdit,
    KustomizeEdit,
    Reading,
    locate,
    parse_path,
    read_tag,
    replace_scalars,
    write_tag,
)
from bot.domain.edit.plain import can_be_plain, is_text, reads_as_written

TRAPS = ["1.10", "0644", "12e45678", "null", "on", "yes", "2024-01-15", "0x1F", "1_000", "1e3", "5735816", "v1..2"]
TAGS = st.sampled_from(TRAPS) | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
PLAIN_TAGS = TAGS.filter(lambda tag: can_be_plain(tag, in_flow=True))
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)
READINGS = st.sampled_from([Reading(), Reading(parser=yaml.SafeLoader)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A values file as written around a tag: `before` + `tag` + `after`."""

    before: str
    after: str
    is_plain: bool

    def with_tag(self, tag: str) -> str:
        return self.before + tag + self.after


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Draw a file that holds a tag at `image.tag`: every style of value, and hostile surroundings."""
    end_of_line = draw(st.sampled_from(["\n", "\r\n"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    preamble = draw(st.sampled_from(["", "---\n", "%YAML 1.2\n---\n", "# a\n---\n"]))
    note = "# " + draw(WORDS)
    other = f'other: ["{draw(WORDS.map(lambda word: word.replace(chr(92), "").replace(chr(34), "")))}", *]'
    neighbour = draw(st.sampled_from(["x: {a: b, c: [d, e]}", "x: &a\n  - 1\n  - 2\ny: *a", "z: |\n  tag: v0\n\n", ""]))
    properties = draw(st.sampled_from(["", "&t ", "!!str ", "&t !!str ", "! "]))
    quote = draw(st.sampled_from(["", "'", '"']))
    opening, closing = draw(
        st.sampled_from(
            [
                ("image:\n  tag: ", " " + note + "\n  repository: r\n"),
                ("image:\n    repository: r\n    tag:   ", "\n"),
                ("image: {repository: r, tag: ", ", pull: [a, {b: c}]}  " + note + "\n"),
                ('{"image": {"tag": ', "}}"),
                ("image:\n  ? tag\n  : ", "\n"),
                ("image:\n  tag:\n    ", "\n"),
                ("image: {\n  tag: ", "\n}"),
            ]
        )
    )
    is_json = opening.startswith("{")
    head = "" if is_json else "\n".join([note, neighbour, other.replace(", *", "")]) + "\n"
    text = (preamble + head + opening + properties + quote, quote + closing)
    before, after = (part.replace("\n", end_of_line) for part in text)
    return Sample(before=mark + before, after=after, is_plain=not quote)


HELM = HelmEdit(file="values.yaml", tag="image.tag")


@settings(max_examples=300, deadline=None)
@given(sample=samples(), old=PLAIN_TAGS, new=TAGS, reading=READINGS)
def test_edit_changes_exactly_the_value_and_reads_back(sample: Sample, old: str, new: str, reading: Reading) -> None:
    text = sample.with_tag(old)
    assert read_tag(HELM, "i", text, reading=reading) == old
    edited = write_tag(HELM, "i", text, new, reading=reading)
    written = f'"{new}"' if sample.is_plain and not is_text(new) else new
    assert edited == sample.with_tag(written)
    assert read_tag(HELM, "i", edited, reading=reading) == new


@settings(max_examples=200, deadline=None)
@given(sample=samples(), old=PLAIN_TAGS, new=PLAIN_TAGS)
def test_inverse_restores_the_bytes(sample: Sample, old: str, new: str) -> None:
    text = sample.with_tag(old)
    assert write_tag(HELM, "i", write_tag(HELM, "i", text, new), old) == text


@settings(max_examples=100, deadline=None)
@given(sample=samples(), old=PLAIN_TAGS, new=TAGS)
def test_inverse_restores_the_value_where_the_edit_had_to_add_quotes(sample: Sample, old: str, new: str) -> None:
    restored = write_tag(HELM, "i", write_tag(HELM, "i", sample.with_tag(old), new), old)
    assert read_tag(HELM, "i", restored) == old


@settings(max_examples=100, deadline=None)
@given(sample=samples(), old=PLAIN_TAGS, new=TAGS)
def test_second_edit_changes_nothing(sample: Sample, old: str, new: str) -> None:
    once = write_tag(HELM, "i", sample.with_tag(old), new)
    assert write_tag(HELM, "i", once, new) == once


@settings(max_examples=200, deadline=None)
@given(
    sample=samples(),
    value=st.text(st.characters(codec="utf-8"), max_size=20) | st.text("ab: #\n'\"\\&*!{}[],-?", max_size=8),
)
def test_any_text_can_be_a_value_and_reads_back(sample: Sample, value: str) -> None:
    text = sample.with_tag("v1")
    try:
        edited = replace_scalars(text, {locate(text, "image", "tag").span: value})
    except EditRefused:
        return
    assert locate(edited, "image", "tag").value == value
    assert edited.startswith(sample.before.rstrip("'\""))
    assert edited.endswith(sample.after.lstrip("'\""))


FRAGMENTS = st.sampled_from(
    [
        *["image", "tag", "images", "name", "newTag", "i", "v1", "~", ":", ": ", "- ", "? ", " ", "\t", "\n", "\n  "],
        *["\r\n", "\r", "{", "}", "[", "]", ",", "&a ", "*a", "!!str ", "!x ", "<<", "|", ">", "|-\n", "# c", "'", '"'],
        *["\\", "---\n", "...\n", "%YAML 1.1\n", "\ufeff", "\x85", "\u2028", "\x00", "ü", "😀", "{{ x }}", "@", "`"],
    ]
)


@settings(max_examples=600, deadline=None)
@given(text=st.lists(FRAGMENTS, max_size=40).map("".join) | st.text(max_size=80), new=TAGS, reading=READINGS)
def test_arbitrary_text_is_edited_right_or_refused(text: str, new: str, reading: Reading) -> None:
    for edit in (HELM, HelmEdit(file="f", tag="tag"), KustomizeEdit(file="f")):
        try:
            edited = write_tag(edit, "i", text, new, reading=reading)
        except EditRefused:
            continue
        assert read_tag(edit, "i", edited, reading=reading) == new


@settings(max_examples=200, deadline=None)
@given(path=st.text("ab.[]=\\0123\n", max_size=12), text=st.sampled_from(["a: b", "a: [b, {b: a, c: d}]", "[a]", ""]))
def test_arbitrary_path_is_found_or_refused(path: str, text: str) -> None:
    try:
        found = locate(text, *parse_path(path))
    except EditRefused:
        return
    assert text[slice(*found.span)] == found.value


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60), field=st.text(max_size=3), value=st.text(max_size=3))
def test_arbitrary_entry_is_found_or_refused(text: str, field: str, value: str) -> None:
    with pytest.raises(EditRefused):
        locate(f"i: []\n# {text.encode(errors='replace').decode()}", "i", EntryWhere(fields=(field,), value=value), "x")


@settings(deadline=None)
@given(value=st.sampled_from(TRAPS) | st.text("0123456789abcdefx_.:+-eE ", max_size=9))
def test_what_may_be_plain_is_text_to_the_loaders_of_both_yaml_versions(value: str) -> None:
    if can_be_plain(value, in_flow=False):
        assert yaml.safe_load(f"t: {value}") == {"t": value}
        assert reads_as_written(value)
