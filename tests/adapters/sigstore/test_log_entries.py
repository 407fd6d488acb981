"""What a log entry is of, for signatures that the library does not compare with it."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from bot.adapters.sigstore.log_entries import Signed, require_entry_of
from bot.adapters.sigstore.refusals import Refused
from bot.lab.sigstore.keys import Signer, spki, to_text
from bot.lab.sigstore.log import envelope_body, hashed_body
from tests.adapters.sigstore.sentences import MALFORMED, OTHER_ENTRY
from tests.adapters.sigstore.world import OTHER_KEY, RELEASE_KEY

UNKNOWN = "Its log entry is of a kind that is not read."
MESSAGE, PAYLOAD = hashlib.sha256(b"message").digest(), hashlib.sha256(b"payload").digest()
SIGNER = Signer(key=RELEASE_KEY)
OF_MESSAGE = Signed(message=MESSAGE, signature=b"signature", signer=spki(RELEASE_KEY))
OF_ENVELOPE = Signed(message=MESSAGE, payload=PAYLOAD, signature=b"signature", signer=spki(RELEASE_KEY))


def a_hashed() -> Any:
    return json.loads(hashed_body(MESSAGE, b"signature", SIGNER))


def an_envelope() -> Any:
    return json.loads(envelope_body(b"envelope", b"payload", b"signature", SIGNER))


def a_newer() -> Any:
    verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": to_text(spki(RELEASE_KEY))}}
    signature = {"content": to_text(b"signature"), "verifier": verifier}
    said = {"data": {"algorithm": "SHA2_256", "digest": to_text(MESSAGE)}, "signature": signature}
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": said}}


def body(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("document", "signed"),
    [(a_hashed(), OF_MESSAGE), (an_envelope(), OF_ENVELOPE), (a_newer(), OF_MESSAGE), (a_newer(), OF_ENVELOPE)],
    ids=["a message", "an envelope", "a message, newer", "an envelope, newer"],
)
def test_an_entry_of_this_signature_is_taken(document: object, signed: Signed) -> None:
    require_entry_of(body(document), signed)


def newer(document: Any) -> Any:
    return document["spec"]["hashedRekordV002"]


OTHER_PEM = b64encode(Signer(key=OTHER_KEY).pem.encode()).decode()
EDITS: list[tuple[Callable[[], Any], Signed, Callable[[Any], object], str]] = [
    (a_hashed, OF_ENVELOPE, lambda _: None, UNKNOWN),
    (an_envelope, OF_MESSAGE, lambda _: None, UNKNOWN),
    (a_hashed, OF_MESSAGE, lambda d: d.update(kind="intoto"), UNKNOWN),
    (a_hashed, OF_MESSAGE, lambda d: d.update(apiVersion="0.0.9"), UNKNOWN),
    (a_hashed, OF_MESSAGE, lambda d: d.pop("spec"), MALFORMED),
    (a_hashed, OF_MESSAGE, lambda d: d["spec"]["data"]["hash"].update(value=PAYLOAD.hex()), OTHER_ENTRY),
    (a_hashed, OF_MESSAGE, lambda d: d["spec"]["data"]["hash"].update(algorithm="sha512"), OTHER_ENTRY),
    (a_hashed, OF_MESSAGE, lambda d: d["spec"]["signature"].update(content="AAAA"), OTHER_ENTRY),
    (a_hashed, OF_MESSAGE, lambda d: d["spec"]["signature"]["publicKey"].update(content=OTHER_PEM), OTHER_ENTRY),
    (a_hashed, OF_MESSAGE, lambda d: d["spec"]["signature"]["publicKey"].update(content="AAAA"), OTHER_ENTRY),
    (an_envelope, OF_ENVELOPE, lambda d: d["spec"].update(signatures=[]), OTHER_ENTRY),
    (an_envelope, OF_ENVELOPE, lambda d: d["spec"].update(signatures=[7]), OTHER_ENTRY),
    (an_envelope, OF_ENVELOPE, lambda d: d["spec"]["signatures"].append(d["spec"]["signatures"][0]), OTHER_ENTRY),
    (an_envelope, OF_ENVELOPE, lambda d: d["spec"]["payloadHash"].update(value=MESSAGE.hex()), OTHER_ENTRY),
    (an_envelope, OF_ENVELOPE, lambda d: d["spec"]["signatures"][0].update(verifier=OTHER_PEM), OTHER_ENTRY),
    (a_newer, OF_MESSAGE, lambda d: newer(d)["data"].update(algorithm="SHA2_512"), OTHER_ENTRY),
    (a_newer, OF_MESSAGE, lambda d: newer(d)["data"].update(digest=to_text(PAYLOAD)), OTHER_ENTRY),
    (a_newer, OF_MESSAGE, lambda d: newer(d)["signature"].update(content="AAAA"), OTHER_ENTRY),
    (
        a_newer,
        OF_MESSAGE,
        lambda d: newer(d)["signature"]["verifier"].update(x509Certificate={"rawBytes": "AAAA"}),
        OTHER_ENTRY,
    ),
]


@pytest.mark.parametrize(("make", "signed", "edit", "reason"), EDITS, ids=range(len(EDITS)))
def test_an_entry_of_another_signature_is_refused(
    make: Callable[[], Any], signed: Signed, edit: Callable[[Any], object], reason: str
) -> None:
    document = make()
    edit(document)
    with pytest.raises(Refused) as caught:
        require_entry_of(body(document), signed)
    assert caught.value.sentence == reason
