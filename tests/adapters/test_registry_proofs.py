"""What lies beside an image: where it is looked for, what is found, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.adapters.found_proofs import FoundBundle, FoundLayer
from bot.adapters.registry import OciRegistry, ProofLimits
from bot.adapters.registry.manifest import digest_of
from bot.domain.model import Digest
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.registryparts import (
    BUNDLE_TYPE,
    EMPTY_TYPE,
    ENVELOPE_TYPE,
    IMAGE,
    IMAGE_TYPE,
    INDEX_TYPE,
    REPOSITORY,
    SIGNING_TYPE,
    a_config,
    a_layer,
    a_listing,
    a_manifest,
    a_registry,
    an_attachment,
    blob_path,
    encode,
    manifest_path,
    promise,
    publish,
    referrers_path,
    serve,
)
from tests.adapters.scripted import Scripted, serving
from tests.adapters.tls import serving_tls

MANIFEST = a_manifest(a_config())
DIGEST = digest_of(MANIFEST)
TAG = DIGEST.replace(":", "-")
BUNDLE, OTHER_BUNDLE = b'{"mediaType": "x", "n": 1}', b'{"mediaType": "x", "n": 2}'
PAYLOAD, ENVELOPE = b'{"critical": {}}', b'{"payload": ""}'


@pytest.fixture
def server() -> Iterator[Scripted]:
    """Serve an image that has nothing beside it, at a registry without a list of referrers."""
    with serving() as scripted:
        publish(scripted, "1.0.1", MANIFEST, manifests=(MANIFEST,))
        yield scripted


@pytest.fixture
def registry(server: Scripted) -> Iterator[OciRegistry]:
    with a_registry(server.url) as opened:
        yield opened


def a_bundle(content: bytes = BUNDLE, *, media_type: str = BUNDLE_TYPE, subject: Digest = DIGEST) -> bytes:
    return an_attachment(a_layer(content, media_type), artifact_type=media_type, subject=subject)


def entry(manifest: bytes, artifact_type: str = BUNDLE_TYPE) -> dict[str, Any]:
    return promise(manifest, mediaType=IMAGE_TYPE, artifactType=artifact_type)


def list_beside(server: Scripted, *manifests: bytes, blobs: tuple[bytes, ...] = (BUNDLE,)) -> None:
    """List manifests by the registry's own list, and serve them with their blobs."""
    server.plan(referrers_path(DIGEST), a_listing(*(entry(manifest) for manifest in manifests)))
    serve(server, *manifests)
    for content in blobs:
        server.plan(blob_path(content), Response(content))


def refusal(registry: OciRegistry) -> str:
    with pytest.raises(Permanent) as caught:
        registry.find_proofs(IMAGE, DIGEST)
    sentence = caught.value.sentence
    assert sentence.startswith("registry at http://127.0.0.1")
    assert REPOSITORY in sentence
    return sentence


FOUND = FoundBundle(digest=digest_of(BUNDLE), content=BUNDLE)


# --- where proofs are looked for -------------------------------------------------------------------------------------


def test_an_image_with_nothing_beside_it_has_no_proofs(registry: OciRegistry, server: Scripted) -> None:
    assert registry.find_proofs(IMAGE, DIGEST) == ()
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("GET", referrers_path(DIGEST)),
        ("GET", manifest_path(TAG)),
        ("GET", manifest_path(f"{TAG}.sig")),
        ("GET", manifest_path(f"{TAG}.att")),
        ("HEAD", manifest_path(DIGEST)),
    ]


def test_a_bundle_is_found_by_the_registry_s_list(registry: OciRegistry, server: Scripted) -> None:
    list_beside(server, a_bundle())
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)
    assert manifest_path(TAG) not in [asked.path for asked in server.asked]


def test_the_list_is_asked_for_whole_and_never_filtered(registry: OciRegistry, server: Scripted) -> None:
    list_beside(server, a_bundle())
    registry.find_proofs(IMAGE, DIGEST)
    assert (server.asked[0].query, server.asked[0].headers["accept"]) == ("", INDEX_TYPE)


@pytest.mark.parametrize("link", ['<{path}?start=1>; rel="next"', "<{url}{path}?start=1>; rel=next"])
def test_a_list_in_pages_is_read_to_its_end(registry: OciRegistry, server: Scripted, link: str) -> None:
    first, second = a_bundle(), a_bundle(OTHER_BUNDLE)
    list_beside(server, first, second, blobs=(BUNDLE, OTHER_BUNDLE))
    target = link.format(url=server.url, path=referrers_path(DIGEST))
    server.plan(referrers_path(DIGEST), a_listing(entry(first), link=target), a_listing(entry(second)))
    assert len(registry.find_proofs(IMAGE, DIGEST)) == 2
    assert [asked.query for asked in server.asked if asked.path == referrers_path(DIGEST)] == ["", "start=1"]


@pytest.mark.parametrize("status", [400, 404, 405, 406])
def test_where_there_is_no_list_the_index_that_clients_keep_is_read(
    registry: OciRegistry, server: Scripted, status: int
) -> None:
    list_beside(server, a_bundle())
    server.plan(referrers_path(DIGEST), Response(status_code=status))
    server.plan(manifest_path(TAG), a_listing(entry(a_bundle())))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


@pytest.mark.parametrize(
    ("body", "media_type"), [(b"<html>", "text/html"), (b'{"hello": 1}', "application/json")], ids=["HTML", "JSON"]
)
def test_a_page_that_is_no_index_is_no_list(
    registry: OciRegistry, server: Scripted, body: bytes, media_type: str
) -> None:
    list_beside(server, a_bundle())
    server.plan(referrers_path(DIGEST), Response(body, media_type=media_type))
    server.plan(manifest_path(TAG), a_listing(entry(a_bundle())))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


@pytest.mark.parametrize("told", ["", EMPTY_TYPE, "application/spdx+json"])
def test_the_type_that_a_client_s_index_tells_is_not_believed(
    registry: OciRegistry, server: Scripted, told: str
) -> None:
    list_beside(server, a_bundle())
    server.plan(referrers_path(DIGEST), Response(status_code=404))
    server.plan(manifest_path(TAG), a_listing(entry(a_bundle(), told)))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


@pytest.mark.parametrize("told", [EMPTY_TYPE, "application/vnd.oci.image.config.v1+json", BUNDLE_TYPE.upper()])
def test_a_type_that_a_registry_s_list_tells_of_the_configuration_hides_nothing(
    registry: OciRegistry, server: Scripted, told: str
) -> None:
    list_beside(server, a_bundle())
    server.plan(referrers_path(DIGEST), a_listing(entry(a_bundle(), told)))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


def test_what_a_registry_s_list_calls_something_else_is_not_opened(registry: OciRegistry, server: Scripted) -> None:
    boms = [entry(an_attachment(artifact_type="application/spdx+json") + b" " * n, "a/b") for n in range(200)]
    list_beside(server, a_bundle())
    server.plan(referrers_path(DIGEST), a_listing(*boms, entry(a_bundle())))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


def test_an_image_under_the_digest_s_tag_lists_nothing(registry: OciRegistry, server: Scripted) -> None:
    """Some mirrors name images so."""
    publish(server, TAG, MANIFEST)
    assert registry.find_proofs(IMAGE, DIGEST) == ()


def test_proofs_of_an_index_are_its_own_and_not_its_children_s(registry: OciRegistry, server: Scripted) -> None:
    index = encode({"manifests": [promise(MANIFEST, platform={"os": "linux", "architecture": "amd64"})]})
    list_beside(server, a_bundle())
    serve(server, index)
    assert registry.find_proofs(IMAGE, digest_of(index)) == ()
    assert referrers_path(DIGEST) not in [asked.path for asked in server.asked]


def test_a_listed_manifest_that_was_deleted_proves_nothing(registry: OciRegistry, server: Scripted) -> None:
    gone = a_bundle(OTHER_BUNDLE)
    list_beside(server, gone, a_bundle())
    server.plan(manifest_path(digest_of(gone)), Response(status_code=404))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


# --- what is a proof -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json; version=0.2",
        'application/vnd.dev.sigstore.bundle+json;version="0.3"',
    ],
)
def test_every_spelling_of_a_bundle_is_one(registry: OciRegistry, server: Scripted, media_type: str) -> None:
    list_beside(server, a_bundle(media_type=media_type))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


def test_a_bundle_is_known_by_its_layer_where_nothing_else_names_it(registry: OciRegistry, server: Scripted) -> None:
    list_beside(server, an_attachment(a_layer(BUNDLE, BUNDLE_TYPE)))
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


def test_cosign_s_tags_hold_signatures_and_attestations(registry: OciRegistry, server: Scripted) -> None:
    signed = a_layer(
        PAYLOAD,
        SIGNING_TYPE,
        {
            "dev.cosignproject.cosign/signature": "c2ln",
            "dev.sigstore.cosign/certificate": "cert",
            "dev.sigstore.cosign/chain": "chain",
            "dev.sigstore.cosign/bundle": "{}",
            "dev.sigstore.cosign/rfc3161timestamp": "[]",
            "else": 5,
        },
    )
    attested = a_layer(ENVELOPE, ENVELOPE_TYPE, {"dev.cosignproject.cosign/signature": ""})
    publish(server, f"{TAG}.sig", an_attachment(signed), blobs=(PAYLOAD,))
    publish(server, f"{TAG}.att", an_attachment(attested), blobs=(ENVELOPE,))
    assert registry.find_proofs(IMAGE, DIGEST) == (
        FoundLayer(
            digest=digest_of(PAYLOAD),
            payload=PAYLOAD,
            is_envelope=False,
            signature="c2ln",
            certificate="cert",
            chain="chain",
            log="{}",
            timestamp="[]",
        ),
        FoundLayer(digest=digest_of(ENVELOPE), payload=ENVELOPE, is_envelope=True),
    )


def test_several_signatures_of_one_payload_are_several_proofs(registry: OciRegistry, server: Scripted) -> None:
    layers = [a_layer(PAYLOAD, SIGNING_TYPE, {"dev.cosignproject.cosign/signature": name}) for name in "ab"]
    publish(server, f"{TAG}.sig", an_attachment(*layers), blobs=(PAYLOAD,))
    found = registry.find_proofs(IMAGE, DIGEST)
    assert [one.signature for one in found if isinstance(one, FoundLayer)] == ["a", "b"]


def test_a_signature_of_cosign_s_may_be_a_referrer_and_is_told_once(registry: OciRegistry, server: Scripted) -> None:
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    signature = an_attachment(a_layer(PAYLOAD, SIGNING_TYPE), config_type=kind, subject=DIGEST)
    list_beside(server, signature, blobs=(PAYLOAD,))
    server.plan(referrers_path(DIGEST), a_listing(entry(signature, kind)))
    publish(server, f"{TAG}.sig", signature)
    assert registry.find_proofs(IMAGE, DIGEST) == (
        FoundLayer(digest=digest_of(PAYLOAD), payload=PAYLOAD, is_envelope=False),
    )


@pytest.mark.parametrize(
    "beside",
    [an_attachment(a_layer(b"x", "application/spdx+json")), encode({"manifests": []})],
    ids=["something else", "an index"],
)
def test_what_is_no_proof_is_passed_over(registry: OciRegistry, server: Scripted, beside: bytes) -> None:
    list_beside(server, beside, a_bundle())
    assert registry.find_proofs(IMAGE, DIGEST) == (FOUND,)


# --- a registry that cannot tell -------------------------------------------------------------------------------------

ASKED = [
    ("list", referrers_path(DIGEST)),
    ("index of clients", manifest_path(TAG)),
    ("signatures", manifest_path(f"{TAG}.sig")),
    ("attestations", manifest_path(f"{TAG}.att")),
    ("image", manifest_path(DIGEST)),
]


@pytest.mark.parametrize("path", [path for _, path in ASKED], ids=[name for name, _ in ASKED])
@pytest.mark.parametrize("status", [401, 403, 418, 429, 500, 503])
def test_a_registry_that_refuses_is_never_an_image_without_proofs(
    registry: OciRegistry, server: Scripted, path: str, status: int
) -> None:
    server.plan(path, Response(status_code=status))
    with pytest.raises(OutsideError) as caught:
        registry.find_proofs(IMAGE, DIGEST)
    assert isinstance(caught.value, Transient) == (status in (429, 500, 503))


def test_a_repository_that_is_not_shown_is_no_image_without_proofs(registry: OciRegistry, server: Scripted) -> None:
    server.plan(manifest_path(DIGEST), Response(status_code=404))
    assert f"has no {DIGEST} of {REPOSITORY}" in refusal(registry)


def test_an_image_of_no_configured_registry_has_no_answer(registry: OciRegistry) -> None:
    with pytest.raises(Permanent, match=r'no registry is configured for quay\.io: add \[registries\."quay\.io"\]'):
        registry.find_proofs("quay.io/acme/checkout", DIGEST)


@pytest.mark.parametrize("digest", ["sha256:abc", "sha512:" + "a" * 128, "sha256:" + "A" * 64, DIGEST + "\n"])
def test_text_that_is_no_digest_is_never_put_into_an_address(
    registry: OciRegistry, server: Scripted, digest: str
) -> None:
    with pytest.raises(Permanent, match="is no sha256 digest"):
        registry.find_proofs(IMAGE, Digest(digest))
    assert server.asked == []


# --- what is refused -------------------------------------------------------------------------------------------------


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


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


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


def test_the_bytes_of_a_proof_are_handed_on_as_they_came(registry: OciRegistry, server: Scripted) -> None:
    content = b' {"a":\t1,\r\n "b": "\\u00fc"} '
    list_beside(server, a_bundle(content), blobs=(content,))
    assert registry.find_proofs(IMAGE, DIGEST) == (FoundBundle(digest=digest_of(content), content=content),)
    assert json.loads(content)["b"] == "ü"
