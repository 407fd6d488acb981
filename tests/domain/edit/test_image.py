import pytest

from bot.domain.edit import Edit, EditRefused, HelmEdit, KustomizeEdit, Reading, read_tag, write_tag

IMAGE = "ghcr.io/acme/checkout"
KUSTOMIZE = KustomizeEdit(file="apps/kustomization.yaml")
HELM = HelmEdit(file="apps/values.yaml", tag="image.tag")

KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
images:
  # the sidecar moves by hand
  - newTag: "1.0"   # keep
    name: ghcr.io/acme/sidecar

  - newTag: v1.4.2   # {note}
    name: ghcr.io/acme/checkout   # ours
"""


def test_kustomize_tag_is_read_from_the_entry_of_the_image_and_written_there_only() -> None:
    assert read_tag(KUSTOMIZE, IMAGE, KUSTOMIZATION) == "v1.4.2"
    edited = write_tag(KUSTOMIZE, IMAGE, KUSTOMIZATION, "v1.5.0")
    assert edited == KUSTOMIZATION.replace("v1.4.2", "v1.5.0")
    assert write_tag(KUSTOMIZE, IMAGE, edited, "v1.4.2") == KUSTOMIZATION


def test_kustomize_entry_is_found_by_new_name_too() -> None:
    text = f"images:\n- name: app\n  newName: {IMAGE}\n  newTag: v1\n- name: other\n  newTag: v9\n"
    assert read_tag(KUSTOMIZE, IMAGE, text) == "v1"
    assert write_tag(KUSTOMIZE, IMAGE, text, "v2") == text.replace("v1", "v2")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("resources: []\n", 1, "the file has no 'images'"),
        ("images: []\n", 1, "no entry of images has the name or newName 'ghcr.io/acme/checkout'"),
        (f"images:\n- name: {IMAGE}\n", 2, "has no 'newTag'"),
        (f"images:\n- name: {IMAGE}\n  newTag: a\n- newName: {IMAGE}\n  newTag: b\n", 4, "two entries of the list"),
        (f"images:\n- name: {IMAGE}\n  digest: sha256:0\n", 3, "'sha256:0' is not a digest such as sha256:…"),
        (f"images:\n- name: {IMAGE}\n  newTag: v1\n  digest: sha256:0\n", 4, "is not a digest"),
        (f"images:\n- name: {IMAGE}\n  newTag: v1\n---\nimages:\n- name: {IMAGE}\n", 5, "reads the first document"),
    ],
)
def test_kustomization_that_leaves_a_doubt_is_refused(text: str, line: int, reason: str) -> None:
    with pytest.raises(EditRefused) as unread:
        read_tag(KUSTOMIZE, IMAGE, text)
    with pytest.raises(EditRefused) as unwritten:
        write_tag(KUSTOMIZE, IMAGE, text, "v2")
    assert reason in unread.value.reason
    assert (unread.value.file, unread.value.line) == (KUSTOMIZE.file, line)
    assert str(unwritten.value) == str(unread.value)


@pytest.mark.parametrize(
    ("path", "text", "tag"),
    [
        ("image.tag", "image: {repository: x, tag: v1}\n", "v1"),
        ("images[0].tag", "images:\n- tag: v1\n", "v1"),
        ("images[name=web].tag", "images:\n- {name: api, tag: v0}\n- {name: web, tag: 'v1'}\n", "v1"),
        ("tag", "tag: 1234\n", "1234"),
        ("tag", "tag: |-\n  v1\n", "v1"),
    ],
)
def test_helm_tag_is_read_at_its_path_and_written_there(path: str, text: str, tag: str) -> None:
    edit = HelmEdit(file="values.yaml", tag=path)
    assert read_tag(edit, IMAGE, text) == tag
    assert write_tag(edit, IMAGE, text, "v2") == text.replace(tag, "v2")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "no tag is set here"),
        ("''", "no tag is set here"),
        ("~", "no tag is set here"),
        ("1.10", "YAML readers do not agree that 1.10 is a text; put it in quotes"),
        ("0644", "put it in quotes"),
        ("on", "put it in quotes"),
        ("'{{ .Values.tag }}'", "the value is a template"),
        ("v1@sha256:abc", "the value 'v1@sha256:abc' is not an image tag"),
        ("a\n    b", "the value 'a b' is not an image tag"),
        ("|\n    v1", "is not an image tag"),
    ],
)
def test_value_that_is_no_certain_tag_is_not_read(value: str, reason: str) -> None:
    with pytest.raises(EditRefused) as refused:
        read_tag(HELM, IMAGE, f"image:\n  tag: {value}\n")
    assert reason in refused.value.reason
    assert str(refused.value).startswith("apps/values.yaml, line 2, image.tag: ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", "v2"), ("''", "'v2'"), ("~", "v2"), ("1.10", "v2"), ("0644 # x", "v2 # x"), ("'on'", "'v2'")],
)
def test_tag_is_written_over_a_tag_and_over_nothing(value: str, expected: str) -> None:
    text = f"image:\n  tag: {value}\n"
    assert write_tag(HELM, IMAGE, text.replace(": \n", ":\n"), "v2") == f"image:\n  tag: {expected}\n"


@pytest.mark.parametrize("value", ["'{{ .Values.tag }}'", "v1@sha256:abc", "|\n    v1", "{a: b}", "*x"])
def test_what_is_no_tag_is_not_overwritten(value: str) -> None:
    with pytest.raises(EditRefused):
        write_tag(HELM, IMAGE, f"image:\n  tag: {value}\n", "v2")


@pytest.mark.parametrize("tag", ["", "a b", "v1\n", "-x", "x" * 129, "v1 # c", "a: b"])
def test_what_is_no_tag_is_not_written(tag: str) -> None:
    with pytest.raises(EditRefused, match="is not a valid image tag"):
        write_tag(HELM, IMAGE, "image: {tag: v1}", tag)


def test_path_that_cannot_be_read_is_refused() -> None:
    edit: Edit = HelmEdit(file="values.yaml", tag="image..tag")
    with pytest.raises(EditRefused, match="this is not a path such as"):
        read_tag(edit, IMAGE, "image: {tag: v1}")


def test_limits_hold_for_tags_too() -> None:
    with pytest.raises(EditRefused, match="bytes"):
        read_tag(HELM, IMAGE, "image: {tag: v1}", reading=Reading(size_bytes=9))
    with pytest.raises(EditRefused, match="bytes"):
        write_tag(HELM, IMAGE, "image: {tag: v1}", "v2", reading=Reading(size_bytes=9))
