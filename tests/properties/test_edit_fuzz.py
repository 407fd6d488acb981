"""The editor on arbitrary bytes and on damaged files of every kind: refused, or right, and never anything else.

`make fuzz` runs this with many more examples (LIFTLOCK_FUZZ_EXAMPLES).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.edit import (
    ArgoApplicationEdit,
    Edit,
    Edited,
    EditRefused,
    HelmEdit,
    Holds,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    Reading,
    RegexEdit,
    Wanted,
    guess_kind,
    invert,
    read_image,
    undo_image,
    write_image,
)

EXAMPLES = int(os.environ.get("LIFTLOCK_FUZZ_EXAMPLES", "150"))
IMAGE = "acme/web"
DIGEST = "sha256:" + "b" * 64
PURE = Reading(parser=yaml.SafeLoader)

EDITS: Sequence[Edit] = (
    KustomizeEdit(file="k.yaml"),
    KustomizeEdit(file="k.yaml", create=True),
    KustomizeEdit(file="k.yaml", pin=True),
    KustomizeEdit(file="k.yaml", create=True, pin=True),
    HelmEdit(file="v.yaml", tag="image.tag"),
    HelmEdit(file="v.yaml", tag="image.tag", digest="image.digest", repository="image.repository"),
    HelmEdit(file="v.yaml", image="image", pin=True),
    ManifestEdit(file="m.yaml"),
    ManifestEdit(file="m.yaml", container="web", pin=True),
    ArgoApplicationEdit(file="a.yaml", holds=Holds.HELM, path="image.tag"),
    ArgoApplicationEdit(file="a.yaml", holds=Holds.KUSTOMIZE),
    ArgoApplicationEdit(file="a.yaml", holds=Holds.TARGET_REVISION, source="web"),
    PathEdit(file="p.yaml", path="images[0].newTag"),
    PathEdit(file="p.json", path="image.tag"),
    RegexEdit(file="r.env", pattern=r"^\s*tag: (\S*)"),
)

DEPLOYMENT = f"""\
kind: Deployment
spec:
  template:
    spec:
      containers:
      - image: &i {IMAGE}:v1
        name: web
      - {{name: b, image: *i}}
"""
WITH_VALUES = """\
kind: Application
spec:
  source:
    chart: web
    targetRevision: v1
    helm:
      values: |
        # inside
        image:
          tag: 'v1'

        x: 1
"""
WITH_SOURCES = f"""\
kind: Application
spec:
  sources:
  - kustomize: {{images: ['web={IMAGE}:v1']}}
  - helm: {{parameters: [{{name: image.tag, value: v1}}]}}
"""
SEEDS = (
    f"images:\n- name: {IMAGE}\n  newTag: v1 # c\n  digest: {DIGEST}\n- name: b\n",
    f"resources: [a]\r\nimages:\r\n  - newName: {IMAGE}\r\n    newTag: 'v1'\r\n",
    f"\ufeffimage: {{tag: v1, repository: acme/web, digest: '{DIGEST}'}}\n",
    f'image: "{IMAGE}:v1@{DIGEST}" # ü\n---\nkind: X\n',
    '{"image": {"tag": "v1"}, "images": [{"newTag": "v1"}]}',
    "image:\n  tag: |-\n    v1\nx: >\n  folded\n",
    "[web]\nTAG=v1\n  tag: v1 ; c\n",
    DEPLOYMENT,
    WITH_VALUES,
    WITH_SOURCES,
)
PIECES = st.sampled_from(
    [
        *["image", "tag", "images", "name", "newTag", "digest", IMAGE, "v1", "~", "null", ":", ": ", "- ", "? ", " "],
        *["\t", "\n", "\n  ", "\r\n", "\r", "{", "}", "[", "]", ",", "&a ", "*a", "*i", "!!str ", "!x ", "<<: ", "|\n"],
        *[">-\n", "|2-\n", "# c", "'", '"', "\\", "---\n", "...\n", "%YAML 1.1\n", "\ufeff", "\x85", "\u2028"],
        *["\x00", "\x07", "ü", "😀"],
        *["{{ x }}", "@", "`", DIGEST, "1e3", "0x1", "kind: Pod\n", "containers:\n", "values: |\n", "\ud800", "=", "%"],
    ]
)


def edited_or_none(edit: Edit, text: str, wanted: Wanted, reading: Reading | None = None) -> Edited | None:
    try:
        return write_image(edit, IMAGE, text, wanted, reading=reading)
    except EditRefused as error:
        refused = error
    assert refused.file == edit.file or refused.file.startswith(f"{edit.file} (")
    assert refused.reason
    return None


GOOD = [(edit, seed) for edit in EDITS for seed in SEEDS if edited_or_none(edit, seed, Wanted(tag="v2", digest=DIGEST))]
"""What can be edited as it is: damage to these is the most telling."""

ANY_TEXT = (
    st.lists(PIECES, max_size=40).map("".join)
    | st.binary(max_size=120).map(lambda raw: raw.decode("utf-8", "replace"))
    | st.binary(max_size=120).map(lambda raw: raw.decode("latin-1"))
    | st.text(max_size=80)
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Edit, str]:
    """Draw an edit and a file that is nearly right for it: pieces are put in, taken out or doubled in a good one."""
    edit, text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        text = text[:start] + draw(PIECES | st.just(text[start:end] * 2) | st.just("")) + text[end:]
    return edit, text


def test_every_kind_has_a_file_that_is_edited() -> None:
    assert {edit.kind for edit, _ in GOOD} == {edit.kind for edit in EDITS}
    assert len(GOOD) > len(EDITS)


INPUTS = damaged() | damaged() | damaged() | st.tuples(st.sampled_from(EDITS), ANY_TEXT)
TAGS = st.sampled_from(["v2", "1.10", "0644", "12e45678", "on", "null", "2024-01-15", "_"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=INPUTS, tag=TAGS)
def test_an_edit_is_right_or_refused(case: tuple[Edit, str], tag: str) -> None:
    edit, text = case
    wanted = Wanted(tag=tag, digest=DIGEST)
    edited = edited_or_none(edit, text, wanted)
    if edited is None:
        return
    place = 0
    rest = edited.text
    kept_old, kept_new = "", ""
    for change in edited.changes:
        assert rest[change.at :].startswith(change.now)
        kept_new += rest[place : change.at]
        place = change.at + len(change.now)
    kept_new += rest[place:]
    place = moved = 0
    for change in edited.changes:
        start = change.at - moved
        assert text[start:].startswith(change.was)
        kept_old += text[place:start]
        place, moved = start + len(change.was), moved + len(change.now) - len(change.was)
    assert kept_old + text[place:] == kept_new
    assert invert(edited.text, edited.changes) == text
    assert read_image(edit, IMAGE, edited.text).tag == tag
    assert edited_or_none(edit, edited.text, wanted) == Edited(text=edited.text)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=INPUTS, tag=TAGS)
def test_what_was_edited_can_be_taken_back_or_is_refused(case: tuple[Edit, str], tag: str) -> None:
    edit, text = case
    edited = edited_or_none(edit, text, Wanted(tag=tag, digest=DIGEST))
    if edited is None:
        return
    try:
        undone = undo_image(edit, IMAGE, before=text, after=edited.text, now=edited.text)
    except EditRefused:
        return
    assert undone.text == text


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=INPUTS, tag=TAGS)
def test_both_parsers_make_the_same_edit(case: tuple[Edit, str], tag: str) -> None:
    edit, text = case
    wanted = Wanted(tag=tag, digest=DIGEST)
    fast, slow = edited_or_none(edit, text, wanted), edited_or_none(edit, text, wanted, PURE)
    assert fast is None or slow is None or fast == slow


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=INPUTS)
def test_any_text_has_a_kind_or_none_or_is_refused(case: tuple[Edit, str]) -> None:
    kind = None
    with contextlib.suppress(EditRefused):
        kind = guess_kind("a.yaml", case[1])
    assert kind in (None, "kustomize", "manifest", "argocd-application")
