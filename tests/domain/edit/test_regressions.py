"""Faults that were found in the editor, each with the smallest file that shows it. DESIGN.md, I14."""

import pytest

from bot.domain.edit import (
    ArgoApplicationEdit,
    DocumentWhere,
    Edit,
    EditRefused,
    EntryWhere,
    HelmEdit,
    Holds,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    RegexEdit,
    Wanted,
    Written,
    check_pattern,
    guess_kind,
    parse_path,
    read_image,
    render_path,
    undo_image,
    write_image,
)
from bot.domain.edit.plain import is_text

DA = "sha256:" + "a" * 64
DB = "sha256:" + "b" * 64
KUSTOMIZE = KustomizeEdit(file="k.yaml")
HELM = HelmEdit(file="v.yaml", tag="image.tag")
MANIFEST = ManifestEdit(file="m.yaml")
VALUE = ArgoApplicationEdit(file="a.yaml", holds=Holds.HELM, path="image.tag")
REVISION = ArgoApplicationEdit(file="a.yaml", holds=Holds.TARGET_REVISION)


def reason_of(edit: Edit, text: str, image: str = "app", wanted: Wanted | None = None) -> str:
    """Return why reading and writing are both refused."""
    with pytest.raises(EditRefused) as unwritten:
        write_image(edit, image, text, wanted or Wanted(tag="v3", digest=DB))
    with pytest.raises(EditRefused) as unread:
        read_image(edit, image, text)
    return unread.value.reason + " | " + unwritten.value.reason


# --- what the real tools would run -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            f"images:\n- &b {{name: other, digest: '{DA}'}}\n- <<: *b\n  name: app\n  newTag: v1\n",
            "takes keys from elsewhere",
            id="a merge that brings a digest",
        ),
        pytest.param(
            "images:\n- {name: app, newTag: v1, newtag: v2}\n",
            "reads the key 'newtag' whatever its case",
            id="two cases",
        ),
        pytest.param(
            f"images:\n- {{name: app, newTag: v1, Digest: '{DA}'}}\n", "the key 'Digest' whatever its case", id="Digest"
        ),
        pytest.param("Images: []\nimages:\n- {name: app, newTag: v1}\n", "the key 'Images'", id="Images beside images"),
        pytest.param("images:\n- {name: app, newTag: v1, tagSuffix: -x}\n", "has a tagSuffix", id="a suffix"),
        pytest.param(
            'images:\n- {name: app, newTag: v1}\n- {name: "a.*", newTag: v2}\n',
            "applies this entry to the image as well as the one on line 2",
            id="a later entry that is a pattern",
        ),
        pytest.param(
            "images:\n- {name: app, newName: g/app, newTag: v1}\n- {name: g/app, newTag: v2}\n",
            "applies this entry to the image as well",
            id="a later entry for the new name",
        ),
        pytest.param(
            "resources: []\n---\nimages: [{name: app, newTag: v1}]\n",
            "kustomize reads the first document of a file only",
            id="a second document",
        ),
        pytest.param(
            "---\n---\nimages: [{name: app, newTag: v1}]\n", "reads the first document", id="behind an empty document"
        ),
        pytest.param(
            "images:\n- {name: app, newTag: 123}\n", "put it in quotes", id="a number, which is an error there"
        ),
        pytest.param(
            f"images:\n- {{name: app, newTag: 'v1@{DA}', digest: '{DA}'}}\n",
            "the tag holds a digest, which has a place of its own",
            id="a digest twice",
        ),
    ],
)
def test_kustomization_that_means_something_else_than_it_seems_is_refused(text: str, reason: str) -> None:
    edit = KustomizeEdit(file="k.yaml", name="app")
    if "123" in text:
        with pytest.raises(EditRefused, match=reason):
            read_image(edit, "app", text)
        return
    assert reason in reason_of(edit, text)


def test_entries_for_other_images_are_no_doubt() -> None:
    text = "images:\n- {name: app-2, newTag: v1}\n- {name: '(', newTag: v1}\n- {name: app, newTag: v1}\n- plain\n"
    assert write_image(KUSTOMIZE, "app", text, Wanted(tag="v2")).text.count("v2") == 1


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param(
            'helm: {valuesObject: {a: 1}, values: "image: {tag: v1}"}',
            "literal block",
            id="values that are no block",
        ),
        pytest.param(
            "helm:\n      valuesObject: {replicas: 2}\n      values: |\n        image: {tag: v1}",
            "Argo CD ignores values, since there is a valuesObject on line 6",
            id="values beside valuesObject",
        ),
        pytest.param(
            "helm:\n      <<: *x\n      values: |\n        image: {tag: v1}",
            "helm takes keys from elsewhere",
            id="a merge in helm",
        ),
        pytest.param(
            "helm: {valuesObject: {image: {<<: *x}}, parameters: [{name: image.tag, value: v1}]}",
            "has no 'tag' of its own",
            id="a merge in valuesObject",
        ),
        pytest.param(
            "helm: {fileParameters: [{name: image.tag, path: a}], parameters: [{name: image.tag, value: v1}]}",
            "the value is taken from a file here",
            id="a file parameter",
        ),
        pytest.param(
            "helm:\n      values: |\n        a: 1\n        ---\n        image: {tag: v1}",
            "Helm reads the first document of these values only",
            id="two documents in values",
        ),
        pytest.param("helm: {parameters: [{name: image.tag, value: 5}]}", "put it in quotes", id="a number"),
        pytest.param("helm: {parameters: [{name: image.tag, value: 'null'}]}", "null takes the value away", id="null"),
    ],
)
def test_application_that_means_something_else_than_it_seems_is_refused(spec: str, reason: str) -> None:
    text = f"kind: Application\nx: &x {{a: b}}\nspec:\n  source:\n    {spec}\n"
    with pytest.raises(EditRefused) as refused:
        read_image(VALUE, "app", text)
    assert reason in refused.value.reason


def test_empty_values_object_leaves_values_in_force() -> None:
    helm = "helm:\n      valuesObject:\n      values: |\n        image: {tag: v1}\n"
    text = f"kind: Application\nspec:\n  source:\n    {helm}"
    assert read_image(VALUE, "app", text).tag == "v1"


def test_the_one_source_is_ignored_where_there_are_several() -> None:
    text = "kind: Application\nspec: {source: {targetRevision: v1}, sources: [{targetRevision: v2}]}\n"
    assert read_image(REVISION, "app", text).tag == "v2"
    only = "kind: Application\nspec: {source: {targetRevision: v1}, sources: []}\n"
    assert read_image(REVISION, "app", only).tag == "v1"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("templatePatch: x", "the templatePatch may set another version"),
        ("generators: [{list: {template: {spec: {}}}}]", "a generator has a template of its own"),
    ],
)
def test_application_set_whose_template_is_not_all_is_refused(more: str, reason: str) -> None:
    text = f"kind: ApplicationSet\nspec: {{template: {{spec: {{source: {{targetRevision: v1}}}}}}, {more}}}\n"
    assert reason in reason_of(REVISION, text)


def test_tag_null_is_not_written_as_a_parameter() -> None:
    text = "kind: Application\nspec: {source: {helm: {parameters: [{name: image.tag, value: v1}]}}}\n"
    with pytest.raises(EditRefused, match="Helm reads the parameter null as no value"):
        write_image(VALUE, "app", text, Wanted(tag="Null"))


def test_values_in_a_second_document_are_not_helms() -> None:
    assert "Helm reads the first document" in reason_of(HELM, "a: 1\n---\nimage: {tag: v1}\n")
    assert read_image(HELM, "app", "image: {tag: v1}\n---\n").tag == "v1"


@pytest.mark.parametrize("tag", ["0_x1F", "0_b1", "0_o17", "9e_-6", "5e__-1", "1_0", "1__0"])
def test_numbers_with_underscores_anywhere_are_numbers_to_go(tag: str) -> None:
    assert not is_text(tag)
    assert write_image(HELM, "app", "image: {tag: v1}\n", Wanted(tag=tag)).text == f'image: {{tag: "{tag}"}}\n'


# --- manifests -------------------------------------------------------------------------------------------------------

JOB = "kind: Job\nmetadata: {{generateName: j-}}\nspec: {{containers: [{{name: a, image: 'app:{}'}}]}}\n"


def test_documents_of_one_name_are_all_set() -> None:
    text = JOB.format("v1") + "---\n" + JOB.format("v3")
    edited = write_image(MANIFEST, "app", text, Wanted(tag="v3"))
    assert edited.text == JOB.format("v3") + "---\n" + JOB.format("v3")
    both = JOB.format("v1") + "---\n" + JOB.format("v1")
    assert write_image(MANIFEST, "app", both, Wanted(tag="v2")).text == both.replace("v1", "v2")


def test_undo_of_places_that_are_called_the_same_is_refused_once_the_file_has_changed() -> None:
    before = JOB.format("v1") + "---\n" + JOB.format("v1")
    after = before.replace("v1", "v2")
    assert undo_image(MANIFEST, "app", before=before, after=after, now=after).text == before
    with pytest.raises(EditRefused, match="called the same"):
        undo_image(MANIFEST, "app", before=before, after=after, now=after + "# c\n")


@pytest.mark.parametrize(
    ("containers", "reason"),
    [
        ("[*b, {name: c, image: 'app:v2'}]", "takes the image from line 1 by an alias"),
        ("[{<<: *b, name: d}, {name: c, image: 'app:v2'}]", "takes the image from line 1 by an alias"),
        ("[{<<: [*b], name: d}, {name: c, image: 'app:v2'}]", "takes the image from line 1 by an alias"),
    ],
)
def test_container_that_is_taken_from_elsewhere_is_refused(containers: str, reason: str) -> None:
    text = f"x: &b {{name: a, image: 'app:v1'}}\nkind: Pod\nspec: {{containers: {containers}}}\n"
    assert reason in reason_of(MANIFEST, text)


def test_list_of_containers_that_is_taken_from_elsewhere_is_refused() -> None:
    text = (
        "x: &b [{name: a, image: 'app:v1'}]\nkind: Pod\nspec: {initContainers: *b, containers: [{image: 'app:v2'}]}\n"
    )
    assert "takes the image from line 1 by an alias" in reason_of(MANIFEST, text)


def test_aliases_of_other_images_and_of_what_is_set_are_no_doubt() -> None:
    text = (
        "kind: Pod\nspec:\n  containers:\n  - &a {name: a, image: 'app:v1'}\n  - *a\n  - {<<: *a, name: b}\n"
        "  - &o {name: o, image: 'other:v1'}\n  initContainers: [*o, *nowhere]\n"
    )
    assert write_image(MANIFEST, "app", text, Wanted(tag="v2")).text == text.replace("app:v1", "app:v2")


def test_many_aliases_and_containers_cost_no_more_than_their_number() -> None:
    aliases = "kind: Pod\nx: &i other:v1\nspec:\n  containers:\n" + "  - image: *i\n" * 15_000 + "  - image: app:v1\n"
    assert write_image(MANIFEST, "app", aliases, Wanted(tag="v2")).text == aliases.replace("app:v1", "app:v2")
    images = "kind: Pod\nspec: {containers: [" + "{image: 'app:v1'}, " * 10_000 + "]}\n"
    assert write_image(MANIFEST, "app", images, Wanted(tag="v2")).text == images.replace("v1", "v2")


# --- other values ----------------------------------------------------------------------------------------------------


def test_whole_image_that_is_not_written_yet_gets_the_services_name() -> None:
    edit = HelmEdit(file="v.yaml", image="image")
    assert write_image(edit, "r/app", "image:\n", Wanted(tag="v2")).text == "image: r/app:v2\n"
    with pytest.raises(EditRefused, match="no image is set here, and none is named"):
        write_image(edit, "", "image:\n", Wanted(tag="v2"))


def test_image_with_a_digest_alone_is_not_taken_for_a_tag() -> None:
    edit = PathEdit(file="a.yaml", path="image")
    with pytest.raises(EditRefused, match="has no tag"):
        read_image(edit, "redis", f"image: redis@{DA}\n")
    written = write_image(edit, "redis", f"image: redis@{DA}\n", Wanted(tag="v3", digest=DB)).text
    assert written == f"image: redis:v3@{DB}\n"
    assert read_image(edit, "app", f"image: v1@{DA}\n") == Written(tag="v1", digest=DA)


@pytest.mark.parametrize("digest", ["", " null", " ~"])
def test_empty_digest_beside_a_tag_is_left_alone(digest: str) -> None:
    text = f"images:\n- name: app\n  newTag: v1\n  digest:{digest}\n"
    assert write_image(KUSTOMIZE, "app", text, Wanted(tag="v2")).text == text.replace("v1", "v2")


def test_block_around_a_value_that_somebody_changed_since_is_not_undone() -> None:
    before = "image:\n  tag: |- # old\n    v1\n"
    after = before.replace("v1", "v2")
    for now in (
        after.replace("# old", "# NEW"),
        after + "\n\nx: y\n",
        after.replace("|-", ">-"),
        after.replace("\n", "\r\n"),
        'image:\n  tag: "v2" # keep\n',
    ):
        undone = undo_image(HELM, "app", before=before, after=after, now=now)
        assert undone.text == now.replace("v2", "v1")


@pytest.mark.parametrize(
    "steps",
    [
        (EntryWhere(fields=("name",), value="a]b"),),
        ("a", EntryWhere(fields=("na=me",), value="a[0]\\"), "c.d"),
        ("x", EntryWhere(fields=("name",), value="ghcr.io/a:5/b@c=d")),
        ("a", 3, "b\\.c[0]"),
    ],
)
def test_path_of_any_names_reads_back(steps: tuple[object, ...]) -> None:
    assert parse_path(render_path(steps)) == steps  # type: ignore[arg-type] # the steps are written out above


def test_windows_line_ends_do_not_get_into_a_pattern() -> None:
    edit = RegexEdit(file="a.env", pattern="^TAG=(.*)$")
    assert write_image(edit, "app", "A=1\r\nTAG=v1\r\nB=2\r\n", Wanted(tag="v2")).text == "A=1\r\nTAG=v2\r\nB=2\r\n"


def test_half_a_character_in_a_pattern_is_refused() -> None:
    assert check_pattern("\udc80(v)") == "half a character in a pattern"


def test_undo_of_a_digest_that_was_pinned_beside_an_empty_new_name() -> None:
    edit = KustomizeEdit(file="k.yaml", create=True, pin=True)
    before = "images:\n- name: app\n  newName:\n  newTag: v1\n"
    after = write_image(edit, "app", before, Wanted(tag="v2", digest=DB)).text
    assert undo_image(edit, "app", before=before, after=after, now=after).text == before


def test_names_in_refusals_cannot_command_a_terminal() -> None:
    text = 'kind: Pod\nspec: {containers: [{name: "d\\e]0;pwn\\a\\nall good", image: "app:{{ x }}"}]}\n'
    with pytest.raises(EditRefused) as refused:
        read_image(MANIFEST, "app", text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n", "manifest"),
        ("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "kustomize"),
        ("apiVersion: app.k8s.io/v1beta1\nkind: Application\n", "manifest"),
    ],
)
def test_kinds_of_other_projects_are_told_apart_by_their_version(text: str, kind: str) -> None:
    assert guess_kind("a.yaml", text) == kind


def test_undo_of_a_style_that_does_not_fit_any_more_writes_the_value_as_it_fits() -> None:
    before, after, now = "image:\n  tag: |-\n    v1\n", "image:\n  tag: v2\n", "image: {tag: v2}\n"
    assert undo_image(HELM, "app", before=before, after=after, now=now).text == "image: {tag: v1}\n"


def test_document_that_is_said_is_read_although_the_tool_reads_the_first() -> None:
    edit = HelmEdit(file="v.yaml", tag="image.tag", document=DocumentWhere(index=1))
    text = "a: 1\n---\nimage: {tag: v1}\n"
    assert write_image(edit, "app", text, Wanted(tag="v2")).text == text.replace("v1", "v2")


def test_application_set_with_plain_generators_is_set() -> None:
    text = (
        "kind: ApplicationSet\nspec:\n  generators: [{list: {elements: [{a: b}]}}]\n"
        "  template: {spec: {source: {targetRevision: v1}}}\n"
    )
    assert write_image(REVISION, "app", text, Wanted(tag="v2")).text == text.replace("v1", "v2")
