"""Every kind of file: what is read, what is written, and what is refused with which words."""

import pytest

from bot.domain.edit import (
    ArgoApplicationEdit,
    Change,
    DocumentWhere,
    Edit,
    EditRefused,
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
    invert,
    read_image,
    undo_image,
    write_image,
)

IMAGE = "ghcr.io/acme/checkout"
OLD = "sha256:" + "a" * 64
NEW = "sha256:" + "b" * 64


def set_to(edit: Edit, text: str, tag: str = "v2", *, digest: str | None = None, image: str = IMAGE) -> str:
    """Set the tag, and show that the inverse restores the bytes and that a second edit changes nothing."""
    wanted = Wanted(tag=tag, digest=digest)
    edited = write_image(edit, image, text, wanted)
    assert invert(edited.text, edited.changes) == text
    assert not write_image(edit, image, edited.text, wanted).changes
    assert read_image(edit, image, edited.text).tag == tag
    assert undo_image(edit, image, before=text, after=edited.text, now=edited.text).text == text
    return edited.text


def refusal(edit: Edit, text: str, *, wanted: Wanted | None = None, image: str = IMAGE) -> EditRefused:
    try:
        read_image(edit, image, text) if wanted is None else write_image(edit, image, text, wanted)
    except EditRefused as refused:
        return refused
    pytest.fail("the edit was not refused")


# --- kustomize -------------------------------------------------------------------------------------------------------

KUSTOMIZE = KustomizeEdit(file="k.yaml")
CREATING = KustomizeEdit(file="k.yaml", create=True)
PINNING = KustomizeEdit(file="k.yaml", pin=True)


def test_a_pinned_kustomize_entry_moves_with_its_digest() -> None:
    text = f"images:\n- name: {IMAGE}\n  digest: {OLD}  # d\n  newTag: v1\n"
    assert read_image(KUSTOMIZE, IMAGE, text) == Written(tag="v1", digest=OLD)
    assert set_to(KUSTOMIZE, text, digest=NEW) == text.replace(OLD, NEW).replace("v1", "v2")


def test_a_pinned_entry_is_not_moved_by_a_tag_alone() -> None:
    text = f"images:\n- name: {IMAGE}\n  newTag: v1\n  digest: {OLD}\n"
    refused = refusal(KUSTOMIZE, text, wanted=Wanted(tag="v2"))
    assert "a digest is pinned here" in refused.reason
    assert (refused.line, refused.path) == (4, f"images[name={IMAGE}].digest")


def test_a_digest_that_nobody_pinned_is_not_written() -> None:
    text = f"images:\n- name: {IMAGE}\n  newTag: v1\n"
    assert set_to(KUSTOMIZE, text, digest=NEW) == text.replace("v1", "v2")


def test_pinning_adds_the_digest_behind_the_entry() -> None:
    text = f"images:\n- name: {IMAGE}\n  newTag: v1  # note\n- name: b\n"
    expected = f"images:\n- name: {IMAGE}\n  newTag: v2  # note\n  digest: {NEW}\n- name: b\n"
    assert write_image(PINNING, IMAGE, text, Wanted(tag="v2", digest=NEW)).text == expected


def test_pinning_without_a_digest_is_refused() -> None:
    refused = refusal(PINNING, f"images:\n- name: {IMAGE}\n  newTag: v1\n", wanted=Wanted(tag="v2"))
    assert refused.reason == "the edit pins digests, and the new one is not known"


def test_a_digest_without_a_tag_beside_it_is_not_read() -> None:
    refused = refusal(KUSTOMIZE, f"images:\n- name: {IMAGE}\n  digest: {OLD}\n")
    assert refused.reason == "a digest is pinned here without a tag beside it, so it is not known which tag runs"


def test_new_name_is_read_and_changed_only_when_asked() -> None:
    edit = KustomizeEdit(file="k.yaml", name="app")
    text = f"images:\n- name: app\n  newName: {IMAGE}\n  newTag: v1\n"
    assert read_image(edit, IMAGE, text).name == IMAGE
    assert set_to(edit, text) == text.replace("v1", "v2")
    mirror = write_image(edit, IMAGE, text, Wanted(tag="v2", name="r.io:5/x"))
    assert mirror.text == text.replace("v1", "v2").replace(IMAGE, "r.io:5/x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", None, id="an empty file"),
        pytest.param(
            "a: b\n# end\n", "a: b\nimages:\n- name: {i}\n  newTag: v2\n# end\n", id="no images, a comment at the end"
        ),
        pytest.param("a: b", "a: b\nimages:\n- name: {i}\n  newTag: v2", id="no newline at the end"),
        pytest.param(
            "a:\r\n- b\r\n", "a:\r\n- b\r\nimages:\r\n- name: {i}\r\n  newTag: v2\r\n", id="CRLF behind a list"
        ),
        pytest.param("images: []\na: b\n", "images: [{{name: {i}, newTag: v2}}]\na: b\n", id="an empty list"),
        pytest.param("images: [{n: 1}]\n", "images: [{{n: 1}}, {{name: {i}, newTag: v2}}]\n", id="a flow list"),
        pytest.param(
            "images:\n  - name: a # c\n    newTag: x # d\n\n# next\nb: c\n",
            "images:\n  - name: a # c\n    newTag: x # d\n  - name: {i}\n    newTag: v2\n\n# next\nb: c\n",
            id="behind the last entry and its comment",
        ),
        pytest.param(
            "images:\n- {name: a}   # c\nb: c\n",
            "images:\n- {{name: a}}   # c\n- name: {i}\n  newTag: v2\nb: c\n",
            id="behind an entry in braces",
        ),
        pytest.param("images:\n- newTag: &x a\n- newTag: *x\n", None, id="behind an alias"),
        pytest.param("{a: b}", None, id="one flow mapping"),
        pytest.param("images:\n", None, id="an empty key"),
        pytest.param("images:\n- name: |\n    x\n", None, id="behind a block of lines"),
        pytest.param("a: b\n---\nc: d\n", None, id="two documents"),
        pytest.param("images:\n- - a\n", "images:\n- - a\n- name: {i}\n  newTag: v2\n", id="behind a list"),
        pytest.param("- a\n", None, id="no mapping"),
        pytest.param("images:\n-\n  name: a\n", None, id="behind an entry below its dash"),
        pytest.param("images: {a: b}\n", None, id="images is no list"),
        pytest.param("\ufeffa: b\n", "\ufeffa: b\nimages:\n- name: {i}\n  newTag: v2\n", id="a byte order mark"),
        pytest.param(
            "images:\n- name: a\n  x: [b,\n    c] # d\n",
            "images:\n- name: a\n  x: [b,\n    c] # d\n- name: {i}\n  newTag: v2\n",
            id="behind a bracket on a later line",
        ),
        pytest.param("a: b\n...\n", None, id="a document that ends"),
    ],
)
def test_an_entry_is_added_by_new_lines_only_or_not_at_all(text: str, expected: str | None) -> None:
    try:
        edited = write_image(CREATING, IMAGE, text, Wanted(tag="v2"))
    except EditRefused:
        assert expected is None
        return
    if expected is not None:
        assert edited.text == expected.replace("{i}", IMAGE).replace("{{", "{").replace("}}", "}")
    assert read_image(CREATING, IMAGE, edited.text).tag == "v2"
    assert invert(edited.text, edited.changes) == text
    assert edited.changes[0].old is None
    assert undo_image(CREATING, IMAGE, before=text, after=edited.text, now=edited.text).text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"images:\n- name: {IMAGE}\n", f"images:\n- name: {IMAGE}\n  newTag: v2\n"),
        (f"images: [{{name: {IMAGE}}}]\n", f"images: [{{name: {IMAGE}, newTag: v2}}]\n"),
        (f"images:\n- {{name: {IMAGE}}}", f"images:\n- {{name: {IMAGE}, newTag: v2}}"),
    ],
)
def test_a_missing_key_is_added_to_its_entry(text: str, expected: str) -> None:
    assert write_image(CREATING, IMAGE, text, Wanted(tag="v2")).text == expected


def test_nothing_is_added_unless_the_policy_says_so() -> None:
    assert "no entry of images" in refusal(KUSTOMIZE, "images: []\n", wanted=Wanted(tag="v2")).reason
    assert "has no 'newTag'" in refusal(KUSTOMIZE, f"images: [{{name: {IMAGE}}}]", wanted=Wanted(tag="v2")).reason


# --- helm and any path -----------------------------------------------------------------------------------------------


def test_tag_digest_and_repository_stand_at_paths_of_their_own() -> None:
    edit = HelmEdit(file="v.yaml", tag="i.tag", digest="i.digest", repository="i.repository")
    text = f"i: {{repository: {IMAGE}, tag: v1, digest: '{OLD}'}}\n"
    assert read_image(edit, IMAGE, text) == Written(tag="v1", digest=OLD, name=IMAGE)
    assert set_to(edit, text, digest=NEW) == text.replace("v1", "v2").replace(OLD, NEW)
    assert Written(tag="v1", digest=OLD).shown == f"v1@{OLD}"


@pytest.mark.parametrize("name", [IMAGE, "localhost:5000/a/b", "redis", "[::1]:5000/x"])
def test_a_whole_image_in_one_text_keeps_its_name_and_port(name: str) -> None:
    edit = HelmEdit(file="v.yaml", image="app.image")
    text = f'app: {{image: "{name}:v1"}}\n'
    assert read_image(edit, IMAGE, text).name == name
    assert set_to(edit, text) == text.replace("v1", "v2")


def test_a_whole_image_with_a_digest_moves_whole() -> None:
    edit = HelmEdit(file="v.yaml", image="image")
    assert set_to(edit, f"image: {IMAGE}:v1@{OLD}\n", digest=NEW) == f"image: {IMAGE}:v2@{NEW}\n"


def test_a_tag_with_a_digest_behind_it_moves_whole_and_pinning_puts_one_there() -> None:
    edit = HelmEdit(file="v.yaml", tag="tag")
    assert set_to(edit, f"tag: v1@{OLD}\n", digest=NEW) == f"tag: v2@{NEW}\n"
    pinning = HelmEdit(file="v.yaml", tag="tag", pin=True)
    assert set_to(pinning, "tag: v1 # c\n", digest=NEW) == f"tag: v2@{NEW} # c\n"


def test_a_plain_image_in_braces_stays_plain_as_its_writer_had_it() -> None:
    edit = HelmEdit(file="v.yaml", image="a.image")
    assert set_to(edit, f"a: {{image: {IMAGE}:v1}}\n") == f"a: {{image: {IMAGE}:v2}}\n"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("redis", "the image 'redis' has no tag"),
        ("a b", "is not an image such as"),
        ("'{{ .Values.x }}:v1'", "the value is a template"),
        (f"{IMAGE}:v1@sha256:12", "is not an image such as"),
    ],
)
def test_a_text_that_is_no_whole_image_is_refused(value: str, reason: str) -> None:
    assert reason in refusal(HelmEdit(file="v.yaml", image="image"), f"image: {value}\n").reason


def test_a_document_is_chosen_by_kind_name_namespace_and_index() -> None:
    text = (
        "kind: A\nmetadata: {name: x}\ntag: v1\n---\n---\nkind: A\nmetadata: {name: x, namespace: n}\ntag: v1\n"
        "---\nkind: B\ntag: v1\n"
    )
    for where, line in (
        (DocumentWhere(kind="B"), 11),
        (DocumentWhere(index=2), 11),
        (DocumentWhere(kind="A", name="x", namespace="n"), 8),
        (DocumentWhere(namespace="n"), 8),
        (DocumentWhere(index=0), 3),
    ):
        edited = write_image(PathEdit(file="v.yaml", path="tag", document=where), IMAGE, text, Wanted(tag="v2"))
        assert [change.line for change in edited.changes] == [line]
    unclear = refusal(PathEdit(file="v.yaml", path="tag", document=DocumentWhere(name="x")), text)
    assert unclear.reason.startswith("several documents of the file have this value (lines 3 and 8)")
    missing = refusal(PathEdit(file="v.yaml", path="tag", document=DocumentWhere(kind="C", index=1)), text)
    assert missing.reason == "the file has no document with the kind C, the index 1, of 3"


JSON = PathEdit(file="a.json", path="web.tag")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"web": {"tag": "v1", "x": 1.0}}\n', '{"web": {"tag": "v2", "x": 1.0}}\n'),
        ('{\n\t"web": {\n\t\t"tag": "v1"\n\t}\n}', '{\n\t"web": {\n\t\t"tag": "v2"\n\t}\n}'),
        ('{"é\\/\\u00fc": [], "web" : {"tag": 12}}', '{"é\\/\\u00fc": [], "web" : {"tag": "v2"}}'),
        ('{"web": {"tag": ""}}', '{"web": {"tag": "v2"}}'),
    ],
)
def test_json_stays_json(before: str, after: str) -> None:
    edited = write_image(JSON, IMAGE, before, Wanted(tag="v2"))
    assert edited.text == after
    assert undo_image(JSON, IMAGE, before=before, after=after, now=after).text == before


@pytest.mark.parametrize("text", ['{"web": {"tag": v1}}', "web: {tag: v1}", '{"web": {"tag": "v1",}}', '{"web": NaN'])
def test_yaml_in_a_json_file_is_refused(text: str) -> None:
    assert "the file is not valid" in refusal(JSON, text).reason


def test_a_number_without_end_in_json_is_refused() -> None:
    assert "a number is too long" in refusal(JSON, '{"web": {"tag": "v1"}, "x": ' + "1" * 5000 + "}").reason


def test_a_path_to_a_digest_moves_the_digest() -> None:
    edit = PathEdit(file="a.yaml", path="digest")
    assert write_image(edit, IMAGE, f"digest: {OLD}\n", Wanted(tag="v2", digest=NEW)).text == f"digest: {NEW}\n"


# --- manifests -------------------------------------------------------------------------------------------------------

MANIFEST = ManifestEdit(file="m.yaml")
DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      initContainers:
        - {{name: migrate, image: '{IMAGE}:v1'}}   # same image
      containers:
        - name: sidecar
          image: localhost:5000/acme/proxy:v1
        - image: {IMAGE}:v1
          name: web
"""


def test_every_container_that_runs_the_image_is_set() -> None:
    assert set_to(MANIFEST, DEPLOYMENT) == DEPLOYMENT.replace(f"{IMAGE}:v1", f"{IMAGE}:v2")
    changes = write_image(MANIFEST, IMAGE, DEPLOYMENT, Wanted(tag="v2")).changes
    assert changes[0] == Change(
        file="m.yaml",
        path="spec.template.spec.initContainers[name=migrate].image",
        line=9,
        old=f"{IMAGE}:v1",
        new=f"{IMAGE}:v2",
        at=changes[0].at,
        was=f"'{IMAGE}:v1'",
        now=f"'{IMAGE}:v2'",
    )
    assert [change.line for change in changes] == [9, 13]


def test_another_image_on_a_registry_with_a_port_is_told_apart() -> None:
    edited = set_to(MANIFEST, DEPLOYMENT, image="localhost:5000/acme/proxy")
    assert edited == DEPLOYMENT.replace("proxy:v1", "proxy:v2")


def test_one_container_may_be_meant() -> None:
    edit = ManifestEdit(file="m.yaml", container="migrate")
    assert set_to(edit, DEPLOYMENT) == DEPLOYMENT.replace(f"'{IMAGE}:v1'", f"'{IMAGE}:v2'")
    refused = refusal(ManifestEdit(file="m.yaml", container="no"), DEPLOYMENT)
    assert refused.reason == f"no container called 'no' of the file runs the image '{IMAGE}'"


@pytest.mark.parametrize(
    "kind_and_spec",
    [
        "kind: Pod\nspec: {c}",
        "kind: CronJob\nspec: {{jobTemplate: {{spec: {{template: {{spec: {c}}}}}}}}}",
        "kind: Rollout\napiVersion: argoproj.io/v1alpha1\nspec: {{template: {{spec: {c}}}}}",
        "kind: List\nitems:\n- kind: Deployment\n  spec: {{template: {{spec: {c}}}}}",
        "kind: Flinger\napiVersion: acme.io/v1\nspec: {{deep: [{{er: {c}}}]}}",
        "kind: Pod\n1: x\n[a]: b\nspec: {c}",
    ],
)
@pytest.mark.parametrize("key", ["containers", "initContainers", "ephemeralContainers"])
def test_containers_are_found_in_any_workload(kind_and_spec: str, key: str) -> None:
    containers = f"{{{key}: [{{name: a, image: '{IMAGE}:v1'}}, plain, {{image: '{IMAGE}:v1'}}]}}"
    text = kind_and_spec.format(c=containers) + "\n"
    assert set_to(MANIFEST, text) == text.replace("v1'", "v2'")


def test_docker_hubs_short_and_long_names_are_one_image() -> None:
    text = "kind: Pod\nspec: {containers: [{name: a, image: 'docker.io/library/redis:7'}]}\n"
    assert set_to(MANIFEST, text, image="redis") == text.replace(":7", ":v2")
    text = "kind: Pod\nspec: {containers: [{name: a, image: 'acme/web:7'}]}\n"
    assert set_to(MANIFEST, text, image="index.docker.io/acme/web") == text.replace(":7", ":v2")


def test_containers_that_say_different_tags_are_not_read_but_set_together() -> None:
    text = DEPLOYMENT.replace(f"'{IMAGE}:v1'", f"'{IMAGE}:v0'")
    assert refusal(MANIFEST, text).reason == "the tag 'v1' here is not the 'v0' of line 9"
    assert read_image(MANIFEST, IMAGE, write_image(MANIFEST, IMAGE, text, Wanted(tag="v2")).text).tag == "v2"


def test_an_alias_of_the_image_is_refused_unless_its_anchor_is_set_too() -> None:
    text = (
        f"x: &i {IMAGE}:v1\nkind: Pod\nspec: {{containers: [{{name: a, image: *i}}]}}\n---\nkind: Pod\n"
        f"spec: {{containers: [{{name: b, image: {IMAGE}:v1}}]}}\n"
    )
    assert "this takes the image from line 1 by an alias" in refusal(MANIFEST, text, wanted=Wanted(tag="v2")).reason
    both = f"kind: Pod\nspec: {{containers: [{{name: a, image: &i '{IMAGE}:v1'}}, {{name: b, image: *i}}]}}\n"
    assert set_to(MANIFEST, both) == both.replace("v1", "v2")
    other = (
        f"kind: Pod\nspec: {{containers: [{{name: a, image: &i redis:1}}, {{image: *i}}, {{image: '{IMAGE}:v1'}}]}}\n"
    )
    assert set_to(MANIFEST, other) == other.replace("v1", "v2")


def test_a_template_of_the_image_is_refused_and_not_overlooked() -> None:
    text = f"kind: Pod\nspec: {{containers: [{{image: '{IMAGE}:{{{{ tag }}}}'}}]}}\n"
    assert "the value is a template" in refusal(MANIFEST, text, wanted=Wanted(tag="v2")).reason


def test_a_file_without_the_image_is_refused() -> None:
    assert refusal(MANIFEST, "kind: Pod\n").reason == f"no container of the file runs the image '{IMAGE}'"
    assert "no container" in refusal(MANIFEST, "- a\n---\nx\n").reason


# --- Argo CD applications --------------------------------------------------------------------------------------------

APPLICATION = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: checkout-production, namespace: argocd}}
spec:
  sources:
    - repoURL: https://charts.acme.io
      chart: web
      targetRevision: 1.4.2
      helm:
        parameters:
          - {{name: image.tag, value: v1}}   # {{by hand}}
        values: |
          # inside
          worker:
            image: {{tag: "v1"}}   # keep

          other: 1
    - repoURL: https://git.acme.io/deploy
      ref: values
      targetRevision: main
      helm: {{valuesObject: {{sidecar: {{tag: v7}}}}}}
      kustomize:
        images:
          - {IMAGE}:v1
          - web=acme/other:v3
"""


def application(holds: Holds, path: str | None = None, source: str | None = None) -> ArgoApplicationEdit:
    return ArgoApplicationEdit(file="a.yaml", holds=holds, path=path, source=source)


@pytest.mark.parametrize(
    ("edit", "old", "new", "shown"),
    [
        pytest.param(
            application(Holds.HELM, "image.tag"),
            "value: v1}",
            "value: v2}",
            "spec.sources[0].helm.parameters[name=image.tag].value",
            id="a Helm parameter",
        ),
        pytest.param(
            application(Holds.HELM, "sidecar.tag"),
            "{tag: v7}",
            "{tag: v2}",
            "spec.sources[1].helm.valuesObject.sidecar.tag",
            id="valuesObject",
        ),
        pytest.param(
            application(Holds.HELM, "worker.image.tag"),
            '{tag: "v1"}',
            '{tag: "v2"}',
            "spec.sources[0].helm.values: worker.image.tag",
            id="values inside a text",
        ),
        pytest.param(
            application(Holds.KUSTOMIZE),
            f"- {IMAGE}:v1",
            f"- {IMAGE}:v2",
            "spec.sources[1].kustomize.images[0]",
            id="kustomize.images",
        ),
        pytest.param(
            application(Holds.TARGET_REVISION, source="web"),
            "1.4.2",
            "v2",
            "spec.sources[0].targetRevision",
            id="targetRevision of a chart",
        ),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_value_of_an_application_is_set(edit: Edit, old: str, new: str, shown: str, end: str) -> None:
    text = APPLICATION.replace("\n", end)
    assert set_to(edit, text) == text.replace(old, new)
    (change,) = write_image(edit, IMAGE, text, Wanted(tag="v2")).changes
    assert change.path == shown
    assert text.split(end)[change.line - 1].count(old) == 1


def test_an_override_is_found_by_the_name_it_replaces_and_keeps_it() -> None:
    edited = set_to(application(Holds.KUSTOMIZE), APPLICATION, image="acme/other")
    assert edited == APPLICATION.replace("web=acme/other:v3", "web=acme/other:v2")
    assert set_to(application(Holds.KUSTOMIZE), APPLICATION, image="web") == edited


def test_an_application_set_is_set_in_its_template() -> None:
    text = "kind: ApplicationSet\nspec: {template: {spec: {source: {targetRevision: v1}}}}\n"
    assert set_to(application(Holds.TARGET_REVISION), text) == text.replace("v1", "v2")
    templated = text.replace("v1", "'{{.revision}}'")
    assert "the value is a template" in refusal(application(Holds.TARGET_REVISION), templated).reason


def test_a_value_in_two_sources_needs_the_source_to_be_said() -> None:
    refused = refusal(application(Holds.TARGET_REVISION), APPLICATION)
    assert refused.reason == (
        "the version stands in several places: spec.sources[0].targetRevision (line 8) and "
        "spec.sources[1].targetRevision (line 20); say which is meant"
    )


def test_a_value_that_a_stronger_one_overrides_is_refused() -> None:
    text = APPLICATION.replace("sidecar: {tag: v7}", "image: {tag: v1}")
    assert "stands in several places" in refusal(application(Holds.HELM, "image.tag"), text).reason


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (application(Holds.HELM, "no"), "a Helm value 'no' in parameters, valuesObject or values"),
        (application(Holds.TARGET_REVISION, source="none"), "has a targetRevision"),
        (
            ArgoApplicationEdit(file="a", holds=Holds.KUSTOMIZE, application="checkout-production", source="web"),
            f"no source of the application 'checkout-production' has an entry of kustomize.images for '{IMAGE}'",
        ),
        (ArgoApplicationEdit(file="a", holds=Holds.KUSTOMIZE, application="x"), "no document with the name x"),
    ],
)
def test_a_value_that_no_source_has_is_refused(edit: Edit, reason: str) -> None:
    assert reason in refusal(edit, APPLICATION).reason


@pytest.mark.parametrize(
    "source",
    [
        "{helm: x}",
        "{helm: {values: {a: b}}}",
        "{kustomize: {images: x}}",
        "[]",
        "{helm: {valuesObject: {x: y}, parameters: []}}",
    ],
)
def test_an_application_of_another_shape_has_no_such_value(source: str) -> None:
    text = f"kind: Application\nspec: {{source: {source}, sources: x}}\n"
    for edit in (application(Holds.HELM, "image.tag"), application(Holds.KUSTOMIZE)):
        assert "no source of" in refusal(edit, text).reason


@pytest.mark.parametrize("values", ['"image: {tag: v1}"', ">-\n      image: {tag: v1}", "'image: {tag: v1}'"])
def test_yaml_inside_a_text_that_is_no_literal_block_is_refused(values: str) -> None:
    text = f"kind: Application\nspec:\n  source:\n    helm:\n     values: {values}\n"
    assert "can only be edited in a literal block" in refusal(application(Holds.HELM, "image.tag"), text).reason


def test_yaml_inside_a_text_may_have_any_line_ends() -> None:
    for end in ("\r", "\r\n", "\n"):
        lines = [
            "kind: Application",
            "spec:",
            " source:",
            "  helm:",
            "   values: |",
            "    a: b",
            "    image:",
            "     tag: v1",
        ]
        text = end.join(lines)
        edited = write_image(application(Holds.HELM, "image.tag"), IMAGE, text, Wanted(tag="v2"))
        assert edited.text == text.replace("v1", "v2")


def test_a_text_of_lines_inside_a_text_is_refused() -> None:
    lines = "kind: Application\nspec:\n source:\n  helm:\n   values: |\n    image:\n     tag: 'v1\n\n      '\n"
    refused = refusal(application(Holds.HELM, "image.tag"), lines, wanted=Wanted(tag="v2"))
    assert "is not an image tag" in refused.reason


def test_a_literal_block_with_an_indentation_of_its_own_is_set() -> None:
    text = "kind: Application\nspec:\n source:\n  helm:\n   values: |2-\n     # x\n\n     image: {tag: v1}\n"
    edited = write_image(application(Holds.HELM, "image.tag"), IMAGE, text, Wanted(tag="v2"))
    assert edited.text == text.replace("v1", "v2")


# --- patterns --------------------------------------------------------------------------------------------------------


def test_the_one_group_of_a_pattern_is_set() -> None:
    edit = RegexEdit(file="a.env", pattern=r"^VERSION=(\S+)")
    text = "é=1\r\nVERSION=v1 # c\r\nOLD_VERSION=v0\r\n"
    assert set_to(edit, text) == text.replace("=v1", "=v2")
    assert write_image(edit, IMAGE, text, Wanted(tag="v2")).changes[0].line == 2


@pytest.mark.parametrize(
    ("pattern", "text", "reason"),
    [
        (r"v(\d)", "v1 v2", "the pattern matches several times (lines 1 and 1)"),
        (r"x(\d)", "v1 v2", "the pattern matches nowhere"),
        (r"(?:a=(v\d))?", "a=v1", "would not find exactly the new value"),
        ("(", "", "no valid RE2 pattern (missing ): ()"),
        ("v1", "v1", "a pattern with 0 groups"),
        ("(v)(1)", "v1", "a pattern with 2 groups"),
        ("(x)" + "y" * 500, "", "a pattern of more than 500 characters"),
        (r"(?=v)(1)", "", "no valid RE2 pattern"),
        (r"t=(v\d)$", "t=v1", "would not find exactly the new value"),
        ("(v1)", "v1\udc80", "half a character"),
    ],
)
def test_a_pattern_that_leaves_a_doubt_is_refused(pattern: str, text: str, reason: str) -> None:
    assert reason in refusal(RegexEdit(file="a", pattern=pattern), text, wanted=Wanted(tag="latest")).reason


def test_a_pattern_cannot_take_for_ever() -> None:
    assert check_pattern("(a*)*b") is None
    edit = RegexEdit(file="a", pattern="^((?:a*)*)b$")
    assert refusal(edit, "a" * 100_000, wanted=Wanted(tag="v2")).reason == "the pattern matches nowhere"


def test_a_large_file_is_refused_for_a_pattern_too() -> None:
    assert "bytes" in refusal(RegexEdit(file="a", pattern="(v1)"), "x" * 2_000_000, wanted=Wanted(tag="v2")).reason


# --- taking back -----------------------------------------------------------------------------------------------------

VALUES = HelmEdit(file="v.yaml", tag="image.tag")


def test_undo_restores_the_way_a_value_was_written_although_the_file_has_changed_since() -> None:
    before = "image:\n  tag: 'v1'  # c\nreplicas: 1\n"
    after = before.replace("'v1'", '"1.10"')
    now = "# new head\n" + after.replace("replicas: 1", "replicas: 5").replace("# c", "# d")
    undone = undo_image(VALUES, IMAGE, before=before, after=after, now=now)
    assert undone.text == "# new head\nimage:\n  tag: 'v1'  # d\nreplicas: 5\n"


def test_undo_writes_the_value_as_it_fits_where_the_old_way_does_not_any_more() -> None:
    before, after = "image:\n  tag: |-\n    v1\n", "image:\n  tag: |-\n    v2\n"
    assert undo_image(VALUES, IMAGE, before=before, after=after, now="image: {tag: v2}\n").text == "image: {tag: v1}\n"


def test_undo_over_somebody_elses_value_is_refused() -> None:
    before, after = "image: {tag: v1}\n", "image: {tag: v2}\n"
    with pytest.raises(EditRefused, match="the value is 'v3', not 'v2' as the change to be undone left it"):
        undo_image(VALUES, IMAGE, before=before, after=after, now="image: {tag: v3}\n")


def test_undo_of_a_value_that_moved_away_is_refused() -> None:
    before, after = DEPLOYMENT, DEPLOYMENT.replace(":v1", ":v2")
    now = after.replace("name: migrate", "name: other")
    with pytest.raises(EditRefused, match="the value is no longer there"):
        undo_image(MANIFEST, IMAGE, before=before, after=after, now=now)


def test_undo_of_an_added_entry_is_refused_once_the_file_has_changed() -> None:
    after = write_image(CREATING, IMAGE, "a: b\n", Wanted(tag="v1")).text
    with pytest.raises(EditRefused, match="remove it by hand"):
        undo_image(CREATING, IMAGE, before="a: b\n", after=after, now=after + "c: d\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("a: b\n", f"a: c\nimages: [{{name: {IMAGE}, newTag: v1}}]\n", id="with something else"),
        pytest.param("{a: b}", f"{{a: b, images: [{{name: {IMAGE}, newTag: v1}}]}}", id="where none is added here"),
        pytest.param(
            f"images:\n- {{name: {IMAGE}, newTag: v0}}\n",
            f"images:\n- {{name: {IMAGE}, newTag: v1, newName: x}}\n",
            id="a key that is not added here",
        ),
    ],
)
def test_undo_of_what_a_person_added_is_refused(before: str, after: str) -> None:
    edit = CREATING if "newName" not in after else KUSTOMIZE
    with pytest.raises(EditRefused, match="remove it by hand"):
        undo_image(edit, IMAGE, before=before, after=after, now=after)


def test_undo_of_a_change_among_others_takes_back_the_value_alone() -> None:
    before, after = "image: {tag: v1}\na: b\n", "image: {tag: v2}\na: c\n"
    undone = undo_image(VALUES, IMAGE, before=before, after=after, now=after)
    assert undone.text == "image: {tag: v1}\na: c\n"
    assert [(change.old, change.new, change.line) for change in undone.changes] == [("v2", "v1", 1)]


def test_undo_of_a_value_that_was_nothing_leaves_nothing() -> None:
    for before in ("image:\n  tag:\n", "image:\n  tag: &a  # c\n", "image: {tag: ~}\n"):
        after = write_image(VALUES, IMAGE, before, Wanted(tag="v1"))
        undone = undo_image(VALUES, IMAGE, before=before, after=after.text, now=after.text)
        assert undone.text == before
        assert invert(undone.text, undone.changes) == after.text


def test_a_digest_alone_is_not_moved_without_its_tag() -> None:
    text = f"images:\n- name: {IMAGE}\n  digest: {OLD}\n"
    refused = refusal(KUSTOMIZE, text, wanted=Wanted(tag="v2", digest=NEW))
    assert "without a tag beside it" in refused.reason


@pytest.mark.parametrize(
    ("file", "text", "kind"),
    [
        ("a/kustomization.yaml", "x: y\n", "kustomize"),
        ("a.yaml", "kind: Kustomization\n", "kustomize"),
        ("a.yaml", "kind: Pod\n---\nkind: Deployment\n", "manifest"),
        ("a.yaml", "kind: Application\n---\nkind: ApplicationSet\n", "argocd-application"),
        ("a.yaml", "kind: Application\n---\nkind: Pod\n", None),
        ("values.yaml", "image: {tag: v1}\n", None),
        ("a.yaml", "- a\n", None),
        ("a.yaml", "", None),
    ],
)
def test_the_kind_of_a_file_is_guessed_only_where_it_is_plain(file: str, text: str, kind: str | None) -> None:
    assert guess_kind(file, text) == kind


def test_inverse_of_another_text_is_refused() -> None:
    edited = write_image(VALUES, IMAGE, "image: {tag: v1}\n", Wanted(tag="v2"))
    with pytest.raises(EditRefused, match="not as the edit left it"):
        invert("image: {tag: v3}\n", edited.changes)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted(tag="a b"), "'a b' is not a valid image tag"),
        (Wanted(tag="v1", digest="sha256:1"), "'sha256:1' is not a digest such as"),
        (Wanted(tag="v1", name="A:b"), "'A:b' is not an image's name"),
    ],
)
def test_what_is_no_version_is_not_written(wanted: Wanted, reason: str) -> None:
    assert reason in refusal(VALUES, "image: {tag: v1}\n", wanted=wanted).reason
