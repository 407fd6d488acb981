"""No byte can be changed so that something else is proven: either nothing is any more, or the very same."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.found_proofs import Found, FoundBundle, FoundLayer
from bot.adapters.sigstore import SigstoreVerifier
from tests.adapters.sigstore.world import (
    CI,
    IMAGE,
    MANIFEST,
    PROVENANCE,
    RELEASE_KEY,
    a_bundle,
    a_lab,
    a_verifier,
    edited,
    proof_of,
)

LAB = a_lab()
KINDS: dict[str, Found] = {
    "statement": a_bundle(LAB.attest(CI, IMAGE, PROVENANCE, {"a": [1, "b"]})),
    "message": a_bundle(LAB.sign_digest(CI, MANIFEST)),
    "layer": LAB.sign_image_as_cosign(CI, IMAGE),
    "layer with envelope": LAB.attest_as_cosign(CI, IMAGE, PROVENANCE, {"a": 1}),
    "statement by key": a_bundle(LAB.attest(RELEASE_KEY, IMAGE, PROVENANCE, {"a": 1})),
    "message by key": a_bundle(LAB.sign_digest(RELEASE_KEY, MANIFEST)),
    "layer by key": LAB.sign_image_as_cosign(RELEASE_KEY, IMAGE),
}
NAMES = (
    "mediaType",
    "verificationMaterial",
    "tlogEntries",
    "certificate",
    "publicKey",
    "dsseEnvelope",
    "signatures",
    "payload",
    "payloadType",
    "Payload",
    "SignedEntryTimestamp",
)
FIELDS = ("content", "payload", "signature", "certificate", "log")


@cache
def verifier() -> SigstoreVerifier:
    return a_verifier(LAB)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Found]:
    """One of the kinds with one byte changed, dropped or doubled in one of its parts."""
    name = draw(st.sampled_from(sorted(KINDS)))
    found = KINDS[name]
    field = draw(st.sampled_from([one for one in FIELDS if getattr(found, one, None)]))
    value = getattr(found, field)
    content = value.encode() if isinstance(value, str) else value
    at = draw(st.integers(0, len(content) - 1))
    byte = draw(st.sampled_from([b"", content[at : at + 1] * 2]) | st.integers(0, 127).map(lambda n: bytes([n])))
    changed = content[:at] + byte + content[at + 1 :]
    new: Any = changed.decode() if isinstance(value, str) else changed
    return name, replace(found, **{field: new})


@settings(max_examples=300)
@given(mutated())
def test_a_changed_byte_proves_nothing_or_the_same(changed: tuple[str, Found]) -> None:
    name, found = changed
    require_same_or_nothing(name, found)


def require_same_or_nothing(name: str, found: Found) -> None:
    proofs = verifier().verify([found], IMAGE)
    if proofs.unproven:
        assert (proofs.signatures, proofs.statements) == ((), ())
        return
    assert proof_of(proofs) == proof_of(verifier().verify([KINDS[name]], IMAGE))


@pytest.mark.parametrize("space", [b" ", b"\n", b"\t"])
@pytest.mark.parametrize("name", sorted(name for name, found in KINDS.items() if isinstance(found, FoundBundle)))
def test_white_space_between_parts_changes_nothing(name: str, space: bytes) -> None:
    found = KINDS[name]
    assert isinstance(found, FoundBundle)
    spaced = replace(found, content=found.content.replace(b", ", b"," + space * 3))
    assert proof_of(verifier().verify([spaced], IMAGE)) == proof_of(verifier().verify([found], IMAGE))


@settings(max_examples=150)
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_arbitrary_bytes_prove_nothing_and_break_nothing(content: bytes) -> None:
    layer = KINDS["layer"]
    assert isinstance(layer, FoundLayer)
    envelope = replace(layer, payload=content, is_envelope=True)
    log = replace(layer, log=content.decode("utf-8", "surrogateescape"))
    proofs = verifier().verify([a_bundle(content), envelope, log], IMAGE)
    assert (proofs.signatures, proofs.statements) == ((), ())


@settings(max_examples=200)
@given(st.data())
def test_a_changed_byte_of_the_certificate_proves_nothing(data: st.DataObject) -> None:
    layer = KINDS["layer"]
    assert isinstance(layer, FoundLayer)
    certificate = load_pem_x509_certificate((layer.certificate or "").encode()).public_bytes(Encoding.DER)
    changed = bytearray(certificate)
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    statement = KINDS["statement"]
    assert isinstance(statement, FoundBundle)
    own = bytearray(b64decode(json.loads(statement.content)["verificationMaterial"]["certificate"]["rawBytes"]))
    own[at % len(own)] ^= 1
    raw = b64encode(own).decode()
    found = edited(statement.content, lambda b: b["verificationMaterial"]["certificate"].update(rawBytes=raw))
    pem = "-----BEGIN CERTIFICATE-----\n" + b64encode(changed).decode() + "\n-----END CERTIFICATE-----\n"
    for one in (found, replace(layer, certificate=pem)):
        assert len(verifier().verify([one], IMAGE).unproven) == 1
