from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.adapters.registry import ImageName, OciRegistry, parse_image
from bot.adapters.registry.manifest import BadManifest, Descriptor, digest_of, parse_manifest, require_promised
from bot.domain.model import Artifact, Sha
from bot.ports import Permanent, Registry, Transient
from tests.adapters import registryparts as parts
from tests.adapters.registryparts import (
    IMAGE,
    REPOSITORY,
    SECRET,
    a_config,
    a_manifest,
    a_registry,
    an_index,
    basic,
    encode,
)
from tests.adapters.scripted import Scripted, an_answer, serving
from tests.adapters.tls import serving_tls

COMMIT, OTHER_COMMIT = Sha("c" * 40), Sha("d" * 64)
LABEL = "org.opencontainers.image.revision"
TAG_PATH = f"/v2/{REPOSITORY}/manifests/1.0.1"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def registry(server: Scripted) -> Iterator[OciRegistry]:
    with a_registry(server.url) as opened:
        yield opened


def publish(
    server: Scripted, tagged: bytes, *, manifests: tuple[bytes, ...] = (), blobs: tuple[bytes, ...] = ()
) -> None:
    parts.publish(server, "1.0.1", tagged, manifests=manifests, blobs=blobs)


def find(registry: Registry, tag: str = "1.0.1") -> Artifact | None:
    return registry.find_artifact(IMAGE, tag)


# --- what a tag is ---------------------------------------------------------------------------------------------------


def test_an_image_of_no_configured_registry_is_none(registry: OciRegistry, server: Scripted) -> None:
    assert registry.find_artifact("quay.io/acme/checkout", "1.0.1") is None
    assert server.asked == []


def test_the_commit_stands_in_the_labels_of_the_configuration(registry: OciRegistry, server: Scripted) -> None:
    config = a_config(**{LABEL: COMMIT})
    manifest = a_manifest(config)
    publish(server, manifest, blobs=(config,))
    assert find(registry) == Artifact(digest=digest_of(manifest), revision=COMMIT)
    assert "application/vnd.oci.image.index.v1+json" in server.asked[0].headers["accept"]
    assert "application/vnd.docker.distribution.manifest.v2+json" in server.asked[0].headers["accept"]


def test_an_annotation_of_the_manifest_goes_before_the_labels(registry: OciRegistry, server: Scripted) -> None:
    manifest = a_manifest(a_config(**{LABEL: OTHER_COMMIT}), **{LABEL: COMMIT.upper()})
    publish(server, manifest)
    assert find(registry) == Artifact(digest=digest_of(manifest), revision=COMMIT)


@pytest.mark.parametrize(
    "entries",
    [
        (("other", "linux", "arm64"), ("wanted", "linux", "amd64")),
        (("wanted", "linux", "arm64"), ("other", "windows", "amd64")),
        (("other", "unknown", "unknown"), ("wanted", "linux", "arm64")),
    ],
    ids=["linux/amd64 first", "else the first", "no attestation"],
)
def test_an_index_is_known_by_its_own_digest_and_read_through_one_image(
    registry: OciRegistry, server: Scripted, entries: tuple[tuple[str, str, str], ...]
) -> None:
    config = a_config(**{LABEL: COMMIT})
    contents = {"wanted": a_manifest(config), "other": a_manifest(a_config(**{LABEL: OTHER_COMMIT}))}
    index = an_index(*((contents[name], system, machine) for name, system, machine in entries))
    publish(server, index, manifests=(contents["wanted"],), blobs=(config,))
    assert find(registry) == Artifact(digest=digest_of(index), revision=COMMIT)


def test_an_annotation_of_the_index_suffices(registry: OciRegistry, server: Scripted) -> None:
    index = an_index((b"x", "linux", "amd64"), **{LABEL: COMMIT})
    publish(server, index)
    assert find(registry) == Artifact(digest=digest_of(index), revision=COMMIT)


@pytest.mark.parametrize("label", ["", "main", "c" * 39, "c" * 41, "c" * 39 + "g", "v1.0.1"])
def test_a_label_that_is_no_commit_name_is_not_believed(registry: OciRegistry, server: Scripted, label: str) -> None:
    config = a_config(**{LABEL: label})
    publish(server, a_manifest(config), blobs=(config,))
    found = find(registry)
    assert found is not None
    assert found.revision is None


def test_a_tag_is_asked_for_each_time_and_its_content_once(registry: OciRegistry, server: Scripted) -> None:
    config = a_config(**{LABEL: COMMIT})
    publish(server, a_manifest(config), blobs=(config,))
    first = find(registry)
    assert find(registry) == first
    assert [asked.path for asked in server.asked].count(TAG_PATH) == 2
    assert len(server.asked) == 3
    moved = a_manifest(config, moved="yes")
    publish(server, moved)
    assert find(registry) == Artifact(digest=digest_of(moved), revision=COMMIT)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_an_unknown_tag_is_permanent(registry: OciRegistry) -> None:
    with pytest.raises(Permanent, match=r"has no tag 1\.0\.1 of acme/checkout"):
        find(registry)


def test_a_failing_registry_is_transient(registry: OciRegistry, server: Scripted) -> None:
    server.plan(TAG_PATH, Response(status_code=503))
    with pytest.raises(Transient, match="HTTP 503"):
        find(registry)


def test_a_manifest_that_is_not_the_promised_one_is_refused(registry: OciRegistry, server: Scripted) -> None:
    server.plan(TAG_PATH, Response(b"{}", headers={"docker-content-digest": digest_of(b"something else")}))
    with pytest.raises(Permanent, match="does not match its digest"):
        find(registry)


def test_a_configuration_that_is_not_the_promised_one_is_refused(registry: OciRegistry, server: Scripted) -> None:
    config, forged = a_config(**{LABEL: COMMIT}), a_config(**{LABEL: OTHER_COMMIT})
    publish(server, a_manifest(config))
    server.plan(f"/v2/{REPOSITORY}/blobs/{digest_of(config)}", Response(forged))
    with pytest.raises(Permanent, match="content that is not sha256:"):
        find(registry)


def test_too_large_a_manifest_is_refused(registry: OciRegistry, server: Scripted) -> None:
    publish(server, b" " * 60_000)
    with pytest.raises(Permanent, match="more than the 50000 bytes"):
        find(registry)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"<html>",
        b"[" * 40_000,
        encode({"config": {"digest": "md5:x", "size": 1}}),
        encode({"manifests": {}}),
    ],
    ids=["empty", "list", "no kind", "HTML", "deep", "odd digest", "no list"],
)
def test_bytes_that_are_no_manifest_are_refused(registry: OciRegistry, server: Scripted, content: bytes) -> None:
    publish(server, content)
    with pytest.raises(Permanent, match=r"registry at .* sent for acme/checkout"):
        find(registry)


@pytest.mark.parametrize("tag", ["", "../blobs/x", "a b", "x" * 129, "1.0\n", "-x"])
def test_text_that_is_no_tag_is_never_put_into_an_address(registry: OciRegistry, server: Scripted, tag: str) -> None:
    with pytest.raises(Permanent, match="is no image tag"):
        find(registry, tag)
    assert server.asked == []


@pytest.mark.parametrize(
    "image", ["ghcr.io/../x", "ghcr.io/Acme/x", "ghcr.io/", "ghcr.io/a/b:1", "ghcr.io/a//b", "ghcr.io/a\n"]
)
def test_text_that_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(Permanent, match="is no image name"):
        parse_image(image)


@pytest.mark.parametrize(
    ("image", "host", "repository"),
    [
        ("ghcr.io/acme/checkout", "ghcr.io", "acme/checkout"),
        ("localhost:5000/checkout", "localhost:5000", "checkout"),
        ("localhost/a/b/c", "localhost", "a/b/c"),
        ("GHCR.io/acme/checkout", "ghcr.io", "acme/checkout"),
        ("acme/checkout", "docker.io", "acme/checkout"),
        ("redis", "docker.io", "library/redis"),
    ],
)
def test_an_image_name_is_split_as_docker_does(image: str, host: str, repository: str) -> None:
    assert parse_image(image) == ImageName(host=host, repository=repository)


@pytest.mark.parametrize("size", [2, 4])
def test_content_of_another_size_is_not_the_promised_one(size: int) -> None:
    with pytest.raises(BadManifest, match="content that is not"):
        require_promised(b"abc", Descriptor(digest=digest_of(b"abc"), size=size))


def test_an_index_of_attestations_only_names_no_image() -> None:
    assert parse_manifest(an_index((b"x", "unknown", "unknown"))).image is None


# --- being let in ----------------------------------------------------------------------------------------------------


def guard(server: Scripted, challenge: str, authorization: str, content: bytes) -> None:
    """Let a request pass with the one right header only."""

    def reply(request: Request) -> Response:
        if request.headers.get("authorization") == authorization:
            return Response(content)
        return Response(status_code=401, headers={"www-authenticate": challenge})

    server.plan(TAG_PATH, reply)


def bearer_challenge(url: str) -> str:
    return f'Bearer realm="{url}/token",service="ghcr.io",scope="repository:whatever:push"'


ANNOTATED = a_manifest(b"", **{LABEL: COMMIT})


def test_a_bearer_token_is_fetched_with_the_secret_and_kept(server: Scripted) -> None:
    guard(server, bearer_challenge(server.url), "Bearer short-lived", ANNOTATED)
    server.plan("/token", an_answer({"token": "short-lived"}))
    with a_registry(server.url, token=lambda: SECRET) as registry:
        assert find(registry) == find(registry) == Artifact(digest=digest_of(ANNOTATED), revision=COMMIT)
    assert [asked.path for asked in server.asked] == [TAG_PATH, "/token", TAG_PATH, TAG_PATH]
    token_request = server.asked[1]
    assert token_request.headers["authorization"] == basic(f"liftlock:{SECRET}")
    assert token_request.query == "scope=repository%3Aacme%2Fcheckout%3Apull&service=ghcr.io"
    assert "authorization" not in server.asked[0].headers


def test_a_token_that_has_run_out_is_fetched_anew(server: Scripted) -> None:
    guard(server, bearer_challenge(server.url), "Bearer first", ANNOTATED)
    server.plan("/token", an_answer({"token": "first"}), an_answer({"access_token": "second"}))
    with a_registry(server.url) as registry:
        find(registry)
        guard(server, bearer_challenge(server.url), "Bearer second", ANNOTATED)
        assert find(registry) is not None


def test_a_token_service_elsewhere_must_be_https_and_never_gets_the_secret(server: Scripted) -> None:
    with serving() as elsewhere:
        elsewhere.plan("/token", an_answer({"token": "x"}))
        guard(server, bearer_challenge(elsewhere.url), "Bearer x", ANNOTATED)
        with (
            a_registry(server.url, token=lambda: SECRET) as registry,
            pytest.raises(Permanent, match="neither https nor its own"),
        ):
            find(registry)
        assert elsewhere.asked == []


@pytest.mark.parametrize("challenge", ['Bearer realm="http://["', "Bearer", 'Bearer realm="/token"'])
def test_a_broken_challenge_is_refused(server: Scripted, challenge: str) -> None:
    guard(server, challenge, "Bearer x", ANNOTATED)
    with a_registry(server.url) as registry, pytest.raises(Permanent, match="sends for a token to"):
        find(registry)


@pytest.mark.parametrize("secret", [SECRET, f"robot:{SECRET}"], ids=["token", "user and token"])
def test_a_basic_challenge_is_answered_by_the_registry_s_own_secret(server: Scripted, secret: str) -> None:
    expected = secret if ":" in secret else f"liftlock:{secret}"
    guard(server, 'Basic realm="x"', basic(expected), ANNOTATED)
    with a_registry(server.url, token=lambda: secret) as registry:
        assert find(registry) is not None


@pytest.mark.parametrize("challenge", ["", 'Basic realm="x"'])
def test_a_refused_registry_says_so_without_the_secret(server: Scripted, challenge: str) -> None:
    guard(server, challenge, "never", ANNOTATED)
    with a_registry(server.url, token=lambda: SECRET) as registry, pytest.raises(Permanent) as caught:
        find(registry)
    assert "refused the token when asked to show acme/checkout:1.0.1 (401)" in caught.value.sentence
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("answer", [{}, {"token": 5}, {"token": "a b"}, {"token": "ü"}], ids=str)
def test_a_token_service_that_gives_no_token_is_refused(server: Scripted, answer: Mapping[str, object]) -> None:
    guard(server, bearer_challenge(server.url), "Bearer x", ANNOTATED)
    server.plan("/token", an_answer(answer))
    with a_registry(server.url) as registry, pytest.raises(Permanent, match="no token"):
        find(registry)


def test_a_blob_is_not_fetched_from_a_plain_address_elsewhere(registry: OciRegistry, server: Scripted) -> None:
    config = a_config(**{LABEL: COMMIT})
    publish(server, a_manifest(config))
    with serving() as elsewhere:
        elsewhere.plan("/blob", Response(config))
        target = elsewhere.url.replace("http://", "http://bot:hunter2@") + "/blob?signature=abc"
        server.plan(f"/v2/{REPOSITORY}/blobs/{digest_of(config)}", RedirectResponse(target))
        with pytest.raises(Permanent, match="redirects a blob to") as caught:
            find(registry)
        assert elsewhere.asked == []
    assert "hunter2" not in str(caught.value)
    assert "signature" not in str(caught.value)


def test_a_blob_is_fetched_from_another_place_of_the_same_host(registry: OciRegistry, server: Scripted) -> None:
    config = a_config(**{LABEL: COMMIT})
    publish(server, a_manifest(config))
    server.plan(f"/v2/{REPOSITORY}/blobs/{digest_of(config)}", RedirectResponse("/store/blob"))
    server.plan("/store/blob", Response(config))
    found = find(registry)
    assert found is not None
    assert found.revision == COMMIT


def test_no_credential_leaves_for_another_host_even_by_https(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token service and a blob storage on another host: both are asked, both without the secret and the token."""
    config = a_config(**{LABEL: COMMIT})
    manifest = a_manifest(config)
    seen: list[tuple[str, str | None]] = []

    def elsewhere(path: str, headers: Mapping[str, str]) -> bytes:
        seen.append((path if path.startswith("/store") else path.partition("?")[0], headers.get("authorization")))
        return config if path.startswith("/store") else encode({"token": "short-lived"})

    with serving_tls(tmp_path, elsewhere) as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.ca_file))
        guard(server, bearer_challenge(other.url), "Bearer short-lived", manifest)
        blob = f"/v2/{REPOSITORY}/blobs/{digest_of(config)}"
        server.plan(blob, RedirectResponse(other.url + "/store?signature=abc"))
        with a_registry(server.url, token=lambda: SECRET) as registry:
            assert find(registry) == Artifact(digest=digest_of(manifest), revision=COMMIT)
    # Without its signature a storage would not give the blob away.
    assert seen == [("/token", None), ("/store?signature=abc", None)]
