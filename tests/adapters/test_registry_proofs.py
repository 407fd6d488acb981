"""What lies beside an image: where it is looked for, and what is found there."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from starlette.responses import Response

from bot.adapters.found_proofs import FoundBundle, FoundLayer
from bot.adapters.registry import OciRegistry
from bot.adapters.registry.manifest import digest_of
from bot.domain.model import Digest
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.registryparts import (
    BUNDLE,
    BUNDLE_TYPE,
    DIGEST,
    EMPTY_TYPE,
    ENVELOPE,
    ENVELOPE_TYPE,
    FOUND,
    IMAGE,
    INDEX_TYPE,
    MANIFEST,
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
    encode,
    entry,
    list_beside,
    manifest_path,
    promise,
    publish,
    referrers_path,
    refusal,
    serve,
    serving_an_image,
)
from tests.adapters.scripted import Scripted


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving_an_image() as scripted:
        yield scripted


@pytest.fixture
def registry(server: Scripted) -> Iterator[OciRegistry]:
    with a_registry(server.url) as opened:
        yield opened


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


def test_the_bytes_of_a_proof_are_handed_on_as_they_came(registry: OciRegistry, server: Scripted) -> None:
    content = b' {"a":\t1,\r\n "b": "\\u00fc"} '
    list_beside(server, a_bundle(content), blobs=(content,))
    assert registry.find_proofs(IMAGE, DIGEST) == (FoundBundle(digest=digest_of(content), content=content),)
    assert json.loads(content)["b"] == "ü"
