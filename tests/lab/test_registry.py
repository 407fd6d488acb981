from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from bot.domain.model import Digest
from bot.lab.clock import ManualClock
from bot.lab.registry import INDEX, MANIFEST, Credentials, RegistryLab
from bot.lab.serving import Served

NAME = "acme/checkout"
REVISION = "c0ffee" + "0" * 34
T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(name="registry")
def fixture_registry() -> RegistryLab:
    return RegistryLab(ManualClock(T0))


@pytest.fixture(name="http")
def fixture_http(registry: RegistryLab) -> Iterator[httpx.Client]:
    with Served(registry.app) as served, httpx.Client(base_url=f"{served.url}/v2/", timeout=10) as http:
        yield http


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def test_every_byte_is_what_its_digest_says(registry: RegistryLab, http: httpx.Client) -> None:
    digest = registry.push_image(NAME, "1.9.0", revision=REVISION)
    manifest = http.get(f"{NAME}/manifests/1.9.0")
    assert manifest.headers["docker-content-digest"] == digest
    assert manifest.headers["content-type"] == MANIFEST
    assert "sha256:" + hashlib.sha256(manifest.content).hexdigest() == digest
    for descriptor in [manifest.json()["config"], *manifest.json()["layers"]]:
        blob = http.get(f"{NAME}/blobs/{descriptor['digest']}")
        assert "sha256:" + hashlib.sha256(blob.content).hexdigest() == descriptor["digest"]
        assert (len(blob.content), blob.headers["content-type"]) == (descriptor["size"], descriptor["mediaType"])


def test_the_configuration_names_source_revision_and_layer(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1.9.0", revision=REVISION)
    manifest = http.get(f"{NAME}/manifests/1.9.0").json()
    config = http.get(f"{NAME}/blobs/{manifest['config']['digest']}").json()
    assert config["config"]["Labels"] == {
        "org.opencontainers.image.source": f"https://github.com/{NAME}",
        "org.opencontainers.image.revision": REVISION,
    }
    assert config["created"] == "2026-03-01T12:00:00Z"
    plain = gzip.decompress(http.get(f"{NAME}/blobs/{manifest['layers'][0]['digest']}").content)
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(plain).hexdigest()]
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert archive.getnames() == ["release"]


def test_a_head_request_tells_the_digest_without_a_body(registry: RegistryLab, http: httpx.Client) -> None:
    digest = registry.push_image(NAME, "1.9.0")
    answer = http.head(f"{NAME}/manifests/1.9.0")
    assert (answer.status_code, answer.headers["docker-content-digest"], answer.content) == (200, digest, b"")


def test_pushing_the_same_image_twice_gives_the_same_digest(registry: RegistryLab) -> None:
    first = registry.push_image(NAME, "1.9.0", revision=REVISION)
    assert registry.push_image(NAME, "1.9.0", revision=REVISION) == first
    assert registry.push_image(NAME, "1.9.0", revision="0" * 40) != first


def test_a_tag_can_be_moved_and_the_digest_stays(registry: RegistryLab, http: httpx.Client) -> None:
    old, new = registry.push_image(NAME, "1.9.0"), registry.push_image(NAME, "1.9.1")
    registry.retag(NAME, "1.9.0", new)
    assert http.head(f"{NAME}/manifests/1.9.0").headers["docker-content-digest"] == new
    assert http.get(f"{NAME}/manifests/{old}").status_code == 200
    with pytest.raises(KeyError):
        registry.retag(NAME, "1.9.0", Digest("sha256:" + "0" * 64))


def test_an_index_lists_its_images(registry: RegistryLab, http: httpx.Client) -> None:
    image = registry.push_image(NAME, "1.9.0-amd64")
    digest = registry.push_index(NAME, "1.9.0", [("amd64", image)])
    answer = http.get(f"{NAME}/manifests/1.9.0")
    assert (answer.headers["docker-content-digest"], answer.headers["content-type"]) == (digest, INDEX)
    assert answer.json()["manifests"][0]["digest"] == image


def test_a_manifest_of_a_type_that_is_not_accepted_is_unknown(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1.9.0")
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    assert code(http.get(f"{NAME}/manifests/1.9.0", headers={"accept": docker})) == (404, "MANIFEST_UNKNOWN")
    assert http.get(f"{NAME}/manifests/1.9.0", headers={"accept": f"{docker}, {MANIFEST}"}).status_code == 200


def test_tags_are_listed_and_can_be_deleted(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "b")
    registry.push_image(NAME, "a")
    assert http.get(f"{NAME}/tags/list").json() == {"name": NAME, "tags": ["a", "b"]}
    registry.delete_tag(NAME, "a")
    assert code(http.get(f"{NAME}/manifests/a")) == (404, "MANIFEST_UNKNOWN")


def test_what_does_not_exist_is_told_in_oci_errors(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1.9.0")
    assert code(http.get("acme/none/manifests/1")) == (404, "NAME_UNKNOWN")
    assert code(http.get(f"{NAME}/manifests/none")) == (404, "MANIFEST_UNKNOWN")
    assert code(http.get(f"{NAME}/blobs/sha256:0")) == (404, "BLOB_UNKNOWN")
    assert code(http.put(f"{NAME}/manifests/1", content=b"")) == (405, "UNSUPPORTED")


def test_an_injected_failure_is_used_up(registry: RegistryLab, http: httpx.Client) -> None:
    registry.push_image(NAME, "1.9.0")
    registry.fail_next("manifests", 500)
    assert code(http.get(f"{NAME}/manifests/1.9.0")) == (500, "UNKNOWN")
    assert http.get(f"{NAME}/manifests/1.9.0").status_code == 200


def challenge_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 401
    scheme, _, rest = answer.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    return dict(re.findall(r'(\w+)="([^"]*)"', rest))


def test_the_token_flow_gives_a_token_for_one_repository_only() -> None:
    registry = RegistryLab(ManualClock(T0), token_flow=True)
    for name in (NAME, "acme/cart"):
        registry.push_image(name, "1")
    with Served(registry.app) as served, httpx.Client(base_url=f"{served.url}/v2/") as http:
        challenge = challenge_of(http.get(f"{NAME}/manifests/1"))
        assert challenge["scope"] == f"repository:{NAME}:pull"
        asked = {"service": challenge["service"], "scope": challenge["scope"]}
        token = httpx.get(challenge["realm"], params=asked).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        assert http.get(f"{NAME}/manifests/1", headers=headers).status_code == 200
        assert http.get("acme/cart/manifests/1", headers=headers).status_code == 401
        assert http.get("", headers=headers).status_code == 200
        assert "scope" not in challenge_of(http.get(""))


@pytest.mark.parametrize(
    ("header", "status"),
    [("", 401), ("Basic Ym90OndyMG5n", 401), ("Basic %%%", 401), ("Bearer x", 401), ("Basic Ym90OnNlY3JldA==", 200)],
    ids=["none", "wrong", "no base64", "no basic", "right"],
)
def test_the_token_endpoint_asks_for_its_credentials(header: str, status: int) -> None:
    registry = RegistryLab(ManualClock(T0), credentials=Credentials(username="bot", password="secret"))
    with Served(registry.app) as served:
        answer = httpx.get(f"{served.url}/token", headers={"authorization": header} if header else {})
    assert answer.status_code == status


def test_credentials_do_not_print_their_password() -> None:
    assert "secret" not in repr(Credentials(username="bot", password="secret"))
