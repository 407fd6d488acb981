"""A row for each way in which what lies beside an image can be wrong: the sentence that people are told."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.sigstore.json_values import MOST_BYTES
from bot.lab.sigstore import Fault, SigstoreLab, statement_about
from tests.adapters.sigstore.sentences import (
    BAD_CHECKPOINT,
    BAD_FIELD,
    BAD_PROMISE,
    BAD_PROOF,
    BAD_SCT,
    BAD_SIGNATURE,
    MALFORMED,
    MANY_LOGS,
    NO_ISSUER,
    NO_JSON,
    NO_LOG,
    NO_PROMISE,
    NO_PROOF,
    NO_SCT,
    NO_STATEMENT,
    NO_SUBJECT,
    NOT_FOR_CODE,
    NOT_ISSUED,
    NOT_ONE,
    NOT_OURS,
    NOT_SIMPLE,
    NOT_THEN,
    ONE_SIGNATURE,
    ONLY_TIMESTAMP,
    OTHER_DIGEST,
    OTHER_ENTRY,
    OTHER_SUBJECT,
    TOO_DEEP,
    TOO_LARGE,
    UNKNOWN_LOG,
)
from tests.adapters.sigstore.world import (
    CI,
    IMAGE,
    MANIFEST,
    OTHER_IMAGE,
    PROVENANCE,
    RELEASE_KEY,
    a_bundle,
    a_lab,
    edited,
    edited_log,
    other_text,
    rows,
    why,
)

ANY_KIND = {
    Fault.OTHER_AUTHORITY: NOT_ISSUED,
    Fault.EXPIRED: NOT_THEN,
    Fault.NOT_FOR_CODE: NOT_FOR_CODE,
    Fault.NO_SCT: NO_SCT,
    Fault.BAD_SCT: BAD_SCT,
    Fault.NO_ISSUER: NO_ISSUER,
    Fault.NO_SUBJECT: NOT_ONE,
    Fault.TWO_SUBJECTS: NOT_ONE,
    Fault.BAD_FIELD: BAD_FIELD,
    Fault.NO_LOG_ENTRY: NO_LOG,
    Fault.OTHER_LOG: UNKNOWN_LOG,
    Fault.BAD_PROMISE: BAD_PROMISE,
    Fault.OTHER_ENTRY: OTHER_ENTRY,
    Fault.BAD_SIGNATURE: BAD_SIGNATURE,
}
BUNDLES = {
    Fault.ONLY_TIMESTAMP: ONLY_TIMESTAMP,
    Fault.TWO_LOG_ENTRIES: MANY_LOGS,
    Fault.NO_PROMISE: "Nothing that is trusted tells when it was signed.",
    Fault.NO_INCLUSION_PROOF: NO_PROOF,
    Fault.BAD_INCLUSION_PROOF: BAD_PROOF,
    Fault.BAD_CHECKPOINT: BAD_CHECKPOINT,
    Fault.OTHER_TREE_SIZE: BAD_PROOF,
}
LAYERS = {Fault.NO_PROMISE: NO_PROMISE}
ENVELOPES = {Fault.TWO_SIGNATURES: ONE_SIGNATURE, Fault.NO_SIGNATURE: ONE_SIGNATURE}


def test_every_fault_of_the_lab_is_in_a_table() -> None:
    assert set(Fault) == {*ANY_KIND, *BUNDLES, *LAYERS, *ENVELOPES}


@pytest.mark.parametrize(("fault", "reason"), rows(ANY_KIND, BUNDLES, ENVELOPES))
def test_a_faulty_statement_proves_nothing(fault: Fault, reason: str) -> None:
    assert why(a_bundle(a_lab().attest(CI, IMAGE, PROVENANCE, {}, fault))) == reason


@pytest.mark.parametrize(("fault", "reason"), rows(ANY_KIND, BUNDLES))
def test_a_faulty_signature_over_a_manifest_proves_nothing(fault: Fault, reason: str) -> None:
    assert why(a_bundle(a_lab().sign_digest(CI, MANIFEST, fault))) == reason


@pytest.mark.parametrize(("fault", "reason"), rows(ANY_KIND, LAYERS))
def test_a_faulty_older_layer_proves_nothing(fault: Fault, reason: str) -> None:
    assert why(a_lab().sign_image_as_cosign(CI, IMAGE, fault)) == reason


@pytest.mark.parametrize(("fault", "reason"), rows(ANY_KIND, LAYERS, ENVELOPES))
def test_a_faulty_older_layer_with_an_envelope_proves_nothing(fault: Fault, reason: str) -> None:
    assert why(a_lab().attest_as_cosign(CI, IMAGE, PROVENANCE, {}, fault)) == reason


# --- tampered bundles -------------------------------------------------------------------------------------------------


def entry_of(bundle: Any) -> Any:
    (entry,) = bundle["verificationMaterial"]["tlogEntries"]
    return entry


def flip(container: Any, name: str, at: int = 40) -> None:
    container[name] = other_text(container[name], at)


def other_checkpoint(bundle: Any) -> None:
    checkpoint = entry_of(bundle)["inclusionProof"]["checkpoint"]
    head, _, signature = checkpoint["envelope"].rstrip("\n").rpartition(" ")
    checkpoint["envelope"] = f"{head} {other_text(signature)}\n"


def other_certificate(bundle: Any) -> None:
    other = json.loads(a_lab().sign_image(CI, OTHER_IMAGE))
    bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]


TAMPERED: dict[str, tuple[Callable[[Any], object], set[str]]] = {
    "payload": (lambda b: flip(b["dsseEnvelope"], "payload"), {BAD_SIGNATURE}),
    "payload type": (lambda b: b["dsseEnvelope"].update(payloadType="application/json"), {BAD_SIGNATURE}),
    "signature": (lambda b: flip(b["dsseEnvelope"]["signatures"][0], "sig"), {BAD_SIGNATURE}),
    "empty signature": (lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=""), {"It has no signature."}),
    "certificate's signature": (lambda b: flip(b["verificationMaterial"]["certificate"], "rawBytes", -3), {NOT_ISSUED}),
    "log id": (lambda b: flip(entry_of(b)["logId"], "keyId", 3), {UNKNOWN_LOG}),
    "log entry": (lambda b: flip(entry_of(b), "canonicalizedBody"), {BAD_PROOF}),
    "index": (lambda b: entry_of(b).update(logIndex="1"), {BAD_PROMISE}),
    "time within the certificate's": (
        lambda b: entry_of(b).update(integratedTime=str(int(entry_of(b)["integratedTime"]) + 1)),
        {BAD_PROMISE},
    ),
    "time long ago": (
        lambda b: entry_of(b).update(integratedTime="1000000000"),
        {"Its log entry is of a time at which the trust root does not trust that log."},
    ),
    "time that no calendar has": (
        lambda b: entry_of(b).update(integratedTime=str(2**64 - 1)),
        {"It could not be read as a signature of any known form."},
    ),
    "promise": (lambda b: flip(entry_of(b)["inclusionPromise"], "signedEntryTimestamp"), {BAD_PROMISE}),
    "root hash": (lambda b: flip(entry_of(b)["inclusionProof"], "rootHash", 3), {BAD_PROOF}),
    "hashes": (lambda b: entry_of(b)["inclusionProof"].update(hashes=[]), {BAD_PROOF}),
    "index in the tree": (lambda b: entry_of(b)["inclusionProof"].update(logIndex="0"), {BAD_PROOF}),
    "checkpoint's signature": (other_checkpoint, {BAD_CHECKPOINT}),
    "kind of the entry": (
        lambda b: entry_of(b)["kindVersion"].update(kind="intoto"),
        {"Its log entry is of a kind that is not read."},
    ),
    "unknown part": (lambda b: b.update(extra=1), {MALFORMED}),
    "no statement": (lambda b: b.pop("dsseEnvelope"), {"It has no signature."}),
    "no material": (lambda b: b.pop("verificationMaterial"), {MALFORMED}),
    "no certificate": (
        lambda b: b["verificationMaterial"].pop("certificate"),
        {"It has no certificate, where one is needed."},
    ),
    "certificate and key": (
        lambda b: b["verificationMaterial"].update(publicKey={"hint": "x"}),
        {MALFORMED},
    ),
    "unknown media type": (
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v9+json"),
        {"It is not a Sigstore bundle of a known version."},
    ),
    "media type of the older form": (
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"),
        {"It has no certificate, where one is needed."},
    ),
    "message and statement": (
        lambda b: b.update(messageSignature={"signature": "AAAA"}),
        {MALFORMED},
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_bundle_proves_nothing(name: str) -> None:
    edit, reasons = TAMPERED[name]
    assert why(edited(a_lab().attest(CI, IMAGE, PROVENANCE, {}), edit)) in reasons


def test_a_signature_by_another_certificate_of_the_same_signer_proves_nothing() -> None:
    lab = a_lab()
    first, second = json.loads(lab.sign_image(CI, OTHER_IMAGE)), lab.sign_image(CI, IMAGE)
    other = first["verificationMaterial"]["certificate"]
    assert why(edited(second, lambda b: b["verificationMaterial"].update(certificate=other)), lab=lab) == BAD_SIGNATURE


def test_another_signatures_log_entry_lends_nothing() -> None:
    lab = a_lab()
    first, second = json.loads(lab.sign_image(CI, IMAGE)), lab.sign_image(CI, IMAGE)
    other = first["verificationMaterial"]["tlogEntries"]
    assert why(edited(second, lambda b: b["verificationMaterial"].update(tlogEntries=other)), lab=lab) == OTHER_ENTRY


# --- tampered layers --------------------------------------------------------------------------------------------------


def test_a_layer_whose_log_entry_is_tampered_with_proves_nothing() -> None:
    layer = a_lab().sign_image_as_cosign(CI, IMAGE)
    assert why(edited_log(layer, lambda log: log["Payload"].update(logIndex=7))) == BAD_PROMISE
    assert why(edited_log(layer, lambda log: log["Payload"].update(integratedTime=1_772_443_816))) == BAD_PROMISE
    assert why(edited_log(layer, lambda log: log["Payload"].update(logID="zz"))) == MALFORMED
    assert why(edited_log(layer, lambda log: log["Payload"].update(logIndex=-1))) == MALFORMED
    assert why(edited_log(layer, lambda log: log.pop("Payload"))) == (NO_PROMISE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": None}, "It has no signature."),
        ({"signature": "no base64"}, MALFORMED),
        ({"signature": "AAAA"}, BAD_SIGNATURE),
        ({"certificate": "nonsense"}, "Its certificate cannot be read."),
        ({"certificate": None}, NOT_OURS),
        ({"log": None}, NO_LOG),
        ({"log": "[]"}, NO_JSON),
        ({"log": " " * 300_000}, TOO_LARGE),
        ({"payload": b"{}"}, BAD_SIGNATURE),
        ({"is_envelope": True}, ONE_SIGNATURE),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_tampered_layer_proves_nothing(changes: dict[str, Any], reason: str) -> None:
    assert why(replace(a_lab().sign_image_as_cosign(CI, IMAGE), **changes)) == reason


def test_a_layer_with_two_certificates_proves_nothing() -> None:
    layer = a_lab().sign_image_as_cosign(CI, IMAGE)
    assert layer.certificate
    assert why(replace(layer, certificate=layer.certificate * 2)) == "Its certificate cannot be read."


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{}", NOT_SIMPLE),
        (b"nonsense", NO_JSON),
        (b'{"critical":{"image":7}}', NOT_SIMPLE),
        (
            b'{"critical":{"image":{"docker-manifest-digest":"sha256:0"},"type":"atomic container signature"}}',
            NOT_SIMPLE,
        ),
        (b'{"critical":{"image":{},"type":"cosign container image signature"}}', OTHER_DIGEST),
    ],
)
def test_a_layer_over_another_document_proves_nothing(payload: bytes, reason: str) -> None:
    assert why(a_lab().sign_as_cosign(CI, payload)) == reason


# --- what is signed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sign",
    [
        lambda lab: a_bundle(lab.sign_image(CI, OTHER_IMAGE)),
        lambda lab: a_bundle(lab.attest(CI, OTHER_IMAGE, PROVENANCE, {})),
        lambda lab: lab.attest_as_cosign(CI, OTHER_IMAGE, PROVENANCE, {}),
        lambda lab: a_bundle(lab.attest(RELEASE_KEY, OTHER_IMAGE, PROVENANCE, {})),
    ],
)
def test_a_statement_about_another_image_proves_nothing(sign: Callable[[SigstoreLab], Any]) -> None:
    assert why(sign(a_lab())) == OTHER_SUBJECT


@pytest.mark.parametrize(
    "sign",
    [
        lambda lab: lab.sign_image_as_cosign(CI, OTHER_IMAGE),
        lambda lab: lab.sign_image_as_cosign(RELEASE_KEY, OTHER_IMAGE),
        lambda lab: a_bundle(lab.sign_digest(CI, b"another manifest")),
        lambda lab: a_bundle(lab.sign_digest(RELEASE_KEY, b"another manifest")),
    ],
)
def test_a_signature_over_another_digest_proves_nothing(sign: Callable[[SigstoreLab], Any]) -> None:
    assert why(sign(a_lab())) == OTHER_DIGEST


HEX = IMAGE.removeprefix("sha256:")
STATEMENTS: dict[str, tuple[dict[str, object], str]] = {
    "no subject": ({"subject": []}, NO_SUBJECT),
    "no list of subjects": ({"subject": {"digest": {"sha256": HEX}}}, NO_SUBJECT),
    "another algorithm only": ({"subject": [{"name": "x", "digest": {"sha512": HEX}}]}, OTHER_SUBJECT),
    "the digest as a name": ({"subject": [{"name": IMAGE, "digest": {}}]}, OTHER_SUBJECT),
    "the digest in capitals": ({"subject": [{"digest": {"sha256": HEX.upper()}}]}, OTHER_SUBJECT),
    "too many subjects": (
        {"subject": [{"digest": {"sha256": HEX}}] * 1001},
        "Its statement is about more things than are looked at.",
    ),
    "another type": ({"_type": "https://example.com/Statement"}, NO_STATEMENT),
    "no predicate type": ({"predicateType": None}, NO_STATEMENT),
    "a predicate type without end": ({"predicateType": "x" * 1001}, NO_STATEMENT),
    "an empty predicate type": ({"predicateType": ""}, NO_STATEMENT),
    "a predicate that is a list": ({"predicate": []}, NO_STATEMENT),
    "half a character": ({"predicate": {"a": "\ud800"}}, NO_JSON),
}


@pytest.mark.parametrize("by", [CI, RELEASE_KEY], ids=["keyless", "by key"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_an_odd_statement_proves_nothing(name: str, by: Any) -> None:
    changes, reason = STATEMENTS[name]
    statement = statement_about(IMAGE, PROVENANCE, {}) | changes
    assert why(a_bundle(a_lab().sign_statement(by, statement))) == reason


def nested(levels: int) -> bytes:
    return (
        json.dumps(statement_about(IMAGE, PROVENANCE, {}))
        .encode()
        .replace(b"{}", b'{"a":' * levels + b"1" + b"}" * levels)
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (nested(70), TOO_DEEP),
        (nested(50_000), TOO_DEEP),
        (b'{"a":1,"a":2}', NO_JSON),
        (b'{"a":NaN}', NO_JSON),
        (b'{"a":1e999}', NO_JSON),
        (b'{"a":' + b"9" * 5000 + b"}", NO_JSON),
        (b"\xff", NO_JSON),
        (b"[]", NO_JSON),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_payload_that_is_no_plain_json_proves_nothing(payload: bytes, reason: str) -> None:
    assert why(a_bundle(a_lab().sign_payload(CI, payload, "application/vnd.in-toto+json"))) == reason


def test_an_envelope_of_another_payload_type_proves_nothing() -> None:
    payload = json.dumps(statement_about(IMAGE, PROVENANCE, {})).encode()
    expected = "It signs something other than an in-toto statement."
    assert why(a_bundle(a_lab().sign_payload(CI, payload, "application/json"))) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", NO_JSON),
        (b"\x00\xff", NO_JSON),
        (b"null", NO_JSON),
        (b"{}", "It is not a Sigstore bundle of a known version."),
        (b"[" * 100_000, TOO_DEEP),
        (b'{"a":' * 100_000, TOO_DEEP),
        (b" " * (MOST_BYTES + 1), TOO_LARGE),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_bytes_that_are_no_bundle_prove_nothing(content: bytes, reason: str) -> None:
    assert why(a_bundle(content)) == reason


def test_what_is_told_quotes_nothing_of_what_was_found() -> None:
    marker = "@everyone [x](https://evil.example)"
    content = edited(a_lab().sign_image(CI, IMAGE), lambda b: b.update({marker: marker, "mediaType": marker}))
    assert "evil" not in why(content)
    assert "evil" not in why(a_bundle(b64encode(marker.encode())))
