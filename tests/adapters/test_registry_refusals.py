"""What lies beside an image and is refused, each by a sentence with registry, repository and digest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.adapters.found_proofs import FoundBundle
from bot.adapters.registry import OciRegistry, ProofLimits
from bot.adapters.registry.manifest import digest_of
from bot.ports import Permanent, Transient
from tests.adapters.registryparts import (
    BUNDLE,
    BUNDLE_TYPE,
    DIGEST,
    FOUND,
    IMAGE,
    INDEX_TYPE,
    OTHER_BUNDLE,
    PAYLOAD,
    REPOSITORY,
    SIGNING_TYPE,
    TAG,
    a_bundle,
    a_layer,
    a_listing,
    a_registry,
    an_attachment,
    blob_path,
    encode,
    entry,
    list_beside,
    manifest_path,
    nested,
    promise,
    publish,
    referrers_path,
    refusal,
    serving_an_image,
)
from tests.adapters.scripted import Scripted
from tests.adapters.tls import serving_tls


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving_an_image() as scripted:
        yield scripted


@pytest.fixture
def registry(server: Scripted) -> Iterator[OciRegistry]:
    with a_registry(server.url) as opened:
        yield opened


def test_a_list_that_was_filtered_unasked_is_refused(registry: OciRegistry, server: Scripted) -> None:
    server.plan(referrers_path(DIGEST), a_listing(**{"oci-filters-applied": "artifactType"}))
    assert "sent a filtered list" in refusal(registry)


@pytest.mark.parametrize("body", [b"", b'{"manifests": [', b"{}"], ids=["empty", "cut off", "no list"])
def test_a_list_that_claims_to_be_an_index_and_is_none_is_refused(
    registry: OciRegistry, server: Scripted, body: bytes
) -> None:
    server.plan(referrers_path(DIGEST), Response(body, media_type=INDEX_TYPE))
    assert f"sent as a list of proofs of {DIGEST}" in refusal(registry)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(Response(status_code=404), "404"), (Response(b"<html>", media_type="text/html"), "a page that is no index")],
)
def test_a_later_page_that_is_no_list_is_refused(
    registry: OciRegistry, server: Scripted, answer: Response, said: str
) -> None:
    list_beside(server, a_bundle())
    server.plan(referrers_path(DIGEST), a_listing(link=f'<{referrers_path(DIGEST)}?p=2>; rel="next"'), answer)
    assert said in refusal(registry)


@pytest.mark.parametrize(
    "target",
    ["https://evil.example{path}?p=2", "//evil.example{path}?p=2", "/v2/acme/other/tags/list?p=2", "http://[", "?p=2"],
)
def test_a_next_page_elsewhere_is_not_followed(registry: OciRegistry, server: Scripted, target: str) -> None:
    where = target.format(path=referrers_path(DIGEST))
    server.plan(referrers_path(DIGEST), a_listing(link=f'<{where}>; rel="next"'), a_listing())
    if target == "?p=2":
        assert registry.find_proofs(IMAGE, DIGEST) == ()
    else:
        assert "for the next page of proofs of" in refusal(registry)


def test_pages_without_an_end_are_refused(registry: OciRegistry, server: Scripted) -> None:
    server.plan(referrers_path(DIGEST), a_listing(link=f'<{referrers_path(DIGEST)}?p=2>; rel="next"'))
    assert "in pages without an end" in refusal(registry)


def test_more_listed_manifests_than_are_looked_at_are_refused(registry: OciRegistry, server: Scripted) -> None:
    numbers = iter(range(100))

    def page(_: Request) -> Response:
        number = next(numbers)
        entries = [entry(b"%d-%d" % (number, n), "a/b") for n in range(150)]
        return a_listing(*entries, link=f'<{referrers_path(DIGEST)}?p={number}>; rel="next"')

    server.plan(referrers_path(DIGEST), page)
    assert "lists more than 1000 manifests" in refusal(registry)
    assert next(numbers) == 7


@pytest.mark.parametrize(("count", "is_read"), [(3, True), (4, False)])
def test_more_manifests_than_are_opened_are_refused_and_never_cut(
    server: Scripted, count: int, *, is_read: bool
) -> None:
    bundles = [b'{"n": %d}' % n for n in range(count)]
    list_beside(server, *(a_bundle(content) for content in bundles), blobs=tuple(bundles))
    with a_registry(server.url, proof_limits=ProofLimits(opened=3)) as registry:
        if is_read:
            assert len(registry.find_proofs(IMAGE, DIGEST)) == 3
        else:
            assert "lists 4 manifests that may be proofs" in refusal(registry)


def test_more_proofs_than_are_read_are_refused(server: Scripted) -> None:
    layers = [a_layer(PAYLOAD, SIGNING_TYPE, {"dev.cosignproject.cosign/signature": str(n)}) for n in range(4)]
    publish(server, f"{TAG}.sig", an_attachment(*layers), blobs=(PAYLOAD,))
    with a_registry(server.url, proof_limits=ProofLimits(found=3)) as registry:
        assert "than the 3 that are read" in refusal(registry)


def test_a_proof_that_says_it_is_too_large_is_not_asked_for(server: Scripted) -> None:
    list_beside(server, a_bundle())
    with a_registry(server.url, proof_limits=ProofLimits(most_bytes=10)) as registry:
        assert f"has {digest_of(BUNDLE)} of {REPOSITORY} with 26 bytes, which is more than the 10" in refusal(registry)
    assert blob_path(BUNDLE) not in [asked.path for asked in server.asked]


def test_a_proof_that_is_larger_than_it_says_is_not_read_to_its_end(server: Scripted) -> None:
    list_beside(server, a_bundle())
    server.plan(blob_path(BUNDLE), Response(BUNDLE + b" " * 100))
    with a_registry(server.url, proof_limits=ProofLimits(most_bytes=50)) as registry:
        sentence = refusal(registry)
    assert "answered more than the 50 bytes that are accepted" in sentence
    assert digest_of(BUNDLE) in sentence


def test_a_proof_may_be_larger_than_a_manifest(registry: OciRegistry, server: Scripted) -> None:
    large = b'{"x": "' + b"a" * 200_000 + b'"}'
    list_beside(server, a_bundle(large), blobs=(large,))
    assert registry.find_proofs(IMAGE, DIGEST) == (FoundBundle(digest=digest_of(large), content=large),)


def test_too_many_bytes_in_all_are_refused(server: Scripted) -> None:
    list_beside(server, a_bundle(), a_bundle(OTHER_BUNDLE), blobs=(BUNDLE, OTHER_BUNDLE))
    with a_registry(server.url, proof_limits=ProofLimits(all_bytes=50)) as registry:
        assert "than the 50 bytes that are read" in refusal(registry)


def test_too_large_a_manifest_beside_an_image_is_refused_by_its_name(registry: OciRegistry, server: Scripted) -> None:
    huge = a_bundle() + b" " * 60_000
    list_beside(server, huge)
    sentence = refusal(registry)
    assert "more than the 50000 bytes" in sentence
    assert digest_of(huge) in sentence


def test_a_search_ends_in_time(server: Scripted) -> None:
    with (
        a_registry(server.url, proof_limits=ProofLimits(lasts=timedelta(0))) as registry,
        pytest.raises(Transient, match=f"did not tell proofs of {DIGEST} of {REPOSITORY} within 0 s"),
    ):
        registry.find_proofs(IMAGE, DIGEST)


@pytest.mark.parametrize("levels", [65, 500, 8000])
def test_a_deeply_nested_proof_is_refused(registry: OciRegistry, server: Scripted, levels: int) -> None:
    deep = nested(levels)
    list_beside(server, a_bundle(deep), blobs=(deep,))
    assert f"holds {digest_of(deep)}, which is JSON that is nested deeper than 64 levels" in refusal(registry)


def test_a_proof_of_very_many_values_is_refused(registry: OciRegistry, server: Scripted) -> None:
    many = b'{"a": [' + b"[]," * 100_001 + b"0]}"
    list_beside(server, a_bundle(many), blobs=(many,))
    assert f"holds {digest_of(many)}, which is JSON with more than 200000 values" in refusal(registry)


def test_a_proof_may_be_nested_as_deep_as_is_read(registry: OciRegistry, server: Scripted) -> None:
    deep = nested(64)
    list_beside(server, a_bundle(deep), blobs=(deep,))
    assert registry.find_proofs(IMAGE, DIGEST) == (FoundBundle(digest=digest_of(deep), content=deep),)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (b"<html>", "content that is no JSON"),
        (b"[]", "JSON that is no object"),
        (nested(8000), "JSON that is nested deeper than 64 levels"),
        (b'{"layers": [], "layers": [], "config": {}}', "JSON with a key that stands twice"),
        (b'{"layers": [], "config": NaN}', "content that is no JSON"),
        (encode({"layers": []}), "a manifest of a kind that is not known"),
        (encode({"config": {}, "layers": {}}), "a manifest whose layers are no list"),
        (encode({"config": {}, "layers": [{"digest": "sha256:x", "size": 1}]}), "without a sha256 digest and a size"),
        (an_attachment({"digest": DIGEST, "size": -1}), "without a sha256 digest and a size"),
        (an_attachment({"digest": DIGEST, "size": True}), "without a sha256 digest and a size"),
        (an_attachment({"digest": DIGEST, "size": 1.5}), "without a sha256 digest and a size"),
        (an_attachment(promise(b"", mediaType=["x"])), "a media type that is no text"),
        (an_attachment(artifact_type=BUNDLE_TYPE), "says that it is a proof, and no layer of it is one"),
        (an_attachment(a_layer(b"", "text/html"), artifact_type=BUNDLE_TYPE), "no layer of it is one"),
        (a_bundle(subject=digest_of(b"other")), f"names {digest_of(b'other')} as what it belongs to"),
        (an_attachment(a_layer(BUNDLE, SIGNING_TYPE, {"dev.sigstore.cosign/chain": []})), "/chain that is no text"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_by_its_digest(
    registry: OciRegistry, server: Scripted, beside: bytes, said: str
) -> None:
    list_beside(server, beside)
    sentence = refusal(registry)
    assert said in sentence
    assert f"lists {digest_of(beside)} among the proofs of {DIGEST} of {REPOSITORY}" in sentence


def test_a_tag_of_cosign_s_without_a_proof_is_refused(registry: OciRegistry, server: Scripted) -> None:
    publish(server, f"{TAG}.sig", an_attachment(a_layer(b"", "text/html")))
    assert f"lists {TAG}.sig among the proofs of {DIGEST}" in refusal(registry)


@pytest.mark.parametrize("forged", [b'{"n": 0}', BUNDLE + b" ", b""], ids=["other", "longer", "empty"])
def test_a_proof_that_is_not_the_promised_one_is_refused(
    registry: OciRegistry, server: Scripted, forged: bytes
) -> None:
    list_beside(server, a_bundle())
    server.plan(blob_path(BUNDLE), Response(forged))
    assert f"content that is not {digest_of(BUNDLE)} of {len(BUNDLE)} bytes" in refusal(registry)


def test_a_proof_of_another_size_than_promised_is_refused(registry: OciRegistry, server: Scripted) -> None:
    list_beside(server, an_attachment(a_layer(BUNDLE, BUNDLE_TYPE) | {"size": 5}))
    server.plan(blob_path(BUNDLE), Response(BUNDLE))
    assert f"content that is not {digest_of(BUNDLE)} of 5 bytes" in refusal(registry)


def test_a_manifest_that_is_not_the_listed_one_is_refused(registry: OciRegistry, server: Scripted) -> None:
    listed = a_bundle()
    list_beside(server, listed)
    server.plan(manifest_path(digest_of(listed)), Response(a_bundle(OTHER_BUNDLE)))
    assert f"content that is not {digest_of(listed)}" in refusal(registry)


@pytest.mark.parametrize("size", [len(BUNDLE), 60])
def test_a_proof_in_a_storage_elsewhere_is_checked_and_bounded_too(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    list_beside(server, a_bundle())
    with serving_tls(tmp_path, lambda _path, _headers: BUNDLE.ljust(size)) as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.ca_file))
        server.plan(blob_path(BUNDLE), RedirectResponse(other.url + "/store?signature=abc"))
        with a_registry(server.url, proof_limits=ProofLimits(most_bytes=50)) as registry:
            if size == len(BUNDLE):
                assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)
            else:
                with pytest.raises(Permanent, match=f"50 bytes that are accepted for {digest_of(BUNDLE)}"):
                    registry.find_proofs(IMAGE, DIGEST)


def test_a_missing_proof_is_refused(registry: OciRegistry, server: Scripted) -> None:
    list_beside(server, a_bundle(), blobs=())
    assert f"show {digest_of(BUNDLE)} of {REPOSITORY} (404)" in refusal(registry)


@pytest.mark.parametrize("body", [b"<html>", b'{"manifests": {}}', nested(500)], ids=["HTML", "no list", "deep"])
def test_a_client_s_index_that_cannot_be_read_is_refused(registry: OciRegistry, server: Scripted, body: bytes) -> None:
    server.plan(manifest_path(TAG), Response(body))
    assert f"sent for {REPOSITORY}:{TAG}, which lists proofs of {DIGEST}" in refusal(registry)
