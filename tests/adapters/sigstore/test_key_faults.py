"""What proves nothing though it is signed with a key: the rows that differ from those of certificates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.lab.sigstore import Fault
from tests.adapters.sigstore.sentences import (
    BAD_CHECKPOINT,
    BAD_PROMISE,
    BAD_PROOF,
    MALFORMED,
    MANY_LOGS,
    NO_PROMISE,
    NO_PROOF,
    NOT_OURS,
    ONE_SIGNATURE,
    OTHER_ENTRY,
    UNKNOWN_LOG,
)
from tests.adapters.sigstore.world import IMAGE, OTHER_KEY, PROVENANCE, RELEASE_KEY, a_bundle, a_lab, edited, rows, why


@pytest.mark.parametrize(
    ("fault", "reason"),
    rows(
        {
            Fault.OTHER_LOG: UNKNOWN_LOG,
            Fault.BAD_PROMISE: BAD_PROMISE,
            Fault.OTHER_ENTRY: OTHER_ENTRY,
            Fault.BAD_SIGNATURE: NOT_OURS,
            Fault.TWO_LOG_ENTRIES: MANY_LOGS,
            Fault.NO_INCLUSION_PROOF: NO_PROOF,
            Fault.BAD_INCLUSION_PROOF: BAD_PROOF,
            Fault.BAD_CHECKPOINT: BAD_CHECKPOINT,
            Fault.OTHER_TREE_SIZE: BAD_PROOF,
            Fault.TWO_SIGNATURES: ONE_SIGNATURE,
        }
    ),
)
def test_a_faulty_bundle_by_a_key_proves_nothing(fault: Fault, reason: str) -> None:
    assert why(a_bundle(a_lab().attest(RELEASE_KEY, IMAGE, PROVENANCE, {}, fault))) == reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    rows(
        {
            Fault.NO_PROMISE: NO_PROMISE,
            Fault.OTHER_LOG: UNKNOWN_LOG,
            Fault.BAD_PROMISE: BAD_PROMISE,
            Fault.OTHER_ENTRY: OTHER_ENTRY,
        }
    ),
)
def test_a_faulty_layer_by_a_key_proves_nothing(fault: Fault, reason: str) -> None:
    assert why(a_lab().sign_image_as_cosign(RELEASE_KEY, IMAGE, fault)) == reason


def test_a_key_that_is_not_set_proves_nothing() -> None:
    lab = a_lab()
    assert why(a_bundle(lab.sign_image(OTHER_KEY, IMAGE))) == NOT_OURS
    assert why(lab.sign_image_as_cosign(OTHER_KEY, IMAGE)) == NOT_OURS


def test_a_hint_at_our_key_does_not_make_it_ours() -> None:
    lab = a_lab()
    hint = json.loads(lab.sign_image(RELEASE_KEY, IMAGE))["verificationMaterial"]["publicKey"]
    other = edited(lab.sign_image(OTHER_KEY, IMAGE), lambda b: b["verificationMaterial"].update(publicKey=hint))
    assert why(other) == NOT_OURS


@pytest.mark.parametrize(
    "edit",
    [
        lambda b: b.update(extra=1),
        lambda b: b["verificationMaterial"].update(extra=1),
        lambda b: b.update(messageSignature={"signature": "AAAA"}),
        lambda b: b["verificationMaterial"].update(tlogEntries=7),
        lambda b: b["verificationMaterial"].update(tlogEntries=[7]),
        lambda b: b["dsseEnvelope"].update(payload=7),
    ],
)
def test_a_bundle_by_a_key_with_odd_parts_proves_nothing(edit: Callable[[Any], object]) -> None:
    assert why(edited(a_lab().sign_image(RELEASE_KEY, IMAGE), edit)) == MALFORMED
