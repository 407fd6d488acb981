"""A real registry, distribution's own of Debian: it has no list of referrers, and asks for a password each time."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bot.adapters.found_proofs import FoundBundle, FoundLayer
from bot.adapters.registry import OciRegistry, RegistryAccess
from bot.adapters.registry.manifest import digest_of
from bot.domain.model import Artifact, Digest, Sha
from bot.ports import Permanent, Transient
from tests.adapters.registryparts import (
    BUNDLE_TYPE,
    EMPTY_TYPE,
    IMAGE,
    IMAGE_TYPE,
    INDEX_TYPE,
    REPOSITORY,
    SECRET,
    SIGNING_TYPE,
    a_layer,
    a_registry,
    an_attachment,
    encode,
    promise,
)

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(shutil.which("docker-registry") is None, reason="no docker-registry on the PATH"),
]
USER = "robot"
HASHED = "$2b$04$hFEDdfkQ9QrjM8c5aSoQO.n7h0TajLZfmUJlk.qqDB123qSGPcxFm"
"""bcrypt of SECRET, as cheap as it may be."""
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
COMMIT = Sha("c" * 40)
BUNDLE, PAYLOAD = b'{"mediaType": "x"}', b'{"critical": {}}'
_START_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pusher:
    """Pushes over HTTP, as the specification says."""

    http: httpx.Client

    def push_blob(self, content: bytes) -> None:
        begun = self.http.post(f"/v2/{REPOSITORY}/blobs/uploads/")
        assert begun.status_code == 202, begun.text
        where = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": digest_of(content)})
        done = self.http.put(where, content=content, headers={"content-type": "application/octet-stream"})
        assert done.status_code == 201, done.text

    def push_manifest(self, reference: str, content: bytes, media_type: str = IMAGE_TYPE) -> Digest:
        address = f"/v2/{REPOSITORY}/manifests/{reference}"
        done = self.http.put(address, content=content, headers={"content-type": media_type})
        assert done.status_code == 201, done.text
        return Digest(done.headers["docker-content-digest"])

    def push_image(self, tag: str, labels: Mapping[str, str]) -> Digest:
        config = encode({"created": "2026-03-01T12:00:00Z", "config": {"Labels": dict(labels)}, "os": "linux"})
        layer = b"a layer of " + tag.encode()
        for content in (config, layer):
            self.push_blob(content)
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE_TYPE,
            "config": promise(config, mediaType=CONFIG_TYPE),
            "layers": [promise(layer, mediaType=LAYER_TYPE)],
        }
        return self.push_manifest(tag, encode(manifest))

    def push_beside(self, tag: str, content: bytes, media_type: str, annotations: Mapping[str, object]) -> bytes:
        """Push a manifest with one layer under a tag, or by its digest where the tag is empty."""
        artifact_type = media_type if media_type == BUNDLE_TYPE else ""
        attachment = an_attachment(a_layer(content, media_type, annotations), artifact_type=artifact_type)
        for blob in (b"{}", content):
            self.push_blob(blob)
        self.push_manifest(tag or digest_of(attachment), attachment)
        return attachment


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "users").write_text(f"{USER}:{HASHED}\n", encoding="utf-8")
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "lab", "path": str(folder / "users")}},
    }
    (folder / "config.yml").write_text(json.dumps(config), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
        try:
            wait_until_answers(f"http://127.0.0.1:{port}/v2/", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(timeout=10)


def wait_until_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            httpx.get(address, timeout=1)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the registry did not start")


@pytest.fixture(scope="module")
def pusher(url: str) -> Iterator[Pusher]:
    with httpx.Client(base_url=url, auth=(USER, SECRET), timeout=10) as http:
        yield Pusher(http=http)


@pytest.fixture(scope="module")
def image(pusher: Pusher) -> Digest:
    """An image with a bundle beside it, listed with a wrong type, and a signature of cosign's older kind."""
    labels = {"org.opencontainers.image.revision": COMMIT, "org.opencontainers.image.version": "1.0.1"}
    digest = pusher.push_image("1.0.1", labels)
    tag = digest.replace(":", "-")
    attested = pusher.push_beside("", BUNDLE, BUNDLE_TYPE, {})
    entry = promise(attested, mediaType=IMAGE_TYPE, artifactType=EMPTY_TYPE)
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]}
    pusher.push_manifest(tag, encode(index), INDEX_TYPE)
    pusher.push_beside(f"{tag}.sig", PAYLOAD, SIGNING_TYPE, {"dev.cosignproject.cosign/signature": "c2ln"})
    return digest


@pytest.fixture
def registry(url: str, tmp_path: Path) -> Iterator[OciRegistry]:
    known = {"auths": {"ghcr.io": {"auth": b64encode(f"{USER}:{SECRET}".encode()).decode()}}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(known), encoding="utf-8")
    with a_registry(url, access=RegistryAccess(docker_config=path)) as opened:
        yield opened


def test_a_tag_is_resolved_and_polled(registry: OciRegistry, image: Digest) -> None:
    for _ in range(2):
        assert registry.find_artifact(IMAGE, "1.0.1") == Artifact(digest=image, revision=COMMIT)
    assert registry.find_digest(IMAGE, "1.0.1") == image


def test_a_moved_tag_is_seen(registry: OciRegistry, pusher: Pusher) -> None:
    first = pusher.push_image("moving", {"n": "1"})
    assert registry.find_artifact(IMAGE, "moving") == Artifact(digest=first)
    second = pusher.push_image("moving", {"n": "2"})
    assert registry.find_digest(IMAGE, "moving") == second
    assert registry.find_artifact(IMAGE, "moving") == Artifact(digest=second)


def test_facts_are_read(registry: OciRegistry, image: Digest) -> None:
    facts = registry.read_facts(IMAGE, image)
    assert (facts.revision, facts.version) == (COMMIT, "1.0.1")
    assert facts.built_at is not None
    assert facts.built_at.year == 2026


def test_proofs_are_found_by_the_index_that_clients_keep_and_by_cosign_s_tag(
    registry: OciRegistry, image: Digest
) -> None:
    assert registry.find_proofs(IMAGE, image) == (
        FoundBundle(digest=digest_of(BUNDLE), content=BUNDLE),
        FoundLayer(digest=digest_of(PAYLOAD), payload=PAYLOAD, is_envelope=False, signature="c2ln"),
    )


def test_an_image_without_proofs_has_none(registry: OciRegistry, pusher: Pusher) -> None:
    assert registry.find_proofs(IMAGE, pusher.push_image("bare", {})) == ()


def test_an_image_that_is_not_there_is_no_image_without_proofs(registry: OciRegistry, image: Digest) -> None:
    with pytest.raises(Permanent, match="has no sha256:0000"):
        registry.find_proofs(IMAGE, Digest("sha256:" + "0" * 64))


def test_tags_are_listed(registry: OciRegistry, image: Digest) -> None:
    tag = image.replace(":", "-")
    assert {"1.0.1", tag, f"{tag}.sig"} <= set(registry.list_tags(IMAGE))


def test_a_wrong_password_is_refused_and_not_shown(url: str, image: Digest) -> None:
    with (
        a_registry(url, token=lambda: f"{USER}:wrong-password") as registry,
        pytest.raises(Permanent, match=r"\(401\)") as caught,
    ):
        registry.find_proofs(IMAGE, image)
    assert "wrong-password" not in str(caught.value)


def test_nobody_is_not_let_in(url: str, image: Digest) -> None:
    with a_registry(url) as registry, pytest.raises(Permanent, match=r"\(401\)"):
        registry.find_artifact(IMAGE, "1.0.1")


def test_a_registry_that_is_gone_is_no_registry_without_proofs(image: Digest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with a_registry(f"http://127.0.0.1:{port}") as registry, pytest.raises(Transient, match="could not be reached"):
        registry.find_proofs(IMAGE, image)
