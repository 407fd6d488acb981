"""What the lab's registry lists, by OCI distribution 1.1: tags, referrers, and what clients keep without that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from bot.domain.model import Digest
from bot.lab.clock import ManualClock
from bot.lab.registry import (
    BUNDLE,
    EMPTY,
    ENVELOPE,
    INDEX,
    MANIFEST,
    SIMPLE_SIGNING,
    LayerSpec,
    ReferrerSpec,
    RegistryLab,
    tag_of,
)
from bot.lab.serving import Served
from tests.lab.test_registry import NAME, T0, challenge_of, code

SBOM = "application/spdx+json"
CONTENT = b'{"mediaType":"x"}'


@pytest.fixture(name="registry")
def fixture_registry() -> RegistryLab:
    return RegistryLab(ManualClock(T0), page_size=2)


@pytest.fixture(name="http")
def fixture_http(registry: RegistryLab) -> Iterator[httpx.Client]:
    with Served(registry.app) as served, httpx.Client(base_url=f"{served.url}/v2/", timeout=10) as http:
        yield http


def lay(registry: RegistryLab, image: Digest, content: bytes, artifact_type: str | None = SBOM) -> Digest:
    spec = ReferrerSpec(
        layers=[LayerSpec(media_type="text/plain", content=content)],
        artifact_type=artifact_type,
        annotations={"n": content.decode()},
    )
    return registry.push_referrer(NAME, image, spec)


def follow(http: httpx.Client, address: str) -> Iterator[httpx.Response]:
    """Yield the pages of a list."""
    while address:
        answer = http.get(address)
        yield answer
        target = answer.links.get("next", {}).get("url", "")
        address = str(answer.url.join(target)) if target else ""


# --- referrers -------------------------------------------------------------------------------------------------------


def test_a_digest_without_referrers_has_an_empty_list_and_never_404(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    for name, subject in [(NAME, image), (NAME, "sha256:" + "0" * 64), ("acme/none", image)]:
        answer = http.get(f"{name}/referrers/{subject}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, INDEX)
        assert answer.json() == {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


def test_a_referrer_is_described_with_its_type_and_its_annotations(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    digest = lay(registry, image, b"one")
    manifest = http.get(f"{NAME}/manifests/{digest}")
    assert manifest.json()["subject"]["digest"] == image
    assert http.get(f"{NAME}/referrers/{image}").json()["manifests"] == [
        {
            "mediaType": MANIFEST,
            "digest": digest,
            "size": len(manifest.content),
            "artifactType": SBOM,
            "annotations": {"n": "one"},
        }
    ]


def test_a_referrer_without_a_type_has_that_of_its_configuration(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    lay(registry, image, b"one", artifact_type=None)
    assert http.get(f"{NAME}/referrers/{image}").json()["manifests"][0]["artifactType"] == EMPTY


def test_what_is_no_digest_is_a_bad_request(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1")
    assert code(http.get(f"{NAME}/referrers/latest")) == (400, "DIGEST_INVALID")


def test_referrers_come_in_pages(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    pushed = [lay(registry, image, b"%d" % n) for n in range(5)]
    pages = [answer.json()["manifests"] for answer in follow(http, f"{NAME}/referrers/{image}")]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [entry["digest"] for page in pages for entry in page] == pushed


def test_a_filter_that_was_applied_is_told_on_each_page(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    bundles = [registry.push_bundle(NAME, image, b'{"n":%d}' % n) for n in range(3)]
    lay(registry, image, b"other")
    answers = list(follow(http, f"{NAME}/referrers/{image}?artifactType={BUNDLE}".replace("+", "%2B")))
    assert [answer.headers["oci-filters-applied"] for answer in answers] == ["artifactType"] * 2
    assert [entry["digest"] for answer in answers for entry in answer.json()["manifests"]] == bundles
    assert "oci-filters-applied" not in http.get(f"{NAME}/referrers/{image}").headers


def test_the_same_referrer_is_listed_once(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    assert lay(registry, image, b"one") == lay(registry, image, b"one")
    assert len(http.get(f"{NAME}/referrers/{image}").json()["manifests"]) == 1


def test_a_referrer_needs_its_subject(registry: RegistryLab) -> None:
    registry.push_image(NAME, "1")
    with pytest.raises(KeyError):
        lay(registry, Digest("sha256:" + "0" * 64), b"one")


def test_referrers_are_shown_to_readers_only() -> None:
    registry = RegistryLab(ManualClock(T0), token_flow=True)
    image = registry.push_image(NAME, "1")
    with Served(registry.app) as served:
        challenge = challenge_of(httpx.get(f"{served.url}/v2/{NAME}/referrers/{image}"))
        token = httpx.get(challenge["realm"], params={"scope": challenge["scope"]}).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{served.url}/v2/{NAME}/referrers/{image}", headers=headers).status_code == 200
        registry.expire_tokens()
        assert httpx.get(f"{served.url}/v2/{NAME}/referrers/{image}", headers=headers).status_code == 401


# --- without a list of referrers -------------------------------------------------------------------------------------


def test_without_a_list_the_pusher_keeps_an_index_under_the_digest_s_tag() -> None:
    registry = RegistryLab(ManualClock(T0), referrers=False)
    image = registry.push_image(NAME, "1")
    with Served(registry.app) as served, httpx.Client(base_url=f"{served.url}/v2/") as http:
        assert http.get(f"{NAME}/referrers/{image}").status_code == 404
        assert code(http.get(f"{NAME}/manifests/{tag_of(image)}")) == (404, "MANIFEST_UNKNOWN")
        pushed = [lay(registry, image, b"one"), lay(registry, image, b"two"), lay(registry, image, b"one")]
        index = http.get(f"{NAME}/manifests/{tag_of(image)}")
        assert index.headers["content-type"] == INDEX
        assert "subject" not in index.json()
        entries = index.json()["manifests"]
        assert [entry["digest"] for entry in entries] == pushed[:2]
        assert [(entry["artifactType"], entry["annotations"]["n"]) for entry in entries] == [
            (SBOM, "one"),
            (SBOM, "two"),
        ]


def test_an_index_may_tell_a_wrong_type_as_github_s_does() -> None:
    registry = RegistryLab(ManualClock(T0), referrers=False)
    image = registry.push_image(NAME, "1")
    digest = registry.push_bundle(NAME, image, CONTENT, told_type=EMPTY)
    with Served(registry.app) as served, httpx.Client(base_url=f"{served.url}/v2/") as http:
        assert http.get(f"{NAME}/manifests/{tag_of(image)}").json()["manifests"][0]["artifactType"] == EMPTY
        assert http.get(f"{NAME}/manifests/{digest}").json()["artifactType"] == BUNDLE


def test_a_tag_is_made_of_a_digest_s_first_characters() -> None:
    assert tag_of("sha256:" + "a" * 64) == "sha256-" + "a" * 64
    assert tag_of("b" * 40 + ":" + "c" * 128) == "b" * 32 + "-" + "c" * 64


def test_cosign_s_signatures_gather_under_one_tag(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    for signature in ("a", "b"):
        registry.push_signature(NAME, image, CONTENT, {"dev.cosignproject.cosign/signature": signature})
    registry.push_attestation(NAME, image, CONTENT, {})
    layers = http.get(f"{NAME}/manifests/{tag_of(image)}.sig").json()["layers"]
    assert [layer["annotations"]["dev.cosignproject.cosign/signature"] for layer in layers] == ["a", "b"]
    assert {layer["mediaType"] for layer in layers} == {SIMPLE_SIGNING}
    blob = http.get(f"{NAME}/blobs/{layers[0]['digest']}").content
    assert "sha256:" + hashlib.sha256(blob).hexdigest() == layers[0]["digest"]
    attested = http.get(f"{NAME}/manifests/{tag_of(image)}.att").json()
    assert [layer["mediaType"] for layer in attested["layers"]] == [ENVELOPE]
    assert "subject" not in attested


def test_a_deleted_manifest_is_gone_with_its_tags(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1")
    registry.delete_manifest(NAME, image)
    assert code(http.get(f"{NAME}/manifests/1")) == (404, "MANIFEST_UNKNOWN")
    assert code(http.get(f"{NAME}/manifests/{image}")) == (404, "MANIFEST_UNKNOWN")


# --- tags ------------------------------------------------------------------------------------------------------------


def test_tags_come_in_order_and_in_pages(registry: RegistryLab, http: httpx.Client) -> None:
    for tag in ("c", "a", "e", "b", "d"):
        registry.push_image(NAME, tag)
    assert [answer.json()["tags"] for answer in follow(http, f"{NAME}/tags/list")] == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("query", "tags", "has_next"),
    [
        ("n=1", ["a"], True),
        ("n=2", ["a", "b"], True),
        ("n=1&last=a", ["b"], True),
        ("last=b", ["c"], False),
        ("last=aa", ["b", "c"], False),
        ("last=c", [], False),
        ("n=0", [], False),
        ("n=99", ["a", "b"], True),
    ],
)
def test_a_page_of_tags_is_as_long_as_was_asked(
    registry: RegistryLab, http: httpx.Client, query: str, tags: list[str], *, has_next: bool
) -> None:
    for tag in "abc":
        registry.push_image(NAME, tag)
    answer = http.get(f"{NAME}/tags/list?{query}")
    assert answer.json() == {"name": NAME, "tags": tags}
    assert ("link" in answer.headers) == has_next


@pytest.mark.parametrize("number", ["-1", "x", "", "1.5", "٣"])
def test_a_number_of_tags_that_is_none_is_a_bad_request(registry: RegistryLab, http: httpx.Client, number: str) -> None:
    registry.push_image(NAME, "a")
    assert code(http.get(f"{NAME}/tags/list", params={"n": number})) == (400, "PAGINATION_NUMBER_INVALID")


def test_tags_of_an_unknown_repository_are_not_found(http: httpx.Client) -> None:
    assert code(http.get("acme/none/tags/list")) == (404, "NAME_UNKNOWN")


# --- faults and storage ----------------------------------------------------------------------------------------------


def test_a_reader_is_asked_to_slow_down(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1")
    registry.slow_down("tags/list", seconds=7, times=2)
    for _ in range(2):
        answer = http.get(f"{NAME}/tags/list")
        assert code(answer) == (429, "TOOMANYREQUESTS")
        assert answer.headers["retry-after"] == "7"
    assert http.get(f"{NAME}/tags/list").status_code == 200


def test_blobs_lie_in_a_storage_whose_address_is_signed(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1")
    digest = http.get(f"{NAME}/manifests/1").json()["config"]["digest"]
    registry.blobs_at = ""
    redirect = http.get(f"{NAME}/blobs/{digest}")
    assert redirect.status_code == 307
    stored = http.get(f"{NAME}/blobs/{digest}", follow_redirects=True)
    assert "sha256:" + hashlib.sha256(stored.content).hexdigest() == digest
    assert stored.url.path.startswith("/storage/")
    assert code(http.get(str(stored.url.copy_with(query=None)))) == (403, "DENIED")


def test_a_head_request_of_a_blob_tells_its_length(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1")
    config = http.get(f"{NAME}/manifests/1").json()["config"]
    answer = http.head(f"{NAME}/blobs/{config['digest']}")
    assert (answer.status_code, answer.headers["docker-content-digest"]) == (200, config["digest"])
    assert (answer.headers["content-length"], answer.content) == (str(config["size"]), b"")
